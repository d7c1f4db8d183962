//! What a decision is made on.

use std::net::IpAddr;

use alb_mtls_verifier::{ClientIdentity, Timestamp};

/// Everything that a decision is made on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who asks.
    pub principal: Principal<'a>,
    /// For what.
    pub request: RequestFacts<'a>,
    /// When.
    pub now: Timestamp,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    /// A verified client.
    Client(&'a ClientIdentity),
    /// Somebody without a certificate, where that is allowed at all.
    Anonymous,
}

/// What of a request policies can ask about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    /// The method as sent; methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// The path as sent: not decoded, not normalised, without the query.
    pub path: &'a str,
    /// The value of the Host header; `None` when there is none, and when there are several.
    pub host: Option<&'a str>,
    /// ARN of the target group in the Lambda event.
    pub target_group: Option<&'a str>,
    /// The peer of the load balancer's connection; see [`last_forwarded_address`](crate::last_forwarded_address).
    pub source_address: Option<IpAddr>,
}
