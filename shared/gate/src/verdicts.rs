//! Verdicts about chains that were presented before: a client that comes again costs a digest instead of signatures.
//!
//! A verdict is a function of the chain, of the trust material, and of the time. It is remembered under a digest of the
//! presented bytes, for one snapshot of the trust material, and for no longer than it holds: a new snapshot forgets
//! everything, so a revocation counts from the first request that sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_mtls_trust::Snapshot;
use alb_mtls_verifier::{Fingerprint, PresentedChain, Rejection, Timestamp, VerifiedClient};
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

/// How many verdicts are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictCacheSettings {
    /// Verified clients at most; a fourth as many refusals besides. One of unusual size counts as several: each is a
    /// place of 4 KiB. Without any, every request is verified anew.
    pub places: usize,
    /// How long a verdict may be remembered while nothing else ends it.
    pub life: Duration,
}

/// A refusal may be of a client whose time has not come yet, so it is looked at again before long.
const REFUSAL_LIFE: Duration = Duration::from_secs(60);

/// What one place holds in bytes, about. A client's names are shorter than the encoded chain that they stand in.
const PLACE: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Verdicts {
    settings: VerdictCacheSettings,
    state: Mutex<State>,
}

/// The name under which a verdict is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presentation {
    digest: Fingerprint,
    bytes: usize,
}

impl Presentation {
    /// What a load balancer puts into headers.
    pub(crate) fn of_header<'a>(values: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        Self::of(b"header", values)
    }

    /// What another edge hands over.
    pub(crate) fn of_chain(chain: &PresentedChain) -> Self {
        let certificates = std::iter::once(chain.end_entity()).chain(chain.intermediates());
        Self::of(b"chain", certificates.map(AsRef::as_ref))
    }

    fn of<'a>(kind: &'a [u8], parts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        Self {
            bytes: parts.clone().map(<[u8]>::len).sum(),
            digest: Fingerprint::of_list(std::iter::once(kind).chain(parts)),
        }
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
    clients: Cache<Fingerprint, Remembered<VerifiedClient>, Places>,
    refusals: Cache<Fingerprint, Remembered<Rejection>, Places>,
}

#[derive(Clone, Debug)]
struct Remembered<T> {
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
        if let Some(client) = self.clients.get(&presentation.digest) {
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
        let places = presentation.bytes.div_ceil(PLACE).max(1) as u64;
        match verdict {
            Ok(client) => {
                self.refusals.remove(&presentation.digest);
                let remembered = Remembered {
                    verdict: client.clone(),
                    places,
                    since: now,
                    until: end(life).min(client.valid_until()),
                };
                self.clients.insert(presentation.digest, remembered);
            }
            Err(rejection) => {
                self.clients.remove(&presentation.digest);
                let remembered = Remembered {
                    verdict: rejection.clone(),
                    places: 1,
                    since: now,
                    until: end(life.min(REFUSAL_LIFE)),
                };
                self.refusals.insert(presentation.digest, remembered);
            }
        }
    }
}

impl<T> Remembered<T> {
    /// A clock that was set back makes the verdict one about the future.
    fn holds_at(&self, now: Timestamp) -> bool {
        self.since <= now && now <= self.until
    }
}
