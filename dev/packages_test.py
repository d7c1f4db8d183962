"""Tests of the manifests: what each published crate must have, and one Rust version everywhere."""

import json
import os
import re
import subprocess
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A version of Rust in text: `Rust 1.95`, `rust:1.95-bookworm`, `rust-version = "1.95"`.
VERSION = re.compile(r"\b(?:rust|rustc|MSRV|rust-version)[ :=]+\"?v?(1\.\d+)\b", re.IGNORECASE)


def packages():
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--no-deps", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return metadata["packages"]


class PublishedTest(unittest.TestCase):
    def setUp(self):
        self.published = [package for package in packages() if package["publish"] is None]
        self.assertTrue(self.published)

    def test_what_registries_show(self):
        for package in self.published:
            with self.subTest(package["name"]):
                self.assertTrue(package["description"])
                self.assertTrue(package["license"])
                self.assertTrue(1 <= len(package["keywords"]) <= 5, package["keywords"])
                self.assertTrue(all(len(word) <= 20 for word in package["keywords"]))
                self.assertTrue(package["categories"])
                self.assertEqual(package["metadata"], {"docs": {"rs": {"all-features": True}}})

    def test_files(self):
        for package in self.published:
            with self.subTest(package["name"]):
                folder = Path(package["manifest_path"]).parent
                self.assertEqual(package["readme"], "README.md")
                self.assertTrue((folder / "README.md").is_file())
                self.assertEqual((folder / "LICENSE").resolve(), ROOT / "LICENSE")
                manifest = tomllib.loads((folder / "Cargo.toml").read_text(encoding="utf-8"))
                self.assertEqual(manifest["package"]["include"], ["/LICENSE", "/README.md", "/src"])

    def test_features_are_in_the_readme(self):
        for package in self.published:
            readme = (Path(package["manifest_path"]).parent / "README.md").read_text(encoding="utf-8")
            for feature in set(package["features"]) - {"default"}:
                with self.subTest(package["name"], feature=feature):
                    self.assertIn(f"`{feature}`", readme)

    def test_dependencies_are_published_too(self):
        names = {package["name"] for package in self.published}
        for package in self.published:
            for dependency in package["dependencies"]:
                if dependency["source"] is None and dependency["kind"] is None:
                    with self.subTest(package["name"], dependency=dependency["name"]):
                        self.assertIn(dependency["name"], names)


class RustVersionTest(unittest.TestCase):
    def setUp(self):
        self.manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
        self.oldest = self.manifest["workspace"]["package"]["rust-version"]

    def test_packages(self):
        for package in packages():
            self.assertEqual(package["rust_version"], self.oldest, package["name"])

    def test_toolchain(self):
        toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text(encoding="utf-8"))
        self.assertIn(toolchain["toolchain"]["channel"], ("stable", self.oldest))

    def test_text_names_no_other_version(self):
        files = subprocess.run(["git", "ls-files", "-z", "*.md", "*Dockerfile", "*.toml"], cwd=ROOT, check=True,
                               capture_output=True, text=True).stdout
        found = set()
        for name in filter(None, files.split("\0")):
            text = (ROOT / name).read_text(encoding="utf-8")
            found |= {(name, version) for version in VERSION.findall(text) if version != self.oldest}
        self.assertEqual(found, set())


if __name__ == "__main__":
    unittest.main()
