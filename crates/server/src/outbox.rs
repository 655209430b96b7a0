//! The outboxes that rooms share with a connection, and what tells it which of them have something.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use syncline_protocol::{Outbox, Slot, Written};
use tokio::sync::Notify;

/// Which outboxes of one connection have something to write.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    slots: Mutex<VecDeque<Slot>>,
    changed: Notify,
}

impl Ready {
    /// Takes the next slot whose outbox may have something.
    pub(crate) fn next(&self) -> Option<Slot> {
        self.slots().pop_front()
    }

    /// Waits until an outbox has something. Only one may wait.
    pub(crate) async fn changed(&self) {
        while self.slots().is_empty() {
            self.changed.notified().await;
        }
    }

    fn push(&self, slot: Slot) {
        self.slots().push_back(slot);
        self.changed.notify_one();
    }

    fn slots(&self) -> MutexGuard<'_, VecDeque<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An [`Outbox`] that tells its connection when something changes.
///
/// The lock is held for one call of the machine and never across an `await`.
#[derive(Debug)]
pub(crate) struct SharedOutbox {
    outbox: Mutex<Outbox>,
    slot: Slot,
    ready: Arc<Ready>,
    /// Whether the slot is among those that are ready.
    is_ready: AtomicBool,
}

impl SharedOutbox {
    pub(crate) fn new(outbox: Outbox, slot: Slot, ready: &Arc<Ready>) -> Self {
        Self { outbox: Mutex::new(outbox), slot, ready: Arc::clone(ready), is_ready: AtomicBool::new(false) }
    }

    /// Lets `change` put something in, and tells the connection.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Outbox)) {
        change(&mut self.outbox());
        self.tell();
    }

    /// Returns what the connection writes next from this outbox, which was next among those that are ready. It has its
    /// turn again, after the others, unless nothing is left.
    pub(crate) fn poll(&self) -> Written {
        self.is_ready.store(false, Ordering::Release);
        let written = self.outbox().poll();
        match &written {
            Written::Batch(_)
            | Written::Acknowledge(_)
            | Written::Charge(_)
            | Written::Kept(_)
            | Written::AskResume(_) => {
                self.tell();
            }
            Written::Close(_) | Written::Idle => {}
        }
        written
    }

    fn tell(&self) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            self.ready.push(self.slot);
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use syncline_core::id::CommitNumber;
    use syncline_protocol::Batch;

    use super::*;

    #[test]
    fn outboxes_take_turns() {
        let ready = Arc::new(Ready::default());
        let outboxes = [0, 1].map(|slot| SharedOutbox::new(Outbox::default(), Slot(slot), &ready));
        for outbox in &outboxes {
            for number in [1, 2] {
                let batch = Batch::new(CommitNumber(number), vec![Bytes::from_static(b"x")]);
                outbox.change(|outbox| outbox.resume(batch));
            }
        }
        let mut turns = Vec::new();
        while let Some(slot) = ready.next() {
            if let Written::Batch(batch) = outboxes[usize::try_from(slot.0).unwrap()].poll() {
                turns.push((slot.0, batch.upto().0));
            }
        }
        assert_eq!(turns, [(0, 1), (1, 1), (0, 2), (1, 2)]);
        outboxes[1].change(|outbox| outbox.acknowledge(1));
        assert_eq!(ready.next(), Some(Slot(1)));
    }
}
