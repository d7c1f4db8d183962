//! The issuer's public keys: a JWK set (RFC 7517 §5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

use crate::algorithm::Algorithm;

/// The most bytes of a JWK set that are read.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1_024;

/// The most keys in a set. A token without a key id is tried with each that fits.
const MAX_KEYS: usize = 64;

/// Members that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const SECRETS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// The public keys of an issuer. Immutable: new keys make a new set.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Reason why a JWK set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Not JSON of a JWK set.
    #[error("is not a JWK set: {0}")]
    NotKeySet(String),
    /// A private or symmetric key is a secret in the wrong place, and a sign that the wrong file
    /// was published.
    #[error("key {number} is a private or shared key: replace that key, and publish public keys only")]
    Secret {
        /// Number of the key, from 1.
        number: usize,
    },
    /// None of the keys can verify signatures of tokens.
    #[error(
        "contains no key that tokens can be verified with ({keys} keys of other kinds or for other uses)"
    )]
    NoUsableKey {
        /// Number of keys in it.
        keys: usize,
    },
    /// More keys than 64.
    #[error("contains {keys} keys, more than {MAX_KEYS}")]
    TooManyKeys {
        /// Number of keys in it.
        keys: usize,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(crate) decoding: DecodingKey,
}

impl KeySet {
    /// Reads a JWK set. Keys for other uses, and of kinds that are not known, are left out, as RFC
    /// 7517 §5 asks.
    ///
    /// # Errors
    /// [`KeySetError`] when it is not a JWK set, when none of its keys can be used, and when it
    /// contains a secret.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Map<String, Value>>,
        }

        let document: Document =
            serde_json::from_slice(json).map_err(|error| KeySetError::NotKeySet(error.to_string()))?;
        let found = document.keys.len();
        if found > MAX_KEYS {
            return Err(KeySetError::TooManyKeys { keys: found });
        }
        let mut keys = Vec::new();
        for (jwk, number) in document.keys.into_iter().zip(1..) {
            if SECRETS.iter().any(|member| jwk.contains_key(*member)) {
                return Err(KeySetError::Secret { number });
            }
            keys.extend(Key::read(jwk));
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey { keys: found });
        }
        Ok(Self { keys })
    }

    /// Returns the keys of several sets together.
    #[must_use]
    pub fn join(sets: impl IntoIterator<Item = Self>) -> Self {
        Self {
            keys: sets.into_iter().flat_map(|set| set.keys).collect(),
        }
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns true if there are no keys, as in the set made by `default`.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the keys that a token with this key id and algorithm can be signed with. A token
    /// that names a key is not tried with another one.
    pub(crate) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| id.is_none() || key.id.as_deref() == id)
            .filter(move |key| key.algorithms.contains(&algorithm))
    }
}

impl Key {
    fn read(jwk: serde_json::Map<String, Value>) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(Value::Object(jwk)).ok()?;
        let use_fits = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = jwk.common.key_operations.as_ref();
        let operations_fit = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !use_fits || !operations_fit {
            return None;
        }
        let algorithms: Vec<Algorithm> = Algorithm::ALL
            .iter()
            .copied()
            .filter(|algorithm| algorithm.fits(&jwk.algorithm))
            .filter(|algorithm| {
                let only = jwk.common.key_algorithm;
                only.is_none_or(|only| only == algorithm.to_library().into())
            })
            .collect();
        if algorithms.is_empty() || is_short(&jwk.algorithm) {
            return None;
        }
        Some(Self {
            decoding: DecodingKey::from_jwk(&jwk).ok()?,
            id: jwk.common.key_id,
            algorithms,
        })
    }
}

/// RSA keys of less than 2048 bits verify nothing (RFC 7518 §3.3).
fn is_short(key: &AlgorithmParameters) -> bool {
    match key {
        AlgorithmParameters::RSA(parameters) => {
            URL_SAFE_NO_PAD.decode(&parameters.n).map_or(true, |modulus| {
                modulus.iter().skip_while(|byte| **byte == 0).count() < 256
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn p256() -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": "a",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
    }

    fn with(member: &str, value: Value) -> Value {
        let mut key = p256();
        key[member] = value;
        key
    }

    fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_secret_spoils_the_whole_set() {
        for secret in [
            with("d", json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE")),
            json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"}),
        ] {
            assert_eq!(
                parse(&[p256(), secret]).unwrap_err(),
                KeySetError::Secret { number: 2 }
            );
        }
    }

    #[test]
    fn keys_for_other_uses_are_left_out() {
        let others = [
            with("use", json!("enc")),
            with("key_ops", json!(["encrypt"])),
            with("alg", json!("ES384")),
            with("alg", json!("ECDH-ES")),
            with("crv", json!("secp256k1")),
            json!({"kty": "PQC", "kid": "new"}),
            json!({}),
        ];
        assert_eq!(
            parse(&others).unwrap_err(),
            KeySetError::NoUsableKey { keys: others.len() }
        );
        let mut all = others.to_vec();
        all.push(p256());
        assert_eq!(parse(&all).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"keys": {}}"#,
            r#"{"keys": [7]}"#,
            "-----BEGIN PUBLIC KEY-----",
        ] {
            let error = KeySet::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, KeySetError::NotKeySet(_)), "{text}: {error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        assert_eq!(parse(&[]).unwrap_err(), KeySetError::NoUsableKey { keys: 0 });
        let many = vec![p256(); MAX_KEYS + 1];
        assert_eq!(
            parse(&many).unwrap_err(),
            KeySetError::TooManyKeys { keys: MAX_KEYS + 1 }
        );
    }

    #[test]
    fn a_key_id_chooses_and_does_not_prefer() {
        let keys = parse(&[p256(), with("kid", json!("b")), with("kid", Value::Null)]).unwrap();
        let count = |id| keys.candidates(id, Algorithm::Es256).count();
        assert_eq!((count(Some("a")), count(Some("c")), count(None)), (1, 0, 3));
        assert_eq!(keys.candidates(Some("a"), Algorithm::Rs256).count(), 0);
    }
}
