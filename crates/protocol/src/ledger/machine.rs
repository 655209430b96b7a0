//! The ledger of one tenant shard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use syncline_core::clock::{HybridTime, ReplicaId};
use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{
    ActorName, Actors, EntityId, EntityKey, EntityType, Epoch, Record, Sequence, TypeError, TypeName,
};
use syncline_core::limits::{COMMIT_WRITES_MAX, PULL_RESULTS_MAX};
use syncline_core::time::Now;

use super::conflicts::Comment;
use super::message::{
    Acked, Answer, ConflictId, Effect, Input, Kept, LedgerCommit, OpResult, RequestId, Write,
};
use super::push::{Asks, Push};
use super::{Log, Numbers, Settings};

/// The entities of one tenant shard: one writer, one log without gaps.
///
/// What an op does is decided when it comes and held in memory; it is gathered into the next commit, of which one is under way
/// at a time. Each answer, that of a pull too, waits for the commit of what it rests on.
///
/// Call [`poll_effect`](Self::poll_effect) until it returns none after each [`handle`](Self::handle). What waits for a commit
/// is as much as the requests that the caller lets be open at a time.
#[derive(Debug)]
pub struct Ledger {
    pub(super) types: BTreeMap<TypeName, EntityType>,
    pub(super) epoch: Epoch,
    pub(super) actors: Actors,
    pub(super) devices: BTreeMap<ReplicaId, Device>,
    pub(super) records: BTreeMap<EntityKey, Record>,
    pub(super) log: Log,
    pub(super) conflicts: BTreeMap<ConflictId, Conflict>,
    pub(super) open: BTreeMap<EntityKey, ConflictId>,
    pub(super) comments: BTreeMap<ConflictId, Vec<Comment>>,
    /// The latest time given or taken.
    pub(super) hlc: HybridTime,
    pub(super) settings: Settings,
    /// By device what it has pushed and has no answer yet.
    pub(super) pushes: BTreeMap<ReplicaId, VecDeque<Push>>,
    pub(super) asks: Asks,
    /// What the last of the next commits will hold.
    pub(super) gathered: Vec<Write>,
    /// Devices whose numbers go with that.
    pub(super) renumbered: BTreeSet<ReplicaId>,
    /// What the commits before that one will hold.
    sealed: VecDeque<Vec<Write>>,
    /// The last commit that was begun.
    begun: LedgerCommit,
    durable: LedgerCommit,
    /// What is to leave, with the commits that it waits for; ascending.
    parked: VecDeque<(LedgerCommit, Effect)>,
    effects: VecDeque<Effect>,
}

/// Why stored writes are no ledger. The store is at fault, or who gives the types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerLoadError {
    /// Actors are numbered from 0 without gaps, and come by their numbers.
    #[error("actor {number} comes where {expected} is expected")]
    Actor {
        /// The number that came.
        number: ReplicaId,
        /// The number that would follow.
        expected: ReplicaId,
    },
    /// A type that is given is none, or would alter what stored records mean.
    #[error("type `{name}` cannot be used")]
    Type {
        /// Its name.
        name: TypeName,
        /// What is wrong with it.
        #[source]
        error: TypeError,
    },
}

/// What is known of one device.
#[derive(Debug, Default)]
pub(super) struct Device {
    pub(super) numbers: Numbers,
    pub(super) kept: BTreeMap<u64, Kept>,
    pub(super) acked: Acked,
    /// The last op that was to create an entity.
    pub(super) created: BTreeMap<EntityKey, u64>,
    /// The ids of entities that the device names by temporary ones.
    pub(super) ids: BTreeMap<EntityKey, EntityId>,
}

impl Ledger {
    /// Returns the ledger as it was left by the writes that are durable, of each key the last, by ascending key; the records may
    /// come in any order.
    ///
    /// Types may be given that are not stored yet, or were changed so that records mean the same. One that was changed by
    /// [`Input::DefineType`] since it was given first stays as it was changed.
    ///
    /// # Errors
    /// [`LedgerLoadError::Actor`] if the actors are not all there, or in another order; [`LedgerLoadError::Type`] if a given
    /// type is none, or neither it nor the stored one could follow the other.
    pub fn load(
        types: impl IntoIterator<Item = EntityType>,
        epoch: Epoch,
        stored: impl IntoIterator<Item = Write>,
    ) -> Result<Self, LedgerLoadError> {
        let mut ledger = Self {
            types: BTreeMap::new(),
            epoch,
            actors: Actors::new(),
            devices: BTreeMap::new(),
            records: BTreeMap::new(),
            log: Log::new(),
            conflicts: BTreeMap::new(),
            open: BTreeMap::new(),
            comments: BTreeMap::new(),
            hlc: HybridTime::default(),
            settings: Settings::default(),
            pushes: BTreeMap::new(),
            asks: Asks::default(),
            gathered: Vec::new(),
            renumbered: BTreeSet::new(),
            sealed: VecDeque::new(),
            begun: LedgerCommit(0),
            durable: LedgerCommit(0),
            parked: VecDeque::new(),
            effects: VecDeque::new(),
        };
        for write in stored {
            ledger.restore(write)?;
        }
        for ty in types {
            ledger.give_type(ty)?;
        }
        Ok(ledger)
    }

    /// Returns the ledger with settings other than the usual ones.
    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Takes in what has happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Push { request, actor, clock, ops } => {
                self.push(now.wall, request, &actor, clock, ops);
            }
            Input::Pull { request, actor, pos, count_max } => {
                let answer = self.pull(&actor, pos, count_max);
                self.park(request, answer);
            }
            Input::Ack { request, actor, acked } => {
                let answer = self.acknowledge(&actor, acked);
                self.park(request, answer);
            }
            Input::Committed(commit) => self.durable = self.durable.max(commit),
            Input::DefineType { request, ty } => {
                let answer = self.define_type(*ty);
                self.park(request, answer);
            }
            Input::Answered { ask, verdict } => self.answered(now.wall, ask, verdict),
            Input::Conflict { request, conflict, wish } => {
                let answer = self.wish(now.wall, conflict, wish);
                self.park(request, answer);
            }
            Input::Tick => self.tick(now.wall),
        }
        self.settle();
    }

    /// Returns what is to be done next.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns the actors, durable or not.
    #[must_use]
    pub const fn actors(&self) -> &Actors {
        &self.actors
    }

    /// Returns the commit that all rests on that can be seen now.
    #[must_use]
    pub fn rests_on(&self) -> LedgerCommit {
        let ahead = self.sealed.len() as u64 + u64::from(self.is_gathering());
        LedgerCommit(self.begun.0 + ahead)
    }

    /// Returns whether a commit is durable.
    #[must_use]
    pub fn is_durable(&self, commit: LedgerCommit) -> bool {
        commit <= self.durable
    }

    /// Returns a record, durable or not.
    #[must_use]
    pub fn record(&self, key: &EntityKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// Returns the conflicts, durable or not.
    pub fn conflicts(&self) -> impl Iterator<Item = (ConflictId, &Conflict)> {
        self.conflicts.iter().map(|(&id, conflict)| (id, conflict))
    }

    /// Returns the number of an actor, which is stored if it is new.
    pub(super) fn number(&mut self, name: &ActorName) -> ReplicaId {
        if let Some(known) = self.actors.known(name) {
            return known;
        }
        let number = self.actors.number(name);
        self.gathered.push(Write::Actor(number, name.clone()));
        number
    }

    /// Raises what a device has acknowledged, never beyond what there is: results that are still to come stay to be told.
    fn acknowledge(&mut self, name: &ActorName, acked: Acked) -> Answer {
        let actor = self.number(name);
        let device = self.devices.entry(actor).or_default();
        let before = device.acked;
        device.acked = Acked {
            pos: before.pos.max(acked.pos.min(self.log.head())),
            results_through: before.results_through.max(acked.results_through.min(device.numbers.last())),
        };
        if device.acked != before {
            self.gathered.push(Write::Acked(actor, device.acked));
        }
        Answer::Acked(device.acked)
    }

    fn pull(&self, name: &ActorName, pos: Sequence, count_max: usize) -> Answer {
        let page = self.log.page(pos, count_max);
        let records = page.entries.into_iter().map(|(_, key)| {
            let record = self.records[&key].clone();
            (key, record)
        });
        let device = self.actors.known(name).and_then(|actor| self.devices.get(&actor));
        let results = device.into_iter().flat_map(Device::unacknowledged).take(PULL_RESULTS_MAX);
        Answer::Changes {
            records: records.collect(),
            pos: page.pos,
            head: page.head,
            results: results.cloned().collect(),
        }
    }

    pub(super) fn park(&mut self, request: RequestId, answer: Answer) {
        self.park_effect(Effect::Answer { request, answer });
    }

    /// Holds back an effect until all that has been gathered so far is durable.
    pub(super) fn park_effect(&mut self, effect: Effect) {
        self.parked.push_back((self.rests_on(), effect));
    }

    /// Ends a batch that is long enough. The caller stands between ops that stand or fall together.
    pub(super) fn seal_if_full(&mut self) {
        if self.gathered.len() >= COMMIT_WRITES_MAX {
            self.seal();
        }
    }

    fn seal(&mut self) {
        for actor in std::mem::take(&mut self.renumbered) {
            let numbers = self.devices.get(&actor).map(|device| device.numbers.clone());
            self.gathered.extend(numbers.map(|numbers| Write::Numbers(actor, numbers)));
        }
        self.sealed.push_back(std::mem::take(&mut self.gathered));
    }

    fn is_gathering(&self) -> bool {
        !self.gathered.is_empty() || !self.renumbered.is_empty()
    }

    /// Begins a commit if none is under way, and lets out what has become durable.
    fn settle(&mut self) {
        while self.parked.front().is_some_and(|(rests_on, _)| *rests_on <= self.durable) {
            let parked = self.parked.pop_front();
            self.effects.extend(parked.map(|(_, effect)| effect));
        }
        if self.durable < self.begun {
            return;
        }
        if self.sealed.is_empty() && self.is_gathering() {
            self.seal();
        }
        if let Some(batch) = self.sealed.pop_front() {
            self.begun = LedgerCommit(self.begun.0 + 1);
            self.effects.push_back(Effect::Commit { commit: self.begun, batch });
        }
    }

    fn restore(&mut self, write: Write) -> Result<(), LedgerLoadError> {
        match write {
            Write::Actor(number, name) => {
                let expected = self.actors.number(&name);
                if expected != number {
                    return Err(LedgerLoadError::Actor { number, expected });
                }
            }
            Write::Acked(number, acked) => self.devices.entry(number).or_default().acked = acked,
            Write::Numbers(number, numbers) => self.devices.entry(number).or_default().numbers = numbers,
            Write::Result(dot, kept) => {
                self.hlc = self.hlc.max(kept.trace.hlc);
                self.devices.entry(dot.replica).or_default().keep(dot.counter, *kept);
            }
            Write::Record(key, record) => {
                self.hlc = self.hlc.max(record.hlc);
                self.log.restore(key.clone(), record.seq);
                self.records.insert(key, *record);
            }
            Write::Conflict(id, conflict) => {
                if conflict.is_open() {
                    self.open.insert(conflict.entity().clone(), id);
                }
                self.conflicts.insert(id, *conflict);
            }
            Write::Type(ty) => drop(self.types.insert(ty.name.clone(), *ty)),
            Write::Named(actor, sent, id) => {
                self.devices.entry(actor).or_default().ids.insert(sent, id);
            }
            Write::Comment(id, _, comment) => self.comments.entry(id).or_default().push(*comment),
        }
        Ok(())
    }
}

impl Device {
    pub(super) fn keep(&mut self, n: u64, kept: Kept) {
        if kept.creates {
            let last = self.created.entry(kept.result.entity.clone()).or_insert(n);
            *last = n.max(*last);
        }
        self.kept.insert(n, kept);
    }

    fn unacknowledged(&self) -> impl Iterator<Item = &OpResult> {
        let behind = (Bound::Excluded(self.acked.results_through), Bound::Unbounded);
        self.kept.range(behind).map(|(_, kept)| &kept.result)
    }
}
