//! One connection: it parses what comes in, knows which documents are open on it, and keeps the line alive.

mod automerge;
mod hocuspocus;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use syncline_core::{
    id::{CommitNumber, RoomName},
    limits::{KEEPALIVE_MS, KEPT_WAIT_MS},
    time::MonotonicMs,
};

use self::{automerge::Automerge, hocuspocus::Hocuspocus};
use crate::{
    Access, Batch, CloseReason, Dialect, Frame, Request,
    wire::{self, yjs},
};

/// Names a document that a connection has open, or wants to. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u64);

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Find out what the bearer of a token may do in a room, and say so with [`Session::authorized`].
    Authorize {
        /// The document.
        slot: Slot,
        /// Its room.
        room: RoomName,
        /// What the client brought; it may be empty.
        token: Bytes,
    },
    /// Find out what whoever opened the connection may do in a room, and say so with [`Session::authorized`]. What the client has
    /// asked for waits until then.
    Admit {
        /// The document.
        slot: Slot,
        /// Its room.
        room: RoomName,
    },
    /// Join the room. What the room says to this slot goes through [`Session::dress`].
    Open {
        /// The document.
        slot: Slot,
        /// Its room.
        room: RoomName,
        /// What the client may do there.
        access: Access,
    },
    /// Tell the room that the client may do something else from now on.
    Access {
        /// The document.
        slot: Slot,
        /// What the client may do from now on.
        access: Access,
    },
    /// Tell the room what the client asks.
    Request {
        /// The document.
        slot: Slot,
        /// What it asks.
        request: Request,
    },
    /// Leave the room; nothing more from it is written.
    Leave {
        /// The document.
        slot: Slot,
    },
    /// Write this.
    Write(Frame),
    /// Close the connection.
    Close(CloseReason),
}

/// The machine of one connection.
///
/// It parses frames into [`Action`]s: whoever drives it passes requests on to rooms in the order in which they came.
#[derive(Debug)]
pub struct Session {
    speaks: Speaks,
    actions: VecDeque<Action>,
    /// When something was last written to the client.
    wrote_at: MonotonicMs,
    /// Whether the client has asked since then what of its document is kept.
    asks_kept: bool,
}

#[derive(Debug)]
enum Speaks {
    /// One document, which the URL named.
    Yjs(Slot),
    Hocuspocus(Box<Hocuspocus>),
    Automerge(Box<Automerge>),
}

impl Session {
    /// Starts a session that was opened at `now` for one document.
    #[must_use]
    pub fn yjs(now: MonotonicMs, room: RoomName, access: Access) -> Self {
        let slot = Slot(0);
        let open = Action::Open { slot, room, access };
        Self { actions: VecDeque::from([open]), ..Self::new(Speaks::Yjs(slot), now) }
    }

    /// Starts a session that was opened at `now` for as many documents as the client names. With `asks_token` none of
    /// them is opened before a token was found good.
    #[must_use]
    pub fn hocuspocus(now: MonotonicMs, asks_token: bool) -> Self {
        Self::new(Speaks::Hocuspocus(Box::new(Hocuspocus::new(now, asks_token))), now)
    }

    /// Starts a session that was opened at `now` for as many Automerge documents as the client names. `server` is what the
    /// server calls itself.
    #[must_use]
    pub fn automerge(now: MonotonicMs, server: Arc<str>) -> Self {
        Self::new(Speaks::Automerge(Box::new(Automerge::new(now, server))), now)
    }

    fn new(speaks: Speaks, now: MonotonicMs) -> Self {
        Self { speaks, actions: VecDeque::new(), wrote_at: now, asks_kept: false }
    }

    /// Takes one binary frame. Unknown kinds of messages are left out.
    pub fn receive(&mut self, frame: &Bytes) {
        let taken = match &mut self.speaks {
            Speaks::Yjs(slot) => yjs::decode(frame).map_err(|malformed| malformed.reason()).map(|requests| {
                let slot = *slot;
                let asks_kept = |request: &Request| matches!(request, Request::SyncStatus { .. });
                self.asks_kept |= requests.iter().any(asks_kept);
                self.actions.extend(requests.into_iter().map(|request| Action::Request { slot, request }));
            }),
            Speaks::Hocuspocus(hocuspocus) => wire::hocuspocus::decode(frame)
                .map_err(|malformed| malformed.reason())
                .map(|incoming| hocuspocus.receive(incoming, &mut self.actions)),
            Speaks::Automerge(automerge) => wire::automerge::decode(frame)
                .map_err(wire::automerge::FrameError::reason)
                .map(|incoming| automerge.receive(incoming, &mut self.actions)),
        };
        if let Err(reason) = taken {
            self.actions.push_back(Action::Close(CloseReason::Malformed(reason)));
        }
    }

    /// Says what the bearer of a token may do; nothing if it may not open the document. An answer for a slot that was
    /// closed meanwhile changes nothing.
    pub fn authorized(&mut self, slot: Slot, access: Option<Access>) {
        match &mut self.speaks {
            Speaks::Yjs(_) => self.actions.push_back(match access {
                Some(access) => Action::Access { slot, access },
                None => Action::Close(CloseReason::Forbidden),
            }),
            Speaks::Hocuspocus(hocuspocus) => hocuspocus.authorized(slot, access, &mut self.actions),
            Speaks::Automerge(automerge) => automerge.authorized(slot, access, &mut self.actions),
        }
    }

    /// Takes it that the client may not use a document any more: what it showed is good no longer, it may do nothing with it, or nobody
    /// says what it may. Another token opens it again, where the dialect knows how to send one; an
    /// Automerge client asks again when it has something to say.
    pub fn withdrawn(&mut self, slot: Slot, reason: CloseReason) {
        match &mut self.speaks {
            Speaks::Yjs(_) => self.actions.push_back(Action::Close(reason)),
            Speaks::Hocuspocus(hocuspocus) => hocuspocus.withdrawn(slot, reason, &mut self.actions),
            Speaks::Automerge(automerge) => automerge.withdrawn(slot, reason, &mut self.actions),
        }
    }

    /// Takes it that the room has closed a document for this connection.
    pub fn closed(&mut self, slot: Slot, reason: CloseReason) {
        match &mut self.speaks {
            Speaks::Yjs(_) => self.actions.push_back(Action::Close(reason)),
            Speaks::Hocuspocus(hocuspocus) => hocuspocus.closed(slot, reason, &mut self.actions),
            Speaks::Automerge(automerge) => automerge.closed(slot, reason, &mut self.actions),
        }
    }

    /// Notes that something was written to the client at `now`.
    pub fn wrote(&mut self, now: MonotonicMs) {
        self.wrote_at = now;
        self.asks_kept = false;
    }

    /// Does what is due at `now`: keeps the line alive, or gives it up.
    pub fn handle_timeout(&mut self, now: MonotonicMs) {
        if self.gives_up_at().is_some_and(|at| at <= now) {
            self.actions.push_back(Action::Close(CloseReason::Unauthorized));
        }
        if now >= self.keepalive_at() {
            self.wrote(now);
            self.actions.extend(self.keepalive().map(Action::Write));
        }
    }

    /// Returns what to do next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Returns when [`Session::handle_timeout`] wants to be called next. It changes with every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> MonotonicMs {
        let keepalive = self.keepalive_at();
        self.gives_up_at().map_or(keepalive, |at| at.min(keepalive))
    }

    fn keepalive_at(&self) -> MonotonicMs {
        self.wrote_at.after(if self.asks_kept { KEPT_WAIT_MS } else { KEEPALIVE_MS })
    }

    /// Returns what the connection speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.speaks {
            Speaks::Yjs(_) => Dialect::Yjs,
            Speaks::Hocuspocus(_) => Dialect::Hocuspocus,
            Speaks::Automerge(_) => Dialect::Automerge,
        }
    }

    /// Returns what a room says of a document in the bytes for this connection; nothing if the document is not open.
    #[must_use]
    pub fn dress(&self, slot: Slot, batch: Arc<Batch>) -> Option<Arc<Batch>> {
        match &self.speaks {
            Speaks::Yjs(own) => (slot == *own).then_some(batch),
            Speaks::Hocuspocus(hocuspocus) => Some(batch.addressed(hocuspocus.address(slot)?)),
            Speaks::Automerge(automerge) => automerge.dress(slot, &batch),
        }
    }

    /// Returns the message that tells the client `updates` times that an update is durable; nothing if the document is not
    /// open, or the dialect knows no such message.
    #[must_use]
    pub fn acknowledge(&self, slot: Slot, updates: u32) -> Option<Arc<Batch>> {
        let Speaks::Hocuspocus(hocuspocus) = &self.speaks else { return None };
        let address = hocuspocus.address(slot)?;
        let frame = wire::hocuspocus::addressed(address, &wire::hocuspocus::sync_status(true));
        Some(Batch::new(CommitNumber(0), vec![frame; updates as usize]))
    }

    /// Returns the message that tells the client that its document is kept up to a version; nothing if the dialect knows no such
    /// message.
    #[must_use]
    pub fn kept(&self, slot: Slot, version: u64) -> Option<Arc<Batch>> {
        let Speaks::Yjs(own) = &self.speaks else { return None };
        (slot == *own).then(|| Batch::new(CommitNumber(0), vec![yjs::sync_status(version)]))
    }

    /// Returns a sign of life.
    fn keepalive(&self) -> Option<Frame> {
        match &self.speaks {
            Speaks::Yjs(_) => Some(yjs::empty_presence()),
            Speaks::Hocuspocus(hocuspocus) => hocuspocus.keepalive(),
            // Its clients wait for nothing.
            Speaks::Automerge(_) => None,
        }
    }

    /// Returns when the connection is given up unless its client does what it must do first.
    fn gives_up_at(&self) -> Option<MonotonicMs> {
        match &self.speaks {
            Speaks::Yjs(_) => None,
            Speaks::Hocuspocus(hocuspocus) => hocuspocus.gives_up_at(),
            Speaks::Automerge(automerge) => automerge.gives_up_at(),
        }
    }
}
