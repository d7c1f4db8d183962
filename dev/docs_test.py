"""Tests of docs_check.py and of the site's hooks and checks, with pages that are wrong."""

import sys
import tempfile
import unittest
from pathlib import Path

import docs_check

sys.path.insert(0, str(Path(__file__).resolve().parent / "site"))
import built  # noqa: E402


def block(mark, language="sh"):
    return f"Text.\n\n{mark}\n```{language}\ntrue\n```\n"


class Marks(unittest.TestCase):
    def findings(self, text):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            tests = root / "tests" / "tests"
            tests.mkdir(parents=True)
            (tests / "deploy.rs").write_text('script("single root")\n')
            page = root / "page.md"
            page.write_text(text)
            return docs_check.check(root, [page])[1]

    def test_block_without_a_mark_is_a_finding(self):
        for language in ["sh", "bash", "console", "powershell", "SH"]:
            self.assertEqual(len(self.findings(block("", language))), 1, language)

    def test_block_that_is_not_commands_needs_no_mark(self):
        for language in ["", "json", "rust", "text", "diff"]:
            self.assertEqual(self.findings(block("", language)), [], language)

    def test_each_kind_of_mark_is_accepted(self):
        for mark in ["run", "run with cfssl", "run: rotation", "deploy: single root", "aws",
                     "tested by tests/tests/deploy.rs", "not run: needs an AWS account"]:
            self.assertEqual(self.findings(block(f"<!-- {mark} -->")), [], mark)

    def test_mark_that_says_nothing_is_a_finding(self):
        for mark in ["not run", "not run:", "not run: no", "runs", "deploy: another", "deploy:",
                     "tested by tests/tests/gone.rs", "tested by", "aws: yes", "run with"]:
            self.assertEqual(len(self.findings(block(f"<!-- {mark} -->"))), 1, mark)

    def test_mark_counts_for_the_block_below_it_only(self):
        self.assertEqual(len(self.findings(block("<!-- run -->") + "\n```sh\ntrue\n```\n")), 1)
        self.assertEqual(len(self.findings("<!-- run -->\n\nText.\n\n```sh\ntrue\n```\n")), 1)

    def test_indented_block_of_a_list_is_seen(self):
        self.assertEqual(len(self.findings("1. Step\n\n    ```sh\n    true\n    ```\n")), 1)


class Links(unittest.TestCase):
    def broken(self, link, code=False):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            (root / "docs").mkdir()
            (root / "docs" / "other.md").write_text("# Other\n\n## What `happens` when …\n\n## Two\n\n## Two\n\n```sh\n# no heading\n```\n")
            page = root / "docs" / "page.md"
            text = f"# Page\n\n[link]({link})\n"
            page.write_text(f"```text\n{text}```\n" if code else text)
            return list(docs_check.broken_links(page, page.read_text(), root))

    def test_link_that_leads_somewhere_is_accepted(self):
        for link in ["other.md", "other.md#two", "other.md#two-1", "other.md#what-happens-when-", "#page", "https://example.org/x"]:
            self.assertEqual(self.broken(link), [], link)

    def test_broken_link_is_a_finding(self):
        for link in ["gone.md", "other.md#gone", "other.md#no-heading", "#gone", "../../secret.md", "other.md#two-2"]:
            self.assertEqual(len(self.broken(link)), 1, link)

    def test_link_in_code_is_not_a_link(self):
        self.assertEqual(self.broken("gone.md", code=True), [])


class Built(unittest.TestCase):
    def test_what_a_browser_fetches_is_found(self):
        for text in ['<script src="https://unpkg.com/x"></script>', '<link rel="stylesheet" href="https://fonts.googleapis.com/css">',
                     '<img alt="x" src="//example.org/x.png">']:
            self.assertEqual(len(built.fetched(text, False)), 1, text)
        self.assertEqual(len(built.fetched("@import 'https://example.org/a.css'; a{background:url(//example.org/b.png)}", True)), 2)

    def test_links_of_the_reader_are_not_fetched(self):
        for text in ['<a href="https://example.org">', '<link rel="canonical" href="https://example.org/">', '<img src="cost.svg">']:
            self.assertEqual(built.fetched(text, False), [], text)


if __name__ == "__main__":
    unittest.main()
