//! Cache of verdicts: a client that comes again costs a digest instead of signatures.
//!
//! A verdict is a function of the chain, of the trust material, and of the time. It is cached under
//! a digest of the presented bytes, for one snapshot of the trust material, and for no longer than
//! it is valid: a new snapshot empties the cache, so a revocation counts from the first request
//! that sees it.
//!
//! A client can put any bytes behind its own certificate, and each time the key is another one.
//! Entries of one end-entity certificate share a slot that keeps the newest few, so that they evict
//! only each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_mtls_trust::Snapshot;
use alb_mtls_verifier::{Fingerprint, PresentedChain, Rejection, Timestamp, VerifiedClient};
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

/// Size of the verdict cache, and the longest life of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictCacheSettings {
    /// Most verified clients, in units of 4 KiB, of which most clients need one; a fourth as many
    /// rejections are kept beside them. With 0, every request is verified again.
    pub capacity: usize,
    /// Longest life of an entry while nothing else ends it.
    pub time_to_live: Duration,
}

/// Longest life of a rejection: it can be of a client whose certificate becomes valid within
/// minutes.
const REJECTION_TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// Bytes of one unit of weight. A client with an intermediate of P-256 takes about 3 KB.
const UNIT: usize = 4_096;

/// Entries of one end-entity certificate: programs that share it can differ in whether they send
/// their intermediates.
const ENTRIES_OF_ONE_CLIENT: usize = 2;

/// Bytes that the cache itself needs for an entry: key, hash table slot and list node of
/// `quick_cache`.
const ENTRY_OVERHEAD: usize = 128;

#[derive(Debug)]
pub(crate) struct VerdictCache {
    settings: VerdictCacheSettings,
    entries: Mutex<Entries>,
}

/// Key of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheKey {
    /// Digest of the end-entity certificate as it was presented.
    client: Fingerprint,
    /// Digest of everything that was presented.
    digest: Fingerprint,
}

impl CacheKey {
    /// Creates the key of a load balancer's header: the end-entity certificate, and the rest.
    pub(crate) fn from_header<'a>(end_entity: &'a [u8], rest: impl Iterator<Item = &'a [u8]>) -> Self {
        Self::new(b"header", end_entity, rest)
    }

    /// Creates the key of a chain that another edge hands over.
    pub(crate) fn from_chain(chain: &PresentedChain) -> Self {
        let rest = chain.intermediates().iter().map(AsRef::as_ref);
        Self::new(b"chain", chain.end_entity(), rest)
    }

    fn new<'a>(kind: &'a [u8], end_entity: &'a [u8], rest: impl Iterator<Item = &'a [u8]>) -> Self {
        let client = Fingerprint::of_list([kind, end_entity]);
        let digest = Fingerprint::of_list(
            [client.as_bytes(), Fingerprint::of_list(rest).as_bytes()].map(<[u8; 32]>::as_slice),
        );
        Self { client, digest }
    }
}

impl VerdictCache {
    /// Creates an empty cache; `None` for a capacity of 0.
    pub(crate) fn new(settings: VerdictCacheSettings) -> Option<Self> {
        (settings.capacity > 0).then(|| Self {
            settings,
            entries: Mutex::new(Entries::new(settings, None)),
        })
    }

    /// Returns the cached verdict, if it is still valid.
    pub(crate) fn get(
        &self,
        key: &CacheKey,
        snapshot: &Arc<Snapshot>,
        now: Timestamp,
    ) -> Option<Result<VerifiedClient, Rejection>> {
        self.entries_of(snapshot).get(key, now)
    }

    /// Caches a verdict that was reached with this snapshot.
    pub(crate) fn insert(
        &self,
        key: &CacheKey,
        snapshot: &Arc<Snapshot>,
        now: Timestamp,
        verdict: &Result<VerifiedClient, Rejection>,
    ) {
        self.entries_of(snapshot)
            .insert(key, verdict, now, self.settings.time_to_live);
    }

    /// Returns the entries of this snapshot; those of another one are dropped.
    fn entries_of(&self, snapshot: &Arc<Snapshot>) -> MutexGuard<'_, Entries> {
        // A panic leaves nothing half done: the caches are consistent between any two calls.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries
            .snapshot
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, snapshot))
        {
            *entries = Entries::new(self.settings, Some(Arc::clone(snapshot)));
        }
        entries
    }
}

/// Clients and rejections in separate caches: however many bad chains come, they evict no good one.
#[derive(Debug)]
struct Entries {
    snapshot: Option<Arc<Snapshot>>,
    /// By end-entity certificate, the newest entry first.
    clients: Cache<Fingerprint, Vec<Entry<VerifiedClient>>, EntryWeight>,
    /// By the digest of everything that was presented.
    rejections: Cache<Fingerprint, Entry<Rejection>, EntryWeight>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    digest: Fingerprint,
    verdict: T,
    weight: u64,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Clone, Debug)]
struct EntryWeight;

impl<T> Weighter<Fingerprint, Entry<T>> for EntryWeight {
    fn weight(&self, _: &Fingerprint, entry: &Entry<T>) -> u64 {
        entry.weight
    }
}

impl<T> Weighter<Fingerprint, Vec<Entry<T>>> for EntryWeight {
    fn weight(&self, _: &Fingerprint, entries: &Vec<Entry<T>>) -> u64 {
        entries.iter().map(|entry| entry.weight).sum()
    }
}

impl Entries {
    fn new(settings: VerdictCacheSettings, snapshot: Option<Arc<Snapshot>>) -> Self {
        let rejections = settings.capacity.div_ceil(4);
        Self {
            snapshot,
            clients: Cache::with_weighter(settings.capacity, settings.capacity as u64, EntryWeight),
            rejections: Cache::with_weighter(rejections, rejections as u64, EntryWeight),
        }
    }

    fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Result<VerifiedClient, Rejection>> {
        let mut entries = self.clients.get(&key.client).into_iter().flatten();
        if let Some(client) = entries.find(|entry| entry.digest == key.digest) {
            return client.is_valid_at(now).then(|| Ok(client.verdict.clone()));
        }
        let rejection = self.rejections.get(&key.digest)?;
        rejection.is_valid_at(now).then(|| Err(rejection.verdict.clone()))
    }

    fn insert(
        &mut self,
        key: &CacheKey,
        verdict: &Result<VerifiedClient, Rejection>,
        now: Timestamp,
        time_to_live: Duration,
    ) {
        let end = |life: Duration| now.plus_seconds(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
        let mut others = self.others_of(key);
        match verdict {
            Ok(client) => {
                self.rejections.remove(&key.digest);
                let newest = Entry {
                    digest: key.digest,
                    verdict: client.clone(),
                    weight: weight::<Entry<VerifiedClient>>(client.heap_bytes()),
                    since: now,
                    until: end(time_to_live).min(client.valid_until()),
                };
                others.insert(0, newest);
                others.truncate(ENTRIES_OF_ONE_CLIENT);
                self.clients.insert(key.client, others);
            }
            Err(rejection) => {
                if others.is_empty() {
                    self.clients.remove(&key.client);
                } else {
                    self.clients.insert(key.client, others);
                }
                let entry = Entry {
                    digest: key.digest,
                    verdict: rejection.clone(),
                    weight: weight::<Entry<Rejection>>(rejection.heap_bytes()),
                    since: now,
                    until: end(time_to_live.min(REJECTION_TIME_TO_LIVE)),
                };
                self.rejections.insert(key.digest, entry);
            }
        }
    }

    /// Returns the other entries of the same end-entity certificate.
    fn others_of(&self, key: &CacheKey) -> Vec<Entry<VerifiedClient>> {
        let known = self.clients.peek(&key.client).into_iter().flatten();
        known
            .filter(|entry| entry.digest != key.digest)
            .cloned()
            .collect()
    }
}

/// Returns the weight of a value of this type that keeps so many bytes allocated.
fn weight<T>(heap_bytes: usize) -> u64 {
    (ENTRY_OVERHEAD + size_of::<T>() + heap_bytes).div_ceil(UNIT) as u64
}

impl<T> Entry<T> {
    /// Returns whether the verdict is valid. A clock that was set back makes it one about the
    /// future.
    fn is_valid_at(&self, now: Timestamp) -> bool {
        self.since <= now && now <= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdict_weighs_a_unit_for_each_4_kib_that_it_keeps() {
        assert_eq!(weight::<u8>(0), 1);
        assert_eq!(weight::<u8>(UNIT - ENTRY_OVERHEAD - 1), 1);
        assert_eq!(weight::<u8>(UNIT - ENTRY_OVERHEAD), 2);
        assert_eq!(weight::<u8>(9 * UNIT), 10);
    }
}
