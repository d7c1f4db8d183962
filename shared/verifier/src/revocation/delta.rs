//! Delta CRLs, and the complete CRLs that they continue (RFC 5280 §5.2.4).

use std::sync::Arc;

use super::entries::RevocationReason;
use super::entry_issuers::EntryIssuer;
use super::list::RevocationList;

/// The newest delta CRL beside a complete CRL that is not newer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Continuation<'l> {
    /// There is none: the complete CRL decides alone.
    None,
    /// The delta CRL has the changes since the complete CRL.
    Joined(&'l Arc<RevocationList>),
    /// The delta CRL continues a complete CRL that is newer than this one, or of an unknown place
    /// in the order: what changed in between is not known.
    Apart(&'l Arc<RevocationList>),
}

impl<'l> Continuation<'l> {
    /// Finds the newest of the `deltas` for a complete CRL of the same signer.
    pub(super) fn of(complete: &RevocationList, deltas: &[&'l Arc<RevocationList>]) -> Self {
        let newer = deltas
            .iter()
            .copied()
            .filter(|delta| delta.scope().continues(complete.scope()) && !has_caught_up(complete, delta));
        let Some(newest) = newer.reduce(|newest, delta| {
            if newest.version().is_older_than(delta.version()) {
                delta
            } else {
                newest
            }
        }) else {
            return Self::None;
        };
        // BaseCRLNumber is the lowest number that it continues.
        match (newest.base_number(), complete.number()) {
            (Some(base), Some(number)) if base <= number => Self::Joined(newest),
            _ => Self::Apart(newest),
        }
    }

    /// Returns the delta CRL.
    pub(super) fn delta(self) -> Option<&'l Arc<RevocationList>> {
        match self {
            Self::None => None,
            Self::Joined(delta) | Self::Apart(delta) => Some(delta),
        }
    }
}

/// Returns true if a complete CRL has all that a delta CRL says: a CA that issues both at once
/// gives them one number (RFC 5280 §5.2.4).
pub(super) fn has_caught_up(complete: &RevocationList, delta: &RevocationList) -> bool {
    match (complete.number(), delta.number()) {
        (Some(complete), Some(delta)) => complete >= delta,
        _ => !complete.version().is_older_than(delta.version()),
    }
}

/// Returns true if a delta CRL takes back an entry of the complete CRL that it continues. Only a
/// suspension can be taken back (RFC 5280 §5.3.1).
pub(super) fn takes_back(
    delta: &RevocationList,
    reason: Option<RevocationReason>,
    issuer: EntryIssuer<'_>,
    serial_number: &[u8],
) -> bool {
    reason == Some(RevocationReason::CertificateHold) && delta.removes(issuer, serial_number)
}
