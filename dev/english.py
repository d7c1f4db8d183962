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
from collections import Counter
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("dev/english.py needs Python 3.11 or newer (tomllib)")

from english_check import Checker, TableError, baseline_of, excepted, folder, read_table
from english_source import wrapped

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "dev" / "english.toml"


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
