//! Limit of log lines that peers cause.

use std::sync::atomic::{AtomicU64, Ordering};

use alb_mtls_verifier::Timestamp;

/// At most one line a second, so that a scanner does not fill the log.
#[derive(Debug, Default)]
pub(crate) struct OnceASecond(AtomicU64);

impl OnceASecond {
    /// Returns `true` if there was no line in this second.
    pub(crate) fn is_due(&self) -> bool {
        let now = Timestamp::now().unix_seconds().unsigned_abs();
        self.0.swap(now, Ordering::Relaxed) != now
    }
}
