//! The ledger of one tenant shard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syncline_core::clock::{HybridTime, ReplicaId};
use syncline_core::entity::bucket::Bucket;
use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{ActorName, Actors, EntityKey, EntityType, Epoch, Record, Sequence, TypeName};
use syncline_core::time::{Now, WallMs};

use super::Log;
use super::device::Device;
use super::events::Heads;
use super::filling::Filling;
use super::message::{Answer, ConflictId, Effect, Input, LedgerCommit, Refused, RequestId, Write};
use super::scope::{Section, buckets_of};

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
    pub(super) fillings: BTreeMap<TypeName, Filling>,
    pub(super) actors: Actors,
    pub(super) devices: BTreeMap<ReplicaId, Device>,
    pub(super) records: BTreeMap<EntityKey, Record>,
    pub(super) log: Log,
    /// Where the log ended, on some days.
    pub(super) days: BTreeMap<WallMs, Sequence>,
    pub(super) conflicts: BTreeMap<ConflictId, Conflict>,
    pub(super) open: BTreeMap<EntityKey, ConflictId>,
    /// The latest time given or taken.
    pub(super) hlc: HybridTime,
    /// The ends of what is told to others.
    pub(super) heads: Heads,
    /// What salts are made from.
    pub(super) seed: Option<[u8; 32]>,
    /// What the next commit will hold.
    pub(super) gathered: Vec<Write>,
    /// Where the next commit will have changed anything.
    pub(super) moved: BTreeSet<Section>,
    /// Where the commit under way has, and the end of the log behind it.
    moving: (BTreeSet<Section>, Sequence),
    /// The last commit that was begun.
    begun: LedgerCommit,
    durable: LedgerCommit,
    /// Answers, with the commits that they wait for; ascending.
    parked: VecDeque<(LedgerCommit, RequestId, Answer)>,
    effects: VecDeque<Effect>,
}

impl Ledger {
    /// Returns a ledger in which nothing has happened.
    pub(super) fn new(types: impl IntoIterator<Item = EntityType>, epoch: Epoch) -> Self {
        Self {
            types: types.into_iter().map(|ty| (ty.name.clone(), ty)).collect(),
            epoch,
            fillings: BTreeMap::new(),
            actors: Actors::new(),
            devices: BTreeMap::new(),
            records: BTreeMap::new(),
            log: Log::new(),
            days: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            open: BTreeMap::new(),
            hlc: HybridTime::default(),
            heads: Heads::default(),
            seed: None,
            gathered: Vec::new(),
            moved: BTreeSet::new(),
            moving: Default::default(),
            begun: LedgerCommit(0),
            durable: LedgerCommit(0),
            parked: VecDeque::new(),
            effects: VecDeque::new(),
        }
    }

    /// Takes in what has happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.note_day(now.wall);
        let (from, heads) = (self.gathered.len(), self.heads);
        let answered = self.take_in(now, input);
        self.tell(now.wall, from, heads);
        if let Some((request, answer)) = answered {
            self.park(request, answer.unwrap_or_else(Answer::Refused));
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

    /// Returns the ends of the audit and of the outbox, durable or not.
    #[must_use]
    pub const fn heads(&self) -> Heads {
        self.heads
    }

    /// Returns the commit that all rests on that can be seen now.
    #[must_use]
    pub fn rests_on(&self) -> LedgerCommit {
        if self.gathered.is_empty() { self.begun } else { LedgerCommit(self.begun.0 + 1) }
    }

    /// Returns whether a commit is durable.
    #[must_use]
    pub fn is_durable(&self, commit: LedgerCommit) -> bool {
        commit <= self.durable
    }

    /// Returns the end of the log, durable or not.
    #[must_use]
    pub const fn head(&self) -> Sequence {
        self.log.head()
    }

    /// Returns the life of the log.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the types.
    pub fn types(&self) -> impl Iterator<Item = &EntityType> {
        self.types.values()
    }

    /// Returns a conflict, durable or not.
    #[must_use]
    pub fn conflict(&self, id: ConflictId) -> Option<&Conflict> {
        self.conflicts.get(&id)
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

    /// Puts a record to the end of the log.
    pub(super) fn put_record(&mut self, key: &EntityKey, mut record: Record) {
        let ty = self.types.get(&key.kind);
        let buckets = ty.map(|ty| buckets_of(ty, &record)).unwrap_or_default();
        let moves = self.log.append(key, (!record.deleted).then_some((record.ver, buckets)));
        let place = self.log.place(key).expect("it was just put there");
        let buckets = place.buckets.iter().chain(&moves.left).cloned().chain([Bucket::whole(&key.kind)]);
        self.moved.extend(buckets.map(|bucket| Section { kind: key.kind.clone(), bucket }));
        record.seq = moves.seq;
        record.epoch = self.epoch;
        self.gathered.push(Write::Record(key.clone(), Box::new(record.clone())));
        self.records.insert(key.clone(), record);
        self.gathered.extend(moves.buckets.map(|buckets| Write::Buckets(key.clone(), buckets)));
        let left = moves.left.into_iter().map(|bucket| Write::Evicted(bucket, key.clone(), Some(moves.seq)));
        self.gathered.extend(left);
        let returned = moves.returned.into_iter().map(|bucket| Write::Evicted(bucket, key.clone(), None));
        self.gathered.extend(returned);
    }

    /// Takes in what has happened, and returns the answer if it is a request.
    fn take_in(&mut self, now: Now, input: Input) -> Option<(RequestId, Result<Answer, Refused>)> {
        Some(match input {
            Input::Push { request, actor, user, clock, ops } => {
                let admitted = self.admit(now.wall, &actor, &user);
                (request, admitted.map(|()| self.push(now.wall, &actor, clock, &ops)))
            }
            Input::Pull { request, actor, user, scopes } => {
                let admitted = self.admit(now.wall, &actor, &user);
                (request, admitted.and_then(|()| self.pull(now.wall, &actor, &scopes)))
            }
            Input::Ack { request, actor, user, ack } => {
                let admitted = self.admit(now.wall, &actor, &user);
                (request, admitted.map(|()| self.acknowledge(now.wall, &actor, ack)))
            }
            Input::Bind { request, actor, user, about } => {
                (request, self.bind(now.wall, &actor, user, about))
            }
            Input::Revoke { request, actor, user } => (request, self.revoke(now.wall, &actor, user.as_ref())),
            Input::Resync { request, actor, user, scope, reason } => {
                let known = self.binding(&actor, user.as_ref()).map(|_| ()).map_err(Refused::Device);
                (request, known.map(|()| self.ask_resync(&actor, scope, reason)))
            }
            Input::Salt(seed) => {
                self.seed = Some(seed);
                return None;
            }
            Input::Tick => {
                self.age_results(now.wall);
                self.purge(now.wall);
                return None;
            }
            Input::Committed(commit) => {
                self.durable = self.durable.max(commit);
                return None;
            }
        })
    }

    fn park(&mut self, request: RequestId, answer: Answer) {
        self.parked.push_back((self.rests_on(), request, answer));
    }

    /// Begins a commit if none is under way, and lets out what has become durable.
    fn settle(&mut self) {
        while self.parked.front().is_some_and(|(rests_on, ..)| *rests_on <= self.durable) {
            let parked = self.parked.pop_front();
            self.effects.extend(parked.map(|(_, request, answer)| Effect::Answer { request, answer }));
        }
        if self.durable == self.begun {
            let (sections, head) = std::mem::take(&mut self.moving);
            self.effects.extend((!sections.is_empty()).then_some(Effect::Moved { sections, head }));
        }
        if self.durable == self.begun && !self.gathered.is_empty() {
            self.begun = LedgerCommit(self.begun.0 + 1);
            self.moving = (std::mem::take(&mut self.moved), self.log.head());
            let batch = std::mem::take(&mut self.gathered);
            self.effects.push_back(Effect::Commit { commit: self.begun, batch });
        }
    }
}
