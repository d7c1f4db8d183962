//! Times of lookups: when the next one is due, and how old is too old. Wall-clock time alone
//! counts, since a frozen process runs no timers.

use std::time::Duration;

use alb_mtls_verifier::Timestamp;

/// Most seconds by which the clocks of concurrent callers differ: a clock that is put back further
/// has been set.
const CLOCK_TOLERANCE: i64 = 60;

/// Longest time between attempts while there is a value to serve: a new source is then in use
/// within a minute of its repair.
const LONGEST_RELAXED_DELAY: Duration = Duration::from_secs(60);

/// Longest time between attempts while requests are denied: short, because clients wait for the
/// repair.
const LONGEST_URGENT_DELAY: Duration = Duration::from_secs(15);

/// Times of past lookups, and the times that follow from them.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    refresh: i64,
    max_stale: i64,
    last_success: Option<Timestamp>,
    /// Start of the time in which the clock is behind the last success.
    set_back_since: Option<Timestamp>,
    /// Seconds after the last success; varies, and never exceeds `refresh`.
    due_after: i64,
    last_failure: Option<Timestamp>,
    failures: u32,
    /// Seconds after the last failure.
    retry_after: i64,
    /// Delays between attempts while there is a value to serve.
    relaxed: Delays,
}

/// Delays between attempts: the first one, which doubles, and the longest.
#[derive(Clone, Copy, Debug)]
struct Delays {
    first: Duration,
    longest: Duration,
}

/// Age class of the last good value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Serve it.
    Fresh,
    /// Look it up; serve it when that fails.
    Due,
    /// Do not serve it.
    TooOld,
}

impl Schedule {
    pub(crate) fn new(refresh: Duration, max_stale: Duration) -> Self {
        Self {
            refresh: seconds(refresh),
            max_stale: seconds(max_stale),
            last_success: None,
            set_back_since: None,
            due_after: 0,
            last_failure: None,
            failures: 0,
            retry_after: 0,
            relaxed: Delays {
                first: Duration::from_secs(5),
                longest: LONGEST_RELAXED_DELAY,
            },
        }
    }

    /// Makes attempts follow sooner on one that failed.
    pub(crate) fn make_punctual(&mut self) {
        self.relaxed = Delays {
            first: Duration::from_secs(1),
            longest: LONGEST_URGENT_DELAY,
        };
    }

    pub(crate) fn refresh(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.refresh).unwrap_or(0))
    }

    /// Returns the age class at `now`.
    pub(crate) fn freshness(&mut self, now: Timestamp) -> Freshness {
        self.notice_clock(now);
        let Some(age) = self.seconds_old(now) else {
            return Freshness::TooOld;
        };
        if age > self.max_stale {
            Freshness::TooOld
        } else if age >= self.due_after || self.set_back_since.is_some() {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    /// Returns true if enough time has passed since the last failure.
    pub(crate) fn may_try(&self, now: Timestamp) -> bool {
        let Some(last) = self.last_failure else {
            return true;
        };
        let wait = if self.is_urgent(now) {
            self.retry_after.min(seconds(LONGEST_URGENT_DELAY))
        } else {
            self.retry_after
        };
        now.unix_seconds() - last.unix_seconds() >= wait
    }

    /// Returns true if a lookup can begin at `now` and would be due `ahead` of it.
    pub(crate) fn is_due_within(&mut self, ahead: Duration, now: Timestamp) -> bool {
        self.may_try(now) && self.freshness(now.plus_seconds(seconds(ahead))) != Freshness::Fresh
    }

    /// Returns whether a lookup ended less than `pause` before `now`.
    pub(crate) fn ended_within(&self, now: Timestamp, pause: Duration) -> bool {
        let last = self.last_failure.max(self.last_success);
        last.is_some_and(|last| now.unix_seconds().abs_diff(last.unix_seconds()) < pause.as_secs())
    }

    /// Returns the time since the last success.
    pub(crate) fn age(&self, now: Timestamp) -> Option<Duration> {
        let age = self.seconds_old(now)?;
        Some(Duration::from_secs(u64::try_from(age).unwrap_or(0)))
    }

    fn seconds_old(&self, now: Timestamp) -> Option<i64> {
        let last = self.set_back_since.or(self.last_success)?;
        Some((now.unix_seconds() - last.unix_seconds()).max(0))
    }

    pub(crate) fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    /// Returns the number of failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the time from the last failure until the next lookup can begin.
    pub(crate) fn retry_after(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.retry_after).unwrap_or(0))
    }

    pub(crate) fn succeeded(&mut self, now: Timestamp) {
        self.last_success = Some(now);
        self.set_back_since = None;
        self.due_after = self.refresh - fastrand::i64(0..=self.refresh / 5);
        self.last_failure = None;
        self.failures = 0;
        self.retry_after = 0;
    }

    pub(crate) fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(now);
        let longest = longest_delay(self.failures, self.is_urgent(now), self.relaxed);
        // Half of it at least, so that processes that failed together do not come back together.
        self.retry_after = fastrand::i64(longest - longest / 2..=longest);
    }

    /// Returns true if there is no value to serve.
    fn is_urgent(&self, now: Timestamp) -> bool {
        self.seconds_old(now).is_none_or(|age| age > self.max_stale)
    }

    /// Notices a clock that is behind the last success. Such a clock makes ages too small, in the
    /// worst case indefinitely. Age then counts from the moment at which it was noticed, and a
    /// lookup is due. The last success keeps its time: a clock that is put back and forth must not
    /// make a young value old.
    fn notice_clock(&mut self, now: Timestamp) {
        let is_ahead = |time: Timestamp| time.unix_seconds() - CLOCK_TOLERANCE > now.unix_seconds();
        if self.last_success.is_some_and(is_ahead) {
            if self.set_back_since.is_none_or(is_ahead) {
                self.set_back_since = Some(now);
            }
        } else {
            self.set_back_since = None;
        }
        if self.last_failure.is_some_and(is_ahead) {
            self.last_failure = None;
        }
    }
}

/// Returns the longest delay, in seconds. Denied requests are a reason to try again at once, but
/// not in a tight loop.
fn longest_delay(failures: u32, urgent: bool, relaxed: Delays) -> i64 {
    let doubled = |first: u64, times: u32| first.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX));
    let delay = match (urgent, failures) {
        (true, 0 | 1) => 0,
        (true, failures) => doubled(1, (failures - 2).min(32)).min(LONGEST_URGENT_DELAY.as_secs()),
        (false, failures) => doubled(relaxed.first.as_secs(), failures.saturating_sub(1).min(32))
            .min(relaxed.longest.as_secs()),
    };
    i64::try_from(delay).unwrap_or(i64::MAX)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn schedule() -> Schedule {
        Schedule::new(Duration::from_secs(300), Duration::from_secs(3_600))
    }

    fn after(seconds: i64) -> Timestamp {
        START.plus_seconds(seconds)
    }

    #[test]
    fn is_due_between_four_fifths_and_the_whole_of_the_interval() {
        let mut due = Vec::new();
        for _ in 0..200 {
            let mut schedule = schedule();
            schedule.succeeded(START);
            assert_eq!(schedule.freshness(after(239)), Freshness::Fresh);
            assert_eq!(schedule.freshness(after(300)), Freshness::Due);
            due.push(
                (239..=300)
                    .find(|age| schedule.freshness(after(*age)) == Freshness::Due)
                    .unwrap(),
            );
        }
        assert!(
            due.iter().min() < due.iter().max(),
            "all processes would ask at once"
        );
    }

    #[test]
    fn serves_until_the_last_second_allowed_and_no_longer() {
        let mut schedule = schedule();
        schedule.succeeded(START);
        schedule.failed(after(300));
        assert_eq!(schedule.freshness(after(3_600)), Freshness::Due);
        assert_eq!(schedule.freshness(after(3_601)), Freshness::TooOld);
        schedule.succeeded(after(3_700));
        assert_eq!(schedule.freshness(after(3_701)), Freshness::Fresh);
        assert_eq!(schedule.failures(), 0);
    }

    #[test]
    fn backs_off_further_with_each_failure() {
        let mut schedule = schedule();
        schedule.succeeded(START);
        let mut waits = Vec::new();
        for _ in 0..8 {
            schedule.failed(after(300));
            assert!(!schedule.may_try(after(300)));
            waits.push((0..100).find(|wait| schedule.may_try(after(300 + wait))).unwrap());
        }
        assert!((3..=5).contains(&waits[0]), "{waits:?}");
        assert!((30..=60).contains(&waits[7]), "{waits:?}");
    }

    #[test]
    fn without_anything_to_serve_the_next_request_tries_again_but_not_each() {
        let mut schedule = schedule();
        schedule.failed(START);
        assert!(schedule.may_try(START));
        schedule.failed(START);
        assert!(!schedule.may_try(START));
        assert!(schedule.may_try(after(1)));
        for _ in 0..100 {
            schedule.failed(START);
        }
        assert!(!schedule.may_try(after(7)));
        assert!(schedule.may_try(after(15)));
    }

    #[test]
    fn material_beyond_its_age_is_as_urgent_as_none() {
        let mut schedule = schedule();
        schedule.succeeded(START);
        schedule.failed(after(4_000));
        assert!(schedule.may_try(after(4_000)));
    }

    #[test]
    fn what_was_backed_off_far_is_tried_again_soon_when_it_becomes_urgent() {
        let mut schedule = schedule();
        schedule.succeeded(START);
        for _ in 0..8 {
            schedule.failed(after(3_590));
        }
        assert!(!schedule.may_try(after(3_600)));
        assert!(schedule.may_try(after(3_605)));
    }

    #[test]
    fn a_clock_put_back_makes_a_look_up_due_and_begins_the_age_anew() {
        let mut schedule = schedule();
        schedule.succeeded(after(1_000_000_000));
        schedule.failed(after(1_000_000_400));
        assert_eq!(schedule.freshness(START), Freshness::Due);
        assert!(schedule.may_try(START));
        assert_eq!(schedule.freshness(after(3_601)), Freshness::TooOld);
    }

    #[test]
    fn a_clock_put_back_and_forth_leaves_the_age_as_it_was() {
        let mut schedule = schedule();
        schedule.succeeded(START);
        assert_eq!(schedule.freshness(after(-172_800)), Freshness::Due);
        assert_eq!(schedule.freshness(after(-172_000)), Freshness::Due);
        assert_eq!(schedule.freshness(after(-160_000)), Freshness::TooOld);
        assert_eq!(schedule.freshness(after(100)), Freshness::Fresh);
        assert_eq!(schedule.age(after(100)), Some(Duration::from_secs(100)));
    }

    #[test]
    fn callers_whose_clocks_differ_a_little_change_nothing() {
        let mut schedule = schedule();
        schedule.succeeded(START);
        assert_eq!(schedule.freshness(after(-5)), Freshness::Fresh);
        assert_eq!(schedule.last_success(), Some(START));
    }
}
