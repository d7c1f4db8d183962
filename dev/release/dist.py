#!/usr/bin/env -S python3 -B
"""Makes the artefacts of a release in dist/: `make dist`, see docs/releases.md.

    dev/release/dist.py                              everything, for x86_64 and arm64
    dev/release/dist.py --architectures x86_64       for one architecture
    dev/release/dist.py --only functions,layer,sam   some parts: functions, layer, sam, programs, image, crates, sbom
    dev/release/dist.py --profile quick              with another profile of cargo, to try it out
    dev/release/dist.py --binaries target/debug      packs programs that are there, for the architecture of this machine

dist/ is emptied first: it never has files of two commits. SHA256SUMS and the statement of provenance are written last.
Exit codes: 0 everything that was asked for is there, 1 a part could not be made (the last lines say why), 2 wrong usage.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import archive
import prebuilt
import provenance
import sbom

ROOT = Path(__file__).resolve().parent.parent.parent
DIST = ROOT / "dist"
TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
FUNCTIONS = ("respond", "forward", "authorize", "refresh-crls")
# Program and its package, where the names differ.
PACKAGES = {"alb-mtls-layer": "layer"}
COMMANDS = ("alb-mtls", "alb-mtls-server")
PARTS = ("functions", "layer", "sam", "programs", "image", "crates", "sbom")
# The C library of provided.al2023. A program that needs a newer one does not start there.
NEWEST_GLIBC = (2, 34)
CYCLONEDX = ROOT / ".venv" / "release" / "bin" / "python"


class Missing(Exception):
    """A part that cannot be made, with the reason."""


def run(*command, **options):
    """Runs a command whose output is shown if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise Missing(f"`{' '.join(map(str, command[:4]))} …` ended with {done.returncode}:\n{tail}")
    return done.stdout


def this_architecture():
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())


def newest_glibc(versions):
    """Returns the newest version of glibc in what readelf says about needed versions."""
    needed = [(int(major), int(minor)) for major, minor in re.findall(r"Name: GLIBC_(\d+)\.(\d+)", versions)]
    return max(needed, default=(0, 0))


class Release:
    def __init__(self, options):
        self.options = options
        self.built = {}
        self.commit = run("git", "rev-parse", "HEAD").strip()
        self.epoch = int(run("git", "log", "-1", "--format=%ct"))
        self.environment = {**os.environ, "SOURCE_DATE_EPOCH": str(self.epoch), "ALB_MTLS_COMMIT": self.commit[:12]}

    def program(self, name, architecture):
        """Returns the path of a program, which is built on the first call."""
        key = (name, architecture)
        if key not in self.built:
            self.built[key] = self.find(name, architecture)
        return self.built[key]

    def find(self, name, architecture):
        if self.options.binaries:
            path = Path(self.options.binaries) / name
            if architecture != this_architecture():
                raise Missing(f"--binaries has programs of {this_architecture()} alone")
            if not path.is_file():
                raise Missing(f"`{path}` does not exist")
        else:
            if architecture != this_architecture():
                self.check_cross_compiler(architecture)
            print(f"         compiling {name} for {architecture}", flush=True)
            path = Path(run(ROOT / "dev/release/build", PACKAGES.get(name, name), name, self.options.profile, TARGETS[architecture],
                            env=self.environment).strip())
        self.check_glibc(name, path)
        return path

    def check_cross_compiler(self, architecture):
        if architecture == "arm64" and not shutil.which("aarch64-linux-gnu-gcc"):
            raise Missing("the C compiler for arm64 is missing. Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
        if architecture == "x86_64":
            raise Missing("on arm64 it is not cross-compiled: run make dist ARCHITECTURES=x86_64 on an x86_64 machine")
        installed = run("rustc", "--print", "target-libdir", "--target", TARGETS[architecture]).strip()
        if not Path(installed).is_dir():
            raise Missing(f"Rust's library is missing: rustup target add {TARGETS[architecture]}")

    def check_glibc(self, name, path):
        major, minor = newest_glibc(run("readelf", "--version-info", path, env={**os.environ, "LC_ALL": "C"}))
        if (major, minor) > NEWEST_GLIBC:
            raise Missing(f"{name} needs glibc {major}.{minor}, and Lambda's provided.al2023 has {NEWEST_GLIBC[0]}.{NEWEST_GLIBC[1]}: "
                          "build on a distribution with an older glibc, such as Debian 12")

    def functions(self, architecture):
        for name in FUNCTIONS:
            archive.write_zip(DIST / f"{name}-{architecture}.zip", [
                archive.entry("bootstrap", self.program(name, architecture), executable=True)])

    def layer(self, architecture):
        archive.write_zip(DIST / f"layer-{architecture}.zip", [
            archive.entry("bin/alb-mtls-layer", self.program("alb-mtls-layer", architecture), executable=True),
            archive.entry("alb-mtls", ROOT / "functions/layer/alb-mtls", executable=True)])

    def sam(self, architecture):
        codes = [DIST / f"{name}-{architecture}.zip" for _, _, name in prebuilt.CODE.values()]
        absent = [code.name for code in codes if not code.is_file()]
        if absent:
            raise Missing(f"it needs {', '.join(absent)}: make the parts functions and layer too")
        template = prebuilt.template((ROOT / "template.yaml").read_text(encoding="utf-8"), architecture)
        archive.write_tar_gz(DIST / f"sam-{architecture}.tar.gz", [
            archive.Entry("alb-mtls/template.yaml", template.encode()),
            archive.entry("alb-mtls/samconfig.toml", ROOT / "samconfig.toml"),
            archive.entry("alb-mtls/LICENSE", ROOT / "LICENSE"),
            *archive.folder(ROOT / "deploy/sam", "alb-mtls/deploy/sam/"),
            archive.entry("alb-mtls/examples/layer/template.yaml", ROOT / "examples/layer/template.yaml"),
            *archive.folder(ROOT / "examples/layer/python", "alb-mtls/examples/layer/python/"),
            *(archive.entry(f"alb-mtls/{code.name}", code) for code in codes)])

    def programs(self, architecture):
        for name in COMMANDS:
            archive.write_tar_gz(DIST / f"{name}-{architecture}.tar.gz", [
                archive.entry(f"{name}/{name}", self.program(name, architecture), executable=True),
                archive.entry(f"{name}/LICENSE", ROOT / "LICENSE")])

    def image(self, architecture):
        if architecture != this_architecture():
            raise Missing(f"the image of {architecture} is made on a machine of that architecture: its libraries are copied")
        if not shutil.which("buildah"):
            raise Missing("Buildah is missing. Debian: buildah")
        name = f"localhost/alb-mtls-dist-{os.getpid()}"
        layout = DIST / ".image"
        try:
            run("deploy/container/image", self.program("alb-mtls-server", architecture),
                env={"BUILDAH_ISOLATION": "chroot", **self.environment, "IMAGE": name})
            run("buildah", "push", "--quiet", name, f"oci:{layout}:alb-mtls-server")
            with open(DIST / f"alb-mtls-server-image-{architecture}.tar", "wb") as file:
                archive.write_tar(file, archive.folder(layout))
        finally:
            shutil.rmtree(layout, ignore_errors=True)
            subprocess.run(["buildah", "rmi", "--force", name], capture_output=True, check=False)

    def crates(self):
        packages = json.loads(run("cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"))
        published = [package for package in packages["packages"] if package["publish"] is None]
        selection = [word for package in published for word in ("--package", package["name"])]
        run("cargo", "package", "--no-verify", "--locked", "--quiet", *selection, *(["--allow-dirty"] if self.dirty() else []))
        for package in published:
            name = f"{package['name']}-{package['version']}.crate"
            shutil.copyfile(Path(packages["target_directory"]) / "package" / name, DIST / name)

    def sbom(self):
        loader = SourceFileLoader("dependencies", str(ROOT / "dev/dependencies"))
        dependencies = module_from_spec(spec_from_loader("dependencies", loader))
        loader.exec_module(dependencies)
        graphs = [dependencies.Graph(dependencies.metadata(TARGETS[architecture])) for architecture in self.options.architectures]
        try:
            found = sbom.bom(graphs, (ROOT / "Cargo.lock").read_text(encoding="utf-8"), self.commit, self.epoch)
        except sbom.SbomError as error:
            raise Missing(str(error)) from error
        path = DIST / "alb-mtls.cdx.json"
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        if not CYCLONEDX.exists():
            raise Missing("it is written, but not validated: make dist installs what validates it")
        run(CYCLONEDX, "-B", ROOT / "dev/release/validate_sbom.py", path)

    def dirty(self):
        return run("git", "status", "--porcelain").strip() != ""

    def provenance(self):
        if self.dirty():
            raise Missing("the working tree has changes, so no commit contains what was built")
        options = self.options
        tools = {"rustc": run("rustc", "--version", env=self.environment).strip(), "cc": run("cc", "--version").splitlines()[0]}
        parameters = {"profile": options.profile, "architectures": options.architectures, "only": options.only,
                      "auditable": self.environment.get("CARGO_AUDITABLE") == "1"}
        digests = {path.name: archive.sha256(path) for path in artefacts()}
        found = provenance.statement(digests, self.commit, self.epoch, parameters, tools)
        (DIST / "provenance.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    def sums(self):
        lines = [f"{archive.sha256(path)}  {path.name}\n" for path in artefacts()]
        (DIST / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def artefacts():
    return sorted(path for path in DIST.iterdir() if path.is_file() and path.name != "SHA256SUMS")


def steps(release):
    for part in PARTS:
        if part not in release.options.only:
            continue
        if part in ("crates", "sbom"):
            yield part, getattr(release, part)
            continue
        for architecture in release.options.architectures:
            if part == "image" and architecture != this_architecture() and not release.options.is_explicit:
                print(f"  left out   image {architecture}: it is made on a machine of that architecture", flush=True)
                continue
            yield f"{part} {architecture}", lambda part=part, architecture=architecture: getattr(release, part)(architecture)
    if release.options.binaries:
        print("  left out   provenance: programs that were there do not say what they were built from", flush=True)
    else:
        yield "provenance", release.provenance
    yield "SHA256SUMS", release.sums


def words(known):
    def parse(text):
        found = [word for word in text.replace(",", " ").split() if word]
        unknown = [word for word in found if word not in known]
        if unknown or not found:
            raise argparse.ArgumentTypeError(f"`{text}` has `{' '.join(unknown)}`: choose from {', '.join(known)}")
        return found
    return parse


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="release")
    parser.add_argument("--architectures", type=words(TARGETS), default=list(TARGETS))
    parser.add_argument("--only", type=words(PARTS), default=None)
    parser.add_argument("--binaries")
    options = parser.parse_args(arguments)
    # A part that was named is an error where it cannot be made.
    options.is_explicit = options.only is not None
    options.only = options.only or list(PARTS)
    return options


def main():
    options = parse(sys.argv[1:])
    os.chdir(ROOT)
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    release = Release(options)
    if shutil.which("cargo-auditable") and not options.binaries:
        release.environment.setdefault("CARGO_AUDITABLE", "1")
    elif not options.binaries:
        print("cargo-auditable is not installed: programs are without the list of their packages")
    missing = []
    for name, make in steps(release):
        start = time.monotonic()
        print(f"   ...   {name}", flush=True)
        try:
            make()
            print(f"  made   {name} ({time.monotonic() - start:.0f} s)", flush=True)
        except (Missing, prebuilt.PrebuiltError) as error:
            missing.append(name)
            print(f"MISSING  {name}: {error}", flush=True)
    for path in artefacts():
        print(f"{path.stat().st_size:12,} {path.relative_to(ROOT)}")
    if missing:
        print(f"could not be made: {', '.join(missing)}; the lines with MISSING say why", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
