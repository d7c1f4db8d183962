//! The registry of reasons: every row of every table, as the documentation and the metrics show
//! them.

use alb_mtls_verifier::{Reason, ReasonCode};
use http::StatusCode;

/// Row of the registry: a reason for which a request is denied, whichever part of the gate denies
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenialReason {
    /// Code in the words of the load balancer's connection log.
    pub code: ReasonCode,
    /// Finer reason in `snake_case`; stable, for logs, metrics and queries.
    pub detail: &'static str,
    /// Status of the response.
    pub status: StatusCode,
    /// Event that led to the denial, as one clause.
    pub meaning: &'static str,
    /// Advice to the operator, as one clause.
    pub remedy: &'static str,
    /// True if `MTLS_MODE=report` lets the request pass. It never does where the request itself is
    /// the fault: there is no client to observe, and a service behind the gate could not read the
    /// request safely, or would take who the client says that it is for who it is.
    pub passes_in_report: bool,
}

alb_mtls_verifier::reason_table! {
    /// Reason for which the gate itself denies a request, before or after the certificate is
    /// verified.
    pub enum GateReason;
    TargetGroup, ClientCertRejected, "target_group",
        "the request came through a target group that is not served",
        "add its ARN to MTLS_TARGET_GROUPS, or find out who registered the function there";
    Peer, ClientCertRejected, "peer",
        "the request came over HTTP from an address that is in none of the networks of MTLS_PEERS",
        "find out who sends it past the load balancer, or add the network of the load balancer's subnet to MTLS_PEERS";
    NotServable, UnmappedConnectionError, "not_servable",
        "the event is not an HTTP request that can be served",
        "look at the explanation in the record: the client or a test event is malformed";
    HostUnclear, UnmappedConnectionError, "host_unclear",
        "routes or policies go by hosts, and the request has no Host header that can be read, or several",
        "look at the explanation in the record: an attempt to get around a rule, or a malformed client";
    NoTrustMaterial, UnmappedConnectionError, "no_trust_material",
        "trust anchors could not be loaded, or are older than MTLS_MAX_STALE",
        "look at the explanation in the record: a source is unreadable, or its content was refused";
    CertificateSource, ClientCertInvalid, "certificate_source",
        "the request has a certificate in a place where this deployment does not expect one",
        "an attempt to pass off a certificate, a proxy that rewrites `-` to `_`, or AUTHORIZE_CERTIFICATE does not fit how the API is reached";
    IdentityHeader, ClientCertInvalid, "identity_header",
        "the request states an identity in a header that an authorizer cannot remove",
        "an attempt to pass for another client, or a proxy that sets the header: remove it there, or list it in MTLS_PASS_HEADERS";
    Restated, UnmappedConnectionError, "restated",
        "the request restates its method, path or host in another place",
        "have the client send the method itself; MTLS_RESTATED=keep where nothing behind the gate reads such fields";
    Connect, UnmappedConnectionError, "method_connect",
        "the request asks for a tunnel with the method CONNECT",
        "find out who sends it: no service behind the gate is a proxy";
    DenyList, ClientCertRejected, "deny_list",
        "the deny list names the client, or a CA above it",
        "look at the explanation in the record, which quotes the entry; `alb-mtls deny remove` takes it back";
    NoDenyList, UnmappedConnectionError, "no_deny_list",
        "the deny list could not be loaded, or is older than MTLS_DENY_MAX_STALE",
        "look at the explanation in the record: a source of MTLS_DENY is missing, unreadable, or has a line that is not an entry";
    NoTokenKeys, UnmappedConnectionError, "no_token_keys",
        "the issuer's keys could not be loaded, or are older than MTLS_MAX_STALE",
        "look at the explanation in the record: a source of MTLS_TOKEN_KEYS is unreadable, or its content was refused";
}

impl GateReason {
    const fn status(self) -> StatusCode {
        match self {
            Self::TargetGroup | Self::Peer | Self::DenyList => StatusCode::FORBIDDEN,
            Self::CertificateSource => StatusCode::UNAUTHORIZED,
            Self::NoTrustMaterial | Self::NoDenyList | Self::NoTokenKeys => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotServable | Self::HostUnclear | Self::IdentityHeader | Self::Restated | Self::Connect => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    const fn passes_in_report(self) -> bool {
        match self {
            Self::TargetGroup | Self::Peer | Self::NotServable | Self::HostUnclear | Self::Connect => false,
            // Nothing removes the header here, so that a service behind would believe it.
            Self::CertificateSource | Self::IdentityHeader => false,
            Self::NoTrustMaterial
            | Self::Restated
            | Self::DenyList
            | Self::NoDenyList
            | Self::NoTokenKeys => true,
        }
    }
}

/// Makes a row of the registry from a row of a table of reasons.
macro_rules! registry_row {
    ($reason:expr, $status:expr, $passes_in_report:expr) => {
        DenialReason {
            code: $reason.code(),
            detail: $reason.detail(),
            status: $status,
            meaning: $reason.meaning(),
            remedy: $reason.remedy(),
            passes_in_report: $passes_in_report,
        }
    };
}

impl From<GateReason> for DenialReason {
    fn from(reason: GateReason) -> Self {
        registry_row!(reason, reason.status(), reason.passes_in_report())
    }
}

impl From<Reason> for DenialReason {
    fn from(reason: Reason) -> Self {
        registry_row!(reason, StatusCode::UNAUTHORIZED, true)
    }
}

#[cfg(feature = "token")]
impl From<alb_mtls_token::TokenReason> for DenialReason {
    fn from(reason: alb_mtls_token::TokenReason) -> Self {
        registry_row!(reason, StatusCode::UNAUTHORIZED, true)
    }
}

#[cfg(feature = "policy")]
impl From<alb_mtls_policy::PolicyReason> for DenialReason {
    fn from(reason: alb_mtls_policy::PolicyReason) -> Self {
        let status = match reason {
            alb_mtls_policy::PolicyReason::HostUnclear => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        registry_row!(reason, status, true)
    }
}

/// Returns every reason for which a request can be denied, in the order of the documentation.
///
/// A reason that stands in two tables, because policies can come to it too, is returned once.
pub fn denial_reasons() -> Vec<DenialReason> {
    let mut rows: Vec<DenialReason> = Vec::new();
    let mut add = |row: DenialReason| {
        if rows.iter().all(|known| known.detail != row.detail) {
            rows.push(row);
        }
    };
    Reason::ALL.iter().for_each(|reason| add((*reason).into()));
    GateReason::ALL.iter().for_each(|reason| add((*reason).into()));
    #[cfg(feature = "token")]
    alb_mtls_token::TokenReason::ALL
        .iter()
        .for_each(|reason| add((*reason).into()));
    #[cfg(feature = "policy")]
    alb_mtls_policy::PolicyReason::ALL
        .iter()
        .for_each(|reason| add((*reason).into()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_unique_and_in_snake_case() {
        let rows = denial_reasons();
        for row in &rows {
            let is_snake_case = row
                .detail
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_snake_case, "{}", row.detail);
        }
        let tables = Reason::ALL.len() + GateReason::ALL.len();
        #[cfg(feature = "token")]
        let tables = tables + alb_mtls_token::TokenReason::ALL.len();
        #[cfg(feature = "policy")]
        let tables = tables + alb_mtls_policy::PolicyReason::ALL.len() - 1;
        assert_eq!(rows.len(), tables, "a detail stands in two tables");
    }

    #[cfg(feature = "policy")]
    #[test]
    fn host_unclear_says_the_same_in_both_tables() {
        let (gate, policy) = (
            GateReason::HostUnclear,
            alb_mtls_policy::PolicyReason::HostUnclear,
        );
        let policy = DenialReason {
            passes_in_report: false,
            ..policy.into()
        };
        assert_eq!(DenialReason::from(gate), policy);
    }
}
