//! From a connection's input to what the room makes of it.

use std::sync::Arc;

use bytes::Bytes;
use syncline_core::{
    doc::{ApplyError, DiffError},
    guard::{AwarenessEntry, scan_awareness, scan_update},
    id::ConnectionId,
    limits::{PRESENCE_STATE_BYTES_MAX, STATELESS_BYTES_MAX},
    log::LogEntry,
    person,
    time::Now,
};

use super::{Effect, Room, commits::Integrated, guests::Subscriber};
use crate::{
    CloseReason, Dialect, Frame, Request,
    wire::{hocuspocus, yjs},
};

/// Said once to a client that writes although it may not.
const READ_ONLY: &str = "read-only";

/// Someone who wants to know what it lacks.
#[derive(Debug)]
pub(super) struct Wanting {
    pub(super) connection: ConnectionId,
    /// Its state vector.
    pub(super) state: Bytes,
    /// Whether to ask it in return.
    pub(super) pairs: bool,
}

impl Room {
    pub(super) fn request(&mut self, now: Now, connection: ConnectionId, request: Request) {
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        if subscriber.speaks() {
            self.greeted.push(connection);
        }
        match request {
            Request::Sync { state } => {
                let pairs = subscriber.is_paired(&state);
                self.syncs.push(Wanting { connection, state, pairs });
            }
            Request::Update { update, answer } if subscriber.may_write() => {
                self.update(now, connection, &update, answer);
            }
            Request::Update { update, answer } => self.read_only_update(now, connection, &update, answer),
            Request::Stateless { payload } => self.stateless(now, connection, &payload),
            Request::Presence { .. } if !subscriber.may_comment() => self.stats.unpermitted += 1,
            Request::Presence { entries } => self.presence(now, connection, &entries),
            Request::QueryPresence => self.greeted.push(connection),
            Request::SyncStatus { version } => self.sync_status(connection, version),
            // Only who speaks of another kind of document says such.
            Request::Dialogue { .. } | Request::Broadcast { .. } => self.stats.unpermitted += 1,
        }
    }

    fn update(&mut self, now: Now, connection: ConnectionId, update: &Bytes, answer: bool) {
        if let Some(over) = self.over_quota(update) {
            self.stats.refused += 1;
            return self.close(now, connection, CloseReason::OverQuota(over.setting()));
        }
        if self.is_former(update) {
            self.stats.refused += 1;
            return self.close(now, connection, CloseReason::Deleted);
        }
        let applied = match self.document.apply(update) {
            Ok(applied) => applied,
            Err(error) => return self.refuse(now, connection, error),
        };
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        subscriber.took(answer, true);
        let acknowledged = match (answer, applied.gap) {
            (true, _) => subscriber.answers(),
            (false, gap) if gap || subscriber.returns() => {
                subscriber.owe(update);
                0
            }
            (false, _) => 1,
        };
        let dialect = subscriber.guest.dialect;
        self.stats.cut += applied.known;
        let repeats = applied.update.is_none() || applied.known > 0;
        if let Some(update) = applied.update {
            let author = subscriber.guest.author.clone();
            let entry = LogEntry { author, connection, at: now.wall, update, origins: None };
            self.commits.gather(Integrated { entry, before: applied.before, merge: None });
        } else if !applied.gap {
            self.stats.duplicates += 1;
        }
        match dialect {
            Dialect::Hocuspocus => self.acknowledge(connection, acknowledged),
            Dialect::Yjs if repeats && !applied.gap && !answer => self.acknowledge_again(connection, update),
            Dialect::Yjs | Dialect::Automerge => {}
        }
        if applied.gap {
            self.stats.gaps += 1;
            // What an answer rests on, its sender does not have either: asking again would not help.
            if !answer {
                self.ask(now, connection);
            }
        }
        self.tell_kept(connection);
    }

    /// Returns whether an update brings anything of a document of the name that was deleted. Who sends it has that document, and
    /// whatever else they send may rest on it.
    pub(super) fn is_former(&self, update: &[u8]) -> bool {
        // What is malformed is refused when it is applied.
        !self.former.is_empty() && scan_update(update).is_ok_and(|scanned| scanned.is_by_any_of(&self.former))
    }

    /// Tells a connection, when everything that the document holds now is durable, that so many of its updates are.
    fn acknowledge(&mut self, connection: ConnectionId, updates: u32) {
        if updates > 0 {
            self.commits.park(Effect::Acknowledge(connection, updates));
            self.release();
        }
    }

    /// Takes nothing from a connection that may only read, but tells it what of its content is stored.
    fn read_only_update(&mut self, now: Now, connection: ConnectionId, update: &Bytes, answer: bool) {
        let contained = match self.document.contains(update) {
            Ok(contained) => contained,
            Err(DiffError::Malformed(malformed)) => {
                self.stats.refused += 1;
                return self.close(now, connection, CloseReason::BadUpdate(malformed.reason()));
            }
            Err(_broken) => {
                self.close(now, connection, CloseReason::Internal);
                return self.rebuild();
            }
        };
        let Some(subscriber) = self.subscribers.get_mut(&connection) else { return };
        subscriber.took(answer, contained);
        let answered = if answer { subscriber.answers() } else { 1 };
        self.stats.unpermitted += u64::from(!contained);
        match subscriber.guest.dialect {
            Dialect::Hocuspocus if contained => self.acknowledge(connection, answered),
            Dialect::Hocuspocus => self.tell(connection, hocuspocus::sync_status(false)),
            Dialect::Yjs if !contained && !std::mem::replace(&mut subscriber.told, true) => {
                self.tell(connection, yjs::denied(READ_ONLY));
            }
            Dialect::Yjs | Dialect::Automerge => {}
        }
        self.tell_kept(connection);
    }

    /// Has a connection told, when everything that it has sent until now is durable, that its document is kept up to this version.
    fn sync_status(&mut self, connection: ConnectionId, version: u64) {
        if let Some(subscriber) = self.subscribers.get_mut(&connection) {
            subscriber.wants_kept(version);
            self.tell_kept(connection);
        }
    }

    fn tell_kept(&mut self, connection: ConnectionId) {
        let kept = self.subscribers.get_mut(&connection).and_then(Subscriber::take_kept);
        if let Some(version) = kept {
            self.commits.park(Effect::Kept(connection, version));
            self.release();
        }
    }

    /// Passes a text on to everyone else who speaks a dialect that knows such, after all that was received before it.
    fn stateless(&mut self, now: Now, connection: ConnectionId, payload: &Bytes) {
        if payload.len() > STATELESS_BYTES_MAX {
            return self.close(now, connection, CloseReason::TooLarge);
        }
        if self.subscribers.get(&connection).is_some_and(|subscriber| !subscriber.may_comment()) {
            self.stats.unpermitted += 1;
            return;
        }
        // It was proved to be text when the frame was parsed.
        let payload = std::str::from_utf8(payload).unwrap_or_default();
        let batch = self.note(vec![hocuspocus::stateless(payload)]);
        for (&to, other) in &self.subscribers {
            if to != connection && other.guest.dialect == Dialect::Hocuspocus {
                self.commits.park_behind(Effect::Text(to, Arc::clone(&batch)));
            }
        }
        self.release();
        self.release_behind();
    }

    fn tell(&mut self, connection: ConnectionId, frame: Frame) {
        let batch = self.note(vec![frame]);
        self.effects.push_back(Effect::Note(connection, batch));
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

    fn presence(&mut self, now: Now, connection: ConnectionId, entries: &[u8]) {
        let entries = match scan_awareness(entries) {
            Ok(entries) => entries,
            Err(malformed) => {
                return self.close(now, connection, CloseReason::Malformed(malformed.reason()));
            }
        };
        let user =
            self.subscribers.get(&connection).and_then(|subscriber| subscriber.guest.author.user.clone());
        for entry in &entries {
            // One that is too long is dropped, whatever it says.
            let state = entry.state.filter(|state| state.len() <= PRESENCE_STATE_BYTES_MAX);
            let named = state.zip(user.as_deref()).and_then(|(state, user)| person::with_name(state, user));
            let entry = AwarenessEntry { state: named.as_deref().or(entry.state), ..*entry };
            if let Some(revive) = self.presence.apply(now.monotonic, connection, &entry) {
                self.tell(connection, yjs::presence(&revive.encode()));
            }
        }
    }
}
