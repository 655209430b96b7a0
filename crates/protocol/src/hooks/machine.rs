//! The machine of one hook.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syncline_core::{
    hook::{DeadLetter, HookEvent, HookFailure, HookMark, HookMarkId},
    id::{DocumentId, RoomName, TenantId},
    limits::{HOOK_CALLS_MAX, HOOK_READ_MS, HOOK_READ_MS_MAX, HOOK_RETRY_AFTER_MS_MAX, HOOK_WAITING_MAX},
    time::{MonotonicMs, Now},
};

use super::{
    Answer, Effect, HookStats, Reading, Rules, Topic,
    dead::DeadLetters,
    pause::pause_ms,
    queue::{Came, Debounce, Queue},
};

/// One hook.
#[derive(Debug)]
pub struct Hook {
    rules: Rules,
    queues: BTreeMap<Topic, Queue>,
    /// How many marks wait in all of them.
    marks: usize,
    /// Those that no request is under way for, by when they are due.
    due: BTreeSet<(MonotonicMs, Topic)>,
    /// What requests are under way about, and what that is called.
    calls: BTreeMap<HookMarkId, RoomName>,
    /// Nothing is sent before: the application is away.
    held_until: MonotonicMs,
    /// Nothing is sent before: the application has asked for that.
    asked_until: MonotonicMs,
    /// Nothing is sent any more.
    unwanted: bool,
    store: Known,
    dead: DeadLetters,
    stats: HookStats,
    effects: VecDeque<Effect>,
}

/// What is known of the store.
#[derive(Debug, Default)]
struct Known {
    /// Marks may be there that are not in memory.
    missed: bool,
    /// It is being read.
    loading: bool,
    /// It could not be read, and is to be then.
    again_at: Option<MonotonicMs>,
    /// How often in a row that was.
    failures: u32,
}

impl Hook {
    /// Returns one that is about to read what waits. What was `unwanted` before stays so.
    #[must_use]
    pub fn new(rules: Rules, unwanted: bool) -> Self {
        let mut hook = Self {
            rules,
            queues: BTreeMap::new(),
            marks: 0,
            due: BTreeSet::new(),
            calls: BTreeMap::new(),
            held_until: MonotonicMs::default(),
            asked_until: MonotonicMs::default(),
            unwanted,
            store: Known::default(),
            dead: DeadLetters::default(),
            stats: HookStats::default(),
            effects: VecDeque::new(),
        };
        hook.begin_load();
        hook
    }

    /// Takes in what has just become durable.
    pub fn note(&mut self, now: Now, mark: HookMark) {
        self.arrived(now, mark, Came::Noted);
        self.tick(now);
    }

    /// Takes in that a document is gone, of which the hook is not told.
    pub fn gone(&mut self, now: Now, topic: &Topic, document: DocumentId) {
        self.left(topic, document);
        self.tick(now);
    }

    /// Takes in that something has become durable of which nobody knows any more.
    pub fn missed(&mut self, now: Now) {
        self.store.missed = true;
        self.tick(now);
    }

    /// Takes in a mark from the store. What it tells of has waited before, so it is due at once.
    pub fn load(&mut self, now: Now, mark: HookMark) {
        if mark.dead.is_none() {
            return self.arrived(now, mark, Came::Loaded);
        }
        let queue = self.queues.get(&Topic::of(&mark));
        match queue.and_then(|queue| queue.overtakes(&mark.id)) {
            Some(newer) if newer != mark.id => self.forget([mark.id]),
            // It is told again.
            Some(_) => {}
            None => self.bury(mark),
        }
    }

    /// Returns whether what is read from the store can be taken in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.unwanted || self.marks < HOOK_WAITING_MAX
    }

    /// Takes in how far the store was read. What could not be read is after a pause.
    pub fn loaded(&mut self, now: Now, reading: Reading) {
        self.store.loading = false;
        match reading {
            Reading::Whole => self.store.failures = 0,
            Reading::InPart => self.store.missed = true,
            Reading::Failed => {
                let pause_ms = HOOK_READ_MS.saturating_mul(2_u64.saturating_pow(self.store.failures));
                self.store.failures = self.store.failures.saturating_add(1);
                self.store.again_at = Some(now.monotonic.after(pause_ms.min(HOOK_READ_MS_MAX)));
            }
        }
        self.tick(now);
    }

    /// Takes in what became of a request. `chance` is drawn evenly from all its values, so that pauses differ.
    pub fn answered(&mut self, now: Now, id: HookMarkId, answer: Answer, chance: u32) {
        let Some(name) = self.calls.remove(&id) else { return };
        let topic = Topic { tenant: id.tenant, name };
        match answer {
            Answer::Taken => {
                self.stats.delivered += 1;
                // It is back.
                self.held_until = now.monotonic;
                self.forget([id]);
                self.change(&topic, |queue| queue.taken(&id));
            }
            Answer::Held { retry_after_ms } => {
                self.held_until = self.held_until.max(now.monotonic.after(retry_after_ms));
                self.change(&topic, Queue::held);
            }
            Answer::Gone => {
                self.forget([id]);
                self.change(&topic, Queue::held);
                self.left(&topic, id.document);
            }
            Answer::Unwanted => {
                self.stats.failed += 1;
                self.unwanted = true;
                // It is in the store, and told after the next start.
                self.queues.clear();
                self.due.clear();
                self.marks = 0;
            }
            Answer::Failed { failure, retry_after_ms } => {
                self.stats.failed += 1;
                if let Some(retry_after_ms) = retry_after_ms {
                    let until = now.monotonic.after(retry_after_ms.min(HOOK_RETRY_AFTER_MS_MAX));
                    self.asked_until = self.asked_until.max(until);
                }
                self.failed(now, &topic, id, failure, chance);
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
        let count = letters.len();
        for letter in letters {
            let mark = HookMark { dead: None, attempts: 0, ..letter };
            self.effects.push_back(Effect::Keep(mark.clone()));
            self.take_in(now, mark, Came::Retried);
        }
        self.tick(now);
        count
    }

    /// Forgets a dead letter, or all of one tenant. Returns how many those are.
    pub fn drop_dead(&mut self, tenant: TenantId, which: Option<&HookMarkId>) -> usize {
        let letters = self.dead.take(tenant, which);
        let count = letters.len();
        self.forget_all(&letters);
        count
    }

    /// Returns what is to be done next, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout). It may change after every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonotonicMs> {
        let next = self.due.first().filter(|_| self.may_send());
        let next = next.map(|(at, _)| (*at).max(self.held_until).max(self.asked_until));
        let again_at = self.store.again_at.filter(|_| !self.store.loading);
        next.into_iter().chain(again_at).min()
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
        HookStats { waiting: self.queues.len(), dead: self.dead.len(), ..self.stats }
    }

    /// Takes in what waits. Dead letters that it overtakes are told no more.
    fn arrived(&mut self, now: Now, mark: HookMark, came: Came) {
        let id = mark.id;
        let mut overtaken = self.dead.overtaken_by(&id);
        if id.event == HookEvent::Deleted {
            overtaken.extend(self.dead.gone(id.tenant, id.document));
        }
        self.forget_all(&overtaken);
        self.take_in(now, mark, came);
    }

    fn take_in(&mut self, now: Now, mark: HookMark, came: Came) {
        if self.unwanted {
            return;
        }
        let topic = Topic::of(&mark);
        let is_known = self.queues.get(&topic).is_some_and(|queue| queue.knows(mark.id.document));
        // What has happened before to another document of the name may be in the store alone, where it is read first.
        let is_early = self.store.missed && came != Came::Loaded;
        if !is_known && (is_early || self.marks >= HOOK_WAITING_MAX) {
            self.store.missed = true;
            if mark.id.event == HookEvent::Deleted {
                self.change(&topic, Queue::leave);
            }
            return;
        }
        let debounce = if came == Came::Noted { self.rules.debounce } else { Debounce::NONE };
        self.queues.entry(topic.clone()).or_default();
        let mut left = Vec::new();
        self.change(&topic, |queue| left = queue.note(now.monotonic, mark, debounce, came));
        self.forget(left);
    }

    /// Forgets what is known of a document that is gone, but that it was deleted.
    fn left(&mut self, topic: &Topic, document: DocumentId) {
        let dead = self.dead.gone(topic.tenant, document);
        self.forget_all(&dead);
        let mut gone = Vec::new();
        self.change(topic, |queue| gone = queue.gone(document));
        self.forget(gone);
    }

    /// Gives the name another pause, or the mark up.
    fn failed(&mut self, now: Now, topic: &Topic, id: HookMarkId, failure: HookFailure, chance: u32) {
        let Rules { attempts, retry_ms, debounce: _ } = self.rules;
        let mut tried = None;
        self.change(topic, |queue| {
            tried = queue.failed(&id);
            match &tried {
                Some(mark) if mark.attempts >= attempts => queue.give_up(&id),
                Some(mark) => {
                    queue.pause_until(now.monotonic.after(pause_ms(retry_ms, mark.attempts, chance)));
                }
                // It was told in vain of what is told no more.
                None => {}
            }
        });
        let Some(mark) = tried else { return };
        if mark.attempts < attempts {
            return self.effects.push_back(Effect::Keep(mark));
        }
        let letter = HookMark { dead: Some(DeadLetter { at: now.wall, failure }), ..mark };
        self.stats.buried += 1;
        self.effects.push_back(Effect::Keep(letter.clone()));
        self.bury(letter);
    }

    fn bury(&mut self, letter: HookMark) {
        let dropped = self.dead.put(letter);
        self.stats.dropped += dropped.len() as u64;
        self.forget_all(&dropped);
    }

    /// Reads on if there is room or it is time, and sends what is due, as much as may be under way.
    fn tick(&mut self, now: Now) {
        let has_missed = self.store.missed && !self.unwanted && self.marks <= HOOK_WAITING_MAX / 2;
        if has_missed || self.store.again_at.is_some_and(|at| at <= now.monotonic) {
            self.begin_load();
        }
        let held_until = self.held_until.max(self.asked_until);
        while self.may_send() && held_until <= now.monotonic {
            let Some((at, topic)) = self.due.pop_first() else { break };
            if at > now.monotonic {
                self.due.insert((at, topic));
                break;
            }
            let mark = self.queues.get_mut(&topic).and_then(Queue::send);
            if let Some(mark) = mark {
                self.calls.insert(mark.id, mark.name.clone());
                self.effects.push_back(Effect::Send(mark));
            }
        }
    }

    /// Returns whether anything is sent now. While the store is read nobody knows what comes first.
    fn may_send(&self) -> bool {
        !self.unwanted && !self.store.loading && self.calls.len() < HOOK_CALLS_MAX
    }

    fn begin_load(&mut self) {
        if !self.store.loading {
            self.store.loading = true;
            (self.store.missed, self.store.again_at) = (false, None);
            self.effects.push_back(Effect::Load);
        }
    }

    /// Changes the queue of a name, if there is one, and puts it where it belongs.
    fn change(&mut self, topic: &Topic, change: impl FnOnce(&mut Queue)) {
        let Some(queue) = self.queues.get_mut(topic) else { return };
        let (before, had) = (queue.due(), queue.len());
        change(queue);
        let (after, has, is_done) = (queue.due(), queue.len(), queue.is_done());
        self.marks = self.marks + has - had;
        if before != after {
            if let Some(at) = before {
                self.due.remove(&(at, topic.clone()));
            }
            if let Some(at) = after {
                self.due.insert((at, topic.clone()));
            }
        }
        if is_done {
            self.queues.remove(topic);
        }
    }

    fn forget(&mut self, marks: impl IntoIterator<Item = HookMarkId>) {
        self.effects.extend(marks.into_iter().map(Effect::Forget));
    }

    fn forget_all(&mut self, marks: &[HookMark]) {
        self.forget(marks.iter().map(|mark| mark.id));
    }
}
