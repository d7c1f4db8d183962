//! Reasons to reject a token: one table, from which the documentation is made too.

use std::fmt;

/// Rejection of a token. Compares by value, so that a test can name the exact outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRejection {
    reason: TokenReason,
    explanation: Option<Box<str>>,
}

impl TokenRejection {
    /// A rejection without particulars.
    pub const fn new(reason: TokenReason) -> Self {
        Self {
            reason,
            explanation: None,
        }
    }

    /// Adds particulars for the operator, one clause without a full stop. Never the token, nor a
    /// part of it from which it could be used.
    #[must_use]
    pub fn because(mut self, explanation: impl Into<Box<str>>) -> Self {
        self.explanation = Some(explanation.into());
        self
    }

    /// Returns the entry of the table of reasons.
    pub const fn reason(&self) -> TokenReason {
        self.reason
    }

    /// Particulars, such as the time at which a token expired.
    pub fn explanation(&self) -> Option<&str> {
        self.explanation.as_deref()
    }
}

impl From<TokenReason> for TokenRejection {
    fn from(reason: TokenReason) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for TokenRejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason.meaning())?;
        match &self.explanation {
            Some(explanation) => write!(formatter, ": {explanation}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TokenRejection {}

/// Challenge of a `WWW-Authenticate` header to a client whose token was rejected (RFC 6750 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Challenge {
    /// There was no token: no error is named.
    Bearer,
    /// The token is not valid, which it also is when it is bound to another certificate (RFC 8705
    /// §3).
    InvalidToken,
}

impl Challenge {
    /// Returns the value of the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::InvalidToken => "Bearer error=\"invalid_token\"",
        }
    }
}

alb_mtls_verifier::reason_table! {
    /// Reason for which a token is rejected.
    pub enum TokenReason;
    Missing, ClientCertRejected, "token_missing",
        "the client sent no bearer token",
        "have the client get a token and send it in the Authorization header, or set MTLS_BOUND_TOKEN=if-present";
    Repeated, ClientCertRejected, "token_repeated",
        "the Authorization header has more than one value",
        "an attempt to show two readers two tokens, or a proxy that adds its own: look at what is before the gate";
    Unreadable, ClientCertRejected, "token_unreadable",
        "the Authorization header can be read as a token or as something else",
        "have the client send `Bearer` and the token, or clean credentials of another scheme (RFC 9110 section 11.4) without a JWT in them";
    Malformed, ClientCertRejected, "token_malformed",
        "the bearer token is not a signed JWT",
        "see that the issuer gives out signed JWTs (RFC 9068): opaque and encrypted tokens cannot be checked here";
    Algorithm, ClientCertRejected, "token_algorithm",
        "the token is signed with an algorithm that is not accepted, or not at all",
        "add the algorithm that the issuer uses to MTLS_TOKEN_ALGORITHMS; `none` and shared secrets are never accepted";
    KeyUnknown, ClientCertRejected, "token_key_unknown",
        "no key of the issuer has the token's key id and fits its algorithm",
        "publish the issuer's new keys to MTLS_TOKEN_KEYS before it signs with them";
    Signature, ClientCertRejected, "token_signature",
        "the token's signature does not verify",
        "the token was altered, or MTLS_TOKEN_KEYS contains the keys of another issuer";
    Claims, ClientCertRejected, "token_claims",
        "a claim that is needed is missing or of another type than documented",
        "have the issuer put `iss`, `aud` and `exp` into the token (RFC 9068 section 2.2)";
    Issuer, ClientCertRejected, "token_issuer",
        "the token is of another issuer",
        "compare MTLS_TOKEN_ISSUER with the issuer's metadata: every character counts";
    Audience, ClientCertRejected, "token_audience",
        "the token is for another service",
        "have the client ask for a token for this service, or add its audience to MTLS_TOKEN_AUDIENCE";
    Expired, ClientCertRejected, "token_expired",
        "the token has expired",
        "have the client renew it";
    NotYetValid, ClientCertRejected, "token_not_yet_valid",
        "the token is not valid yet",
        "check the issuer's clock";
    NotBound, ClientCertRejected, "token_not_bound",
        "the token is not bound to a certificate",
        "have the issuer bind tokens to the client's certificate: the claim `cnf` with `x5t#S256` (RFC 8705 section 3.1)";
    OtherCertificate, ClientCertRejected, "token_other_certificate",
        "the token is bound to another certificate than the client's",
        "a stolen token, or a client that renewed its certificate and still has the old token";
}

impl TokenReason {
    /// Returns the challenge to the client in `WWW-Authenticate`.
    pub const fn challenge(self) -> Challenge {
        match self {
            Self::Missing => Challenge::Bearer,
            _ => Challenge::InvalidToken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_unique_and_in_snake_case() {
        for (index, reason) in TokenReason::ALL.iter().enumerate() {
            let detail = reason.detail();
            assert!(
                detail
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{detail}"
            );
            assert!(
                TokenReason::ALL[..index]
                    .iter()
                    .all(|other| other.detail() != detail),
                "{detail} stands twice"
            );
        }
    }
}
