//! ML-DSA (FIPS 204) in certificates (RFC 9881): webpki's implementations, for the one encoding of
//! keys that RFC 9881 has.

use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// Octets of the seed rho, with which every public key begins (FIPS 204 §7.2).
const SEED: usize = 32;

/// Parameter set of ML-DSA.
#[derive(Debug)]
pub(crate) struct MlDsa {
    webpki: &'static &'static dyn SignatureVerificationAlgorithm,
    /// Octets of a public key (FIPS 204, table 2).
    key_length: usize,
}

pub(crate) static ML_DSA_44: &MlDsa = &MlDsa {
    webpki: &webpki::aws_lc_rs::ML_DSA_44,
    key_length: 1_312,
};
pub(crate) static ML_DSA_65: &MlDsa = &MlDsa {
    webpki: &webpki::aws_lc_rs::ML_DSA_65,
    key_length: 1_952,
};
pub(crate) static ML_DSA_87: &MlDsa = &MlDsa {
    webpki: &webpki::aws_lc_rs::ML_DSA_87,
    key_length: 2_592,
};

impl MlDsa {
    /// Returns true if a key has the right length and its vector t1 is not zero.
    ///
    /// Every octet string of that length encodes a key. With t1 = 0 the challenge of a signature
    /// cancels out, so that signing needs no secret: the counterpart of RSA with the exponent 1.
    pub(super) fn is_sound_key(&self, key: &[u8]) -> bool {
        let mut t1 = key.iter().skip(SEED);
        key.len() == self.key_length && t1.any(|octet| *octet != 0)
    }

    pub(crate) const fn key_length(&self) -> usize {
        self.key_length
    }
}

impl SignatureVerificationAlgorithm for MlDsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        // aws-lc-rs also reads a whole SubjectPublicKeyInfo in the place of a key. RFC 9881 §4
        // allows the key alone, and one key must not have two encodings.
        if !self.is_sound_key(public_key) {
            return Err(InvalidSignature);
        }
        self.webpki.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.webpki.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.webpki.signature_alg_id()
    }

    fn fips(&self) -> bool {
        self.webpki.fips()
    }
}
