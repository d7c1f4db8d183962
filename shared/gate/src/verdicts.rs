//! Verdicts about chains that were presented before: a client that comes again costs a digest instead of signatures.
//!
//! A verdict is a function of the chain, of the trust material, and of the time. It is remembered under a digest of the
//! presented bytes, for one snapshot of the trust material, and for no longer than it holds: a new snapshot forgets
//! everything, so a revocation counts from the first request that sees it.
//!
//! A client may put anything behind its own certificate, and each time it is another presentation. Those of one
//! end-entity certificate share an entry that keeps the newest few, so that they drive out nothing but each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_mtls_trust::Snapshot;
use alb_mtls_verifier::{Fingerprint, PresentedChain, Rejection, Timestamp, VerifiedClient};
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

/// How many verdicts are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictCacheSettings {
    /// Verified clients at most; a fourth as many refusals besides. Each takes as many places of 4 KiB as it needs, and
    /// most need one. Without any, every request is verified again.
    pub places: usize,
    /// How long a verdict may be remembered while nothing else ends it.
    pub life: Duration,
}

/// A refusal may be of a client whose time has not come yet, so it is looked at again before long.
const REFUSAL_LIFE: Duration = Duration::from_secs(60);

/// Octets of one place.
const PLACE: usize = 4_096;

/// Presentations of one end-entity certificate that are remembered: programs that share it may differ in whether they
/// send their intermediates.
const PRESENTATIONS_OF_ONE_CLIENT: usize = 2;

/// Octets that the caches need for an entry, beyond what is in it.
const ENTRY_OVERHEAD: usize = 128;

#[derive(Debug)]
pub(crate) struct Verdicts {
    settings: VerdictCacheSettings,
    state: Mutex<State>,
}

/// The name under which a verdict is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presentation {
    /// Of the end-entity certificate as it was presented.
    client: Fingerprint,
    /// Of everything that was presented.
    digest: Fingerprint,
}

impl Presentation {
    /// What a load balancer puts into headers: the end-entity certificate, and whatever else.
    pub(crate) fn of_header<'a>(end_entity: &'a [u8], rest: impl Iterator<Item = &'a [u8]>) -> Self {
        Self::of(b"header", end_entity, rest)
    }

    /// What another edge hands over.
    pub(crate) fn of_chain(chain: &PresentedChain) -> Self {
        let rest = chain.intermediates().iter().map(AsRef::as_ref);
        Self::of(b"chain", chain.end_entity(), rest)
    }

    fn of<'a>(kind: &'a [u8], end_entity: &'a [u8], rest: impl Iterator<Item = &'a [u8]>) -> Self {
        let client = Fingerprint::of_list([kind, end_entity]);
        let digest = Fingerprint::of_list(
            [client.as_bytes(), Fingerprint::of_list(rest).as_bytes()].map(<[u8; 32]>::as_slice),
        );
        Self { client, digest }
    }
}

impl Verdicts {
    /// `None` when nothing is to be remembered.
    pub(crate) fn new(settings: VerdictCacheSettings) -> Option<Self> {
        (settings.places > 0).then(|| Self {
            settings,
            state: Mutex::new(State::new(settings, None)),
        })
    }

    /// The verdict of before, if it still holds.
    pub(crate) fn recall(
        &self,
        presentation: &Presentation,
        snapshot: &Arc<Snapshot>,
        now: Timestamp,
    ) -> Option<Result<VerifiedClient, Rejection>> {
        self.about(snapshot).recall(presentation, now)
    }

    pub(crate) fn remember(
        &self,
        presentation: &Presentation,
        snapshot: &Arc<Snapshot>,
        now: Timestamp,
        verdict: &Result<VerifiedClient, Rejection>,
    ) {
        self.about(snapshot)
            .remember(presentation, verdict, now, self.settings.life);
    }

    /// What is remembered about this snapshot; whatever is about another one is forgotten.
    fn about(&self, snapshot: &Arc<Snapshot>) -> MutexGuard<'_, State> {
        // Nothing is left half done by a panic: the caches are consistent between any two calls.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state
            .snapshot
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, snapshot))
        {
            *state = State::new(self.settings, Some(Arc::clone(snapshot)));
        }
        state
    }
}

/// Clients and refusals apart: however many bad chains come, they drive out no good one.
#[derive(Debug)]
struct State {
    snapshot: Option<Arc<Snapshot>>,
    /// By end-entity certificate, the newest presentation first.
    clients: Cache<Fingerprint, Vec<Remembered<VerifiedClient>>, Places>,
    /// By presentation.
    refusals: Cache<Fingerprint, Remembered<Rejection>, Places>,
}

#[derive(Clone, Debug)]
struct Remembered<T> {
    digest: Fingerprint,
    verdict: T,
    places: u64,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Clone, Debug)]
struct Places;

impl<T> Weighter<Fingerprint, Remembered<T>> for Places {
    fn weight(&self, _: &Fingerprint, remembered: &Remembered<T>) -> u64 {
        remembered.places
    }
}

impl<T> Weighter<Fingerprint, Vec<Remembered<T>>> for Places {
    fn weight(&self, _: &Fingerprint, presentations: &Vec<Remembered<T>>) -> u64 {
        presentations.iter().map(|remembered| remembered.places).sum()
    }
}

impl State {
    fn new(settings: VerdictCacheSettings, snapshot: Option<Arc<Snapshot>>) -> Self {
        let refusals = settings.places.div_ceil(4);
        Self {
            snapshot,
            clients: Cache::with_weighter(settings.places, settings.places as u64, Places),
            refusals: Cache::with_weighter(refusals, refusals as u64, Places),
        }
    }

    fn recall(
        &self,
        presentation: &Presentation,
        now: Timestamp,
    ) -> Option<Result<VerifiedClient, Rejection>> {
        let mut presentations = self.clients.get(&presentation.client).into_iter().flatten();
        if let Some(client) = presentations.find(|known| known.digest == presentation.digest) {
            return client.holds_at(now).then(|| Ok(client.verdict.clone()));
        }
        let refusal = self.refusals.get(&presentation.digest)?;
        refusal.holds_at(now).then(|| Err(refusal.verdict.clone()))
    }

    fn remember(
        &mut self,
        presentation: &Presentation,
        verdict: &Result<VerifiedClient, Rejection>,
        now: Timestamp,
        life: Duration,
    ) {
        let end = |life: Duration| now.plus_seconds(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
        let Presentation { client: key, digest } = *presentation;
        match verdict {
            Ok(client) => {
                self.refusals.remove(&digest);
                let newest = Remembered {
                    digest,
                    verdict: client.clone(),
                    places: places::<Remembered<VerifiedClient>>(client.heap_bytes()),
                    since: now,
                    until: end(life).min(client.valid_until()),
                };
                let mut presentations = vec![newest];
                presentations.extend(self.others_of(presentation));
                presentations.truncate(PRESENTATIONS_OF_ONE_CLIENT);
                self.clients.insert(key, presentations);
            }
            Err(rejection) => {
                let others = self.others_of(presentation);
                if others.is_empty() {
                    self.clients.remove(&key);
                } else {
                    self.clients.insert(key, others);
                }
                let remembered = Remembered {
                    digest,
                    verdict: rejection.clone(),
                    places: places::<Remembered<Rejection>>(rejection.heap_bytes()),
                    since: now,
                    until: end(life.min(REFUSAL_LIFE)),
                };
                self.refusals.insert(digest, remembered);
            }
        }
    }

    /// The other presentations of the same end-entity certificate.
    fn others_of(&self, presentation: &Presentation) -> Vec<Remembered<VerifiedClient>> {
        let known = self.clients.peek(&presentation.client).into_iter().flatten();
        known
            .filter(|known| known.digest != presentation.digest)
            .cloned()
            .collect()
    }
}

/// Places for a value of this type that keeps so many octets allocated.
fn places<T>(heap_bytes: usize) -> u64 {
    (ENTRY_OVERHEAD + size_of::<T>() + heap_bytes).div_ceil(PLACE) as u64
}

impl<T> Remembered<T> {
    /// A clock that was set back makes the verdict one about the future.
    fn holds_at(&self, now: Timestamp) -> bool {
        self.since <= now && now <= self.until
    }
}
