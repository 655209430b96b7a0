//! What one hook is told, and when: the machine behind the requests to an application.
//!
//! A mark of each event waits in the store. [`Hook`] holds those that it knows of in memory, as many as may be: it lets a document become
//! quiet, tells its events one at a time and in order, tries again with growing pauses, and gives up what cannot be told.
//!
//! * `document`: what waits of one document; `pause`: how long between two attempts; `dead`: what was given up.
//!
//! Invariants:
//! * of one document one request is under way at a time, and of all at most [`HOOK_CALLS_MAX`];
//! * a mark is forgotten when it was taken, when a newer one of the same event is there, or as the oldest of too many dead letters;
//! * whatever fails, each document that waits gets its turn: the one that is due first is next;
//! * what is in memory is bounded, and what is left out is read when there is room.

mod dead;
mod document;
mod pause;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syncline_core::{
    hook::{DeadLetter, HookEvent, HookFailure, HookMark, HookMarkId},
    id::{DocumentId, TenantId},
    limits::{
        HOOK_ATTEMPTS, HOOK_CALLS_MAX, HOOK_QUIET_MS, HOOK_RETRY_AFTER_MS_MAX, HOOK_RETRY_MS, HOOK_WAIT_MS,
        HOOK_WAITING_MAX,
    },
    time::{MonotonicMs, Now},
};

pub use self::document::Debounce;
use self::{
    dead::DeadLetters,
    document::{Document, Noted},
    pause::pause_ms,
};

/// Whose document it is, and which.
pub type Subject = (TenantId, DocumentId);

/// How a hook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a document that changes is left to become quiet.
    pub debounce: Debounce,
    /// How often something is tried before it is a dead letter.
    pub attempts: u32,
    /// Pause after the first attempt that fails, in milliseconds.
    pub retry_ms: u64,
}

impl Default for Rules {
    fn default() -> Self {
        let debounce = Debounce { quiet_ms: HOOK_QUIET_MS, longest_ms: HOOK_WAIT_MS };
        Self { debounce, attempts: HOOK_ATTEMPTS, retry_ms: HOOK_RETRY_MS }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was taken.
    Taken,
    /// It was not sent: the application is left in peace for a while.
    Held {
        /// How long that is, in milliseconds.
        retry_after_ms: u64,
    },
    /// It was not taken.
    Failed {
        /// Why.
        failure: HookFailure,
        /// How long the application asks to be left in peace, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The application wants nothing more (status 410).
    Unwanted,
    /// It was not sent: there is no such document any more.
    Gone,
}

/// What the machine wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the application, and say what becomes of it by [`Hook::answered`].
    Send(HookMark),
    /// Store a mark, in place of the one of its id.
    Keep(HookMark),
    /// Remove a mark from the store.
    Forget(HookMarkId),
    /// Read marks from the store, and hand them in by [`Hook::load`] as long as [`Hook::has_room`], then call [`Hook::loaded`].
    Load,
}

/// What has happened so far, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookStats {
    /// Requests that were taken.
    pub delivered: u64,
    /// Requests that were not.
    pub failed: u64,
    /// Marks that became dead letters.
    pub buried: u64,
    /// Dead letters that were forgotten because there were too many.
    pub dropped: u64,
    /// Documents in memory of which something waits.
    pub waiting: usize,
    /// Dead letters.
    pub dead: usize,
}

/// One hook.
#[derive(Debug)]
pub struct Hook {
    rules: Rules,
    documents: BTreeMap<Subject, Document>,
    /// Those that no request is under way for, by when they are due.
    due: BTreeSet<(MonotonicMs, Subject)>,
    calls: usize,
    /// Nothing is sent before: the application is away.
    held_until: MonotonicMs,
    /// Nothing is sent before: the application has asked for that.
    asked_until: MonotonicMs,
    /// Nothing is sent any more.
    unwanted: bool,
    /// Marks may be in the store that are not in memory.
    missed: bool,
    loading: bool,
    dead: DeadLetters,
    stats: HookStats,
    effects: VecDeque<Effect>,
}

impl Hook {
    /// Returns one that is about to read what waits. What was `unwanted` before stays so.
    #[must_use]
    pub fn new(rules: Rules, unwanted: bool) -> Self {
        let mut hook = Self {
            rules,
            documents: BTreeMap::new(),
            due: BTreeSet::new(),
            calls: 0,
            held_until: MonotonicMs::default(),
            asked_until: MonotonicMs::default(),
            unwanted,
            missed: true,
            loading: false,
            dead: DeadLetters::default(),
            stats: HookStats::default(),
            effects: VecDeque::new(),
        };
        hook.begin_load();
        hook
    }

    /// Takes in what has just become durable.
    pub fn note(&mut self, now: Now, mark: HookMark) {
        let id = mark.id;
        if id.event == HookEvent::Deleted {
            self.gone((id.tenant, id.document));
        }
        let overtaken = self.dead.overtaken_by(&id);
        self.forget(overtaken);
        self.take_in(now, mark, self.rules.debounce);
        self.tick(now);
    }

    /// Takes in that a document is gone, of which the hook is not told.
    pub fn gone(&mut self, subject: Subject) {
        let dead = self.dead.gone(subject);
        self.forget(dead);
        self.change(subject, Document::gone);
    }

    /// Takes in that something has become durable of which nobody knows any more.
    pub fn missed(&mut self, now: Now) {
        self.missed = true;
        self.tick(now);
    }

    /// Takes in a mark from the store. What it tells of has waited before, so it is due at once.
    pub fn load(&mut self, now: Now, mark: HookMark) {
        if mark.dead.is_some() {
            let dropped = self.dead.put(mark);
            self.stats.dropped += dropped.len() as u64;
            self.forget(dropped);
        } else {
            self.take_in(now, mark, Debounce::NONE);
        }
    }

    /// Returns whether what is read from the store can be taken in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.unwanted || self.documents.len() < HOOK_WAITING_MAX
    }

    /// Takes in that the store was read: whether from its beginning to its end.
    pub fn loaded(&mut self, now: Now, whole: bool) {
        self.loading = false;
        self.missed |= !whole;
        self.tick(now);
    }

    /// Takes in what became of a request. `chance` is drawn evenly from all its values, so that pauses differ.
    pub fn answered(&mut self, now: Now, id: HookMarkId, answer: Answer, chance: u32) {
        self.calls = self.calls.saturating_sub(1);
        match answer {
            Answer::Taken => {
                self.stats.delivered += 1;
                // It is back.
                self.held_until = now.monotonic;
                self.effects.push_back(Effect::Forget(id));
                self.change((id.tenant, id.document), |document| document.taken(&id));
            }
            Answer::Held { retry_after_ms } => {
                self.held_until = self.held_until.max(now.monotonic.after(retry_after_ms));
                self.change((id.tenant, id.document), Document::held);
            }
            Answer::Gone => {
                self.effects.push_back(Effect::Forget(id));
                self.change((id.tenant, id.document), Document::held);
                self.gone((id.tenant, id.document));
            }
            Answer::Unwanted => {
                self.stats.failed += 1;
                self.unwanted = true;
                // It is in the store, and told after the next start.
                self.documents.clear();
                self.due.clear();
            }
            Answer::Failed { failure, retry_after_ms } => {
                self.stats.failed += 1;
                if let Some(retry_after_ms) = retry_after_ms {
                    let until = now.monotonic.after(retry_after_ms.min(HOOK_RETRY_AFTER_MS_MAX));
                    self.asked_until = self.asked_until.max(until);
                }
                self.failed(now, id, failure, chance);
            }
        }
        self.tick(now);
    }

    /// Takes in that it is as late as [`poll_timeout`](Self::poll_timeout) has said.
    pub fn handle_timeout(&mut self, now: Now) {
        self.tick(now);
    }

    /// Tells a dead letter once more, or all of one tenant. Returns how many those are.
    pub fn retry(&mut self, now: Now, tenant: TenantId, which: Option<&HookMarkId>) -> usize {
        let letters = self.dead.take(tenant, which);
        for letter in &letters {
            let mark = HookMark { dead: None, ..letter.clone() };
            self.effects.push_back(Effect::Keep(mark.clone()));
            self.take_in(now, mark, Debounce::NONE);
        }
        self.tick(now);
        letters.len()
    }

    /// Forgets a dead letter, or all of one tenant. Returns how many those are.
    pub fn drop_dead(&mut self, tenant: TenantId, which: Option<&HookMarkId>) -> usize {
        let letters = self.dead.take(tenant, which);
        let count = letters.len();
        self.forget(letters);
        count
    }

    /// Returns what is to be done next, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout). It may change after every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonotonicMs> {
        if self.unwanted || self.calls >= HOOK_CALLS_MAX {
            return None;
        }
        self.due.first().map(|(at, _)| (*at).max(self.held_until).max(self.asked_until))
    }

    /// Returns the dead letters of a tenant, the oldest first.
    pub fn dead_letters(&self, tenant: TenantId) -> impl Iterator<Item = &HookMark> {
        self.dead.iter().filter(move |mark| mark.id.tenant == tenant)
    }

    /// Returns whether the application wants nothing more.
    #[must_use]
    pub const fn is_unwanted(&self) -> bool {
        self.unwanted
    }

    /// Returns what has happened so far, and what waits.
    #[must_use]
    pub fn stats(&self) -> HookStats {
        HookStats { waiting: self.documents.len(), dead: self.dead.len(), ..self.stats }
    }

    fn take_in(&mut self, now: Now, mark: HookMark, debounce: Debounce) {
        let subject = (mark.id.tenant, mark.id.document);
        if self.unwanted {
            return;
        }
        if !self.documents.contains_key(&subject) && self.documents.len() >= HOOK_WAITING_MAX {
            self.missed = true;
            return;
        }
        let document = self.documents.entry(subject).or_default();
        let before = document.due();
        let noted = document.note(now.monotonic, mark, debounce);
        let after = document.due();
        self.place(subject, before, after);
        match noted {
            Noted::New | Noted::Known => {}
            Noted::Replaces(id) | Noted::Old(id) => self.effects.push_back(Effect::Forget(id)),
        }
    }

    /// Gives the document another pause, or up.
    fn failed(&mut self, now: Now, id: HookMarkId, failure: HookFailure, chance: u32) {
        let subject = (id.tenant, id.document);
        let Rules { attempts, retry_ms, debounce: _ } = self.rules;
        let mut given_up = None;
        self.change(subject, |document| {
            let failures = document.failed();
            if failures >= attempts {
                given_up = document.give_up(id.event).map(|mark| (mark, failures));
            } else {
                document.pause_until(now.monotonic.after(pause_ms(retry_ms, failures, chance)));
            }
        });
        if let Some((mark, attempts)) = given_up {
            let letter = HookMark { dead: Some(DeadLetter { at: now.wall, attempts, failure }), ..mark };
            self.stats.buried += 1;
            self.effects.push_back(Effect::Keep(letter.clone()));
            let dropped = self.dead.put(letter);
            self.stats.dropped += dropped.len() as u64;
            self.forget(dropped);
        }
    }

    /// Sends what is due, as much as may be under way, and reads on if there is room.
    fn tick(&mut self, now: Now) {
        let held_until = self.held_until.max(self.asked_until);
        while !self.unwanted && self.calls < HOOK_CALLS_MAX && held_until <= now.monotonic {
            let Some(&(at, subject)) = self.due.first().filter(|(at, _)| *at <= now.monotonic) else { break };
            self.due.remove(&(at, subject));
            let mark = self.documents.get_mut(&subject).and_then(Document::send);
            if let Some(mark) = mark {
                self.calls += 1;
                self.effects.push_back(Effect::Send(mark));
            }
        }
        if self.missed && !self.unwanted && self.documents.len() <= HOOK_WAITING_MAX / 2 {
            self.begin_load();
        }
    }

    fn begin_load(&mut self) {
        if !self.loading {
            (self.loading, self.missed) = (true, false);
            self.effects.push_back(Effect::Load);
        }
    }

    /// Changes a document that is in memory, if it is, and puts it where it belongs.
    fn change(&mut self, subject: Subject, change: impl FnOnce(&mut Document)) {
        let Some(document) = self.documents.get_mut(&subject) else { return };
        let before = document.due();
        change(document);
        let (after, is_done) = (document.due(), document.is_done());
        self.place(subject, before, after);
        if is_done {
            self.documents.remove(&subject);
        }
    }

    fn place(&mut self, subject: Subject, before: Option<MonotonicMs>, after: Option<MonotonicMs>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.due.remove(&(at, subject));
        }
        if let Some(at) = after {
            self.due.insert((at, subject));
        }
    }

    fn forget(&mut self, marks: Vec<HookMark>) {
        self.effects.extend(marks.into_iter().map(|mark| Effect::Forget(mark.id)));
    }
}
