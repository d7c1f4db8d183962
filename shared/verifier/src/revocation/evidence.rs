//! Revocation status of an accepted path.

use std::sync::Arc;

use super::list::RevocationList;
use crate::heap;
use crate::ocsp::OcspStatus;
use crate::rejection::Rejection;
use crate::x509::time::Timestamp;

/// Revocation status of the certificates of a path, none of which is revoked.
#[derive(Clone, Debug, Default)]
pub struct RevocationEvidence {
    pub(crate) certificates: Vec<CertificateStatus>,
    pub(crate) valid_until: Option<Timestamp>,
}

/// Revocation status of a certificate that is not revoked.
#[derive(Clone, Debug)]
pub enum CertificateStatus {
    /// This list speaks of the certificate, is current and does not revoke it.
    Good(Arc<RevocationList>),
    /// An OCSP responder states that it is not revoked.
    Answered(Arc<OcspStatus>),
    /// No source clears it, and the options let it pass; this is the rejection that mode strict
    /// would give.
    Unknown(Rejection),
}

impl RevocationEvidence {
    /// Returns the status of each certificate that was looked up: the end-entity certificate's
    /// first, then its issuer's and so on, without the trust anchor. Empty when revocation is off.
    pub fn certificates(&self) -> &[CertificateStatus] {
        &self.certificates
    }

    /// Ends the evidence at this second at the latest.
    pub(crate) fn end_at(&mut self, until: Timestamp) {
        self.valid_until = Some(self.valid_until.map_or(until, |known| known.min(until)));
    }

    /// Octets that the evidence keeps allocated, the lists left out.
    pub(crate) fn heap_bytes(&self) -> usize {
        let of_one = |status: &CertificateStatus| match status {
            CertificateStatus::Good(_) => 0,
            CertificateStatus::Answered(status) => status.heap_bytes(),
            CertificateStatus::Unknown(rejection) => rejection.heap_bytes(),
        };
        let statuses = heap::allocation(self.certificates.capacity() * size_of::<CertificateStatus>());
        statuses + self.certificates.iter().map(of_one).sum::<usize>()
    }

    /// Returns the rejection for the first certificate of unknown status, which mode strict would
    /// give.
    pub fn unknown(&self) -> Option<&Rejection> {
        self.certificates.iter().find_map(|status| match status {
            CertificateStatus::Good(_) | CertificateStatus::Answered(_) => None,
            CertificateStatus::Unknown(rejection) => Some(rejection),
        })
    }

    /// Returns the earliest nextUpdate among the lists that cleared a certificate.
    pub fn next_update(&self) -> Option<Timestamp> {
        let cleared = self.certificates.iter().filter_map(|status| match status {
            CertificateStatus::Good(list) => list.next_update(),
            CertificateStatus::Answered(_) | CertificateStatus::Unknown(_) => None,
        });
        cleared.min()
    }

    /// Returns the earliest end among the OCSP responses that cleared a certificate.
    pub fn ocsp_until(&self) -> Option<Timestamp> {
        let cleared = self.certificates.iter().filter_map(|status| match status {
            CertificateStatus::Answered(status) => Some(status.until()),
            CertificateStatus::Good(_) | CertificateStatus::Unknown(_) => None,
        });
        cleared.min()
    }

    /// Returns the last second at which the same lists and responses would give the same status,
    /// including the grace period of lists; `None` if their time does not matter. A verdict must
    /// not be kept longer.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }
}
