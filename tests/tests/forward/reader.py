"""Reads a forwarded request with packages that know nothing of this project, and prints what they make of it.

reader.py REQUEST [JWKS ISSUER AUDIENCE]: the request's head as it came over the wire, and the key set for assertions.
"""

import asyncio
import hashlib
import json
import sys
from urllib.parse import unquote

import http_sf
import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from x509middleware.asgi import ClientCertificateMiddleware

with open(sys.argv[1], "rb") as request:
    lines = request.read().split(b"\r\n")[1:]
headers = [tuple(line.split(b": ", 1)) for line in lines if line]


def value(name):
    found = [value for key, value in headers if key == name.encode()]
    assert len(found) <= 1, f"{name} occurs {len(found)} times"
    return found[0].decode("ascii") if found else None


def fingerprint(der):
    return hashlib.sha256(der).hexdigest()


async def middleware(header):
    """The certificate that the ASGI middleware hands to an application behind it."""
    seen = {}

    async def application(scope, _receive, _send):
        seen["certificate"] = scope["client_cert"]

    scope = {"type": "http", "headers": headers}
    await ClientCertificateMiddleware(application, proxy_header=header)(scope, None, None)
    return seen["certificate"]


read = {}
if (leaf := value("x-amzn-mtls-clientcert-leaf")) is not None:
    certificate = asyncio.run(middleware("x-amzn-mtls-clientcert-leaf"))
    own = x509.load_pem_x509_certificate(unquote(leaf).encode())
    subject = x509.Name.from_rfc4514_string(value("x-amzn-mtls-clientcert-subject"))
    issuer = x509.Name.from_rfc4514_string(value("x-amzn-mtls-clientcert-issuer"))
    begin, end = value("x-amzn-mtls-clientcert-validity").split(";")
    read["verify_mode"] = {
        "middleware": fingerprint(certificate.dump()),
        "leaf": fingerprint(own.public_bytes(Encoding.DER)),
        "common_name": subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value,
        "subject_agrees": [a.value for a in subject] == [a.value for a in own.subject],
        "issuer_agrees": [a.value for a in issuer] == [a.value for a in own.issuer],
        "serial_agrees": int(value("x-amzn-mtls-clientcert-serial-number"), 16) == own.serial_number,
        "validity_agrees": [begin, end] == [
            own.not_valid_before_utc.strftime("NotBefore=%Y-%m-%dT%H:%M:%SZ"),
            own.not_valid_after_utc.strftime("NotAfter=%Y-%m-%dT%H:%M:%SZ"),
        ],
    }
if (item := value("client-cert")) is not None:
    leaf, _ = http_sf.parse(item.encode(), tltype="item")
    chain = http_sf.parse((value("client-cert-chain") or "").encode(), tltype="list")
    read["rfc9440"] = {
        "certificate": fingerprint(x509.load_der_x509_certificate(leaf).public_bytes(Encoding.DER)),
        "chain": [fingerprint(x509.load_der_x509_certificate(der).public_bytes(Encoding.DER)) for der, _ in chain],
    }
if (token := value("x-client-cert-assertion")) is not None:
    path, issuer, audience = sys.argv[2:]
    with open(path) as keys:
        keys = jwt.PyJWKSet.from_json(keys.read())
    header = jwt.get_unverified_header(token)
    key = keys[header["kid"]]
    required = ["exp", "iat", "iss", "aud", "jti", "sub", "cnf"]
    read["assertion"] = {
        "header": header,
        "claims": jwt.decode(token, key, ["ES256"], audience=audience, issuer=issuer, options={"require": required}),
    }
print(json.dumps(read))
