"""Tests of english.py: `python3 -m unittest discover -s dev -p '*_test.py'`."""

import unittest

import english
from english_check import Checker, TableError, excepted, read_table
from english_source import wrapped

HEAD = "[limits]\ncomment_width = 40\nsentence_words = 25\ntest_name_words = 8\nreadme_lines = 200\n"
ANEW = """
[[rule]]
name = "anew"
kind = "word"
pattern = "anew"
reason = "literary"
instead = "again"
"""
WHAT = ANEW.replace("anew", "What").replace('"word"', '"opening"')
CAPITAL = ANEW.replace("anew", "capital").replace('"word"', '"error"').replace(
    'pattern = "capital"', 'pattern = "^[A-Z]"')


def findings(source, rules=ANEW + WHAT + CAPITAL, path="a.rs"):
    checker = Checker(read_table(HEAD + rules))
    return [(found.line, found.rule) for found in checker.check(path, source)]


class TableTest(unittest.TestCase):
    def rejects(self, text, message):
        with self.assertRaises(TableError) as caught:
            read_table(HEAD + text)
        self.assertIn(message, str(caught.exception))

    def test_rule_without_reason(self):
        self.rejects(ANEW.replace("literary", ""), "`reason` is missing or empty")

    def test_exception_without_reason(self):
        entry = '[[except]]\npath = "a.rs"\nline = "anew"\nrule = "anew"\n'
        self.rejects(entry, "`reason` is missing or empty")
        self.rejects(entry + 'reason = " "\n', "`reason` is missing or empty")

    def test_unknown_kind(self):
        self.rejects(ANEW.replace('"word"', '"wrod"'), "unknown kind `wrod`")

    def test_the_table_of_the_project(self):
        read_table(english.TABLE.read_text(encoding="utf-8"))


class RustTest(unittest.TestCase):
    def test_word_in_comments_and_messages(self):
        self.assertEqual(findings("// Reads it anew.\n"), [(1, "anew")])
        self.assertEqual(findings("/// Reads it anew.\nfn f() {}\n"), [(1, "anew")])
        self.assertEqual(findings('let a = "it is read anew";\n'), [(1, "anew")])
        self.assertEqual(findings("/* Reads\n it anew */\n"), [(2, "anew")])

    def test_no_word_in_code(self):
        self.assertEqual(findings("fn anew() {}\n// Calls `anew()`.\n/// ```\n/// anew();\n/// ```\n"), [])
        self.assertEqual(findings('let a = "anew";\nlet b = \'"\';\nlet anew = \'"\';\n'), [])
        self.assertEqual(findings("// A renewal.\n"), [])

    def test_word_across_a_line_break(self):
        rule = ANEW.replace('pattern = "anew"', 'pattern = "is no"')
        self.assertEqual(findings("// Which is\n// no list.\n", rule), [(2, "anew")])
        self.assertEqual(findings("// It is no\n// list.\n", rule), [(1, "anew")])

    def test_string_with_line_continuation(self):
        self.assertEqual(findings('let a = "one two three \\\n    and anew";\nlet b = 1;\n// anew\n'),
                         [(2, "anew"), (4, "anew")])

    def test_opening(self):
        self.assertEqual(findings("/// What is read.\nstruct A;\n"), [(1, "What")])
        self.assertEqual(findings("//! What is read.\n"), [(1, "What")])
        self.assertEqual(findings("/// Reads.\n/// What follows.\nfn f() {}\n"), [])
        self.assertEqual(findings("// What follows.\n"), [])

    def test_verb(self):
        self.assertEqual(findings("/// The list.\n#[must_use]\npub const fn f() {}\n"), [(1, "verb")])
        self.assertEqual(findings("/// Returns the list.\npub(crate) async fn f() {}\n"), [])
        self.assertEqual(findings("/// The list.\nstruct A;\n"), [])
        self.assertEqual(findings("/// The list.\n#[test]\nfn f() {}\n"), [])

    def test_width(self):
        self.assertEqual(findings("// " + "word " * 10 + "\n"), [(1, "width")])
        self.assertEqual(findings("/// ```\n/// " + "word " * 10 + "\n/// ```\n"), [])
        self.assertEqual(findings("// https://" + "a" * 60 + "\n"), [])
        self.assertEqual(findings('let a = "' + "a" * 60 + '"; // b\n'), [])

    def test_error(self):
        self.assertEqual(findings('#[error("Cannot read")]\n'), [(1, "capital")])
        self.assertEqual(findings('#[error(\n    "Cannot read"\n)]\n'), [(2, "capital")])
        self.assertEqual(findings('#[error("cannot read")]\n'), [])


class OtherFilesTest(unittest.TestCase):
    def test_markdown_without_fences(self):
        self.assertEqual(findings("Made anew.\n```\nanew\n```\n`anew`\n", path="a.md"), [(1, "anew")])

    def test_other_kinds(self):
        self.assertEqual(findings("Description: made anew\n", path="template.yaml"), [(1, "anew")])
        self.assertEqual(findings("anew\n", path="a.json"), [])


class ExceptionsTest(unittest.TestCase):
    def test_exception_covers_its_line_alone(self):
        entry = '[[except]]\npath = "a.rs"\nline = "quoted"\nrule = "anew"\nreason = "a quotation"\n'
        table = read_table(HEAD + ANEW + entry)
        source = "// quoted: anew\n// anew\n"
        found = Checker(table).check("a.rs", source)
        left = excepted(found, {"a.rs": source}, table.exceptions)
        self.assertEqual([finding.line for finding in left], [2])
        self.assertTrue(table.exceptions[0].used)

    def test_baseline_only_falls(self):
        text = '[baseline]\n"docs" = 5\n"README.md" = 2\n'
        self.assertEqual(english.lower(text, {"docs": 3, "README.md": 4}),
                         '[baseline]\n"docs" = 3\n"README.md" = 2\n')


class WrapTest(unittest.TestCase):
    def wraps(self, source, expected):
        self.assertEqual(wrapped(source, 20), expected)
        self.assertEqual(wrapped(expected, 20), expected)

    def test_paragraph(self):
        self.wraps("    /// One two three four five.\n    /// Six.\n", "    /// One two\n    /// three four\n    /// five. Six.\n")

    def test_list_and_table(self):
        self.wraps("/// - one two three four five\n/// - six\n", "/// - one two three\n///   four five\n/// - six\n")
        self.wraps("/// | one two three | four five |\n", "/// | one two three | four five |\n")

    def test_neither_code_nor_text(self):
        self.wraps("/// ```\n/// one_two_three(four, five);\n/// ```\n", "/// ```\n/// one_two_three(four, five);\n/// ```\n")
        self.wraps('let a = "\n// one two three four five\n";\n', 'let a = "\n// one two three four five\n";\n')


if __name__ == "__main__":
    unittest.main()
