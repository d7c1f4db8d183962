//! RFC 9440: `Client-Cert` and `Client-Cert-Chain`, structured fields of byte sequences (RFC 8941
//! §3.3.5).

use alb_mtls_verifier::{CertificateDer, Reason, Rejection, VerifiedClient};
use http::header::{HeaderMap, HeaderName};
use sfv::{BareItem, FieldType, Item, ItemSerializer, List, ListEntry, ListSerializer, Parser};

use super::limits::HeaderLimits;
use super::value::set;

/// Name of the header with the end-entity certificate (RFC 9440 §2.2).
pub const CLIENT_CERT: &str = "client-cert";

/// Name of the header with the rest of the chain (RFC 9440 §2.3).
pub const CLIENT_CERT_CHAIN: &str = "client-cert-chain";

/// Writes the end-entity certificate, and the intermediates of the verified path. Like TLS, §2.3
/// leaves the anchor out.
pub(super) fn write(client: &VerifiedClient, headers: &mut HeaderMap) {
    let certificate: &[u8] = client.identity().certificate();
    set(
        headers,
        HeaderName::from_static(CLIENT_CERT),
        ItemSerializer::new().bare_item(certificate).finish(),
    );
    let mut chain = ListSerializer::new();
    for intermediate in client.intermediates().iter() {
        let intermediate: &[u8] = intermediate;
        chain.bare_item(intermediate);
    }
    // An empty list is not serialized (RFC 8941 §3.1).
    if let Some(chain) = chain.finish() {
        set(headers, HeaderName::from_static(CLIENT_CERT_CHAIN), chain);
    }
}

pub(super) fn decode(
    certificate: &[u8],
    chain: &[&[u8]],
    limits: HeaderLimits,
) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    // Two colons enclose each certificate, so counting colons bounds the certificates before
    // anything is decoded.
    let colons = chain
        .iter()
        .flat_map(|value| value.iter())
        .filter(|byte| **byte == b':')
        .count();
    limits.check_certificates(1 + colons / 2)?;

    let item: Item = parse(certificate)?;
    let mut certificates = vec![byte_sequence(item)?];
    // A list can be spread over several header lines (RFC 8941 §4.2). Commas join it again.
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::samples::verified;

    #[test]
    fn certificates_are_byte_sequences_in_the_order_of_the_path() {
        let (client, credential, issuing) = verified(CertificateBuilder::client("CN=a"));
        let mut headers = HeaderMap::new();
        write(&client, &mut headers);
        assert_eq!(
            headers["client-cert"],
            format!(":{}:", STANDARD.encode(credential.der()))
        );
        assert_eq!(
            headers["client-cert-chain"],
            format!(":{}:", STANDARD.encode(issuing.der()))
        );
    }
}
