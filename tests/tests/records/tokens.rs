//! Bearer tokens with one thing wrong each.

use alb_mtls_tests::Clients;
use alb_mtls_tests::tokens::{AUDIENCE, ISSUER, sign};
use alb_mtls_verifier::Fingerprint;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Returns the variables of a function that requires tokens of this issuer.
pub(crate) fn variables(source: &str) -> [(&str, &str); 5] {
    [
        ("MTLS_BOUND_TOKEN", "required"),
        ("MTLS_TOKEN_KEYS", source),
        ("MTLS_TOKEN_ISSUER", ISSUER),
        ("MTLS_TOKEN_AUDIENCE", AUDIENCE),
        ("MTLS_TOKEN_ALGORITHMS", "ES256"),
    ]
}

/// Returns the detail of each refusal of a token, and the values of the Authorization header that
/// cause it.
pub(crate) fn faults(clients: &Clients) -> Vec<(&'static str, Vec<String>)> {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let sound = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": now + 300,
        "cnf": {"x5t#S256": Fingerprint::of(clients.good.der()).to_base64url()},
    });
    let with = |name: &str, value: Value| {
        let mut claims = sound.clone();
        claims[name] = value;
        sign("2026", &claims)
    };
    let good = sign("2026", &sound);
    let (message, _) = good.rsplit_once('.').unwrap();
    let symmetric = encode(
        &Header::new(Algorithm::HS256),
        &sound,
        &EncodingKey::from_secret(b"secret"),
    )
    .unwrap();
    let bearer = |token: String| vec![format!("Bearer {token}")];
    vec![
        ("token_missing", Vec::new()),
        (
            "token_repeated",
            vec![format!("Bearer {good}"), format!("Bearer {good}")],
        ),
        ("token_unreadable", vec!["opaque".to_owned()]),
        ("token_malformed", bearer("opaque".to_owned())),
        ("token_algorithm", bearer(symmetric)),
        ("token_key_unknown", bearer(sign("2025", &sound))),
        ("token_signature", bearer(format!("{message}."))),
        ("token_claims", bearer(with("exp", json!("soon")))),
        ("token_issuer", bearer(with("iss", json!("x")))),
        ("token_audience", bearer(with("aud", json!("x")))),
        ("token_expired", bearer(with("exp", json!(now - 1)))),
        ("token_not_yet_valid", bearer(with("nbf", json!(now + 600)))),
        ("token_not_bound", bearer(with("cnf", json!({})))),
        (
            "token_other_certificate",
            bearer(with("cnf", json!({"x5t#S256": URL_SAFE_NO_PAD.encode([7; 32])}))),
        ),
    ]
}
