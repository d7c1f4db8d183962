//! Tokens by a real issuer's keys, good ones and every kind of bad one.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::process::Command;

use alb_mtls_token::{Algorithm, BearerToken, KeySet, TokenIdentity, TokenOptions, TokenReason};
use alb_mtls_verifier::{Fingerprint, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use test_pki::{Key, KeyKind};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);

fn certificate() -> Fingerprint {
    Fingerprint::of(b"the client's certificate")
}

fn options() -> TokenOptions {
    TokenOptions {
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned(), "https://second.example".to_owned()],
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
    }
}

/// An issuer with a P-256 key.
struct Issuer {
    key: Key,
    id: &'static str,
}

impl Issuer {
    fn new(id: &'static str) -> Self {
        let key = Key::from_seed(KeyKind::P256, &format!("issuer {id}")).unwrap();
        Self { key, id }
    }

    fn jwk(&self) -> Value {
        let info = self.key.public_key_info().unwrap();
        let (x, y) = info[info.len() - 64..].split_at(32);
        let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": encode(x), "y": encode(y)})
    }

    fn keys(&self) -> KeySet {
        keys(&[self.jwk()])
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some(self.id.to_owned());
        self.sign_with(&header, claims)
    }

    fn sign_with(&self, header: &Header, claims: &Value) -> String {
        let pem = self.key.to_pem().unwrap();
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        encode(header, claims, &EncodingKey::from_ec_der(der.secret_der())).unwrap()
    }
}

fn keys(all: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": all }).to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": NOW.unix_seconds() + 300,
        "sub": "user-1",
        "client_id": "client-1",
        "scope": "orders:read",
        "cnf": {"x5t#S256": certificate().to_base64url()},
    })
}

/// Returns the good claims with one of them replaced, or left out for null.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn verify(keys: &KeySet, token: &str) -> Result<TokenIdentity, TokenReason> {
    verify_for(keys, token, Some(certificate()))
}

fn verify_for(
    keys: &KeySet,
    token: &str,
    certificate: Option<Fingerprint>,
) -> Result<TokenIdentity, TokenReason> {
    let header = format!("Bearer {token}");
    let token = BearerToken::read(&[header.as_bytes()]).unwrap().unwrap();
    keys.verify(&token, &options(), certificate, NOW)
        .map_err(|rejection| rejection.reason())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(header), part(claims))
}

#[test]
fn a_bound_token_says_whom_it_is_about() {
    let issuer = Issuer::new("a");
    let identity = verify(&issuer.keys(), &issuer.sign(&claims())).unwrap();
    assert_eq!(identity.subject.as_deref(), Some("user-1"));
    assert_eq!(identity.client_id.as_deref(), Some("client-1"));
    assert_eq!(identity.scope.as_deref(), Some("orders:read"));
    assert_eq!(identity.expires, NOW.plus_seconds(300));
}

#[test]
fn another_clients_token_is_refused() {
    let issuer = Issuer::new("a");
    let token = issuer.sign(&claims());
    let other = Fingerprint::of(b"another certificate");
    assert_eq!(
        verify_for(&issuer.keys(), &token, Some(other)),
        Err(TokenReason::OtherCertificate)
    );
    assert_eq!(
        verify_for(&issuer.keys(), &token, None),
        Err(TokenReason::OtherCertificate),
        "without a certificate"
    );
}

#[test]
fn a_token_that_is_not_bound_is_refused() {
    let issuer = Issuer::new("a");
    let padded = format!("{}=", certificate().to_base64url());
    for cnf in [
        Value::Null,
        json!({}),
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": padded}),
        json!({"x5t#S256": "%"}),
    ] {
        let token = issuer.sign(&claims_with("cnf", cnf.clone()));
        assert_eq!(
            verify(&issuer.keys(), &token),
            Err(TokenReason::NotBound),
            "{cnf}"
        );
    }
    for (cnf, reason) in [
        (json!({"x5t#S256": ""}), TokenReason::OtherCertificate),
        (json!({"x5t#S256": "AAAA"}), TokenReason::OtherCertificate),
        (json!({"x5t#S256": 7}), TokenReason::Claims),
        (json!("x5t#S256"), TokenReason::Claims),
    ] {
        let token = issuer.sign(&claims_with("cnf", cnf.clone()));
        assert_eq!(verify(&issuer.keys(), &token), Err(reason), "{cnf}");
    }
}

#[test]
fn unsigned_tokens_are_refused() {
    let issuer = Issuer::new("a");
    for alg in ["none", "None", "nOnE", ""] {
        for end in [".", ".AAAA"] {
            let token = unsigned(&json!({"alg": alg, "kid": "a"}), &claims()) + end;
            assert_eq!(
                verify(&issuer.keys(), &token),
                Err(TokenReason::Algorithm),
                "{alg}{end}"
            );
        }
    }
    let good = issuer.sign(&claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(
        verify(&issuer.keys(), &format!("{message}.")),
        Err(TokenReason::Signature)
    );
    assert_eq!(verify(&issuer.keys(), message), Err(TokenReason::Malformed));
}

/// The public key as the secret of an HMAC: the classic confusion of algorithms.
#[test]
fn the_public_key_is_no_shared_secret() {
    let issuer = Issuer::new("a");
    let secret = issuer.key.public_key_info().unwrap();
    let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some("a".to_owned());
    let token = encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
    assert_eq!(verify(&issuer.keys(), &token), Err(TokenReason::Algorithm));
}

#[test]
fn unaccepted_algorithm_is_rejected_despite_a_right_signature() {
    let issuer = Issuer::new("a");
    let header = "Bearer ".to_owned() + &issuer.sign(&claims());
    let token = BearerToken::read(&[header.as_bytes()]).unwrap().unwrap();
    let only_rsa = TokenOptions {
        algorithms: vec![Algorithm::Rs256],
        ..options()
    };
    let rejection = issuer
        .keys()
        .verify(&token, &only_rsa, Some(certificate()), NOW)
        .unwrap_err();
    assert_eq!(rejection.reason(), TokenReason::Algorithm);
    assert_eq!(
        rejection.explanation(),
        Some("ES256 is not among those that are accepted")
    );
}

#[test]
fn altered_and_foreign_signatures_are_refused() {
    let (issuer, other) = (Issuer::new("a"), Issuer::new("b"));
    let good = issuer.sign(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let more = URL_SAFE_NO_PAD.encode(claims_with("sub", json!("admin")).to_string());
    let altered = format!("{}.{more}.{}", parts[0], parts[2]);
    assert_eq!(verify(&issuer.keys(), &altered), Err(TokenReason::Signature));

    let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = Some("a".to_owned());
    let forged = other.sign_with(&header, &claims());
    assert_eq!(verify(&issuer.keys(), &forged), Err(TokenReason::Signature));
}

/// RFC 8725 §2.1 and §3.10: keys and addresses in a token are the client's choice.
#[test]
fn a_key_in_the_token_itself_is_not_used() {
    let (issuer, attacker) = (Issuer::new("a"), Issuer::new("evil"));
    let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
    header.jwk = Some(serde_json::from_value(attacker.jwk()).unwrap());
    header.jku = Some("https://attacker.example/keys".to_owned());
    let token = attacker.sign_with(&header, &claims());
    assert_eq!(verify(&issuer.keys(), &token), Err(TokenReason::Signature));
}

#[test]
fn rotated_keys_both_verify_until_the_old_goes() {
    let (old, new) = (Issuer::new("2025"), Issuer::new("2026"));
    let both = keys(&[old.jwk(), new.jwk()]);
    assert!(verify(&both, &old.sign(&claims())).is_ok());
    assert!(verify(&both, &new.sign(&claims())).is_ok());
    assert_eq!(
        verify(&old.keys(), &new.sign(&claims())),
        Err(TokenReason::KeyUnknown)
    );
    assert_eq!(
        verify(&new.keys(), &old.sign(&claims())),
        Err(TokenReason::KeyUnknown)
    );
}

#[test]
fn token_without_key_id_is_tried_with_each_key() {
    let (first, second) = (Issuer::new("a"), Issuer::new("b"));
    let token = second.sign_with(&Header::new(jsonwebtoken::Algorithm::ES256), &claims());
    assert!(verify(&keys(&[first.jwk(), second.jwk()]), &token).is_ok());
    assert_eq!(verify(&first.keys(), &token), Err(TokenReason::Signature));
}

#[test]
fn time_issuer_and_audience_are_checked() {
    let issuer = Issuer::new("a");
    let now = NOW.unix_seconds();
    for (name, value, reason) in [
        ("exp", json!(now), TokenReason::Expired),
        ("exp", json!(now - 1), TokenReason::Expired),
        ("exp", json!(now as f64 + 0.5), TokenReason::Expired),
        ("exp", json!(0), TokenReason::Expired),
        ("exp", json!(-1), TokenReason::Claims),
        ("exp", json!("never"), TokenReason::Claims),
        ("exp", Value::Null, TokenReason::Claims),
        ("nbf", json!(now + 61), TokenReason::NotYetValid),
        ("iss", json!("https://issuer.example/"), TokenReason::Issuer),
        ("iss", json!([ISSUER]), TokenReason::Claims),
        ("iss", Value::Null, TokenReason::Claims),
        ("aud", json!("https://other.example"), TokenReason::Audience),
        ("aud", json!([]), TokenReason::Audience),
        ("aud", json!(["https://other.example"]), TokenReason::Audience),
        ("aud", Value::Null, TokenReason::Claims),
    ] {
        let token = issuer.sign(&claims_with(name, value.clone()));
        assert_eq!(verify(&issuer.keys(), &token), Err(reason), "{name} = {value}");
    }
    for (name, value) in [
        ("exp", json!(now + 1)),
        ("nbf", json!(now + 60)),
        ("aud", json!(["https://other.example", AUDIENCE])),
        ("aud", json!("https://second.example")),
    ] {
        let token = issuer.sign(&claims_with(name, value.clone()));
        assert!(verify(&issuer.keys(), &token).is_ok(), "{name} = {value}");
    }
}

#[test]
fn tokens_for_other_purposes_are_refused() {
    let issuer = Issuer::new("a");
    let sign = |typ: Option<&str>| {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some("a".to_owned());
        header.typ = typ.map(str::to_owned);
        issuer.sign_with(&header, &claims())
    };
    for typ in ["logout+jwt", "dpop+jwt", "JWE", ""] {
        assert_eq!(
            verify(&issuer.keys(), &sign(Some(typ))),
            Err(TokenReason::Malformed),
            "{typ}"
        );
    }
    for typ in [
        None,
        Some("JWT"),
        Some("jwt"),
        Some("at+jwt"),
        Some("application/at+JWT"),
    ] {
        assert!(verify(&issuer.keys(), &sign(typ)).is_ok(), "{typ:?}");
    }
}

#[test]
fn what_is_no_signed_jwt_is_refused() {
    let issuer = Issuer::new("a");
    let crit = unsigned(
        &json!({"alg": "ES256", "kid": "a", "crit": ["exp"], "exp": 1}),
        &claims(),
    );
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"none"}"#);
    for token in [
        "opaque",
        "a.b",
        "a.b.c",
        "..",
        "a.b.c.d.e",
        &format!("{crit}.AAAA"),
        &format!("{twice}.e30.AAAA"),
        "e30.e30.AAAA",
        "bnVsbA.e30.AAAA",
    ] {
        assert_eq!(
            verify(&issuer.keys(), token),
            Err(TokenReason::Malformed),
            "{token}"
        );
    }
}

/// RFC 7515 appendix A.3: a key and a signature that neither this crate nor its library made. It
/// has no audience.
#[test]
fn the_signature_of_the_rfcs_example_verifies() {
    let jwk = json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let keys = keys(&[jwk]);
    assert_eq!(
        verify(&keys, &format!("{message}.{signature}")),
        Err(TokenReason::Claims)
    );
    let other = signature.replacen('D', "E", 1);
    assert_eq!(
        verify(&keys, &format!("{message}.{other}")),
        Err(TokenReason::Signature)
    );
}

#[test]
fn a_token_signed_by_openssl_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(directory.path())
            .output()
            .expect("openssl must be installed");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let generate = |bits: &str, key: &str| {
        let bits = format!("rsa_keygen_bits:{bits}");
        openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", &bits, "-out", key]);
        let modulus = openssl(&["rsa", "-in", key, "-noout", "-modulus"]);
        let hexadecimal = String::from_utf8(modulus).unwrap();
        let digits = hexadecimal.trim().strip_prefix("Modulus=").unwrap().as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let modulus: Vec<u8> = digits.chunks(2).map(byte).collect();
        json!({"kty": "RSA", "alg": "RS256", "kid": "rsa", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
    };
    let jwk = generate("2048", "key.pem");
    let message = unsigned(&json!({"typ": "at+jwt", "alg": "RS256", "kid": "rsa"}), &claims());
    std::fs::write(directory.path().join("message"), &message).unwrap();
    let signature = openssl(&["dgst", "-sha256", "-sign", "key.pem", "message"]);
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert!(verify(&keys(&[jwk]), &token).is_ok());

    let short = generate("1024", "short.pem");
    let set = json!({ "keys": [short] }).to_string();
    assert!(KeySet::parse(set.as_bytes()).is_err(), "a key of 1024 bits");
}
