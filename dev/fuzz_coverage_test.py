"""Tests of dev/fuzz-coverage.py without a compiler, and of the fuzzers' seeds."""

import importlib.util
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location("fuzz_coverage", ROOT / "dev" / "fuzz-coverage.py")
coverage = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(coverage)
sys.path.insert(0, str(ROOT / "fuzz"))

import crls


class Coverage(unittest.TestCase):
    def test_each_target_is_measured_with_files_that_exist(self):
        self.assertEqual(set(coverage.FILES), {path.stem for path in (ROOT / "fuzz" / "fuzz_targets").glob("*.rs")})
        for target, names in coverage.FILES.items():
            for name in names:
                self.assertTrue((ROOT / name).exists(), f"{target}: {name}")

    def test_share_is_of_all_files_together(self):
        summaries = [{"lines": {"covered": 9, "count": 10}}, {"lines": {"covered": 0, "count": 10}}]
        self.assertEqual(coverage.percent(summaries, "lines"), "45%")
        self.assertEqual(coverage.percent([], "lines"), "-")


class Crls(unittest.TestCase):
    def test_lengths_are_in_their_shortest_form(self):
        self.assertEqual(crls.der(4, bytes(127))[:2], b"\x04\x7f")
        self.assertEqual(crls.der(4, bytes(128))[:3], b"\x04\x81\x80")
        self.assertEqual(crls.der(4, bytes(256))[:4], b"\x04\x82\x01\x00")

    def test_integers_have_their_sign(self):
        self.assertEqual([crls.integer(value)[2:].hex() for value in (0, 127, 128, -1, 2**160)],
                         ["00", "7f", "0080", "ff", "01" + "00" * 20])

    def test_samples_have_names_of_their_own(self):
        names = [name for name, _ in crls.samples()]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()
