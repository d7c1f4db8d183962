use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alb_mtls_verifier::{Fingerprint, Timestamp};

use crate::authorization::AuthorizationSettings;
use crate::error::LoadError;
use crate::events;
use crate::loader::{Deadline, Loader};
use crate::material::{Authorities, Change, LookUp, Material};
use crate::provenance::Role;
use crate::schedule::{Schedule, Standing};
use crate::settings::TrustSettings;
use crate::snapshot::Snapshot;
use crate::source::Sources;

/// The trust material of a process: always the last good snapshot, looked up again when it is due.
#[derive(Debug)]
pub struct Trust {
    settings: TrustSettings,
    authorization: AuthorizationSettings,
    deadlines: Deadlines,
    loader: Loader,
    state: Mutex<State>,
    /// Whoever holds it looks up; it keeps what the last good snapshot was made of.
    material: tokio::sync::Mutex<Material>,
}

/// How long a look-up may take before it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// When the process starts. Lambda allows ten seconds for everything then.
    pub start: Duration,
    /// While a request waits. After a failure twice as long, so that slow is not taken for never.
    pub request: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(6),
            request: Duration::from_millis(2_500),
        }
    }
}

/// There is no snapshot that may be used; decisions are refused until a later look-up succeeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No look-up has succeeded yet.
    #[error("no trust material could be loaded: {0}")]
    NotLoaded(Arc<LoadError>),
    /// The last good snapshot is too old.
    #[error(
        "the trust material was last confirmed {} s ago, longer than allowed, and cannot be renewed: {reason}",
        age.as_secs()
    )]
    Stale {
        /// Time since the last look-up that succeeded.
        age: Duration,
        /// Why the latest one did not.
        reason: Arc<LoadError>,
    },
}

/// How the look-ups went, for logs and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustStatus {
    /// Version of the last good snapshot.
    pub version: Option<String>,
    /// When a look-up last succeeded.
    pub last_success: Option<Timestamp>,
    /// Look-ups that failed since then.
    pub failures_since: u32,
    /// Look-ups that ended.
    pub look_ups: u64,
    /// Look-ups whose material became a new snapshot.
    pub loads: u64,
    /// Look-ups that found everything unchanged.
    pub unchanged: u64,
    /// Look-ups whose material was there and was refused.
    pub refusals: u64,
    /// Look-ups that did not get at the material.
    pub failures: u64,
    /// Why the latest look-up failed; absent when it succeeded.
    pub last_error: Option<Arc<LoadError>>,
}

impl TrustStatus {
    /// Time since the last look-up that succeeded.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let seconds = now.unix_seconds() - self.last_success?.unix_seconds();
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }
}

impl Trust {
    /// Trust with these settings. Nothing is read before the first use.
    pub fn new(settings: TrustSettings) -> Self {
        let schedule = Schedule::new(settings.refresh, settings.max_stale);
        Self {
            settings,
            authorization: AuthorizationSettings::default(),
            deadlines: Deadlines::default(),
            loader: Loader::new(),
            state: Mutex::new(State::new(schedule)),
            material: tokio::sync::Mutex::default(),
        }
    }

    /// The same with policies and a shadow set, which become part of each snapshot.
    #[must_use]
    pub fn with_authorization(self, authorization: AuthorizationSettings) -> Self {
        Self {
            authorization,
            ..self
        }
    }

    /// The same with other deadlines.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// The same with another loader.
    #[must_use]
    pub fn with_loader(self, loader: Loader) -> Self {
        Self { loader, ..self }
    }

    /// Loads the material when the process starts, with more time than a request has.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be loaded; a later [`Trust::snapshot`] tries again.
    pub async fn load(&self, now: Timestamp) -> Result<Arc<Snapshot>, Unavailable> {
        self.current(now, self.deadlines.start).await
    }

    /// The snapshot to decide by at the time `now`.
    ///
    /// Looks the sources up when there is none or when it is due, with a deadline of its own. Callers at the same
    /// time cause one look-up: the others get the last good snapshot, or wait when there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when there is no snapshot, or none that is young enough.
    pub async fn snapshot(&self, now: Timestamp) -> Result<Arc<Snapshot>, Unavailable> {
        self.current(now, self.deadlines.request).await
    }

    /// How the look-ups went.
    pub fn status(&self) -> TrustStatus {
        let state = self.state();
        TrustStatus {
            version: state
                .snapshot
                .as_ref()
                .map(|snapshot| snapshot.version().to_owned()),
            last_success: state.schedule.last_success(),
            failures_since: state.schedule.failures(),
            ..state.status.clone()
        }
    }

    async fn current(&self, now: Timestamp, patience: Duration) -> Result<Arc<Snapshot>, Unavailable> {
        let (fallback, ended_before) = match self.state().plan(now) {
            Plan::Answer(answer) => return answer,
            Plan::LookUp { fallback, ended } => (fallback, ended),
        };
        let mut material = match (fallback, self.material.try_lock()) {
            (_, Ok(material)) => material,
            (Some(snapshot), Err(_)) => return Ok(snapshot),
            (None, Err(_)) => self.material.lock().await,
        };
        if self.state().status.look_ups == ended_before {
            // Rare, and twelve kilobytes of state that every request would have to make room for.
            Box::pin(self.look_up(&mut material, now, patience)).await;
        }
        self.state().answer(now)
    }

    async fn look_up(&self, material: &mut Material, now: Timestamp, patience: Duration) {
        let attempt = Attempt { trust: self, now };
        let started = Instant::now();
        let patience = if self.state().schedule.failures() > 0 {
            patience.max(self.deadlines.request * 2)
        } else {
            patience
        };
        let deadline = match self.state().schedule.standing(now) {
            Standing::TooOld => Deadline::after(patience),
            Standing::Fresh | Standing::Due => Deadline::after(patience).without_waiting_for_throttling(),
        };
        let LookUp {
            material: found,
            change,
            problems,
            tolerated,
        } = Material::look_up(
            &self.loader,
            &self.sources(),
            self.settings.missing_lists(),
            self.settings.crl_state(),
            material,
            deadline,
        )
        .await;
        events::tolerated(&tolerated);
        let last_good = self.state().snapshot.clone();
        let outcome = match (problems.is_empty(), change, last_good) {
            (false, ..) => Err(LoadError::Sources(problems)),
            (true, Change::Same, Some(_)) => Ok(Found::Unchanged(found)),
            (true, _, last_good) => self
                .make_snapshot(&found, last_good.as_deref(), now)
                .map(|snapshot| Found::New(found, Arc::new(snapshot))),
        };
        attempt.end(outcome, material, started.elapsed());
    }

    /// Every source, with what its material is for.
    fn sources(&self) -> Vec<(Role, &Sources)> {
        let mut sources = self.settings.sources();
        sources.extend(self.authorization.sources());
        sources
    }

    fn make_snapshot(
        &self,
        found: &Material,
        last_good: Option<&Snapshot>,
        now: Timestamp,
    ) -> Result<Snapshot, LoadError> {
        let snapshot = Authorities::of(found, now).into_snapshot(
            found,
            &self.settings,
            &self.authorization,
            last_good,
            now,
        )?;
        let Some(last_good) = last_good else {
            return Ok(snapshot);
        };
        let ids = |snapshot: &Snapshot| -> Vec<Fingerprint> {
            snapshot
                .verifier()
                .anchors()
                .iter()
                .map(|anchor| anchor.id())
                .collect()
        };
        let kept: std::collections::HashSet<Fingerprint> = ids(&snapshot).into_iter().collect();
        let before = ids(last_good);
        let lost = before.iter().filter(|id| !kept.contains(id)).count();
        let allowed = self.settings.max_anchor_loss;
        if allowed.covers(lost, before.len()) {
            Ok(snapshot)
        } else {
            Err(LoadError::AnchorLoss {
                before: before.len(),
                lost,
                allowed,
            })
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, so a panic elsewhere has not broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look-up found.
enum Found {
    Unchanged(Material),
    New(Material, Arc<Snapshot>),
}

/// A look-up that has begun. When its caller goes away before it has ended, that counts as a failure, so that callers
/// who go away cannot cause one look-up after the other.
struct Attempt<'a> {
    trust: &'a Trust,
    now: Timestamp,
}

impl Attempt<'_> {
    fn end(self, outcome: Result<Found, LoadError>, material: &mut Material, took: Duration) {
        let mut state = self.trust.state();
        state.status.look_ups += 1;
        match outcome {
            Ok(Found::Unchanged(found)) => {
                *material = found;
                state.status.unchanged += 1;
                state.status.last_error = None;
                state.schedule.succeeded(self.now);
                events::unchanged(state.snapshot.as_deref(), took);
            }
            Ok(Found::New(found, snapshot)) => {
                *material = found;
                state.status.loads += 1;
                state.status.last_error = None;
                state.schedule.succeeded(self.now);
                events::loaded(&snapshot, state.snapshot.as_deref(), took);
                state.snapshot = Some(snapshot);
            }
            Err(error) => state.fail(error, self.now, Some(took)),
        }
        drop(state);
        std::mem::forget(self);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.trust.state().fail(LoadError::Interrupted, self.now, None);
    }
}

#[derive(Debug)]
struct State {
    snapshot: Option<Arc<Snapshot>>,
    schedule: Schedule,
    status: TrustStatus,
}

/// What a caller does.
enum Plan {
    Answer(Result<Arc<Snapshot>, Unavailable>),
    /// Look up, unless another look-up ends first.
    LookUp {
        fallback: Option<Arc<Snapshot>>,
        /// Look-ups that had ended when the plan was made.
        ended: u64,
    },
}

impl State {
    fn new(schedule: Schedule) -> Self {
        Self {
            snapshot: None,
            schedule,
            status: TrustStatus::default(),
        }
    }

    fn plan(&mut self, now: Timestamp) -> Plan {
        let standing = self.schedule.standing(now);
        if standing == Standing::Fresh || !self.schedule.may_try(now) {
            return Plan::Answer(self.answer(now));
        }
        let fallback = match standing {
            Standing::TooOld => None,
            Standing::Fresh | Standing::Due => self.snapshot.clone(),
        };
        Plan::LookUp {
            fallback,
            ended: self.status.look_ups,
        }
    }

    /// What there is to say at `now` without a look-up.
    fn answer(&mut self, now: Timestamp) -> Result<Arc<Snapshot>, Unavailable> {
        let reason = || {
            let unknown = || Arc::new(LoadError::Interrupted);
            self.status.last_error.clone().unwrap_or_else(unknown)
        };
        let Some(snapshot) = &self.snapshot else {
            return Err(Unavailable::NotLoaded(reason()));
        };
        let age = self.schedule.age(now).unwrap_or(i64::MAX);
        match self.schedule.standing(now) {
            Standing::Fresh | Standing::Due => Ok(Arc::clone(snapshot)),
            Standing::TooOld => Err(Unavailable::Stale {
                age: Duration::from_secs(u64::try_from(age).unwrap_or(0)),
                reason: reason(),
            }),
        }
    }

    fn fail(&mut self, error: LoadError, now: Timestamp, took: Option<Duration>) {
        if error.is_refusal() {
            self.status.refusals += 1;
        } else {
            self.status.failures += 1;
        }
        self.schedule.failed(now);
        events::failed(&error, &self.schedule, self.snapshot.as_deref(), now, took);
        self.status.last_error = Some(Arc::new(error));
    }
}
