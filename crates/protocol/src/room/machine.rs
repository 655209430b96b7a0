//! The machine itself: from an input to its effects.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use syncline_core::{
    doc::YjsDocument,
    id::{ClientId, CommitNumber, ConnectionId},
    limits::ROOM_IDLE_MS,
    log::Former,
    person::Person,
    time::{MonotonicMs, Now},
};

use super::{
    Effect, Input, LoadError, Loaded, Revision, RoomLimits, Stats, commits::Commits, guests::Subscriber,
    recent::Recent, requests::Wanting, stored::Stored,
};
use crate::{Batch, Frame, presence::Presence, wire::yjs};

/// One document and everyone in it.
///
/// An update goes through in this order: the document takes it in, or refuses it; it is gathered; [`Input::Flush`] hands
/// the gathered updates to the store as one commit; [`Input::Committed`] sends them to everyone, their senders included,
/// which is the acknowledgement. Whatever else rests on the document waits for the same commit.
#[derive(Debug)]
pub struct Room {
    pub(super) document: YjsDocument,
    pub(super) commits: Commits,
    pub(super) recent: Recent,
    pub(super) presence: Presence,
    pub(super) subscribers: BTreeMap<ConnectionId, Subscriber>,
    /// Requests for what a client lacks, answered together when the tick ends.
    pub(super) syncs: Vec<Wanting>,
    /// Connections that sent their first request in this tick and have to be shown who is here.
    pub(super) greeted: Vec<ConnectionId>,
    /// Connections to ask for what their updates rest on, by when.
    pub(super) asks: BTreeSet<(MonotonicMs, ConnectionId)>,
    pub(super) stored: Stored,
    /// Who has written in deleted documents of the name.
    pub(super) former: BTreeSet<ClientId>,
    /// Whether nothing more is to be stored for the tenant.
    pub(super) storage_full: bool,
    pub(super) idle_at: Option<MonotonicMs>,
    /// Inputs that came while the document was being read again.
    pub(super) deferred: Option<Vec<Input>>,
    pub(super) failed: bool,
    pub(super) effects: VecDeque<Effect>,
    pub(super) stats: Stats,
}

impl Room {
    /// Loads a room from what the store holds of its document.
    ///
    /// # Errors
    /// [`LoadError`] names what could not be taken up.
    pub fn load(now: Now, loaded: &Loaded) -> Result<Self, LoadError> {
        Self::load_with(now, loaded, &RoomLimits::default())
    }

    /// Loads a room that keeps to other limits than the usual ones; see [`Room::load`].
    ///
    /// # Errors
    /// [`LoadError`] names what could not be taken up.
    pub fn load_with(now: Now, loaded: &Loaded, limits: &RoomLimits) -> Result<Self, LoadError> {
        let number = loaded.number();
        Ok(Self {
            document: YjsDocument::load(loaded.snapshot.as_ref(), &loaded.log)?,
            commits: Commits::after(number),
            recent: Recent::after(number, limits),
            presence: Presence::default(),
            subscribers: BTreeMap::new(),
            syncs: Vec::new(),
            greeted: Vec::new(),
            asks: BTreeSet::new(),
            stored: Stored::of(loaded, limits),
            former: BTreeSet::new(),
            storage_full: false,
            idle_at: Some(now.monotonic.after(ROOM_IDLE_MS)),
            deferred: None,
            failed: false,
            effects: VecDeque::new(),
            stats: Stats::default(),
        })
    }

    /// Says whether the tenant has as much stored as it may. While that is so the document takes in nothing new.
    pub fn set_storage_full(&mut self, full: bool) {
        self.storage_full = full;
    }

    /// Says who has written in documents of the name that were deleted: nothing that they have made is taken in.
    pub fn set_former(&mut self, clients: BTreeSet<ClientId>) {
        self.former = clients;
    }

    /// Takes one input and queues its effects.
    pub fn handle(&mut self, now: Now, input: Input) {
        if self.failed {
            return;
        }
        match input {
            Input::Committed => self.committed(),
            Input::CommitFailed => self.fail(),
            Input::Reloaded(loaded) => self.reloaded(now, &loaded),
            Input::Compacted { snapshot_bytes } => self.stored.compacted(snapshot_bytes),
            other => match &mut self.deferred {
                Some(deferred) => deferred.push(other),
                None => self.handle_live(now, other),
            },
        }
    }

    fn handle_live(&mut self, now: Now, input: Input) {
        match input {
            Input::Join { connection, guest } => self.join(connection, guest),
            Input::Access { connection, access } => self.access(now, connection, access),
            Input::Leave { connection } => self.leave(now, connection),
            Input::Request { connection, request } => self.request(now, connection, request),
            Input::Resume { connection, since } => self.resume(now, connection, since),
            Input::Merge { merge, author, update } => self.merge(now, merge, author, &update),
            Input::Absorb { absorb, credit, update, made_for } => {
                self.absorb(now, absorb, credit, &update, made_for);
            }
            Input::Read { read, have } => self.read(read, have.as_deref()),
            Input::Flush => self.flush(now),
            Input::Committed | Input::CommitFailed | Input::Reloaded(_) | Input::Compacted { .. } => {}
        }
    }

    /// Returns the next effect; the order is the order in which they must happen.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when [`Room::handle_timeout`] wants to be called. It may change with every call of the other methods.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonotonicMs> {
        let ask = self.asks.first().map(|(at, _)| *at);
        [self.presence.poll_timeout(), ask, self.idle_at].into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.failed || self.deferred.is_some() {
            return;
        }
        if let Some(entries) = self.presence.tick(now.monotonic) {
            self.effects.push_back(Effect::Publish(self.note(vec![yjs::presence(&entries)])));
        }
        while let Some((at, connection)) = self.asks.first().copied().filter(|(at, _)| *at <= now.monotonic) {
            self.asks.remove(&(at, connection));
            self.ask(now, connection);
        }
        if self.idle_at.is_some_and(|at| at <= now.monotonic) {
            self.idle_at = Some(now.monotonic.after(ROOM_IDLE_MS));
            if self.is_idle() {
                let last = self.stored.rest(self.commits.durable());
                self.effects.push_back(last);
            }
        }
    }

    /// Wraps frames that rest on no commit. They do not bring their receiver further than it was.
    pub(super) fn note(&self, frames: Vec<Frame>) -> Arc<Batch> {
        Batch::new(CommitNumber(0), frames)
    }

    /// Queues every parked effect that rests on durable commits only.
    pub(super) fn release(&mut self) {
        while let Some(effect) = self.commits.release() {
            self.effects.push_back(effect);
        }
    }

    /// Queues every effect that was parked behind commits that have been published.
    pub(super) fn release_behind(&mut self) {
        while let Some(effect) = self.commits.release_behind() {
            self.effects.push_back(effect);
        }
    }

    /// Returns whether the shell must hold back everything but the outcome of a commit: too much is gathered, or the
    /// document is being read again.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.commits.is_full() || self.deferred.is_some()
    }

    /// Returns whether the room has no subscribers and everything is stored.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.subscribers.is_empty() && self.commits.is_settled() && !self.stored.is_compacting()
    }

    /// Estimates what the document holds in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.document.memory_bytes()
    }

    /// Returns the number of connections in the room.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.subscribers.len()
    }

    /// Returns the length of what is stored of the document, snapshot and log, in bytes.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.stored.bytes()
    }

    /// Returns the people who say who they are, one for each client, at most `max`. It decodes every state it looks at,
    /// so ask only when [`Room::presence_changes`] has grown.
    #[must_use]
    pub fn people(&self, max: usize) -> Vec<Person> {
        self.presence.people(max)
    }

    /// Returns how often anyone's presence has changed since the room was loaded.
    #[must_use]
    pub fn presence_changes(&self) -> u64 {
        self.presence.changes()
    }

    /// Returns who has written in the document, and in deleted ones of the name.
    #[must_use]
    pub fn former(&self) -> Former {
        Former::Clients(self.former.union(&self.document.writers()).copied().collect())
    }

    /// Names what the document holds now, durable or not.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.commits.revision()
    }

    /// Returns what the room has counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { presence_dropped: self.presence.dropped(), ..self.stats }
    }

    /// Returns the document, durable or not: only for whoever checks the room from outside.
    #[must_use]
    pub fn document(&self) -> &YjsDocument {
        &self.document
    }

    /// Makes the document break, as a panic inside yrs would.
    #[cfg(any(test, feature = "testing"))]
    pub fn break_for_test(&mut self) {
        self.document.break_for_test();
    }
}
