"""Makes the fuzzers' seeds from the project's vectors: python3 fuzz/seeds.py"""

import base64
import gzip
import hashlib
import json
import pathlib
import re
import urllib.parse

import crls
import kinds

ROOT = pathlib.Path(__file__).resolve().parent
CORPUS = ROOT / "corpus"


def write(target: str, name: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / re.sub(r"[^a-zA-Z0-9-]+", "-", name)).write_bytes(content)


def main() -> None:
    for file in sorted((ROOT.parent / "vectors").glob("*.jsonl")):
        for line in file.read_text().splitlines():
            case = json.loads(line)
            header = case["header"].encode()
            name = case["id"]
            if len(header) > 16_384:
                continue
            header_format = case.get("header_format", "url_encoded")
            if name.startswith("headers/"):
                chain = [value.encode() for value in case.get("chain_headers", [])]
                write(f"header_{header_format}", name, b"\n".join([header, *chain]))
            if header_format != "url_encoded" or name.startswith(("headers/", "paths/p")):
                continue
            pem = urllib.parse.unquote_to_bytes(header)
            blocks = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END", pem, re.DOTALL)
            ders = [base64.b64decode(block) for block in blocks]
            write("rules", name, b"".join(ders))
            if name.startswith(("names/", "rules/leaf", "advisories/")) and ders:
                write("identity", name, ders[0])
            for place, der in enumerate(ders):
                write("certificate", f"{name}-{place}", der)
            if name.startswith("advisories/"):
                write("bundle", name, pem)
                certificate = ders[0]
    for name, content in kinds.samples(certificate):
        write("bundle", f"kind-{name}", content)
    for file in sorted((ROOT.parent / "events").glob("*.json")):
        write("event", file.stem, file.read_bytes())
    for name, der in crls.samples():
        pem = b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(der) + b"-----END X509 CRL-----\n"
        write("crl", name, der)
        write("crl", f"{name}-pem", pem)
        write("crl", f"{name}-gz", gzip.compress(der, mtime=0))
    # Each byte of these is one choice: which PKI is made, and what is wrong in it.
    for number in range(128):
        write("paths", f"digest-{number}", b"".join(hashlib.sha256(f"{number}.{part}".encode()).digest() for part in range(1 + number % 4)))


main()
