//! Base64 of DER without PEM lines, several certificates separated by commas: Kong's
//! `base64_encoded`, Traefik.

use alb_mtls_verifier::{CertificateDer, Reason, Rejection};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use super::limits::HeaderLimits;

pub(super) fn end_of_end_entity(value: &[u8]) -> Option<usize> {
    memchr(b',', value)
}

pub(super) fn decode(
    value: &[u8],
    _chain: &[&[u8]],
    limits: HeaderLimits,
) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    limits.check_certificates(value.split(|byte| *byte == b',').count())?;
    value
        .split(|byte| *byte == b',')
        .map(|part| decode_der(part.trim_ascii()))
        .collect()
}

fn decode_der(text: &[u8]) -> Result<CertificateDer<'static>, Rejection> {
    match STANDARD.decode(text) {
        Ok(der) if !der.is_empty() => Ok(CertificateDer::from(der)),
        Ok(_) => Err(Rejection::new(Reason::HeaderEncoding).because("a certificate is empty")),
        Err(error) => Err(Rejection::new(Reason::HeaderEncoding).because(format!("not base64: {error}"))),
    }
}
