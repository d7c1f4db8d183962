//! The end of a function's process.

use alb_mtls_gate::StandardOutput;
use tokio::signal::unix::{SignalKind, signal};

/// Exit code of a process that SIGTERM ended, as shells have it.
const TERMINATED: i32 = 128 + 15;

/// Calls `write` when the process is told to end (SIGTERM), then waits for the log within its bound
/// and ends the process.
///
/// Lambda sends the signal 300 ms before it kills the process, and only where an extension is
/// registered; containers get it always. Nothing is registered with Lambda for it: that would be
/// one more request in each cold start, and an extension beside each function, to write counts of
/// which at most one in nine waits.
///
/// Source: Lambda developer guide, "Lambda execution environment", shutdown phase.
pub(crate) fn at_termination(write: impl FnOnce() + Send + 'static) {
    let mut signals = match signal(SignalKind::terminate()) {
        Ok(signals) => signals,
        Err(error) => {
            tracing::warn!(explanation = %error, "metrics will not be written when the process is told to end");
            return;
        }
    };
    tokio::spawn(async move {
        if signals.recv().await.is_some() {
            write();
            StandardOutput.finish();
            std::process::exit(TERMINATED);
        }
    });
}
