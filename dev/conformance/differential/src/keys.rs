//! Keys of the generator, and signatures that are made once.

use std::collections::HashMap;
use std::sync::Arc;

use test_pki::{Error, Key, KeyKind, SignatureAlgorithm};

/// Name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyName {
    Root,
    Policy,
    Issuing,
    Client,
    /// Key of another CA, or the next key of one of these.
    Other,
    Stranger,
    P384,
    P521,
    Ed25519,
}

impl KeyName {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Root,
        Self::Policy,
        Self::Issuing,
        Self::Client,
        Self::Other,
        Self::Stranger,
        Self::P384,
        Self::P521,
        Self::Ed25519,
    ];

    fn kind(self) -> KeyKind {
        match self {
            Self::P384 => KeyKind::P384,
            Self::P521 => KeyKind::P521,
            Self::Ed25519 => KeyKind::Ed25519,
            _ => KeyKind::P256,
        }
    }

    /// Returns a key identifier, for the extensions.
    pub(crate) fn identifier(self) -> [u8; 20] {
        [0x40 + self as u8; 20]
    }
}

/// All keys.
#[derive(Debug)]
pub(crate) struct Keys(Vec<(KeyName, Key, Vec<u8>)>);

impl Keys {
    pub(crate) fn new() -> Result<Self, Error> {
        let keys = KeyName::ALL.iter().map(|name| {
            let key = Key::from_seed(name.kind(), &format!("differential {name:?}"))?;
            let info = key.public_key_info()?;
            Ok((*name, key, info))
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    fn find(&self, name: KeyName) -> Option<&(KeyName, Key, Vec<u8>)> {
        self.0.iter().find(|(known, _, _)| *known == name)
    }

    /// Returns the encoding of the SubjectPublicKeyInfo.
    pub(crate) fn info(&self, name: KeyName) -> Vec<u8> {
        self.find(name)
            .map(|(_, _, info)| info.clone())
            .unwrap_or_default()
    }

    pub(crate) fn algorithm(&self, name: KeyName) -> SignatureAlgorithm {
        let key = self.find(name);
        key.map_or(SignatureAlgorithm::EcdsaSha256, |(_, key, _)| {
            key.default_algorithm()
        })
    }
}

/// Signatures that are kept: most certificates of a case are those of other cases too.
const MAX_SIGNATURES: usize = 4_096;

/// Signs with the keys.
#[derive(Debug)]
pub(crate) struct Signer {
    keys: Arc<Keys>,
    made: HashMap<(KeyName, Vec<u8>), Vec<u8>>,
}

impl Signer {
    pub(crate) fn new(keys: Arc<Keys>) -> Self {
        Self {
            keys,
            made: HashMap::new(),
        }
    }

    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Signs with the key's usual algorithm.
    pub(crate) fn sign(&mut self, name: KeyName, message: &[u8]) -> Result<Vec<u8>, Error> {
        let made = (name, message.to_vec());
        if let Some(signature) = self.made.get(&made) {
            return Ok(signature.clone());
        }
        let signature = match self.keys.find(name) {
            Some((_, key, _)) => key.sign(key.default_algorithm(), message)?,
            None => Vec::new(),
        };
        if self.made.len() == MAX_SIGNATURES {
            self.made.clear();
        }
        self.made.insert(made, signature.clone());
        Ok(signature)
    }
}
