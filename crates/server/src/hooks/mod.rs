//! Hooks: applications elsewhere are told of what happens to documents, once that is durable.
//!
//! What a hook is to be told is stored in the batch that it tells of, as a mark; rooms tell the hook's task of it when the batch is
//! durable. Each hook has a task, which owns a [`syncline_protocol::hooks::Hook`], makes the requests that it wants made, and removes marks
//! that were taken.
//!
//! * `settings`: what an operator says; `task`: the task of one hook; `request`: one request;
//! * `operate`: dead letters, for operators; `strangers`: marks of hooks that there are no more.
//!
//! Invariants:
//! * nothing is told that is not durable, nor of a tenant or a document that the settings do not name;
//! * a room never waits for a hook: what a task cannot take in it reads from the store;
//! * no hook waits for another, and a server that stops waits for none: what was not taken is told after the next start.

mod operate;
mod request;
mod settings;
mod strangers;
mod task;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use syncline_core::{
    hook::{HookEvent, HookMark, HookMarkId},
    id::{CommitNumber, DocumentId},
    time::WallMs,
};
use syncline_protocol::hooks::Topic;
use syncline_store::{Batch, records};
use tokio::sync::{Notify, mpsc};

pub use self::settings::{HookError, HookSettings};
pub(crate) use self::{
    operate::{Done, Letter, NotAsked, Operation},
    settings::{Configured, HookSet},
};
use self::{strangers::forget_strangers, task::HookTask};
use crate::{changes::Change, epoch::Epoch, limits::HOOK_INBOX_MAX, registry::RoomKey};

/// The hooks of one epoch.
#[derive(Debug)]
pub(crate) struct Hooks {
    lines: Vec<Line>,
}

/// The way to the task of one hook.
#[derive(Debug)]
struct Line {
    hook: Arc<Configured>,
    inbox: mpsc::Sender<ToHook>,
    missed: Arc<Missed>,
    /// Taken when the task begins.
    ends: std::sync::Mutex<Option<mpsc::Receiver<ToHook>>>,
}

/// Whether something is in the store that the task was not told of.
#[derive(Debug, Default)]
struct Missed {
    some: AtomicBool,
    noticed: Notify,
}

/// What the task of a hook is told.
#[derive(Debug)]
enum ToHook {
    /// Something has become durable.
    Note(HookMark),
    /// A document is gone, which the hook is not told.
    Gone(Topic, DocumentId),
    /// An operator asks something.
    Operate(Operation),
}

/// What hooks are told, each by its place among them. It is put into a batch, and told when that is durable.
#[derive(Debug, Default)]
pub(crate) struct Notices(Vec<(usize, ToHook)>);

impl Hooks {
    pub(crate) fn new(set: &HookSet) -> Self {
        let line = |hook: &Arc<Configured>| {
            let (inbox, ends) = mpsc::channel(HOOK_INBOX_MAX);
            let (missed, ends) = (Arc::default(), std::sync::Mutex::new(Some(ends)));
            Line { hook: Arc::clone(hook), inbox, missed, ends }
        };
        Self { lines: set.iter().map(line).collect() }
    }

    /// Begins to tell. What waits from before is read first.
    pub(crate) fn begin(epoch: &Arc<Epoch>) {
        epoch.tasks.spawn(forget_strangers(Arc::clone(epoch)));
        for line in &epoch.hooks.lines {
            let ends = line.ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if let Some(inbox) = ends {
                let task = HookTask::new(epoch, &line.hook, inbox, Arc::clone(&line.missed));
                epoch.tasks.spawn(task.run());
            }
        }
    }

    /// Returns which hooks are told of a document.
    pub(crate) fn of(&self, room: &RoomKey) -> Vec<usize> {
        let covers = |line: &Line| line.hook.covers(room.tenant.name(), &room.name);
        (0..).zip(&self.lines).filter(|(_, line)| covers(line)).map(|(at, _)| at).collect()
    }

    /// Returns what these hooks are told of a commit.
    pub(crate) fn notices(
        &self,
        those: &[usize],
        room: &RoomKey,
        change: &Change,
        is_first: bool,
    ) -> Notices {
        let mut notices = Notices::default();
        let created = is_first.then_some(HookEvent::Created);
        for event in created.into_iter().chain([HookEvent::Changed]) {
            let of = (change.document, change.commit);
            notices.add(self, those, room, of, event, change.at);
        }
        notices
    }

    /// Returns what hooks are told of the end of a document.
    pub(crate) fn end_of(&self, room: &RoomKey, document: DocumentId, at: WallMs) -> Notices {
        let (mut notices, those) = (Notices::default(), self.of(room));
        notices.add(self, &those, room, (document, CommitNumber(0)), HookEvent::Deleted, at);
        let topic = Topic { tenant: room.tenant.id(), name: room.name.clone() };
        let not_told = those.iter().filter(|at| !self.lines[**at].hook.events.contains(&HookEvent::Deleted));
        notices.0.extend(not_told.map(|at| (*at, ToHook::Gone(topic.clone(), document))));
        notices
    }

    /// Puts what is to be told into the batch that it is about.
    pub(crate) fn put(&self, batch: &mut Batch, notices: &Notices) {
        for (at, what) in &notices.0 {
            if let ToHook::Note(mark) = what {
                records::put_mark(batch, &self.lines[*at].hook.name, mark);
            }
        }
    }

    /// Tells what is durable now.
    pub(crate) fn tell(&self, notices: Notices) {
        for (at, what) in notices.0 {
            let line = &self.lines[at];
            if line.inbox.try_send(what).is_err() {
                line.missed.some.store(true, Ordering::Release);
                line.missed.noticed.notify_one();
            }
        }
    }
}

impl Notices {
    fn add(
        &mut self,
        hooks: &Hooks,
        those: &[usize],
        room: &RoomKey,
        (document, commit): (DocumentId, CommitNumber),
        event: HookEvent,
        at: WallMs,
    ) {
        let id = HookMarkId { tenant: room.tenant.id(), document, commit, event };
        let told = those.iter().filter(|at| hooks.lines[**at].hook.events.contains(&event));
        let mark = HookMark { id, name: room.name.clone(), at, attempts: 0, dead: None };
        self.0.extend(told.map(|place| (*place, ToHook::Note(mark.clone()))));
    }
}
