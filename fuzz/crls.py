"""CRLs for the fuzzers' seeds: one for each feature, with bytes in place of a signature."""


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def sequence(*contents: bytes) -> bytes:
    return der(0x30, *contents)


def integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def identifier(arcs: str) -> bytes:
    first, second, *rest = map(int, arcs.split("."))
    content = bytes([40 * first + second])
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        content += bytes(reversed(groups))
    return der(0x06, content)


def extension(arcs: str, value: bytes, critical: bool = False) -> bytes:
    return sequence(identifier(arcs), der(0x01, b"\xff") if critical else b"", der(0x04, value))


def name(text: str, tag: int = 0x0C) -> bytes:
    return sequence(der(0x31, sequence(identifier("2.5.4.3"), der(tag, text.encode()))))


def time(text: str) -> bytes:
    return der(0x17 if len(text) == 13 else 0x18, text.encode())


def entry(serial: int, *extensions: bytes, date: str = "260101000000Z") -> bytes:
    return sequence(integer(serial), time(date), sequence(*extensions) if extensions else b"")


ECDSA = sequence(identifier("1.2.840.10045.4.3.2"))
REASON, INVALIDITY, CERTIFICATE_ISSUER = "2.5.29.21", "2.5.29.24", "2.5.29.29"
NUMBER, DELTA, DISTRIBUTION_POINT, KEY_IDENTIFIER = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35"
CRL_NUMBER = extension(NUMBER, integer(4711))
# [0] fullName, with one URI.
POINT = der(0xA0, der(0xA0, der(0x86, b"http://crl.example.com/a.crl")))


def crl(*entries: bytes, extensions: tuple[bytes, ...] = (CRL_NUMBER,), until: str | None = "270101000000Z",
        version: bytes = integer(1), issuer: bytes = name("CA")) -> bytes:
    to_be_signed = sequence(
        version, ECDSA, issuer, time("260101000000Z"), time(until) if until else b"",
        sequence(*entries) if entries else b"", der(0xA0, sequence(*extensions)) if extensions else b"")
    return sequence(to_be_signed, ECDSA, der(0x03, b"\x00" + sequence(integer(1), integer(2))))


def samples():
    """Yields names and CRLs in DER."""
    yield "empty", crl()
    yield "first-version", crl(entry(1), extensions=(), version=b"")
    yield "no-next-update", crl(entry(1), until=None)
    yield "many", crl(*(entry(serial * 7919) for serial in range(300)))
    yield "serials", crl(entry(0), entry(-1), entry(2**159 - 1), entry(2**200), entry(127), entry(128))
    for code in (*range(12), 255):
        yield f"reason-{code}", crl(entry(5, extension(REASON, der(0x0A, bytes([code])))))
    yield "invalidity", crl(entry(5, extension(INVALIDITY, der(0x18, b"20250101000000Z"))))
    yield "late", crl(entry(5, date="20510101000000Z"), until="20520101000000Z")
    issuer = extension(CERTIFICATE_ISSUER, sequence(der(0xA4, name("Other CA"))), critical=True)
    yield "indirect", crl(entry(5, issuer), entry(6), extensions=(
        CRL_NUMBER, extension(DISTRIBUTION_POINT, sequence(der(0x84, b"\xff")), critical=True)))
    for label, flag in (("users", 0x81), ("cas", 0x82), ("attributes", 0x85)):
        yield f"only-{label}", crl(entry(5), extensions=(
            CRL_NUMBER, extension(DISTRIBUTION_POINT, sequence(POINT, der(flag, b"\xff")), critical=True)))
    yield "some-reasons", crl(entry(5), extensions=(
        CRL_NUMBER, extension(DISTRIBUTION_POINT, sequence(der(0x83, b"\x01\x62")), critical=True)))
    yield "delta", crl(entry(5, extension(REASON, der(0x0A, b"\x08"))), extensions=(
        CRL_NUMBER, extension(DELTA, integer(4710), critical=True)))
    yield "key-identifier", crl(entry(5), extensions=(
        CRL_NUMBER, extension(KEY_IDENTIFIER, sequence(der(0x80, bytes(range(20)))))))
    yield "unknown-critical", crl(entry(5), extensions=(extension("1.2.3.4", b"\x05\x00", critical=True),))
    yield "unknown-critical-entry", crl(entry(5, extension("1.2.3.4", b"\x05\x00", critical=True)))
    yield "long-number", crl(entry(5), extensions=(extension(NUMBER, integer(2**176)),))
    yield "negative-number", crl(entry(5), extensions=(extension(NUMBER, integer(-1)),))
    yield "numbers-twice", crl(entry(5), extensions=(CRL_NUMBER, CRL_NUMBER))
    for tag in (0x13, 0x14, 0x1C, 0x1E):
        yield f"name-{tag:02x}", crl(entry(5), issuer=name("CA", tag))
