//! Comparison of an outcome with the expected one.

use http::StatusCode;

use super::answer::{Answer, Outcome, Sender};

/// Outcome that a request must have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expected {
    /// The client is valid.
    Accepted,
    /// The client has a certificate that is not valid.
    Denied,
    /// The client has no certificate: denied, or allowed as anonymous where the operator says so.
    DeniedOrAnonymous,
    /// Both can be right; the report says what each means.
    Either,
    /// An answer of any kind but an error of the function.
    Answered,
}

/// Place of an outcome beside what was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    AsExpected,
    /// The outcome does not tell.
    NotSeen,
    Wrong(Wrong),
}

/// Kind of a finding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wrong {
    Allowed,
    /// Denied, but not by the gate.
    NotTheGate,
    ValidDenied,
    ValidForbidden,
    NoTrustMaterial,
    FunctionError,
    NoAnswer,
    UnexpectedStatus,
    HandshakeFailed,
}

/// Facts about the deployment, from the operator.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    /// Requests without a certificate are allowed on purpose.
    pub(super) is_anonymous_allowed: bool,
    /// Statuses of a valid client's request beside 2xx.
    pub(super) accepted: Vec<u16>,
}

impl Deployment {
    /// Returns true if the target answered as it does to an allowed client.
    pub(super) fn is_accepted(&self, outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Answered(answer) if answer.sender == Sender::Target && self.has_status(answer))
    }

    fn has_status(&self, answer: &Answer) -> bool {
        answer.status.is_success() || self.accepted.contains(&answer.status.as_u16())
    }

    pub(super) fn judge(&self, expected: Expected, outcome: &Outcome) -> Verdict {
        let answer = match outcome {
            Outcome::Answered(answer) => answer,
            // A client that the load balancer does not take is not allowed either.
            Outcome::HandshakeFailed(_) | Outcome::Closed(_) => {
                return match expected {
                    Expected::Accepted => Verdict::Wrong(Wrong::HandshakeFailed),
                    _ => Verdict::AsExpected,
                };
            }
            Outcome::Unreachable(_) | Outcome::TimedOut(_) => return Verdict::Wrong(Wrong::NoAnswer),
        };
        match expected {
            Expected::Accepted => self.judge_valid(answer),
            Expected::Denied => Self::judge_denied(answer),
            Expected::DeniedOrAnonymous if !self.is_anonymous_allowed => Self::judge_denied(answer),
            Expected::DeniedOrAnonymous => match (answer.sender, answer.is_verified) {
                (Sender::Target, Some(true)) => Verdict::Wrong(Wrong::Allowed),
                (Sender::Target, None) => Verdict::NotSeen,
                _ => Self::without_function_error(answer),
            },
            Expected::Either | Expected::Answered => Self::without_function_error(answer),
        }
    }

    fn judge_valid(&self, answer: &Answer) -> Verdict {
        Verdict::Wrong(match (answer.sender, answer.status) {
            (Sender::Target, _) if self.has_status(answer) => return Verdict::AsExpected,
            (Sender::Gate, StatusCode::FORBIDDEN) => Wrong::ValidForbidden,
            (Sender::Gate, StatusCode::SERVICE_UNAVAILABLE) => Wrong::NoTrustMaterial,
            (Sender::Gate, _) => Wrong::ValidDenied,
            (Sender::LoadBalancer, status) if status.is_server_error() => Wrong::FunctionError,
            _ => Wrong::UnexpectedStatus,
        })
    }

    /// Judges a request that must not reach the target. An answer that is not a denial of the gate,
    /// or of the load balancer, is one of the target.
    fn judge_denied(answer: &Answer) -> Verdict {
        match answer.sender {
            Sender::Target => Verdict::Wrong(match answer.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Wrong::NotTheGate,
                _ => Wrong::Allowed,
            }),
            Sender::Gate | Sender::LoadBalancer => Self::without_function_error(answer),
        }
    }

    fn without_function_error(answer: &Answer) -> Verdict {
        match answer.sender == Sender::LoadBalancer && answer.status.is_server_error() {
            true => Verdict::Wrong(Wrong::FunctionError),
            false => Verdict::AsExpected,
        }
    }
}
