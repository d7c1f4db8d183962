//! Signatures of CA certificates that were verified for earlier clients, so that a new client of a
//! known CA costs one signature: its own.
//!
//! A signature is a pure function of algorithm, key, message and signature, so a cached result
//! cannot become wrong. An entry contains all octets of the four, and a lookup compares them, which
//! needs no argument about collisions. It is also cheaper than a digest: all lookups of a request
//! took 1,600 instructions, where one SHA-256 of a certificate took 24,800 (callgrind, without the
//! processor's SHA extensions). Validity, constraints, usage and revocation are checked for each
//! client.
//!
//! Only a whole verification adds entries: those of the intermediates of a path that every rule and
//! both validators accepted. A sender without a certificate of a trusted CA adds nothing, a
//! signature that does not verify is never added, and an end-entity certificate cannot be among
//! them because it is not a CA certificate.

use std::sync::{PoisonError, RwLock};

use crate::fingerprint::Fingerprint;

/// Most entries. Operators have tens of issuing CAs. All entries together take 0.3 MB with keys on
/// P-256, and a lookup compares eight octets of nearly all of them.
const MAX_ENTRIES: usize = 256;

/// Most octets of one entry, so that all of them take 4 MiB at most. A load balancer's header has
/// no larger certificate, and one of ML-DSA-87 with its issuer's key takes about 10,000 octets.
const MAX_OCTETS: usize = 16_384;

/// A signature, and everything that its result depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature<'s> {
    /// Number that no other algorithm has.
    pub(crate) algorithm: usize,
    pub(crate) key: &'s [u8],
    pub(crate) signed: &'s [u8],
    pub(crate) signature: &'s [u8],
}

/// Copy of a [`Signature`], in one allocation.
#[derive(Debug)]
pub(crate) struct OwnedSignature {
    algorithm: usize,
    /// Lengths of signature and key, which come first in `octets`.
    lengths: (usize, usize),
    /// The last octets of the signature, which nearly always suffice to see that it is another one.
    tail: Option<[u8; 8]>,
    octets: Box<[u8]>,
}

impl OwnedSignature {
    pub(crate) fn new(signature: &Signature<'_>) -> Self {
        let Signature {
            algorithm,
            key,
            signed,
            signature,
        } = *signature;
        Self {
            algorithm,
            lengths: (signature.len(), key.len()),
            tail: signature.last_chunk().copied(),
            octets: [signature, key, signed].concat().into(),
        }
    }

    /// Returns true if all octets are the same.
    pub(crate) fn is(&self, other: &Signature<'_>) -> bool {
        let without_prefixes = || {
            let rest = self.octets.strip_prefix(other.signature)?;
            rest.strip_prefix(other.key)
        };
        self.tail.as_ref() == other.signature.last_chunk()
            && self.algorithm == other.algorithm
            // Without the lengths, octets could move from one part to the next.
            && self.lengths == (other.signature.len(), other.key.len())
            && without_prefixes() == Some(other.signed)
    }
}

/// CA that is responsible for an entry: who is below an anchor is the anchor's choice, and who is
/// below a CA is the choice of that CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// Digest of the anchor's key.
    pub(crate) anchor: Fingerprint,
    /// Digest of the key of the CA directly below the anchor.
    pub(crate) top: Fingerprint,
}

#[derive(Debug)]
struct Entry {
    signature: OwnedSignature,
    branch: Branch,
}

/// Verified signatures of intermediates, the oldest first. Clones of a verifier share it; a new
/// verifier, and with it a new snapshot of the trust material, starts with an empty one.
///
/// When it is full, the oldest entry of the largest branch below the largest anchor makes room. A
/// CA that issues many intermediates therefore replaces its own entries, and those of another CA
/// only while that one has more. A client whose CA was replaced costs one signature more, once.
#[derive(Debug, Default)]
pub(crate) struct SignatureCache {
    // Requests read; the first accepted client of a CA writes.
    entries: RwLock<Vec<Entry>>,
}

impl SignatureCache {
    /// Returns true if exactly this signature was verified.
    pub(crate) fn contains(&self, signature: &Signature<'_>) -> bool {
        // A panic leaves nothing half done: an entry is added and removed as a whole.
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.iter().any(|entry| entry.signature.is(signature))
    }

    /// Adds a signature that verifies, of a CA certificate in an accepted path.
    pub(crate) fn insert(&self, signature: &Signature<'_>, branch: Branch) {
        let octets = signature.key.len() + signature.signed.len() + signature.signature.len();
        if octets > MAX_OCTETS {
            return;
        }
        let entry = Entry {
            signature: OwnedSignature::new(signature),
            branch,
        };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread can have verified it at the same time.
        if entries.iter().any(|entry| entry.signature.is(signature)) {
            return;
        }
        entries.push(entry);
        if entries.len() > MAX_ENTRIES
            && let Some(position) = oldest_of_largest_branch(&entries)
        {
            entries.remove(position);
        }
    }
}

fn oldest_of_largest_branch(entries: &[Entry]) -> Option<usize> {
    let branches = || entries.iter().map(|entry| entry.branch);
    let anchor = most_frequent(branches().map(|branch| branch.anchor))?;
    let of_anchor = branches().filter(|branch| branch.anchor == anchor);
    let largest = most_frequent(of_anchor)?;
    branches().position(|branch| branch == largest)
}

/// Returns the value that occurs most often; of several, the one that occurs first.
fn most_frequent<T: PartialEq>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    // The last of several maxima is the first one of the reverse.
    let largest = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    largest.map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(number: usize) -> [Vec<u8>; 3] {
        [vec![4; 65], vec![0x30; 300], number.to_be_bytes().repeat(8)]
    }

    fn borrowed([key, signed, signature]: &[Vec<u8>; 3]) -> Signature<'_> {
        Signature {
            algorithm: 0,
            key,
            signed,
            signature,
        }
    }

    fn branch(anchor: &str, top: &str) -> Branch {
        Branch {
            anchor: Fingerprint::of(anchor.as_bytes()),
            top: Fingerprint::of(top.as_bytes()),
        }
    }

    /// Cache of signatures that differ in a number.
    struct Numbered(SignatureCache);

    impl Numbered {
        fn add(&self, numbers: impl Iterator<Item = usize>, branch: impl Fn(usize) -> Branch) {
            for number in numbers {
                self.0.insert(&borrowed(&signature(number)), branch(number));
            }
        }

        fn count(&self, numbers: std::ops::Range<usize>) -> usize {
            let contained = numbers.filter(|number| self.0.contains(&borrowed(&signature(*number))));
            contained.count()
        }
    }

    #[test]
    fn signature_that_differs_in_one_octet_is_not_contained() {
        let cache = SignatureCache::default();
        let cached = signature(1);
        cache.insert(&borrowed(&cached), branch("anchor", "top"));
        assert!(cache.contains(&borrowed(&cached)));
        for part in 0..cached.len() {
            for at in 0..cached[part].len() {
                let mut other = cached.clone();
                other[part][at] ^= 1;
                assert!(!cache.contains(&borrowed(&other)), "{part} {at}");
            }
        }
        let other_algorithm = Signature {
            algorithm: 1,
            ..borrowed(&cached)
        };
        assert!(!cache.contains(&other_algorithm));
    }

    #[test]
    fn octets_that_move_between_parts_are_not_contained() {
        let cache = SignatureCache::default();
        let all = [7; 120];
        let split = |signature: usize, key: usize| Signature {
            algorithm: 0,
            signature: &all[..signature],
            key: &all[signature..signature + key],
            signed: &all[signature + key..],
        };
        cache.insert(&split(40, 40), branch("anchor", "top"));
        assert!(cache.contains(&split(40, 40)));
        for (signature, key) in [(39, 41), (41, 39), (40, 39), (40, 41), (0, 40), (40, 0), (40, 80)] {
            assert!(!cache.contains(&split(signature, key)), "{signature} {key}");
        }
    }

    #[test]
    fn entries_are_bounded_in_number_and_size() {
        let cache = Numbered(SignatureCache::default());
        cache.add(0..3 * MAX_ENTRIES, |_| branch("anchor", "top"));
        // The newest stay.
        assert_eq!(cache.count(0..3 * MAX_ENTRIES), MAX_ENTRIES);
        assert_eq!(cache.count(2 * MAX_ENTRIES..3 * MAX_ENTRIES), MAX_ENTRIES);
        let [key, _, signature] = signature(0);
        let huge = [key, vec![0x30; MAX_OCTETS], signature];
        cache.0.insert(&borrowed(&huge), branch("anchor", "top"));
        assert!(!cache.0.contains(&borrowed(&huge)));
    }

    #[test]
    fn ca_with_many_intermediates_replaces_only_its_own() {
        let cache = Numbered(SignatureCache::default());
        cache.add(0..40, |number| branch("anchor", &format!("CA {}", number % 20)));
        cache.add(1_000..3_000, |_| branch("anchor", "prolific CA"));
        assert_eq!(cache.count(0..40), 40);
        assert_eq!(cache.count(1_000..3_000), MAX_ENTRIES - 40);
    }

    #[test]
    fn anchor_with_many_cas_replaces_only_its_own() {
        let cache = Numbered(SignatureCache::default());
        cache.add(0..40, |number| branch("anchor", &format!("CA {number}")));
        cache.add(1_000..3_000, |number| {
            branch("prolific anchor", &format!("other CA {number}"))
        });
        assert_eq!(cache.count(0..40), 40);
        assert_eq!(cache.count(1_000..3_000), MAX_ENTRIES - 40);
    }

    #[test]
    fn signature_that_is_added_twice_takes_one_entry() {
        let cache = Numbered(SignatureCache::default());
        cache.add(0..1, |_| branch("anchor", "top"));
        cache.add(0..1, |_| branch("anchor", "other top"));
        assert_eq!(cache.0.entries.read().unwrap().len(), 1);
    }
}
