//! Places for open connections, of which each address has a number.

use std::sync::Arc;

use alb_mtls_gate::{Connections, OpenConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::once_a_second::OnceASecond;

/// Share of the places, as its divisor, for all peers that no request is expected from.
const STRANGERS: usize = 16;

/// Places of one address. They are counted in the metrics together with those of the others.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    number: usize,
    /// Places among them for peers that no request is expected from: who can connect past the load
    /// balancer must not be able to keep it out.
    strangers: Arc<Semaphore>,
    refused: Arc<OnceASecond>,
    open: Connections,
}

/// Place of an open connection. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    stranger: Option<OwnedSemaphorePermit>,
    _open: OpenConnection,
}

impl Places {
    pub(crate) fn new(number: usize, open: Connections) -> Self {
        Self {
            free: Arc::new(Semaphore::new(number)),
            number,
            strangers: Arc::new(Semaphore::new((number / STRANGERS).max(1))),
            refused: Arc::default(),
            open,
        }
    }

    /// Waits for a free place and takes it.
    pub(crate) async fn take(&self) -> Place {
        Place {
            // The semaphore is never closed.
            _permit: Arc::clone(&self.free).acquire_owned().await.ok(),
            stranger: None,
            _open: self.open.open(),
        }
    }

    /// Makes a place that was taken one of those for strangers. Returns `false` if they have all of
    /// theirs.
    pub(crate) fn give_to_stranger(&self, place: &mut Place) -> bool {
        place.stranger = Arc::clone(&self.strangers).try_acquire_owned().ok();
        if place.stranger.is_none() && self.refused.is_due() {
            tracing::warn!(
                kind = "strangers",
                "a connection is closed: too many are open from addresses that MTLS_PEERS does not list"
            );
        }
        place.stranger.is_some()
    }

    /// Waits until every place is free.
    pub(crate) async fn all_free(&self) {
        let all = u32::try_from(self.number).unwrap_or(u32::MAX);
        _ = self.free.acquire_many(all).await;
    }
}
