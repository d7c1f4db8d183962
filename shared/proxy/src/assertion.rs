//! Assertions: short-lived signed tokens (JWT, RFC 7519) that tell an upstream that a request
//! passed the gate.
//!
//! The headers of the other forms are only as good as the network between the gate and the
//! upstream. An assertion is good wherever the key set is known.
//!
//! The key is in the process, not in KMS. With KMS each request would need one more signed call
//! over the network, under a quota that all elliptic-curve keys of an account and region share.
//! docs/forwarder.md has figures.

use std::sync::Arc;
use std::time::Duration;

use alb_mtls_gate::{ClientIdentity, VerifiedClient};
use alb_mtls_trust::{Deadline, FailedLookup, Found, Lookup, Refreshing, Source, Waiting};
use alb_mtls_verifier::{AlternativeName, ExtensionMap, Fingerprint, Timestamp, read_pem_blocks};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::HeaderName;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Serialize, Serializer};

use crate::error::ForwardError;
use crate::secrets::{self, Secret, Secrets, missing};

/// The header that carries the assertion. Its name lies in a family that the gate strips from
/// requests.
pub(crate) const HEADER: HeaderName = HeaderName::from_static(alb_mtls_http::headers::ASSERTION);

/// The token's `typ` (RFC 8725 §3.11): no token of another kind passes for one, and it for none.
pub(crate) const TYPE: &str = "client-cert+jwt";

/// Settings of assertions.
#[derive(Clone, Debug)]
pub(crate) struct AssertionSettings {
    pub(crate) keys: Vec<Source>,
    pub(crate) issuer: String,
    /// Audience; defaults to the origin of the upstream.
    pub(crate) audience: Option<String>,
    pub(crate) lifetime: Duration,
    pub(crate) jwks_path: String,
}

/// Makes assertions, and the key set to verify them with.
#[derive(Debug)]
pub(crate) struct Assertions {
    settings: AssertionSettings,
    keys: Refreshing<KeyRing, String>,
}

/// Name of the keys in logs and errors.
const NAME: &str = "assertion keys";

impl Assertions {
    /// Creates it without keys. They are looked up again at the age `refresh`, and sign up to the
    /// age `max_stale` while lookups fail.
    pub(crate) fn new(settings: AssertionSettings, refresh: Duration, max_stale: Duration) -> Self {
        Self {
            settings,
            keys: Refreshing::new(refresh, max_stale),
        }
    }

    /// Loads the keys when the process starts. A failure is logged, and the next request tries
    /// again.
    pub(crate) async fn load(&self, secrets: &Secrets) {
        _ = self.key_ring(secrets, Waiting::Start).await;
    }

    /// Returns the path at which the key set is served.
    pub(crate) fn jwks_path(&self) -> &str {
        &self.settings.jwks_path
    }

    /// Returns the key set (RFC 7517 §5) as JSON.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when there are no keys.
    pub(crate) async fn jwks(&self, secrets: &Secrets, waiting: Waiting) -> Result<String, ForwardError> {
        Ok(self.key_ring(secrets, waiting).await?.jwks.clone())
    }

    /// Returns an assertion about this client for the upstream with this origin, at the time `now`.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when there is no key to sign with.
    pub(crate) async fn assert(
        &self,
        client: &VerifiedClient,
        trust_version: Option<&str>,
        origin: &str,
        now: Timestamp,
        secrets: &Secrets,
        waiting: Waiting,
    ) -> Result<String, ForwardError> {
        let keys = self.key_ring(secrets, waiting).await?;
        let identity = client.identity();
        let lifetime = i64::try_from(self.settings.lifetime.as_secs()).unwrap_or(0);
        let claims = Claims {
            iss: &self.settings.issuer,
            aud: self.settings.audience.as_deref().unwrap_or(origin),
            iat: now.unix_seconds(),
            // Never later than the end of the certificates that the assertion is about.
            exp: now
                .plus_seconds(lifetime)
                .min(client.valid_until())
                .unix_seconds(),
            jti: token_id()?,
            sub: subject(identity),
            cnf: Confirmation {
                fingerprint: identity.certificate_fingerprint,
            },
            san: &identity.alternative_names,
            extensions: ExtensionMap(&identity.extensions),
            anchor: identity.anchor.id(),
            trust_version,
        };
        keys.sign(&claims)
            .map_err(|error| ForwardError::Material(format!("an assertion cannot be signed: {error}")))
    }

    async fn key_ring(&self, secrets: &Secrets, waiting: Waiting) -> Result<Arc<KeyRing>, ForwardError> {
        let source = KeySource {
            secrets,
            sources: &self.settings.keys,
        };
        let keys = self.keys.get(&source, Timestamp::now(), waiting).await;
        keys.map_err(|unavailable| missing(NAME, &unavailable))
    }
}

/// Reads the keys.
struct KeySource<'a> {
    secrets: &'a Secrets,
    sources: &'a [Source],
}

impl Lookup for KeySource<'_> {
    type Value = KeyRing;
    type Error = String;

    async fn look_up(
        &self,
        _: Option<Arc<KeyRing>>,
        _: Timestamp,
        deadline: Deadline,
    ) -> Result<Found<KeyRing>, String> {
        let mut keys = Vec::new();
        for source in self.sources {
            let secret = self.secrets.read(source, deadline).await?;
            keys.extend(parse_keys(&secret).map_err(|error| format!("`{source}`: {error}"))?);
        }
        Ok(Found::New(KeyRing::new(keys)?))
    }

    fn report_failure(&self, failure: &FailedLookup<'_, KeyRing, String>) {
        secrets::report_failure(NAME, failure);
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    sub: String,
    /// RFC 7800, with the method of RFC 8705 §3.1.
    cnf: Confirmation,
    /// The subject alternative names, each an object with its type as the only field.
    san: &'a [AlternativeName],
    /// The extensions of `MTLS_EXTENSIONS`, by name or object identifier.
    #[serde(skip_serializing_if = "ExtensionMap::is_empty")]
    extensions: ExtensionMap<'a>,
    /// SHA-256 of the trust anchor.
    anchor: Fingerprint,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_version: Option<&'a str>,
}

#[derive(Serialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256", serialize_with = "as_base64url")]
    fingerprint: Fingerprint,
}

/// Returns the SPIFFE id, or else the subject (RFC 4514), or else the first alternative name with
/// its type in front. They cannot be confused: a subject begins with an attribute's type and `=`.
fn subject(identity: &ClientIdentity) -> String {
    if let Some(id) = &identity.spiffe_id {
        return id.clone();
    }
    if !identity.subject.is_empty() {
        return identity.subject.to_string();
    }
    identity
        .alternative_names
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn token_id() -> Result<String, ForwardError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| ForwardError::Material("there are no random numbers".to_owned()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn as_base64url<S: Serializer>(fingerprint: &Fingerprint, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&fingerprint.to_base64url())
}

/// Keys of which the first signs. All of them are in the key set, so that a key can be published
/// before it signs and as long as its signatures are valid.
#[derive(Debug)]
struct KeyRing {
    header: Header,
    signing: EncodingKey,
    jwks: String,
}

impl KeyRing {
    fn new(keys: Vec<(EncodingKey, Jwk)>) -> Result<Self, String> {
        let mut set = JwkSet::default();
        for (_, jwk) in &keys {
            if !set.keys.contains(jwk) {
                set.keys.push(jwk.clone());
            }
        }
        let (signing, jwk) = keys.into_iter().next().ok_or("there is no key")?;
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TYPE.to_owned());
        header.kid = jwk.common.key_id;
        let jwks = serde_json::to_string(&set).map_err(|error| error.to_string())?;
        Ok(Self {
            header,
            signing,
            jwks,
        })
    }

    fn sign(&self, claims: &Claims<'_>) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&self.header, claims, &self.signing)
    }
}

/// Labels of keys, and of blocks that OpenSSL writes with them.
const LABELS: &[&str] = &["CERTIFICATE", "EC PARAMETERS", "PRIVATE KEY", "X509 CERTIFICATE"];

/// Reads every key in a PEM text, in order.
fn parse_keys(secret: &Secret) -> Result<Vec<(EncodingKey, Jwk)>, String> {
    let blocks =
        read_pem_blocks(secret.0.as_bytes(), LABELS).map_err(|error| secrets::pem_problem(&error))?;
    let pkcs8 = blocks.into_iter().filter(|block| block.label == "PRIVATE KEY");
    let keys = pkcs8
        .map(|block| parse_key(&PrivatePkcs8KeyDer::from(block.der)))
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(
            "contains no key in PKCS #8 PEM, such as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes"
                .to_owned(),
        );
    }
    Ok(keys)
}

fn parse_key(key: &PrivatePkcs8KeyDer<'_>) -> Result<(EncodingKey, Jwk), String> {
    let encoding = EncodingKey::from_ec_der(key.secret_pkcs8_der());
    let not_p256 = |_| "contains a key that is not an ECDSA key on P-256".to_owned();
    let mut jwk = Jwk::from_encoding_key(&encoding, Algorithm::ES256).map_err(not_p256)?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).map_err(not_p256)?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_operations = Some(vec![KeyOperations::Verify]);
    Ok((encoding, jwk))
}

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::{
        Intermediates, PresentedChain, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
    };
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;
    use test_pki::{CertificateBuilder, Credential, Key, KeyKind};

    use super::*;

    /// Verifies a client, whose certificate comes with it.
    fn verified(client: CertificateBuilder) -> (VerifiedClient, Credential) {
        let root = CertificateBuilder::root("CN=Root,O=Tests").self_signed().unwrap();
        let credential = client.issued_by(&root).unwrap();
        let anchor = TrustAnchor::new(root.der().to_vec().into()).unwrap();
        let verifier = Verifier::new(
            TrustAnchors::new([anchor]).unwrap(),
            Intermediates::default(),
            VerifyOptions::default(),
        );
        let chain = PresentedChain::new([credential.der().to_vec().into()]).unwrap();
        (verifier.verify(&chain, Timestamp::now()).unwrap(), credential)
    }

    const REQUEST: Waiting = Waiting::Request { left: None };

    struct Fixture {
        directory: tempfile::TempDir,
        secrets: Secrets,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                directory: tempfile::tempdir().unwrap(),
                secrets: Secrets::default(),
            }
        }

        fn write(&self, name: &str, content: &str) -> Source {
            let path = self.directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            format!("file:{}", path.display()).parse().unwrap()
        }

        fn assertions(&self, keys: Vec<Source>) -> Assertions {
            let settings = AssertionSettings {
                keys,
                issuer: "https://gate.example".to_owned(),
                audience: None,
                lifetime: Duration::from_secs(60),
                jwks_path: "/jwks".to_owned(),
            };
            Assertions::new(settings, Duration::ZERO, Duration::from_secs(3_600))
        }

        async fn jwks(&self, assertions: &Assertions) -> JwkSet {
            serde_json::from_str(&assertions.jwks(&self.secrets, REQUEST).await.unwrap()).unwrap()
        }
    }

    fn new_key() -> String {
        Key::random(KeyKind::P256).unwrap().to_pem().unwrap()
    }

    fn verify(token: &str, keys: &JwkSet) -> Value {
        let header = jsonwebtoken::decode_header(token).unwrap();
        assert_eq!(
            (header.alg, header.typ.as_deref()),
            (Algorithm::ES256, Some(TYPE))
        );
        let key = keys.find(&header.kid.unwrap()).expect("the key is in the set");
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["http://app:8080"]);
        validation.set_issuer(&["https://gate.example"]);
        jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation)
            .unwrap()
            .claims
    }

    #[tokio::test]
    async fn claims_name_the_client_and_the_upstream() {
        let fixture = Fixture::new();
        let assertions = fixture.assertions(vec![fixture.write("key.pem", &new_key())]);
        let (client, credential) = verified(CertificateBuilder::client("CN=a,O=Tests").dns("a.example"));
        let now = Timestamp::now();
        let token = assertions
            .assert(
                &client,
                Some("v1"),
                "http://app:8080",
                now,
                &fixture.secrets,
                REQUEST,
            )
            .await
            .unwrap();
        let claims = verify(&token, &fixture.jwks(&assertions).await);
        assert_eq!(claims["sub"], "CN=a,O=Tests");
        assert_eq!(claims["iat"], now.unix_seconds());
        assert_eq!(claims["exp"], now.unix_seconds() + 60);
        assert_eq!(
            claims["cnf"]["x5t#S256"],
            Fingerprint::of(credential.der()).to_base64url()
        );
        assert_eq!(claims["san"], serde_json::json!([{"dns": "a.example"}]));
        assert_eq!(claims["anchor"], client.identity().anchor.id().to_string());
        assert_eq!(claims["trust_version"], "v1");
        let again = assertions
            .assert(&client, None, "http://app:8080", now, &fixture.secrets, REQUEST)
            .await
            .unwrap();
        assert_ne!(
            verify(&again, &fixture.jwks(&assertions).await)["jti"],
            claims["jti"]
        );
    }

    #[tokio::test]
    async fn an_assertion_ends_with_the_certificate() {
        let fixture = Fixture::new();
        let assertions = fixture.assertions(vec![fixture.write("key.pem", &new_key())]);
        let (client, _) = verified(CertificateBuilder::client("CN=a"));
        let now = client.valid_until().plus_seconds(-5);
        let token = assertions
            .assert(&client, None, "http://app:8080", now, &fixture.secrets, REQUEST)
            .await
            .unwrap();
        let claims = verify(&token, &fixture.jwks(&assertions).await);
        assert_eq!(claims["exp"], client.valid_until().unix_seconds());
    }

    #[tokio::test]
    async fn keys_rotate_while_every_token_can_be_verified() {
        let fixture = Fixture::new();
        let (old, new) = (new_key(), new_key());
        let source = fixture.write("keys.pem", &old);
        let assertions = fixture.assertions(vec![source]);
        let (client, _) = verified(CertificateBuilder::client("CN=a"));
        let token = async || {
            assertions
                .assert(
                    &client,
                    None,
                    "http://app:8080",
                    Timestamp::now(),
                    &fixture.secrets,
                    REQUEST,
                )
                .await
                .unwrap()
        };
        let first = token().await;
        let only_old = fixture.jwks(&assertions).await;

        fixture.write("keys.pem", &format!("{old}{new}"));
        let both = fixture.jwks(&assertions).await;
        assert_eq!((only_old.keys.len(), both.keys.len()), (1, 2));
        verify(&token().await, &only_old);

        fixture.write("keys.pem", &format!("{new}{old}"));
        let by_new = token().await;
        verify(&by_new, &both);
        verify(&first, &fixture.jwks(&assertions).await);
        assert!(
            only_old
                .find(&jsonwebtoken::decode_header(&by_new).unwrap().kid.unwrap())
                .is_none()
        );
    }

    #[tokio::test]
    async fn the_key_set_holds_public_keys_only() {
        let fixture = Fixture::new();
        let key = new_key();
        let sources = vec![fixture.write("a.pem", &key), fixture.write("b.pem", &key)];
        let assertions = fixture.assertions(sources);
        let keys: Value =
            serde_json::from_str(&assertions.jwks(&fixture.secrets, REQUEST).await.unwrap()).unwrap();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 1, "the same key once");
        let mut fields: Vec<&String> = keys["keys"][0].as_object().unwrap().keys().collect();
        fields.sort_unstable();
        assert_eq!(fields, ["alg", "crv", "key_ops", "kid", "kty", "use", "x", "y"]);
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        let p384 = Key::random(KeyKind::P384).unwrap().to_pem().unwrap();
        for (pem, problem) in [
            (p384.as_str(), "P-256"),
            ("", "PKCS #8"),
            ("-----BEGIN PRIVATE KEY-----\n!", "PEM"),
            (
                "-----BEGIN EC PRIVATE KEY-----\nMEIT\n-----END EC PRIVATE KEY-----\n",
                "openssl pkcs8 -topk8",
            ),
        ] {
            let error = parse_keys(&Secret(pem.to_owned())).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
