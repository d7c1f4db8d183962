//! An encoder of DER that checks nothing.

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0A;
pub(crate) const UTF8_STRING: u8 = 0x0C;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Returns the length in the shortest form, as DER asks for.
pub(crate) fn length(octets: usize) -> Vec<u8> {
    let big_endian = octets.to_be_bytes();
    let significant: Vec<u8> = big_endian.into_iter().skip_while(|octet| *octet == 0).collect();
    match significant.as_slice() {
        [] => vec![0],
        [short @ ..=0x7F] => vec![*short],
        long => [&[0x80 | u8::try_from(long.len()).unwrap_or(8)], long].concat(),
    }
}

/// Encodes one value.
pub(crate) fn tlv(tag: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [&[tag], length(content.len()).as_slice(), content].concat()
}

/// Encodes a value that contains others.
pub(crate) fn nested<const N: usize>(tag: u8, parts: [&[u8]; N]) -> Vec<u8> {
    tlv(tag, parts.concat())
}

/// Encodes a SEQUENCE.
pub(crate) fn sequence<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    nested(SEQUENCE, parts)
}

/// Encodes a small number.
pub(crate) fn integer(value: u8) -> Vec<u8> {
    match value {
        0..=0x7F => tlv(INTEGER, [value]),
        _ => tlv(INTEGER, [0, value]),
    }
}

/// Encodes an object identifier from its content.
pub(crate) fn oid(content: &[u8]) -> Vec<u8> {
    tlv(OID, content)
}

/// Encodes a BIT STRING without unused bits.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    nested(BIT_STRING, [&[0], content])
}
