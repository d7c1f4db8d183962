//! Answers of lists about one certificate, and how those of several issuers are joined.

use super::evidence::CertificateStatus;
use super::why_not::name_in_words;
use crate::rejection::{Reason, Rejection};
use crate::x509::time::Timestamp;

/// Answer of the lists of one issuer about a certificate.
pub(super) struct Answer {
    pub(super) status: CertificateStatus,
    /// Last second at which the answer is the same.
    pub(super) valid_until: Option<Timestamp>,
}

impl Answer {
    /// Joins the answer of a CRL issuer that the certificate names, whose path ends `until`. One
    /// list that clears the certificate is enough; without one, what the named issuer says explains
    /// more than a list of the own issuer that is missing.
    pub(super) fn join(&mut self, other: Self, until: Timestamp) {
        self.valid_until = earlier(self.valid_until, other.valid_until);
        match (&self.status, &other.status) {
            (CertificateStatus::Good(_), _) => {}
            (_, CertificateStatus::Good(_)) => {
                self.valid_until = earlier(self.valid_until, Some(until));
                self.status = other.status;
            }
            (CertificateStatus::Unknown(rejection), _) if is_about_absence(rejection) => {
                self.status = other.status;
            }
            _ => {}
        }
    }

    /// Explains a status that is not known by a CRL issuer that the certificate names.
    pub(super) fn note_unconfigured(&mut self, name: &[u8]) {
        if let CertificateStatus::Unknown(rejection) = &self.status
            && is_about_absence(rejection)
        {
            let name = name_in_words(name);
            let explanation = format!(
                "its distribution point names the CRL issuer {name}, and no certificate of that name in MTLS_ANCHORS or \
                 MTLS_INTERMEDIATES may sign CRLs and leads to the client's trust anchor"
            );
            self.status = CertificateStatus::Unknown(rejection.clone().because(explanation));
        }
    }
}

fn is_about_absence(rejection: &Rejection) -> bool {
    matches!(rejection.reason(), Reason::CrlMissing | Reason::CrlScope)
}

/// Returns the earlier of two times.
pub(super) fn earlier(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}
