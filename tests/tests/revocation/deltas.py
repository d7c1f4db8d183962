"""Writes a PKI as AD CS publishes it, with base and delta CRL, and an indirect CRL, into a folder."""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER = pathlib.Path(sys.argv[1])
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
BASE = "http://pki.example.com/CertEnroll/Issuing.crl"
DELTA = "http://pki.example.com/CertEnroll/Issuing+.crl"
ALL = "http://pki.example.com/all.crl"


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage(**bits: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{bit: bits.get(bit, False) for bit in names.split()})


class Holder:
    """A certificate with its key, written to two files."""

    def __init__(self, common: str, issuer: "Holder | None", *extensions: tuple[x509.ExtensionType, bool]) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(common))
            .issuer_name(issuer.certificate.subject if issuer else name(common))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + 30 * DAY)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        file = common.replace(" ", "-")
        (FOLDER / f"{file}.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (FOLDER / f"{file}.key").write_bytes(key)


def authority(common: str, issuer: Holder | None) -> Holder:
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return Holder(common, issuer, (constraints, True), (usage(key_cert_sign=True, crl_sign=True), True))


def client(common: str, issuer: Holder, *points: x509.DistributionPoint) -> Holder:
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    extensions = [(usage(digital_signature=True), True), (purpose, False)]
    if points:
        extensions.append((x509.CRLDistributionPoints(list(points)), False))
    return Holder(common, issuer, *extensions)


def point(url: str, crl_issuer: Holder | None = None) -> x509.DistributionPoint:
    issuer = [x509.DirectoryName(crl_issuer.certificate.subject)] if crl_issuer else None
    return x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, issuer)


def entry(holder: Holder, *extensions: tuple[x509.ExtensionType, bool]) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number)
    builder = builder.revocation_date(NOW - HOUR)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def write_crl(
    file: str,
    issuer: Holder,
    number: int,
    entries: list[x509.RevokedCertificate],
    *extensions: tuple[x509.ExtensionType, bool],
) -> None:
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(NOW - HOUR).next_update(NOW + DAY)
    builder = builder.add_extension(x509.CRLNumber(number), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for revoked in entries:
        builder = builder.add_revoked_certificate(revoked)
    crl = builder.sign(issuer.key, hashes.SHA256())
    (FOLDER / file).write_bytes(crl.public_bytes(serialization.Encoding.DER))


root = authority("Root", None)
issuing = authority("Issuing", root)
good, late, held = (client(common, issuing, point(BASE)) for common in ("good", "late", "held"))
service = Holder("Revocation Service", root, (usage(crl_sign=True), True))
served = client("served", issuing, point(ALL, service))
served_late = client("served late", issuing, point(ALL, service))

hold = (x509.CRLReason(x509.ReasonFlags.certificate_hold), False)
release = (x509.CRLReason(x509.ReasonFlags.remove_from_crl), False)
freshest = x509.FreshestCRL([point(DELTA)])
write_crl("root.crl", root, 1, [])
write_crl("base.crl", issuing, 5, [entry(held, hold)], (freshest, False))
delta = [entry(late), entry(held, release)]
write_crl("delta.crl", issuing, 7, delta, (x509.DeltaCRLIndicator(5), True))
write_crl("delta-of-6.crl", issuing, 7, delta, (x509.DeltaCRLIndicator(6), True))
scope = x509.IssuingDistributionPoint(
    full_name=[x509.UniformResourceIdentifier(ALL)],
    relative_name=None,
    only_contains_user_certs=False,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=True,
    only_contains_attribute_certs=False,
)
of_issuing = (x509.CertificateIssuer([x509.DirectoryName(issuing.certificate.subject)]), True)
write_crl("all.crl", service, 1, [entry(served_late, of_issuing)], (scope, True))
