//! Percent-encoded PEM of the chain, end-entity certificate first: the header of a load balancer in
//! passthrough mode.
//!
//! nginx and Kong (`url_encoded`) send the same form. So does a load balancer in verify mode in its
//! `-Leaf` header, which has the end-entity certificate alone and needs configured intermediates.
//! `+`, `=` and `/` can be literal or encoded, and `+` is never a space.

use alb_mtls_verifier::{CertificateDer, Reason, Rejection, VerifiedClient};
use http::header::{HeaderMap, HeaderName};
use memchr::{memchr, memmem};

use super::limits::HeaderLimits;
use super::pem_blocks::{CertificateBlocks, count_blocks};
use super::pem_text;
use super::value::set;

/// Name of the header that a load balancer in passthrough mode sets, unless a listener attribute
/// renames it.
pub const CERTIFICATE_HEADER: &str = "x-amzn-mtls-clientcert";

/// Writes the end-entity certificate and the intermediates of the verified path, and nothing that
/// was not verified.
pub(super) fn write(client: &VerifiedClient, headers: &mut HeaderMap) {
    let value = std::iter::once(client.identity().certificate())
        .chain(client.intermediates().iter())
        .map(|certificate| pem_text::encoded(certificate, pem_text::LOAD_BALANCER))
        .collect();
    set(headers, HeaderName::from_static(CERTIFICATE_HEADER), value);
}

/// Finds the END line of the first block. The hyphens before `END` can be escaped; base64 has no
/// space.
pub(super) fn end_of_end_entity(value: &[u8]) -> Option<usize> {
    memmem::find(value, b"END%20CERTIFICATE")
}

pub(super) fn decode(
    value: &[u8],
    _chain: &[&[u8]],
    limits: HeaderLimits,
) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    // HTTP joins repeated headers with a comma (RFC 9110 §5.3), and neither PEM nor
    // percent-encoding contains one.
    if memchr(b',', value).is_some() {
        return Err(Reason::HeaderJoined.into());
    }
    let text = percent_decoded(value)?;
    limits.check_certificates(count_blocks(&text))?;
    CertificateBlocks::new(&text)
        .map(|block| block.map(CertificateDer::from))
        .collect::<Result<_, _>>()
        .map_err(|error| Rejection::new(Reason::HeaderNotPem).because(error.to_string()))
}

/// Decodes a value of visible ASCII in which two hexadecimal digits follow every `%` (RFC 3986
/// §2.1).
///
/// Written here because libraries leave a broken escape as it is, and the header is accepted
/// exactly or not at all.
fn percent_decoded(value: &[u8]) -> Result<Vec<u8>, Rejection> {
    let damaged = |explanation: &str| Rejection::new(Reason::HeaderEncoding).because(explanation);
    if !value
        .iter()
        .fold(true, |visible, byte| visible & byte.is_ascii_graphic())
    {
        return Err(damaged("white space, control or non-ASCII bytes stand unencoded"));
    }
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((plain, escape)) = memchr(b'%', rest).and_then(|at| rest.split_at_checked(at)) {
        text.extend_from_slice(plain);
        let [_, high, low, after @ ..] = escape else {
            return Err(damaged("it ends within an escape"));
        };
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
            return Err(damaged("a `%` is not followed by two hexadecimal digits"));
        };
        text.push((high << 4) | low);
        rest = after;
    }
    text.extend_from_slice(rest);
    Ok(text)
}

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::samples::verified;

    #[test]
    fn the_header_is_the_one_that_the_load_balancer_would_set() {
        let (client, credential, issuing) = verified(CertificateBuilder::client("CN=a"));
        let chain = [credential.der().to_vec().into(), issuing.der().to_vec().into()];
        let mut headers = HeaderMap::new();
        write(&client, &mut headers);
        assert_eq!(headers[CERTIFICATE_HEADER], local_alb::passthrough_header(&chain));
    }
}
