//! The task of one hook: it awaits requests, the store and the clock, and asks the machine what is next.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use syncline_core::{
    hook::{HookEvent, HookFailure, HookMark, HookMarkId},
    id::{TenantId, TenantName},
    limits::{DELETE_BATCH_MAX, RETRY_AFTER_MS},
};
use syncline_protocol::{
    hooks::{Answer, Effect, Hook, HookStats, Reading, Topic},
    wire::hook::message_id,
};
use syncline_store::{
    Batch, Key, Store,
    records::{self, MarksOf, RecordError},
};
use tokio::sync::mpsc;

use super::{Configured, Done, Letter, Missed, Operation, ToHook, operate::Wanted, request};
use crate::{clock::until, epoch::Epoch, limits::HOOK_PAGE, storage::StoreDown};

pub(super) struct HookTask {
    epoch: Arc<Epoch>,
    hook: Arc<Configured>,
    machine: Hook,
    inbox: mpsc::Receiver<ToHook>,
    missed: Arc<Missed>,
    /// What operators have asked while something else was awaited.
    asked: VecDeque<Operation>,
    /// Requests that are under way. What is dropped with the task is told after the next start.
    calls: FuturesUnordered<Call>,
    /// Where reading goes on behind the deletions; at the beginning if there is nothing here.
    from: Option<Key>,
    tenants: BTreeMap<TenantId, TenantName>,
    reported: HookStats,
}

type Call = Pin<Box<dyn Future<Output = (HookMarkId, Answer)> + Send>>;

/// What woke the task.
enum Wake {
    Message(ToHook),
    Answered(HookMarkId, Answer),
    Timer,
    Missed,
}

/// Where reading has stopped, and where it goes on.
enum Stop {
    End,
    /// There is no more room.
    Full(Key),
    /// The store cannot be read.
    Unread(Option<Key>),
}

/// Whether there is still what a mark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Yes,
    /// It was deleted or erased.
    No,
    /// Nobody can tell now.
    Unknown,
    /// Nobody can tell of this one.
    Damaged,
}

impl HookTask {
    pub(super) fn new(
        epoch: &Arc<Epoch>,
        hook: &Arc<Configured>,
        inbox: mpsc::Receiver<ToHook>,
        missed: Arc<Missed>,
    ) -> Self {
        Self {
            epoch: Arc::clone(epoch),
            hook: Arc::clone(hook),
            machine: Hook::new(hook.rules, hook.is_unwanted()),
            inbox,
            missed,
            asked: VecDeque::new(),
            calls: FuturesUnordered::new(),
            from: None,
            tenants: BTreeMap::new(),
            reported: HookStats::default(),
        }
    }

    /// Runs until the epoch ends.
    pub(super) async fn run(mut self) {
        let epoch = Arc::clone(&self.epoch);
        tokio::select! {
            biased;
            () = epoch.drain.cancelled() => {}
            // Whoever waits for the store hears that it is down.
            _ended = self.serve() => {}
        }
        self.epoch.metrics.hooks.rest(&self.hook.name);
    }

    async fn serve(&mut self) -> Result<(), StoreDown> {
        loop {
            self.carry_out().await?;
            while let Some(operation) = self.asked.pop_front() {
                self.operate(operation).await?;
            }
            self.report();
            let woken = self.wake().await;
            let now = self.epoch.clock.now();
            // What was left out may come before what has woken the task.
            self.hear_of_missed();
            match woken {
                Wake::Message(message) => self.take(message),
                Wake::Answered(id, answer) => {
                    if answer == Answer::Unwanted {
                        tracing::warn!(hook = %self.hook.name, "it answers 410: it is told nothing until the server starts again");
                        self.hook.set_unwanted();
                    }
                    self.machine.answered(now, id, answer, chance());
                }
                Wake::Timer => self.machine.handle_timeout(now),
                Wake::Missed => {}
            }
        }
    }

    async fn wake(&mut self) -> Wake {
        let due = self.machine.poll_timeout().map(|at| self.epoch.clock.instant(at));
        tokio::select! {
            biased;
            Some((id, answer)) = self.calls.next(), if !self.calls.is_empty() => Wake::Answered(id, answer),
            Some(message) = self.inbox.recv() => Wake::Message(message),
            () = self.missed.noticed.notified() => Wake::Missed,
            () = until(due) => Wake::Timer,
        }
    }

    fn hear_of_missed(&mut self) {
        if self.missed.some.swap(false, Ordering::AcqRel) {
            self.machine.missed(self.epoch.clock.now());
        }
    }

    /// Takes in what it was told.
    fn take(&mut self, message: ToHook) {
        let now = self.epoch.clock.now();
        match message {
            ToHook::Note(mark) => self.machine.note(now, mark),
            ToHook::Gone(topic, document) => self.machine.gone(now, &topic, document),
            ToHook::Operate(operation) => self.asked.push_back(operation),
        }
    }

    /// Carries out what the machine wants done. What it stores is durable then.
    async fn carry_out(&mut self) -> Result<(), StoreDown> {
        let mut batch = Batch::new();
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Send(mark) => self.send(mark),
                Effect::Keep(mark) => {
                    if let Some(dead) = mark.dead {
                        let (hook, document) = (&self.hook.name, mark.name.as_str());
                        tracing::warn!(%hook, document, why = %dead.failure, "a hook could not be told: a dead letter is kept");
                    }
                    records::put_mark(&mut batch, &self.hook.name, &mark);
                }
                Effect::Forget(id) => records::clear_mark(&mut batch, &self.hook.name, &id),
                Effect::Load => {
                    // What is read is to be what the machine means.
                    self.commit(&mut batch).await?;
                    self.load().await?;
                }
            }
            if batch.len() >= DELETE_BATCH_MAX {
                self.commit(&mut batch).await?;
            }
        }
        self.commit(&mut batch).await
    }

    fn commit(&self, batch: &mut Batch) -> impl Future<Output = Result<(), StoreDown>> + Send + use<> {
        let (storage, batch) = (self.epoch.storage.clone(), std::mem::take(batch));
        async move { if batch.is_empty() { Ok(()) } else { storage.commit(batch).await } }
    }

    fn send(&mut self, mark: HookMark) {
        let (epoch, hook) = (Arc::clone(&self.epoch), Arc::clone(&self.hook));
        let tenant = self.tenant(mark.id.tenant);
        self.calls.push(Box::pin(async move {
            let answer = match (is_there(&epoch, &mark).await, tenant) {
                (There::Yes, Some(tenant)) => request::send(&hook, epoch.clock, &tenant, &mark).await,
                (There::No, _) => Answer::Gone,
                (There::Unknown, _) => Answer::Held { retry_after_ms: RETRY_AFTER_MS },
                (There::Damaged, _) | (There::Yes, None) => {
                    Answer::Failed { failure: HookFailure::Unread, retry_after_ms: None }
                }
            };
            (mark.id, answer)
        }));
    }

    /// Reads marks from the store, as many as there is room for, and hears what rooms have told by then: what was read may rest on that.
    async fn load(&mut self) -> Result<(), StoreDown> {
        let reading = self.read().await?;
        self.hear_of_missed();
        for _ in 0..self.inbox.len() {
            let Ok(message) = self.inbox.try_recv() else { break };
            self.take(message);
        }
        self.machine.loaded(self.epoch.clock.now(), reading);
        Ok(())
    }

    async fn read(&mut self) -> Result<Reading, StoreDown> {
        let mut is_whole = true;
        match self.read_all(MarksOf::Ended, None, &mut is_whole).await? {
            Stop::End => {}
            Stop::Full(_) => return Ok(Reading::InPart),
            Stop::Unread(_) => return Ok(Reading::Failed),
        }
        let from = self.from.take();
        let is_begun = from.is_none();
        Ok(match self.read_all(MarksOf::Alive, from, &mut is_whole).await? {
            Stop::End if !is_begun => Reading::InPart,
            Stop::End if is_whole => Reading::Whole,
            Stop::End => Reading::Failed,
            Stop::Full(next) => {
                self.from = Some(next);
                Reading::InPart
            }
            Stop::Unread(next) => {
                self.from = next;
                Reading::Failed
            }
        })
    }

    /// Reads marks to the end, if there is room for them. Some may be left out, of which it is not known yet whose they are.
    async fn read_all(
        &mut self,
        of: MarksOf,
        mut from: Option<Key>,
        is_whole: &mut bool,
    ) -> Result<Stop, StoreDown> {
        loop {
            let begin = from.clone();
            let page = move |store: &dyn Store| records::marks(store, of, begin.as_ref(), HOOK_PAGE);
            let page = match self.epoch.storage.read(page).await? {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(hook = %self.hook.name, %error, "what a hook is to be told cannot be read");
                    return Ok(Stop::Unread(from));
                }
            };
            if page.damaged > 0 {
                tracing::error!(
                    damaged = page.damaged,
                    "what hooks are to be told is damaged; `syncline verify` says where"
                );
            }
            let mut batch = Batch::new();
            for (hook, mark) in page.marks {
                if hook == self.hook.name {
                    *is_whole &= self.take_in(&mut batch, mark);
                }
            }
            self.commit(&mut batch).await?;
            from = page.next;
            match &from {
                None => return Ok(Stop::End),
                Some(next) if !self.machine.has_room() => return Ok(Stop::Full(next.clone())),
                Some(_) => {}
            }
        }
    }

    /// Takes in a mark from the store, or forgets one that the settings do not name any more. Returns whether it is known whose it is: the
    /// name of a tenant that has just begun becomes known behind its first commit.
    fn take_in(&mut self, batch: &mut Batch, mark: HookMark) -> bool {
        let Some(tenant) = self.tenant(mark.id.tenant) else { return false };
        if self.hook.covers(&tenant, &mark.name) && self.hook.events.contains(&mark.id.event) {
            self.machine.load(self.epoch.clock.now(), mark);
        } else {
            records::clear_mark(batch, &self.hook.name, &mark.id);
        }
        true
    }

    async fn operate(&mut self, Operation { tenant, wanted, answer }: Operation) -> Result<(), StoreDown> {
        let id = tenant.id();
        let named = |mark: &HookMark| message_id(&self.hook.name, tenant.name(), &mark.id);
        let meant = |machine: &Hook, wanted: Option<String>| match wanted {
            None => Some(None),
            // Nothing is done about what there is not.
            Some(wanted) => {
                machine.dead_letters(id).find(|mark| named(mark) == wanted).map(|mark| Some(mark.id))
            }
        };
        let now = self.epoch.clock.now();
        let done = match wanted {
            Wanted::List => {
                let letters: Vec<_> = self.machine.dead_letters(id).cloned().collect();
                let mut listed = Vec::new();
                for mark in letters {
                    if is_there(&self.epoch, &mark).await == There::No {
                        self.machine.gone(now, &Topic::of(&mark), mark.id.document);
                    } else {
                        listed.push(Letter { id: named(&mark), mark });
                    }
                }
                Done::Listed(listed)
            }
            Wanted::Retry(wanted) => {
                let meant = meant(&self.machine, wanted);
                let count = meant.map_or(0, |which| self.machine.retry(now, id, which.as_ref()));
                Done::Changed { count }
            }
            Wanted::Drop(wanted) => {
                let meant = meant(&self.machine, wanted);
                let count = meant.map_or(0, |which| self.machine.drop_dead(id, which.as_ref()));
                Done::Changed { count }
            }
        };
        // Whoever asked is answered when it is durable, and may not wait any more.
        self.carry_out().await?;
        let _ = answer.send(done);
        Ok(())
    }

    /// Returns what a tenant is called of which something is stored.
    fn tenant(&mut self, id: TenantId) -> Option<TenantName> {
        if !self.tenants.contains_key(&id) {
            let stored = self.epoch.tenants.stored();
            self.tenants = stored.into_iter().map(|tenant| (tenant.id(), tenant.name().clone())).collect();
        }
        self.tenants.get(&id).cloned()
    }

    fn report(&mut self) {
        let stats = self.machine.stats();
        if stats != self.reported {
            self.epoch.metrics.hooks.counted(&self.hook.name, self.reported, stats);
            self.reported = stats;
        }
    }
}

/// Returns whether a mark is about what there is: its document may have been erased since.
async fn is_there(epoch: &Epoch, mark: &HookMark) -> There {
    if mark.id.event == HookEvent::Deleted {
        return There::Yes;
    }
    let (id, name) = (mark.id, mark.name.clone());
    let known = epoch.storage.read(move |store: &dyn Store| records::name(store, id.tenant, &name)).await;
    match known {
        Ok(Ok(known)) if known == Some(id.document) => There::Yes,
        Ok(Ok(_)) => There::No,
        Ok(Err(RecordError::Read(_))) | Err(_) => There::Unknown,
        Ok(Err(error)) => {
            tracing::error!(%error, "a hook is not told of a document");
            There::Damaged
        }
    }
}

/// Draws a number. Without randomness all pauses are as long as is usual.
fn chance() -> u32 {
    let mut drawn = [0; 4];
    getrandom::fill(&mut drawn).map_or(u32::MAX / 2, |()| u32::from_be_bytes(drawn))
}
