//! One room: what wakes it, and what it does then.

mod begin;
mod long;
mod storing;

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use syncline_core::{
    id::{ConnectionId, DocumentId},
    log::Author,
    time::WallMs,
};
use syncline_protocol::{Absorbed, CloseReason, Effect, Hosted, Input, Loaded, Outbox, Revision, Stats};
use syncline_store::records::Branch;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Sleep, sleep_until},
};

pub(crate) use self::long::LongWork;
use self::long::is_long;
use super::{
    Join, ToRoom,
    entity::{Owed, Uncommitted},
    turn_away,
};
use crate::{
    access::Lease,
    compaction,
    deletion::Deletion,
    epoch::Epoch,
    hooks::Notices,
    limits::{LISTED_PEOPLE_MAX, ROOM_TICK_MESSAGES_MAX},
    loader::{self, OpenError, Opened},
    lobby::{Card, Size},
    memory::MemoryShare,
    outbox::SharedOutbox,
    registry::{RoomKey, RoomNumber, Shortage},
    work::Work,
};

pub(super) struct RoomTask {
    epoch: Arc<Epoch>,
    key: RoomKey,
    number: RoomNumber,
    document: DocumentId,
    /// Whether the store knows which document the name means; if not, the first commit tells it.
    named: bool,
    machine: Hosted,
    inbox: mpsc::Receiver<ToRoom>,
    card: Arc<Card>,
    /// When the commit under way was made, and the last one that is stored.
    committing: Option<WallMs>,
    edited: Option<WallMs>,
    /// The hooks that are told of the document, and what of the commit under way.
    hooks: Vec<usize>,
    notices: Notices,
    /// Whether the inbox is closed and empty: the room is asked to end.
    inbox_ended: bool,
    subscribers: BTreeMap<ConnectionId, Arc<SharedOutbox>>,
    /// Those who are not connected and wait for something.
    owed: Owed,
    /// Where the document comes from, if its first commit begins a branch.
    branch: Option<Box<Branch>>,
    /// Whether the entity that the document is was deleted.
    deleted: bool,
    /// Those who want the document deleted. The room ends with that.
    deletions: Vec<(Author, oneshot::Sender<Deletion>)>,
    commit: Work<Result<(), Uncommitted>>,
    compaction: Work<Option<usize>>,
    reload: Reload,
    memory: MemoryShare,
    shortage: Shortage,
    reported: Stats,
}

/// Reading the document again, which begins when the commit under way has ended, so as to see it.
enum Reload {
    None,
    Wanted,
    UnderWay(Work<Result<Loaded, OpenError>>),
}

/// What woke the room.
enum Wake {
    Committed(Result<(), Uncommitted>),
    Reloaded(Result<Loaded, OpenError>),
    Compacted(Option<usize>),
    Drain,
    /// A message, or the end of the inbox.
    Message(Option<ToRoom>),
    Timer,
    /// Memory is short, or are rooms of the tenant, and the room is idle.
    Pressed,
}

/// What the room does after it was woken.
enum Next {
    Go,
    /// It leaves the registry if it still can.
    Unload,
    End(CloseReason),
}

impl RoomTask {
    pub(super) fn new(
        epoch: Arc<Epoch>,
        key: RoomKey,
        number: RoomNumber,
        opened: Opened,
        inbox: mpsc::Receiver<ToRoom>,
        card: Arc<Card>,
    ) -> Self {
        let memory = MemoryShare::new(&epoch.memory);
        let shortage = epoch.registry.shortage(key.tenant.id());
        let hooks = epoch.hooks.of(&key);
        Self {
            epoch,
            key,
            number,
            document: opened.document,
            named: opened.named,
            machine: opened.machine,
            inbox,
            card,
            committing: None,
            edited: opened.edited,
            hooks,
            notices: Notices::default(),
            inbox_ended: false,
            subscribers: BTreeMap::new(),
            owed: Owed::default(),
            branch: None,
            deleted: false,
            deletions: Vec::new(),
            commit: Work::NONE,
            compaction: Work::NONE,
            reload: Reload::None,
            memory,
            shortage,
            reported: Stats::default(),
        }
    }

    /// Runs the room. Returns nothing if it was unloaded, or else why everyone in it must be closed.
    pub(super) async fn serve(&mut self) -> Option<CloseReason> {
        let epoch = Arc::clone(&self.epoch);
        let mut drain = std::pin::pin!(epoch.drain.cancelled());
        let mut timer = std::pin::pin!(sleep_until(epoch.clock.instant(epoch.clock.monotonic())));
        loop {
            let due = self.machine.poll_timeout().map(|at| epoch.clock.instant(at));
            if let Some(due) = due
                && due != timer.deadline()
            {
                timer.as_mut().reset(due);
            }
            let wake = self.wake(drain.as_mut(), timer.as_mut(), due.is_some()).await;
            match self.handle(wake) {
                Next::Go => {}
                Next::Unload => {
                    let unused = || self.inbox.is_empty() && self.machine.is_idle();
                    self.close_card();
                    if epoch.registry.remove_if(&self.key, self.number, unused) {
                        return None;
                    }
                }
                Next::End(reason) => return Some(reason),
            }
        }
    }

    /// Closes everyone and leaves the registry, once the store has answered what was handed to it: who opens the room
    /// next must find it there.
    pub(super) async fn end(&mut self, reason: Option<CloseReason>) {
        let mut reason = reason.unwrap_or(CloseReason::Internal);
        if reason == CloseReason::Deleted && !self.deletions.is_empty() {
            reason = self.delete().await;
        }
        for outbox in std::mem::take(&mut self.subscribers).into_values() {
            outbox.change(|outbox| outbox.close(reason));
        }
        if self.commit.is_under_way() && self.commit.done().await.is_ok() {
            // For a room that ends it changes nothing else.
            self.epoch.hooks.tell(std::mem::take(&mut self.notices));
        }
        self.close_card();
        self.epoch.registry.remove_if(&self.key, self.number, || true);
        if reason == CloseReason::Deleted {
            for (_, done) in self.deletions.drain(..) {
                // Whoever asked may not wait any more; whoever does finds another room from now on.
                let _ = done.send(Deletion::Deleted);
            }
        }
        let (_, closed) = mpsc::channel(1);
        turn_away(std::mem::replace(&mut self.inbox, closed), reason);
    }

    async fn wake(&mut self, drain: Pin<&mut impl Future>, timer: Pin<&mut Sleep>, timer_set: bool) -> Wake {
        let reloading = !matches!(self.reload, Reload::None);
        let accepts = !self.machine.is_saturated() && !self.inbox_ended;
        let draining = self.inbox_ended || self.inbox.is_closed();
        let may_unload = self.machine.is_idle() && self.inbox.is_empty();
        tokio::select! {
            biased;
            result = self.commit.done() => Wake::Committed(result),
            result = self.reload.done() => Wake::Reloaded(result),
            _ = drain, if !draining => Wake::Drain,
            message = self.inbox.recv(), if accepts => Wake::Message(message),
            snapshot_bytes = self.compaction.done() => Wake::Compacted(snapshot_bytes),
            () = timer, if timer_set && !reloading => Wake::Timer,
            () = self.memory.pressed(), if may_unload => Wake::Pressed,
            () = self.shortage.begun(), if may_unload => Wake::Pressed,
        }
    }

    fn handle(&mut self, wake: Wake) -> Next {
        match wake {
            Wake::Committed(Ok(())) => {
                self.committed();
                self.input(Input::Committed);
            }
            Wake::Committed(Err(error)) => {
                tracing::error!(room = self.key.name.as_str(), error = %error, "a commit failed");
                self.input(Input::CommitFailed);
                return Next::End(error.close_reason());
            }
            Wake::Reloaded(Ok(loaded)) => self.input(Input::Reloaded(loaded)),
            Wake::Reloaded(Err(error)) => return Next::End(error.close_reason()),
            Wake::Compacted(snapshot_bytes) => self.input(Input::Compacted { snapshot_bytes }),
            Wake::Drain if self.epoch.halt.is_set() => return Next::End(CloseReason::StoreDown),
            Wake::Drain => self.inbox.close(),
            Wake::Message(Some(message)) => self.take(message),
            Wake::Message(None) => self.inbox_ended = true,
            Wake::Timer => {
                let now = self.epoch.clock.now();
                self.machine.handle_timeout(now);
            }
            Wake::Pressed => return Next::Unload,
        }
        self.tick()
    }

    /// Takes in what waits, ends the tick, and carries out what the machine says.
    fn tick(&mut self) -> Next {
        for _ in 1..ROOM_TICK_MESSAGES_MAX {
            if self.machine.is_saturated() {
                break;
            }
            let Ok(message) = self.inbox.try_recv() else { break };
            self.take(message);
        }
        self.input(Input::Flush);
        let next = self.carry_out();
        self.report();
        if self.deleted || !self.deletions.is_empty() {
            return Next::End(CloseReason::Deleted);
        }
        let settled = !self.commit.is_under_way() && matches!(self.reload, Reload::None);
        if self.inbox_ended && settled { Next::End(CloseReason::Shutdown) } else { next }
    }

    fn take(&mut self, message: ToRoom) {
        self.machine.set_storage_full(self.epoch.usage.is_full(self.key.tenant.id()));
        match message {
            ToRoom::Join(Join { guest, outbox, .. }) if guest.dialect.engine() != self.machine.engine() => {
                outbox.change(|outbox| outbox.close(CloseReason::OtherKind));
            }
            ToRoom::Join(Join { connection, guest, outbox, handshake }) => {
                self.subscribers.insert(connection, outbox);
                self.input(Input::Join { connection, guest });
                drop(handshake);
            }
            ToRoom::Request { connection, request, lease, charge } => {
                // It may have waited longer than its sender may ask.
                let is_over = |lease: Arc<Lease>| lease.is_over(self.epoch.clock.now().wall);
                if !lease.is_some_and(is_over) {
                    self.input(Input::Request { connection, request });
                }
                drop(charge);
            }
            ToRoom::Access { connection, access } => self.input(Input::Access { connection, access }),
            ToRoom::Resume { connection, since } => self.input(Input::Resume { connection, since }),
            ToRoom::Leave { connection } => {
                self.subscribers.remove(&connection);
                self.input(Input::Leave { connection });
            }
            ToRoom::Merge { merge, author, update, done } => {
                self.owed.merge(merge, done);
                self.input(Input::Merge { merge, author, update });
            }
            ToRoom::Absorb { engine, done, .. } if engine != self.machine.engine() => {
                // Whoever brought it may not wait any more.
                let _ = done.send(Absorbed::Refused { reason: "other-kind" });
            }
            ToRoom::Absorb { engine: _, credit, update, made_for, done } => {
                let absorb = self.owed.absorb(done);
                self.input(Input::Absorb { absorb, credit, update, made_for });
            }
            ToRoom::Begin { engine, credit, update, branch, done } => {
                self.begin((engine, credit, update), branch, done);
            }
            ToRoom::Read { have, done } => {
                let read = self.owed.read(done);
                self.input(Input::Read { read, have });
            }
            ToRoom::Deleted => self.deleted = true,
            ToRoom::Delete { document, revision, author, done } => {
                self.take_deletion(document, revision, (author, done));
            }
            ToRoom::CloseAll { done } => {
                let closed = std::mem::take(&mut self.subscribers);
                let count = closed.len();
                for (connection, outbox) in closed {
                    outbox.change(|outbox| outbox.close(CloseReason::Forbidden));
                    self.input(Input::Leave { connection });
                }
                // Whoever asked may not wait any more.
                let _ = done.send(count);
            }
            ToRoom::Describe { done } => {
                self.describe();
                // Whoever asked may not wait any more.
                let _ = done.send(());
            }
        }
    }

    fn take_deletion(
        &mut self,
        document: DocumentId,
        revision: Option<Revision>,
        (author, done): (Author, oneshot::Sender<Deletion>),
    ) {
        let refused = if document != self.document {
            Deletion::Absent
        } else if revision.is_some_and(|revision| revision != self.machine.revision()) {
            Deletion::Changed
        } else {
            return self.deletions.push((author, done));
        };
        // Whoever asked may not wait any more.
        let _ = done.send(refused);
    }

    fn input(&mut self, input: Input) {
        let now = self.epoch.clock.now();
        let is_long = is_long(&self.machine, &input);
        self.epoch.long.work(is_long, || self.machine.handle(now, input));
    }

    fn carry_out(&mut self) -> Next {
        let mut next = Next::Go;
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Commit(record) => match self.batch(&record) {
                    Ok((batch, change)) => {
                        self.committing = change.as_ref().map(|change| change.at);
                        let (epoch, room) = (&self.epoch, &self.key);
                        self.commit.start(self.owed.commit(epoch, room, record.entries.len(), batch, change));
                    }
                    Err(error) => {
                        tracing::error!(room = self.key.name.as_str(), error = %error, "a commit has no record");
                        return Next::End(CloseReason::Internal);
                    }
                },
                Effect::Carry(merges) => self.owed.carry(merges),
                Effect::Merged(merge, outcome) => self.owed.merged(merge, outcome),
                Effect::Absorbed(absorb, absorbed) => self.owed.absorbed(absorb, absorbed),
                Effect::Read(read, content) => self.owed.tell(read, content),
                Effect::Publish(batch) => {
                    for outbox in self.subscribers.values() {
                        outbox.change(|outbox| outbox.publish(&batch));
                    }
                }
                Effect::Answer(to, batch) => self.change(to, |outbox| outbox.answer(batch)),
                Effect::Note(to, batch) => self.change(to, |outbox| outbox.note(&batch)),
                Effect::Text(to, batch) => self.change(to, |outbox| outbox.text(&batch)),
                Effect::Ask(to, batch) => self.change(to, |outbox| outbox.ask(batch)),
                Effect::Step(to, batch) => self.change(to, |outbox| outbox.step(batch)),
                Effect::Charge(to, bytes) => self.change(to, |outbox| outbox.charge(bytes)),
                Effect::Acknowledge(to, updates) => self.change(to, |outbox| outbox.acknowledge(updates)),
                Effect::Kept(to, version) => self.change(to, |outbox| outbox.kept(version)),
                Effect::Resume(to, batch) => self.change(to, |outbox| outbox.resume(batch)),
                Effect::Close(to, reason) => {
                    if let Some(outbox) = self.subscribers.remove(&to) {
                        outbox.change(|outbox| outbox.close(reason));
                    }
                }
                Effect::Compact(upto) => {
                    let retention = self.epoch.history.of(&self.key.name);
                    let (tenant, named) = (self.key.tenant.id(), self.named());
                    self.compaction.start(compaction::run(&self.epoch, tenant, named, retention, upto));
                }
                Effect::Reload => self.reload = Reload::Wanted,
                Effect::Unload => next = Next::Unload,
            }
        }
        if matches!(self.reload, Reload::Wanted) && !self.commit.is_under_way() {
            let mut work = Work::NONE;
            work.start(loader::read_again(Arc::clone(&self.epoch), self.key.tenant.id(), self.document));
            self.reload = Reload::UnderWay(work);
        }
        next
    }

    fn change(&self, connection: ConnectionId, change: impl FnOnce(&mut Outbox)) {
        if let Some(outbox) = self.subscribers.get(&connection) {
            outbox.change(change);
        }
    }

    fn describe(&self) {
        let people = self.machine.people(LISTED_PEOPLE_MAX);
        self.card.change(|facts| {
            facts.people = people;
            facts.described = self.machine.presence_changes();
        });
    }

    fn size(&self) -> Size {
        Size { bytes: self.machine.stored_bytes() as u64, edited: self.edited }
    }

    /// Leaves what the list shows of the room behind.
    fn close_card(&self) {
        if self.named {
            self.epoch.directories.of(self.key.tenant.id()).closed(&self.key.name, self.size());
        }
    }

    fn report(&mut self) {
        self.card.change(|facts| {
            facts.size = self.size();
            facts.stored = self.named;
            facts.connections = self.machine.connections();
            facts.presence_changes = self.machine.presence_changes();
        });
        self.memory.set(self.machine.memory_bytes());
        let stats = self.machine.stats();
        if stats != self.reported {
            self.epoch.metrics.room_counted(self.reported, stats);
            self.reported = stats;
        }
    }
}

impl Reload {
    async fn done(&mut self) -> Result<Loaded, OpenError> {
        match self {
            Self::None | Self::Wanted => std::future::pending().await,
            Self::UnderWay(work) => {
                let result = work.done().await;
                *self = Self::None;
                result
            }
        }
    }
}
