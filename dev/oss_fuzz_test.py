"""Runs the build script for OSS-Fuzz in a copy of what it reads, with a stand-in for the compiler."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {path.stem for path in (ROOT / "fuzz" / "fuzz_targets").glob("*.rs")}
# `cargo fuzz list` and `cargo fuzz build`, as cargo-fuzz answers; anything else fails.
CARGO = r"""#!/bin/bash -eu
[[ $1 == fuzz && $RUSTUP_TOOLCHAIN == nightly ]]
case $2 in
list) ls fuzz/fuzz_targets | sed 's/\.rs$//' ;;
build)
    [[ $3 == -O && $4 == --debug-assertions && -e fuzz/fuzz_targets/$5.rs ]]
    mkdir -p fuzz/target/x86_64-unknown-linux-gnu/release
    echo "$5" >"fuzz/target/x86_64-unknown-linux-gnu/release/$5"
    ;;
*) exit 1 ;;
esac
"""


class OssFuzz(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source, self.out = Path(folder.name) / "src", Path(folder.name) / "out"
        self.out.mkdir()
        for name in ("fuzz", "vectors", "events"):
            shutil.copytree(ROOT / name, self.source / "alb-mtls" / name,
                            ignore=shutil.ignore_patterns("target", "corpus", "artifacts", "coverage", "__pycache__"))
        cargo = Path(folder.name) / "bin" / "cargo"
        cargo.parent.mkdir()
        cargo.write_text(CARGO, encoding="utf-8")
        cargo.chmod(cargo.stat().st_mode | stat.S_IXUSR)
        self.environment = {"PATH": f"{cargo.parent}:{os.environ['PATH']}", "HOME": folder.name, "SRC": str(self.source),
                            "OUT": str(self.out), "PYTHONDONTWRITEBYTECODE": "1"}

    def build(self, **environment):
        script = self.source / "alb-mtls" / "fuzz" / "oss-fuzz" / "build.sh"
        subprocess.run(["bash", "-eu", script], env=self.environment | environment, check=True, capture_output=True)

    def test_each_target_has_a_program_and_seeds(self):
        self.build()
        seeds = {f"{target}_seed_corpus.zip" for target in TARGETS}
        self.assertEqual({path.name for path in self.out.iterdir()}, TARGETS | seeds)
        for target in TARGETS:
            with zipfile.ZipFile(self.out / f"{target}_seed_corpus.zip") as archive:
                self.assertGreater(len(archive.namelist()), 5, target)

    def test_one_target_can_be_built_alone(self):
        self.build(FUZZ_TARGETS="crl")
        self.assertEqual({path.name for path in self.out.iterdir()}, {"crl", "crl_seed_corpus.zip"})

    def test_image_has_what_the_script_is_run_with(self):
        dockerfile = (ROOT / "fuzz" / "oss-fuzz" / "Dockerfile").read_text(encoding="utf-8")
        self.assertIn("COPY build.sh $SRC/", dockerfile)
        self.assertRegex(dockerfile, r"(?m)^FROM gcr\.io/oss-fuzz-base/base-builder-rust$")
        project = (ROOT / "fuzz" / "oss-fuzz" / "project.yaml").read_text(encoding="utf-8")
        fields = dict(re.findall(r"^(\w+): (.+)$", project, re.MULTILINE))
        self.assertEqual((fields["language"], fields["sanitizers"], fields["fuzzing_engines"]), ("rust", "[address]", "[libfuzzer]"))


if __name__ == "__main__":
    unittest.main()
