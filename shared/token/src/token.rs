//! Verification of a token, from its text to the certificate that it is bound to.

use alb_mtls_verifier::{Fingerprint, Timestamp};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use serde::Deserialize;

use crate::algorithm::Algorithm;
use crate::bearer::BearerToken;
use crate::keys::KeySet;
use crate::rejection::{TokenReason, TokenRejection};

/// Longest time that the issuer's clock can be ahead, in seconds: an access token is used right
/// after it was made.
const CLOCK_SKEW: i64 = 60;

/// Requirements on a token. None of them is taken from the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOptions {
    /// The issuer, character for character.
    pub issuer: String,
    /// The audiences, one of which the token must name.
    pub audiences: Vec<String>,
    /// The signature algorithms.
    pub algorithms: Vec<Algorithm>,
}

/// Contents of a verified token. The only way to get one is to verify a token and its binding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenIdentity {
    /// `sub`: the subject of the token.
    pub subject: Option<String>,
    /// `client_id` (RFC 9068 §2.2): who asked for it.
    pub client_id: Option<String>,
    /// `scope` (RFC 9068 §2.2.3): what it is for, separated by spaces.
    pub scope: Option<String>,
    /// `exp`: when it expires.
    pub expires: Timestamp,
}

/// The part of a token that says how it is signed (RFC 7515 §4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    /// Checked by the library, which would take a list too: RFC 7519 §4.1.1 knows one issuer.
    #[serde(rename = "iss")]
    _issuer: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    sub: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    cnf: Option<Confirmation>,
}

/// RFC 7800 §3.1 with the member of RFC 8705 §3.1.
#[derive(Deserialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    certificate: Option<String>,
}

impl KeySet {
    /// Verifies a token, and that it is bound to the certificate with this fingerprint, at the time
    /// `now`. Without a certificate no token is accepted: there is nothing that it could be bound
    /// to.
    ///
    /// # Errors
    /// The [`TokenRejection`] for the first check that fails: algorithm, key, signature, claims,
    /// issuer, audience, time, binding.
    pub fn verify(
        &self,
        token: &BearerToken<'_>,
        options: &TokenOptions,
        certificate: Option<Fingerprint>,
        now: Timestamp,
    ) -> Result<TokenIdentity, TokenRejection> {
        let header = read_header(token)?;
        let algorithm = accepted_algorithm(&header, options)?;
        let claims = self.verify_signature(token, &header, algorithm, options)?;
        let expires = check_time(&claims, now)?;
        check_binding(&claims, certificate)?;
        Ok(TokenIdentity {
            subject: claims.sub,
            client_id: claims.client_id,
            scope: claims.scope,
            expires,
        })
    }

    fn verify_signature(
        &self,
        token: &BearerToken<'_>,
        header: &Header,
        algorithm: Algorithm,
        options: &TokenOptions,
    ) -> Result<Claims, TokenRejection> {
        let validation = validation(algorithm, options);
        let mut rejection = key_unknown(header);
        for key in self.candidates(header.kid.as_deref(), algorithm) {
            match decode::<Claims>(token.as_str(), &key.decoding, &validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) => rejection = explain(error.kind()),
            }
            if rejection.reason() != TokenReason::Signature {
                break;
            }
        }
        Err(rejection)
    }
}

/// Reads the header. The library reads it too, but only reports that it cannot, and does not know
/// `crit`.
fn read_header(token: &BearerToken<'_>) -> Result<Header, TokenRejection> {
    let malformed = |explanation: &str| TokenRejection::new(TokenReason::Malformed).because(explanation);
    let parts: Vec<&str> = token.as_str().split('.').collect();
    let [header, _, _] = parts.as_slice() else {
        return Err(malformed(match parts.len() {
            5 => "it is encrypted",
            _ => "it has not the three parts of a signed JWT",
        }));
    };
    let json = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| malformed("its header is not base64url"))?;
    let header: Header =
        serde_json::from_slice(&json).map_err(|_| malformed("its header is not that of a signed JWT"))?;
    if header.crit.is_some() {
        // RFC 7515 §4.1.11: a recipient that does not understand what is listed there must reject
        // the token. This crate does not understand any extension.
        return Err(malformed("its header has critical extensions"));
    }
    match &header.typ {
        Some(kind) if !is_access_token(kind) => Err(malformed("its type is not that of an access token")),
        _ => Ok(header),
    }
}

/// `at+jwt` (RFC 9068 §2.1), or what issuers wrote before there was an RFC. Other types are tokens
/// for other purposes (RFC 8725 §3.11).
fn is_access_token(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    matches!(kind, "jwt" | "at+jwt")
}

fn accepted_algorithm(header: &Header, options: &TokenOptions) -> Result<Algorithm, TokenRejection> {
    match header.alg.parse() {
        Ok(algorithm) if options.algorithms.contains(&algorithm) => Ok(algorithm),
        Ok(algorithm) => {
            let explanation = format!("{algorithm} is not among those that are accepted");
            Err(TokenRejection::new(TokenReason::Algorithm).because(explanation))
        }
        Err(_) => Err(TokenReason::Algorithm.into()),
    }
}

fn key_unknown(header: &Header) -> TokenRejection {
    let rejection = TokenRejection::new(TokenReason::KeyUnknown);
    match &header.kid {
        // It is the client's text.
        Some(id) => rejection.because(format!(
            "its key id is `{}`",
            id.chars().take(80).collect::<String>()
        )),
        None => rejection.because("it names no key id"),
    }
}

/// Returns the library's options, without time: the library has its own clock.
fn validation(algorithm: Algorithm, options: &TokenOptions) -> Validation {
    let mut validation = Validation::new(algorithm.to_library());
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&options.issuer]);
    validation.set_audience(&options.audiences);
    validation
}

fn explain(error: &ErrorKind) -> TokenRejection {
    match error {
        ErrorKind::InvalidSignature => TokenReason::Signature.into(),
        ErrorKind::InvalidIssuer => TokenReason::Issuer.into(),
        ErrorKind::InvalidAudience => TokenReason::Audience.into(),
        ErrorKind::MissingRequiredClaim(claim) => {
            TokenRejection::new(TokenReason::Claims).because(format!("`{claim}` is missing"))
        }
        ErrorKind::InvalidClaimFormat(claim) => {
            TokenRejection::new(TokenReason::Claims).because(format!("`{claim}` is of another type"))
        }
        // Its message can quote the token.
        ErrorKind::Json(_) => TokenRejection::new(TokenReason::Claims).because("they cannot be read"),
        // A key of the set that the library cannot use, or a signature that is not base64url.
        _ => TokenReason::Signature.into(),
    }
}

/// Returns the time at which the token expires, if it is valid now.
fn check_time(claims: &Claims, now: Timestamp) -> Result<Timestamp, TokenRejection> {
    let expires = claims.exp.map(timestamp);
    let expires =
        expires.ok_or_else(|| TokenRejection::new(TokenReason::Claims).because("`exp` is missing"))?;
    // RFC 7519 §4.1.4: on or after that time it is expired.
    if now >= expires {
        return Err(TokenRejection::new(TokenReason::Expired).because(format!("exp was {expires}")));
    }
    match claims.nbf.map(timestamp) {
        Some(begins) if now.plus_seconds(CLOCK_SKEW) < begins => {
            Err(TokenRejection::new(TokenReason::NotYetValid).because(format!("nbf is {begins}")))
        }
        _ => Ok(expires),
    }
}

fn check_binding(claims: &Claims, certificate: Option<Fingerprint>) -> Result<(), TokenRejection> {
    let bound_to = claims
        .cnf
        .as_ref()
        .and_then(|confirmation| confirmation.certificate.as_deref());
    let bound_to = bound_to.ok_or(TokenReason::NotBound)?;
    let thumbprint = URL_SAFE_NO_PAD
        .decode(bound_to)
        .map_err(|_| TokenRejection::new(TokenReason::NotBound).because("`x5t#S256` is not base64url"))?;
    let certificate = certificate.ok_or_else(|| {
        TokenRejection::new(TokenReason::OtherCertificate).because("the client presented none")
    })?;
    verify_slices_are_equal(&thumbprint, certificate.as_bytes())
        .map_err(|_| TokenReason::OtherCertificate.into())
}

/// Converts a NumericDate (RFC 7519 §2). A fraction is cut off, which ends a token early rather
/// than late. A value that is not a number of seconds of our time becomes the nearest that is.
#[expect(clippy::cast_possible_truncation, reason = "the conversion saturates")]
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds.floor() as i64)
}
