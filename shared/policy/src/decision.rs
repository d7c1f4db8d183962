//! Decisions of policies.

use std::fmt;
use std::sync::Arc;

use alb_mtls_http::host::RequestHost;

/// Decision of policies about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyDecision {
    /// The request is allowed.
    Allow {
        /// Ids of the policies that permit it, in alphabetical order.
        policies: Vec<Arc<str>>,
    },
    /// The request is denied.
    Deny(Denial),
}

/// Reason why policies deny a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Policies forbid it, whatever others permit.
    Forbidden {
        /// Ids of the policies, in alphabetical order.
        policies: Vec<Arc<str>>,
    },
    /// No policy permits it.
    NotPermitted,
    /// Policies could not be evaluated. What they would have forbidden is unknown, so nothing is
    /// permitted.
    Failed {
        /// Each with its failure, in alphabetical order of the ids.
        failures: Vec<PolicyFailure>,
    },
    /// Policies go by paths, and the path of the request can be read in more than one way.
    PathNotPlain,
    /// The path of the request is spelt differently from a path that a policy names, in a way that
    /// some servers ignore.
    PathSpelling {
        /// The path in the policy.
        named: String,
    },
    /// Policies go by hosts, and the request names none that can be read.
    HostUnclear(RequestHost),
    /// Policies go by source addresses, and the last one of the request cannot be read.
    SourceAddressUnclear,
    /// The certificate names more than policies are asked to look through.
    IdentityTooLarge,
    /// A fact cannot be put to the policies.
    Unrepresentable {
        /// Name of the part, and the reason.
        explanation: String,
    },
}

/// A policy that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFailure {
    /// Id of the policy.
    pub policy: Arc<str>,
    /// Error in one line of bounded length.
    pub message: String,
}

impl PolicyDecision {
    /// Ids of the policies that decided, in alphabetical order; empty when none did.
    pub fn policies(&self) -> Vec<Arc<str>> {
        match self {
            Self::Allow { policies } | Self::Deny(Denial::Forbidden { policies }) => policies.clone(),
            Self::Deny(Denial::Failed { failures }) => failures
                .iter()
                .map(|failure| Arc::clone(&failure.policy))
                .collect(),
            Self::Deny(_) => Vec::new(),
        }
    }
}

impl Denial {
    /// Every [`detail`](Self::detail) there is.
    pub const DETAILS: &'static [&'static str] = &[
        "policy_forbids",
        "policy_does_not_permit",
        "policy_failed",
        "policy_path_not_plain",
        "policy_path_spelling",
        "host_unclear",
        "policy_source_address_unclear",
        "policy_identity_too_large",
        "policy_fact_unrepresentable",
    ];

    /// Returns the finer reason, for records and metrics.
    pub const fn detail(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "policy_forbids",
            Self::NotPermitted => "policy_does_not_permit",
            Self::Failed { .. } => "policy_failed",
            Self::PathNotPlain => "policy_path_not_plain",
            Self::PathSpelling { .. } => "policy_path_spelling",
            Self::HostUnclear(_) => "host_unclear",
            Self::SourceAddressUnclear => "policy_source_address_unclear",
            Self::IdentityTooLarge => "policy_identity_too_large",
            Self::Unrepresentable { .. } => "policy_fact_unrepresentable",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden { policies } => {
                formatter.write_str("forbidden by ")?;
                list(formatter, policies.iter())
            }
            Self::NotPermitted => formatter.write_str("no policy permits it"),
            Self::Failed { failures } => {
                formatter.write_str("cannot be decided, because of ")?;
                list(formatter, failures.iter().map(|failure| &failure.policy))?;
                match failures.first() {
                    Some(first) => write!(formatter, ": {}", first.message),
                    None => Ok(()),
                }
            }
            Self::PathNotPlain => {
                formatter.write_str("the path can be read in more than one way, and policies go by paths")
            }
            Self::PathSpelling { named } => write!(
                formatter,
                "some servers take the path for one in `{named}`, which a policy names in another spelling"
            ),
            Self::HostUnclear(host) => write!(formatter, "{host}, and policies go by hosts"),
            Self::SourceAddressUnclear => formatter.write_str(
                "the last entry of X-Forwarded-For is not an address, and policies go by source addresses",
            ),
            Self::IdentityTooLarge => {
                formatter.write_str("the certificate has more names than policies search")
            }
            Self::Unrepresentable { explanation } => formatter.write_str(explanation),
        }
    }
}

fn list<'a>(
    formatter: &mut fmt::Formatter<'_>,
    mut policies: impl Iterator<Item = &'a Arc<str>>,
) -> fmt::Result {
    if let Some(first) = policies.next() {
        write!(formatter, "`{first}`")?;
    }
    policies.try_for_each(|policy| write!(formatter, ", `{policy}`"))
}
