//! Check of tokens that are bound to the client's certificate (RFC 8705 §3), with the issuer's
//! keys, which are looked up again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_token::{
    BearerToken, KeySet, MAX_KEY_SET_BYTES, TokenIdentity, TokenOptions, TokenReason, TokenRejection,
};
use alb_mtls_trust::{
    Content, Deadline, FailedLookup, Found, Loader, Lookup, Refreshing, Reload, Sources, Waiting,
    WatchedFiles,
};
use alb_mtls_verifier::{Timestamp, VerifiedClient};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::denial::Denial;
use crate::reason::GateReason;

/// Requirements for bearer tokens, and the sources of the keys to verify them with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundTokenSettings {
    /// Clients that must send a token.
    pub requirement: TokenRequirement,
    /// Sources of the issuer's JWK sets.
    pub keys: Sources,
    /// Issuer, audiences and algorithms.
    pub options: TokenOptions,
    /// Age at which the keys are looked up again.
    pub refresh: Duration,
    /// Age up to which the last good keys serve while lookups fail.
    pub max_stale: Duration,
}

/// Clients that must send a token. A token that is sent must be valid and bound to the client's
/// certificate in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenRequirement {
    /// None: a token can be left out.
    IfPresent,
    /// All.
    Required,
}

/// Time between two lookups that tokens with an unknown key cause: the issuer may have a new one.
const UNKNOWN_KEY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct BoundTokens {
    settings: BoundTokenSettings,
    source: KeySource,
    keys: Refreshing<KeySet, String>,
}

/// Reads the issuer's key sets.
#[derive(Debug)]
struct KeySource {
    sources: Sources,
    loader: Loader,
}

impl BoundTokens {
    /// Creates the check; nothing is read before the first use.
    pub(crate) fn new(settings: BoundTokenSettings) -> Self {
        Self {
            source: KeySource {
                sources: settings.keys.clone(),
                loader: Loader::new(),
            },
            keys: Refreshing::new(settings.refresh, settings.max_stale),
            settings,
        }
    }

    /// Loads the keys when the process starts, with more time than a request has.
    pub(crate) async fn load(&self, now: Timestamp) {
        // A failure is logged, and the next request tries again.
        _ = self.keys.get(&self.source, now, Waiting::Start).await;
    }

    /// Returns true if there are keys that are young enough to check tokens with.
    pub(crate) fn can_serve(&self, now: Timestamp) -> bool {
        self.keys.can_serve(now)
    }

    /// Keeps the keys fresh until the future is dropped.
    pub(crate) async fn refresh_in_background(&self, reload: &Reload) -> Infallible {
        let files = WatchedFiles::new(&self.settings.keys);
        self.keys
            .refresh_in_background(&self.source, files, reload.subscribe())
            .await
    }

    /// Checks the token of a request against the certificate of its client, if it has one. `None`
    /// when there is no token and none is required. A token in the query or the body is not seen:
    /// see `docs/limits.md`.
    pub(crate) async fn check(
        &self,
        headers: &HeaderMap,
        client: Option<&VerifiedClient>,
        left: Option<Duration>,
        now: Timestamp,
    ) -> Result<Option<TokenIdentity>, Denial> {
        let values: Vec<&[u8]> = headers
            .get_all(AUTHORIZATION)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        let Some(token) = BearerToken::read(&values)? else {
            return match self.settings.requirement {
                TokenRequirement::IfPresent => Ok(None),
                TokenRequirement::Required => Err(TokenRejection::from(TokenReason::Missing).into()),
            };
        };
        let verify = |keys: &KeySet| {
            let certificate = client.map(|client| client.identity().certificate_fingerprint);
            keys.verify(&token, &self.settings.options, certificate, now)
        };
        let waiting = Waiting::Request { left };
        match verify(&*self.keys(waiting, now).await?) {
            Ok(identity) => Ok(Some(identity)),
            Err(rejection) if rejection.reason() == TokenReason::KeyUnknown => {
                self.keys.renew(&self.source, now, waiting, UNKNOWN_KEY).await;
                Ok(Some(verify(&*self.keys(waiting, now).await?)?))
            }
            Err(rejection) => Err(rejection.into()),
        }
    }

    async fn keys(&self, waiting: Waiting, now: Timestamp) -> Result<Arc<KeySet>, Denial> {
        let keys = self.keys.get(&self.source, now, waiting).await;
        keys.map_err(|error| {
            Denial::new(
                GateReason::NoTokenKeys,
                format!("there are no keys to check tokens with: {error}"),
            )
        })
    }
}

impl Lookup for KeySource {
    type Value = KeySet;
    type Error = String;

    async fn look_up(
        &self,
        _: Option<Arc<KeySet>>,
        _: Timestamp,
        deadline: Deadline,
    ) -> Result<Found<KeySet>, String> {
        let mut sets = Vec::new();
        for source in &self.sources {
            let documents = self.loader.fetch(source, &[], MAX_KEY_SET_BYTES, deadline).await;
            for document in documents.map_err(|error| error.to_string())? {
                let Content::New(json) = document.content else {
                    return Err(format!(
                        "`{source}`: is said to be unchanged, but was not known before"
                    ));
                };
                let set = KeySet::parse(&json)
                    .map_err(|error| format!("`{}`: {error}", document.revision.origin))?;
                sets.push(set);
            }
        }
        let keys = KeySet::join(sets);
        tracing::debug!(keys = keys.len(), "token keys loaded");
        Ok(Found::New(keys))
    }

    fn report_failure(&self, failure: &FailedLookup<'_, KeySet, String>) {
        tracing::warn!(
            error = %failure.error,
            failures = failure.failures,
            age_seconds = failure.age.map(|age| age.as_secs()),
            retry_after_seconds = failure.retry_after.as_secs(),
            "token keys not loaded"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use alb_mtls_token::Algorithm;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject;
    use serde_json::json;
    use test_pki::{Key, KeyKind};

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);

    /// Keys in a file, and the issuer's private ones.
    struct Issuer {
        directory: tempfile::TempDir,
    }

    impl Issuer {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self { directory }
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join("keys.json")
        }

        fn key(id: &str) -> Key {
            Key::from_seed(KeyKind::P256, id).unwrap()
        }

        fn publish(&self, ids: &[&str]) {
            let keys: Vec<_> = ids
                .iter()
                .map(|id| {
                    let info = Self::key(id).public_key_info().unwrap();
                    let (x, y) = info[info.len() - 64..].split_at(32);
                    let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
                    json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encode(x), "y": encode(y)})
                })
                .collect();
            std::fs::write(self.file(), json!({ "keys": keys }).to_string()).unwrap();
        }

        fn request(id: &str) -> HeaderMap {
            let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
            header.kid = Some(id.to_owned());
            let pem = Self::key(id).to_pem().unwrap();
            let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
            let claims = json!({"iss": "issuer", "aud": "here", "exp": NOW.unix_seconds() + 1_000_000,
                "cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode([7; 32])}});
            let token = encode(&header, &claims, &EncodingKey::from_ec_der(key.secret_der())).unwrap();
            let value = format!("Bearer {token}").parse().unwrap();
            HeaderMap::from_iter([(AUTHORIZATION, value)])
        }

        fn tokens(&self, requirement: TokenRequirement) -> BoundTokens {
            BoundTokens::new(BoundTokenSettings {
                requirement,
                keys: format!("file:{}", self.file().display()).parse().unwrap(),
                options: TokenOptions {
                    issuer: "issuer".to_owned(),
                    audiences: vec!["here".to_owned()],
                    algorithms: vec![Algorithm::Es256],
                },
                refresh: Duration::from_secs(300),
                max_stale: Duration::from_secs(3_600),
            })
        }
    }

    /// Returns the detail of the denial. There is never a certificate, so a token that is good in
    /// every other way ends with `VERIFIED`.
    async fn outcome(tokens: &BoundTokens, headers: &HeaderMap, seconds: i64) -> &'static str {
        match tokens.check(headers, None, None, NOW.plus_seconds(seconds)).await {
            Ok(None) => "no token",
            Ok(Some(_)) => "bound to nothing",
            Err(denial) => denial.detail(),
        }
    }

    const VERIFIED: &str = "token_other_certificate";

    #[tokio::test]
    async fn a_token_has_to_be_there_only_when_required() {
        let issuer = Issuer::new();
        issuer.publish(&["old"]);
        for (requirement, expected) in [
            (TokenRequirement::IfPresent, "no token"),
            (TokenRequirement::Required, "token_missing"),
        ] {
            let tokens = issuer.tokens(requirement);
            assert_eq!(outcome(&tokens, &HeaderMap::new(), 0).await, expected);
            assert_eq!(outcome(&tokens, &Issuer::request("old"), 0).await, VERIFIED);
        }
    }

    #[tokio::test]
    async fn a_rotated_key_is_found_before_the_refresh_and_no_more_often_than_that() {
        let issuer = Issuer::new();
        issuer.publish(&["old"]);
        let tokens = issuer.tokens(TokenRequirement::Required);
        let (old, new) = (Issuer::request("old"), Issuer::request("new"));
        assert_eq!(outcome(&tokens, &old, 0).await, VERIFIED);
        assert_eq!(outcome(&tokens, &new, 20).await, "token_key_unknown");
        issuer.publish(&["old", "new"]);
        assert_eq!(
            outcome(&tokens, &new, 29).await,
            "token_key_unknown",
            "looked up 9 s ago"
        );
        assert_eq!(outcome(&tokens, &new, 30).await, VERIFIED);
        issuer.publish(&["new"]);
        assert_eq!(outcome(&tokens, &old, 269).await, VERIFIED, "not due");
        assert_eq!(outcome(&tokens, &old, 330).await, "token_key_unknown");
    }

    #[tokio::test]
    async fn the_last_good_keys_serve_until_they_are_too_old() {
        let issuer = Issuer::new();
        issuer.publish(&["old"]);
        let tokens = issuer.tokens(TokenRequirement::Required);
        let request = Issuer::request("old");
        assert_eq!(outcome(&tokens, &request, 0).await, VERIFIED);
        std::fs::write(issuer.file(), r#"{"keys": []}"#).unwrap();
        assert_eq!(outcome(&tokens, &request, 3_600).await, VERIFIED);
        assert_eq!(outcome(&tokens, &request, 3_601).await, "no_token_keys");
        let denial = tokens
            .check(&request, None, None, NOW.plus_seconds(3_601))
            .await
            .unwrap_err();
        assert!(denial.to_string().contains("no key"), "{denial}");
        issuer.publish(&["old"]);
        assert_eq!(
            outcome(&tokens, &request, 3_602).await,
            "no_token_keys",
            "tried 2 s ago"
        );
        assert_eq!(outcome(&tokens, &request, 3_605).await, VERIFIED);
    }

    #[tokio::test]
    async fn without_keys_no_token_is_decided_about() {
        let issuer = Issuer::new();
        let tokens = issuer.tokens(TokenRequirement::IfPresent);
        let request = Issuer::request("old");
        assert_eq!(outcome(&tokens, &request, 0).await, "no_token_keys");
        assert_eq!(outcome(&tokens, &HeaderMap::new(), 0).await, "no token");
        issuer.publish(&["old"]);
        assert_eq!(outcome(&tokens, &request, 5).await, VERIFIED);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_does_not_keep_keys_for_ever() {
        let issuer = Issuer::new();
        issuer.publish(&["old"]);
        let tokens = issuer.tokens(TokenRequirement::Required);
        assert_eq!(outcome(&tokens, &Issuer::request("old"), 0).await, VERIFIED);
        issuer.publish(&["new"]);
        assert_eq!(
            outcome(&tokens, &Issuer::request("old"), -300).await,
            "token_key_unknown"
        );
    }
}
