//! What waits of one document for one hook.

use std::collections::BTreeMap;

use syncline_core::{
    hook::{HookEvent, HookMark, HookMarkId},
    time::MonotonicMs,
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

/// What waits of one document.
#[derive(Debug, Default)]
pub(super) struct Document {
    waiting: BTreeMap<HookEvent, Waiting>,
    /// What a request is under way about.
    sending: Option<HookMarkId>,
    /// Requests in a row that were not taken.
    failures: u32,
    not_before: MonotonicMs,
}

#[derive(Debug)]
struct Waiting {
    mark: HookMark,
    first: MonotonicMs,
    due: MonotonicMs,
}

/// What a mark is beside those that were known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    New,
    Known,
    /// An older one is in the store still: it was not that of the commit before, which goes with the commit.
    Replaces(HookMarkId),
    /// A newer one is known.
    Old(HookMarkId),
}

impl Document {
    /// Has a mark wait, in place of an older one of the same event.
    pub(super) fn note(&mut self, now: MonotonicMs, mark: HookMark, debounce: Debounce) -> Noted {
        let (id, event) = (mark.id, mark.id.event);
        let Debounce { quiet_ms, longest_ms } = match event {
            HookEvent::Changed => debounce,
            // They come once.
            HookEvent::Created | HookEvent::Deleted => Debounce::NONE,
        };
        let known = self.waiting.get(&event).map(|waiting| (waiting.mark.id, waiting.first));
        // What is being told does not count: this is another change.
        let begun = known.filter(|(known, _)| self.sending != Some(*known));
        match known {
            Some((known, _)) if known.commit == id.commit => return Noted::Known,
            Some((known, _)) if known.commit > id.commit => return Noted::Old(id),
            _ => {}
        }
        let first = begun.map_or(now, |(_, first)| first);
        let due = now.after(quiet_ms).min(first.after(longest_ms));
        self.waiting.insert(event, Waiting { mark, first, due });
        match known {
            Some((known, _)) if known.commit.0.saturating_add(1) != id.commit.0 => Noted::Replaces(known),
            Some(_) | None => Noted::New,
        }
    }

    /// Begins to tell what is due, which the caller has made sure of.
    pub(super) fn send(&mut self) -> Option<HookMark> {
        let (_, waiting) = self.waiting.first_key_value().filter(|_| self.sending.is_none())?;
        self.sending = Some(waiting.mark.id);
        Some(waiting.mark.clone())
    }

    pub(super) fn taken(&mut self, id: &HookMarkId) {
        (self.sending, self.failures, self.not_before) = (None, 0, MonotonicMs::default());
        if self.waiting.get(&id.event).is_some_and(|waiting| waiting.mark.id == *id) {
            self.waiting.remove(&id.event);
        }
    }

    pub(super) fn held(&mut self) {
        self.sending = None;
    }

    /// Returns how many requests in a row were not taken.
    pub(super) fn failed(&mut self) -> u32 {
        self.sending = None;
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// Takes out what is not told any more of an event, which is the newest, and begins anew with what else there is.
    pub(super) fn give_up(&mut self, event: HookEvent) -> Option<HookMark> {
        (self.failures, self.not_before) = (0, MonotonicMs::default());
        self.waiting.remove(&event).map(|waiting| waiting.mark)
    }

    pub(super) fn pause_until(&mut self, at: MonotonicMs) {
        self.not_before = at;
    }

    /// Forgets what is not told any more of a document that is gone.
    pub(super) fn gone(&mut self) {
        self.waiting.retain(|event, _| *event == HookEvent::Deleted);
    }

    /// Returns when it is to be told, unless a request is under way.
    pub(super) fn due(&self) -> Option<MonotonicMs> {
        let (_, first) = self.waiting.first_key_value().filter(|_| self.sending.is_none())?;
        Some(first.due.max(self.not_before))
    }

    /// Returns whether nothing waits and nothing is under way.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.sending.is_none()
    }
}
