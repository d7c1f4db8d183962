//! Summary of a certificate, for people.

use rustls_pki_types::CertificateDer;

use crate::fingerprint::Fingerprint;
use crate::x509::certificate::{Certificate, Validity};
use crate::x509::name::DistinguishedName;
use crate::x509::public_key::PublicKey;

/// Contents of a certificate, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateSummary {
    /// The subject; absent when it cannot be represented.
    pub subject: Option<DistinguishedName>,
    /// The issuer; absent when it cannot be represented.
    pub issuer: Option<DistinguishedName>,
    /// Period of validity.
    pub validity: Validity,
    /// Kind and size of the key.
    pub public_key: PublicKey,
    /// The certificate claims to be a CA's.
    pub is_authority: bool,
    /// Subject and issuer are the same name.
    pub is_self_issued: bool,
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
}

impl CertificateSummary {
    /// Reads a certificate; `None` when it is not one.
    pub fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        Certificate::parse(certificate)
            .ok()
            .map(|parsed| Self::of(&parsed))
    }

    pub(crate) fn of(certificate: &Certificate<'_>) -> Self {
        Self {
            subject: DistinguishedName::parse(certificate.subject).ok(),
            issuer: DistinguishedName::parse(certificate.issuer).ok(),
            validity: certificate.validity,
            public_key: certificate.public_key,
            is_authority: certificate.is_authority(),
            is_self_issued: certificate.is_self_issued(),
            fingerprint: Fingerprint::of(certificate.der),
        }
    }
}
