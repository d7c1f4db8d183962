use std::sync::Arc;
use std::time::Duration;

use alb_mtls_verifier::Timestamp;

use crate::error::LoadError;
use crate::settings::TrustSettings;
use crate::snapshot::Snapshot;

/// The trust material of a process: always the last good snapshot, looked up again when it is due.
#[derive(Debug)]
pub struct Trust {
    #[expect(dead_code, reason = "used from the next commit on")]
    settings: TrustSettings,
}

/// There is no snapshot that may be used; decisions are refused until a later look-up succeeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No look-up has succeeded yet.
    #[error("no trust material could be loaded: {0}")]
    NotLoaded(Arc<LoadError>),
    /// The last good snapshot is too old.
    #[error("the trust material was last confirmed {} s ago, longer than allowed, and cannot be renewed: {reason}", age.as_secs())]
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
    /// Look-ups so far.
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
        Self { settings }
    }

    /// Loads the material when the process starts, with more time than a request has.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be loaded; a later [`Trust::snapshot`] tries again.
    pub async fn load(&self, now: Timestamp) -> Result<Arc<Snapshot>, Unavailable> {
        self.snapshot(now).await
    }

    /// The snapshot to decide by at the time `now`.
    ///
    /// Looks the sources up when there is none or when it is due, with a deadline of its own. Callers at the same
    /// time cause one look-up: the others get the last good snapshot, or wait when there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when there is no snapshot, or none that is young enough.
    pub async fn snapshot(&self, _now: Timestamp) -> Result<Arc<Snapshot>, Unavailable> {
        Err(Unavailable::NotLoaded(Arc::new(LoadError::Interrupted)))
    }

    /// How the look-ups went.
    pub fn status(&self) -> TrustStatus {
        TrustStatus::default()
    }
}
