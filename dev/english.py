#!/usr/bin/env -S python3 -B
"""Checks comments, documentation and messages against the words and forms in english.toml.

    dev/english.py                    checks everything that git knows, or will know
    dev/english.py shared/verifier    checks one folder or file
    dev/english.py --count            prints how often each tic occurs, by folder
    dev/english.py --count --at REV   the same for another commit
    dev/english.py --wrap PATH…       wraps comments of Rust sources that are too wide, in place
    dev/english.py --lower            lowers the baselines in english.toml to what was found

Exit codes: 0 clean, 1 findings, 2 a mistake in english.toml or in the arguments.
"""

import argparse
import io
import os
import re
import subprocess
import sys
import tarfile
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

try:
    import tomllib
except ImportError:
    sys.exit("dev/english.py needs Python 3.11 or newer (tomllib)")

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "dev" / "english.toml"
# Read line by line: almost all of their text is comments and descriptions.
PLAIN = {".toml", ".tf", ".yaml", ".yml", ".sh", ".py", ".java", ".js"}
PLAIN_NAMES = {"Makefile", "Dockerfile", "run", "run-locally", "sizes", "sam-local"}
# The table itself, and sources that are generated or are data.
SKIPPED = {"dev/english.toml", "dev/english.py", "dev/english_test.py", "Cargo.lock", "fuzz/Cargo.lock"}


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


# --- Reading sources -------------------------------------------------------------------------------------------------

RUST = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*.*?\*/)
      | (?P<raw>[bc]?r(?P<fence>\#*)".*?"(?P=fence))
      | (?P<text>[bc]?"(?:\\.|[^"\\])*")
      | (?P<char>b?'(?:\\(?:u\{[0-9a-fA-F_]+\}|x[0-9a-fA-F]{2}|.)|[^\\'\n])')
    """,
    re.VERBOSE | re.DOTALL,
)
ITEM = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:default\s+)?(?:const\s+)?(?:async\s+)?(?:unsafe\s+)?fn\s+(\w+)")
TEST = re.compile(r"^\s*#\[(?:tokio::)?test\b")


@dataclass(frozen=True)
class Piece:
    """A piece of prose: `kind` is doc, comment, text, error, fn or test."""

    kind: str
    line: int
    text: str


def rust_pieces(source):
    """Yields comments, blocks of documentation and string literals of a Rust source."""
    lines = source.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    number = 0
    for match in RUST.finditer(source):
        while starts[number + 1] <= match.start():
            number += 1
        kind, text = match.lastgroup, match.group()
        if kind == "fence":
            kind = "raw"
        if kind == "line":
            if text.startswith("////"):
                continue
            if text.startswith(("///", "//!")):
                yield Piece("doc", number + 1, text[3:].removeprefix(" "))
            else:
                yield Piece("comment", number + 1, text[2:].removeprefix(" "))
        elif kind == "block":
            for offset, line in enumerate(text.strip("/*! ").split("\n")):
                yield Piece("comment", number + 1 + offset, line.strip(" *"))
        elif kind in ("text", "raw"):
            body = text[text.index('"') + 1 : text.rindex('"')]
            if kind == "text":
                body = re.sub(r"\\\n\s*", lambda gap: "\n" * gap.group().count("\n"), body)
            is_error = source[max(0, match.start() - 60) : match.start()].rstrip().endswith("#[error(")
            prose = body.count(" ") + body.count("\n") >= 2
            for offset, line in enumerate(body.split("\n")):
                if prose:
                    yield Piece("text", number + 1 + offset, line)
            if is_error:
                yield Piece("error", number + 1, " ".join(body.split()))


def doc_blocks(pieces, lines):
    """Yields each block of documentation as (first line, lines, what follows it)."""
    block = []
    for piece in [*pieces, None]:
        if piece is not None and piece.kind == "doc" and is_whole_line(lines[piece.line - 1]) and (
                not block or (piece.line == block[-1].line + 1
                              and marker(lines, piece.line) == marker(lines, block[-1].line))):
            block.append(piece)
            continue
        if block:
            yield block, follower(lines, block[-1].line)
        block = [piece] if piece is not None and piece.kind == "doc" and is_whole_line(lines[piece.line - 1]) else []


def marker(lines, number):
    return lines[number - 1].strip()[:3]


def is_whole_line(line):
    return line.lstrip().startswith("//")


def follower(lines, number):
    """Returns the kind of item after a block of documentation: fn, test or other."""
    test = False
    depth = 0
    for line in lines[number : number + 40]:
        stripped = line.strip()
        if depth or stripped.startswith("#["):
            test = test or TEST.match(line) is not None
            depth += stripped.count("[") - stripped.count("]")
            continue
        if not stripped or stripped.startswith("//"):
            continue
        if ITEM.match(line):
            return "test" if test else "fn"
        return "other"
    return "other"


def test_names(lines):
    """Yields (line, name) of each test function."""
    waiting = False
    for number, line in enumerate(lines, 1):
        if TEST.match(line):
            waiting = True
        elif waiting and (match := ITEM.match(line)):
            yield number, match.group(1)
            waiting = False


CODE = re.compile(r"`[^`]*`|https?://\S+|<[^<>\s]*>|\{[^{}\s]*\}")


def without_code(text):
    """Blanks what is not prose: code in backticks, links, placeholders."""
    return CODE.sub(lambda match: " " * len(match.group()), text)


def unfenced(pairs):
    """Drops fenced code from (line, text) pairs."""
    inside = False
    for number, text in pairs:
        if text.lstrip().startswith(("```", "~~~")):
            inside = not inside
        elif not inside:
            yield number, text


# --- Checks ----------------------------------------------------------------------------------------------------------


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
    return "/".join(parts[:2]) if parts[0] in ("shared", "functions", "dev", "examples", "deploy") and len(parts) > 2 else parts[0]


COMMENT = re.compile(r"^(\s*//[/!]?)(?: (.*))?$")
# What begins a line that is not the next one of a paragraph: lists, tables, headings, quotations, fences, markers.
BREAK = re.compile(r"^(?:[-*+>|#]|\d+[.)] |```|~~~|Source:|===|\[[^]]+\]:| )")


def wrapped(source, width):
    """Returns a Rust source with each paragraph of comments refilled that has a line of more than `width` columns."""
    result, paragraph, head, fenced, text_lines = [], [], None, False, inside_text(source)

    def flush():
        nonlocal paragraph
        if any(len(line) > width for line in paragraph):
            words = " ".join(COMMENT.match(line).group(2).strip() for line in paragraph)
            item = re.match(r"(?:[-*+]|\d+[.)]) ", words)
            result.extend(textwrap.wrap(words, width, initial_indent=head + " ",
                                        subsequent_indent=head + " " + " " * (len(item.group()) if item else 0),
                                        break_long_words=False, break_on_hyphens=False))
        else:
            result.extend(paragraph)
        paragraph = []

    for number, line in enumerate(source.split("\n"), 1):
        match = COMMENT.match(line) if number not in text_lines else None
        text = (match.group(2) or "") if match else ""
        fence = text.startswith(("```", "~~~"))
        if match is None or not text.strip() or match.group(1) != head:
            flush()
        if match is None or not text.strip() or fenced or fence or text.startswith(("|", "#", "    ")):
            flush()
            result.append(line)
            head = match.group(1) if match else None
        else:
            if BREAK.match(text) and not (text.startswith(" ") and paragraph):
                flush()
            head = match.group(1)
            paragraph.append(line)
        fenced ^= fence
        fenced &= match is not None
    flush()
    return "\n".join(result)


def inside_text(source):
    """Returns the numbers of lines that begin inside a string literal or a block comment."""
    found = set()
    for match in RUST.finditer(source):
        gaps = match.group().count("\n")
        if gaps:
            first = source.count("\n", 0, match.start()) + 2
            found.update(range(first, first + gaps))
    return found


# --- Command line ----------------------------------------------------------------------------------------------------


def sources_now(under):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *under]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    found = {}
    for name in sorted(set(filter(None, names))):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            try:
                found[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return found


def sources_at(revision, under):
    archive = subprocess.run(["git", "archive", revision, *under], cwd=ROOT, check=True, capture_output=True).stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            if member.isfile():
                try:
                    found[member.name] = files.extractfile(member).read().decode("utf-8")
                except UnicodeDecodeError:
                    continue
    return found


def print_counts(findings):
    folders = sorted({folder(finding.path) for finding in findings})
    by_rule = Counter(finding.rule for finding in findings)
    cells = Counter((finding.rule, folder(finding.path)) for finding in findings)
    for rule, total in by_rule.most_common():
        where = ", ".join(f"{name} {cells[rule, name]}" for name in folders if cells[rule, name])
        enforced = any(finding.enforced for finding in findings if finding.rule == rule)
        print(f"{total:6} {rule}{'' if enforced else ' (counted only)'}: {where}")
    print(f"{sum(finding.enforced for finding in findings):6} enforced, {len(findings)} in all")


def lower(table_text, found):
    """Returns english.toml with lower baselines where fewer were found."""
    for name, number in found.items():
        pattern = rf'^("{re.escape(name)}" = )(\d+)'
        table_text = re.sub(pattern, lambda m: m.group(1) + str(min(int(m.group(2)), number)), table_text,
                            flags=re.MULTILINE)
    return table_text


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="*", help="folder or file to check; the default is everything")
    parser.add_argument("--count", action="store_true", help="print how often each tic occurs, by folder")
    parser.add_argument("--at", metavar="REV", help="count in this commit")
    parser.add_argument("--all", action="store_true", help="print findings that are only counted, too")
    parser.add_argument("--wrap", action="store_true", help="wrap comments that are too wide, in place")
    parser.add_argument("--lower", action="store_true", help="lower the baselines to what was found")
    options = parser.parse_args(arguments)
    under = [os.path.relpath(Path(path).resolve(), ROOT) for path in options.path]
    text = TABLE.read_text(encoding="utf-8")
    try:
        table = read_table(text)
    except TableError as error:
        print(f"dev/english.toml: {error}", file=sys.stderr)
        return 2
    if options.wrap:
        return wrap(under, table.width)
    sources = sources_at(options.at, under) if options.at else sources_now(under)
    checker = Checker(table)
    findings = [finding for path, source in sources.items() for finding in checker.check(path, source)]
    findings = excepted(findings, sources, table.exceptions)
    if options.count:
        print_counts(findings)
        return 0
    held = Counter(baseline_of(f.path, table.baselines) for f in findings if f.enforced)
    held = {name: held.get(name, 0) for name in table.baselines if not under or name in under}
    if options.lower:
        TABLE.write_text(lower(text, held), encoding="utf-8")
        return 0
    return report(findings, table, held, under, options.all)


def wrap(under, width):
    if not under:
        print("--wrap needs a path", file=sys.stderr)
        return 2
    for path, source in sources_now(under).items():
        if path.endswith(".rs") and (new := wrapped(source, width)) != source:
            (ROOT / path).write_text(new, encoding="utf-8")
            print(f"wrapped {path}")
    return 0


def report(findings, table, held, under, show_all):
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    bold, dim, end = ("\033[1;31m", "\033[2m", "\033[0m") if colour else ("", "", "")
    failed = 0
    for finding in sorted(findings, key=lambda f: (f.path, f.line)):
        counted = not finding.enforced
        if counted and not show_all or baseline_of(finding.path, table.baselines) and not under:
            continue
        failed += not counted
        print(f"{finding.path}:{finding.line}: {bold}{finding.text.strip()}{end} "
              f"{dim}({finding.reason}){end} -> {finding.instead}")
    for name, number in held.items():
        limit = table.baselines[name]
        if number > limit:
            failed += number - limit
            print(f"{name}: {number} findings, and the baseline is {limit}: `dev/english.py {name}` lists them")
        elif number < limit:
            failed += 1
            print(f"{name}: {number} findings, and the baseline is {limit}: `dev/english.py --lower` keeps the gain")
    if not under:
        for entry in table.exceptions:
            if not entry.used:
                failed += 1
                print(f"dev/english.toml: the exception for {entry.path} (`{entry.rule}`) is not needed any more")
    if failed:
        print(f"english: {failed} to fix; what each rule means: dev/english.toml", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
