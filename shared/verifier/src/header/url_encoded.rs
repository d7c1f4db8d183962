//! Percent-encoded PEM (RFC 3986 §2.1): the load balancer's own format.

use percent_encoding::percent_decode;
use rustls_pki_types::CertificateDer;

use super::HeaderLimits;
use crate::pem_blocks::{Between, CertificateBlocks, count_blocks};
use crate::rejection::{Reason, Rejection};

pub(super) fn decode(value: &[u8], limits: HeaderLimits) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    check_encoding(value)?;
    let text: Vec<u8> = percent_decode(value).collect();
    limits.check_certificates(count_blocks(&text))?;
    CertificateBlocks::new(&text, Between::LineBreaks)
        .map(|block| block.map(CertificateDer::from))
        .collect::<Result<_, _>>()
        .map_err(|error| Rejection::new(Reason::HeaderNotPem).because(error.to_string()))
}

/// Only visible ASCII, every `%` followed by two hexadecimal digits, and no comma: HTTP joins repeated headers with
/// one, and neither PEM nor percent-encoding has any.
fn check_encoding(value: &[u8]) -> Result<(), Rejection> {
    if value.contains(&b',') {
        return Err(Reason::HeaderJoined.into());
    }
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = (bytes.next(), bytes.next());
                let (Some(high), Some(low)) = digits else {
                    return Err(Rejection::new(Reason::HeaderEncoding).because("it ends within an escape"));
                };
                if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
                    let explanation = "a `%` is not followed by two hexadecimal digits";
                    return Err(Rejection::new(Reason::HeaderEncoding).because(explanation));
                }
            }
            byte if byte.is_ascii_graphic() => {}
            _ => {
                let explanation = "white space, control or non-ASCII bytes stand unencoded";
                return Err(Rejection::new(Reason::HeaderEncoding).because(explanation));
            }
        }
    }
    Ok(())
}
