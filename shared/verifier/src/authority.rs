//! CA certificates as the operator supplies them: what can be a trust anchor or an intermediate at
//! all.

use rustls_pki_types::CertificateDer;

use crate::signature::{self, ACCEPTED_KEYS};
use crate::x509::algorithm_name::describe_key;
use crate::x509::certificate::{Certificate, CertificateError, Version};
use crate::x509::critical_extensions::check_critical_extensions;

/// Error of a certificate that cannot be a trust anchor or an intermediate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// Not DER of an X.509 certificate, with particulars.
    #[error("is not a certificate that can be read: {0}")]
    Malformed(Box<str>),
    /// No basicConstraints with cA (RFC 5280 §4.2.1.9).
    #[error("is not a CA certificate: basicConstraints with cA is missing")]
    NotAuthority,
    /// A key usage without keyCertSign (RFC 5280 §4.2.1.3).
    #[error("may not issue certificates: its key usage lacks keyCertSign")]
    KeyUsage,
    /// A key of a kind or size that is not accepted, with its description.
    #[error("has {0}, which is not supported: use {ACCEPTED_KEYS}")]
    UnsupportedKey(Box<str>),
    /// A name that contains control characters or cannot be represented, with particulars.
    #[error("has a subject that cannot be represented: {0}")]
    Name(Box<str>),
    /// Critical extensions that are not understood or extensions that cannot be read, with
    /// particulars.
    #[error("has an extension that cannot be processed: {0}")]
    Extension(Box<str>),
}

/// Reads a certificate that can be a trust anchor or an intermediate.
pub(crate) fn parse_authority<'a>(
    certificate: &'a CertificateDer<'static>,
) -> Result<Certificate<'a>, AuthorityError> {
    let parsed = parse(certificate)?;
    check_authority(&parsed)?;
    check_extensions_and_key(&parsed)?;
    Ok(parsed)
}

/// Reads a certificate of a CRL issuer, CA or not. Its key usage must say so: without the extension
/// every client's certificate could sign CRLs.
pub(crate) fn parse_list_issuer<'a>(
    certificate: &'a CertificateDer<'static>,
) -> Result<Certificate<'a>, AuthorityError> {
    let parsed = parse(certificate)?;
    let usage = parsed.extensions.key_usage;
    if !usage.is_some_and(|usage| usage.allows_crl_signing()) {
        return Err(AuthorityError::NotAuthority);
    }
    check_extensions_and_key(&parsed)?;
    Ok(parsed)
}

/// Reads a certificate whose name and key can be a trust anchor, CA certificate or not.
pub(crate) fn parse_name_and_key<'a>(
    certificate: &'a CertificateDer<'static>,
) -> Result<Certificate<'a>, AuthorityError> {
    let parsed = parse(certificate)?;
    check_extensions_and_key(&parsed)?;
    Ok(parsed)
}

fn parse<'a>(certificate: &'a CertificateDer<'static>) -> Result<Certificate<'a>, AuthorityError> {
    Certificate::parse(certificate).map_err(|error| {
        let particulars = error.to_rejection().context().to_string().into();
        match error {
            CertificateError::Malformed(_) | CertificateError::SignatureAlgorithmMismatch(..) => {
                AuthorityError::Malformed(particulars)
            }
            CertificateError::RepeatedExtension(_) | CertificateError::TooManyExtensions => {
                AuthorityError::Extension(particulars)
            }
        }
    })
}

/// Checks that a certificate is a CA's that may sign certificates; asked when it is loaded.
fn check_authority(certificate: &Certificate<'_>) -> Result<(), AuthorityError> {
    // Certificates of version 1 have no extensions that could say so; as an anchor the operator
    // says it.
    if certificate.version == Version::V3 && !certificate.is_authority() {
        return Err(AuthorityError::NotAuthority);
    }
    // RFC 5280 §6.1.4(n).
    let usage = certificate.extensions.key_usage;
    if usage.is_some_and(|usage| !usage.allows_certificate_signing()) {
        return Err(AuthorityError::KeyUsage);
    }
    Ok(())
}

fn check_extensions_and_key(certificate: &Certificate<'_>) -> Result<(), AuthorityError> {
    if let Err(rejection) = check_critical_extensions(certificate) {
        return Err(AuthorityError::Extension(rejection.context().to_string().into()));
    }
    let key = certificate.issuer_key();
    match signature::key_fault(key) {
        None => Ok(()),
        Some(_) => Err(AuthorityError::UnsupportedKey(
            describe_key(key.algorithm, key.key).into(),
        )),
    }
}
