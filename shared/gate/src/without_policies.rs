//! The same as `authorization` in a program that was built without policies: there are none, and nothing is tried out.

use alb_mtls_trust::Snapshot;
use alb_mtls_verifier::{PresentedChain, Timestamp};
use http::request::Parts;

use crate::opinion::{Active, Asked, Opinion};

/// There is none to compare with.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum ShadowDifference {}

pub(crate) fn ask(_snapshot: &Snapshot, _asked: Asked<'_>) -> Opinion {
    Opinion::default()
}

pub(crate) fn compare(
    _snapshot: &Snapshot,
    _request: &Parts,
    _chain: Option<&PresentedChain>,
    _active: &Active<'_>,
    _now: Timestamp,
) -> Option<ShadowDifference> {
    None
}
