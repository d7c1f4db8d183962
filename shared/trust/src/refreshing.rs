//! [`Refreshing`]: the last good value of something that is looked up again, and the only code that
//! decides when.

mod background;
mod deadline;
mod lookup;
mod punctual;
mod schedule;
mod watched_files;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use alb_mtls_verifier::Timestamp;

pub use background::{Reload, Reloads};
pub use deadline::Deadline;
pub(crate) use deadline::Throttling;
pub use lookup::{Aborted, Deadlines, FailedLookup, Found, Lookup, LookupCounts, NoValue, Waiting};
use schedule::{Freshness, Schedule};
pub use watched_files::WatchedFiles;

/// A value that is looked up again when it is due, and is never lost to a lookup that fails.
///
/// - While a value can be served, one caller looks up and the others get the last good value at
///   once.
/// - Without such a value, all callers wait for the same lookup, each for its own time, and share
///   its failure.
/// - After a failure the next lookup waits for a backoff with jitter, counted from the end of the
///   lookup.
/// - A caller that goes away during a lookup counts as a failure: such callers cannot cause one
///   lookup after another.
/// - Age is wall-clock time, since a frozen process runs no timers.
/// - In a process that is never frozen, [`Refreshing::refresh_in_background`] looks up, and
///   requests never do.
#[derive(Debug)]
pub struct Refreshing<T, E> {
    deadlines: Deadlines,
    state: Mutex<State<T, E>>,
    /// Held by the caller that looks up.
    turn: tokio::sync::Mutex<()>,
    /// True while a task of its own looks up.
    in_background: AtomicBool,
    /// See [`Refreshing::punctual`].
    is_punctual: bool,
}

#[derive(Debug)]
struct State<T, E> {
    value: Option<Arc<T>>,
    schedule: Schedule,
    /// Lookups that ended.
    ended: u64,
    last_error: Option<E>,
    /// Lookups that began.
    begun: u64,
    /// Number of the lookup that confirmed the value, in the order in which they began.
    confirmed: u64,
    /// Start of the lookup ahead of time that has not ended.
    ahead_since: Option<SystemTime>,
}

impl<T, E> Refreshing<T, E>
where
    T: Send + Sync,
    E: Clone + fmt::Display + From<Aborted> + Send,
{
    /// Creates it without a value. The value is looked up again at the age `refresh`, and served up
    /// to the age `max_stale` while lookups fail.
    pub fn new(refresh: Duration, max_stale: Duration) -> Self {
        Self {
            deadlines: Deadlines::default(),
            state: Mutex::new(State {
                value: None,
                schedule: Schedule::new(refresh, max_stale),
                ended: 0,
                last_error: None,
                begun: 0,
                confirmed: 0,
                ahead_since: None,
            }),
            turn: tokio::sync::Mutex::default(),
            in_background: AtomicBool::new(false),
            is_punctual: false,
        }
    }

    /// Sets how long lookups may take; defaults to [`Deadlines::default`].
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// Returns the value at the time `now`, after a lookup if one is due.
    ///
    /// # Errors
    /// [`NoValue`] when there is no value, or none that is young enough.
    pub async fn get<L>(&self, lookup: &L, now: Timestamp, waiting: Waiting) -> Result<Arc<T>, NoValue<E>>
    where
        L: Lookup<Value = T, Error = E>,
    {
        let ended = {
            let mut state = self.state();
            if !self.looks_up_for(waiting) || !state.schedule.may_try(now) {
                return state.answer(now);
            }
            match state.schedule.freshness(now) {
                Freshness::Fresh => return state.answer(now),
                Freshness::Due | Freshness::TooOld => state.ended,
            }
        };
        self.look_up_once(lookup, now, waiting, ended).await;
        self.state().answer(now)
    }

    /// Returns the value that can be served without waiting; `None` when a call of
    /// [`Refreshing::get`] would look up, and without a value.
    pub fn at_hand(&self, now: Timestamp) -> Option<Arc<T>> {
        let mut state = self.state();
        match state.schedule.freshness(now) {
            Freshness::Fresh => state.value.clone(),
            Freshness::Due if self.is_in_background() || !state.schedule.may_try(now) => state.value.clone(),
            Freshness::Due | Freshness::TooOld => None,
        }
    }

    /// Looks the value up although it is not due, unless a lookup ended less than `pause` ago. The
    /// value before is served when the lookup fails.
    pub async fn renew<L>(&self, lookup: &L, now: Timestamp, waiting: Waiting, pause: Duration)
    where
        L: Lookup<Value = T, Error = E>,
    {
        let ended = {
            let state = self.state();
            if state.schedule.ended_within(now, pause) {
                return;
            }
            state.ended
        };
        self.look_up_once(lookup, now, waiting, ended).await;
    }

    /// Returns true if there is a value that is young enough to be served.
    pub fn can_serve(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        state.value.is_some() && state.schedule.freshness(now) != Freshness::TooOld
    }

    fn is_in_background(&self) -> bool {
        self.in_background.load(Ordering::Relaxed)
    }

    /// Returns true if this caller looks up what is due.
    fn looks_up_for(&self, waiting: Waiting) -> bool {
        !matches!(waiting, Waiting::Request { .. }) || !self.is_in_background()
    }

    /// Returns how the lookups went.
    pub fn counts(&self) -> LookupCounts {
        let state = self.state();
        LookupCounts {
            ended: state.ended,
            failures_since: state.schedule.failures(),
            last_success: state.schedule.last_success(),
        }
    }

    /// Returns the last good value, whatever its age.
    pub fn last_good(&self) -> Option<Arc<T>> {
        self.state().value.clone()
    }

    /// Returns the reason why the latest lookup failed; `None` when it succeeded.
    pub fn last_error(&self) -> Option<E> {
        self.state().last_error.clone()
    }

    /// Looks up, unless another lookup ends first: `ended` is the number of lookups that had ended
    /// when the caller decided to look up.
    async fn look_up_once<L>(&self, lookup: &L, now: Timestamp, waiting: Waiting, ended: u64)
    where
        L: Lookup<Value = T, Error = E>,
    {
        let (limit, can_serve) = {
            let mut state = self.state();
            let can_serve = state.value.is_some() && state.schedule.freshness(now) != Freshness::TooOld;
            (
                self.limit(waiting, state.schedule.failures(), can_serve),
                can_serve,
            )
        };
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) if can_serve && !self.is_punctual => return,
            // The lookup of the caller that has the turn has a limit too; the waiting ends with the
            // first of both.
            Err(_) => match tokio::time::timeout(limit, self.turn.lock()).await {
                Ok(turn) => turn,
                Err(_) => return,
            },
        };
        if self.state().ended == ended {
            // In a box: it is rare, and every request would have to make room for its kilobytes of
            // state.
            Box::pin(self.attempt(lookup, now, limit, can_serve, Start::InTurn)).await;
        }
    }

    async fn attempt<L>(&self, lookup: &L, now: Timestamp, limit: Duration, can_serve: bool, start: Start)
    where
        L: Lookup<Value = T, Error = E>,
    {
        let (number, last_good) = {
            let mut state = self.state();
            state.begun += 1;
            (state.begun, state.value.clone())
        };
        let attempt = Attempt {
            refreshing: self,
            lookup,
            now,
            started: Instant::now(),
            number,
            last_good: last_good.clone(),
            start,
            has_ended: false,
        };
        let deadline = Deadline::after(limit);
        let deadline = if can_serve {
            deadline.without_waiting_for_throttling()
        } else {
            deadline
        };
        // A lookup that keeps the deadline itself can say what did not answer.
        let looking_up = lookup.look_up(last_good, now, deadline);
        let outcome = match tokio::time::timeout(limit + GRACE, looking_up).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Aborted::TimedOut(limit).into()),
        };
        attempt.end(outcome);
    }

    fn limit(&self, waiting: Waiting, failures: u32, can_serve: bool) -> Duration {
        let request = self.deadlines.request;
        let patient = request.saturating_mul(2);
        match waiting {
            Waiting::Start if failures > 0 => self.deadlines.start.max(patient),
            Waiting::Start => self.deadlines.start,
            Waiting::Request { left } => {
                let longest = if failures > 0 { patient } else { request };
                let part = if can_serve && failures == 0 { 4 } else { 2 };
                left.map_or(longest, |left| longest.min(left / part))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T, E>> {
        // The state is whole between any two statements, so a panic elsewhere has not broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time after its deadline in which a lookup can still say what did not answer: enough for a task
/// to run, and too short to matter to a request.
const GRACE: Duration = Duration::from_millis(50);

impl<T, E: Clone + fmt::Display + From<Aborted>> State<T, E> {
    /// Returns what can be served at `now` without a lookup.
    fn answer(&mut self, now: Timestamp) -> Result<Arc<T>, NoValue<E>> {
        let reason = || {
            self.last_error
                .clone()
                .unwrap_or_else(|| Aborted::Interrupted.into())
        };
        let Some(value) = &self.value else {
            return Err(NoValue::NotLoaded(reason()));
        };
        match self.schedule.freshness(now) {
            Freshness::Fresh | Freshness::Due => Ok(Arc::clone(value)),
            Freshness::TooOld => Err(NoValue::Stale {
                age: self.schedule.age(now).unwrap_or(Duration::MAX),
                reason: reason(),
            }),
        }
    }
}

/// Start of a lookup.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// No other lookup is under way, except one ahead of time.
    InTurn,
    /// Ahead of time, beside others: see [`Refreshing::begin_ahead`].
    Ahead {
        since: SystemTime,
        /// Longest duration. One that took longer was frozen in between.
        longest: Duration,
    },
}

impl Start {
    /// Returns true if the outcome says nothing about the value of now.
    fn was_frozen(self) -> bool {
        match self {
            Self::InTurn => false,
            Self::Ahead { since, longest } => since.elapsed().map_or(true, |took| took > longest),
        }
    }
}

/// Lookup that has begun. Dropped before its end, it counts as a failure.
struct Attempt<'a, L: Lookup> {
    refreshing: &'a Refreshing<L::Value, L::Error>,
    lookup: &'a L,
    now: Timestamp,
    started: Instant,
    /// Number in the order in which lookups began.
    number: u64,
    /// Value that the lookup compares with.
    last_good: Option<Arc<L::Value>>,
    start: Start,
    has_ended: bool,
}

impl<L: Lookup> Attempt<'_, L> {
    fn end(mut self, outcome: Result<Found<L::Value>, L::Error>) {
        match outcome {
            Ok(found) => {
                let mut state = self.refreshing.state();
                if !self.is_overtaken(&state) {
                    state.ended += 1;
                    state.confirmed = self.number;
                    state.last_error = None;
                    state.value = match found {
                        Found::New(value) => Some(Arc::new(value)),
                        // Another lookup can have replaced the value meanwhile, and this one says
                        // that the value before is the current one.
                        Found::Unchanged => self.last_good.clone(),
                    };
                    let now = self.success_time();
                    state.schedule.succeeded(now);
                }
            }
            Err(error) => self.fail(error, Some(self.started.elapsed())),
        }
        self.has_ended = true;
    }

    fn fail(&self, error: L::Error, took: Option<Duration>) {
        let mut state = self.refreshing.state();
        if self.is_overtaken(&state) {
            return;
        }
        let now = self.end_time();
        state.ended += 1;
        state.schedule.failed(now);
        self.lookup.report_failure(&FailedLookup {
            error: &error,
            last_good: state.value.as_deref(),
            age: state.schedule.age(now),
            failures: state.schedule.failures(),
            retry_after: state.schedule.retry_after(),
            took,
        });
        state.last_error = Some(error);
    }

    /// Returns true if the outcome does not count: a lookup that began later has ended well
    /// already, or the process was frozen meanwhile.
    fn is_overtaken(&self, state: &State<L::Value, L::Error>) -> bool {
        self.number < state.confirmed || self.start.was_frozen()
    }

    /// Returns the time from which the value is known to be the current one.
    fn success_time(&self) -> Timestamp {
        if self.refreshing.is_punctual {
            self.now
        } else {
            self.end_time()
        }
    }

    /// Returns the caller's time plus the duration of the lookup.
    fn end_time(&self) -> Timestamp {
        let took = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.now.plus_seconds(took)
    }
}

impl<L: Lookup> Drop for Attempt<'_, L> {
    fn drop(&mut self) {
        // A lookup ahead of time ends with its runtime, and no caller waits for it.
        if !self.has_ended && matches!(self.start, Start::InTurn) {
            self.fail(Aborted::Interrupted.into(), None);
        }
    }
}
