//! Lookups: the work, the callers that wait for it, and its ends.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_verifier::Timestamp;

use super::deadline::Deadline;

/// Lookup of a value: the part of a [`Refreshing`](crate::Refreshing) that knows what the value is.
pub trait Lookup: Send + Sync {
    /// The value.
    type Value: Send + Sync;
    /// Reason why a lookup failed. Callers that waited for the same lookup share it.
    type Error: Clone + fmt::Display + From<Aborted> + Send;

    /// Looks the value up at the time `now`, before `deadline`; `last_good` is the value in use, if
    /// there is one.
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

/// End of a lookup without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Aborted {
    /// No answer came within this time.
    #[error("there was no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The caller went away before the lookup ended.
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

/// Failed lookup, with what callers get meanwhile.
#[derive(Debug)]
pub struct FailedLookup<'a, T, E> {
    /// Reason of the failure.
    pub error: &'a E,
    /// Value in use, if there is one.
    pub last_good: Option<&'a T>,
    /// Time since the last lookup that succeeded.
    pub age: Option<Duration>,
    /// Number of failures since the last success, this one included.
    pub failures: u32,
    /// Time from the end of this lookup until the next one can begin.
    pub retry_after: Duration,
    /// Duration of the lookup; absent when its caller went away.
    pub took: Option<Duration>,
}

/// Time limits of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Limit at the start of the process. Lambda allows ten seconds for everything then.
    pub start: Duration,
    /// Limit while a request waits; twice as long after a failure, so that a slow source is not
    /// mistaken for a dead one.
    pub request: Duration,
    /// Limit while no caller waits: see
    /// [`Refreshing::refresh_in_background`](crate::Refreshing::refresh_in_background).
    pub background: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(6),
            request: Duration::from_millis(2_500),
            // A CRL of 100 MB at 30 Mbit/s. Changes that are noticed meanwhile wait as long.
            background: Duration::from_secs(30),
        }
    }
}

/// Caller that waits for a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The start of the process.
    Start,
    /// A request.
    Request {
        /// Time until its invocation ends, where it has an end. A lookup takes at most half of it,
        /// and at most a quarter while there is a value to serve and the last lookup did not fail:
        /// Lambda ends the environment of an invocation that runs out of time, and the last good
        /// value with it.
        left: Option<Duration>,
    },
}

/// Lack of a value that can be used.
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
        /// Reason why the latest lookup failed.
        reason: E,
    },
}

/// Numbers of lookups, for status and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// Number of lookups that ended.
    pub ended: u64,
    /// Number of lookups since the last success that failed.
    pub failures_since: u32,
    /// Time of the last success.
    pub last_success: Option<Timestamp>,
}
