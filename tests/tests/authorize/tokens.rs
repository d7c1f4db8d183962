//! Tokens that are bound to the client's certificate.

use std::path::PathBuf;

use alb_mtls_tests::tokens::{AUDIENCE, ISSUER, key, key_set, sign};
use alb_mtls_tests::{Clients, Function};
use alb_mtls_verifier::Fingerprint;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use test_pki::Credential;

use crate::events::{Api, anonymous, with_certificate, with_header};
use crate::support::{Authorizer, Outcome};

/// An issuer whose public keys are in a file.
struct Issuer {
    keys: PathBuf,
}

impl Issuer {
    fn new(clients: &Clients, ids: &[&str]) -> Self {
        let issuer = Self {
            keys: clients.directory().join("keys.json"),
        };
        issuer.publish(ids);
        issuer
    }

    fn publish(&self, ids: &[&str]) {
        std::fs::write(&self.keys, key_set(ids)).unwrap();
    }

    /// Returns the variables of a function that trusts this issuer. Keys are looked up for each
    /// request.
    fn variables<'a>(&self, requirement: &'a str, source: &'a mut String) -> Vec<(&'a str, &'a str)> {
        *source = format!("file:{}", self.keys.display());
        vec![
            ("AUTHORIZE_BOUND_TOKEN", requirement),
            ("MTLS_TOKEN_KEYS", source.as_str()),
            ("MTLS_TOKEN_ISSUER", ISSUER),
            ("MTLS_TOKEN_AUDIENCE", AUDIENCE),
            ("MTLS_TOKEN_ALGORITHMS", "ES256"),
            ("MTLS_REFRESH", "0s"),
        ]
    }
}

fn claims(client: &Credential) -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": time::OffsetDateTime::now_utc().unix_timestamp() + 300,
        "sub": "user-1",
        "client_id": "client-1",
        "scope": "orders:read orders:write",
        "cnf": {"x5t#S256": Fingerprint::of(client.der()).to_base64url()},
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn with_token(event: Value, token: &str) -> Value {
    with_header(event, "Authorization", &format!("Bearer {token}"))
}

/// Asks with a token, and gives the outcome with its record.
async fn ask(authorizer: &Authorizer, event: Value, token: &str) -> (Outcome, Value) {
    let outcome = authorizer.ask(&with_token(event, token)).await;
    let record = authorizer.record().await;
    (outcome, record)
}

#[tokio::test]
async fn one_call_checks_the_certificate_and_the_token() {
    let clients = Clients::new();
    let issuer = Issuer::new(&clients, &["2026"]);
    let mut source = String::new();
    let authorizer = Authorizer::start(&clients, &issuer.variables("required", &mut source)).await;
    let other = clients.issue(test_pki::CertificateBuilder::client("CN=client-2,O=Tests"));
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let good = sign("2026", &claims(&clients.good));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let none = format!(
        "{}.{}.",
        part(json!({"alg": "none"})),
        part(claims(&clients.good))
    );
    let symmetric = encode(
        &Header::new(Algorithm::HS256),
        &claims(&clients.good),
        &EncodingKey::from_secret(&key("2026").public_key_info().unwrap()),
    )
    .unwrap();
    for api in Api::ALL {
        let event = with_certificate(api, &clients.good);
        let (outcome, record) = ask(&authorizer, event.clone(), &good).await;
        assert!(matches!(outcome, Outcome::Allow(_)), "{api:?}: {record}");
        let context = outcome.context();
        assert_eq!(context["token_subject"], "user-1");
        assert_eq!(context["token_client_id"], "client-1");
        assert_eq!(context["token_scope"], "orders:read orders:write");
        assert_eq!(context["common_name"], "client-1");

        for (what, token, detail) in [
            (
                "another client's",
                sign("2026", &claims(&other)),
                "token_other_certificate",
            ),
            (
                "not bound",
                sign("2026", &with(claims(&clients.good), "cnf", json!({}))),
                "token_not_bound",
            ),
            ("without a signature", format!("{message}."), "token_signature"),
            ("of alg none", none.clone(), "token_algorithm"),
            ("signed with the public key", symmetric.clone(), "token_algorithm"),
            (
                "altered",
                format!("{}.{signature}", message.split_at(message.len() - 4).0),
                "token_signature",
            ),
            (
                "expired",
                sign("2026", &with(claims(&clients.good), "exp", json!(now - 1))),
                "token_expired",
            ),
            (
                "early",
                sign("2026", &with(claims(&clients.good), "nbf", json!(now + 600))),
                "token_not_yet_valid",
            ),
            (
                "for another service",
                sign("2026", &with(claims(&clients.good), "aud", json!("x"))),
                "token_audience",
            ),
            (
                "of another issuer",
                sign("2026", &with(claims(&clients.good), "iss", json!("x"))),
                "token_issuer",
            ),
            (
                "of an unknown key",
                sign("2025", &claims(&clients.good)),
                "token_key_unknown",
            ),
            ("opaque", "opaque".to_owned(), "token_malformed"),
        ] {
            let (outcome, record) = ask(&authorizer, event.clone(), &token).await;
            assert!(!matches!(outcome, Outcome::Allow(_)), "{api:?}, {what}");
            assert_eq!(outcome == Outcome::Unauthorized, api == Api::Rest, "{what}");
            assert_eq!(record["detail"], detail, "{api:?}, {what}: {record}");
            assert_eq!(record["code"], "ClientCertRejected");
            assert_eq!(record["status"], 401);
            assert_eq!(record["www_authenticate"], "Bearer error=\"invalid_token\"");
            // The certificate was verified: the record says whose token it should have been.
            assert_eq!(record["client"]["subject"], "CN=client-1,OU=Payments,O=Tests");
            assert!(!record.to_string().contains(&token), "the token is in the record");
        }

        let outcome = authorizer.ask(&event).await;
        assert!(!matches!(outcome, Outcome::Allow(_)), "{api:?}");
        let record = authorizer.record().await;
        assert_eq!(record["detail"], "token_missing");
        assert_eq!(
            record["www_authenticate"], "Bearer",
            "no error is named (RFC 6750 §3.1)"
        );
    }
}

#[tokio::test]
async fn a_token_does_not_replace_a_certificate() {
    let clients = Clients::new();
    let issuer = Issuer::new(&clients, &["2026"]);
    let token = sign("2026", &claims(&clients.good));
    let mut source = String::new();
    for requirement in ["required", "if-present"] {
        let mut variables = issuer.variables(requirement, &mut source);
        variables.push(("MTLS_MODE", "optional"));
        let authorizer = Authorizer::start(&clients, &variables).await;
        for api in Api::ALL {
            let (outcome, record) = ask(&authorizer, anonymous(api), &token).await;
            assert!(!matches!(outcome, Outcome::Allow(_)), "{api:?}, {requirement}");
            assert_eq!(record["detail"], "token_other_certificate");

            let outcome = authorizer.ask(&anonymous(api)).await;
            let allowed = matches!(outcome, Outcome::Allow(_));
            assert_eq!(allowed, requirement == "if-present", "{api:?}: {outcome:?}");
            authorizer.record().await;
        }
    }
}

#[tokio::test]
async fn a_token_that_is_there_must_be_right_where_none_is_required() {
    let clients = Clients::new();
    let issuer = Issuer::new(&clients, &["2026"]);
    let other = clients.issue(test_pki::CertificateBuilder::client("CN=client-2,O=Tests"));
    let mut source = String::new();
    let authorizer = Authorizer::start(&clients, &issuer.variables("if-present", &mut source)).await;
    for api in Api::ALL {
        let event = with_certificate(api, &clients.good);
        let without = authorizer.ask(&event).await;
        assert!(matches!(without, Outcome::Allow(_)), "{api:?}: {without:?}");
        assert!(without.context().get("token_subject").is_none());
        authorizer.record().await;
        let basic = authorizer
            .ask(&with_header(event.clone(), "Authorization", "Basic YTpi"))
            .await;
        assert!(matches!(basic, Outcome::Allow(_)), "{api:?}: {basic:?}");
        authorizer.record().await;
        let (outcome, record) = ask(&authorizer, event.clone(), &sign("2026", &claims(&other))).await;
        assert!(!matches!(outcome, Outcome::Allow(_)), "{api:?}: {record}");
        let two = with_header(event, "Authorization", "Basic YTpi, Bearer a.b.c");
        assert!(
            !matches!(authorizer.ask(&two).await, Outcome::Allow(_)),
            "{api:?}"
        );
        assert_eq!(authorizer.detail().await, "token_repeated");
    }
}

#[tokio::test]
async fn a_rotated_key_is_taken_over_and_the_old_one_ends() {
    let clients = Clients::new();
    let issuer = Issuer::new(&clients, &["2025"]);
    let mut source = String::new();
    let authorizer = Authorizer::start(&clients, &issuer.variables("required", &mut source)).await;
    let event = with_certificate(Api::Http2, &clients.good);
    let (old, new) = (
        sign("2025", &claims(&clients.good)),
        sign("2026", &claims(&clients.good)),
    );
    let mut allowed = Vec::new();
    for published in [&["2025"][..], &["2025", "2026"], &["2026"]] {
        issuer.publish(published);
        for token in [&old, &new] {
            let (outcome, _) = ask(&authorizer, event.clone(), token).await;
            allowed.push(matches!(outcome, Outcome::Allow(_)));
        }
    }
    assert_eq!(allowed, [true, false, true, true, false, true]);
}

#[tokio::test]
async fn without_the_issuers_keys_nothing_is_decided() {
    let clients = Clients::new();
    let issuer = Issuer::new(&clients, &["2026"]);
    std::fs::write(&issuer.keys, "{}").unwrap();
    let mut source = String::new();
    let authorizer = Authorizer::start(&clients, &issuer.variables("required", &mut source)).await;
    for api in Api::ALL {
        let event = with_certificate(api, &clients.good);
        let (outcome, record) = ask(&authorizer, event, &sign("2026", &claims(&clients.good))).await;
        assert!(matches!(outcome, Outcome::Deny(_)), "{outcome:?}");
        assert_eq!(record["detail"], "no_token_keys");
        assert_eq!(record["status"], 503);
        assert!(
            record["explanation"]
                .as_str()
                .unwrap()
                .contains("is not a JWK set"),
            "{record}"
        );
    }
}

/// Behind a load balancer the same check is a step of the gate: the names of the settings differ in
/// one prefix.
#[tokio::test]
async fn a_target_of_a_load_balancer_checks_the_same_token() {
    let clients = Clients::new();
    let issuer = Issuer::new(&clients, &["2026"]);
    let mut source = String::new();
    let mut variables: Vec<(&str, String)> = issuer
        .variables("required", &mut source)
        .into_iter()
        .map(|(name, value)| match name {
            "AUTHORIZE_BOUND_TOKEN" => ("MTLS_BOUND_TOKEN", value.to_owned()),
            _ => (name, value.to_owned()),
        })
        .collect();
    variables.push(("MTLS_ANCHORS", clients.anchors_source()));
    let function = Function::start("respond", variables).await;
    let other = clients.issue(test_pki::CertificateBuilder::client("CN=client-2,O=Tests"));
    for (token, status, challenge) in [
        (Some(sign("2026", &claims(&clients.good))), 200, None),
        (
            Some(sign("2026", &claims(&other))),
            401,
            Some("Bearer error=\"invalid_token\""),
        ),
        (None, 401, Some("Bearer")),
    ] {
        let mut headers = clients.good_headers();
        headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        let answer = function.get("/", &headers).await;
        assert_eq!(answer.status, status, "{}", answer.body());
        assert_eq!(answer.header("www-authenticate"), challenge);
    }
}
