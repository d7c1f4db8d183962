#!/usr/bin/env -S python3 -B
"""Checks the pages of the documentation: a mark at each block of commands, and every link.

    dev/docs_check.py             checks README.md, docs/ and the other pages for readers
    dev/docs_check.py --count     also prints how many blocks are run, and how many are not

A block of commands is a block in sh, bash, console or powershell. The line above it is a comment that says what runs it:

    <!-- run -->                       tests/tests/operations runs the blocks of a page as one script
    <!-- run with PROGRAM -->          the same, where PROGRAM is installed
    <!-- run: NAME -->                 the same, for a test that refers to NAME
    <!-- deploy: NAME -->              a test in tests/tests names it, and runs it in a simulated account
    <!-- probe: NAME -->               the same, for the probe
    <!-- aws -->                       cli/tests runs it against moto
    <!-- tested by PATH -->            the test in PATH does the same, or reads the block
    <!-- not run: REASON -->           nothing runs it

Exit codes: 0 clean, 1 findings.
"""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {"sh", "bash", "console", "shell", "powershell", "zsh"}
MARK = re.compile(r"<!-- (run with|run:|run|deploy:|probe:|aws|tested by|not run:)(?: (\S.*?))? -->")
# What a mark has to be followed by.
ALONE = {"run", "aws"}
# A reason names what is missing.
SHORTEST_REASON = 12


@dataclass(frozen=True)
class Block:
    """A fenced block: the line of its fence, its language, and the last line of text above it."""
    line: int
    language: str
    above: str


def blocks(text):
    found, fence, above = [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        match = re.match(r"(`{3,}|~{3,})\s*([^\s`{]*)", stripped)
        if fence is None and match:
            fence = match[1]
            found.append(Block(number, match[2].lower(), above))
        elif fence is not None and stripped == fence:
            fence, above = None, ""
        elif fence is None and stripped:
            above = stripped
    return found


def problem_of(block, root, deployments):
    """Returns the kind of the mark, and a problem or None."""
    match = MARK.fullmatch(block.above)
    if not match:
        return "unmarked", "a block of commands needs a mark that says what runs it: see dev/docs_check.py"
    kind, rest = match[1], match[2]
    if (kind in ALONE) != (rest is None):
        return kind, f"the mark `{kind}` {'takes nothing' if kind in ALONE else 'needs a word'} after it"
    if kind == "tested by" and not (root / rest).is_file():
        return kind, f"{rest} does not exist"
    if kind in {"deploy:", "probe:"} and f'"{rest}"' not in deployments:
        return kind, f"no test in tests/tests names `{rest}`"
    if kind == "not run:" and len(rest) < SHORTEST_REASON:
        return kind, "the mark gives no reason"
    return kind, None


def without_code(text):
    kept, fence = [], None
    for line in text.splitlines():
        match = re.match(r"\s*(`{3,}|~{3,})", line)
        if fence is None and match:
            fence = match[1]
        elif fence is not None:
            if line.strip() == fence:
                fence = None
        else:
            kept.append(line)
    return "\n".join(kept)


def anchors(text):
    """Returns the anchors of a page's headings, as GitHub and as Python-Markdown make them."""
    found, repeated = set(), Counter()
    for line in without_code(text).splitlines():
        match = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if not match:
            continue
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1])
        plain = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).lower()
        for slug in {re.sub(r"\s", "-", plain), re.sub(r"[-\s]+", "-", plain.strip())}:
            found.add(f"{slug}-{repeated[slug]}" if repeated[slug] else slug)
            repeated[slug] += 1
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def links(text):
    plain = re.sub(r"`[^`\n]*`", "", without_code(text))
    inline = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", plain)
    return inline + re.findall(r"^\s*\[[^\]]+\]:\s*(\S+)", plain, re.MULTILINE)


def broken_links(path, text, root):
    for link in links(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists():
            yield f"`{link}` leads to no file"
        elif root not in target.parents and target != root:
            yield f"`{link}` leads out of the project"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            yield f"`{link}` leads to no heading of {target.relative_to(root)}"


def pages(root):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
                            cwd=root, check=True, capture_output=True, text=True).stdout
    return [root / name for name in sorted(set(filter(None, listed.split("\0")))) if (root / name).is_file()]


def check(root, paths):
    folder = root / "tests" / "tests"
    deployments = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.rs")))
    counts, findings = Counter(), []
    for path in paths:
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root)
        for block in blocks(text):
            if block.language in COMMANDS:
                kind, problem = problem_of(block, root, deployments)
                counts[kind] += 1
                if problem:
                    findings.append(f"{name}:{block.line}: {problem}")
        findings += [f"{name}: {problem}" for problem in broken_links(path, text, root)]
    return counts, findings


def main():
    counts, findings = check(ROOT, pages(ROOT))
    print("\n".join(findings), end="\n" if findings else "")
    if "--count" in sys.argv[1:] or findings:
        not_run = counts["not run:"]
        print(f"docs: {counts.total()} blocks of commands, {counts.total() - not_run - counts['unmarked']} run by tests, "
              f"{not_run} not run, {counts['unmarked']} without a mark; {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
