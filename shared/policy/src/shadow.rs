//! Effect of a change of anchors or policies, seen on live traffic before the change is made.

use std::sync::Arc;

use alb_mtls_verifier::{ClientIdentity, Fingerprint, Rejection};
use serde::Serialize;

use crate::outcome::PolicyOutcome;

/// Outcome of a request with one set of anchors and policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetOutcome {
    /// The request is allowed.
    Passes {
        /// The trust anchor that vouches for the client; `None` for an anonymous one.
        anchor: Option<Fingerprint>,
    },
    /// The request is denied.
    Refused {
        /// The finer reason, as in records.
        detail: &'static str,
        /// Ids of the policies that deny it, if policies do.
        policies: Vec<Arc<str>>,
    },
}

/// Different outcome with the shadow set. Two denials are not a difference, whatever their reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "shadow", rename_all = "snake_case")]
pub enum ShadowDifference {
    /// The active set denies, the shadow set would not.
    WouldAllow,
    /// The active set lets pass, the shadow set would not.
    WouldDeny {
        /// Reason, as in records.
        #[serde(rename = "shadow_detail")]
        detail: &'static str,
        /// By which policies, if by policies.
        #[serde(rename = "shadow_policies")]
        policies: Vec<Arc<str>>,
    },
    /// Both let pass, by different anchors.
    OtherAnchor {
        /// The anchor that the shadow set finds.
        #[serde(rename = "shadow_anchor_id")]
        anchor: Option<Fingerprint>,
    },
}

impl SetOutcome {
    /// Returns the outcome for a client whose certificate was verified, and then for its request by
    /// policies if there are any.
    ///
    /// `client` is `Ok(None)` for an anonymous client that is allowed.
    pub fn of(client: Result<Option<&ClientIdentity>, &Rejection>, decision: Option<&PolicyOutcome>) -> Self {
        match (client, decision) {
            (Err(rejection), _) => Self::Refused {
                detail: rejection.detail(),
                policies: Vec::new(),
            },
            (Ok(_), Some(decision @ PolicyOutcome::Deny(denial))) => Self::Refused {
                detail: denial.detail(),
                policies: decision.policies(),
            },
            (Ok(client), None | Some(PolicyOutcome::Allow { .. })) => Self::Passes {
                anchor: client.map(|identity| identity.anchor.id()),
            },
        }
    }

    /// Returns the difference when `shadow` is the outcome with the shadow set and this one with
    /// the active set.
    pub fn difference(&self, shadow: &Self) -> Option<ShadowDifference> {
        match (self, shadow) {
            (Self::Refused { .. }, Self::Refused { .. }) => None,
            (Self::Refused { .. }, Self::Passes { .. }) => Some(ShadowDifference::WouldAllow),
            (Self::Passes { .. }, Self::Refused { detail, policies }) => Some(ShadowDifference::WouldDeny {
                detail,
                policies: policies.clone(),
            }),
            (Self::Passes { anchor: active }, Self::Passes { anchor: shadow }) => {
                (active != shadow).then_some(ShadowDifference::OtherAnchor { anchor: *shadow })
            }
        }
    }
}
