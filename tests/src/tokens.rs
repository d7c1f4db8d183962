//! An issuer of bearer tokens: its keys, and what it signs with them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use test_pki::{Key, KeyKind};

/// Issuer of tokens.
pub const ISSUER: &str = "https://issuer.tests.example";

/// Audience of tokens.
pub const AUDIENCE: &str = "https://api.tests.example";

/// Returns the issuer's key of this id, always the same one.
pub fn key(id: &str) -> Key {
    Key::from_seed(KeyKind::P256, id).expect("a key")
}

/// Returns the issuer's public keys of these ids, as a JWK set.
pub fn key_set(ids: &[&str]) -> String {
    let jwk = |id: &&str| {
        let info = key(id).public_key_info().expect("a public key");
        let point = info.last_chunk::<64>().expect("a point of P-256");
        let (x, y) = point.split_at(32);
        let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": encode(x), "y": encode(y)})
    };
    let keys: Vec<Value> = ids.iter().map(jwk).collect();
    json!({ "keys": keys }).to_string()
}

/// A token of these claims, signed with the key of this id.
pub fn sign(id: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(id.to_owned());
    let pem = key(id).to_pem().expect("a key in PEM");
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a private key");
    encode(&header, claims, &EncodingKey::from_ec_der(key.secret_der())).expect("a token")
}
