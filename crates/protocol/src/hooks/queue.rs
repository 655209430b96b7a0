//! What waits of one name for one hook.

use std::collections::BTreeMap;

use syncline_core::{
    hook::{HookEvent, HookMark, HookMarkId},
    id::DocumentId,
    time::{MonotonicMs, WallMs},
};

/// How long a document that changes is left to become quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debounce {
    /// Time without a change after which it is told, in milliseconds.
    pub quiet_ms: u64,
    /// Time since the first change after which it is told in any case, in milliseconds.
    pub longest_ms: u64,
}

impl Debounce {
    /// It is told at once.
    pub(super) const NONE: Self = Self { quiet_ms: 0, longest_ms: 0 };
}

/// How a mark came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It has just become durable.
    Noted,
    /// It was read from the store.
    Loaded,
    /// It was a dead letter, which an operator wants told again.
    Retried,
}

/// What waits of all documents of one name, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Turn, Waiting>,
    /// What a request is under way about.
    sending: Option<HookMarkId>,
    not_before: MonotonicMs,
}

/// Where a mark stands among those of its name. A name means one document at a time, so those that were deleted come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Ended(WallMs, DocumentId),
    Alive(DocumentId, HookEvent),
}

#[derive(Debug)]
struct Waiting {
    mark: HookMark,
    first: MonotonicMs,
    due: MonotonicMs,
    /// Whether it may be in the store behind the next commit of its document, too. One that a room has put goes with that; one that was put
    /// by whoever owns the queue may have come later than the batch of that commit.
    stays: bool,
}

impl Queue {
    /// Has a mark wait, in place of an older one of the same event. Returns which are told no more, and may be in the store still.
    pub(super) fn note(
        &mut self,
        now: MonotonicMs,
        mark: HookMark,
        debounce: Debounce,
        came: Came,
    ) -> Vec<HookMarkId> {
        let HookMarkId { document, event, .. } = mark.id;
        match event {
            // They come once, so there is nothing to wait for.
            HookEvent::Created => self.put(now, mark, Debounce::NONE, came).into_iter().collect(),
            HookEvent::Changed => self.put(now, mark, debounce, came).into_iter().collect(),
            HookEvent::Deleted => {
                let gone = self.gone(document);
                self.put(now, mark, Debounce::NONE, came);
                gone
            }
        }
    }

    fn put(
        &mut self,
        now: MonotonicMs,
        mut mark: HookMark,
        Debounce { quiet_ms, longest_ms }: Debounce,
        came: Came,
    ) -> Option<HookMarkId> {
        let (id, turn) = (mark.id, Turn::of(&mark));
        let known = self.waiting.get(&turn);
        match known.map(|known| known.mark.id) {
            Some(known) if known.commit == id.commit => return None,
            Some(known) if known.commit > id.commit => return Some(id),
            _ => {}
        }
        // What is being told does not count: this is another change.
        let begun = known.filter(|known| self.sending != Some(known.mark.id));
        let first = begun.map_or(now, |known| known.first);
        let due = now.after(quiet_ms).min(first.after(longest_ms));
        mark.attempts = mark.attempts.max(known.map_or(0, |known| known.mark.attempts));
        let is_removed =
            |known: &&Waiting| !known.stays && known.mark.id.commit.0.saturating_add(1) == id.commit.0;
        let left = known.filter(|known| !is_removed(known)).map(|known| known.mark.id);
        self.waiting.insert(turn, Waiting { mark, first, due, stays: came != Came::Noted });
        left
    }

    /// Begins to tell what is due, which the caller has made sure of.
    pub(super) fn send(&mut self) -> Option<HookMark> {
        let (_, waiting) = self.waiting.first_key_value().filter(|_| self.sending.is_none())?;
        self.sending = Some(waiting.mark.id);
        Some(waiting.mark.clone())
    }

    pub(super) fn taken(&mut self, id: &HookMarkId) {
        (self.sending, self.not_before) = (None, MonotonicMs::default());
        let Some(turn) = self.turn_of(id) else { return };
        if self.waiting.get(&turn).is_some_and(|waiting| waiting.mark.id == *id) {
            self.waiting.remove(&turn);
        } else if let Some(newer) = self.waiting.get_mut(&turn) {
            newer.mark.attempts = 0;
        }
    }

    pub(super) fn held(&mut self) {
        self.sending = None;
    }

    /// Counts an attempt in vain. Returns what is still to be told of the event, with its attempts, which the caller has stored.
    pub(super) fn failed(&mut self, id: &HookMarkId) -> Option<HookMark> {
        self.sending = None;
        let turn = self.turn_of(id)?;
        let waiting = self.waiting.get_mut(&turn)?;
        waiting.mark.attempts = waiting.mark.attempts.saturating_add(1);
        waiting.stays = true;
        Some(waiting.mark.clone())
    }

    /// Takes out what is told no more of an event, and goes on at once with what else there is.
    pub(super) fn give_up(&mut self, id: &HookMarkId) {
        self.not_before = MonotonicMs::default();
        if let Some(turn) = self.turn_of(id) {
            self.waiting.remove(&turn);
        }
    }

    pub(super) fn pause_until(&mut self, at: MonotonicMs) {
        self.not_before = at;
    }

    /// Takes out what waits of a document that is gone, but that it was deleted.
    pub(super) fn gone(&mut self, document: DocumentId) -> Vec<HookMarkId> {
        let alive = Turn::Alive(document, HookEvent::Created)..=Turn::Alive(document, HookEvent::Changed);
        let gone: Vec<_> =
            self.waiting.range(alive).map(|(turn, waiting)| (*turn, waiting.mark.id)).collect();
        for (turn, _) in &gone {
            self.waiting.remove(turn);
        }
        gone.into_iter().map(|(_, id)| id).collect()
    }

    /// Takes out all that waits. It is in the store.
    pub(super) fn leave(&mut self) {
        self.waiting.clear();
    }

    /// Returns when it is to be told, unless a request is under way.
    pub(super) fn due(&self) -> Option<MonotonicMs> {
        let (_, first) = self.waiting.first_key_value().filter(|_| self.sending.is_none())?;
        Some(first.due.max(self.not_before))
    }

    /// Returns whether something waits of a document.
    pub(super) fn knows(&self, document: DocumentId) -> bool {
        self.waiting.values().any(|waiting| waiting.mark.id.document == document)
    }

    /// Returns what waits that is as new as this, or newer.
    pub(super) fn overtakes(&self, id: &HookMarkId) -> Option<HookMarkId> {
        let waiting =
            self.turn_of(id).and_then(|turn| self.waiting.get(&turn)).map(|waiting| waiting.mark.id);
        waiting.filter(|waiting| waiting.commit >= id.commit)
    }

    /// Returns how many marks wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether nothing waits and nothing is under way.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.sending.is_none()
    }

    fn turn_of(&self, id: &HookMarkId) -> Option<Turn> {
        match id.event {
            HookEvent::Created | HookEvent::Changed => Some(Turn::Alive(id.document, id.event)),
            HookEvent::Deleted => {
                let mut ends = self.waiting.keys().take_while(|turn| matches!(turn, Turn::Ended(..)));
                ends.find(|turn| turn.document() == id.document).copied()
            }
        }
    }
}

impl Turn {
    fn of(mark: &HookMark) -> Self {
        match mark.id.event {
            HookEvent::Created | HookEvent::Changed => Self::Alive(mark.id.document, mark.id.event),
            HookEvent::Deleted => Self::Ended(mark.at, mark.id.document),
        }
    }

    const fn document(self) -> DocumentId {
        match self {
            Self::Ended(_, document) | Self::Alive(document, _) => document,
        }
    }
}
