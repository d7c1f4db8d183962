//! Places for open connections, of which each address has a number.

use std::sync::Arc;

use alb_mtls_gate::{Connections, OpenConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places of one address. They are counted in the metrics together with those of the others.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    number: usize,
    open: Connections,
}

/// Place of an open connection. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    _open: OpenConnection,
}

impl Places {
    pub(crate) fn new(number: usize, open: Connections) -> Self {
        Self {
            free: Arc::new(Semaphore::new(number)),
            number,
            open,
        }
    }

    /// Waits for a free place and takes it.
    pub(crate) async fn take(&self) -> Place {
        Place {
            // The semaphore is never closed.
            _permit: Arc::clone(&self.free).acquire_owned().await.ok(),
            _open: self.open.open(),
        }
    }

    /// Waits until every place is free.
    pub(crate) async fn all_free(&self) {
        let all = u32::try_from(self.number).unwrap_or(u32::MAX);
        _ = self.free.acquire_many(all).await;
    }
}
