//! Who is in the room, and what they were asked.

use std::collections::VecDeque;

use syncline_core::{
    id::{CommitNumber, ConnectionId},
    limits::{GAP_ASK_MS_MIN, QUESTIONS_MAX, ROOM_IDLE_MS},
    time::{MonotonicMs, Now},
};

use super::{Effect, Guest, Room, returning::Returning};
use crate::{Access, Batch, CloseReason, Dialect};

/// A connection that has joined.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) guest: Guest,
    /// Whether it has sent anything.
    spoke: bool,
    /// Questions for what it has and the document lacks that it has not answered yet, oldest first.
    questions: VecDeque<Question>,
    /// When it was last asked because something was missing.
    asked_at: Option<MonotonicMs>,
    /// Updates that its next answer acknowledges: those with a gap, since it holds what they brought, and those from before
    /// an answer that counts.
    owed: u32,
    /// The version of its document up to which it wants to know that all is kept.
    wanted: Option<u64>,
    /// Whether it has sent something that was not taken, and no answer since that was.
    unsaved: bool,
    /// Set while an answer that counts is still to come.
    returning: Option<Returning>,
    /// Whether it was told that it may only read.
    pub(super) told: bool,
}

/// Why a client was asked for what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// The document lacks something.
    Ours,
    /// The client asked, and counts the answer to the question that comes with ours as an update.
    Paired,
}

impl Subscriber {
    fn new(guest: Guest) -> Self {
        let questions = match guest.dialect {
            // It is asked when it joins.
            Dialect::Yjs => VecDeque::from([Question::Ours]),
            Dialect::Hocuspocus | Dialect::Automerge => VecDeque::new(),
        };
        Self {
            guest,
            spoke: false,
            questions,
            asked_at: None,
            owed: 0,
            wanted: None,
            unsaved: false,
            returning: None,
            told: false,
        }
    }

    /// Notes that it sent something. Returns whether that is the first time.
    pub(super) fn speaks(&mut self) -> bool {
        !std::mem::replace(&mut self.spoke, true)
    }

    pub(super) fn may_comment(&self) -> bool {
        match self.guest.access {
            Access::ReadWrite | Access::Comment => true,
            Access::ReadOnly => false,
        }
    }

    pub(super) fn may_write(&self) -> bool {
        self.guest.access == Access::ReadWrite
    }

    /// Notes that it asked, with its state vector. Returns whether to ask in return.
    pub(super) fn is_paired(&mut self, state: &[u8]) -> bool {
        let paired = self.guest.dialect == Dialect::Hocuspocus && self.questions.len() < QUESTIONS_MAX;
        if paired {
            self.questions.push_back(Question::Paired);
            self.returning = Some(Returning::new(state));
        }
        paired
    }

    /// Notes an update with a gap, or one that comes before an answer that counts. Its next answer acknowledges it.
    pub(super) fn owe(&mut self, update: &[u8]) {
        let counts = self.returning.as_ref().is_none_or(|returning| returning.counts(update));
        self.owed = self.owed.saturating_add(counts.into());
    }

    /// Returns whether an answer that counts is still to come.
    pub(super) fn returns(&self) -> bool {
        self.returning.is_some()
    }

    /// Notes that it wants to know when its document is kept up to a version.
    pub(super) fn wants_kept(&mut self, version: u64) {
        self.wanted = self.wanted.max(Some(version));
    }

    /// Notes an update, or an answer, and whether the document holds all of it.
    pub(super) fn took(&mut self, answer: bool, whole: bool) {
        self.unsaved = if answer { !whole } else { self.unsaved || !whole };
    }

    /// Returns the version that it wants to be told of, if the document holds it.
    ///
    /// SUBTLE: a client counts what it has changed while nobody heard it, and sends that with its answer alone. So nothing is kept while
    /// it owes one, be it the first or one that fills a gap. An answer that comes after the client said what it wants was also
    /// made after that, so it holds that version whole.
    pub(super) fn take_kept(&mut self) -> Option<u64> {
        let is_whole = self.questions.is_empty() && self.owed == 0 && !self.unsaved;
        self.wanted.take_if(|_| is_whole)
    }

    /// Notes an answer. Returns how many updates it acknowledges: it was made after everything that was received before
    /// it, and holds whatever of that was missing.
    pub(super) fn answers(&mut self) -> u32 {
        let paired = self.questions.pop_front() == Some(Question::Paired);
        if !self.questions.contains(&Question::Paired) {
            self.returning = None;
        }
        std::mem::take(&mut self.owed).saturating_add(paired.into())
    }
}

impl Room {
    pub(super) fn join(&mut self, connection: ConnectionId, guest: Guest) {
        self.idle_at = None;
        self.presence.join(connection, guest.author.user.as_deref());
        let opening = match guest.dialect {
            Dialect::Yjs => self.step1(self.commits.durable()),
            Dialect::Hocuspocus | Dialect::Automerge => Batch::new(self.commits.durable(), Vec::new()),
        };
        self.subscribers.insert(connection, Subscriber::new(guest));
        self.commits.park(Effect::Resume(connection, opening));
        self.release();
    }

    pub(super) fn access(&mut self, now: Now, connection: ConnectionId, access: Access) {
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        subscriber.guest.access = access;
        // What it wrote before it might is still in its document.
        if subscriber.unsaved && subscriber.may_write() && subscriber.guest.dialect == Dialect::Yjs {
            self.ask(now, connection);
        }
    }

    pub(super) fn leave(&mut self, now: Now, connection: ConnectionId) {
        let Some(subscriber) = self.subscribers.remove(&connection) else { return };
        self.presence.leave(now.monotonic, connection);
        self.syncs.retain(|wanting| wanting.connection != connection);
        self.greeted.retain(|greeted| *greeted != connection);
        if let Some(at) = subscriber.asked_at {
            self.asks.remove(&(at.after(GAP_ASK_MS_MIN), connection));
        }
        if self.subscribers.is_empty() {
            self.idle_at = Some(now.monotonic.after(ROOM_IDLE_MS));
        }
    }

    pub(super) fn close(&mut self, now: Now, connection: ConnectionId, reason: CloseReason) {
        self.leave(now, connection);
        self.effects.push_back(Effect::Close(connection, reason));
    }

    /// Asks a connection for what it has and the document lacks, unless its answer to another question is still to come,
    /// and at most once in [`GAP_ASK_MS_MIN`].
    pub(super) fn ask(&mut self, now: Now, connection: ConnectionId) {
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        if !subscriber.questions.is_empty() {
            return;
        }
        let earliest = subscriber.asked_at.map(|at| at.after(GAP_ASK_MS_MIN));
        if let Some(at) = earliest.filter(|at| *at > now.monotonic) {
            self.asks.insert((at, connection));
            return;
        }
        subscriber.asked_at = Some(now.monotonic);
        subscriber.questions.push_back(Question::Ours);
        self.commits.park(Effect::Ask(connection, self.step1(CommitNumber(0))));
        self.release();
    }
}
