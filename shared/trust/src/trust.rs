use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alb_mtls_verifier::Timestamp;

use crate::assemble::assemble;
use crate::error::LoadError;
use crate::events;
use crate::gather::{Change, Gathered, gather};
use crate::loader::Loader;
use crate::material::Material;
use crate::ocsp::OcspClient;
use crate::provenance::Role;
use crate::refreshing::{
    Aborted, Deadline, Deadlines, FailedLookup, Found, Lookup, NoValue, Refreshing, Reload, Waiting,
    WatchedFiles,
};
use crate::settings::{AuthorizationSettings, TrustSettings};
use crate::snapshot::Snapshot;
use crate::source::Sources;

/// Trust material of a process: always the last good snapshot, looked up again when it is due.
#[derive(Debug)]
pub struct Trust {
    material: TrustMaterial,
    snapshot: Refreshing<Snapshot, Arc<LoadError>>,
    ocsp: Option<OcspClient>,
}

/// Looks the sources up and makes snapshots of them.
#[derive(Debug)]
struct TrustMaterial {
    settings: TrustSettings,
    authorization: AuthorizationSettings,
    loader: Loader,
    /// Material of the last good snapshot. Only the lookup under way locks it.
    last_good: tokio::sync::Mutex<Material>,
    outcomes: Mutex<Outcomes>,
}

/// Numbers of lookups by their outcome.
#[derive(Clone, Copy, Debug, Default)]
struct Outcomes {
    loads: u64,
    unchanged: u64,
    refusals: u64,
    failures: u64,
}

/// Lack of a snapshot that can be used. Requests are denied until a later lookup succeeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No lookup has succeeded yet.
    #[error("no trust material could be loaded: {0}")]
    NotLoaded(Arc<LoadError>),
    /// The last good snapshot is too old.
    #[error(
        "the trust material was last confirmed {} s ago, longer than allowed, and cannot be renewed: {reason}",
        age.as_secs()
    )]
    Stale {
        /// Time since the last lookup that succeeded.
        age: Duration,
        /// Failure of the latest lookup.
        reason: Arc<LoadError>,
    },
}

/// State of the lookups, for logs and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustStatus {
    /// Version of the last good snapshot.
    pub version: Option<String>,
    /// Time of the last lookup that succeeded.
    pub last_success: Option<Timestamp>,
    /// Number of lookups that failed since then.
    pub failures_since: u32,
    /// Number of lookups that ended.
    pub look_ups: u64,
    /// Number of lookups whose material became a new snapshot.
    pub loads: u64,
    /// Number of lookups that found everything unchanged.
    pub unchanged: u64,
    /// Number of lookups whose material was there and was rejected.
    pub refusals: u64,
    /// Number of lookups that did not reach the material.
    pub failures: u64,
    /// Failure of the latest lookup; absent when it succeeded.
    pub last_error: Option<Arc<LoadError>>,
}

impl TrustStatus {
    /// Returns the time since the last lookup that succeeded.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let seconds = now.unix_seconds() - self.last_success?.unix_seconds();
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }
}

impl Trust {
    /// Creates trust material from settings. Nothing is read before the first use.
    pub fn new(settings: TrustSettings) -> Self {
        Self {
            snapshot: Refreshing::new(settings.refresh, settings.max_stale),
            ocsp: settings.ocsp.clone().map(OcspClient::new),
            material: TrustMaterial {
                settings,
                authorization: AuthorizationSettings::default(),
                loader: Loader::new(),
                last_good: tokio::sync::Mutex::default(),
                outcomes: Mutex::default(),
            },
        }
    }

    /// Sets the sources of policies and of a shadow set, which become part of each snapshot.
    #[must_use]
    pub fn with_authorization(mut self, authorization: AuthorizationSettings) -> Self {
        self.material.authorization = authorization;
        self
    }

    /// Sets how long lookups may take; defaults to [`Deadlines::default`].
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self {
            snapshot: self.snapshot.with_deadlines(deadlines),
            ..self
        }
    }

    /// Sets the loader.
    #[must_use]
    pub fn with_loader(mut self, loader: Loader) -> Self {
        self.material.loader = loader;
        self
    }

    /// Returns the client of OCSP responders; `None` when the settings name none.
    pub fn ocsp(&self) -> Option<&OcspClient> {
        self.ocsp.as_ref()
    }

    /// Loads the material when the process starts, with more time than a request has.
    ///
    /// # Errors
    /// [`TrustError`] when it cannot be loaded; a later [`Trust::snapshot`] tries again.
    pub async fn load(&self, now: Timestamp) -> Result<Arc<Snapshot>, TrustError> {
        self.get(now, Waiting::Start).await
    }

    /// Returns the snapshot to decide by at the time `now`, for a caller whose time has no end.
    ///
    /// # Errors
    /// [`TrustError`] when there is no snapshot, or none that is young enough.
    pub async fn snapshot(&self, now: Timestamp) -> Result<Arc<Snapshot>, TrustError> {
        self.snapshot_within(now, None).await
    }

    /// Returns the snapshot to decide by at the time `now`, after a lookup if one is due. See
    /// [`Refreshing`] for who waits, and how long with `left` until the end of the invocation.
    ///
    /// # Errors
    /// [`TrustError`] when there is no snapshot, or none that is young enough.
    pub async fn snapshot_within(
        &self,
        now: Timestamp,
        left: Option<Duration>,
    ) -> Result<Arc<Snapshot>, TrustError> {
        self.get(now, Waiting::Request { left }).await
    }

    /// Returns the snapshot that needs no lookup at the time `now`; `None` when [`Trust::snapshot`]
    /// would look up, and when there is none.
    pub fn at_hand(&self, now: Timestamp) -> Option<Arc<Snapshot>> {
        self.snapshot.at_hand(now)
    }

    /// Returns the last good snapshot, whatever its age: for metrics, not for decisions.
    pub fn last_good(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.last_good()
    }

    /// Returns true if there is a snapshot that is young enough to decide by.
    pub fn can_serve(&self, now: Timestamp) -> bool {
        self.snapshot.can_serve(now)
    }

    /// Looks up in a task of its own until the future is dropped: before the material is due, when
    /// a file among the sources changes, and when a reload is asked for. Requests never wait
    /// meanwhile. For processes that are never frozen.
    pub async fn refresh_in_background(&self, reload: &Reload) -> Infallible {
        let sources = self.material.sources();
        let files = WatchedFiles::new(sources.iter().flat_map(|(_, sources)| sources.iter()));
        self.snapshot
            .refresh_in_background(&self.material, files, reload.subscribe())
            .await
    }

    /// Returns how the lookups went.
    pub fn status(&self) -> TrustStatus {
        let counts = self.snapshot.counts();
        let outcomes = *self.material.outcomes();
        TrustStatus {
            version: self
                .snapshot
                .last_good()
                .map(|snapshot| snapshot.version().to_owned()),
            last_success: counts.last_success,
            failures_since: counts.failures_since,
            look_ups: counts.ended,
            loads: outcomes.loads,
            unchanged: outcomes.unchanged,
            refusals: outcomes.refusals,
            failures: outcomes.failures,
            last_error: self.snapshot.last_error(),
        }
    }

    /// Returns the snapshot to decide by at the time `now`, after a lookup if one is due.
    ///
    /// # Errors
    /// [`TrustError`] when there is no snapshot, or none that is young enough.
    pub async fn get(&self, now: Timestamp, waiting: Waiting) -> Result<Arc<Snapshot>, TrustError> {
        let snapshot = self.snapshot.get(&self.material, now, waiting).await;
        snapshot.map_err(|unavailable| match unavailable {
            NoValue::NotLoaded(reason) => TrustError::NotLoaded(reason),
            NoValue::Stale { age, reason } => TrustError::Stale { age, reason },
        })
    }
}

impl Lookup for TrustMaterial {
    type Value = Snapshot;
    type Error = Arc<LoadError>;

    async fn look_up(
        &self,
        last_good: Option<Arc<Snapshot>>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Found<Snapshot>, Arc<LoadError>> {
        let started = Instant::now();
        let mut material = self.last_good.lock().await;
        let Gathered {
            material: found,
            change,
            errors,
            tolerated,
        } = gather(
            &self.loader,
            &self.sources(),
            self.settings.missing_lists(),
            self.settings.crl_state(),
            &material,
            deadline,
        )
        .await;
        events::tolerated(&tolerated);
        if !errors.is_empty() {
            return Err(Arc::new(LoadError::Sources(errors)));
        }
        if change == Change::Same && last_good.is_some() {
            *material = found;
            self.outcomes().unchanged += 1;
            events::unchanged(last_good.as_deref(), started.elapsed());
            return Ok(Found::Unchanged);
        }
        let snapshot = assemble(
            &found,
            &self.settings,
            &self.authorization,
            last_good.as_deref(),
            now,
        )?;
        *material = found;
        self.outcomes().loads += 1;
        events::loaded(&snapshot, last_good.as_deref(), started.elapsed());
        Ok(Found::New(snapshot))
    }

    fn report_failure(&self, failure: &FailedLookup<'_, Snapshot, Arc<LoadError>>) {
        let mut outcomes = self.outcomes();
        if failure.error.is_refusal() {
            outcomes.refusals += 1;
        } else {
            outcomes.failures += 1;
        }
        events::failed(failure);
    }
}

impl From<Aborted> for Arc<LoadError> {
    fn from(aborted: Aborted) -> Self {
        Self::new(LoadError::Aborted(aborted))
    }
}

impl TrustMaterial {
    /// Returns every source with the purpose of its material.
    fn sources(&self) -> Vec<(Role, &Sources)> {
        let mut sources = self.settings.sources();
        sources.extend(self.authorization.sources());
        sources
    }

    fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        // Counters are whole between any two statements, so a panic elsewhere has not broken them.
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
