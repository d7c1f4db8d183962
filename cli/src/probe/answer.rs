//! An answer, and the program that it is from.

use std::fmt;
use std::time::Duration;

use http::header::{CONTENT_TYPE, SERVER};
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// Outcome of one request.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Answer),
    /// The handshake ended before a request could be sent.
    HandshakeFailed(String),
    /// The connection ended after the client's part of the handshake, without an answer.
    Closed(String),
    /// There was no connection.
    Unreachable(String),
    TimedOut(Duration),
}

/// An answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) sender: Sender,
    /// Reason code of a denial, with `MTLS_EXPOSE_CODE=true`.
    pub(super) code: Option<String>,
    /// Verdict that `respond` shows.
    pub(super) is_verified: Option<bool>,
    /// Path that `respond` got.
    pub(super) path: Option<String>,
    pub(super) body: String,
    pub(super) headers: HeaderMap,
}

/// Program that an answer is from, as far as the answer shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sender {
    /// A denial of the gate.
    Gate,
    LoadBalancer,
    /// A function or an upstream: the request got past the gate, or there is not one.
    Target,
}

/// Statuses of the gate's denials. The forwarder's own errors are 502 and 504.
const DENIALS: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::SERVICE_UNAVAILABLE,
];

impl Answer {
    pub(super) fn read(head: &Parts, body: &[u8]) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let member = |name: &str| json.as_ref().and_then(|json| json.get(name));
        let is_problem = text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/problem+json"));
        let is_denial = is_problem
            && DENIALS.contains(&head.status)
            && member("status").and_then(Value::as_u64) == Some(head.status.as_u16().into());
        // A redirect or a fixed 200 of the load balancer is not a denial either.
        let is_error = head.status.is_client_error() || head.status.is_server_error();
        let sender = match is_denial {
            true => Sender::Gate,
            false if is_error && text(SERVER).is_some_and(|server| server.starts_with("awselb/")) => {
                Sender::LoadBalancer
            }
            false => Sender::Target,
        };
        let code = member("code").and_then(Value::as_str).filter(|_| is_denial);
        // What `respond` answers; other programs can have a member of one of these names.
        let of_respond = |json: &&Value| json.get("client").is_some() && json.get("request").is_some();
        let respond = json.as_ref().filter(of_respond);
        Self {
            status: head.status,
            sender,
            code: code
                .filter(|code| code.chars().all(|one| one.is_ascii_alphanumeric()))
                .map(str::to_owned),
            is_verified: respond
                .and_then(|json| json.get("verified"))
                .and_then(Value::as_bool),
            path: respond
                .and_then(|json| json.pointer("/request/path"))
                .and_then(Value::as_str)
                .map(str::to_owned),
            body: String::from_utf8_lossy(body).into_owned(),
            headers: head.headers.clone(),
        }
    }

    /// Returns true if a text is anywhere in the answer.
    pub(super) fn contains(&self, text: &str) -> bool {
        let mut values = self.headers.values();
        self.body.contains(text)
            || values.any(|value| String::from_utf8_lossy(value.as_bytes()).contains(text))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => {
                let status = answer.status.as_u16();
                match (answer.sender, &answer.code) {
                    (Sender::Gate, Some(code)) => write!(formatter, "{status} from the gate ({code})"),
                    (Sender::Gate, None) => write!(formatter, "{status} from the gate"),
                    (Sender::LoadBalancer, _) => write!(formatter, "{status} from the load balancer"),
                    (Sender::Target, _) => write!(formatter, "{status} from what is behind the gate"),
                }
            }
            Self::HandshakeFailed(problem) => write!(formatter, "TLS handshake failed: {problem}"),
            Self::Closed(problem) => write!(formatter, "no answer: {problem}"),
            Self::Unreachable(problem) => write!(formatter, "no connection: {problem}"),
            Self::TimedOut(limit) => write!(formatter, "no answer within {} seconds", limit.as_secs()),
        }
    }
}
