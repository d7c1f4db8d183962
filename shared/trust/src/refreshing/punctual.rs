//! Values whose refresh is a promise: an answer is never given with a value that was last confirmed
//! longer ago, unless lookups fail.

use std::fmt;
use std::time::{Duration, SystemTime};

use alb_mtls_verifier::Timestamp;

use super::lookup::{Aborted, Lookup};
use super::{Refreshing, Start};

/// Time after its limit in which a lookup ahead of time still counts. One that took longer was
/// frozen with its process, and says how things were then.
const SLACK: Duration = Duration::from_millis(500);

impl<T, E> Refreshing<T, E>
where
    T: Send + Sync,
    E: Clone + fmt::Display + From<Aborted> + Send,
{
    /// Makes the refresh a promise:
    ///
    /// - A value is as old as the *start* of the lookup that confirmed it.
    /// - A caller that finds it due waits for a lookup, also while another caller looks up.
    /// - A lookup that failed is repeated after a second at first, and after 15 s at most.
    #[must_use]
    pub fn punctual(mut self) -> Self {
        self.is_punctual = true;
        self.state().schedule.make_punctual();
        self
    }

    /// Returns true if a lookup ahead of time shall begin now, and counts it as begun: the caller
    /// runs [`Refreshing::look_up_ahead`] in a task of its own. It begins in the last two fifths of
    /// the refresh: a process with one request a second then has the next value before it is due,
    /// and sources are not asked twice as often as the refresh says.
    pub fn begin_ahead(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let ahead = state.schedule.refresh() * 2 / 5;
        let is_under_way = state.ahead_since.is_some_and(|since| {
            let took = since.elapsed();
            took.is_ok_and(|took| took <= self.longest_ahead())
        });
        let begins = !self.is_in_background()
            && !is_under_way
            && state.value.is_some()
            && state.schedule.is_due_within(ahead, now);
        if begins {
            state.ahead_since = Some(SystemTime::now());
        }
        begins
    }

    /// Looks up ahead of time, beside a lookup that a caller waits for. Its outcome does not count
    /// when the process was frozen meanwhile, or when a lookup that began later has ended well.
    pub async fn look_up_ahead<L>(&self, lookup: &L, now: Timestamp)
    where
        L: Lookup<Value = T, Error = E>,
    {
        let start = Start::Ahead {
            since: SystemTime::now(),
            longest: self.longest_ahead(),
        };
        let can_serve = true;
        self.attempt(lookup, now, self.deadlines.background, can_serve, start)
            .await;
        self.state().ahead_since = None;
    }

    fn longest_ahead(&self) -> Duration {
        self.deadlines.background + SLACK
    }
}
