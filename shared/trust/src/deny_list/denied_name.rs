//! Names under which a list denies certificates.

use std::fmt;

use alb_mtls_verifier::{
    CertificateNames, DistinguishedName, Fingerprint, is_spiffe_id, without_leading_zeros,
};

/// Name of the certificates that an entry denies. An entry that names a CA denies every client
/// under it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeniedName {
    /// `certificate`: SHA-256 of a certificate.
    Certificate(Fingerprint),
    /// `key`: SHA-256 of a SubjectPublicKeyInfo, and with it every certificate with this key.
    Key(Fingerprint),
    /// `serial … issuer …`: the certificate with this serial number of this issuer.
    Serial {
        /// Serial number in upper-case hexadecimal, without leading zeros.
        serial_number: String,
        /// Issuer.
        issuer: DistinguishedName,
    },
    /// `spiffe`: every certificate with this URI among its subject alternative names.
    SpiffeId(String),
}

impl DeniedName {
    /// Words with which entries begin.
    pub(crate) const CERTIFICATE: &'static str = "certificate";
    pub(crate) const KEY: &'static str = "key";
    pub(crate) const SERIAL: &'static str = "serial";
    pub(crate) const ISSUER: &'static str = "issuer";
    pub(crate) const SPIFFE: &'static str = "spiffe";

    /// Takes a serial number in hexadecimal, with or without colons, and its issuer.
    ///
    /// # Errors
    /// A clause that says what is wrong with the serial number.
    pub fn serial(serial_number: &str, issuer: DistinguishedName) -> Result<Self, String> {
        let digits = serial_number.replace(':', "");
        let number = digits.strip_prefix('-').unwrap_or(&digits);
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_number || serial_number.starts_with(':') || serial_number.ends_with(':') {
            return Err(format!(
                "`{serial_number}` is not a serial number in hexadecimal form"
            ));
        }
        Ok(Self::Serial {
            serial_number: without_leading_zeros(&digits.to_ascii_uppercase()),
            issuer,
        })
    }

    /// Takes the SPIFFE id of a workload.
    ///
    /// # Errors
    /// A clause that says what is wrong with it.
    pub fn spiffe_id(id: &str) -> Result<Self, String> {
        if is_spiffe_id(id) {
            Ok(Self::SpiffeId(id.to_owned()))
        } else {
            Err(format!(
                "`{id}` is not the SPIFFE id of a workload, such as `spiffe://example.org/ns/a/sa/b`; deny a whole trust \
                 domain by the key of its CA"
            ))
        }
    }

    /// Returns true if a certificate has this name.
    pub fn is_of(&self, certificate: &CertificateNames) -> bool {
        match self {
            Self::Certificate(fingerprint) => certificate.fingerprints().contains(fingerprint),
            Self::Key(fingerprint) => certificate.public_key_fingerprint() == *fingerprint,
            Self::Serial {
                serial_number,
                issuer,
            } => certificate.serial_numbers().contains(serial_number) && can_be_of(certificate, issuer),
            Self::SpiffeId(id) => certificate.uris().iter().any(|uri| as_spiffe_id(uri) == *id),
        }
    }
}

/// Returns true if an issuer is that of a certificate, with its parts in either order: tools do not
/// agree on it, and an entry with the other order must not be without effect.
fn can_be_of(certificate: &CertificateNames, issuer: &DistinguishedName) -> bool {
    certificate.can_be_issued_by(issuer) || certificate.can_be_issued_by(&issuer.reversed())
}

/// Returns a URI of a certificate as SPIFFE ids are written: scheme and trust domain have no case
/// (SPIFFE-ID §2), and an id has them in lower case.
pub(crate) fn as_spiffe_id(uri: &str) -> String {
    let path = uri
        .match_indices('/')
        .nth(2)
        .map_or(uri.len(), |(position, _)| position);
    match uri.split_at_checked(path) {
        Some((domain, path)) => domain.to_ascii_lowercase() + path,
        None => uri.to_owned(),
    }
}

impl fmt::Display for DeniedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(fingerprint) => write!(formatter, "{} {fingerprint}", Self::CERTIFICATE),
            Self::Key(fingerprint) => write!(formatter, "{} {fingerprint}", Self::KEY),
            Self::Serial {
                serial_number,
                issuer,
            } => write!(
                formatter,
                "{} {serial_number} {} \"{issuer}\"",
                Self::SERIAL,
                Self::ISSUER
            ),
            Self::SpiffeId(id) => write!(formatter, "{} {id}", Self::SPIFFE),
        }
    }
}
