//! Signatures of certificates: which algorithms count, and whether one verifies.

use rustls_pki_types::SignatureVerificationAlgorithm;

use crate::certificate::{Certificate, IssuerKey};
use crate::rejection::Reason;

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

/// Whether the owner of `issuer` signed `certificate`.
pub(crate) fn verify(certificate: &Certificate<'_>, issuer: IssuerKey<'_>) -> Result<(), Reason> {
    let mut known = false;
    for algorithm in SIGNATURE_ALGORITHMS {
        if algorithm.signature_alg_id().as_ref() != certificate.signature_algorithm {
            continue;
        }
        known = true;
        if algorithm.public_key_alg_id().as_ref() == issuer.algorithm {
            return algorithm
                .verify_signature(issuer.key, certificate.to_be_signed, certificate.signature)
                .map_err(|_| Reason::SignatureInvalid);
        }
    }
    // An algorithm that does not go with the issuer's key cannot have made the signature.
    if known {
        Err(Reason::SignatureInvalid)
    } else {
        Err(Reason::SignatureAlgorithm)
    }
}
