//! Signature algorithms: one table of their names and implementations.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::aws_lc_rs as webpki;

use super::ml_dsa;

/// Algorithm of [`LISTED_ALGORITHMS`].
#[derive(Debug)]
pub(crate) struct ListedAlgorithm {
    pub(crate) name: SignatureAlgorithm,
    pub(crate) implementation: &'static dyn SignatureVerificationAlgorithm,
}

/// Table with a row for each name: the variant, the word of settings, and the implementations. RSA
/// has two, because the parameters of its AlgorithmIdentifier are NULL or absent (RFC 4055 §5).
/// They refuse keys of fewer than 2048 or more than 8192 bits.
///
/// ML-DSA is the pure one of FIPS 204, with an empty context (RFC 9881 §3). HashML-DSA has other
/// object identifiers.
macro_rules! algorithms {
    ($($variant:ident, $word:literal, [$($implementation:path),+];)+) => {
        /// Signature algorithm of a certificate or CRL, with the kind of its signer's key.
        ///
        /// AWS documents RSA and ECDSA for load balancers. ML-DSA is for CAs: a load balancer takes
        /// no client with an ML-DSA key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum SignatureAlgorithm {
            $(#[doc = concat!("`", $word, "`.")] $variant,)+
        }

        impl SignatureAlgorithm {
            /// Every algorithm, in the order in which they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Words of all algorithms in settings, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// Returns the word in settings.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        /// Algorithms whose signatures are verified, for both validators.
        pub(crate) static LISTED_ALGORITHMS: &[ListedAlgorithm] = &[
            $($(ListedAlgorithm {
                name: SignatureAlgorithm::$variant,
                implementation: $implementation,
            },)+)+
        ];
    };
}

algorithms! {
    RsaPkcs1Sha256, "rsa-pkcs1-sha256", [webpki::RSA_PKCS1_2048_8192_SHA256, webpki::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS];
    RsaPkcs1Sha384, "rsa-pkcs1-sha384", [webpki::RSA_PKCS1_2048_8192_SHA384, webpki::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS];
    RsaPkcs1Sha512, "rsa-pkcs1-sha512", [webpki::RSA_PKCS1_2048_8192_SHA512, webpki::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS];
    RsaPssSha256, "rsa-pss-sha256", [webpki::RSA_PSS_2048_8192_SHA256_LEGACY_KEY];
    RsaPssSha384, "rsa-pss-sha384", [webpki::RSA_PSS_2048_8192_SHA384_LEGACY_KEY];
    RsaPssSha512, "rsa-pss-sha512", [webpki::RSA_PSS_2048_8192_SHA512_LEGACY_KEY];
    EcdsaP256Sha256, "ecdsa-p256-sha256", [webpki::ECDSA_P256_SHA256];
    EcdsaP256Sha384, "ecdsa-p256-sha384", [webpki::ECDSA_P256_SHA384];
    EcdsaP256Sha512, "ecdsa-p256-sha512", [webpki::ECDSA_P256_SHA512];
    EcdsaP384Sha256, "ecdsa-p384-sha256", [webpki::ECDSA_P384_SHA256];
    EcdsaP384Sha384, "ecdsa-p384-sha384", [webpki::ECDSA_P384_SHA384];
    EcdsaP384Sha512, "ecdsa-p384-sha512", [webpki::ECDSA_P384_SHA512];
    EcdsaP521Sha256, "ecdsa-p521-sha256", [webpki::ECDSA_P521_SHA256];
    EcdsaP521Sha384, "ecdsa-p521-sha384", [webpki::ECDSA_P521_SHA384];
    EcdsaP521Sha512, "ecdsa-p521-sha512", [webpki::ECDSA_P521_SHA512];
    MlDsa44, "ml-dsa-44", [ml_dsa::ML_DSA_44];
    MlDsa65, "ml-dsa-65", [ml_dsa::ML_DSA_65];
    MlDsa87, "ml-dsa-87", [ml_dsa::ML_DSA_87];
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Error for a text that is not a signature algorithm or not a set of them. Displays what it can
/// be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("words separated by white space, each of `{}`", SignatureAlgorithm::WORDS.join("`, `"))]
pub struct UnknownSignatureAlgorithm;

impl FromStr for SignatureAlgorithm {
    type Err = UnknownSignatureAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownSignatureAlgorithm> {
        let mut all = Self::ALL.iter().copied();
        all.find(|algorithm| algorithm.as_str() == text)
            .ok_or(UnknownSignatureAlgorithm)
    }
}

/// Set of signature algorithms.
///
/// ```
/// use alb_mtls_verifier::{SignatureAlgorithm, SignatureAlgorithms};
///
/// let cnsa: SignatureAlgorithms = [SignatureAlgorithm::MlDsa87].into_iter().collect();
/// assert!(!cnsa.contains(SignatureAlgorithm::EcdsaP256Sha256));
/// assert_eq!(cnsa.to_string(), "ml-dsa-87");
/// assert!(SignatureAlgorithms::ALL.contains(SignatureAlgorithm::EcdsaP256Sha256));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignatureAlgorithms(u32);

/// The default is every algorithm.
impl Default for SignatureAlgorithms {
    fn default() -> Self {
        Self::ALL
    }
}

impl SignatureAlgorithms {
    /// Every algorithm.
    pub const ALL: Self = Self((1 << SignatureAlgorithm::ALL.len()) - 1);

    /// Returns true if the algorithm is in the set.
    pub const fn contains(self, algorithm: SignatureAlgorithm) -> bool {
        self.0 & 1 << algorithm as u32 != 0
    }

    /// Returns the algorithms in the order in which they are documented.
    pub fn iter(self) -> impl Iterator<Item = SignatureAlgorithm> {
        let all = SignatureAlgorithm::ALL.iter().copied();
        all.filter(move |algorithm| self.contains(*algorithm))
    }
}

impl FromIterator<SignatureAlgorithm> for SignatureAlgorithms {
    fn from_iter<I: IntoIterator<Item = SignatureAlgorithm>>(algorithms: I) -> Self {
        let algorithms = algorithms.into_iter();
        Self(algorithms.fold(0, |set, algorithm| set | 1 << algorithm as u32))
    }
}

impl fmt::Debug for SignatureAlgorithms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

/// Reads words that are separated by white space. There must be one: an empty set would reject
/// every client.
impl FromStr for SignatureAlgorithms {
    type Err = UnknownSignatureAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownSignatureAlgorithm> {
        let words = text.split_whitespace().map(str::parse::<SignatureAlgorithm>);
        let set: Self = words.collect::<Result<_, _>>()?;
        set.iter().next().map(|_| set).ok_or(UnknownSignatureAlgorithm)
    }
}

/// Displays the words, separated by spaces, as a setting is written.
impl fmt::Display for SignatureAlgorithms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(SignatureAlgorithm::as_str).collect();
        formatter.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_one_word_and_an_implementation() {
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(*algorithm));
            assert!(SignatureAlgorithms::ALL.contains(*algorithm));
            assert!(
                LISTED_ALGORITHMS.iter().any(|listed| listed.name == *algorithm),
                "{algorithm}"
            );
        }
        assert_eq!(
            SignatureAlgorithms::ALL.iter().count(),
            SignatureAlgorithm::ALL.len()
        );
    }

    #[test]
    fn unknown_word_is_answered_with_the_words() {
        for text in ["", "rsa", "ML-DSA-65", "ml-dsa-65 ", "ed25519"] {
            let error = text.parse::<SignatureAlgorithm>().unwrap_err().to_string();
            assert!(error.contains("`rsa-pss-sha384`, `rsa-pss-sha512`"), "{error}");
        }
    }

    #[test]
    fn set_has_what_was_put_into_it() {
        let some = [SignatureAlgorithm::MlDsa87, SignatureAlgorithm::EcdsaP384Sha384];
        let set: SignatureAlgorithms = some.into_iter().chain(some).collect();
        assert_eq!(set.to_string(), "ecdsa-p384-sha384 ml-dsa-87");
        assert_eq!(set.iter().count(), 2);
        assert_eq!(SignatureAlgorithms::from_iter([]).iter().next(), None);
        assert_eq!(set.to_string().parse(), Ok(set));
        let spaced = " ml-dsa-87\n\tecdsa-p384-sha384  ".parse();
        assert_eq!(spaced, Ok(set));
        for text in ["", " ", "ml-dsa-87,ecdsa-p384-sha384", "ml-dsa-87 x"] {
            assert_eq!(
                text.parse::<SignatureAlgorithms>(),
                Err(UnknownSignatureAlgorithm)
            );
        }
    }
}
