//! Base64 of DER without PEM armour, several separated by commas: Kong's `base64_encoded`, Traefik.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;

use super::HeaderLimits;
use crate::rejection::{Reason, Rejection};

pub(super) fn decode(value: &[u8], limits: HeaderLimits) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    limits.check_certificates(value.split(|byte| *byte == b',').count())?;
    value
        .split(|byte| *byte == b',')
        .map(|part| decode_der(part.trim_ascii()))
        .collect()
}

/// The DER behind one base64 text; RFC 9440's byte sequences hold the same.
pub(super) fn decode_der(text: &[u8]) -> Result<CertificateDer<'static>, Rejection> {
    match STANDARD.decode(text) {
        Ok(der) if !der.is_empty() => Ok(CertificateDer::from(der)),
        Ok(_) => Err(Rejection::new(Reason::HeaderEncoding).because("a certificate is empty")),
        Err(error) => Err(Rejection::new(Reason::HeaderEncoding).because(format!("not base64: {error}"))),
    }
}
