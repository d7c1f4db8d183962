//! The same as `authorization` in a program that was built without policies: there are none, and nothing is tried out.

use std::sync::Arc;

use alb_mtls_trust::Snapshot;
use alb_mtls_verifier::{PresentedChain, Timestamp, VerifiedClient};
use http::request::Parts;

use crate::refusal::Refusal;

#[derive(Clone, Copy)]
#[expect(dead_code, reason = "nobody is asked")]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Parts,
    pub(crate) client: Option<&'a VerifiedClient>,
    pub(crate) now: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Opinion {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) policies: Vec<Arc<str>>,
}

#[expect(dead_code, reason = "nothing is compared")]
pub(crate) struct Active<'a> {
    pub(crate) client: Option<&'a VerifiedClient>,
    pub(crate) refusal: Option<&'a Refusal>,
    pub(crate) policies: &'a [Arc<str>],
}

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
