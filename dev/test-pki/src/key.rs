use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self as aws, Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING,
    PqdsaKeyPair, PqdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rustls_pki_types::{AlgorithmIdentifier, alg_id};

use crate::{Error, files};

/// The kinds of key that certificates can be made for.
///
/// Ed25519 is here because ALB does not take it, so that refusing it can be tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    Ed25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
    #[default]
    P256,
    P384,
    P521,
    Rsa2048,
    Rsa3072,
    Rsa4096,
}

impl KeyKind {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::MlDsa44 => "ml-dsa-44",
            Self::MlDsa65 => "ml-dsa-65",
            Self::MlDsa87 => "ml-dsa-87",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::P521 => "p521",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    fn ml_dsa(self) -> Option<&'static PqdsaSigningAlgorithm> {
        match self {
            Self::MlDsa44 => Some(&ML_DSA_44_SIGNING),
            Self::MlDsa65 => Some(&ML_DSA_65_SIGNING),
            Self::MlDsa87 => Some(&ML_DSA_87_SIGNING),
            _ => None,
        }
    }
}

/// Parameter sets of ML-DSA (FIPS 204).
const ML_DSA: [KeyKind; 3] = [KeyKind::MlDsa44, KeyKind::MlDsa65, KeyKind::MlDsa87];

/// Signature algorithm of a certificate or a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    Ed25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
}

impl SignatureAlgorithm {
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaSha256 => "ecdsa-sha256",
            Self::EcdsaSha384 => "ecdsa-sha384",
            Self::EcdsaSha512 => "ecdsa-sha512",
            Self::Ed25519 => "ed25519",
            Self::MlDsa44 => "ml-dsa-44",
            Self::MlDsa65 => "ml-dsa-65",
            Self::MlDsa87 => "ml-dsa-87",
            Self::RsaPkcs1Sha256 => "rsa-pkcs1-sha256",
            Self::RsaPkcs1Sha384 => "rsa-pkcs1-sha384",
            Self::RsaPkcs1Sha512 => "rsa-pkcs1-sha512",
            Self::RsaPssSha256 => "rsa-pss-sha256",
            Self::RsaPssSha384 => "rsa-pss-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
        }
    }

    /// Returns the content of the `AlgorithmIdentifier`, without its outer SEQUENCE.
    pub(crate) fn identifier(self) -> AlgorithmIdentifier {
        match self {
            Self::EcdsaSha256 => alg_id::ECDSA_SHA256,
            Self::EcdsaSha384 => alg_id::ECDSA_SHA384,
            Self::EcdsaSha512 => alg_id::ECDSA_SHA512,
            Self::Ed25519 => alg_id::ED25519,
            Self::MlDsa44 => alg_id::ML_DSA_44,
            Self::MlDsa65 => alg_id::ML_DSA_65,
            Self::MlDsa87 => alg_id::ML_DSA_87,
            Self::RsaPkcs1Sha256 => alg_id::RSA_PKCS1_SHA256,
            Self::RsaPkcs1Sha384 => alg_id::RSA_PKCS1_SHA384,
            Self::RsaPkcs1Sha512 => alg_id::RSA_PKCS1_SHA512,
            Self::RsaPssSha256 => alg_id::RSA_PSS_SHA256,
            Self::RsaPssSha384 => alg_id::RSA_PSS_SHA384,
            Self::RsaPssSha512 => alg_id::RSA_PSS_SHA512,
        }
    }

    fn ecdsa_digest(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::EcdsaSha256 => Some(&SHA256),
            Self::EcdsaSha384 => Some(&SHA384),
            Self::EcdsaSha512 => Some(&SHA512),
            _ => None,
        }
    }

    fn rsa_padding(self) -> Option<&'static dyn aws::RsaEncoding> {
        match self {
            Self::RsaPkcs1Sha256 => Some(&RSA_PKCS1_SHA256),
            Self::RsaPkcs1Sha384 => Some(&RSA_PKCS1_SHA384),
            Self::RsaPkcs1Sha512 => Some(&RSA_PKCS1_SHA512),
            Self::RsaPssSha256 => Some(&RSA_PSS_SHA256),
            Self::RsaPssSha384 => Some(&RSA_PSS_SHA384),
            Self::RsaPssSha512 => Some(&RSA_PSS_SHA512),
            _ => None,
        }
    }
}

/// A private key. Cloning is cheap and shares it.
#[derive(Clone)]
pub struct Key(Arc<Kind>);

enum Kind {
    Ed25519(Ed25519KeyPair),
    MlDsa(KeyKind, PqdsaKeyPair),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Rsa(RsaKeyPair),
}

impl Key {
    /// A random key.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn random(kind: KeyKind) -> Result<Self, Error> {
        let size = match kind {
            KeyKind::Rsa2048 => KeySize::Rsa2048,
            KeyKind::Rsa3072 => KeySize::Rsa3072,
            KeyKind::Rsa4096 => KeySize::Rsa4096,
            _ => return Self::expand(kind, &random::<32>()?),
        };
        let pair = RsaKeyPair::generate(size).map_err(|_| Error::Key {
            action: "start",
            kind: kind.name(),
        })?;
        Ok(Self::new(Kind::Rsa(pair)))
    }

    /// Derives a key from a seed, for samples and vectors that must be reproducible byte for byte.
    /// Its signatures are reproducible too (RFC 6979, RFC 8032), except those of ML-DSA. Every
    /// reader can derive it, so it protects nothing.
    ///
    /// # Errors
    ///
    /// For RSA, which has no reproducible form.
    pub fn from_seed(kind: KeyKind, seed: &str) -> Result<Self, Error> {
        Self::expand(kind, seed.as_bytes())
    }

    /// Reads an unencrypted PKCS #8 private key (`BEGIN PRIVATE KEY`).
    ///
    /// # Errors
    ///
    /// When the text is not such a key or the key is of a kind that this crate does not have.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let block = pem::parse(text).map_err(|error| Error::malformed("private key", error))?;
        if block.tag() != "PRIVATE KEY" {
            return Err(Error::malformed(
                "private key",
                format!("the PEM label is `{}`, not `PRIVATE KEY`", block.tag()),
            ));
        }
        let der = block.contents();
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Ok(Self::new(Kind::P256(key)));
        }
        if let Ok(key) = p384::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Ok(Self::new(Kind::P384(key)));
        }
        if let Ok(key) = p521::SecretKey::from_pkcs8_der(der) {
            return Ok(Self::new(Kind::P521(key.into())));
        }
        if let Ok(key) = RsaKeyPair::from_pkcs8(der) {
            return Ok(Self::new(Kind::Rsa(key)));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self::new(Kind::Ed25519(key)));
        }
        for kind in ML_DSA {
            if let Some(algorithm) = kind.ml_dsa()
                && let Ok(key) = PqdsaKeyPair::from_pkcs8(algorithm, der)
            {
                return Ok(Self::new(Kind::MlDsa(kind, key)));
            }
        }
        Err(Error::malformed(
            "private key",
            "it is neither EC P-256, P-384, P-521 nor RSA nor Ed25519 nor ML-DSA",
        ))
    }

    /// Reads a private key from a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or as for [`Key::from_pem`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::from_pem(&files::read(path)?).map_err(|error| error.in_file(path))
    }

    /// PKCS #8 in PEM, as `openssl` and curl read it.
    ///
    /// # Errors
    ///
    /// When the key cannot be encoded.
    pub fn to_pem(&self) -> Result<String, Error> {
        let failed = || Error::Key {
            action: "write PKCS #8",
            kind: self.kind_name(),
        };
        let der = match &*self.0 {
            Kind::Ed25519(key) => key.to_pkcs8v1().map_err(|_| failed())?.as_ref().to_vec(),
            Kind::MlDsa(_, key) => key.to_pkcs8v1().map_err(|_| failed())?.as_ref().to_vec(),
            Kind::P256(key) => key.to_pkcs8_der().map_err(|_| failed())?.as_bytes().to_vec(),
            Kind::P384(key) => key.to_pkcs8_der().map_err(|_| failed())?.as_bytes().to_vec(),
            Kind::P521(key) => key.to_pkcs8_der().map_err(|_| failed())?.as_bytes().to_vec(),
            Kind::Rsa(key) => {
                let der: Pkcs8V1Der<'static> = key.as_der().map_err(|_| failed())?;
                der.as_ref().to_vec()
            }
        };
        Ok(crate::pem_text("PRIVATE KEY", der))
    }

    /// Returns the public key as DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    ///
    /// When the key cannot be encoded.
    pub fn public_key_info(&self) -> Result<Vec<u8>, Error> {
        let failed = || Error::Key {
            action: "write the public key",
            kind: self.kind_name(),
        };
        match &*self.0 {
            Kind::Ed25519(key) => x509_public_key(key.public_key()).ok_or_else(failed),
            Kind::MlDsa(_, key) => x509_public_key(key.public_key()).ok_or_else(failed),
            Kind::P256(key) => Ok(key
                .verifying_key()
                .to_public_key_der()
                .map_err(|_| failed())?
                .into_vec()),
            Kind::P384(key) => Ok(key
                .verifying_key()
                .to_public_key_der()
                .map_err(|_| failed())?
                .into_vec()),
            Kind::P521(key) => Ok(key
                .verifying_key()
                .to_public_key_der()
                .map_err(|_| failed())?
                .into_vec()),
            Kind::Rsa(key) => x509_public_key(key.public_key()).ok_or_else(failed),
        }
    }

    /// Returns the usual algorithm for [`Key::sign`].
    pub fn default_algorithm(&self) -> SignatureAlgorithm {
        match &*self.0 {
            Kind::Ed25519(_) => SignatureAlgorithm::Ed25519,
            Kind::MlDsa(KeyKind::MlDsa44, _) => SignatureAlgorithm::MlDsa44,
            Kind::MlDsa(KeyKind::MlDsa65, _) => SignatureAlgorithm::MlDsa65,
            Kind::MlDsa(..) => SignatureAlgorithm::MlDsa87,
            Kind::P256(_) => SignatureAlgorithm::EcdsaSha256,
            Kind::P384(_) => SignatureAlgorithm::EcdsaSha384,
            Kind::P521(_) => SignatureAlgorithm::EcdsaSha512,
            Kind::Rsa(_) => SignatureAlgorithm::RsaPkcs1Sha256,
        }
    }

    /// Signs a message; ECDSA signatures are DER, as in certificates.
    ///
    /// # Errors
    ///
    /// When the algorithm is not one for this kind of key. ECDSA takes any of its three digests
    /// with any curve, except SHA-256 with P-521, which is too short for it.
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        let refused = || Error::SignatureAlgorithm {
            kind: self.kind_name(),
            algorithm: algorithm.name(),
        };
        let digest = || {
            Ok(digest::digest(
                algorithm.ecdsa_digest().ok_or_else(refused)?,
                message,
            ))
        };
        match &*self.0 {
            Kind::Ed25519(key) if algorithm == SignatureAlgorithm::Ed25519 => {
                Ok(key.sign(message).as_ref().to_vec())
            }
            Kind::Ed25519(_) => Err(refused()),
            Kind::MlDsa(_, key) => {
                if algorithm != self.default_algorithm() {
                    return Err(refused());
                }
                let mut signature = vec![0; key.algorithm().signature_len()];
                key.sign(message, &mut signature).map_err(|_| refused())?;
                Ok(signature)
            }
            Kind::P256(key) => {
                let signature: p256::ecdsa::DerSignature =
                    key.sign_prehash(digest()?.as_ref()).map_err(|_| refused())?;
                Ok(signature.as_bytes().to_vec())
            }
            Kind::P384(key) => {
                let signature: p384::ecdsa::DerSignature =
                    key.sign_prehash(digest()?.as_ref()).map_err(|_| refused())?;
                Ok(signature.as_bytes().to_vec())
            }
            Kind::P521(key) => {
                let signature: p521::ecdsa::DerSignature =
                    key.sign_prehash(digest()?.as_ref()).map_err(|_| refused())?;
                Ok(signature.as_bytes().to_vec())
            }
            Kind::Rsa(key) => {
                let padding = algorithm.rsa_padding().ok_or_else(refused)?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| refused())?;
                Ok(signature)
            }
        }
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(kind))
    }

    fn expand(kind: KeyKind, seed: &[u8]) -> Result<Self, Error> {
        // SHA-512 is as long as the longest scalar needs; the kind keeps keys of two kinds and one
        // seed unrelated.
        let wide = digest::digest(&SHA512, &[kind.name().as_bytes(), b" key ", seed].concat());
        let failed = || Error::Key {
            action: "expand a seed",
            kind: kind.name(),
        };
        let (first_32, first_48) = wide
            .as_ref()
            .first_chunk::<32>()
            .zip(wide.as_ref().first_chunk::<48>())
            .ok_or_else(failed)?;
        Ok(Self::new(match kind {
            KeyKind::Ed25519 => {
                Kind::Ed25519(Ed25519KeyPair::from_seed_unchecked(first_32).map_err(|_| failed())?)
            }
            KeyKind::MlDsa44 | KeyKind::MlDsa65 | KeyKind::MlDsa87 => {
                let algorithm = kind.ml_dsa().ok_or_else(failed)?;
                let pair = PqdsaKeyPair::from_seed(algorithm, first_32);
                Kind::MlDsa(kind, pair.map_err(|_| failed())?)
            }
            KeyKind::P256 => Kind::P256(p256::ecdsa::SigningKey::from_slice(first_32).map_err(|_| failed())?),
            KeyKind::P384 => Kind::P384(p384::ecdsa::SigningKey::from_slice(first_48).map_err(|_| failed())?),
            KeyKind::P521 => {
                let scalar = [&[0, 0], wide.as_ref()].concat();
                Kind::P521(p521::ecdsa::SigningKey::from_slice(&scalar).map_err(|_| failed())?)
            }
            KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::Rsa4096 => {
                return Err(Error::KeyNotSeedable { kind: kind.name() });
            }
        }))
    }

    fn kind_name(&self) -> &'static str {
        match &*self.0 {
            Kind::Ed25519(_) => "ed25519",
            Kind::MlDsa(kind, _) => kind.name(),
            Kind::P256(_) => "p256",
            Kind::P384(_) => "p384",
            Kind::P521(_) => "p521",
            Kind::Rsa(_) => "rsa",
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Key").field(&self.kind_name()).finish()
    }
}

/// Returns random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Key {
        action: "draw randomness",
        kind: "new",
    })?;
    Ok(bytes)
}

fn x509_public_key(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Option<Vec<u8>> {
    Some(key.as_der().ok()?.as_ref().to_vec())
}
