//! Percent-encoded PEM (RFC 3986 §2.1): the load balancer's own format.

use memchr::memchr;
use rustls_pki_types::CertificateDer;

use super::HeaderLimits;
use crate::pem_blocks::{CertificateBlocks, count_blocks};
use crate::rejection::{Reason, Rejection};

pub(super) fn decode(value: &[u8], limits: HeaderLimits) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    // HTTP joins repeated headers with a comma, and neither PEM nor percent-encoding has any.
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

/// Only visible ASCII, and every `%` followed by two hexadecimal digits. Libraries let broken escapes pass.
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
