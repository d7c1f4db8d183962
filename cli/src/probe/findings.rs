//! Meaning and remedy of each finding.

use super::verdict::Wrong;

/// Meaning and remedy of a client that is allowed.
pub(super) type Words = (&'static str, &'static str);

pub(super) const ANYBODY: Words = (
    "a request without a certificate is served: MTLS_MODE is `report` or `optional`, the path is a public route, or there is not a gate before the target",
    "set MTLS_MODE=enforce; if it is set, find the way past the gate with `alb-mtls doctor`. If such requests are meant to pass, say so with `--anonymous`",
);
pub(super) const UNTRUSTED: Words = (
    "a certificate that was made a moment ago gets in: the listener passes every certificate through, and nothing behind it verifies them, or MTLS_MODE is `report`",
    "point every rule of the listener at a target group with the gate, and set MTLS_MODE=enforce; in `report` mode the records have `would_deny`",
);
pub(super) const IMPOSTOR: Words = (
    "a certificate gets in that only says what yours says: signatures are not verified",
    "point every rule of the listener at a target group with the gate, and set MTLS_MODE=enforce",
);
pub(super) const REFUSED: Words = (
    "a certificate that you call invalid gets in",
    "expired: MTLS_MODE is `report`, or there is not a gate. Revoked: its CRL is not in MTLS_CRLS, MTLS_REVOCATION is `off`, or `refresh-crls` has not run",
);
pub(super) const FORGED: Words = (
    "a client without a private key gets in with the public chain of another client: the load balancer hands on the client's own header, and the gate reads it",
    "rename the header with the listener attribute routing.http.request.x_amzn_mtls_clientcert.header_name and MTLS_HEADER to a name that only you know",
);
pub(super) const RENAMED: Words = (
    "the load balancer hands on the client's own header, so that a client that knows the listener's name for it gets in without a private key: the name alone protects",
    "let only those read the listener, the function's settings and the stack's outputs who may be any client; keep the name out of logs and tickets, and change it when it was seen (docs/rotation.md)",
);
pub(super) const CLAIMED: Words = (
    "a request gets in that only claims an identity in headers",
    "find which program answered: it reads headers that a client can write, and is not behind the gate",
);

impl Wrong {
    /// Returns the name of the finding.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::NotTheGate => "not-the-gate",
            Self::ValidDenied => "valid-denied",
            Self::ValidForbidden => "valid-forbidden",
            Self::NoTrustMaterial => "no-trust-material",
            Self::FunctionError => "function-error",
            Self::NoAnswer => "no-answer",
            Self::UnexpectedStatus => "unexpected-status",
            Self::HandshakeFailed => "handshake-failed",
        }
    }

    /// Returns meaning and remedy of the finding; a check can have words of its own for a client
    /// that is allowed.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Allowed => (
                "the request reached what is behind the gate",
                "find the way around the gate: `alb-mtls doctor --stack` or `--load-balancer` looks at listeners, rules and settings",
            ),
            Self::NotTheGate => (
                "the denial is not one of the gate: the request got past it to a program that denies, or there is not a gate",
                "send the path through the gate; `alb-mtls doctor` finds rules and listeners that lead elsewhere",
            ),
            Self::ValidDenied => (
                "the gate denies a client that you call valid",
                "the record in the function's log says why; `alb-mtls verify --anchors … --pem …` shows it check by check",
            ),
            Self::ValidForbidden => (
                "the certificate is valid, and a policy, a token or a rule of the gate denies the request",
                "the record names the policies; try a path that this client may ask for",
            ),
            Self::NoTrustMaterial => (
                "the gate cannot decide: it has no trust material, or no CRLs with MTLS_REVOCATION=strict",
                "the ERROR lines in the function's log name the source and the permission that is missing",
            ),
            Self::FunctionError => (
                "the load balancer got no usable answer from the function: every request is refused",
                "look at the function's log, its throttles, and `error_reason` in the load balancer's access log",
            ),
            Self::NoAnswer => (
                "nothing was decided within the time limit",
                "look at the function's duration and timeout; raise `--timeout` if the answer takes that long",
            ),
            Self::UnexpectedStatus => (
                "the answer is neither a denial of the gate nor one that you call accepted",
                "if the service answers so, add `--accepted STATUS`; otherwise try another path of the URL",
            ),
            Self::HandshakeFailed => (
                "the load balancer does not take the certificate in the handshake: in passthrough mode it takes every one whose key it supports",
                "look at `MutualAuthentication` of the listener, its TLS policy, and the kind of the client's key",
            ),
        }
    }
}
