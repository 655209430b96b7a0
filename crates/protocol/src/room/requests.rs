//! From a connection's input to what the room makes of it.

use bytes::Bytes;
use syncline_core::{
    doc::ApplyError,
    guard::scan_awareness,
    id::{CommitNumber, ConnectionId},
    limits::{DOCUMENT_BYTES_MAX, GAP_ASK_MS_MIN, ROOM_IDLE_MS},
    log::{Author, LogEntry},
    time::Now,
};

use super::{Effect, Room, commits::Integrated, machine::Subscriber};
use crate::{CloseReason, Request, wire::yjs};

impl Room {
    pub(super) fn join(&mut self, connection: ConnectionId, author: Author) {
        self.idle_at = None;
        self.presence.join(connection);
        let subscriber = Subscriber { author, spoke: false, asked_at: None, asked: true };
        self.subscribers.insert(connection, subscriber);
        let opening = self.step1(self.commits.durable());
        self.commits.park(Effect::Resume(connection, opening));
        self.release();
    }

    pub(super) fn leave(&mut self, now: Now, connection: ConnectionId) {
        let Some(subscriber) = self.subscribers.remove(&connection) else { return };
        self.presence.leave(now.monotonic, connection);
        self.syncs.retain(|(from, _)| *from != connection);
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

    pub(super) fn request(&mut self, now: Now, connection: ConnectionId, request: Request) {
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        if !std::mem::replace(&mut subscriber.spoke, true) {
            self.greeted.push(connection);
        }
        match request {
            Request::Sync { state } => self.syncs.push((connection, state)),
            Request::Update { update, answer } => self.update(now, connection, &update, answer),
            Request::Presence { entries } => self.presence(now, connection, &entries),
            Request::QueryPresence => self.greeted.push(connection),
        }
    }

    fn update(&mut self, now: Now, connection: ConnectionId, update: &Bytes, answer: bool) {
        if self.stored.bytes() + update.len() > 2 * DOCUMENT_BYTES_MAX {
            self.stats.refused += 1;
            return self.close(now, connection, CloseReason::TooLarge);
        }
        let applied = match self.document.apply(update) {
            Ok(applied) => applied,
            Err(error) => return self.refuse(now, connection, error),
        };
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        subscriber.asked &= !answer;
        self.stats.cut += applied.known;
        let repeats = applied.update.is_none() || applied.known > 0;
        if let Some(update) = applied.update {
            let author = subscriber.author.clone();
            let entry = LogEntry { author, connection, at: now.wall, update };
            self.commits.gather(Integrated { entry, before: applied.before });
        } else if !applied.gap {
            self.stats.duplicates += 1;
        }
        if repeats && !applied.gap && !answer {
            self.acknowledge_again(connection, update);
        }
        if applied.gap {
            self.stats.gaps += 1;
            // What an answer rests on, its sender does not have either: asking again would not help.
            if !answer {
                self.ask(now, connection);
            }
        }
    }

    /// Sends an update back to its author alone: what was new in it goes to everyone, but the author may be waiting for the
    /// rest too, which others brought first.
    fn acknowledge_again(&mut self, connection: ConnectionId, update: &Bytes) {
        let batch = self.note(vec![yjs::update(update)]);
        self.commits.park(Effect::Note(connection, batch));
        self.release();
    }

    fn refuse(&mut self, now: Now, connection: ConnectionId, error: ApplyError) {
        self.stats.refused += 1;
        self.close(now, connection, CloseReason::BadUpdate(error.reason()));
        if error == ApplyError::Broken {
            self.rebuild();
        }
    }

    /// Asks a connection for what it has and the document lacks, unless it was asked and has not answered, and at most
    /// once in [`GAP_ASK_MS_MIN`].
    pub(super) fn ask(&mut self, now: Now, connection: ConnectionId) {
        let Some(subscriber) = self.subscribers.get_mut(&connection).filter(|subscriber| !subscriber.asked)
        else {
            return;
        };
        let earliest = subscriber.asked_at.map(|at| at.after(GAP_ASK_MS_MIN));
        if let Some(at) = earliest.filter(|at| *at > now.monotonic) {
            self.asks.insert((at, connection));
            return;
        }
        subscriber.asked_at = Some(now.monotonic);
        subscriber.asked = true;
        self.commits.park(Effect::Note(connection, self.step1(CommitNumber(0))));
        self.release();
    }

    fn presence(&mut self, now: Now, connection: ConnectionId, entries: &[u8]) {
        let entries = match scan_awareness(entries) {
            Ok(entries) => entries,
            Err(malformed) => {
                return self.close(now, connection, CloseReason::Malformed(malformed.reason()));
            }
        };
        for entry in &entries {
            if let Some(revive) = self.presence.apply(now.monotonic, connection, entry) {
                let batch = self.note(vec![yjs::presence(&revive.encode())]);
                self.effects.push_back(Effect::Note(connection, batch));
            }
        }
    }
}
