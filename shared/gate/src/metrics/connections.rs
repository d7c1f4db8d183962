//! Number of open connections, for a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counter of open connections. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    open: AtomicU64,
    /// False in a process that has no connections of its own, such as a Lambda function.
    is_used: AtomicBool,
}

impl Connections {
    /// Counts a connection until the value is dropped.
    #[must_use]
    pub fn open(&self) -> OpenConnection {
        self.0.is_used.store(true, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self.clone())
    }

    /// Returns the number of open connections.
    pub fn count(&self) -> u64 {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Returns the number of open connections, once there was one.
    pub(super) fn open_if_counted(&self) -> Option<u64> {
        self.0.is_used.load(Ordering::Relaxed).then(|| self.count())
    }
}

/// Connection that counts as open for as long as the value exists.
#[derive(Debug)]
pub struct OpenConnection(Connections);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_until_they_end() {
        let connections = Connections::default();
        assert_eq!(connections.open_if_counted(), None);
        let first = connections.clone().open();
        let second = connections.open();
        assert_eq!(connections.count(), 2);
        drop((first, second));
        assert_eq!(connections.open_if_counted(), Some(0));
    }
}
