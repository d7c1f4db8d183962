#!/usr/bin/env -S python3 -B
"""Checks the built site: no page fetches anything from another host.

    dev/site/built.py target/site

Exit codes: 0 clean, 1 findings, 2 there is no site.
"""

import re
import sys
from pathlib import Path

# Elements that a browser fetches by itself. An <a> is followed by the reader only.
FETCHED = re.compile(r"<(?:script|link|img|iframe|source|video)\b[^>]*\b(?:src|href)=\"?((?:https?:)?//[^\"\s>]+)", re.IGNORECASE)
IN_STYLES = re.compile(r"(?:url\(|@import\s+)[\"'(]*((?:https?:)?//[^)\"'\s]+)", re.IGNORECASE)
# A link that says where a page lives; nothing is fetched from it.
CANONICAL = re.compile(r"<link\b[^>]*\brel=\"?canonical[^>]*>", re.IGNORECASE)


def fetched(text, is_style):
    if is_style:
        return IN_STYLES.findall(text)
    return FETCHED.findall(CANONICAL.sub("", text))


def main():
    site = Path(sys.argv[1])
    pages = sorted(site.rglob("*.html"))
    if len(pages) < 2:
        sys.exit(2)
    findings = []
    for path in [*pages, *sorted(site.rglob("*.css"))]:
        text = path.read_text(encoding="utf-8")
        findings += [f"{path}: fetches {address}" for address in fetched(text, path.suffix == ".css")]
    print("\n".join(findings), end="\n" if findings else "")
    print(f"docs: {len(pages)} pages in {site}, {len(findings)} fetch from another host")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
