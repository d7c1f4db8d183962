//! What was found out about a path that was let through.

use std::sync::Arc;

use super::list::RevocationList;
use crate::heap;
use crate::rejection::Rejection;
use crate::x509::time::Timestamp;

/// What the lists say about the certificates of a path. Nothing in it is revoked.
#[derive(Clone, Debug, Default)]
pub struct RevocationEvidence {
    pub(super) certificates: Vec<CertificateStatus>,
    pub(super) valid_until: Option<Timestamp>,
}

/// What the lists say about one certificate that is not revoked.
#[derive(Clone, Debug)]
pub enum CertificateStatus {
    /// This list speaks of the certificate, is current and does not revoke it.
    Good(Arc<RevocationList>),
    /// No list clears it, and the options let it pass; this is the rejection that mode strict would give.
    Unknown(Rejection),
}

impl RevocationEvidence {
    /// The status of the certificates that were looked up: the end-entity certificate's first, then its issuer's and
    /// so on; the trust anchor is not among them. Empty when revocation is off.
    pub fn certificates(&self) -> &[CertificateStatus] {
        &self.certificates
    }

    /// Octets that the evidence keeps allocated, the lists left out.
    pub(crate) fn heap_bytes(&self) -> usize {
        let of_one = |status: &CertificateStatus| match status {
            CertificateStatus::Good(_) => 0,
            CertificateStatus::Unknown(rejection) => rejection.heap_bytes(),
        };
        let statuses = heap::allocation(self.certificates.capacity() * size_of::<CertificateStatus>());
        statuses + self.certificates.iter().map(of_one).sum::<usize>()
    }

    /// The first certificate whose status is not known: what mode strict would reject.
    pub fn unknown(&self) -> Option<&Rejection> {
        self.certificates.iter().find_map(|status| match status {
            CertificateStatus::Good(_) => None,
            CertificateStatus::Unknown(rejection) => Some(rejection),
        })
    }

    /// The earliest nextUpdate among the lists that cleared a certificate.
    pub fn next_update(&self) -> Option<Timestamp> {
        let cleared = self.certificates.iter().filter_map(|status| match status {
            CertificateStatus::Good(list) => list.next_update(),
            CertificateStatus::Unknown(_) => None,
        });
        cleared.min()
    }

    /// The last second at which the same lists would still say the same, the grace included; `None` when their time
    /// does not matter. A verdict must not be kept for longer.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }
}
