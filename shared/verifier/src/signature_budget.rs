//! Signatures of one verification: each is verified once, and all of them cost no more than a
//! budget.
//!
//! A sender needs no key to cost signatures: certificates whose issuer has the name of a trust
//! anchor are enough. Below an anchor, a CA can also choose the kind of key.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use crate::signature::{FittingAlgorithm, LISTED_ALGORITHMS, SignatureFault, key_fault};
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag};
use crate::x509::public_key::{IssuerKey, bit_length};

/// Units for each certificate that a path can have. The costliest key that real CAs use takes 6
/// units, which leaves 4 units a certificate for issuers that do not fit. At the default depth of
/// 4, P-521 keys cost 24 of 40 units, and 40 signatures on P-256 take 3.4 ms on a machine that
/// takes 85 µs for one.
const UNITS_PER_CERTIFICATE: usize = 10;

/// Units of the costliest key that real CAs use.
const COSTLIEST_KEY: usize = 6;

/// Octets of a signed certificate that cost one more unit to hash; SHA-512 takes about 25 µs for
/// them, and SHAKE256, which is part of ML-DSA, half of a unit.
const OCTETS_PER_UNIT: usize = 16_384;

/// The most anchors that bear one name, and what one signature with the key of each of them costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Namesakes {
    pub(crate) count: usize,
    /// Units of [`SignatureBudget`].
    pub(crate) units: usize,
}

/// Signatures of one verification, and the units that are left for more.
#[derive(Debug)]
pub(crate) struct SignatureBudget {
    total: usize,
    // webpki wants its algorithms to be `Sync`; no other thread has this.
    ledger: Mutex<Ledger>,
}

#[derive(Debug)]
struct Ledger {
    left: usize,
    is_exceeded: bool,
    seen: Vec<SeenSignature>,
}

/// A verified signature with its result. The contents are owned: webpki does not say how long they
/// live.
#[derive(Debug)]
struct SeenSignature {
    algorithm: usize,
    key: Box<[u8]>,
    signed: Box<[u8]>,
    signature: Box<[u8]>,
    verifies: bool,
}

/// A signature that is too expensive for what is left of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded;

impl SignatureBudget {
    /// Takes the number of certificates that a path can have, and what it costs to try every anchor
    /// of one name: the operator configured so many, and without key identifiers any of them may be
    /// the right one, in any order.
    pub(crate) fn new(max_depth: usize, namesakes: Namesakes) -> Self {
        let for_path = max_depth.saturating_mul(UNITS_PER_CERTIFICATE);
        let for_namesakes = max_depth
            .saturating_mul(COSTLIEST_KEY)
            .saturating_add(namesakes.units);
        let total = for_path.max(for_namesakes);
        Self {
            total,
            ledger: Mutex::new(Ledger {
                left: total,
                is_exceeded: false,
                seen: Vec::new(),
            }),
        }
    }

    /// Returns the units that were spent.
    pub(crate) fn spent(&self) -> usize {
        self.total - self.ledger().left
    }

    /// Returns true once a signature was too expensive for the search.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.ledger().is_exceeded
    }

    /// Verifies that the owner of `issuer` signed `certificate`. After the first signature that is
    /// too expensive, only those that were verified before have a result.
    pub(crate) fn verify(
        &self,
        certificate: &Certificate<'_>,
        issuer: IssuerKey<'_>,
    ) -> Result<Result<(), SignatureFault>, Exceeded> {
        let fitting = match FittingAlgorithm::find(certificate.signature_algorithm, issuer) {
            Ok(fitting) => fitting,
            Err(fault) => return Ok(Err(fault)),
        };
        let signature = (certificate.to_be_signed, certificate.signature);
        let verified = self
            .ledger()
            .verify((fitting.id(), fitting.as_dyn()), issuer.key, signature);
        verified.map(|verifies| match verifies {
            true => Ok(()),
            // AWS-LC computes nothing with a key that it does not take, and says no more than this.
            false => Err(key_fault(issuer).map_or(SignatureFault::Invalid, SignatureFault::Key)),
        })
    }

    /// Returns webpki's view of the signatures that were verified so far.
    pub(crate) fn verified_by_algorithm(&self) -> Vec<VerifiedSignatures<'_>> {
        let all = LISTED_ALGORITHMS.iter().enumerate();
        all.map(|(position, listed)| VerifiedSignatures {
            position,
            algorithm: listed.implementation,
            budget: self,
        })
        .collect()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Verifies `signature`, what is signed and its signature, if it was not verified before and
    /// the budget allows it.
    ///
    /// A memory across requests belongs between the two: it would be asked before units are spent,
    /// and would change nothing else.
    fn verify(
        &mut self,
        (position, algorithm): (usize, &dyn SignatureVerificationAlgorithm),
        key: &[u8],
        (signed, signature): (&[u8], &[u8]),
    ) -> Result<bool, Exceeded> {
        // A remembered result costs nothing and is the same: verification is a pure function.
        if let Some(verifies) = self.known(position, key, (signed, signature)) {
            return Ok(verifies);
        }
        if self.is_exceeded {
            return Err(Exceeded);
        }
        let issuer = IssuerKey {
            algorithm: &algorithm.public_key_alg_id(),
            key,
        };
        // The sender chooses key and length, so both count.
        let units = units_of_key(issuer) + signed.len() / OCTETS_PER_UNIT;
        let Some(left) = self.left.checked_sub(units) else {
            self.is_exceeded = true;
            return Err(Exceeded);
        };
        self.left = left;
        let verifies = algorithm.verify_signature(key, signed, signature).is_ok();
        self.seen.push(SeenSignature {
            algorithm: position,
            key: key.into(),
            signed: signed.into(),
            signature: signature.into(),
            verifies,
        });
        Ok(verifies)
    }

    /// Returns the result of a signature that was verified before.
    fn known(&self, position: usize, key: &[u8], (signed, signature): (&[u8], &[u8])) -> Option<bool> {
        let known = self.seen.iter().find(|seen| {
            seen.algorithm == position
                && *seen.key == *key
                && *seen.signature == *signature
                && *seen.signed == *signed
        });
        known.map(|known| known.verifies)
    }
}

/// Algorithm for webpki that computes nothing: it knows the signatures that our search verified, by
/// all of their octets.
///
/// A signature is a pure function of algorithm, key, message and signature, so both validators can
/// share its result. Each takes the three octet strings from the certificates on its own, and one
/// that the search did not see is not valid here.
#[derive(Debug)]
pub(crate) struct VerifiedSignatures<'b> {
    position: usize,
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    budget: &'b SignatureBudget,
}

impl SignatureVerificationAlgorithm for VerifiedSignatures<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let ledger = self.budget.ledger();
        match ledger.known(self.position, public_key, (message, signature)) {
            Some(true) => Ok(()),
            Some(false) | None => Err(InvalidSignature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

/// Returns what one signature costs, in units of one on P-256. Measured with AWS-LC on x86-64,
/// against 65 µs for P-256: P-384 218 µs, P-521 348 µs, RSA with 2048, 4096 and 8192 bits 21, 73
/// and 290 µs. ML-DSA-44, 65 and 87 took 0.32, 0.53 and 0.79 of the time of P-256 in another run.
pub(crate) fn units_of_key(issuer: IssuerKey<'_>) -> usize {
    let is = |algorithm: AlgorithmIdentifier| issuer.algorithm == algorithm.as_ref();
    let is_ml_dsa = is(alg_id::ML_DSA_44) || is(alg_id::ML_DSA_65) || is(alg_id::ML_DSA_87);
    if is(alg_id::ECDSA_P256) || is_ml_dsa {
        1
    } else if is(alg_id::ECDSA_P384) {
        4
    } else if is(alg_id::ECDSA_P521) {
        COSTLIEST_KEY
    } else {
        // A key that cannot be read costs as much as the costliest.
        units_of_rsa(sizes_of_rsa(issuer.key).unwrap_or((usize::MAX, usize::MAX)))
    }
}

/// Reads the bits of modulus and exponent.
fn sizes_of_rsa(key: &[u8]) -> Result<(usize, usize), Malformed> {
    let mut numbers = Elements::inside(key, Tag::SEQUENCE)?;
    let modulus = bit_length(numbers.expect(Tag::INTEGER)?.content);
    let exponent = bit_length(numbers.expect(Tag::INTEGER)?.content);
    Ok((modulus, exponent))
}

/// Returns the units of an RSA key. The time grows with the square of the modulus. An exponent
/// beyond 65537 has at most 33 bits, whose squarings and multiplications take up to 2.4 times as
/// long.
fn units_of_rsa((modulus, exponent): (usize, usize)) -> usize {
    const BITS_OF_65537: usize = 17;
    // AWS-LC refuses longer ones before it computes anything.
    let modulus = modulus.min(8_192);
    let halves = if exponent <= BITS_OF_65537 { 2 } else { 5 };
    (modulus * modulus * halves).div_ceil(2 * 14 * 1_024 * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_rsa_grow_with_modulus_and_exponent() {
        let usual = |bits| units_of_rsa((bits, 17));
        assert_eq!([2048, 3072, 4096, 8192].map(usual), [1, 1, 2, 5]);
        let long = |bits| units_of_rsa((bits, 33));
        assert_eq!([2048, 4096, 8192].map(long), [1, 3, 12]);
        let key = [0x30, 8, 2, 3, 0, 0xA7, 1, 2, 1, 3];
        assert_eq!(sizes_of_rsa(&key), Ok((16, 2)));
        let cut_off = IssuerKey {
            algorithm: &alg_id::RSA_ENCRYPTION,
            key: &key[..9],
        };
        assert_eq!(units_of_key(cut_off), 12);
    }

    #[test]
    fn every_ml_dsa_key_costs_one_unit() {
        for algorithm in [alg_id::ML_DSA_44, alg_id::ML_DSA_65, alg_id::ML_DSA_87] {
            let key = IssuerKey {
                algorithm: &algorithm,
                key: &[],
            };
            assert_eq!(units_of_key(key), 1);
        }
    }

    #[test]
    fn deepest_path_leaves_units_for_wrong_issuers() {
        let p521 = IssuerKey {
            algorithm: &alg_id::ECDSA_P521,
            key: &[],
        };
        let costliest = units_of_key(p521).max(units_of_rsa((8_192, 17)));
        assert_eq!(costliest, COSTLIEST_KEY);
        for max_depth in 1..=10 {
            let budget = SignatureBudget::new(max_depth, Namesakes::default());
            assert!(budget.total >= max_depth * costliest * 3 / 2, "{max_depth}");
        }
    }

    #[test]
    fn namesakes_raise_the_budget_only_when_they_are_many() {
        let total = |units| SignatureBudget::new(4, Namesakes { count: units, units }).total;
        assert_eq!([0, 1, 16, 17, 99].map(total), [40, 40, 40, 41, 123]);
    }
}
