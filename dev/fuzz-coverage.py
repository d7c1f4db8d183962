#!/usr/bin/env -S python3 -B
"""Prints how much of the code that it is for each fuzz target reaches with its corpus.

    dev/fuzz-coverage.py                  every target, with the seeds of fuzz/seeds.py and what fuzzers added to fuzz/corpus
    dev/fuzz-coverage.py crl identity     some targets

Needs cargo-fuzz and a nightly compiler with llvm-tools.
Exit codes: 0 printed, 1 a target does not build or run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "fuzz"
# Without backtraces, the last lines of a failure are its reason.
ENVIRONMENT = {**os.environ, "RUSTUP_TOOLCHAIN": os.environ.get("RUSTUP_TOOLCHAIN", "nightly"), "RUST_BACKTRACE": "0"}
HEADERS = ("shared/http/src/forms.rs", "shared/http/src/forms/limits.rs", "shared/http/src/forms/passthrough.rs")
PEM = ("shared/http/src/forms/pem_blocks.rs",)
# Files that a target is for. A folder stands for every file in it.
FILES = {
    "bundle": ("shared/verifier/src/bundle.rs", "shared/verifier/src/pem_file.rs", "shared/verifier/src/file_kind.rs"),
    "certificate": ("shared/verifier/src/x509/certificate.rs", "shared/verifier/src/x509/der.rs",
                    "shared/verifier/src/x509/extensions.rs", "shared/verifier/src/x509/time.rs"),
    "crl": ("shared/verifier/src/revocation/entries.rs", "shared/verifier/src/revocation/extensions.rs",
            "shared/verifier/src/revocation/list.rs", "shared/verifier/src/revocation/number.rs",
            "shared/verifier/src/revocation/reader.rs"),
    "event": ("shared/lambda/src/event.rs", "shared/lambda/src/request.rs"),
    "header_base64_encoded": (*HEADERS, "shared/http/src/forms/base64_der.rs"),
    "header_rfc9440": (*HEADERS, "shared/http/src/forms/rfc9440.rs"),
    "header_url_encoded": (*HEADERS, *PEM),
    "identity": ("shared/verifier/src/identity.rs", "shared/verifier/src/identity", "shared/verifier/src/x509/alternative_name.rs",
                 "shared/verifier/src/x509/name.rs", "shared/verifier/src/x509/oid.rs"),
    "paths": ("shared/verifier/src/path", "shared/verifier/src/rules.rs", "shared/verifier/src/signature_budget.rs"),
    "rules": ("shared/verifier/src/rules.rs", "shared/verifier/src/rules", "shared/verifier/src/x509/name_constraints",
              "shared/verifier/src/x509/name_constraints.rs", "shared/verifier/src/x509/critical_extensions.rs"),
}


class CoverageError(Exception):
    """A target that could not be measured."""


def run(*command):
    # cargo-fuzz builds into `target` of the folder in which it is called.
    done = subprocess.run([str(word) for word in command], cwd=FUZZ, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        raise CoverageError(f"`{' '.join(map(str, command[:4]))}` failed:\n" + "\n".join(done.stderr.splitlines()[-15:]))
    return done.stdout


def host():
    return next(line.split()[1] for line in run("rustc", "--version", "--verbose").splitlines() if line.startswith("host:"))


def measure(target):
    """Returns the parts of lines and regions that a target reaches, for each of its files."""
    # What is reached does not depend on optimisation, which would take most of the time.
    run("cargo", "fuzz", "coverage", "--dev", target)
    tools = Path(run("rustc", "--print", "sysroot").strip()) / "lib/rustlib" / host() / "bin"
    program = FUZZ / "target" / host() / "coverage" / host() / "debug" / target
    sources = [ROOT / name for name in FILES[target]]
    return json.loads(run(tools / "llvm-cov", "export", "--summary-only", program,
                          f"--instr-profile={FUZZ / 'coverage' / target / 'coverage.profdata'}", *sources))["data"][0]


def percent(summaries, kind):
    covered, count = (sum(summary[kind][key] for summary in summaries) for key in ("covered", "count"))
    return f"{covered / count:.0%}" if count else "-"


def row(target, data):
    inputs = sum(1 for _ in (FUZZ / "corpus" / target).iterdir())
    files = [(Path(file["filename"]).relative_to(ROOT), file["summary"]) for file in data["files"]]
    summaries = [summary for _, summary in files]
    least = min(files, key=lambda file: file[1]["lines"]["percent"], default=None)
    yield (f"| `{target}` | {inputs} | {percent(summaries, 'lines')} | {percent(summaries, 'regions')} | "
           f"`{least[0].name}` {percent([least[1]], 'lines')} |" if least else f"| `{target}` | {inputs} | none | none | |")
    if "--files" in sys.argv:
        for name, summary in files:
            yield f"      {percent([summary], 'lines'):>5} {name}"


def main():
    chosen = [word for word in sys.argv[1:] if word != "--files"] or list(FILES)
    if unknown := set(chosen) - set(FILES):
        print(f"not a fuzz target: {', '.join(sorted(unknown))}; there are {', '.join(FILES)}", file=sys.stderr)
        return 1
    run(sys.executable, "-B", FUZZ / "seeds.py")
    print("| target | inputs | lines | regions | file with the smallest part |\n| --- | ---: | ---: | ---: | --- |")
    for target in chosen:
        try:
            print("\n".join(row(target, measure(target))), flush=True)
        except CoverageError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
