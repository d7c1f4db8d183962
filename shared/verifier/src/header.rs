//! From header text to a chain of certificates: strict, bounded, and without repairs.

mod base64_encoded;
mod rfc9440;
mod url_encoded;

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;

use crate::rejection::{Reason, Rejection};

/// How the certificates are written into the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderFormat {
    /// Percent-encoded PEM of the whole chain, end-entity certificate first: what an Application Load Balancer sends
    /// (and nginx, and Kong as `url_encoded`); of its verify mode's `-Leaf` header too, which holds the end-entity
    /// certificate alone and so needs configured intermediates. `+`, `=` and `/` may be literal or encoded, and `+` is
    /// never a space.
    #[default]
    UrlEncoded,
    /// Base64 of DER certificates without PEM armour, separated by commas: Kong's `base64_encoded` and Traefik.
    Base64Encoded,
    /// RFC 9440: the end-entity certificate as a structured-field byte sequence, the rest as a list in a second
    /// header, `Client-Cert-Chain`.
    Rfc9440,
}

impl HeaderFormat {
    /// Every format, in the order in which they are documented.
    pub const ALL: &'static [Self] = &[Self::UrlEncoded, Self::Base64Encoded, Self::Rfc9440];

    /// The name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UrlEncoded => "url_encoded",
            Self::Base64Encoded => "base64_encoded",
            Self::Rfc9440 => "rfc9440",
        }
    }

    /// Splits the certificate header's value behind the end-entity certificate, without decoding it: all chains of a
    /// client begin the same. What is damaged may be split anywhere.
    pub fn split_end_entity(self, value: &[u8]) -> (&[u8], &[u8]) {
        let end = match self {
            // Whether the hyphens before it are escaped or not; base64 has no space.
            Self::UrlEncoded => memchr::memmem::find(value, b"END%20CERTIFICATE"),
            Self::Base64Encoded => memchr::memchr(b',', value),
            Self::Rfc9440 => None,
        };
        value
            .split_at_checked(end.unwrap_or(value.len()))
            .unwrap_or((value, &[]))
    }

    /// Reads the presented chain.
    ///
    /// # Errors
    /// A [`Rejection`] when the header is missing, repeated, over a limit or damaged. The limits are checked before
    /// anything is decoded, and a certificate is only taken apart by the verification that follows.
    pub fn decode(self, values: HeaderValues<'_>, limits: HeaderLimits) -> Result<PresentedChain, Rejection> {
        let certificate = only_value(values.certificate)?;
        let chain_bytes: usize = values.chain.iter().map(|value| value.len()).sum();
        let bytes = certificate.len().saturating_add(chain_bytes);
        if bytes > limits.max_bytes {
            let explanation = format!("{bytes} bytes, allowed are {}", limits.max_bytes);
            return Err(Rejection::new(Reason::HeaderTooLarge).because(explanation));
        }
        let certificates = match self {
            Self::UrlEncoded => url_encoded::decode(certificate, limits),
            Self::Base64Encoded => base64_encoded::decode(certificate, limits),
            Self::Rfc9440 => rfc9440::decode(certificate, values.chain, limits),
        }?;
        PresentedChain::new(certificates)
            .ok_or_else(|| Rejection::new(Reason::HeaderNotPem).because("it is empty"))
    }
}

impl fmt::Display for HeaderFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text names no header format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a header format")]
pub struct UnknownHeaderFormat;

impl FromStr for HeaderFormat {
    type Err = UnknownHeaderFormat;

    fn from_str(text: &str) -> Result<Self, UnknownHeaderFormat> {
        Self::ALL
            .iter()
            .copied()
            .find(|format| format.as_str() == text)
            .ok_or(UnknownHeaderFormat)
    }
}

/// Every value that a request holds of the certificate header, and of RFC 9440's second header.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderValues<'a> {
    /// Values of the certificate header. More than one is a rejection.
    pub certificate: &'a [&'a [u8]],
    /// Values of `Client-Cert-Chain`; only [`HeaderFormat::Rfc9440`] reads them.
    pub chain: &'a [&'a [u8]],
}

/// What is read at most of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLimits {
    /// Bytes of the encoded value.
    pub max_bytes: usize,
    /// Certificates in it.
    pub max_certificates: usize,
}

impl HeaderLimits {
    fn check_certificates(self, count: usize) -> Result<(), Rejection> {
        if count <= self.max_certificates {
            return Ok(());
        }
        let explanation = format!("{count} certificates, read are {}", self.max_certificates);
        Err(Rejection::new(Reason::HeaderTooManyCertificates).because(explanation))
    }
}

/// The certificates that a client presented, the end-entity certificate first. Nothing is known of them yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedChain {
    end_entity: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl PresentedChain {
    /// A chain from DER certificates in the order presented; `None` when there is none.
    pub fn new(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Option<Self> {
        let mut certificates = certificates.into_iter();
        let end_entity = certificates.next()?;
        Some(Self {
            end_entity,
            intermediates: certificates.collect(),
        })
    }

    /// The first certificate: the only one whose private key the client has proved to hold.
    pub fn end_entity(&self) -> &CertificateDer<'static> {
        &self.end_entity
    }

    /// The other certificates, in the order presented.
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }
}

/// Two values, even equal ones, mean that somebody besides the load balancer writes this header.
fn only_value<'a>(values: &[&'a [u8]]) -> Result<&'a [u8], Rejection> {
    match values {
        [] => Err(Reason::CertificateMissing.into()),
        [value] => Ok(value),
        several => Err(Rejection::new(Reason::HeaderRepeated).because(format!("{} values", several.len()))),
    }
}
