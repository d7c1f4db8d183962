//! RFC 9440: `Client-Cert` and `Client-Cert-Chain`, structured fields of byte sequences (RFC 8941 §3.3.5).

use rustls_pki_types::CertificateDer;
use sfv::{BareItem, FieldType, Item, List, ListEntry, Parser};

use super::HeaderLimits;
use crate::rejection::{Reason, Rejection};

pub(super) fn decode(
    certificate: &[u8],
    chain: &[&[u8]],
    limits: HeaderLimits,
) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    // Each certificate needs a pair of colons, so this bounds them before anything is decoded.
    let colons = chain
        .iter()
        .flat_map(|value| value.iter())
        .filter(|byte| **byte == b':')
        .count();
    limits.check_certificates(1 + colons / 2)?;

    let item: Item = parse(certificate)?;
    let mut certificates = vec![byte_sequence(item)?];
    // A list may be spread over several header lines (RFC 8941 §4.2); joined by commas it is one again.
    let joined = chain.join(&b", "[..]);
    if !joined.is_empty() {
        let list: List = parse(&joined)?;
        for entry in list {
            match entry {
                ListEntry::Item(item) => certificates.push(byte_sequence(item)?),
                ListEntry::InnerList(_) => return Err(not_a_byte_sequence()),
            }
        }
    }
    Ok(certificates)
}

fn parse<T: FieldType>(value: &[u8]) -> Result<T, Rejection> {
    Parser::new(value).parse().map_err(|error| {
        Rejection::new(Reason::HeaderEncoding).because(format!("not a structured field: {error}"))
    })
}

fn byte_sequence(item: Item) -> Result<CertificateDer<'static>, Rejection> {
    match item.bare_item {
        BareItem::ByteSequence(der) if !der.is_empty() => Ok(CertificateDer::from(der)),
        _ => Err(not_a_byte_sequence()),
    }
}

fn not_a_byte_sequence() -> Rejection {
    Rejection::new(Reason::HeaderEncoding).because("a member is not a byte sequence")
}
