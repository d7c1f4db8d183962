"""Writes a PKI of ML-DSA CAs, with CRLs, into the folder that is the first argument."""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

folder = pathlib.Path(sys.argv[1])
now = datetime.datetime.now(datetime.timezone.utc)
hour = datetime.timedelta(hours=1)
day = datetime.timedelta(days=1)


def name(common_name):
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def usage(**used):
    kinds = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{kind: used.get(kind, False) for kind in kinds})


def certificate(subject, key, issuer, issuer_key, extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - hour)
        .not_valid_after(now + 10 * day)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    # The algorithm of ML-DSA needs no hash function.
    return builder.sign(issuer_key, None)


def crl(issuer, issuer_key, revoked):
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name(issuer))
        .last_update(now - hour)
        .next_update(now + day)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    for serial_number in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(now - hour)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer_key, None)


def write(file, value):
    (folder / file).write_bytes(value.public_bytes(serialization.Encoding.PEM))


def authority(path_length):
    return [
        x509.BasicConstraints(ca=True, path_length=path_length),
        usage(key_cert_sign=True, crl_sign=True),
    ]


root_key = mldsa.MLDSA87PrivateKey.generate()
issuing_key = mldsa.MLDSA65PrivateKey.generate()
write("root.pem", certificate("Root", root_key, "Root", root_key, authority(None)))
write("issuing.pem", certificate("Issuing CA", issuing_key, "Root", root_key, authority(0)))
clients = {}
for client in ["good", "revoked"]:
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    extensions = [usage(digital_signature=True), purposes]
    clients[client] = certificate(client, key, "Issuing CA", issuing_key, extensions)
    write(f"{client}.pem", clients[client])
    (folder / f"{client}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
write("root.crl", crl("Root", root_key, []))
write("issuing.crl", crl("Issuing CA", issuing_key, [clients["revoked"].serial_number]))
