//! What a change of anchors or policies would change, seen on live traffic before it is made.

use std::sync::Arc;

use alb_mtls_verifier::{ClientIdentity, Fingerprint, Rejection};
use serde::Serialize;

use crate::outcome::PolicyOutcome;

/// How a request stands with one set of anchors and policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetOutcome {
    /// It passes.
    Passes {
        /// The trust anchor that vouches for the client; `None` for an anonymous one.
        anchor: Option<Fingerprint>,
    },
    /// It is refused.
    Refused {
        /// The finer reason, as in records.
        detail: &'static str,
        /// Ids of the policies that refuse it, if policies do.
        policies: Vec<Arc<str>>,
    },
}

/// What the shadow set would do otherwise. Two refusals are no difference, whatever their reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "shadow", rename_all = "snake_case")]
pub enum ShadowDifference {
    /// The active set refuses, the shadow set would not.
    WouldAllow,
    /// The active set lets pass, the shadow set would not.
    WouldDeny {
        /// Why, as in records.
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
    /// The standing of a client whose certificate was judged, and then its request by policies if there are any.
    ///
    /// `client` is `Ok(None)` for an anonymous one that may be.
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

    /// What is different when `shadow` is the standing with the shadow set and this one with the active set.
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
