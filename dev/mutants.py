#!/usr/bin/env -S python3 -B
"""Changes the code of a package in many places, one at a time, and says which changes no test of the package notices.

    dev/mutants.py --package alb-mtls-verifier --sample 200 --seed 1    a random sample, the same for the same seed and code
    dev/mutants.py --package alb-mtls-verifier --shard 0/40             each 40th change
    dev/mutants.py --package alb-mtls-verifier                          every change

dev/mutants.toml says for each known change without a failing test why it is right. cargo-mutants makes the changes in a copy
of the sources in target/mutants, which has a target folder of its own.

Exit codes: 0 every change is noticed or has its reason, 1 some are not, 2 the tests could not run.
"""

import argparse
import filecmp
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REASONS = ROOT / "dev" / "mutants.toml"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "mutants"
# `fips` compiles another AWS-LC, and `default` only names others.
NOT_BUILT = {"default", "fips"}
# Tests that run first, because they are fast and notice most changes. What they do not notice is tried with all tests.
SLOW = ("allowed_signature", "anchor_with_many", "budgets::", "every_key", "every_rule", "folding_ends", "finds_every_entry", "hostile_lines",
        "large::", "not_supported", "pss_salt", "too_large")
FIRST = {"alb-mtls-verifier": ["--lib", "--test", "verification", "--test", "revocation", "--test", "ocsp", "--",
                               *(word for name in SLOW for word in ("--skip", name))],
         # `background` waits for lookups.
         "alb-mtls-gate": ["--lib", "--test", "gate", "--test", "verdict_memory", "--", "--skip", "background::"]}
EVERY = ["--lib", "--tests"]


def cargo(*arguments, **options):
    return subprocess.run([os.environ.get("CARGO", "cargo"), *arguments], check=True, text=True, **options)


def copy_sources(to):
    """Copies the files of the checkout, and leaves those that did not change alone, so that cargo builds no more than needed."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = {name for name in listed.split("\0") if name and (ROOT / name).exists()}
    for name in names:
        source, copy = ROOT / name, to / name
        if source.is_dir():
            continue
        # By content, and with the time of now: an interrupted run leaves a changed file behind, which cargo has built.
        if not copy.exists() or not filecmp.cmp(source, copy, shallow=False):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            shutil.copymode(source, copy)
    for folder, _, files in os.walk(to):
        for file in files:
            if str((Path(folder) / file).relative_to(to)) not in names:
                (Path(folder) / file).unlink()
    # Suites of certificates and other things that tests need.
    if not (to / ".venv").is_symlink():
        (to / ".venv").symlink_to(ROOT / ".venv")


def features(package):
    """Returns the cargo features of a package, without those that need another build."""
    found = json.loads(cargo("metadata", "--no-deps", "--format-version", "1", cwd=ROOT, capture_output=True).stdout)
    of_package = next(entry["features"] for entry in found["packages"] if entry["name"] == package)
    return sorted(set(of_package) - NOT_BUILT)


def sample(names, size, seed):
    """Returns `size` of the names, chosen by the seed alone."""
    return random.Random(seed).sample(sorted(names), min(size, len(names)))


def interval(caught, tried):
    """Returns the 95 % confidence interval of a share: the score interval of Wilson, which is right near 100 % too."""
    if not tried:
        return 0.0, 1.0
    z = 1.96
    share = caught / tried
    middle = share + z * z / (2 * tried)
    width = z * math.sqrt(share * (1 - share) / tried + z * z / (4 * tried * tried))
    return (middle - width) / (1 + z * z / tried), (middle + width) / (1 + z * z / tried)


def change(mutant):
    """Returns a mutant's name without its place, which moves with each edit of the file."""
    return re.sub(r"^[^:]+:\d+:\d+: ", "", mutant["name"])


def source_line(root, mutant):
    """Returns the line that a mutant changes. It stays the same when the line moves."""
    lines = (root / mutant["file"]).read_text(encoding="utf-8").splitlines()
    return lines[mutant["span"]["start"]["line"] - 1].strip()


def reason(reasons, mutant, line):
    for entry in reasons:
        if entry["file"] == mutant["file"] and entry["change"] == change(mutant) and entry["line"] == line:
            return entry["reason"]
    return None


def report(outcomes, reasons, root):
    """Returns the text about one run, and whether every change was noticed or has a reason."""
    kinds = {"CaughtMutant": [], "Timeout": [], "MissedMutant": [], "Unviable": []}
    for outcome in outcomes:
        if outcome["scenario"] != "Baseline" and outcome["summary"] in kinds:
            kinds[outcome["summary"]].append(outcome["scenario"]["Mutant"])
    noticed = len(kinds["CaughtMutant"]) + len(kinds["Timeout"])
    missed = kinds["MissedMutant"]
    tried = noticed + len(missed)
    low, high = interval(noticed, tried)
    text = [f"{noticed} of {tried} changes noticed: {noticed / max(tried, 1):.1%}, 95 % confidence {low:.1%} to {high:.1%}"
            f" ({len(kinds['Timeout'])} by a timeout; {len(kinds['Unviable'])} more do not compile)"]
    unexplained = 0
    for mutant in sorted(missed, key=lambda mutant: mutant["name"]):
        line = source_line(root, mutant)
        why = reason(reasons, mutant, line)
        unexplained += why is None
        text.append(f"  {'not noticed' if why is None else 'no matter'}: {mutant['name']}\n      {line}")
        if why:
            text.append(f"      {why}")
    if missed:
        low, high = interval(tried - unexplained, tried)
        text.append(f"{unexplained} without a reason in dev/mutants.toml: {(tried - unexplained) / max(tried, 1):.1%} noticed or"
                    f" explained, 95 % confidence {low:.1%} to {high:.1%}")
    return "\n".join(text), unexplained == 0


def mutate(package, out, tests, selection):
    """Runs cargo-mutants, and returns its outcomes: none if it could not begin."""
    command = ["mutants", "--package", package, "--in-place", "--no-shuffle", "--output", str(out), *selection]
    if wanted := features(package):
        command += ["--features", ",".join(f"{package}/{feature}" for feature in wanted)]
    # One package is compiled again and again. A target folder apart, because its flags differ from those of other builds.
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET / "built"), "CARGO_INCREMENTAL": "1",
                                "CARGO_PROFILE_DEV_DEBUG": "0"}
    # Most of a run is the tests, and most of those is random input: what only more of it would find counts as not noticed.
    environment.setdefault("PROPTEST_CASES", "32")
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Its exit code tells of changes that nothing notices, which are judged here.
    subprocess.run([os.environ.get("CARGO", "cargo"), *command, "--", *tests], cwd=TARGET / "tree", env=environment, check=False)
    written = out / "mutants.out" / "outcomes.json"
    outcomes = json.loads(written.read_text(encoding="utf-8"))["outcomes"] if written.exists() else []
    return outcomes if all(outcome["summary"] == "Success" for outcome in outcomes if outcome["scenario"] == "Baseline") else []


def named(names):
    """Returns the options that select changes by their names."""
    # cargo-mutants 27 applies no pattern to deleted fields: the files keep out those of others.
    files = sorted({name.split(":", 1)[0] for name in names})
    return ["--re", f"^({'|'.join(re.escape(name) for name in sorted(names))})$", *(word for file in files for word in ("--file", file))]


def run(package, arguments):
    tree, out = TARGET / "tree", TARGET / package
    copy_sources(tree)
    selection = ["--sharding", "round-robin", "--shard", arguments.shard] if arguments.shard else []
    if arguments.sample:
        listed = json.loads(cargo("mutants", "--package", package, "--list", "--json", cwd=tree, capture_output=True).stdout)
        chosen = sample({mutant["name"] for mutant in listed}, arguments.sample, arguments.seed)
        print(f"{package}: {len(chosen)} of {len(listed)} changes, seed {arguments.seed}", flush=True)
        selection = named(chosen)
    first = mutate(package, out / "first", FIRST.get(package, EVERY), selection)
    if arguments.sample:
        first = only(first, chosen)
    missed = {outcome["scenario"]["Mutant"]["name"] for outcome in first if outcome["summary"] == "MissedMutant"}
    if not missed or package not in FIRST:
        return first
    print(f"{package}: {len(missed)} once more, with all tests", flush=True)
    again = mutate(package, out / "again", EVERY, named(missed))
    return again and [outcome for outcome in first if outcome["summary"] != "MissedMutant"] + only(again, missed)


def only(outcomes, names):
    """Returns the outcomes of the changes of these names, and of the code without a change."""
    return [outcome for outcome in outcomes if outcome["scenario"] == "Baseline" or outcome["scenario"]["Mutant"]["name"] in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", action="append", required=True)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard")
    arguments = parser.parse_args()
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]
    clean = True
    for package in arguments.package:
        outcomes = run(package, arguments)
        if not outcomes:
            print(f"{package}: its tests could not run, or fail without a change", file=sys.stderr)
            return 2
        text, right = report(outcomes, reasons, TARGET / "tree")
        print(f"{package}: {text}", flush=True)
        clean &= right
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
