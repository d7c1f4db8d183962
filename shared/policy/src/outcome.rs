//! Decisions of policies.

use std::fmt;
use std::sync::Arc;

use alb_mtls_http::host::RequestHost;

/// Decision of policies about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyOutcome {
    /// The request is allowed.
    Allow {
        /// Ids of the policies that permit it, in alphabetical order.
        policies: Vec<Arc<str>>,
    },
    /// The request is denied.
    Deny(PolicyDenial),
}

/// Reason why policies deny a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyDenial {
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

impl PolicyOutcome {
    /// Ids of the policies that decided, in alphabetical order; empty when none did.
    pub fn policies(&self) -> Vec<Arc<str>> {
        match self {
            Self::Allow { policies } | Self::Deny(PolicyDenial::Forbidden { policies }) => policies.clone(),
            Self::Deny(PolicyDenial::Failed { failures }) => failures
                .iter()
                .map(|failure| Arc::clone(&failure.policy))
                .collect(),
            Self::Deny(_) => Vec::new(),
        }
    }
}

impl PolicyDenial {
    /// Returns the row of the table of reasons.
    pub const fn reason(&self) -> PolicyReason {
        match self {
            Self::Forbidden { .. } => PolicyReason::Forbidden,
            Self::NotPermitted => PolicyReason::NotPermitted,
            Self::Failed { .. } => PolicyReason::Failed,
            Self::PathNotPlain => PolicyReason::PathNotPlain,
            Self::PathSpelling { .. } => PolicyReason::PathSpelling,
            Self::HostUnclear(_) => PolicyReason::HostUnclear,
            Self::SourceAddressUnclear => PolicyReason::SourceAddressUnclear,
            Self::IdentityTooLarge => PolicyReason::IdentityTooLarge,
            Self::Unrepresentable { .. } => PolicyReason::Unrepresentable,
        }
    }

    /// Returns the finer reason in `snake_case`, for records and metrics.
    pub const fn detail(&self) -> &'static str {
        self.reason().detail()
    }
}

alb_mtls_verifier::reason_table! {
    /// Reason for which policies deny a request.
    pub enum PolicyReason;
    NotPermitted, ClientCertRejected, "policy_does_not_permit",
        "no policy permits the request",
        "add a permit to MTLS_POLICY if it should pass; `alb-mtls policy check` shows what a certificate may do";
    Forbidden, ClientCertRejected, "policy_forbids",
        "a policy forbids the request, whatever others permit",
        "the record names the policies: narrow their conditions if the request should pass";
    Failed, ClientCertRejected, "policy_failed",
        "a policy could not be evaluated, so that nothing is permitted",
        "look at the explanation in the record, and ask `has` for optional attributes and bounds before sums";
    PathNotPlain, ClientCertRejected, "policy_path_not_plain",
        "a policy goes by paths, and the path of the request can be read in more than one way",
        "an attempt to get around a rule, or a client that does not normalise its paths: have it send plain ones";
    PathSpelling, ClientCertRejected, "policy_path_spelling",
        "some servers take the path of the request for one that a policy names in another spelling",
        "an attempt to get around a rule, or a client that is to write the path as the policy does";
    HostUnclear, UnmappedConnectionError, "host_unclear",
        "routes or policies go by hosts, and the request has no Host header that can be read, or several",
        "look at the explanation in the record: an attempt to get around a rule, or a malformed client";
    SourceAddressUnclear, ClientCertRejected, "policy_source_address_unclear",
        "a policy asks for the source address, and the last entry of X-Forwarded-For is not an address, or not the load balancer's",
        "set the load balancer's attribute routing.http.xff_header_processing.mode to `append`; behind Caddy, Traefik or API Gateway the address is not known, so write policies without it";
    IdentityTooLarge, ClientCertRejected, "policy_identity_too_large",
        "the certificate contains more names than policies look through",
        "reissue the certificate with fewer names: a client needs a few, and policies look through two thousand";
    Unrepresentable, ClientCertRejected, "policy_fact_unrepresentable",
        "a fact about the client or the request cannot be put to the policies",
        "look at the explanation in the record, and report it: it should not happen";
}

impl fmt::Display for PolicyDenial {
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
                "the last entry of X-Forwarded-For is not an address, or not the load balancer's, and policies go by source addresses",
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
