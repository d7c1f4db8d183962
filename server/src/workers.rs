//! Threads that serve connections.

use std::future::{Future, pending};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};

/// Threads that serve connections, each with an executor of its own.
///
/// A connection stays on its thread, together with the connections to upstreams that carry its
/// requests: no request waits for another thread to wake up, and none competes for a lock.
#[derive(Clone, Debug)]
pub(crate) struct Workers(Arc<[Worker]>);

#[derive(Debug)]
struct Worker {
    executor: Handle,
    connections: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts a thread for each processor that the process may use. They end with the process.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn start() -> io::Result<Self> {
        let number = thread::available_parallelism()?.get();
        (0..number)
            .map(Worker::start)
            .collect::<io::Result<Arc<[Worker]>>>()
            .map(Self)
    }

    /// Serves a connection on the thread with the fewest of them. `serve` is called there.
    pub(crate) fn serve<F>(&self, serve: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        // There is at least one.
        let fewest = self
            .0
            .iter()
            .min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        if let Some(worker) = fewest {
            let counted = Counted::new(&worker.connections);
            worker.executor.spawn(async move {
                serve().await;
                drop(counted);
            });
        }
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let executor = runtime.handle().clone();
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || runtime.block_on(pending::<()>()))?;
        Ok(Self {
            executor,
            connections: Arc::default(),
        })
    }
}

/// Connection of a thread, until it is dropped.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn connections_are_spread_over_the_threads() {
        let workers = Workers::start().unwrap();
        let (sender, receiver) = mpsc::channel();
        for _ in 0..2 * workers.0.len() {
            let sender = sender.clone();
            workers.serve(|| async move {
                sender.send(thread::current().id()).unwrap();
                pending::<()>().await;
            });
        }
        let threads: Vec<_> = receiver.iter().take(2 * workers.0.len()).collect();
        let distinct: HashSet<_> = threads.iter().collect();
        assert_eq!(distinct.len(), workers.0.len());
    }

    #[test]
    fn a_connection_that_panics_is_counted_no_more() {
        let workers = Workers::start().unwrap();
        workers.serve(|| async { panic!("of a test") });
        while workers
            .0
            .iter()
            .any(|worker| worker.connections.load(Ordering::Relaxed) > 0)
        {
            thread::yield_now();
        }
    }
}
