"""Checks prose against the table in english.toml, for english.py."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from english_source import (doc_blocks, is_whole_line, rust_pieces, test_names, unfenced, without_code)

# Read line by line: almost all of their text is comments and descriptions.
PLAIN = {".toml", ".tf", ".yaml", ".yml", ".sh", ".py", ".java", ".js"}
PLAIN_NAMES = {"Makefile", "Dockerfile", "run", "run-locally", "sizes", "sam-local"}
# The table and the tests of it contain the words; lock files are generated.
SKIPPED = {"dev/english.toml", "dev/english_test.py", "Cargo.lock", "fuzz/Cargo.lock"}


class TableError(Exception):
    """A mistake in english.toml."""


@dataclass(frozen=True)
class Rule:
    name: str
    kind: str  # word, opening, error
    pattern: re.Pattern
    reason: str
    instead: str
    enforced: bool


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    text: str
    reason: str
    instead: str
    enforced: bool = True


@dataclass
class Allowance:
    path: str
    line: str
    rule: str
    reason: str
    used: bool = False

    def covers(self, finding, source):
        return finding.path == self.path and finding.rule == self.rule and self.line in source


@dataclass(frozen=True)
class Table:
    rules: list
    exceptions: list
    baselines: dict
    width: int
    sentence: int
    test_name: int
    readme: int


def read_table(text):
    """Reads english.toml; a rule or an exception without a reason is a mistake."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TableError(str(error)) from error
    rules = []
    for entry in data.get("rule", []):
        for key in ("name", "kind", "pattern", "reason", "instead"):
            if not str(entry.get(key, "")).strip():
                raise TableError(f"rule {entry.get('name', entry)}: `{key}` is missing or empty")
        if entry["kind"] not in ("word", "opening", "error"):
            raise TableError(f"rule {entry['name']}: unknown kind `{entry['kind']}`")
        pattern = entry["pattern"]
        if entry["kind"] == "word":
            pattern = rf"(?<![\w-])(?:{pattern})(?![\w])"
        elif entry["kind"] == "opening":
            pattern = rf"(?:{pattern})\b"
        flags = re.IGNORECASE if entry["kind"] == "word" else 0
        rules.append(Rule(entry["name"], entry["kind"], re.compile(pattern, flags), entry["reason"],
                          entry["instead"], entry.get("enforced", True)))
    exceptions = []
    for entry in data.get("except", []):
        for key in ("path", "line", "rule", "reason"):
            if not str(entry.get(key, "")).strip():
                raise TableError(f"exception for {entry.get('path', entry)}: `{key}` is missing or empty")
        exceptions.append(Allowance(entry["path"], entry["line"], entry["rule"], entry["reason"]))
    limits = data["limits"]
    return Table(rules, exceptions, data.get("baseline", {}), limits["comment_width"], limits["sentence_words"],
                 limits["test_name_words"], limits["readme_lines"])


class Checker:
    def __init__(self, table):
        self.table = table
        self.words = [rule for rule in table.rules if rule.kind == "word"]
        self.openings = [rule for rule in table.rules if rule.kind == "opening"]
        self.errors = [rule for rule in table.rules if rule.kind == "error"]
        # One pattern answers for most lines that none of the words occurs.
        self.any_word = re.compile("|".join(rule.pattern.pattern for rule in self.words) or r"(?!)", re.IGNORECASE)

    def check(self, path, source):
        """Returns the findings of one file, before exceptions."""
        name = Path(path).name
        if path in SKIPPED:
            return []
        if path.endswith(".rs"):
            return list(self.rust(path, source))
        if path.endswith(".md"):
            return list(self.markdown(path, source))
        if Path(path).suffix in PLAIN or name in PLAIN_NAMES or path == ".ci/run":
            return list(self.prose(path, enumerate(source.split("\n"), 1)))
        return []

    def rust(self, path, source):
        lines = source.split("\n")
        pieces = list(rust_pieces(source))
        yield from self.prose(path, unfenced((p.line, p.text) for p in pieces if p.kind == "doc"))
        yield from self.prose(path, ((p.line, p.text) for p in pieces if p.kind in ("comment", "text")))
        for piece in pieces:
            if piece.kind == "error":
                for rule in self.errors:
                    if match := rule.pattern.search(piece.text):
                        yield self.finding(path, piece.line, rule, match.group())
        prose = unfenced((p.line, p.text) for p in pieces if p.kind == "doc")
        comments = ((p.line, p.text) for p in pieces if p.kind == "comment")
        for number in sorted({number for number, _ in (*prose, *comments)}):
            line = lines[number - 1]
            if is_whole_line(line) and len(line) > self.table.width and "://" not in line and "|" not in line:
                yield Finding(path, number, "width", f"{len(line)} columns",
                              f"comments are at most {self.table.width} columns wide", "wrap the comment")
        for block, item in doc_blocks(pieces, lines):
            yield from self.doc(path, block, item)
        yield from self.sentences(path, pieces, lines)
        for number, name in test_names(lines):
            words = len([word for word in name.split("_") if word])
            if words > self.table.test_name:
                yield Finding(path, number, "test name", f"{words} words",
                              f"a test's name has at most {self.table.test_name} words",
                              "subject, condition, outcome", False)

    def doc(self, path, block, item):
        first = next((piece for piece in block if piece.text.strip()), None)
        if first is None:
            return
        text = first.text.strip()
        for rule in self.openings:
            if match := rule.pattern.match(text):
                yield self.finding(path, first.line, rule, match.group())
                return
        if item == "fn" and (match := re.match(r"([A-Z][a-z]+)\b", text)) and not match.group(1).endswith("s"):
            yield Finding(path, first.line, "verb", match.group(1),
                          "the documentation of a function begins with a verb in the third person",
                          "`Returns the …`, `Parses …`, `Sets …`")

    def sentences(self, path, pieces, lines):
        """Counts sentences that are too long, in whole-line comments and documentation."""
        run, start, last = [], 0, 0
        for piece in [*(p for p in pieces if p.kind in ("doc", "comment") and is_whole_line(lines[p.line - 1])), None]:
            ends = piece is None or piece.line != last + 1 or not piece.text.strip() or piece.text.startswith(
                ("|", "-", "*", "#", "`", ">"))
            if ends and run:
                for sentence in re.split(r"(?<=[.:;])\s+", without_code(" ".join(run))):
                    if len(sentence.split()) > self.table.sentence:
                        yield Finding(path, start, "long sentence", f"{len(sentence.split())} words",
                                      f"a sentence has at most {self.table.sentence} words", "two sentences", False)
                run = []
            if piece is not None and piece.text.strip() and not piece.text.startswith("|"):
                if not run:
                    start = piece.line
                run.append(piece.text.strip())
                last = piece.line

    def markdown(self, path, source):
        lines = list(enumerate(source.split("\n"), 1))
        yield from self.prose(path, unfenced(lines))
        if path == "README.md" and len(lines) > self.table.readme:
            yield Finding(path, len(lines), "readme length", f"{len(lines)} lines",
                          f"the README has at most {self.table.readme} lines", "a page in docs", False)

    def prose(self, path, pairs):
        """Checks words, also those that a line break parts."""
        previous, previous_number = "", 0
        for number, raw in pairs:
            text = without_code(raw).rstrip()
            joined = text
            offset = 0
            if number == previous_number + 1 and previous:
                tail = previous.split()[-2:]
                joined = " ".join([*tail, text.lstrip(" #/*")])
                offset = len(" ".join(tail))
            if self.any_word.search(joined):
                for rule in self.words:
                    for match in rule.pattern.finditer(joined):
                        if match.end() > offset:
                            yield self.finding(path, number, rule, match.group())
            previous, previous_number = text.strip(), number

    @staticmethod
    def finding(path, line, rule, text):
        return Finding(path, line, rule.name, text, rule.reason, rule.instead, rule.enforced)


def excepted(findings, sources, exceptions):
    """Drops findings that an exception covers, and marks the exceptions as used."""
    kept = []
    for finding in findings:
        source = sources[finding.path].split("\n")[finding.line - 1]
        covering = [entry for entry in exceptions if entry.covers(finding, source)]
        for entry in covering:
            entry.used = True
        if not covering:
            kept.append(finding)
    return kept


def baseline_of(path, baselines):
    """Returns the name of the baseline that a file belongs to, if any."""
    return next((name for name in baselines if path == name or path.startswith(name + "/")), None)


def folder(path):
    parts = path.split("/")
    if len(parts) == 1:
        return path
    is_split = parts[0] in ("shared", "functions", "dev", "examples", "deploy") and len(parts) > 2
    return "/".join(parts[:2]) if is_split else parts[0]
