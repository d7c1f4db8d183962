"""Tests of what `make dist` writes, without a compiler."""

import argparse
import contextlib
import io
import json
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "dev" / "release"))

import archive
import dist
import prebuilt
import provenance
import sbom

ENTRIES = [archive.Entry("bootstrap", b"program", executable=True), archive.Entry("LICENSE", b"text")]
TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")


class Archives(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def written(self, write, entries, name):
        write(self.folder / name, entries)
        return (self.folder / name).read_bytes()

    def test_bytes_depend_on_contents_alone(self):
        for write in (archive.write_zip, archive.write_tar_gz):
            first = self.written(write, ENTRIES, "first")
            self.assertEqual(first, self.written(write, ENTRIES[::-1], "another name"))
            self.assertNotEqual(first, self.written(write, [archive.Entry("bootstrap", b"program"), ENTRIES[1]], "third"))

    def test_zip_keeps_the_mode_that_lambda_needs(self):
        self.written(archive.write_zip, ENTRIES, "zip")
        with zipfile.ZipFile(self.folder / "zip") as written:
            self.assertEqual(written.namelist(), ["LICENSE", "bootstrap"])
            self.assertEqual([info.external_attr >> 16 & 0o777 for info in written.infolist()], [0o644, 0o755])
            self.assertEqual({info.date_time for info in written.infolist()}, {archive.ZIP_TIME})

    def test_tar_has_no_user_and_no_time(self):
        written = self.written(archive.write_tar_gz, ENTRIES, "tar")
        with tarfile.open(fileobj=io.BytesIO(written)) as opened:
            for member in opened:
                self.assertEqual((member.uid, member.gid, member.uname, member.gname, member.mtime), (0, 0, "", "", 0))

    def test_name_that_comes_twice_is_an_error(self):
        for write in (archive.write_zip, archive.write_tar_gz):
            with self.assertRaisesRegex(ValueError, "`LICENSE` is in the archive twice"):
                self.written(write, [*ENTRIES, archive.Entry("LICENSE", b"other")], "twice")


class Glibc(unittest.TestCase):
    def test_newest_version_is_compared_as_numbers(self):
        self.assertEqual(dist.newest_glibc("Name: GLIBC_2.9  Flags\nName: GLIBC_2.34 Flags\nName: GLIBC_2.2.5"), (2, 34))

    def test_program_for_a_newer_library_is_not_packed(self):
        release = object.__new__(dist.Release)
        original = dist.run
        dist.run = lambda *_, **__: "Name: GLIBC_2.38  Flags: none"
        try:
            with self.assertRaisesRegex(dist.Missing, "respond needs glibc 2.38, and Lambda's provided.al2023 has 2.34"):
                release.check_glibc("respond", Path("respond"))
        finally:
            dist.run = original


class Build(unittest.TestCase):
    def test_flags_of_the_environment_are_not_ignored(self):
        for name in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"):
            done = subprocess.run([ROOT / "dev/release/build", "respond", "respond", "dev", "x86_64-unknown-linux-gnu"],
                                  env={"PATH": "/usr/bin:/bin", "HOME": "/", name: "-Copt-level=0"}, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("is set: other flags give other bytes", done.stderr)


class Arguments(unittest.TestCase):
    def test_unknown_part_is_rejected(self):
        with self.assertRaisesRegex(argparse.ArgumentTypeError, "functionz"):
            dist.words(dist.PARTS)("functions,functionz")

    def test_no_part_is_not_every_part(self):
        with self.assertRaises(argparse.ArgumentTypeError):
            dist.words(dist.PARTS)(" ")


class Template(unittest.TestCase):
    def test_code_of_each_function_is_an_archive(self):
        for architecture in dist.TARGETS:
            text = prebuilt.template(TEMPLATE, architecture)
            for _, _, name in prebuilt.CODE.values():
                self.assertEqual(text.count(f"Uri: {name}-{architecture}.zip\n"), 1, name)
            self.assertNotIn("BuildMethod", text)
            self.assertIn(f"    Default: {architecture}\n    AllowedValues: [{architecture}]\n", text)

    def test_nothing_else_changes(self):
        text = prebuilt.template(TEMPLATE, "arm64").splitlines()
        before = set(TEMPLATE.splitlines())
        added = [line.strip() for line in text if line not in before]
        self.assertEqual(len(added), len(prebuilt.CODE) + 1, added)

    def test_function_that_is_not_in_dist_is_an_error(self):
        with self.assertRaisesRegex(prebuilt.PrebuiltError, "code that is not in dist: functions/other"):
            prebuilt.template(TEMPLATE + "      CodeUri: functions/other\n", "arm64")

    def test_code_that_moved_is_an_error(self):
        with self.assertRaisesRegex(prebuilt.PrebuiltError, "the code of RespondFunction 0 times"):
            prebuilt.template(TEMPLATE.replace("CodeUri: functions/respond", "CodeUri: functions/answer"), "arm64")

    @unittest.skipUnless((ROOT / ".venv/bin/sam").exists(), "make .venv/installed")
    def test_sam_packages_the_unpacked_archive_without_a_build(self):
        with tempfile.TemporaryDirectory() as folder, simulated_s3() as endpoint:
            dist_folder = Path(folder) / "dist"
            dist_folder.mkdir()
            for _, _, name in prebuilt.CODE.values():
                archive.write_zip(dist_folder / f"{name}-arm64.zip", [archive.Entry("bootstrap", name.encode(), executable=True)])
            release = object.__new__(dist.Release)
            original, dist.DIST = dist.DIST, dist_folder
            try:
                release.sam("arm64")
                release.sums()
            finally:
                dist.DIST = original
            run(["sha256sum", "--check", "--ignore-missing", "SHA256SUMS"], cwd=dist_folder)
            run(["tar", "-xf", dist_folder / "sam-arm64.tar.gz"], cwd=folder)
            environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0",
                           "AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated", "AWS_ENDPOINT_URL": endpoint}
            unpacked = Path(folder) / "alb-mtls"
            run([ROOT / ".venv/bin/sam", "validate", "--template", "template.yaml"], cwd=unpacked, env=environment)
            run([ROOT / ".venv/bin/aws", "s3", "mb", "s3://artefacts"], cwd=unpacked, env=environment)
            run([ROOT / ".venv/bin/sam", "package", "--s3-bucket", "artefacts", "--output-template-file", "packaged.yaml"],
                cwd=unpacked, env=environment)
            packaged = (unpacked / "packaged.yaml").read_text(encoding="utf-8")
            for _, _, name in prebuilt.CODE.values():
                self.assertNotIn(f"Uri: {name}-arm64.zip", packaged)
            self.assertEqual(packaged.count("Uri: s3://artefacts/"), len(prebuilt.CODE) + 1, packaged)
            # SAM sends an archive as it is, so that the digest of a release is that of the function.
            stored = [line.split("artefacts/")[1] for line in packaged.splitlines() if "CodeUri: s3://" in line]
            digests = []
            for number, key in enumerate(stored):
                run([ROOT / ".venv/bin/aws", "s3", "cp", f"s3://artefacts/{key}", f"stored-{number}"], cwd=unpacked, env=environment)
                digests.append(archive.sha256(unpacked / f"stored-{number}"))
            self.assertIn(archive.sha256(dist_folder / "respond-arm64.zip"), digests)


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def simulated_s3():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([ROOT / ".venv/bin/moto_server", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


LOCK = '''version = 4

[[package]]
name = "json"
version = "1.0.0+build"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "''' + "ab" * 32 + '''"

[[package]]
name = "alb-mtls"
version = "0.1.0"
'''


class Graph:
    """The graph of dev/dependencies, as far as the list uses it."""
    packages = {
        "cli": {"name": "alb-mtls", "version": "0.1.0", "license": "Apache-2.0", "targets": [{"kind": ["bin"]}]},
        "json": {"name": "json", "version": "1.0.0+build", "license": "MIT/Apache-2.0", "targets": [{"kind": ["lib"]}]},
        "plot": {"name": "plot", "version": "1.0.0", "license": "MIT", "targets": []},
    }
    members = {"cli", "bench"}
    edges = {"cli": {"json"}, "json": set(), "bench": {"plot"}}

    def ships(self, member):
        return member == "cli"

    def below(self, start):
        return self.edges[start]


class Sbom(unittest.TestCase):
    def test_list_has_what_ships_with_checksums(self):
        found = sbom.bom([Graph()], LOCK, "0" * 40, 0)
        self.assertEqual([component["purl"] for component in found["components"]],
                         ["pkg:cargo/alb-mtls@0.1.0", "pkg:cargo/json@1.0.0%2Bbuild"])
        self.assertEqual(found["components"][1]["hashes"], [{"alg": "SHA-256", "content": "ab" * 32}])
        self.assertEqual(found["components"][1]["licenses"], [{"expression": "MIT OR Apache-2.0"}])
        self.assertEqual(found, sbom.bom([Graph()], LOCK, "0" * 40, 0))

    def test_package_without_a_checksum_is_an_error(self):
        with self.assertRaisesRegex(sbom.SbomError, "no checksum of json"):
            sbom.bom([Graph()], LOCK.replace("checksum", "checksun"), "0" * 40, 0)

    @unittest.skipUnless(dist.CYCLONEDX.exists(), "make .venv/release/installed")
    def test_official_schema_accepts_it_and_rejects_another(self):
        found = sbom.bom([Graph()], LOCK, "0" * 40, 0)
        for kind, accepted in (("library", True), ("librari", False)):
            found["components"][1]["type"] = kind
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(found, file)
                file.flush()
                done = subprocess.run([dist.CYCLONEDX, "-B", ROOT / "dev/release/validate_sbom.py", file.name], capture_output=True, check=False)
            self.assertEqual(done.returncode == 0, accepted, done.stderr)


class Provenance(unittest.TestCase):
    def test_statement_names_each_file_and_the_commit(self):
        found = provenance.statement({"b.zip": "bb", "a.zip": "aa"}, "c" * 40, 1, {"profile": "release"}, {"rustc": "1.95.0"})
        self.assertEqual(found["subject"], [{"name": "a.zip", "digest": {"sha256": "aa"}}, {"name": "b.zip", "digest": {"sha256": "bb"}}])
        definition = found["predicate"]["buildDefinition"]
        self.assertEqual(definition["resolvedDependencies"][0]["digest"], {"gitCommit": "c" * 40})


if __name__ == "__main__":
    unittest.main()
