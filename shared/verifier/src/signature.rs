//! Signatures of certificates: the algorithms that count, and the keys that are sound.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use rustls_pki_types::SignatureVerificationAlgorithm;

use crate::certificate::PublicKey;

/// The signature algorithms that a load balancer accepts: SHA-256, SHA-384 and SHA-512 with ECDSA, RSA and RSA-PSS.
///
/// Their implementations refuse RSA keys of fewer than 2048 or more than 8192 bits.
pub(crate) static SIGNATURE_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
    webpki::aws_lc_rs::ECDSA_P256_SHA384,
    webpki::aws_lc_rs::ECDSA_P256_SHA512,
    webpki::aws_lc_rs::ECDSA_P384_SHA256,
    webpki::aws_lc_rs::ECDSA_P384_SHA384,
    webpki::aws_lc_rs::ECDSA_P384_SHA512,
    webpki::aws_lc_rs::ECDSA_P521_SHA256,
    webpki::aws_lc_rs::ECDSA_P521_SHA384,
    webpki::aws_lc_rs::ECDSA_P521_SHA512,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Whether signatures could be verified with a key: an RSA modulus that is positive and odd with an exponent that is odd,
/// at least 3 and of at most 33 bits, or a point of the curve.
pub(crate) fn is_sound_key(kind: PublicKey, key: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match kind {
        PublicKey::P256 => &ECDSA_P256_SHA256_ASN1,
        PublicKey::P384 => &ECDSA_P384_SHA384_ASN1,
        PublicKey::P521 => &ECDSA_P521_SHA512_ASN1,
        PublicKey::Rsa { .. } => &RSA_PKCS1_2048_8192_SHA256,
        PublicKey::Unsupported => return false,
    };
    // Without this, a whole SubjectPublicKeyInfo in the place of a point would be read as well (RFC 5480 §2.2).
    let is_point = matches!(key.first(), Some(2..=4));
    (is_point || matches!(kind, PublicKey::Rsa { .. })) && ParsedPublicKey::new(algorithm, key).is_ok()
}
