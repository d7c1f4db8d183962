//! Circuit breakers: a responder that fails again and again is left alone for a while, so that
//! clients do not wait for it.

use std::collections::HashMap;

use alb_mtls_verifier::Timestamp;

/// Failures one after the other that open a breaker.
const FAILURES: u32 = 3;

/// Seconds during which a responder is left alone. One request tries it again afterwards.
pub(super) const PAUSE: i64 = 30;

/// Breakers that are kept: responders from settings are few, and those that certificates name are
/// as many as their CAs.
const MAX_BREAKERS: usize = 256;

/// Breakers by responder.
#[derive(Debug, Default)]
pub(super) struct Breakers(HashMap<String, Breaker>);

#[derive(Clone, Copy, Debug)]
struct Breaker {
    failures: u32,
    closed_from: Timestamp,
}

impl Breakers {
    /// Returns the time until which the responder is left alone, or nothing if it may be asked now.
    pub(super) fn open_until(&mut self, responder: &str, now: Timestamp) -> Option<Timestamp> {
        let breaker = self.0.get_mut(responder)?;
        if breaker.failures < FAILURES {
            return None;
        }
        // A clock that was set back must not leave a responder alone for longer.
        if now < breaker.closed_from && breaker.closed_from <= now.plus_seconds(PAUSE) {
            return Some(breaker.closed_from);
        }
        // Others are turned away while one request tries.
        breaker.closed_from = now.plus_seconds(PAUSE);
        None
    }

    /// Notes an outcome. Returns true if this failure opens the breaker.
    pub(super) fn note(&mut self, responder: &str, is_answered: bool, now: Timestamp) -> bool {
        if is_answered {
            self.0.remove(responder);
            return false;
        }
        if self.0.len() >= MAX_BREAKERS && !self.0.contains_key(responder) {
            self.0.clear();
        }
        let breaker = self.0.entry(responder.to_owned()).or_insert(Breaker {
            failures: 0,
            closed_from: now,
        });
        breaker.failures = breaker.failures.saturating_add(1);
        breaker.closed_from = now.plus_seconds(PAUSE);
        breaker.failures == FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responder_is_left_alone_after_three_failures_and_tried_by_one() {
        let mut breakers = Breakers::default();
        let at = Timestamp::from_unix_seconds;
        for second in 0..2 {
            assert_eq!(breakers.open_until("a", at(second)), None);
            assert!(!breakers.note("a", false, at(second)));
        }
        assert!(breakers.note("a", false, at(2)));
        assert_eq!(breakers.open_until("a", at(3)), Some(at(32)));
        assert_eq!(breakers.open_until("b", at(3)), None, "another responder");
        assert_eq!(breakers.open_until("a", at(32)), None, "the one that tries");
        assert_eq!(breakers.open_until("a", at(32)), Some(at(62)));
        assert!(!breakers.note("a", false, at(33)));
        assert_eq!(breakers.open_until("a", at(62)), Some(at(63)));
        assert!(!breakers.note("a", true, at(64)));
        assert_eq!(breakers.open_until("a", at(64)), None);
        assert_eq!(breakers.open_until("a", at(0)), None, "a clock that was set back");
    }
}
