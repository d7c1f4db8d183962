//! Limits of the certificate header.

use alb_mtls_verifier::{Reason, Rejection};

/// Limits of the certificate header, checked before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLimits {
    /// Largest size of the encoded values, in bytes.
    pub max_bytes: usize,
    /// Largest number of certificates.
    pub max_certificates: usize,
}

impl HeaderLimits {
    /// Checks the size of the encoded values.
    pub(crate) fn check_bytes(self, bytes: usize) -> Result<(), Rejection> {
        if bytes <= self.max_bytes {
            return Ok(());
        }
        let explanation = format!("{bytes} bytes, allowed are {}", self.max_bytes);
        Err(Rejection::new(Reason::HeaderTooLarge).because(explanation))
    }

    /// Checks the number of certificates.
    pub(crate) fn check_certificates(self, count: usize) -> Result<(), Rejection> {
        if count <= self.max_certificates {
            return Ok(());
        }
        let explanation = format!("{count} certificates, read are {}", self.max_certificates);
        Err(Rejection::new(Reason::HeaderTooManyCertificates).because(explanation))
    }
}
