//! Denials: exact in the audit record, vague to the client.

use alb_mtls_http::page;
use alb_mtls_verifier::{Reason, ReasonCode, Rejection};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::denial_page::{self, DenialForm};
use crate::reason::{DenialReason, GateReason};

/// Reason why a request is denied, with its particulars. [`std::fmt::Display`] is one sentence for
/// the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The client's certificate is missing or rejected.
    #[error("{0}")]
    Certificate(Rejection),
    /// The client's bearer token is missing, not valid or bound to another certificate.
    #[cfg(feature = "token")]
    #[error("{0}")]
    Token(alb_mtls_token::TokenRejection),
    /// Policies deny the request.
    #[cfg(feature = "policy")]
    #[error("{0}")]
    Policy(alb_mtls_policy::PolicyDenial),
    /// The gate itself denies the request.
    #[error("{explanation}")]
    Gate {
        /// Row of the gate's table.
        reason: GateReason,
        /// Particulars, as one sentence.
        explanation: String,
    },
}

/// Content of the response to a denied client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DenialBody {
    /// The status in words.
    #[default]
    Vague,
    /// The reason code too: for tests and for clients of the operator's own.
    WithCode,
}

impl DenialBody {
    pub(crate) const ALL: &'static [Self] = &[Self::Vague, Self::WithCode];

    /// Returns the word in `MTLS_EXPOSE_CODE`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Vague => "false",
            Self::WithCode => "true",
        }
    }
}

impl From<Rejection> for Denial {
    fn from(rejection: Rejection) -> Self {
        Self::Certificate(rejection)
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self::Certificate(reason.into())
    }
}

#[cfg(feature = "token")]
impl From<alb_mtls_token::TokenRejection> for Denial {
    fn from(rejection: alb_mtls_token::TokenRejection) -> Self {
        Self::Token(rejection)
    }
}

#[cfg(feature = "policy")]
impl From<alb_mtls_policy::PolicyDenial> for Denial {
    fn from(denial: alb_mtls_policy::PolicyDenial) -> Self {
        Self::Policy(denial)
    }
}

impl Denial {
    /// Creates a denial by the gate itself; `explanation` is one sentence for the operator.
    pub fn new(reason: GateReason, explanation: impl Into<String>) -> Self {
        Self::Gate {
            reason,
            explanation: explanation.into(),
        }
    }

    /// Returns the row of the registry of reasons.
    pub fn reason(&self) -> DenialReason {
        match self {
            Self::Certificate(rejection) => rejection.reason().into(),
            #[cfg(feature = "token")]
            Self::Token(rejection) => rejection.reason().into(),
            #[cfg(feature = "policy")]
            Self::Policy(denial) => denial.reason().into(),
            Self::Gate { reason, .. } => (*reason).into(),
        }
    }

    /// Returns `true` if policies denied the request.
    pub(crate) fn is_of_policies(&self) -> bool {
        #[cfg(feature = "policy")]
        return matches!(self, Self::Policy(_));
        #[cfg(not(feature = "policy"))]
        false
    }

    /// Returns `true` if the request was denied for its token, or for lack of keys to check tokens
    /// with.
    pub(crate) fn is_of_tokens(&self) -> bool {
        let reason = GateReason::NoTokenKeys;
        self.token_challenge().is_some()
            || matches!(self, Self::Gate { reason: known, .. } if *known == reason)
    }

    /// Returns `true` if the deny list names the client, or cannot be had.
    pub(crate) fn is_of_deny_list(&self) -> bool {
        matches!(
            self,
            Self::Gate {
                reason: GateReason::DenyList | GateReason::NoDenyList,
                ..
            }
        )
    }

    /// Returns the code in the words of the load balancer's connection log.
    pub fn code(&self) -> ReasonCode {
        self.reason().code
    }

    /// Returns the finer reason in `snake_case`.
    pub fn detail(&self) -> &'static str {
        self.reason().detail
    }

    /// Returns the status: 401 for a certificate or token that is missing or not valid, 403 for
    /// what is not allowed, 503 when the gate cannot decide, 400 for what is not a servable
    /// request.
    pub fn status(&self) -> StatusCode {
        self.reason().status
    }

    /// Returns what `WWW-Authenticate` says to the client (RFC 9110 §15.5.2, RFC 6750 §3), for a
    /// status of 401. No scheme is registered for TLS client certificates.
    pub fn challenge(&self) -> Option<&'static str> {
        let is_unauthorized = self.status() == StatusCode::UNAUTHORIZED;
        self.token_challenge()
            .or_else(|| is_unauthorized.then_some("ClientCertificate"))
    }

    /// Returns the challenge of RFC 6750 §3, if the token is the reason.
    pub(crate) fn token_challenge(&self) -> Option<&'static str> {
        match self {
            #[cfg(feature = "token")]
            Self::Token(rejection) => Some(rejection.reason().challenge().as_str()),
            _ => None,
        }
    }

    /// Returns the response to the client. It does not say why, unless the settings ask for the
    /// code.
    pub(crate) fn to_response<B: From<String>>(&self, body: DenialBody, form: &DenialForm) -> Response<B> {
        let status = self.status();
        let content = match form {
            DenialForm::Problem => self.to_problem(body),
            DenialForm::Page { trace_id } => denial_page::render(self, body, trace_id.as_deref()),
        };
        let mut response = Response::new(B::from(content));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        match form {
            DenialForm::Problem => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            DenialForm::Page { .. } => page::set_headers(headers),
        }
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    /// Returns problem details (RFC 9457) as JSON.
    fn to_problem(&self, body: DenialBody) -> String {
        let reason = self.reason();
        let status = reason.status;
        let problem = ProblemDetails {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: match self.token_challenge() {
                Some(_) => "an access token for the client certificate is required",
                None => public_detail(status),
            },
            code: match body {
                DenialBody::Vague => None,
                DenialBody::WithCode => Some(reason.code),
            },
        };
        // A struct of text and numbers always serialises.
        serde_json::to_string(&problem).unwrap_or_default() + "\n"
    }
}

#[derive(Serialize)]
struct ProblemDetails {
    title: &'static str,
    status: u16,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ReasonCode>,
}

const fn public_detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "a valid client certificate is required",
        StatusCode::FORBIDDEN => "this request is not allowed",
        StatusCode::SERVICE_UNAVAILABLE => "the request cannot be decided at the moment",
        _ => "the request cannot be served",
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "token")]
    use alb_mtls_token::{TokenReason, TokenRejection};

    use super::*;

    #[cfg(feature = "token")]
    #[test]
    fn challenge_for_token_is_that_of_rfc_6750() {
        for (denial, challenge) in [
            (
                Denial::from(Reason::CertificateMissing),
                Some("ClientCertificate"),
            ),
            (TokenRejection::from(TokenReason::Missing).into(), Some("Bearer")),
            (
                TokenRejection::from(TokenReason::OtherCertificate).into(),
                Some("Bearer error=\"invalid_token\""),
            ),
            (Denial::new(GateReason::NoTokenKeys, ""), None),
            (Denial::new(GateReason::TargetGroup, ""), None),
        ] {
            let response = denial.to_response::<String>(DenialBody::Vague, &DenialForm::Problem);
            let sent = response.headers().get(WWW_AUTHENTICATE);
            assert_eq!(sent.map(|value| value.to_str().unwrap()), challenge, "{denial:?}");
        }
    }

    #[test]
    fn body_has_code_only_when_exposed() {
        let denial = Denial::from(Rejection::new(Reason::Expired).because("notAfter was long ago"));
        let vague = denial
            .to_response::<String>(DenialBody::Vague, &DenialForm::Problem)
            .into_body();
        assert_eq!(
            vague,
            r#"{"title":"Unauthorized","status":401,"detail":"a valid client certificate is required"}"#
                .to_owned()
                + "\n"
        );
        let exposed = denial
            .to_response::<String>(DenialBody::WithCode, &DenialForm::Problem)
            .into_body();
        assert!(
            exposed.contains(r#""code":"ClientCertExpired""#) && !exposed.contains("long ago"),
            "{exposed}"
        );
    }
}
