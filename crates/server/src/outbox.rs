//! The outbox that a room and a connection share.

use std::sync::{Mutex, PoisonError};

use syncline_protocol::{Outbox, Written};
use tokio::sync::Notify;

/// An [`Outbox`] that wakes its connection when something changes.
///
/// The lock is held for one call of the machine and never across an `await`.
#[derive(Debug, Default)]
pub(crate) struct SharedOutbox {
    outbox: Mutex<Outbox>,
    changed: Notify,
}

impl SharedOutbox {
    /// Lets `change` put something in, and wakes the connection.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Outbox)) {
        change(&mut self.outbox.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Returns what the connection writes next.
    pub(crate) fn poll(&self) -> Written {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).poll()
    }

    /// Waits for a change since the last time that this returned. Only one may wait.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}
