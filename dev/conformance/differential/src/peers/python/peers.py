"""Verdicts of OpenSSL and of pyca/cryptography, one JSON object a line for each case."""

import base64
import datetime
import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import cryptography
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from OpenSSL import SSL, crypto

# Purposes and CRLs without a stricter parser before OpenSSL's own have no public function in pyOpenSSL.
from OpenSSL._util import ffi, lib

warnings.simplefilter("ignore")

# X509_V_FLAG_EXTENDED_CRL_SUPPORT: scopes and reasons of CRLs (RFC 5280 section 6.3).
EXTENDED_CRL_SUPPORT = 0x1000
PURPOSE_SSL_CLIENT = 1
NO_EXPLICIT_POLICY = 43
MAX_INTERMEDIATES = 9

UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


def openssl(case, time):
    store = crypto.X509Store()
    flags = crypto.X509StoreFlags.PARTIAL_CHAIN | crypto.X509StoreFlags.POLICY_CHECK
    for der in case["anchors"]:
        try:
            store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
        except crypto.Error:
            continue
    if case["lists"] is not None:
        flags |= crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL | EXTENDED_CRL_SUPPORT
        for der in case["lists"]:
            add_list(store, der)
    store.set_flags(flags)
    store.set_time(time)
    lib.X509_STORE_set_purpose(store._store, PURPOSE_SSL_CLIENT)
    try:
        presented = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in case["presented"]]
    except crypto.Error:
        return "a certificate cannot be read"
    try:
        crypto.X509StoreContext(store, presented[0], presented[1:]).verify_certificate()
    except crypto.X509StoreContextError as error:
        if error.errors[0] == NO_EXPLICIT_POLICY:
            return openssl_with_any_policy(case)
        return error.errors[2]
    except crypto.Error as error:
        return f"error: {error}"
    return None


def openssl_with_any_policy(case):
    """Asks again with anyPolicy as the initial policy (RFC 5280 section 6.1.1), which only the command takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for field, label in (("anchors", "CERTIFICATE"), ("presented", "CERTIFICATE"), ("lists", "X509 CRL")):
            for number, der in enumerate(case[field] or []):
                text = base64.encodebytes(der).decode()
                pem = f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
                (folder / (field if field == "anchors" else f"{field}{number}")).open("a").write(pem)
        command = ["openssl", "verify", "-policy_check", "-policy", "anyPolicy", "-partial_chain"]
        command += ["-purpose", "sslclient", "-attime", str(case["time"]), "-CAfile", folder / "anchors"]
        for number in range(1, len(case["presented"])):
            command += ["-untrusted", folder / f"presented{number}"]
        if case["lists"] is not None:
            command += ["-crl_check_all", "-extended_crl"]
            for number in range(len(case["lists"])):
                command += ["-CRLfile", folder / f"lists{number}"]
        command.append(folder / "presented0")
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode == 0:
        return None
    found = re.search(r"lookup: *(.*)", answer.stderr)
    return found.group(1) if found else "the command failed: " + answer.stderr.strip().splitlines()[-1]


def add_list(store, der):
    """Adds a CRL; one that cannot be read counts as absent."""
    bio = ffi.gc(lib.BIO_new_mem_buf(der, len(der)), lib.BIO_free)
    crl = lib.d2i_X509_CRL_bio(bio, ffi.NULL)
    if crl == ffi.NULL:
        lib.ERR_clear_error()
        return
    lib.X509_STORE_add_crl(store._store, ffi.gc(crl, lib.X509_CRL_free))


def pyca(case, time):
    anchors = []
    for der in case["anchors"]:
        try:
            anchors.append(x509.load_der_x509_certificate(der))
        except UNREADABLE:
            continue
    try:
        presented = [x509.load_der_x509_certificate(der) for der in case["presented"]]
        builder = PolicyBuilder().store(Store(anchors)).time(time).max_chain_depth(MAX_INTERMEDIATES)
        builder.build_client_verifier().verify(presented[0], presented[1:])
    except (VerificationError, *UNREADABLE) as error:
        return pyca_reason(error)
    return None


def pyca_reason(error):
    """Returns the reason without the names of the certificates that it is about."""
    reason = re.sub(r" \(encountered processing <.*|<Certificate.*?>", "", str(error), flags=re.DOTALL)
    return re.sub(r"^validation failed: (fatal error: )?|candidates exhausted: ", "", reason)


def main():
    versions = {"openssl": SSL.OpenSSL_version(0).decode(), "cryptography": cryptography.__version__}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        for field in ("anchors", "presented", "lists"):
            if case[field] is not None:
                case[field] = [base64.b64decode(der) for der in case[field]]
        time = datetime.datetime.fromtimestamp(case["time"], datetime.timezone.utc).replace(tzinfo=None)
        print(json.dumps({"openssl": openssl(case, time), "pyca": pyca(case, time)}), flush=True)


main()
