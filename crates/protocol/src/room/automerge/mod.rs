//! One Automerge document and everyone in it.

mod dialogue;
mod peers;
mod programs;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use syncline_core::{
    doc::{AutomergeDocument, Document},
    id::ConnectionId,
    limits::{AUTOMERGE_QUEUE_BYTES_MAX, ROOM_IDLE_MS},
    time::{MonotonicMs, Now},
};

use self::{peers::Peer, programs::Brought};
use super::{
    Effect, Input, LoadError, Loaded, Revision, RoomLimits, Stats, commits::Commits, stored::Stored,
};
use crate::{CloseReason, Request, ledger::MergeOutcome};

/// One Automerge document and everyone in it.
///
/// What peers say while a commit is under way waits for its end. So whatever the document holds when something is said to
/// anyone is durable: the heads that acknowledge a change among it. Then the document takes in all that waited, that is committed, and so on.
#[derive(Debug)]
pub struct AutomergeRoom {
    document: AutomergeDocument,
    commits: Commits,
    stored: Stored,
    peers: BTreeMap<ConnectionId, Peer>,
    /// What has come and nobody has looked at.
    queue: VecDeque<Waiting>,
    queued_bytes: usize,
    idle_at: Option<MonotonicMs>,
    /// Whether the tenant has as much stored as it may.
    storage_full: bool,
    /// Set while the document is of no use and is being read again.
    broken: bool,
    failed: bool,
    effects: VecDeque<Effect>,
    stats: Stats,
}

/// What waits for the end of a commit.
#[derive(Debug)]
enum Waiting {
    /// What a peer has said.
    Said { by: ConnectionId, request: Request },
    /// What a program has brought.
    Brought(Brought),
}

impl Waiting {
    fn bytes(&self) -> usize {
        match self {
            Self::Said { request, .. } => request.bytes(),
            Self::Brought(brought) => brought.update.len(),
        }
    }
}

impl AutomergeRoom {
    /// Loads a room from what the store holds of its document.
    ///
    /// # Errors
    /// [`LoadError`] names what could not be taken up.
    pub fn load(now: Now, loaded: &Loaded, limits: &RoomLimits) -> Result<Self, LoadError> {
        Ok(Self {
            document: AutomergeDocument::load(loaded.snapshot.as_ref(), &loaded.log)?,
            commits: Commits::after(loaded.number()),
            stored: Stored::of(loaded, limits),
            peers: BTreeMap::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            idle_at: Some(now.monotonic.after(ROOM_IDLE_MS)),
            storage_full: false,
            broken: false,
            failed: false,
            effects: VecDeque::new(),
            stats: Stats::default(),
        })
    }

    /// Says whether the tenant has as much stored as it may: then nothing new is taken in.
    pub fn set_storage_full(&mut self, full: bool) {
        self.storage_full = full;
    }

    /// Takes one input and queues its effects.
    pub fn handle(&mut self, now: Now, input: Input) {
        if self.failed {
            return;
        }
        match input {
            Input::Join { connection, guest } => self.join(connection, guest),
            Input::Access { connection, access } => self.access(connection, access),
            Input::Leave { connection } => self.leave(now, connection),
            Input::Request { connection, request: Request::Broadcast { inner } } => {
                self.broadcast(connection, &inner);
            }
            Input::Request { connection, request } => {
                self.queue(Waiting::Said { by: connection, request });
            }
            Input::Resume { connection, since: _ } => self.written(now, connection),
            // Entities are Yjs documents.
            Input::Merge { merge, .. } => {
                let outcome = MergeOutcome::Refused { reason: OTHER_KIND };
                self.effects.push_back(Effect::Merged(merge, outcome));
            }
            Input::Absorb { absorb, credit, update, made_for } => {
                self.queue(Waiting::Brought(Brought { absorb, credit, update, made_for }));
            }
            Input::Read { read, have: _ } => self.read(read),
            Input::Flush => self.flush(now),
            Input::Committed => self.committed(now),
            Input::CommitFailed => {
                self.failed = true;
                self.effects.clear();
            }
            Input::Compacted { snapshot_bytes } => self.stored.compacted(snapshot_bytes),
            Input::Reloaded(loaded) => self.reloaded(now, &loaded),
        }
    }

    fn queue(&mut self, waiting: Waiting) {
        self.queued_bytes += waiting.bytes();
        self.queue.push_back(waiting);
    }

    /// Returns the next effect; the order is the order in which they must happen.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when [`AutomergeRoom::handle_timeout`] wants to be called. It may change with every call of the other methods.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonotonicMs> {
        let waits = self.peers.values().filter_map(Peer::waits_until);
        waits.chain(self.idle_at).min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.failed || self.broken {
            return;
        }
        self.tell_of_absence(now);
        if self.idle_at.is_some_and(|at| at <= now.monotonic) {
            self.idle_at = Some(now.monotonic.after(ROOM_IDLE_MS));
            if self.is_idle() {
                let last = self.stored.rest(self.commits.durable());
                self.effects.push_back(last);
            }
        }
    }

    /// Takes the document as the store holds it.
    fn reloaded(&mut self, now: Now, loaded: &Loaded) {
        match AutomergeDocument::load(loaded.snapshot.as_ref(), &loaded.log) {
            Ok(document) => {
                self.document = document;
                self.broken = false;
                self.flush(now);
            }
            Err(_) => {
                for connection in self.peers.keys().copied().collect::<Vec<_>>() {
                    self.close(now, connection, CloseReason::Internal);
                }
                self.failed = true;
                self.effects.push_back(Effect::Unload);
            }
        }
    }

    /// Gives the document up and has it read from the store again, with the commit under way.
    fn rebuild(&mut self) {
        self.stats.rebuilt += 1;
        self.broken = true;
        self.effects.push_back(Effect::Reload);
    }

    /// Returns whether the shell must hold back everything but the outcome of a commit: too much waits, or the document is
    /// being read again.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.queued_bytes > AUTOMERGE_QUEUE_BYTES_MAX || self.broken
    }

    /// Returns whether nobody is here and everything is stored.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let settled = self.commits.is_settled() && self.queue.is_empty() && !self.broken;
        self.peers.is_empty() && settled && !self.stored.is_compacting()
    }

    /// Estimates what the document holds in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        Document::memory_bytes(&self.document) + self.queued_bytes
    }

    /// Returns the number of connections in the room.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.peers.len()
    }

    /// Returns the length of what is stored of the document, snapshot and log, in bytes.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.stored.bytes()
    }

    /// Names what the document holds now, durable or not.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.commits.revision()
    }

    /// Returns what the room has counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Returns the document, durable or not: only for whoever checks the room from outside.
    #[must_use]
    pub fn document(&self) -> &AutomergeDocument {
        &self.document
    }

    /// Makes the document break, as a panic inside automerge would.
    #[cfg(any(test, feature = "testing"))]
    pub fn break_for_test(&mut self) {
        self.document.break_for_test();
    }
}

/// Why updates of the ledger are refused.
const OTHER_KIND: &str = "other-kind";
