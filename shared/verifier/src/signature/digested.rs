//! Signatures of messages that are not in memory as a whole: their digest was computed when they
//! arrived.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self, VerificationAlgorithm};
use rustls_pki_types::InvalidSignature;

use super::{FittingAlgorithm, LISTED_ALGORITHMS, SignatureAlgorithm, SignatureFault};
use crate::x509::public_key::IssuerKey;

/// Returns the hash function of the algorithm that the content of an AlgorithmIdentifier names;
/// `None` if signatures of that algorithm can be verified with the whole message only.
///
/// ML-DSA hashes the public key before the message, and parameters of RSASSA-PSS that no CA writes
/// are not worth the code. The FIPS module has no service that verifies a digest (aws-lc-rs,
/// `UnparsedPublicKey::verify_digest`).
pub(crate) fn hash_function(identifier: &[u8]) -> Option<&'static digest::Algorithm> {
    let mut all = LISTED_ALGORITHMS.iter();
    let listed = all.find(|listed| listed.implementation.signature_alg_id().as_ref() == identifier)?;
    implementation(listed.name).map(|(_, hash)| hash)
}

/// Verifies a signature with a key of its issuer, by the digest of the message.
pub(crate) fn verify_digest(
    identifier: &[u8],
    key: IssuerKey<'_>,
    digest: &Digest,
    signature: &[u8],
) -> Result<Result<(), InvalidSignature>, SignatureFault> {
    let fitting = FittingAlgorithm::find(identifier, key)?;
    let FittingAlgorithm::Listed(_, listed) = fitting else {
        return Err(SignatureFault::Algorithm);
    };
    let Some((algorithm, hash)) = implementation(listed.name) else {
        return Err(SignatureFault::Algorithm);
    };
    if digest.algorithm() != hash {
        return Ok(Err(InvalidSignature));
    }
    let verified = algorithm.verify_digest_sig(key.key, digest, signature);
    Ok(verified.map_err(|_| InvalidSignature))
}

type Implementation = (&'static dyn VerificationAlgorithm, &'static digest::Algorithm);

fn implementation(name: SignatureAlgorithm) -> Option<Implementation> {
    if cfg!(feature = "fips") {
        return None;
    }
    let (sha256, sha384, sha512) = (&digest::SHA256, &digest::SHA384, &digest::SHA512);
    Some(match name {
        SignatureAlgorithm::RsaPkcs1Sha256 => (&signature::RSA_PKCS1_2048_8192_SHA256, sha256),
        SignatureAlgorithm::RsaPkcs1Sha384 => (&signature::RSA_PKCS1_2048_8192_SHA384, sha384),
        SignatureAlgorithm::RsaPkcs1Sha512 => (&signature::RSA_PKCS1_2048_8192_SHA512, sha512),
        SignatureAlgorithm::RsaPssSha256 => (&signature::RSA_PSS_2048_8192_SHA256, sha256),
        SignatureAlgorithm::RsaPssSha384 => (&signature::RSA_PSS_2048_8192_SHA384, sha384),
        SignatureAlgorithm::RsaPssSha512 => (&signature::RSA_PSS_2048_8192_SHA512, sha512),
        SignatureAlgorithm::EcdsaP256Sha256 => (&signature::ECDSA_P256_SHA256_ASN1, sha256),
        SignatureAlgorithm::EcdsaP256Sha384 => (&signature::ECDSA_P256_SHA384_ASN1, sha384),
        SignatureAlgorithm::EcdsaP256Sha512 => (&signature::ECDSA_P256_SHA512_ASN1, sha512),
        SignatureAlgorithm::EcdsaP384Sha256 => (&signature::ECDSA_P384_SHA256_ASN1, sha256),
        SignatureAlgorithm::EcdsaP384Sha384 => (&signature::ECDSA_P384_SHA384_ASN1, sha384),
        SignatureAlgorithm::EcdsaP384Sha512 => (&signature::ECDSA_P384_SHA512_ASN1, sha512),
        SignatureAlgorithm::EcdsaP521Sha256 => (&signature::ECDSA_P521_SHA256_ASN1, sha256),
        SignatureAlgorithm::EcdsaP521Sha384 => (&signature::ECDSA_P521_SHA384_ASN1, sha384),
        SignatureAlgorithm::EcdsaP521Sha512 => (&signature::ECDSA_P521_SHA512_ASN1, sha512),
        SignatureAlgorithm::MlDsa44 | SignatureAlgorithm::MlDsa65 | SignatureAlgorithm::MlDsa87 => {
            return None;
        }
    })
}
