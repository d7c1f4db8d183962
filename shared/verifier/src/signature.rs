//! Signatures of certificates and CRLs: the algorithms that are accepted, and the keys that are
//! sound.

mod algorithm;
mod digested;
mod ml_dsa;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaPssSaltLength, VerificationAlgorithm,
};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use crate::rejection::{Reason, Rejection};
use crate::x509::algorithm_name::describe_key;
use crate::x509::der::{Elements, Malformed, Tag, context_tag, single, small_unsigned};
use crate::x509::public_key::{IssuerKey, PublicKey};

pub(crate) use algorithm::{LISTED_ALGORITHMS, ListedAlgorithm};
pub use algorithm::{SignatureAlgorithm, SignatureAlgorithms, UnknownSignatureAlgorithm};
pub(crate) use digested::{hash_function, verify_digest};
pub(crate) use ml_dsa::{ML_DSA_44, ML_DSA_65, ML_DSA_87};

/// Returns true if signatures can be verified with a key and not every attacker can make them.
///
/// - RSA: a modulus that is positive and odd, with an exponent that is odd, at least 3 and of at
///   most 33 bits.
/// - ECDSA: a point of the curve.
/// - ML-DSA: a key of the right length (FIPS 204 §7.2) whose vector t1 is not zero.
pub(crate) fn is_sound_key(kind: PublicKey, key: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match kind {
        PublicKey::P256 => &ECDSA_P256_SHA256_ASN1,
        PublicKey::P384 => &ECDSA_P384_SHA384_ASN1,
        PublicKey::P521 => &ECDSA_P521_SHA512_ASN1,
        PublicKey::Rsa { .. } => &RSA_PKCS1_2048_8192_SHA256,
        PublicKey::MlDsa44 => return ML_DSA_44.is_sound_key(key),
        PublicKey::MlDsa65 => return ML_DSA_65.is_sound_key(key),
        PublicKey::MlDsa87 => return ML_DSA_87.is_sound_key(key),
        PublicKey::Unsupported => return false,
    };
    // Without this, a whole SubjectPublicKeyInfo in the place of a point would be read as well (RFC
    // 5480 §2.2).
    let is_point = matches!(key.first(), Some(2..=4));
    (is_point || matches!(kind, PublicKey::Rsa { .. })) && ParsedPublicKey::new(algorithm, key).is_ok()
}

/// Signature algorithms that are accepted, for messages.
pub(crate) const ACCEPTED_ALGORITHMS: &str =
    "RSA, RSASSA-PSS or ECDSA with SHA-256, SHA-384 or SHA-512, or ML-DSA";
/// Keys that are accepted, for messages.
pub(crate) const ACCEPTED_KEYS: &str = "RSA of 2048 to 8192 bits, P-256, P-384, P-521 or ML-DSA";

/// Reason for which a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureFault {
    /// The algorithm is not accepted, so that nothing was computed.
    Algorithm,
    /// The signature was computed and is not by this key, or AWS-LC does not take the key
    /// ([`key_fault`]).
    Invalid,
    /// The issuer's key is not accepted, for this reason, so that nothing was computed.
    Key(Reason),
    /// The algorithm is for another kind of key, so that nothing was computed: another issuer
    /// signed.
    OtherKind,
}

/// Algorithm that fits a signature and the key of its issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FittingAlgorithm {
    /// Algorithm of [`LISTED_ALGORITHMS`], by its position.
    Listed(usize, &'static ListedAlgorithm),
    Pss(Pss),
}

impl FittingAlgorithm {
    /// Finds the algorithm that the content of an AlgorithmIdentifier names, for the key of an
    /// issuer.
    pub(crate) fn find(identifier: &[u8], issuer: IssuerKey<'_>) -> Result<Self, SignatureFault> {
        let mut all = LISTED_ALGORITHMS.iter().enumerate();
        let listed = all.find(|(_, listed)| {
            listed.implementation.signature_alg_id().as_ref() == identifier
                && listed.implementation.public_key_alg_id().as_ref() == issuer.algorithm
        });
        match listed {
            Some((position, listed)) => Ok(Self::Listed(position, listed)),
            None => Self::find_other(identifier, issuer),
        }
    }

    #[cold]
    fn find_other(identifier: &[u8], issuer: IssuerKey<'_>) -> Result<Self, SignatureFault> {
        let is_listed = || {
            let mut all = LISTED_ALGORITHMS.iter();
            all.any(|listed| listed.implementation.signature_alg_id().as_ref() == identifier)
        };
        let pss = Pss::parse(identifier).ok();
        if pss.is_none() && !is_listed() {
            return Err(SignatureFault::Algorithm);
        }
        // A key that is not accepted says more than that its algorithm differs.
        if let Some(reason) = key_fault(issuer) {
            return Err(SignatureFault::Key(reason));
        }
        match pss {
            Some(pss) if issuer.algorithm == alg_id::RSA_ENCRYPTION.as_ref() => Ok(Self::Pss(pss)),
            _ => Err(SignatureFault::OtherKind),
        }
    }

    /// Returns a number that no other algorithm has.
    pub(crate) fn id(&self) -> usize {
        match self {
            Self::Listed(position, _) => *position,
            Self::Pss(pss) => (1 + pss.hash as usize) << 16 | usize::from(pss.salt_length),
        }
    }

    pub(crate) fn as_dyn(&self) -> &dyn SignatureVerificationAlgorithm {
        match self {
            Self::Listed(_, listed) => listed.implementation,
            Self::Pss(pss) => pss,
        }
    }

    /// Returns the name by which an operator allows the algorithm.
    pub(crate) fn name(&self) -> SignatureAlgorithm {
        match self {
            Self::Listed(_, listed) => listed.name,
            Self::Pss(pss) => match pss.hash {
                Hash::Sha256 => SignatureAlgorithm::RsaPssSha256,
                Hash::Sha384 => SignatureAlgorithm::RsaPssSha384,
                Hash::Sha512 => SignatureAlgorithm::RsaPssSha512,
            },
        }
    }
}

/// Returns the algorithm by which this key signed a certificate or CRL, unless it is allowed. The
/// signature has been verified.
pub(crate) fn not_allowed(
    identifier: &[u8],
    issuer: IssuerKey<'_>,
    allowed: SignatureAlgorithms,
) -> Option<&'static str> {
    // No signature that verifies has another algorithm.
    if allowed == SignatureAlgorithms::ALL {
        return None;
    }
    match FittingAlgorithm::find(identifier, issuer) {
        Ok(fitting) if allowed.contains(fitting.name()) => None,
        Ok(fitting) => Some(fitting.name().as_str()),
        Err(_) => Some("an algorithm without a name"),
    }
}

/// Adds which key it is and which ones are accepted.
pub(crate) fn with_key_facts(rejection: Rejection, key: IssuerKey<'_>) -> Rejection {
    let description = describe_key(key.algorithm, key.key);
    let is_unsound = rejection.reason() == Reason::KeyUnsound;
    let rejection = rejection.in_field("public key");
    if is_unsound {
        // Its kind and size are among those that are accepted.
        rejection.found(&description)
    } else {
        rejection.found(&description).allowed(ACCEPTED_KEYS)
    }
}

/// Returns the reason for which no signature of a key is accepted.
pub(crate) fn key_fault(issuer: IssuerKey<'_>) -> Option<Reason> {
    let is_named_rightly = || {
        let mut all = LISTED_ALGORITHMS.iter();
        all.any(|listed| listed.implementation.public_key_alg_id().as_ref() == issuer.algorithm)
    };
    match PublicKey::parse(issuer.algorithm, issuer.key) {
        Ok(kind @ PublicKey::Rsa { .. }) if !kind.is_supported() => Some(Reason::KeySize),
        // RSA without the NULL of RFC 3279 §2.3.1, or a curve with something after its name.
        Ok(kind) if kind.is_supported() && is_named_rightly() => {
            (!is_sound_key(kind, issuer.key)).then_some(Reason::KeyUnsound)
        }
        Ok(_) | Err(Malformed) => Some(Reason::KeyUnsupported),
    }
}

/// RSASSA-PSS with parameters that no listed algorithm has byte for byte (RFC 4055 §3.1): a default
/// that is written out, a hash function without NULL, or a salt of another length than the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pss {
    hash: Hash,
    salt_length: u16,
}

/// Hash functions of RSASSA-PSS that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Pss {
    /// Reads the content of an AlgorithmIdentifier. The mask generation function must use the same
    /// hash function, as AWS-LC asks; the defaults are SHA-1, which is not accepted.
    fn parse(identifier: &[u8]) -> Result<Self, Malformed> {
        /// RFC 4055 §3.1: 20, the length of SHA-1.
        const DEFAULT_SALT_LENGTH: u16 = 20;

        let mut fields = Elements::new(identifier);
        if fields.expect(Tag::OBJECT_IDENTIFIER)?.content != oid::RSASSA_PSS.as_bytes() {
            return Err(Malformed);
        }
        let mut parameters = Elements::new(fields.expect(Tag::SEQUENCE)?.content);
        fields.finish()?;
        let hash = parameters.expect(context_tag(0, true))?;
        let hash = Hash::parse(single(hash.content, Tag::SEQUENCE)?)?;
        let mask = parameters.expect(context_tag(1, true))?;
        let mut mask = Elements::inside(mask.content, Tag::SEQUENCE)?;
        let function = mask.expect(Tag::OBJECT_IDENTIFIER)?.content;
        let hash_of_mask = Hash::parse(mask.expect(Tag::SEQUENCE)?.content)?;
        mask.finish()?;
        if function != oid::MGF1.as_bytes() || hash_of_mask != hash {
            return Err(Malformed);
        }
        let mut integer = |number| {
            let explicit = parameters.optional(context_tag(number, true))?;
            explicit
                .map(|explicit| small_unsigned(single(explicit.content, Tag::INTEGER)?))
                .transpose()
        };
        let salt_length = match integer(2)? {
            None => DEFAULT_SALT_LENGTH,
            Some(length) => u16::try_from(length)?,
        };
        // The default, and the only value that RFC 8017 defines.
        let is_trailer_known = integer(3)?.is_none_or(|trailer| trailer == 1);
        parameters.finish()?;
        if is_trailer_known {
            Ok(Self { hash, salt_length })
        } else {
            Err(Malformed)
        }
    }
}

impl Hash {
    /// Reads the content of an AlgorithmIdentifier, whose parameters are NULL or absent (RFC 4055
    /// §2.1).
    fn parse(identifier: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::new(identifier);
        let name = fields.expect(Tag::OBJECT_IDENTIFIER)?.content;
        if let Some(null) = fields.optional(Tag::NULL)?
            && !null.content.is_empty()
        {
            return Err(Malformed);
        }
        fields.finish()?;
        let known = [
            (oid::SHA_256, Self::Sha256),
            (oid::SHA_384, Self::Sha384),
            (oid::SHA_512, Self::Sha512),
        ];
        let known = known.into_iter().find(|(known, _)| known.as_bytes() == name);
        known.map(|(_, hash)| hash).ok_or(Malformed)
    }
}

impl SignatureVerificationAlgorithm for Pss {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let algorithm = match self.hash {
            Hash::Sha256 => RSA_PSS_2048_8192_SHA256,
            Hash::Sha384 => RSA_PSS_2048_8192_SHA384,
            Hash::Sha512 => RSA_PSS_2048_8192_SHA512,
        };
        let algorithm = algorithm.with_pss_salt_length(RsaPssSaltLength::Custom(self.salt_length));
        let verified = algorithm.verify_sig(public_key, message, signature);
        verified.map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.hash {
            Hash::Sha256 => alg_id::RSA_PSS_SHA256,
            Hash::Sha384 => alg_id::RSA_PSS_SHA384,
            Hash::Sha512 => alg_id::RSA_PSS_SHA512,
        }
    }
}

mod oid {
    use der::asn1::ObjectIdentifier;

    pub(super) const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
    pub(super) const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
    pub(super) const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
    pub(super) const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
    pub(super) const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
}
