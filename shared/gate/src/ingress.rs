//! The way that a request took to the gate.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Way that a request took, as far as the edge knows: a request extension that the edge sets.
///
/// Without it the request came over HTTP, to a container that is an IP target of the load balancer,
/// and its peer is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// Sender of the request, as far as the network tells it.
    pub peer: Peer,
    /// True if a program between the load balancer and the gate has replaced `X-Forwarded-For`, or
    /// appended to it: policies that ask for the source address then deny.
    pub hides_source_address: bool,
    /// ARN of the target group in the Lambda event.
    pub target_group: Option<String>,
    /// Lambda's id of the invocation.
    pub function_request_id: Option<String>,
    /// Lambda's trace id of the invocation, for X-Ray.
    pub xray_trace_id: Option<String>,
    /// The Lambda function.
    pub function: Option<Arc<FunctionFacts>>,
    /// Time at which Lambda ends the invocation.
    pub deadline: Option<SystemTime>,
}

/// Sender of a request, from the network and never from a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Peer {
    /// The edge does not know an address, as in a Lambda event.
    #[default]
    Unknown,
    /// Address of the other end of the TCP connection.
    Address(IpAddr),
    /// A proxy that the operator trusts asks whether it may pass on a request, and has checked
    /// itself where that came from.
    ///
    /// The answer goes to the proxy, so that nothing is answered in the place of a service: health
    /// checks need a certificate like other requests, and routes that are public here are not
    /// public there.
    Vouched,
}

impl Peer {
    /// Returns the address, if the network told one.
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.to_canonical()),
            Self::Unknown | Self::Vouched => None,
        }
    }
}

impl Ingress {
    /// Returns the way of a request over HTTP, whose sender is known.
    pub fn from_peer(peer: Peer) -> Self {
        Self {
            peer,
            ..Self::default()
        }
    }

    /// Returns the time until Lambda ends the invocation; `None` where there is no end.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.deadline?.duration_since(SystemTime::now());
        Some(left.unwrap_or_default())
    }
}

/// A Lambda function, by the names that Powertools for AWS Lambda uses in records.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FunctionFacts {
    /// Name of the function.
    #[serde(rename = "function_name")]
    pub name: String,
    /// Version of the function, such as `$LATEST`.
    #[serde(rename = "function_version")]
    pub version: String,
}
