//! Errors of forwarding: exact in the log, a problem that only names its kind to the client.

use std::time::Duration;

use alb_mtls_gate::Ingress;
use alb_mtls_http::address::AddressClass;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::upstream::Upstream;

/// Error of obtaining an answer from the upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// No route takes the path, and there is no upstream for the rest.
    #[error("no route takes the request, and FORWARD_UPSTREAM is not set")]
    NoRoute,
    /// More than one Host header, or another host in the target.
    #[error("the request names several hosts")]
    SeveralHosts,
    /// The target cannot be put behind the upstream's URL.
    #[error("the request's target cannot be sent on: {0}")]
    Target(String),
    /// A method that the path does not know.
    #[error("the key set is only there to be read")]
    KeySetMethod,
    /// The client's body cannot be read to its end.
    #[error("the request's body cannot be read: {0}")]
    RequestBody(String),
    /// The client stopped in the middle of its body.
    #[error(
        "the client sent nothing more of the request's body within {} ms, which is FORWARD_TIMEOUT", .0.as_millis()
    )]
    RequestStalled(Duration),
    /// The client's body is larger than the operator allows.
    #[error("the request's body is larger than {limit} bytes")]
    RequestTooLarge {
        /// Most bytes that are sent on.
        limit: usize,
    },
    /// Keys or trust anchors of our own cannot be read.
    #[error("{0}")]
    Material(String),
    /// The upstream's name has no address.
    #[error("the upstream's name cannot be resolved: {0}")]
    Name(String),
    /// The upstream's name resolves to an address that upstreams are not allowed to have.
    #[error("the upstream's name leads to {address}, {class}")]
    Address {
        /// The address.
        address: std::net::IpAddr,
        /// Class that it is forbidden for.
        class: AddressClass,
    },
    /// The upstream does not listen at its port.
    #[error("the upstream refused the connection: {0}")]
    Refused(String),
    /// No way there.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    /// No connection in time.
    #[error("the upstream accepted no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    /// No TLS connection.
    #[error("no TLS connection to the upstream: {0}")]
    Tls(String),
    /// The connection ended before the answer did.
    #[error("the upstream ended the connection before its answer was complete: {0}")]
    Closed(String),
    /// The answer is not HTTP.
    #[error("the upstream's answer is not valid HTTP: {0}")]
    Protocol(String),
    /// The event cannot be handed to a function.
    #[error("the event cannot be handed to the function: {0}")]
    Event(String),
    /// Lambda did not run the function.
    #[error("Lambda did not run the function: {0}")]
    Invoke(String),
    /// Lambda already runs as many invocations as its limits allow.
    #[error("Lambda already runs as many invocations as its limits allow: {0}")]
    Throttled(String),
    /// The function failed.
    #[error("the function failed: {0}")]
    Function(String),
    /// The function's answer is not a response.
    #[error("the function's answer is not a response that a load balancer accepts: {0}")]
    FunctionAnswer(String),
    /// No complete answer in time.
    #[error("the upstream gave no complete answer within {} ms, {limit}", .elapsed.as_millis())]
    Timeout {
        /// Time that it had.
        elapsed: Duration,
        /// Limit that ended it.
        limit: TimeLimit,
    },
    /// The answer is larger than the load balancer takes.
    #[error(
        "the answer is larger than the {limit} bytes of JSON that a load balancer takes from a function: {size}"
    )]
    TooLarge {
        /// Most bytes that are taken.
        limit: usize,
        /// Known part of its size.
        size: String,
    },
    /// The answer's headers are larger than the load balancer takes.
    #[error("the answer's headers are {size} bytes, more than the {limit} that a load balancer takes")]
    HeadersTooLarge {
        /// Most bytes that are taken.
        limit: usize,
        /// Bytes of names and values.
        size: usize,
    },
}

/// Limit that ended the wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeLimit {
    /// The operator's.
    #[error("which is FORWARD_TIMEOUT")]
    Setting,
    /// Lambda's.
    #[error("which is what the function's own timeout left")]
    Invocation,
}

impl ForwardError {
    /// Returns the kind of failure in `snake_case`, to search records for.
    pub fn detail(&self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::SeveralHosts => "several_hosts",
            Self::Target(_) => "target",
            Self::KeySetMethod => "key_set_method",
            Self::RequestBody(_) => "request_body",
            Self::RequestStalled(_) => "request_stalled",
            Self::RequestTooLarge { .. } => "request_too_large",
            Self::Material(_) => "material_unavailable",
            Self::Name(_) => "upstream_name",
            Self::Address { .. } => "upstream_address",
            Self::Refused(_) => "upstream_refused",
            Self::Unreachable(_) => "upstream_unreachable",
            Self::ConnectTimeout(_) => "upstream_connect_timeout",
            Self::Tls(_) => "upstream_tls",
            Self::Closed(_) => "upstream_closed",
            Self::Protocol(_) => "upstream_protocol",
            Self::Event(_) => "event",
            Self::Invoke(_) => "upstream_invoke",
            Self::Throttled(_) => "upstream_throttled",
            Self::Function(_) => "upstream_function_error",
            Self::FunctionAnswer(_) => "upstream_function_answer",
            Self::Timeout { .. } => "upstream_timeout",
            Self::TooLarge { .. } => "answer_too_large",
            Self::HeadersTooLarge { .. } => "answer_headers_too_large",
        }
    }

    /// Returns the status of the response to the client.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::SeveralHosts | Self::Target(_) | Self::RequestBody(_) => StatusCode::BAD_REQUEST,
            Self::RequestStalled(_) => StatusCode::REQUEST_TIMEOUT,
            Self::RequestTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::KeySetMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Material(_) | Self::Throttled(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout(_) | Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Name(_)
            | Self::Address { .. }
            | Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Tls(_)
            | Self::Closed(_)
            | Self::Protocol(_)
            | Self::Event(_)
            | Self::Invoke(_)
            | Self::Function(_)
            | Self::FunctionAnswer(_)
            | Self::TooLarge { .. }
            | Self::HeadersTooLarge { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    /// Returns the text for the client: the kind of failure, without names, addresses and
    /// certificates behind the gate.
    fn public_detail(&self) -> &'static str {
        match self {
            Self::NoRoute => "nothing is served at this path",
            Self::SeveralHosts => "the request names several hosts",
            Self::Target(_) => "the request's target cannot be sent on",
            Self::KeySetMethod => "the key set can only be read",
            Self::RequestBody(_) => "the request's body cannot be read",
            Self::RequestStalled(_) => "the rest of the request's body did not come in time",
            Self::RequestTooLarge { .. } => "the request's body is too large",
            Self::Material(_) => "the request cannot be forwarded at the moment",
            Self::Name(_) | Self::Address { .. } | Self::Unreachable(_) => "the upstream cannot be reached",
            Self::Refused(_) => "the upstream refused the connection",
            Self::ConnectTimeout(_) => "the upstream did not accept a connection in time",
            Self::Tls(_) => "no TLS connection to the upstream could be made",
            Self::Closed(_) => "the upstream ended the connection before its answer was complete",
            Self::Protocol(_) | Self::FunctionAnswer(_) => "the upstream's answer was not valid",
            Self::Event(_) | Self::Invoke(_) => "the upstream cannot be called",
            Self::Throttled(_) => "the upstream has too much to do",
            Self::Function(_) => "the upstream failed",
            Self::Timeout { .. } => "the upstream did not answer in time",
            Self::TooLarge { .. } => "the upstream's answer is too large",
            Self::HeadersTooLarge { .. } => "the headers of the upstream's answer are too large",
        }
    }

    /// Writes one line for the operator, which has the same ids as the record of the decision.
    pub fn report(&self, request: &Parts, upstream: Option<&Upstream>, duration: Duration) {
        let upstream = upstream.map(Upstream::to_string);
        let ingress = request.extensions.get::<Ingress>();
        let trace_id = request.headers.get("x-amzn-trace-id");
        tracing::error!(
            detail = self.detail(),
            explanation = %self,
            status = self.status().as_u16(),
            upstream,
            alb_trace_id = trace_id.and_then(|value| value.to_str().ok()),
            function_request_id = ingress.and_then(|ingress| ingress.function_request_id.as_deref()),
            duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            "not forwarded"
        );
    }

    /// Returns the response to the client: problem details (RFC 9457).
    pub fn to_response<B: From<String>>(&self) -> Response<B> {
        let status = self.status();
        let problem = Problem {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.public_detail(),
        };
        // A struct of text and numbers always serialises.
        let json = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = Response::new(B::from(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::KeySetMethod = self {
            headers.insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

#[derive(Serialize)]
struct Problem {
    title: &'static str,
    status: u16,
    detail: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_learns_the_kind_and_no_particulars() {
        let failure = ForwardError::Refused("10.0.0.7:8080: connection refused".to_owned());
        let response = failure.to_response::<String>();
        assert_eq!(response.status(), 502);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            response.into_body(),
            r#"{"title":"Bad Gateway","status":502,"detail":"the upstream refused the connection"}"#
        );
    }
}
