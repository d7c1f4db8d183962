//! Statuses that a responder stated, verified.

use std::fmt;

use crate::excerpt::abbreviated;
use crate::fingerprint::Fingerprint;
use crate::heap;
use crate::revocation::RevocationReason;
use crate::signature::{SignatureAlgorithm, SignatureAlgorithms};
use crate::x509::time::Timestamp;

/// Status of one certificate from a response whose signature, responder and certificate are
/// verified.
///
/// Displays as "the OCSP response of RESPONDER of THISUPDATE, valid until UNTIL".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspStatus {
    pub(super) question: Fingerprint,
    pub(super) state: OcspState,
    pub(super) this_update: Timestamp,
    pub(super) until: Timestamp,
    pub(super) responder: Box<str>,
    /// Certificate of a delegated responder whose revocation matters: without ocsp-nocheck.
    pub(super) responder_to_check: Option<Box<[u8]>>,
    /// Algorithms of the response's signature and of the delegated responder's certificate.
    pub(super) algorithms: Vec<SignatureAlgorithm>,
}

/// Status that a responder stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspState {
    /// The certificate is not revoked.
    Good,
    /// The certificate is revoked, for some time or indefinitely.
    Revoked {
        /// Time from which on the issuer considers it revoked.
        since: Timestamp,
        /// Reason, if the response gives one.
        reason: Option<RevocationReason>,
    },
    /// The responder does not know the certificate.
    Unknown,
}

impl OcspStatus {
    /// Returns the [`id`](super::OcspQuestion::id) of the question that it answers.
    pub fn question(&self) -> Fingerprint {
        self.question
    }

    /// Returns what the responder stated.
    pub fn state(&self) -> OcspState {
        self.state
    }

    /// Returns the time at which the status was known to be correct.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// Returns the last second at which the status counts: the response's nextUpdate or the end of
    /// its responder's certificate, or some minutes after thisUpdate for a response without
    /// nextUpdate.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns the octets that the status keeps allocated.
    pub(crate) fn heap_bytes(&self) -> usize {
        let to_check = self.responder_to_check.as_deref().unwrap_or_default();
        heap::allocation(size_of::<Self>())
            + heap::allocation(self.responder.len())
            + heap::allocation(to_check.len())
            + heap::allocation(self.algorithms.capacity() * size_of::<SignatureAlgorithm>())
    }

    /// Returns the first algorithm of its signatures that is not allowed.
    pub(crate) fn not_allowed(&self, allowed: SignatureAlgorithms) -> Option<&'static str> {
        let mut algorithms = self.algorithms.iter();
        let outside = algorithms.find(|algorithm| !allowed.contains(**algorithm));
        outside.map(|algorithm| algorithm.as_str())
    }

    /// Returns the DER encoding of the delegated responder's certificate, unless its issuer says
    /// that its revocation need not be checked.
    pub(crate) fn responder_to_check(&self) -> Option<&[u8]> {
        self.responder_to_check.as_deref()
    }
}

impl fmt::Display for OcspStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the OCSP response of {} of {}, valid until {}",
            abbreviated(&self.responder),
            self.this_update,
            self.until
        )
    }
}
