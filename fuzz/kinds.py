"""Files that are given as a bundle by mistake, each in its shortest form."""

import base64
import gzip
import urllib.parse

from crls import der, integer

OCTETS, OID, SEQUENCE, UTF8 = 0x04, 0x06, 0x30, 0x0C
SIGNED_DATA = der(OID, bytes.fromhex("2a864886f70d010702"))
ALGORITHM = der(SEQUENCE, der(OID, bytes.fromhex("2a0304")))
LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CRL", "CERTIFICATE REQUEST", "PKCS7", "CMS", "PKCS12",
          "ATTRIBUTE CERTIFICATE", "EC PARAMETERS", "SSH2 PUBLIC KEY", "PGP MESSAGE", "EC PRIVATE KEY", "RSA PUBLIC KEY")


def pem(content, label="CERTIFICATE"):
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), base64.encodebytes(content), label.encode())


def ders():
    """Yields DER of other structures than certificates, by name."""
    bits = der(0x03, bytes(20))
    fields = (ALGORITHM, der(SEQUENCE, b""), der(0x17, b"260101000000Z"))
    yield "crl", der(SEQUENCE, der(SEQUENCE, b"".join(fields)) + ALGORITHM + bits)
    yield "request", der(SEQUENCE, der(SEQUENCE, integer(0) + der(SEQUENCE, b"") + ALGORITHM + der(0xA0, b"")) + ALGORITHM + bits)
    yield "pkcs7", der(SEQUENCE, SIGNED_DATA + der(0xA0, bytes(20)))
    yield "pkcs12", der(SEQUENCE, integer(3) + der(SEQUENCE, b""))
    yield "rsa-key", der(SEQUENCE, integer(0) + integer(9))
    yield "ec-key", der(SEQUENCE, integer(1) + der(OCTETS, bytes(20)))
    yield "encrypted-key", der(SEQUENCE, ALGORITHM + der(OCTETS, bytes(20)))
    yield "public-key", der(SEQUENCE, ALGORITHM + bits)


def samples(certificate):
    """Yields name and content of each kind of file, made from the DER of one certificate."""
    text = pem(certificate)
    for label in LABELS:
        yield f"label-{label}", text + pem(certificate, label)
    for name, content in (*ders(), ("certificate", certificate)):
        yield f"der-{name}", content
        yield f"base64-{name}", base64.b64encode(content)
        yield f"pem-{name}", pem(content)
    settings = der(SEQUENCE, der(UTF8, b"name"))
    for name, content in (
        ("trusted", certificate + settings),
        ("trailing", certificate + b"\n"),
        ("two-ders", certificate * 2),
        ("cut-off", certificate[:-7]),
        ("crlf", text.replace(b"\n", b"\r\n")),
        ("cr", text.replace(b"\n", b"\r")),
        ("byte-order-mark", b"\xef\xbb\xbf" + text),
        ("indented", b"  " + text.replace(b"\n", b"\n  ")),
        ("one-line", text.replace(b"\n", b" ")),
        ("literal-line-breaks", text.replace(b"\n", b"\\n")),
        ("percent-encoded", urllib.parse.quote(text).encode()),
        ("string-list", text.strip() + b",\n" + text),
        ("json", b'{"Parameter": {"Value": "%b"}}' % text.replace(b"\n", b"\\n")),
        ("twice", pem(text)),
        ("base64-of-pem", base64.b64encode(text)),
        ("base64-of-base64", base64.b64encode(base64.b64encode(text))),
        ("headers", text.replace(b"-----\n", b"-----\nProc-Type: 4,ENCRYPTED\n\n", 1)),
        ("utf-16", text.decode().encode("utf-16")),
        ("utf-16-be", text.decode().encode("utf-16-be")),
        ("gzip", gzip.compress(text, mtime=0)),
        ("zip", b"PK\x03\x04" + bytes(26)),
        ("java", b"\xfe\xed\xfe\xed\0\0\0\x02"),
        ("html", b"<!DOCTYPE html><p>"),
        ("xml", b'<?xml version="1.0"?><Error/>'),
        ("ssh", b"ssh-ed25519 AAAA me"),
        ("parameter", b"arn:aws:ssm:eu-west-1:1:parameter/a"),
        ("path", b"/etc/pki/ca.pem"),
        ("comment", b"# root\n" + text + b"# end\n"),
        ("empty", b""),
    ):
        yield name, content
