"""Tests of dev/mutants.py without a compiler."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import mutants


def outcome(summary, line, what="replace < with <= in order"):
    return {"summary": summary, "scenario": {"Mutant": {
        "name": f"src/a.rs:{line}:5: {what}", "file": "src/a.rs", "span": {"start": {"line": line}}}}}


class Mutants(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "src").mkdir()
        (self.root / "src" / "a.rs").write_text("fn order() {\n    a < b\n    c < d\n}\n", encoding="utf-8")

    def test_sample_depends_on_the_seed_alone(self):
        names = [f"name {number}" for number in range(100)]
        self.assertEqual(mutants.sample(names, 5, 1), mutants.sample(names[::-1], 5, 1))
        self.assertNotEqual(mutants.sample(names, 5, 1), mutants.sample(names, 5, 2))
        self.assertEqual(sorted(mutants.sample(names, 1000, 1)), sorted(names))

    def test_interval_contains_the_share_and_shrinks(self):
        for caught, tried in ((9, 10), (90, 100), (100, 100), (0, 7)):
            low, high = mutants.interval(caught, tried)
            self.assertTrue(-1e-9 <= low <= caught / tried + 1e-9 and caught / tried - 1e-9 <= high <= 1 + 1e-9)
        few, many = mutants.interval(9, 10), mutants.interval(900, 1000)
        self.assertGreater(few[1] - few[0], many[1] - many[0])

    def test_reason_is_for_one_line_and_one_change(self):
        reasons = [{"file": "src/a.rs", "change": "replace < with <= in order", "line": "a < b", "reason": "never equal"}]
        text, clean = mutants.report([outcome("CaughtMutant", 3), outcome("MissedMutant", 2)], reasons, self.root)
        self.assertTrue(clean)
        self.assertIn("1 of 2 changes noticed: 50.0%", text)
        self.assertIn("never equal", text)
        text, clean = mutants.report([outcome("MissedMutant", 3)], reasons, self.root)
        self.assertFalse(clean)
        self.assertIn("not noticed: src/a.rs:3:5", text)

    def test_timeout_is_noticed_and_what_does_not_compile_is_not_counted(self):
        text, clean = mutants.report([outcome("Timeout", 2), outcome("Unviable", 3)], [], self.root)
        self.assertTrue(clean)
        self.assertIn("1 of 1 changes noticed", text)

    def test_each_reason_is_about_a_line_that_is_there(self):
        for entry in mutants.tomllib.loads(mutants.REASONS.read_text(encoding="utf-8"))["survivor"]:
            lines = (mutants.ROOT / entry["file"]).read_text(encoding="utf-8").splitlines()
            self.assertIn(entry["line"], [line.strip() for line in lines], entry["change"])


if __name__ == "__main__":
    unittest.main()
