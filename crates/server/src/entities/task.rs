//! The task of a ledger.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, RwLock},
};

use syncline_core::entity::Actors;
use syncline_protocol::{
    CloseReason,
    ledger::{Answer, AskId, Effect, Input, Ledger, LedgerCommit, RequestId, Ticket, Verdict, Write},
};
use syncline_store::{
    Batch,
    records::ledger::{LedgerReadError, LedgerShelf, WornPage},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
    time::{Duration, interval, sleep_until},
};

use super::{
    documents::{self, Rooms},
    erasing,
    handle::{self, Answered, DeviceKeys, Documents, Found, Moved, ToLedger},
    handlers::{Handlers, PushQuestion},
    kept::{Secret, batch_of},
};
use crate::{
    epoch::Epoch,
    limits::{LEDGER_TICK_MS, LEDGER_TURN_MAX, MOVES_MAX},
    storage::StoreDown,
    tenants::{Signals, Tenant},
    work::Work,
};

/// Those who reach each ledger that is open: the table of ledgers, and whoever sweeps it.
const OWN_HANDLES: usize = 2;

/// Owns a ledger, and what of it is stored.
pub(crate) struct LedgerTask {
    epoch: Arc<Epoch>,
    tenant: Tenant,
    signals: Signals,
    /// Whether what had grown old is removed.
    is_swept: bool,
    machine: Ledger,
    shelf: LedgerShelf,
    inbox: mpsc::Receiver<ToLedger>,
    requests: u64,
    asked: BTreeMap<RequestId, oneshot::Sender<Answered>>,
    /// As they were when an answer last went out.
    actors: Arc<Actors>,
    /// What looks have found, with the commits that it rests on; ascending.
    found: VecDeque<(LedgerCommit, Found)>,
    /// What goes with the first commit.
    first: Batch,
    committing: Option<LedgerCommit>,
    commit: Work<Result<(), StoreDown>>,
    /// Pages that are read, to go with a commit to come.
    reading: Work<Result<Result<Vec<WornPage>, LedgerReadError>, StoreDown>>,
    worn: Vec<WornPage>,
    moved: broadcast::Sender<Moved>,
    durable: watch::Sender<LedgerCommit>,
    rooms: Rooms,
    documents: Documents,
    keys: DeviceKeys,
    handlers: Arc<Handlers>,
    /// What handlers are asked; the machine bounds how much that is.
    judging: JoinSet<(AskId, Verdict)>,
}

/// The store did not take a commit: nothing more is said.
struct Down;

impl LedgerTask {
    pub(super) fn new(
        (epoch, tenant, signals): (Arc<Epoch>, Tenant, Signals),
        machine: Ledger,
        shelf: LedgerShelf,
        first: Batch,
        inbox: mpsc::Receiver<ToLedger>,
        salt: Secret,
        handlers: Arc<Handlers>,
    ) -> Self {
        let mut machine = machine;
        machine.handle(epoch.clock.now(), Input::Salt(salt));
        let documents = Documents::default();
        documents::note(&documents, &machine);
        let keys = machine.device_keys().map(|(device, key)| (device.clone(), key)).collect();
        Self {
            moved: broadcast::Sender::new(MOVES_MAX),
            durable: watch::Sender::default(),
            epoch,
            tenant,
            signals,
            is_swept: false,
            machine,
            shelf,
            first,
            inbox,
            requests: 0,
            asked: BTreeMap::new(),
            actors: Arc::default(),
            found: VecDeque::new(),
            committing: None,
            commit: Work::NONE,
            reading: Work::NONE,
            worn: Vec::new(),
            rooms: Rooms::default(),
            documents,
            keys: Arc::new(RwLock::new(keys)),
            handlers,
            judging: JoinSet::new(),
        }
    }

    /// Returns where the keys of devices are told.
    pub(super) fn keys(&self) -> DeviceKeys {
        Arc::clone(&self.keys)
    }

    /// Returns which types have documents.
    pub(super) fn documents(&self) -> Documents {
        Arc::clone(&self.documents)
    }

    /// Returns where it is told what has changed.
    pub(super) fn moved(&self) -> broadcast::Sender<Moved> {
        self.moved.clone()
    }

    /// Returns where the last commit is told that is durable.
    pub(super) fn durable(&self) -> watch::Receiver<LedgerCommit> {
        self.durable.subscribe()
    }

    /// Serves until the epoch ends: what was taken in by then is stored and answered. What holds nothing ends earlier, when nobody
    /// uses it.
    pub(crate) async fn run(mut self) {
        if self.hold_declared().is_err() {
            return;
        }
        let epoch = Arc::clone(&self.epoch);
        let mut drain = std::pin::pin!(epoch.ledger_drain.cancelled());
        let mut ticks = interval(Duration::from_millis(LEDGER_TICK_MS));
        let mut timer = std::pin::pin!(sleep_until(epoch.clock.instant(epoch.clock.monotonic())));
        let mut armed = None;
        let mut is_open = true;
        // The first tick comes at once, before whoever had the ledger opened can have asked it anything.
        let mut is_young = true;
        while is_open || self.commit.is_under_way() {
            let due = self.machine.next_deadline();
            if let Some(at) = due
                && due != armed
            {
                timer.as_mut().reset(epoch.clock.wall_instant(at));
            }
            armed = due;
            let served = tokio::select! {
                biased;
                committed = self.commit.done() => self.committed(committed),
                read = self.reading.done() => self.read(read),
                () = drain.as_mut(), if is_open => {
                    self.inbox.close();
                    is_open = false;
                    self.take_all()
                }
                Some(Ok((ask, verdict))) = self.judging.join_next(), if is_open => {
                    self.handle(Input::Answered { ask, verdict })
                }
                Some(message) = self.inbox.recv(), if is_open => self.turn(message),
                _ = ticks.tick(), if is_open => {
                    if !is_young && self.is_left() {
                        return;
                    }
                    is_young = false;
                    self.handle(Input::Tick)
                }
                () = timer.as_mut(), if is_open && armed.is_some() => {
                    // It is set anew if the wall clock is not that far.
                    armed = None;
                    self.handle(Input::Tick)
                }
            };
            if served.is_err() {
                break;
            }
            if is_open && !is_young && self.is_looked_over() && self.is_left() {
                return;
            }
        }
    }

    /// Whoever only looks at a tenant stores nothing: the types that an operator has declared go with the first commit that
    /// anybody asks for.
    fn hold_declared(&mut self) -> Result<(), Down> {
        if self.tenant.is_stored() {
            return Ok(());
        }
        while let Some(effect) = self.machine.poll_effect() {
            if let Effect::Commit { commit, batch, .. } = effect {
                let stored = self.batch_of(&batch, &[])?;
                self.first.append(stored);
                self.machine.handle(self.epoch.clock.now(), Input::Committed(commit));
            }
        }
        Ok(())
    }

    /// Returns whether the ledger is none that anybody will find again, for nobody uses it, and it holds nothing or was only looked
    /// over.
    pub(crate) fn is_left(&self) -> bool {
        let is_still = !self.commit.is_under_way() && !self.reading.is_under_way() && self.judging.is_empty();
        let is_idle = self.asked.is_empty() && self.found.is_empty() && is_still;
        let is_stored = self.tenant.is_stored();
        if !is_idle || is_stored && !self.is_looked_over() {
            return false;
        }
        let is_unused = || {
            let has_users = self.inbox.sender_strong_count() > OWN_HANDLES;
            // Whoever wants it says so under the same lock.
            self.inbox.is_empty() && !has_users && !(is_stored && self.signals.is_wanted())
        };
        self.epoch.ledgers.remove_if(self.tenant.id(), is_unused)
    }

    /// Returns whether all is done for which a ledger is opened that nobody has asked for: nothing is to be done before it is looked
    /// over again.
    fn is_looked_over(&self) -> bool {
        self.is_swept && !self.signals.is_wanted() && self.machine.next_deadline().is_none()
    }

    /// Takes in a message and what else has come by now, so that one commit holds it all.
    fn turn(&mut self, message: ToLedger) -> Result<(), Down> {
        let mut next = Some(message);
        for _ in 0..LEDGER_TURN_MAX {
            let Some(message) = next else { break };
            self.take(message)?;
            next = self.inbox.try_recv().ok();
        }
        if let Some(message) = next {
            self.take(message)?;
        }
        Ok(())
    }

    /// Takes in what is left in a closed inbox.
    fn take_all(&mut self) -> Result<(), Down> {
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message)?;
        }
        Ok(())
    }

    fn take(&mut self, message: ToLedger) -> Result<(), Down> {
        match message {
            ToLedger::Ask { lease: Some(lease), .. } if lease.is_over(self.epoch.clock.now().wall) => Ok(()),
            ToLedger::Ask { input, answer, .. } => {
                self.requests += 1;
                let request = RequestId(self.requests);
                self.asked.insert(request, answer);
                self.handle(input(&self.machine, request))
            }
            ToLedger::Touch { touch, stored } => {
                let (input, leases) = self.rooms.take(touch, stored);
                let handled = self.handle(input);
                drop(leases);
                handled
            }
            ToLedger::Merged { merge, outcome } => self.handle(Input::Merged { merge, outcome }),
            ToLedger::Look(look) => {
                let found = look(&self.machine);
                self.found.push_back((self.machine.rests_on(), found));
                self.let_out();
                Ok(())
            }
            ToLedger::Swept => {
                self.is_swept = true;
                self.signals.note_swept();
                Ok(())
            }
        }
    }

    fn committed(&mut self, committed: Result<(), StoreDown>) -> Result<(), Down> {
        let Some(commit) = self.committing.take() else { return Ok(()) };
        // The halt of the epoch was set by whoever saw the failure first.
        committed.map_err(|_| Down)?;
        self.rooms.stored(&self.epoch.changes, self.tenant.id());
        self.handle(Input::Committed(commit))?;
        self.durable.send_replace(commit);
        self.let_out();
        if !self.reading.is_under_way()
            && self.worn.is_empty()
            && let Some(pages) = self.shelf.worn()
        {
            let storage = self.epoch.storage.clone();
            self.reading.start(async move { storage.read(move |store| pages.read(store)).await });
        }
        Ok(())
    }

    /// What was read goes with the next commit: nobody waits for it.
    fn read(&mut self, read: Result<Result<Vec<WornPage>, LedgerReadError>, StoreDown>) -> Result<(), Down> {
        match read.map_err(|_| Down)? {
            Ok(worn) => self.worn = worn,
            Err(error) => tracing::error!(%error, "pages of the ledger cannot be rewritten"),
        }
        Ok(())
    }

    fn handle(&mut self, input: Input) -> Result<(), Down> {
        self.machine.handle(self.epoch.clock.now(), input);
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Commit { commit, batch, rooms } => self.begin(commit, &batch, &rooms)?,
                Effect::Merge(wanted) => documents::merge(&self.epoch, &self.tenant, wanted),
                Effect::Refuse { ticket } => self.rooms.refuse(ticket),
                Effect::Deleted { key } => documents::close(&self.epoch, &self.tenant, &key),
                Effect::Moved { sections, .. } => {
                    // Nobody may be listening.
                    drop(self.moved.send(Moved { sections: Arc::new(sections) }));
                }
                Effect::Answer { request, answer } => {
                    let actors = self.actors();
                    if matches!(answer, Answer::TypeDefined { .. }) {
                        documents::note(&self.documents, &self.machine);
                    }
                    handle::note_keys(&self.keys, &answer);
                    if let Some(asked) = self.asked.remove(&request) {
                        // Whoever asked may be gone.
                        drop(asked.send(Answered { answer, actors }));
                    }
                }
                Effect::Ask { ask, user, device, op, server } => {
                    let server = server.map(|record| *record);
                    let tenant = self.tenant.name().clone();
                    let question =
                        PushQuestion { tenant, user, device, op: *op, server, actors: self.actors() };
                    self.judge(ask, question);
                }
            }
        }
        Ok(())
    }

    /// Has a handler judge an op. Whoever pushed it is told nothing if the server stops first, and sends it again.
    fn judge(&mut self, ask: AskId, question: PushQuestion) {
        let kind = question.op.entity.kind.clone();
        let named = self.machine.entity_type(&kind).and_then(|ty| ty.handler.clone());
        let handlers = Arc::clone(&self.handlers);
        self.judging.spawn(async move { (ask, handlers.judge(kind, named, question).await) });
    }

    fn begin(&mut self, commit: LedgerCommit, writes: &[Write], rooms: &[Ticket]) -> Result<(), Down> {
        let worn = std::mem::take(&mut self.worn);
        let id = self.tenant.id();
        let stored = self.batch_of(writes, &worn)?;
        let mut batch = std::mem::take(&mut self.first);
        batch.append(stored);
        documents::forget(&mut batch, id, &self.machine, writes);
        let store = |batch: &mut Batch| self.rooms.store(batch, rooms);
        erasing::complete(&mut batch, id, &self.machine, writes, store);
        self.committing = Some(commit);
        self.commit.start(self.tenant.commit(&self.epoch.storage, batch));
        Ok(())
    }

    fn batch_of(&mut self, writes: &[Write], worn: &[WornPage]) -> Result<Batch, Down> {
        batch_of(&mut self.shelf, self.tenant.id(), writes, worn).map_err(|error| {
            tracing::error!(%error, "the ledger wrote something that is too long to be stored");
            self.epoch.halt.set(CloseReason::Internal);
            Down
        })
    }

    /// Actors are added and never change.
    fn actors(&mut self) -> Arc<Actors> {
        if self.actors.len() != self.machine.actors().len() {
            self.actors = Arc::new(self.machine.actors().clone());
        }
        Arc::clone(&self.actors)
    }

    /// Lets out what looks have found that is durable by now.
    fn let_out(&mut self) {
        while self.found.front().is_some_and(|(rests_on, _)| self.machine.is_durable(*rests_on)) {
            if let Some((_, found)) = self.found.pop_front() {
                found();
            }
        }
    }
}
