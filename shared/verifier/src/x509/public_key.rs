//! Public keys of certificates (RFC 5280 §4.1.2.7).

use rustls_pki_types::alg_id;

use crate::x509::der::{Element, Elements, Malformed, Tag, whole_octets};
use crate::x509::oid;

/// A SubjectPublicKeyInfo and its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKeyInfo<'a> {
    pub(crate) encoding: &'a [u8],
    /// The content of the AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    /// The octets of the BIT STRING.
    pub(crate) key: &'a [u8],
}

/// The key of an issuer, as its SubjectPublicKeyInfo gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IssuerKey<'a> {
    /// The content of the AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) key: &'a [u8],
}

/// Kind and size of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// ECDSA on NIST P-521.
    P521,
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
    /// RSA with a modulus of this many bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// Anything else.
    Unsupported,
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::P256 => formatter.write_str("P-256"),
            Self::P384 => formatter.write_str("P-384"),
            Self::P521 => formatter.write_str("P-521"),
            Self::MlDsa44 => formatter.write_str("ML-DSA-44"),
            Self::MlDsa65 => formatter.write_str("ML-DSA-65"),
            Self::MlDsa87 => formatter.write_str("ML-DSA-87"),
            Self::Rsa { bits } => write!(formatter, "RSA-{bits}"),
            Self::Unsupported => formatter.write_str("unsupported key"),
        }
    }
}

impl<'a> PublicKeyInfo<'a> {
    pub(crate) fn parse(info: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = Elements::new(info.content);
        let algorithm = fields.expect(Tag::SEQUENCE)?.content;
        let key = whole_octets(fields.expect(Tag::BIT_STRING)?.content)?;
        fields.finish()?;
        Ok(Self {
            encoding: info.encoding,
            algorithm,
            key,
        })
    }
}

impl PublicKey {
    /// Reads the content of the AlgorithmIdentifier and the octets of the key. Parameters that do
    /// not decide which key it is are not looked at.
    pub(crate) fn parse(algorithm: &[u8], key: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::new(algorithm);
        let kind = fields.expect(Tag::OBJECT_IDENTIFIER)?.content;
        // RFC 5480 §2.1.1: the parameters name the curve. Explicit parameters are not read:
        // accepting them caused CVE-2020-0601.
        if kind == oid::EC_PUBLIC_KEY.as_bytes() {
            let curve = fields.next_element()?;
            Ok(match curve.content {
                _ if curve.tag != Tag::OBJECT_IDENTIFIER => Self::Unsupported,
                curve if curve == oid::P256.as_bytes() => Self::P256,
                curve if curve == oid::P384.as_bytes() => Self::P384,
                curve if curve == oid::P521.as_bytes() => Self::P521,
                _ => Self::Unsupported,
            })
        } else if kind == oid::RSA_ENCRYPTION.as_bytes() {
            // RFC 8017 appendix A.1.1: RSAPublicKey is modulus and exponent.
            let mut numbers = Elements::inside(key, Tag::SEQUENCE)?;
            let modulus = numbers.expect(Tag::INTEGER)?.content;
            numbers.expect(Tag::INTEGER)?;
            numbers.finish()?;
            Ok(Self::Rsa {
                bits: bit_length(modulus),
            })
        } else {
            // RFC 9881 §2: ML-DSA has no parameters.
            let ml_dsa = [
                (alg_id::ML_DSA_44, Self::MlDsa44),
                (alg_id::ML_DSA_65, Self::MlDsa65),
                (alg_id::ML_DSA_87, Self::MlDsa87),
            ];
            let known = ml_dsa.into_iter().find(|(known, _)| known.as_ref() == algorithm);
            Ok(known.map_or(Self::Unsupported, |(_, known)| known))
        }
    }

    /// Returns true if certificates can be verified and issued with the kind and size.
    pub(crate) fn is_supported(self) -> bool {
        match self {
            Self::P256 | Self::P384 | Self::P521 => true,
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => true,
            Self::Rsa { bits } => (2048..=8192).contains(&bits),
            Self::Unsupported => false,
        }
    }
}

/// Bits of an INTEGER that is taken for unsigned.
pub(crate) fn bit_length(unsigned: &[u8]) -> usize {
    let mut bytes = unsigned.iter().skip_while(|byte| **byte == 0);
    match bytes.next() {
        None => 0,
        Some(first) => bytes.count() * 8 + (8 - first.leading_zeros() as usize),
    }
}
