//! Refusals: exact in the record, vague to the client.

use alb_mtls_http::host::RequestHost;
use alb_mtls_token::{TokenReason, TokenRejection};
use alb_mtls_verifier::{Reason, ReasonCode, Rejection};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Serialize;

/// Why a request does not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The client's certificate is missing or not accepted.
    #[error("{0}")]
    Certificate(Rejection),
    /// The request came through a target group that is not served.
    #[error("the request came through the target group `{0}`, which MTLS_TARGET_GROUPS does not list")]
    TargetGroup(String),
    /// The request did not come through a load balancer although only its target groups are served.
    #[error("the request names no target group although MTLS_TARGET_GROUPS is set")]
    NoTargetGroup,
    /// Not an HTTP request that can be served.
    #[error("{0}")]
    NotServable(String),
    /// The host decides something, and the request names none that can be read.
    #[error("{0}, and routes go by hosts")]
    HostUnclear(RequestHost),
    /// There is no trust material to decide with.
    #[error("there is no trust material: {0}")]
    NoTrustMaterial(String),
    /// The client's certificate came from another place than the one that the deployment is set to.
    #[error("{0}")]
    CertificateSource(String),
    /// The request states an identity in a header that would reach the service behind.
    #[error("the request has the header `{0}`, which states an identity and would reach the service behind")]
    IdentityHeader(String),
    /// The request restates what the gate decides by.
    #[error("{0}")]
    Restated(String),
    /// The request asks for a tunnel.
    #[error("the method CONNECT asks for a tunnel, and the gate decides about requests")]
    Connect,
    /// The client's bearer token is missing, not valid or bound to another certificate.
    #[error("{0}")]
    Token(TokenRejection),
    /// Policies do not let the request pass.
    #[error("{explanation}")]
    Policy {
        /// The finer reason, one of [`GATE_REASONS`].
        detail: &'static str,
        /// The particulars, as one clause.
        explanation: String,
    },
    /// There are no keys to check tokens with.
    #[error("there are no keys to check tokens with: {0}")]
    NoTokenKeys(String),
}

/// What a refused client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RefusalBody {
    /// That it is refused.
    #[default]
    Vague,
    /// The reason code too: for tests and for clients of one's own.
    WithCode,
}

impl RefusalBody {
    pub(crate) const ALL: &'static [Self] = &[Self::Vague, Self::WithCode];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Vague => "false",
            Self::WithCode => "true",
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Certificate(rejection)
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::Certificate(reason.into())
    }
}

impl From<TokenRejection> for Refusal {
    fn from(rejection: TokenRejection) -> Self {
        Self::Token(rejection)
    }
}

/// A refusal of the gate's own, as the documentation shows it beside the verifier's reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateReason {
    /// The code in the words of the load balancer's connection log.
    pub code: ReasonCode,
    /// The finer reason in `snake_case`.
    pub detail: &'static str,
    /// The status of the response.
    pub status: StatusCode,
    /// What happened, as one clause.
    pub meaning: &'static str,
    /// What the operator can do about it, as one clause.
    pub remedy: &'static str,
}

const TARGET_GROUP: GateReason = GateReason {
    code: ReasonCode::ClientCertRejected,
    detail: "target_group",
    status: StatusCode::FORBIDDEN,
    meaning: "the request came through a target group that is not served",
    remedy: "add its ARN to MTLS_TARGET_GROUPS, or find out who registered the function there",
};

const NOT_SERVABLE: GateReason = GateReason {
    code: ReasonCode::UnmappedConnectionError,
    detail: "not_servable",
    status: StatusCode::BAD_REQUEST,
    meaning: "the event is not an HTTP request that can be served",
    remedy: "look at the explanation in the record: the client or a test event is malformed",
};

const HOST_UNCLEAR: GateReason = GateReason {
    code: ReasonCode::UnmappedConnectionError,
    detail: "host_unclear",
    status: StatusCode::BAD_REQUEST,
    meaning: "routes or policies go by hosts, and the request has no Host header that can be read, or several",
    remedy: "look at the explanation in the record: an attempt to get around a rule, or a malformed client",
};

const NO_TRUST_MATERIAL: GateReason = GateReason {
    code: ReasonCode::UnmappedConnectionError,
    detail: "no_trust_material",
    status: StatusCode::SERVICE_UNAVAILABLE,
    meaning: "trust anchors could not be loaded, or are older than MTLS_MAX_STALE",
    remedy: "look at the explanation in the record: a source is unreadable, or its content was refused",
};

const CERTIFICATE_SOURCE: GateReason = GateReason {
    code: ReasonCode::ClientCertInvalid,
    detail: "certificate_source",
    status: StatusCode::UNAUTHORIZED,
    meaning: "the request holds a certificate in a place where this deployment does not expect one",
    remedy: "an attempt to pass off a certificate, or AUTHORIZE_CERTIFICATE does not fit how the API is reached",
};

const IDENTITY_HEADER: GateReason = GateReason {
    code: ReasonCode::ClientCertInvalid,
    detail: "identity_header",
    status: StatusCode::BAD_REQUEST,
    meaning: "the request states an identity in a header that an authorizer cannot remove",
    remedy: "an attempt to pass for another client, or a proxy that sets the header: remove it there, or list it in MTLS_PASS_HEADERS",
};

const RESTATED: GateReason = GateReason {
    code: ReasonCode::UnmappedConnectionError,
    detail: "restated",
    status: StatusCode::BAD_REQUEST,
    meaning: "the request restates its method, path or host in another place",
    remedy: "have the client send the method itself; MTLS_RESTATED=keep where nothing behind the gate reads such fields",
};

const CONNECT: GateReason = GateReason {
    code: ReasonCode::UnmappedConnectionError,
    detail: "method_connect",
    status: StatusCode::BAD_REQUEST,
    meaning: "the request asks for a tunnel with the method CONNECT",
    remedy: "find out who sends it: no service behind the gate is a proxy",
};

const NO_TOKEN_KEYS: GateReason = GateReason {
    code: ReasonCode::UnmappedConnectionError,
    detail: "no_token_keys",
    status: StatusCode::SERVICE_UNAVAILABLE,
    meaning: "the issuer's keys could not be loaded, or are older than MTLS_MAX_STALE",
    remedy: "look at the explanation in the record: a source of MTLS_TOKEN_KEYS is unreadable, or its content was refused",
};

const fn token(reason: TokenReason) -> GateReason {
    GateReason {
        code: ReasonCode::ClientCertRejected,
        detail: reason.detail(),
        status: StatusCode::UNAUTHORIZED,
        meaning: reason.meaning(),
        remedy: reason.remedy(),
    }
}

const fn policy(detail: &'static str, meaning: &'static str, remedy: &'static str) -> GateReason {
    GateReason {
        code: ReasonCode::ClientCertRejected,
        detail,
        status: StatusCode::FORBIDDEN,
        meaning,
        remedy,
    }
}

/// Nothing is known of the refusal but that policies do not let the request pass.
const NOT_PERMITTED: GateReason = policy(
    "policy_does_not_permit",
    "no policy permits the request",
    "add a permit to MTLS_POLICY if it should pass; `alb-mtls policy check` shows what a certificate may do",
);

/// The gate's own refusals, in the order of the documentation.
pub const GATE_REASONS: &[GateReason] = &[
    TARGET_GROUP,
    NOT_SERVABLE,
    HOST_UNCLEAR,
    NO_TRUST_MATERIAL,
    CERTIFICATE_SOURCE,
    IDENTITY_HEADER,
    RESTATED,
    CONNECT,
    token(TokenReason::Missing),
    token(TokenReason::Repeated),
    token(TokenReason::Unreadable),
    token(TokenReason::Malformed),
    token(TokenReason::Algorithm),
    token(TokenReason::KeyUnknown),
    token(TokenReason::Signature),
    token(TokenReason::Claims),
    token(TokenReason::Issuer),
    token(TokenReason::Audience),
    token(TokenReason::Expired),
    token(TokenReason::NotYetValid),
    token(TokenReason::NotBound),
    token(TokenReason::OtherCertificate),
    NO_TOKEN_KEYS,
    NOT_PERMITTED,
    policy(
        "policy_forbids",
        "a policy forbids the request, whatever others permit",
        "the record names the policies: narrow their conditions if the request should pass",
    ),
    policy(
        "policy_failed",
        "a policy could not be evaluated, so that nothing is permitted",
        "look at the explanation in the record, and ask `has` for optional attributes and bounds before sums",
    ),
    policy(
        "policy_path_not_plain",
        "a policy goes by paths, and the path of the request can be read in more than one way",
        "an attempt to get around a rule, or a client that does not normalise its paths: have it send plain ones",
    ),
    policy(
        "policy_path_spelling",
        "some servers take the path of the request for one that a policy names in another spelling",
        "an attempt to get around a rule, or a client that is to write the path as the policy does",
    ),
    policy(
        "policy_source_address_unclear",
        "a policy asks for the source address, and the last entry of X-Forwarded-For is not an address",
        "set the load balancer's attribute routing.http.xff_header_processing.mode to `append`",
    ),
    policy(
        "policy_identity_too_large",
        "the certificate holds more names than policies search",
        "reissue the certificate with fewer names; nobody honest needs two thousand",
    ),
    policy(
        "policy_fact_unrepresentable",
        "a fact about the client or the request cannot be put to the policies",
        "look at the explanation in the record, and report it: it should not happen",
    ),
];

impl Refusal {
    fn gate_reason(&self) -> Option<GateReason> {
        match self {
            Self::Certificate(_) => None,
            Self::TargetGroup(_) | Self::NoTargetGroup => Some(TARGET_GROUP),
            Self::NotServable(_) => Some(NOT_SERVABLE),
            Self::HostUnclear(_) => Some(HOST_UNCLEAR),
            Self::NoTrustMaterial(_) => Some(NO_TRUST_MATERIAL),
            Self::CertificateSource(_) => Some(CERTIFICATE_SOURCE),
            Self::IdentityHeader(_) => Some(IDENTITY_HEADER),
            Self::Restated(_) => Some(RESTATED),
            Self::Connect => Some(CONNECT),
            Self::Token(rejection) => Some(token(rejection.reason())),
            Self::NoTokenKeys(_) => Some(NO_TOKEN_KEYS),
            Self::Policy { detail, .. } => {
                let known = GATE_REASONS.iter().find(|reason| reason.detail == *detail);
                Some(known.copied().unwrap_or(NOT_PERMITTED))
            }
        }
    }

    /// The code in the words of the load balancer's connection log.
    pub fn code(&self) -> ReasonCode {
        match (self, self.gate_reason()) {
            (Self::Certificate(rejection), _) => rejection.code(),
            (_, Some(reason)) => reason.code,
            (_, None) => ReasonCode::UnmappedConnectionError,
        }
    }

    /// The finer reason in `snake_case`.
    pub fn detail(&self) -> &'static str {
        match (self, self.gate_reason()) {
            (Self::Certificate(rejection), _) => rejection.detail(),
            (_, Some(reason)) => reason.detail,
            (_, None) => "unknown",
        }
    }

    /// 401 for a certificate that is missing or not valid, 403 for what is not allowed, 503 when nothing can be
    /// decided, 400 for what is no request.
    pub fn status(&self) -> StatusCode {
        self.gate_reason()
            .map_or(StatusCode::UNAUTHORIZED, |reason| reason.status)
    }

    /// What `WWW-Authenticate` says to the client (RFC 9110 §15.5.2, RFC 6750 §3), for a status of 401. No scheme is
    /// registered for TLS client certificates.
    pub fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Token(rejection) => Some(rejection.reason().challenge().as_str()),
            _ if self.status() == StatusCode::UNAUTHORIZED => Some("ClientCertificate"),
            _ => None,
        }
    }

    /// The response to the client: problem details (RFC 9457) that do not say why, unless the settings ask for the
    /// code.
    pub fn to_response<B: From<String>>(&self, body: RefusalBody) -> Response<B> {
        let status = self.status();
        let problem = Problem {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: match self {
                Self::Token(_) => "an access token for the client certificate is required",
                _ => public_detail(status),
            },
            code: match body {
                RefusalBody::Vague => None,
                RefusalBody::WithCode => Some(self.code()),
            },
        };
        // A struct of text and numbers always serialises.
        let json = serde_json::to_string(&problem).unwrap_or_default() + "\n";
        let mut response = Response::new(B::from(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[derive(Serialize)]
struct Problem {
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
    use super::*;

    #[test]
    fn every_reason_of_a_token_is_in_the_documentation() {
        for reason in TokenReason::ALL {
            assert!(GATE_REASONS.contains(&token(*reason)), "{reason:?}");
        }
    }

    #[cfg(feature = "policy")]
    #[test]
    fn every_denial_by_policies_is_in_the_documentation() {
        for detail in alb_mtls_policy::Denial::DETAILS {
            let refusal = Refusal::Policy {
                detail,
                explanation: String::new(),
            };
            let expected = match *detail {
                "host_unclear" => ("UnmappedConnectionError", 400),
                _ => ("ClientCertRejected", 403),
            };
            assert_eq!(refusal.detail(), *detail);
            assert_eq!((refusal.code().as_str(), refusal.status().as_u16()), expected);
        }
    }

    #[test]
    fn the_challenge_is_that_of_rfc_6750_for_tokens() {
        for (refusal, challenge) in [
            (
                Refusal::from(Reason::CertificateMissing),
                Some("ClientCertificate"),
            ),
            (TokenRejection::from(TokenReason::Missing).into(), Some("Bearer")),
            (
                TokenRejection::from(TokenReason::OtherCertificate).into(),
                Some("Bearer error=\"invalid_token\""),
            ),
            (Refusal::NoTokenKeys(String::new()), None),
            (Refusal::NoTargetGroup, None),
        ] {
            let response = refusal.to_response::<String>(RefusalBody::Vague);
            let sent = response.headers().get(WWW_AUTHENTICATE);
            assert_eq!(
                sent.map(|value| value.to_str().unwrap()),
                challenge,
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn the_client_learns_the_reason_only_when_asked_for() {
        let refusal = Refusal::from(Rejection::new(Reason::Expired).because("notAfter was long ago"));
        let vague = refusal.to_response::<String>(RefusalBody::Vague).into_body();
        assert_eq!(
            vague,
            r#"{"title":"Unauthorized","status":401,"detail":"a valid client certificate is required"}"#
                .to_owned()
                + "\n"
        );
        let exposed = refusal.to_response::<String>(RefusalBody::WithCode).into_body();
        assert!(
            exposed.contains(r#""code":"ClientCertExpired""#) && !exposed.contains("long ago"),
            "{exposed}"
        );
    }
}
