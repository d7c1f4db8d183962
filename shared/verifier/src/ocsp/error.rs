//! Reasons for which a response says nothing about a certificate.

use crate::rejection::Reason;
use crate::x509::der::Malformed;
use crate::x509::time::Timestamp;

/// Reason for which an OCSP response does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspError {
    /// The responder declined to answer: a status of RFC 6960 §4.2.1 other than `successful`. It is
    /// not signed.
    #[error("the responder answered `{0}`")]
    Declined(&'static str),
    /// The response is longer than any real one.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
    /// The response is not DER of an OCSP response.
    #[error("the response cannot be read: {0}")]
    Malformed(&'static str),
    /// The response has a critical extension that is not processed.
    #[error("the response has the critical extension {0}, which is not understood")]
    CriticalExtension(String),
    /// No part of the response is about the certificate.
    #[error("the response is about {0}")]
    OtherCertificate(String),
    /// Neither the issuer of the certificate nor a responder that it authorized signed the
    /// response.
    #[error("{0}")]
    Signature(String),
    /// The status begins later.
    #[error("its thisUpdate is {this_update}, and it is {now}")]
    NotYetValid {
        /// The thisUpdate of the response.
        this_update: Timestamp,
        /// Time at which it was judged.
        now: Timestamp,
    },
    /// The status has ended.
    #[error("it was valid until {until}, and it is {now}")]
    Expired {
        /// The nextUpdate of the response, or the end of its use without one.
        until: Timestamp,
        /// Time at which it was judged.
        now: Timestamp,
    },
}

impl OcspError {
    /// Returns the entry of the table of reasons.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Declined(_) => Reason::OcspUnavailable,
            Self::TooLarge(_)
            | Self::Malformed(_)
            | Self::CriticalExtension(_)
            | Self::OtherCertificate(_) => Reason::OcspUnusable,
            Self::Signature(_) => Reason::OcspSignature,
            Self::NotYetValid { .. } | Self::Expired { .. } => Reason::OcspStale,
        }
    }

    /// Returns true if the responder may know the certificate by the other hash of
    /// [`CertIdHash`](super::CertIdHash).
    pub fn suggests_other_hash(&self) -> bool {
        matches!(
            self,
            Self::Declined("unauthorized" | "malformedRequest") | Self::OtherCertificate(_)
        )
    }
}

/// Names the part of the response in which something cannot be read.
pub(super) fn in_part(part: &'static str) -> impl Fn(Malformed) -> OcspError + Copy {
    move |Malformed| OcspError::Malformed(part)
}
