//! Input of decisions by policies.

use alb_mtls_http::host::RequestHost;
use alb_mtls_verifier::{ClientIdentity, Timestamp};

use crate::forwarded::SourceAddress;

/// Input of a decision by policies.
#[derive(Clone, Copy, Debug)]
pub struct PolicyInput<'a> {
    /// Verified client; `None` for an anonymous one, where that is allowed at all.
    pub client: Option<&'a ClientIdentity>,
    /// Request of the client.
    pub request: RequestFacts<'a>,
    /// Time of the decision.
    pub now: Timestamp,
}

/// Parts of a request that policies can ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    /// The method as sent; methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// The path as sent: not decoded, not normalised, without the query.
    pub path: &'a str,
    /// The host; one that is absent and one that cannot be read are not the same.
    pub host: &'a RequestHost,
    /// ARN of the target group in the Lambda event.
    pub target_group: Option<&'a str>,
    /// The peer of the load balancer's connection.
    pub source_address: SourceAddress,
}

impl Default for RequestFacts<'_> {
    fn default() -> Self {
        Self {
            method: "",
            path: "",
            host: &RequestHost::Absent,
            target_group: None,
            source_address: SourceAddress::default(),
        }
    }
}
