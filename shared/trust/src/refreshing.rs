//! [`Refreshing`]: the last good value of something that is looked up again, and the only code that decides when.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alb_mtls_verifier::Timestamp;

use crate::loader::Deadline;
use crate::schedule::{Freshness, Schedule};

/// Looks a value up: the part of a [`Refreshing`] that knows what the value is.
pub trait Lookup: Send + Sync {
    /// The value.
    type Value: Send + Sync;
    /// The reason why a lookup failed. Callers that waited for the same lookup share it.
    type Error: Clone + fmt::Display + From<Aborted> + Send;

    /// Looks the value up at the time `now`, before `deadline`; `last_good` is the value in use, if there is one.
    ///
    /// # Errors
    /// The value in use stays in use, up to its maximum age.
    fn look_up(
        &self,
        last_good: Option<Arc<Self::Value>>,
        now: Timestamp,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Found<Self::Value>, Self::Error>> + Send;

    /// Reports to the operator that a lookup failed.
    fn report_failure(&self, failure: &FailedLookup<'_, Self::Value, Self::Error>);
}

/// A lookup that ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Aborted {
    /// There was no answer within this time.
    #[error("there was no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// Its caller went away before it ended.
    #[error("the lookup was interrupted before it ended")]
    Interrupted,
}

impl From<Aborted> for String {
    fn from(aborted: Aborted) -> Self {
        aborted.to_string()
    }
}

/// Result of a lookup that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// The value in use is still the current one.
    Unchanged,
    /// A new value.
    New(T),
}

/// A lookup that failed, with what callers get meanwhile.
#[derive(Debug)]
pub struct FailedLookup<'a, T, E> {
    /// The reason.
    pub error: &'a E,
    /// The value in use, if there is one.
    pub last_good: Option<&'a T>,
    /// Time since the last lookup that succeeded.
    pub age: Option<Duration>,
    /// Failures since the last success, this one included.
    pub failures: u32,
    /// Time from the end of this lookup until the next one may begin.
    pub retry_after: Duration,
    /// Duration of the lookup; absent when its caller went away.
    pub took: Option<Duration>,
}

/// Time that a lookup may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// At the start of the process. Lambda allows ten seconds for everything then.
    pub start: Duration,
    /// While a request waits; twice as long after a failure, so that a slow source is not taken for a dead one.
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

/// The caller that waits for a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The start of the process.
    Start,
    /// A request.
    Request {
        /// Time until its invocation ends, where it has an end. A lookup takes at most half of it, and at most a
        /// quarter while there is a value to serve and the last lookup did not fail: Lambda ends the environment of an
        /// invocation that runs out of time, and the last good value with it.
        left: Option<Duration>,
    },
}

/// There is no value that may be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoValue<E: fmt::Display> {
    /// No lookup has succeeded yet.
    #[error("could not be loaded: {0}")]
    NotLoaded(E),
    /// The last good value is too old.
    #[error("last confirmed {} s ago, longer than allowed, and cannot be renewed: {reason}", age.as_secs())]
    Stale {
        /// Time since the last lookup that succeeded.
        age: Duration,
        /// The reason why the latest one failed.
        reason: E,
    },
}

/// Counts of lookups, for status and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// Lookups that ended.
    pub ended: u64,
    /// Lookups since the last success that failed.
    pub failures_since: u32,
    /// Time of the last success.
    pub last_success: Option<Timestamp>,
}

/// A value that is looked up again when it is due, and is never lost to a lookup that fails.
///
/// - While a value may be served, one caller looks up and the others get the last good value at once.
/// - Without such a value, all callers wait for the same lookup, each for its own time, and share its failure.
/// - After a failure the next lookup waits for a backoff with jitter, counted from the end of the lookup.
/// - A caller that goes away during a lookup counts as a failure: such callers cannot cause one lookup after another.
/// - Age is wall-clock time, since a frozen process runs no timers.
#[derive(Debug)]
pub struct Refreshing<T, E> {
    deadlines: Deadlines,
    state: Mutex<State<T, E>>,
    /// Held by the caller that looks up.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<T, E> {
    value: Option<Arc<T>>,
    schedule: Schedule,
    /// Lookups that ended.
    ended: u64,
    last_error: Option<E>,
}

impl<T, E> Refreshing<T, E>
where
    T: Send + Sync,
    E: Clone + fmt::Display + From<Aborted> + Send,
{
    /// Creates it without a value. The value is looked up again at the age `refresh`, and served up to the age
    /// `max_stale` while lookups fail.
    pub fn new(refresh: Duration, max_stale: Duration) -> Self {
        Self {
            deadlines: Deadlines::default(),
            state: Mutex::new(State {
                value: None,
                schedule: Schedule::new(refresh, max_stale),
                ended: 0,
                last_error: None,
            }),
            turn: tokio::sync::Mutex::default(),
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
            if !state.schedule.may_try(now) {
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

    /// Returns the value that may be served without waiting; `None` when a call of [`Refreshing::get`] would look up,
    /// and when there is none.
    pub fn at_hand(&self, now: Timestamp) -> Option<Arc<T>> {
        let mut state = self.state();
        match state.schedule.freshness(now) {
            Freshness::Fresh => state.value.clone(),
            Freshness::Due if !state.schedule.may_try(now) => state.value.clone(),
            Freshness::Due | Freshness::TooOld => None,
        }
    }

    /// Looks the value up although it is not due, unless a lookup ended less than `pause` ago. The value before is
    /// served when the lookup fails.
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

    /// Looks up, unless another lookup ends first: `ended` is how many had ended when the caller decided to.
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
            Err(_) if can_serve => return,
            // The lookup of the caller that holds it has a limit too: what ends first is shared.
            Err(_) => match tokio::time::timeout(limit, self.turn.lock()).await {
                Ok(turn) => turn,
                Err(_) => return,
            },
        };
        if self.state().ended == ended {
            // Rare, and kilobytes of state that every request would have to make room for.
            Box::pin(self.attempt(lookup, now, limit, can_serve)).await;
        }
    }

    async fn attempt<L>(&self, lookup: &L, now: Timestamp, limit: Duration, can_serve: bool)
    where
        L: Lookup<Value = T, Error = E>,
    {
        let attempt = Attempt {
            refreshing: self,
            lookup,
            now,
            started: Instant::now(),
        };
        let deadline = Deadline::after(limit);
        let deadline = if can_serve {
            deadline.without_waiting_for_throttling()
        } else {
            deadline
        };
        let last_good = self.state().value.clone();
        // The lookup names what did not answer when it keeps the deadline itself.
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

/// Time after its deadline in which a lookup can still say what did not answer.
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

/// A lookup that has begun. Dropped before its end, it counts as a failure.
struct Attempt<'a, L: Lookup> {
    refreshing: &'a Refreshing<L::Value, L::Error>,
    lookup: &'a L,
    now: Timestamp,
    started: Instant,
}

impl<L: Lookup> Attempt<'_, L> {
    fn end(self, outcome: Result<Found<L::Value>, L::Error>) {
        match outcome {
            Ok(found) => {
                let mut state = self.refreshing.state();
                state.ended += 1;
                state.last_error = None;
                if let Found::New(value) = found {
                    state.value = Some(Arc::new(value));
                }
                let now = self.end_time();
                state.schedule.succeeded(now);
            }
            Err(error) => self.fail(error, Some(self.started.elapsed())),
        }
        std::mem::forget(self);
    }

    fn fail(&self, error: L::Error, took: Option<Duration>) {
        let mut state = self.refreshing.state();
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

    /// Returns the caller's time plus what the lookup took.
    fn end_time(&self) -> Timestamp {
        let took = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.now.plus_seconds(took)
    }
}

impl<L: Lookup> Drop for Attempt<'_, L> {
    fn drop(&mut self) {
        self.fail(Aborted::Interrupted.into(), None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const START: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
    const REQUEST: Waiting = Waiting::Request { left: None };

    /// Answers each lookup with the next of its answers; hangs after the last one.
    #[derive(Debug, Default)]
    struct Source {
        answers: Mutex<Vec<Result<Found<u32>, String>>>,
        asked: AtomicUsize,
        reported: AtomicUsize,
    }

    impl Source {
        fn new(answers: impl IntoIterator<Item = Result<Found<u32>, String>>) -> Self {
            let mut answers: Vec<_> = answers.into_iter().collect();
            answers.reverse();
            Self {
                answers: Mutex::new(answers),
                ..Self::default()
            }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    impl Lookup for Source {
        type Value = u32;
        type Error = String;

        async fn look_up(
            &self,
            _: Option<Arc<u32>>,
            _: Timestamp,
            _: Deadline,
        ) -> Result<Found<u32>, String> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(100)).await;
            let next = self.answers.lock().unwrap().pop();
            match next {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }

        fn report_failure(&self, _: &FailedLookup<'_, u32, String>) {
            self.reported.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn refreshing() -> Refreshing<u32, String> {
        Refreshing::new(Duration::from_secs(300), Duration::from_secs(3_600))
    }

    fn after(seconds: i64) -> Timestamp {
        START.plus_seconds(seconds)
    }

    fn good(value: u32) -> Result<Found<u32>, String> {
        Ok(Found::New(value))
    }

    fn bad() -> Result<Found<u32>, String> {
        Err("no".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_value_serves_until_it_is_too_old() {
        let source = Source::new([good(1), bad(), bad(), Ok(Found::Unchanged), good(2)]);
        let value = refreshing();
        let get = |seconds| value.get(&source, after(seconds), REQUEST);
        assert_eq!(*get(0).await.unwrap(), 1);
        assert_eq!(*get(100).await.unwrap(), 1);
        assert_eq!(source.asked(), 1);
        assert_eq!(*get(300).await.unwrap(), 1);
        assert_eq!(*get(301).await.unwrap(), 1);
        assert_eq!(source.asked(), 2, "the backoff was skipped");
        assert!(matches!(get(3_700).await, Err(NoValue::Stale { .. })));
        assert_eq!(*get(3_800).await.unwrap(), 1, "it was confirmed");
        assert_eq!(*get(4_200).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_without_a_value_share_one_lookup_and_its_failure() {
        let source = Source::new([bad(), good(1)]);
        let value = refreshing();
        let all = futures_util::future::join_all((0..16).map(|_| value.get(&source, START, REQUEST)));
        assert!(
            all.await
                .iter()
                .all(|answer| answer == &Err(NoValue::NotLoaded("no".to_owned())))
        );
        assert_eq!(source.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_with_a_value_do_not_wait_for_the_one_that_looks_up() {
        let source = Source::new([good(1)]);
        let value = refreshing();
        value.get(&source, START, REQUEST).await.unwrap();
        let started = tokio::time::Instant::now();
        let slow = value.get(&source, after(300), REQUEST);
        let quick = async {
            tokio::task::yield_now().await;
            let answer = value.get(&source, after(300), REQUEST).await;
            (answer, started.elapsed())
        };
        let (slow, (quick, took)) = tokio::join!(slow, quick);
        assert_eq!((*slow.unwrap(), *quick.unwrap()), (1, 1));
        assert!(took < Duration::from_millis(10), "{took:?}");
        assert!(started.elapsed() >= Deadlines::default().request);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_leaves_the_invocation_time_to_answer() {
        let source = Source::new([good(1)]);
        let value = refreshing();
        let left = |left| Waiting::Request {
            left: Some(Duration::from_millis(left)),
        };
        value.get(&source, START, left(3_000)).await.unwrap();
        for (now, left_ms, most) in [(300, 3_000, 750), (400, 3_000, 1_500), (500, 60_000, 5_000)] {
            let started = tokio::time::Instant::now();
            value.get(&source, after(now), left(left_ms)).await.unwrap();
            let took = started.elapsed();
            assert!(took >= Duration::from_millis(most), "{took:?}");
            assert!(took <= Duration::from_millis(most) + 2 * GRACE, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_backoff_begins_at_the_end_of_a_lookup() {
        let source = Source::new([]);
        let value = refreshing();
        let mut seconds = 0;
        let mut busy = 0;
        while seconds < 120 {
            let started = tokio::time::Instant::now();
            let answer = value.get(&source, after(seconds), REQUEST).await;
            assert!(answer.is_err());
            // Virtual time does not move `Instant`, which the end of a lookup is counted with.
            let took = i64::try_from(started.elapsed().as_secs()).unwrap();
            busy += took;
            seconds += took.max(1);
        }
        assert!(
            source.asked() < 24,
            "{} lookups, {busy} s of them",
            source.asked()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_away_counts_as_a_failure() {
        let source = Source::new([good(1)]);
        let value = refreshing();
        value.get(&source, START, REQUEST).await.unwrap();
        let gone = tokio::time::timeout(Duration::from_millis(50), value.get(&source, after(300), REQUEST));
        assert!(gone.await.is_err());
        assert_eq!(source.asked(), 2);
        assert_eq!(source.reported.load(Ordering::SeqCst), 1);
        assert_eq!(*value.get(&source, after(301), REQUEST).await.unwrap(), 1);
        assert_eq!(source.asked(), 2, "the next caller looked up at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_is_not_repeated_within_its_pause() {
        let source = Source::new([good(1), good(2), good(3)]);
        let value = refreshing();
        let pause = Duration::from_secs(10);
        value.get(&source, START, REQUEST).await.unwrap();
        value.renew(&source, after(9), REQUEST, pause).await;
        assert_eq!(*value.last_good().unwrap(), 1);
        value.renew(&source, after(10), REQUEST, pause).await;
        assert_eq!(*value.last_good().unwrap(), 2);
        assert_eq!(value.counts().ended, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_at_hand_needs_no_lookup() {
        let source = Source::new([good(1), bad()]);
        let value = refreshing();
        assert!(value.at_hand(START).is_none());
        value.get(&source, START, REQUEST).await.unwrap();
        assert!(value.at_hand(after(100)).is_some());
        assert!(value.at_hand(after(300)).is_none(), "it is due");
        value.get(&source, after(300), REQUEST).await.unwrap();
        assert!(value.at_hand(after(301)).is_some(), "it may not be looked up yet");
        assert!(value.at_hand(after(3_700)).is_none(), "it is too old");
    }
}
