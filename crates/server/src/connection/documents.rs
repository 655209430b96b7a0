//! The documents that a connection has open: a room and an outbox for each.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::Arc,
};

use syncline_core::{id::ConnectionId, limits::OUTBOUND_BYTES_MAX};
use syncline_protocol::{Guest, Outbox, Slot, Written};
use tokio::sync::{OwnedSemaphorePermit, mpsc, mpsc::error::TrySendError};

use crate::{
    epoch::Epoch,
    outbox::{Ready, SharedOutbox},
    registry::{NotOpened, Registry, RoomKey},
    room::{Join, ToRoom},
};

/// Live batches that may wait for one document of a connection that may have many, in bytes.
const SHARED_OUTBOUND_BYTES_MAX: usize = OUTBOUND_BYTES_MAX / 4;

/// The documents of one connection, and what waits for a place in the inbox of a room.
///
/// What is told goes out in the order in which it was told. While anything is held back nothing more should be read.
pub(super) struct Documents {
    epoch: Arc<Epoch>,
    open: BTreeMap<Slot, Document>,
    ready: Arc<Ready>,
    outbound_bytes_max: usize,
    held_back: VecDeque<Held>,
    delivery: Option<Pin<Box<dyn Future<Output = Delivered> + Send>>>,
}

struct Document {
    connection: ConnectionId,
    /// Absent until it was joined.
    room: Option<mpsc::Sender<ToRoom>>,
    outbox: Arc<SharedOutbox>,
}

enum Held {
    Join { slot: Slot, key: RoomKey, join: Join },
    Message { slot: Slot, message: ToRoom },
}

enum Delivered {
    Joined(Slot, Result<mpsc::Sender<ToRoom>, NotOpened>),
    /// The room took it, or has ended and says why in the outbox.
    Told,
}

impl Documents {
    /// Makes room for one document, or for many.
    pub(super) fn new(epoch: &Arc<Epoch>, many: bool) -> Self {
        Self {
            epoch: Arc::clone(epoch),
            open: BTreeMap::new(),
            ready: Arc::default(),
            outbound_bytes_max: if many { SHARED_OUTBOUND_BYTES_MAX } else { OUTBOUND_BYTES_MAX },
            held_back: VecDeque::new(),
            delivery: None,
        }
    }

    /// Begins to join a room.
    pub(super) fn open(
        &mut self,
        slot: Slot,
        key: RoomKey,
        connection: ConnectionId,
        guest: Guest,
        handshake: Option<OwnedSemaphorePermit>,
    ) {
        let outbox = Outbox::with_bound(self.outbound_bytes_max);
        let outbox = Arc::new(SharedOutbox::new(outbox, slot, &self.ready));
        let join = Join { connection, guest, outbox: Arc::clone(&outbox), handshake };
        self.open.insert(slot, Document { connection, room: None, outbox });
        self.held_back.push_back(Held::Join { slot, key, join });
    }

    /// Tells a room something, or holds it back until there is a place for it.
    pub(super) fn tell(&mut self, slot: Slot, message: impl FnOnce(ConnectionId) -> ToRoom) {
        let Some(document) = self.open.get(&slot) else { return };
        let message = message(document.connection);
        match &document.room {
            Some(room) if !self.is_behind() => match room.try_send(message) {
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(message)) => self.held_back.push_back(Held::Message { slot, message }),
            },
            Some(_) | None => self.held_back.push_back(Held::Message { slot, message }),
        }
    }

    /// Leaves a room.
    pub(super) fn leave(&mut self, slot: Slot) {
        self.tell(slot, |connection| ToRoom::Leave { connection });
        if !self.is_behind() {
            self.open.remove(&slot);
        }
    }

    /// Takes it that the room has closed a document.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.open.remove(&slot);
    }

    /// Leaves all rooms, once they have taken what was told before.
    pub(super) async fn end(mut self) {
        while self.is_behind() {
            if self.deliver().await.is_err() {
                break;
            }
        }
        for document in std::mem::take(&mut self.open).into_values() {
            if let Some(room) = document.room {
                // A room that is gone has nobody to forget.
                let _ = room.send(ToRoom::Leave { connection: document.connection }).await;
            }
        }
    }

    /// Returns whether something is held back.
    pub(super) fn is_behind(&self) -> bool {
        self.delivery.is_some() || !self.held_back.is_empty()
    }

    /// Hands the first of what is held back to its room. Nothing is lost if the future is dropped.
    pub(super) async fn deliver(&mut self) -> Result<(), NotOpened> {
        while self.delivery.is_none() {
            match self.held_back.pop_front() {
                Some(held) => self.delivery = self.delivery_of(held),
                None => return Ok(()),
            }
        }
        let Some(delivery) = &mut self.delivery else { return Ok(()) };
        let delivered = delivery.await;
        self.delivery = None;
        if let Delivered::Joined(slot, room) = delivered {
            let room = room?;
            if let Some(document) = self.open.get_mut(&slot) {
                document.room = Some(room);
            }
        }
        Ok(())
    }

    /// Returns how to hand this over; nothing if nobody is left to take it.
    fn delivery_of(&mut self, held: Held) -> Option<Pin<Box<dyn Future<Output = Delivered> + Send>>> {
        match held {
            Held::Join { slot, key, join } => {
                let epoch = Arc::clone(&self.epoch);
                Some(Box::pin(
                    async move { Delivered::Joined(slot, Registry::join(&epoch, &key, join).await) },
                ))
            }
            Held::Message { slot, message } => {
                let room = self.open.get(&slot)?.room.clone()?;
                if matches!(message, ToRoom::Leave { .. }) {
                    self.open.remove(&slot);
                }
                Some(Box::pin(async move {
                    // A room that has ended says why in the outbox.
                    let _ = room.send(message).await;
                    Delivered::Told
                }))
            }
        }
    }

    /// Returns what to write next, of whichever document has its turn.
    pub(super) fn poll(&self) -> Option<(Slot, Written)> {
        loop {
            let slot = self.ready.next()?;
            if let Some(document) = self.open.get(&slot) {
                return Some((slot, document.outbox.poll()));
            }
        }
    }

    /// Returns what to wait for until [`Documents::poll`] has something.
    pub(super) fn ready(&self) -> Arc<Ready> {
        Arc::clone(&self.ready)
    }
}
