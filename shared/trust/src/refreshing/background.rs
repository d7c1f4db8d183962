//! Lookups by a task of their own, for a process that is never frozen: requests never wait for one.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alb_mtls_verifier::Timestamp;
use tokio::sync::watch;

use super::lookup::{Aborted, Lookup};
use super::{Refreshing, Start, watched_files::WatchedFiles};

/// Time between two looks at the files and at the clock. A replaced file is in use within two of
/// them, and a lookup begins one of them before it is due. One `stat` a second for each file costs
/// less than 0.01 % of a core.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Asks every background task for a lookup, such as on SIGHUP.
#[derive(Clone, Debug)]
pub struct Reload(watch::Sender<()>);

impl Reload {
    /// Creates a handle for the tasks that subscribe to it.
    pub fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Asks for a lookup now, whatever was looked up a moment ago.
    pub fn ask(&self) {
        self.0.send_replace(());
    }

    /// Returns the requests that are made from now on.
    pub fn subscribe(&self) -> Reloads {
        Reloads(self.0.subscribe())
    }
}

impl Default for Reload {
    fn default() -> Self {
        Self::new()
    }
}

/// Requests for a lookup, as one background task sees them. Those that are made during a lookup
/// cause one more.
#[derive(Debug)]
pub struct Reloads(watch::Receiver<()>);

impl Reloads {
    /// Waits until a lookup is asked for; indefinitely once that is not possible any more.
    async fn asked(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Event that leads to a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Due,
    FileChanged,
    ReloadAsked,
}

impl Cause {
    /// Logs a cause that the operator is responsible for, so that the log shows that it was
    /// noticed.
    fn log(self) {
        match self {
            Self::Due => {}
            Self::FileChanged => {
                tracing::info!(target: crate::events::TARGET, "a file changed: looking up");
            }
            Self::ReloadAsked => {
                tracing::info!(target: crate::events::TARGET, "a reload was asked for: looking up");
            }
        }
    }
}

impl<T, E> Refreshing<T, E>
where
    T: Send + Sync,
    E: Clone + fmt::Display + From<Aborted> + Send,
{
    /// Keeps the value fresh until the future is dropped: looks up before the value is due, when
    /// one of `files` changes, and when a reload is asked for. Meanwhile [`Refreshing::get`]
    /// returns the value in use at once for every request. Afterwards requests look up again by
    /// themselves, so a task that ends loses nothing.
    pub async fn refresh_in_background<L>(
        &self,
        lookup: &L,
        mut files: WatchedFiles,
        mut reloads: Reloads,
    ) -> Infallible
    where
        L: Lookup<Value = T, Error = E>,
    {
        let _in_background = InBackground::begin(&self.in_background);
        loop {
            let cause = tokio::select! {
                () = reloads.asked() => Cause::ReloadAsked,
                cause = self.wait_for_cause(&mut files) => cause,
            };
            cause.log();
            self.look_up_in_background(lookup).await;
        }
    }

    async fn wait_for_cause(&self, files: &mut WatchedFiles) -> Cause {
        loop {
            tokio::time::sleep(TICK).await;
            if files.have_changed().await {
                return Cause::FileChanged;
            }
            // Wall-clock time, and not a timer for the whole interval: a machine can be suspended,
            // and its clock be set.
            if self.state().schedule.is_due_within(TICK, Timestamp::now()) {
                return Cause::Due;
            }
        }
    }

    /// Looks up after the lookup that is under way, which can have begun before the cause.
    async fn look_up_in_background<L>(&self, lookup: &L)
    where
        L: Lookup<Value = T, Error = E>,
    {
        let _turn = self.turn.lock().await;
        // There is time to wait for a service that limits the rate of requests.
        let can_serve = false;
        let limit = self.deadlines.background;
        self.attempt(lookup, Timestamp::now(), limit, can_serve, Start::InTurn)
            .await;
    }
}

/// Makes requests serve the value in use, for as long as the guard exists.
struct InBackground<'a>(&'a AtomicBool);

impl<'a> InBackground<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for InBackground<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
