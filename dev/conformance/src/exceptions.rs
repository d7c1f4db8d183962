//! Disagreements with a suite that are on purpose.

use alb_mtls_settings::matches_wildcard;
use serde::Deserialize;

/// Entry of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// The case's id; a `*` stands for anything.
    id: String,
    /// Stricter side.
    pub(crate) stricter: Side,
    /// Reason, with the section where RFC 5280 and the suite differ.
    #[expect(dead_code, reason = "for readers of the list")]
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// The verifier refuses what the suite accepts.
    Verifier,
    /// The suite refuses what the verifier accepts.
    Suite,
    /// Both refuse, and the verifier for a reason that is not the suite's.
    Neither,
}

impl Exception {
    pub(crate) fn covers(&self, id: &str) -> bool {
        matches_wildcard(&self.id, id)
    }
}
