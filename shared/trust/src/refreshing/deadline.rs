use std::time::Duration;

use tokio::time::Instant;

/// End of the time for a lookup.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The end.
    pub(crate) at: Instant,
    /// Time from the start to the end.
    pub(crate) allowed: Duration,
    pub(crate) throttling: Throttling,
}

/// Treatment of a service that asks for fewer requests, after the SDK's own attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Throttling {
    /// Ask again until the deadline: many processes that start together share one limit.
    WaitOut,
    /// Count it as failed.
    GiveUp,
}

impl Deadline {
    /// Creates a deadline that is `allowed` from now.
    pub fn after(allowed: Duration) -> Self {
        Self {
            at: Instant::now() + allowed,
            allowed,
            throttling: Throttling::WaitOut,
        }
    }

    /// Counts a service that limits the rate of requests as failed, for a caller that has a value
    /// to go on with.
    #[must_use]
    pub(crate) fn without_waiting_for_throttling(self) -> Self {
        Self {
            throttling: Throttling::GiveUp,
            ..self
        }
    }
}
