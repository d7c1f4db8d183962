//! Faults of all that the gate depends on, through the built functions: each invocation is answered
//! in its time with the status that `docs/faults.md` states, and no environment is lost.
//!
//! The tables here drive the suite and are the tables of that page. `FAULTS=all` (`make faults`)
//! runs every combination; without it those run that differ in kind.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod clocks;
mod gates;
mod logs;
mod page;
mod processes;
mod sources;
mod upstreams;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Combinations at once: they wait most of their time, and the answers of a busy machine would be
/// late.
const AT_ONCE: usize = 8;

/// Runs all of these, some at once, and returns their results. Fails after the last one when some
/// have failed.
async fn run_all<T: Send + 'static>(
    cases: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for case in cases {
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            case.await
        });
    }
    let (mut results, mut failed) = (Vec::new(), 0);
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(result) => results.push(result),
            Err(_) => failed += 1,
        }
    }
    assert!(
        failed == 0,
        "{failed} of {} combinations failed",
        results.len() + failed
    );
    results
}

/// Returns true if every combination runs, which takes minutes.
fn is_complete() -> bool {
    std::env::var_os("FAULTS").is_some_and(|value| value == "all")
}
