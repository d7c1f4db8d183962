"""Stands for cargo-lambda, for `sam build` in tests: cargo-lambda lambda build --release --arm64 --bin NAME

It checks that Cargo would find what it is told to build, and leaves a `bootstrap` that starts the program of the tests where
cargo-lambda leaves its own. It does not show that the program compiles for Lambda in the release profile.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

parser = argparse.ArgumentParser(prog="cargo-lambda", allow_abbrev=False)
parser.add_argument("command", nargs=2)
parser.add_argument("--release", action="store_true", required=True)
parser.add_argument("--bin", required=True)
parser.add_argument("--package")
architecture = parser.add_mutually_exclusive_group(required=True)
architecture.add_argument("--arm64", action="store_true")
architecture.add_argument("--target", choices=["aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"])
arguments = parser.parse_args()
if arguments.command != ["lambda", "build"]:
    sys.exit(f"cargo {arguments.command} is not known here")

cargo = os.environ.get("CARGO", "cargo")
found = json.loads(subprocess.check_output([cargo, "metadata", "--no-deps", "--format-version", "1", "--offline"]))
folder = pathlib.Path.cwd().resolve()
packages = [
    package
    for package in found["packages"]
    if (arguments.package == package["name"] or arguments.package is None and pathlib.Path(package["manifest_path"]).parent == folder)
    and any(target["name"] == arguments.bin and "bin" in target["kind"] for target in package["targets"])
]
if not packages:
    sys.exit(f"no package of {folder} has the program `{arguments.bin}`")

program = pathlib.Path(os.environ["SIMULATOR_PROGRAMS"]) / arguments.bin
if not program.exists():
    sys.exit(f"{program} is missing")
bootstrap = pathlib.Path(found["target_directory"]) / "lambda" / arguments.bin / "bootstrap"
bootstrap.parent.mkdir(parents=True, exist_ok=True)
bootstrap.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
bootstrap.chmod(0o755)
