//! Who is in the room, and how far the dialogue with each is.

use std::sync::Arc;

use bytes::Bytes;
use syncline_core::{
    doc::AutomergePeer,
    id::{CommitNumber, ConnectionId},
    limits::ROOM_IDLE_MS,
    time::{MonotonicMs, Now},
};

use super::{AutomergeRoom, Effect};
use crate::{Access, Batch, CloseReason, room::Guest, wire::automerge::Inner};

/// A connection that has joined.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) guest: Guest,
    pub(super) dialogue: AutomergePeer,
    /// Whether it has said anything, so that there is a dialogue.
    pub(super) spoke: bool,
    /// Whether there may be something to say to it.
    pub(super) dirty: bool,
    /// Whether what was last said to it is still being written.
    pub(super) writing: bool,
    pub(super) wants: Wants,
}

/// Whether a peer waits for a document that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Nothing,
    /// It has asked, and was told nothing yet.
    Asked,
    /// Another has announced the document. It is waited for until then.
    Until(MonotonicMs),
    /// It was told that there is no such document.
    Told,
}

impl Peer {
    fn new(guest: Guest) -> Self {
        let reads_only = guest.access != Access::ReadWrite;
        let dialogue = if reads_only { AutomergePeer::new_read_only() } else { AutomergePeer::default() };
        Self { guest, dialogue, spoke: false, dirty: false, writing: false, wants: Wants::Nothing }
    }

    pub(super) fn may_write(&self) -> bool {
        self.guest.access == Access::ReadWrite
    }

    fn may_comment(&self) -> bool {
        match self.guest.access {
            Access::ReadWrite | Access::Comment => true,
            Access::ReadOnly => false,
        }
    }

    pub(super) fn waits_until(&self) -> Option<MonotonicMs> {
        match self.wants {
            Wants::Until(at) => Some(at),
            Wants::Nothing | Wants::Asked | Wants::Told => None,
        }
    }
}

impl AutomergeRoom {
    pub(super) fn join(&mut self, connection: ConnectionId, guest: Guest) {
        self.idle_at = None;
        self.peers.insert(connection, Peer::new(guest));
    }

    pub(super) fn access(&mut self, connection: ConnectionId, access: Access) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        peer.guest.access = access;
        peer.dialogue.set_read_only(access != Access::ReadWrite);
        peer.dirty = peer.spoke;
    }

    pub(super) fn leave(&mut self, now: Now, connection: ConnectionId) {
        if self.peers.remove(&connection).is_some() && self.peers.is_empty() {
            self.idle_at = Some(now.monotonic.after(ROOM_IDLE_MS));
        }
    }

    pub(super) fn close(&mut self, now: Now, connection: ConnectionId, reason: CloseReason) {
        self.leave(now, connection);
        self.effects.push_back(Effect::Close(connection, reason));
    }

    /// Takes it that what was said to a peer has been written.
    pub(super) fn written(&mut self, now: Now, connection: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.writing = false;
            self.answer(now);
        }
    }

    /// Passes a message on to everyone else in the dialogue.
    pub(super) fn broadcast(&mut self, connection: ConnectionId, inner: &Bytes) {
        let Some(author) = self.peers.get(&connection) else { return };
        if !author.may_comment() {
            self.stats.unpermitted += 1;
            return;
        }
        let batch = Batch::new(CommitNumber(0), vec![inner.clone()]);
        for (&to, peer) in &self.peers {
            if to != connection && peer.spoke {
                self.effects.push_back(Effect::Text(to, Arc::clone(&batch)));
            }
        }
    }

    pub(super) fn tell(&mut self, connection: ConnectionId, inner: &Inner) {
        let batch = Batch::new(CommitNumber(0), vec![inner.encode()]);
        self.effects.push_back(Effect::Ask(connection, batch));
    }
}
