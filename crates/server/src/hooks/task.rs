//! The task of one hook: it awaits requests, the store and the clock, and asks the machine what is next.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use syncline_core::{
    hook::{HookEvent, HookMark, HookMarkId},
    id::{TenantId, TenantName},
    limits::{DELETE_BATCH_MAX, RETRY_AFTER_MS},
};
use syncline_protocol::{
    hooks::{Answer, Effect, Hook, HookStats},
    wire::hook::message_id,
};
use syncline_store::{Batch, Key, Store, records};
use tokio::sync::mpsc;

use super::{Configured, Done, Letter, Missed, Operation, ToHook, operate::Wanted, request};
use crate::{clock::until, epoch::Epoch, limits::HOOK_PAGE, storage::StoreDown};

pub(super) struct HookTask {
    epoch: Arc<Epoch>,
    hook: Arc<Configured>,
    machine: Hook,
    inbox: mpsc::Receiver<ToHook>,
    missed: Arc<Missed>,
    /// Requests that are under way. What is dropped with the task is told after the next start.
    calls: FuturesUnordered<Call>,
    /// Where reading goes on; at the beginning if there is nothing here.
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
            self.report();
            let woken = self.wake().await;
            let now = self.epoch.clock.now();
            match woken {
                Wake::Message(ToHook::Note(mark)) => self.machine.note(now, mark),
                Wake::Message(ToHook::Gone(subject)) => self.machine.gone(subject),
                Wake::Message(ToHook::Operate(operation)) => self.operate(operation).await?,
                Wake::Answered(id, answer) => {
                    if answer == Answer::Unwanted {
                        tracing::warn!(hook = %self.hook.name, "it answers 410: it is told nothing until the server starts again");
                        self.hook.set_unwanted();
                    }
                    self.machine.answered(now, id, answer, chance());
                }
                Wake::Timer => self.machine.handle_timeout(now),
                Wake::Missed => {
                    if self.missed.some.swap(false, Ordering::AcqRel) {
                        self.machine.missed(now);
                    }
                }
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
                Effect::Load => self.load(&mut batch).await?,
            }
            if batch.len() >= DELETE_BATCH_MAX {
                self.epoch.storage.commit(std::mem::take(&mut batch)).await?;
            }
        }
        if batch.is_empty() { Ok(()) } else { self.epoch.storage.commit(batch).await }
    }

    fn send(&mut self, mark: HookMark) {
        let (epoch, hook) = (Arc::clone(&self.epoch), Arc::clone(&self.hook));
        let tenant = self.tenant(mark.id.tenant);
        self.calls.push(Box::pin(async move {
            let answer = match (is_there(&epoch, &mark).await, tenant) {
                (Some(true), Some(tenant)) => request::send(&hook, epoch.clock, &tenant, &mark).await,
                (Some(_), _) => Answer::Gone,
                (None, _) => Answer::Held { retry_after_ms: RETRY_AFTER_MS },
            };
            (mark.id, answer)
        }));
    }

    /// Reads marks from the store, as many as there is room for. Those that the settings do not name any more are forgotten.
    async fn load(&mut self, batch: &mut Batch) -> Result<(), StoreDown> {
        let is_begun = self.from.is_none();
        loop {
            let from = self.from.take();
            let page = move |store: &dyn Store| records::marks(store, from.as_ref(), HOOK_PAGE);
            let page = match self.epoch.storage.read(page).await? {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(hook = %self.hook.name, %error, "what a hook is to be told cannot be read");
                    break;
                }
            };
            if page.damaged > 0 {
                tracing::error!(
                    damaged = page.damaged,
                    "what hooks are to be told is damaged; `syncline verify` says where"
                );
            }
            for (hook, mark) in page.marks {
                if hook == self.hook.name {
                    self.take_in(batch, mark);
                }
            }
            if batch.len() >= DELETE_BATCH_MAX {
                self.epoch.storage.commit(std::mem::take(batch)).await?;
            }
            self.from = page.next;
            if self.from.is_none() || !self.machine.has_room() {
                break;
            }
        }
        let is_whole = is_begun && self.from.is_none();
        self.machine.loaded(self.epoch.clock.now(), is_whole);
        Ok(())
    }

    fn take_in(&mut self, batch: &mut Batch, mark: HookMark) {
        let tenant = self.tenant(mark.id.tenant);
        let is_meant = tenant.is_some_and(|tenant| self.hook.covers(&tenant, &mark.name));
        if is_meant && self.hook.events.contains(&mark.id.event) {
            self.machine.load(self.epoch.clock.now(), mark);
        } else {
            records::clear_mark(batch, &self.hook.name, &mark.id);
        }
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
                    if is_there(&self.epoch, &mark).await == Some(false) {
                        self.machine.gone((id, mark.id.document));
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

/// Returns whether a mark is about what there is: its document may have been erased since. Nothing is returned if nobody can tell now.
async fn is_there(epoch: &Epoch, mark: &HookMark) -> Option<bool> {
    if mark.id.event == HookEvent::Deleted {
        return Some(true);
    }
    let (id, name) = (mark.id, mark.name.clone());
    let known = epoch.storage.read(move |store: &dyn Store| records::name(store, id.tenant, &name)).await;
    known.ok()?.ok().map(|known| known == Some(id.document))
}

/// Draws a number. Without randomness all pauses are as long as is usual.
fn chance() -> u32 {
    let mut drawn = [0; 4];
    getrandom::fill(&mut drawn).map_or(u32::MAX / 2, |()| u32::from_be_bytes(drawn))
}
