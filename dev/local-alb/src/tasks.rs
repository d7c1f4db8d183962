use std::pin::pin;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The tasks of one load balancer. All of them end when this is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Tasks {
    stop: watch::Sender<()>,
    spawner: Spawner,
    ended: mpsc::Receiver<()>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        let (stop, stopped) = watch::channel(());
        let (alive, ended) = mpsc::channel(1);
        Self {
            stop,
            spawner: Spawner { stopped, alive },
            ended,
        }
    }

    pub(crate) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Cancels every task and waits until the last one is gone.
    pub(crate) async fn stop(self) {
        let Self {
            stop,
            spawner,
            mut ended,
        } = self;
        drop(stop);
        drop(spawner);
        // Nothing is ever sent: it ends when the last sender is gone.
        let _ = ended.recv().await;
    }
}

/// Starts tasks that end with the load balancer.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    stopped: watch::Receiver<()>,
    alive: mpsc::Sender<()>,
}

impl Spawner {
    /// Spawns a task; its result is `None` if the load balancer stopped first.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut stopped = self.stopped.clone();
        let alive = self.alive.clone();
        tokio::spawn(async move {
            let result = tokio::select! {
                biased;
                _ = stopped.changed() => None,
                result = pin!(future) => Some(result),
            };
            drop(alive);
            result
        })
    }
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}
