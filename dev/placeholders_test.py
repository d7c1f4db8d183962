"""Tests that MAINTAINERS.md lists each placeholder of the owner, and that dev/owner replaces all of them."""

import re
import shutil
import subprocess
import tempfile
import unittest
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = "MAINTAINERS.md"
# What is about placeholders, not one.
ABOUT = {PAGE, "dev/owner", "dev/placeholders_test.py"}
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| (\d+) \|", re.MULTILINE)
PLACEHOLDER = re.compile(r"\bOWNER/alb-mtls|\"OWNER-ADDRESS\"|@alb-mtls/")


def found(root, names):
    counts = Counter()
    for name in names:
        try:
            text = (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        counts.update((placeholder, name) for placeholder in PLACEHOLDER.findall(text))
    return counts


class Placeholders(unittest.TestCase):
    def setUp(self):
        listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                                capture_output=True, text=True).stdout
        self.names = [name for name in listed.split("\0") if name and name not in ABOUT]

    def test_page_lists_each_one(self):
        rows = ROW.findall((ROOT / PAGE).read_text(encoding="utf-8"))
        self.assertEqual({(placeholder, name): int(times) for placeholder, name, times in rows}, dict(found(ROOT, self.names)))

    def test_one_command_replaces_all(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            for name in {name for _, name in found(ROOT, self.names)} | ABOUT:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
            subprocess.run([copy / "dev" / "owner", "example-org", "security@example.com"], check=True)
            self.assertEqual(found(copy, self.names), Counter())
            self.assertIn("github.com/example-org/alb-mtls", (copy / "README.md").read_text(encoding="utf-8"))
            self.assertIn("* @example-org/maintainers", (copy / ".github" / "CODEOWNERS").read_text(encoding="utf-8"))

    def test_argument_that_is_not_a_name_changes_nothing(self):
        for arguments in (["a/b", "x@example.com"], ["-a", "x@example.com"], ["a", "example.com"], ["a", "x@e|e"], ["a"]):
            done = subprocess.run([ROOT / "dev" / "owner", *arguments], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main()
