//! The ledger of one tenant shard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use syncline_core::clock::{HybridTime, ReplicaId};
use syncline_core::entity::bucket::Bucket;
use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{
    ActorName, Actors, EntityKey, EntityType, Epoch, Record, Ruleset, Sequence, TypeName,
};
use syncline_core::limits::COMMIT_WRITES_MAX;
use syncline_core::time::{Now, WallMs};

use super::conflicts::Comment;
use super::device::Device;
use super::documents::{Merges, Ticket};
use super::erasure::{Erased, Swept};
use super::events::Heads;
use super::filling::Filling;
use super::message::{Answer, ConflictId, Effect, Input, LedgerCommit, Refused, RequestId, Write};
use super::push::{Asks, Push, Pushing};
use super::scope::{Section, buckets_of};
use super::scopes::ScopeDefinition;
use super::ties::Ties;
use super::users::Users;
use super::{Log, Packed, Settings, Written};

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
    pub(super) scopes: BTreeMap<TypeName, ScopeDefinition>,
    pub(super) rulesets: BTreeMap<TypeName, Ruleset>,
    pub(super) epoch: Epoch,
    pub(super) fillings: BTreeMap<TypeName, Filling>,
    pub(super) actors: Actors,
    pub(super) devices: BTreeMap<ReplicaId, Device>,
    pub(super) records: BTreeMap<EntityKey, Packed<Record>>,
    pub(super) ties: Ties,
    /// The entities that were erased, for ever.
    pub(super) erased: BTreeMap<EntityKey, Erased>,
    pub(super) swept: Swept,
    pub(super) users: Users,
    pub(super) log: Log,
    /// Where the log ended, on some days.
    pub(super) days: BTreeMap<WallMs, Sequence>,
    pub(super) conflicts: BTreeMap<ConflictId, Conflict>,
    pub(super) open: BTreeMap<EntityKey, ConflictId>,
    /// Those of open conflicts.
    pub(super) deadlines: BTreeSet<(WallMs, ConflictId)>,
    pub(super) comments: BTreeMap<ConflictId, Vec<Comment>>,
    /// The latest time given or taken.
    pub(super) hlc: HybridTime,
    /// The ends of what is told to others.
    pub(super) heads: Heads,
    /// What salts are made from.
    pub(super) seed: Option<[u8; 32]>,
    /// Of what the last of the next commits will hold, how much has been told, and the ends behind that.
    pub(super) told: (usize, Heads),
    /// The time of the last input.
    now: WallMs,
    pub(super) settings: Settings,
    /// By device what it has pushed and has no answer yet.
    pub(super) pushes: BTreeMap<ReplicaId, VecDeque<Push>>,
    pub(super) asks: Asks,
    pub(super) merges: Merges,
    /// What the last of the next commits will hold.
    pub(super) gathered: Vec<Write>,
    /// What rooms store with that.
    pub(super) rooms: Vec<Ticket>,
    /// Devices whose numbers go with that.
    pub(super) renumbered: BTreeSet<ReplicaId>,
    /// Where that will have changed anything.
    pub(super) moved: BTreeSet<Section>,
    /// The commits before that one.
    sealed: VecDeque<Sealed>,
    /// Where the commit under way has, and the end of the log behind it.
    moving: (BTreeSet<Section>, Sequence),
    /// The last commit that was begun.
    begun: LedgerCommit,
    durable: LedgerCommit,
    /// What is to leave, with the commits that it waits for; ascending.
    parked: VecDeque<(LedgerCommit, Effect)>,
    pub(super) effects: VecDeque<Effect>,
}

/// A commit that has not begun.
#[derive(Debug)]
struct Sealed {
    batch: Vec<Write>,
    rooms: Vec<Ticket>,
    /// Where it changes anything, and the end of the log behind it.
    moved: (BTreeSet<Section>, Sequence),
}

impl Ledger {
    /// Returns a ledger in which nothing has happened.
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            types: BTreeMap::new(),
            scopes: BTreeMap::new(),
            rulesets: BTreeMap::new(),
            epoch,
            fillings: BTreeMap::new(),
            actors: Actors::new(),
            devices: BTreeMap::new(),
            records: BTreeMap::new(),
            ties: Ties::default(),
            erased: BTreeMap::new(),
            swept: Swept::default(),
            users: Users::default(),
            log: Log::new(),
            days: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            open: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            comments: BTreeMap::new(),
            hlc: HybridTime::default(),
            heads: Heads::default(),
            seed: None,
            told: Default::default(),
            now: WallMs(0),
            settings: Settings::default(),
            pushes: BTreeMap::new(),
            asks: Asks::default(),
            merges: Merges::default(),
            gathered: Vec::new(),
            rooms: Vec::new(),
            renumbered: BTreeSet::new(),
            moved: BTreeSet::new(),
            sealed: VecDeque::new(),
            moving: Default::default(),
            begun: LedgerCommit(0),
            durable: LedgerCommit(0),
            parked: VecDeque::new(),
            effects: VecDeque::new(),
        }
    }

    /// Returns the ledger with settings other than the usual ones.
    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Takes in what has happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.note_day(now.wall);
        self.now = now.wall;
        let answered = self.take_in(now, input);
        self.tell(now.wall);
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
        let ahead = self.sealed.len() as u64 + u64::from(self.is_gathering());
        LedgerCommit(self.begun.0 + ahead)
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

    /// Returns a conflict, durable or not.
    #[must_use]
    pub fn conflict(&self, id: ConflictId) -> Option<&Conflict> {
        self.conflicts.get(&id)
    }

    /// Returns a record, durable or not.
    #[must_use]
    pub fn record(&self, key: &EntityKey) -> Option<Record> {
        self.records.get(key).map(Packed::read)
    }

    /// Returns the entities that come behind one, or all, in their order, durable or not.
    pub fn entities(&self, after: Option<&EntityKey>) -> impl Iterator<Item = &EntityKey> {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.records.range((behind, Bound::Unbounded)).map(|(key, _)| key)
    }

    /// Returns the records and what is left of deleted ones, durable or not.
    pub fn records(&self) -> impl Iterator<Item = (&EntityKey, Record)> {
        self.records.iter().map(|(key, record)| (key, record.read()))
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

    /// Puts a record to the end of the log, and returns it as it is there.
    pub(super) fn put_record(&mut self, key: &EntityKey, mut record: Record) -> Arc<Record> {
        // All that names the record shares one name.
        let known = self.records.get_key_value(key).map(|(known, _)| known.clone());
        let key = &known.unwrap_or_else(|| self.interned(key));
        let ty = self.types.get(&key.kind);
        let buckets = ty.map(|ty| buckets_of(ty, &record)).unwrap_or_default();
        let moves = self.log.append(key, (!record.deleted).then_some((record.ver, buckets)));
        let place = self.log.place(key).expect("it was just put there");
        let buckets = place.buckets.iter().chain(&moves.left).cloned().chain([Bucket::whole(&key.kind)]);
        self.moved.extend(buckets.map(|bucket| Section { kind: key.kind.clone(), bucket }));
        record.seq = moves.seq;
        record.epoch = self.epoch;
        let is_deleted = record.deleted;
        let is_tied = self.ties.is_tied(&key.kind);
        let before = if is_tied { self.record(key) } else { None };
        let record = Written::new(record);
        let value = Arc::clone(record.shared());
        if is_tied {
            self.ties.replace(key, before.as_ref(), Some(&value));
        }
        self.records.insert(key.clone(), record.packed());
        self.gathered.push(Write::Record(key.clone(), record));
        if is_deleted {
            self.close_room(key);
        }
        self.gathered.extend(moves.buckets.map(|buckets| Write::Buckets(key.clone(), buckets)));
        let left = moves.left.into_iter().map(|bucket| Write::Evicted(bucket, key.clone(), Some(moves.seq)));
        self.gathered.extend(left);
        let returned = moves.returned.into_iter().map(|bucket| Write::Evicted(bucket, key.clone(), None));
        self.gathered.extend(returned);
        value
    }

    /// Returns a name that shares its type with others.
    pub(super) fn interned(&self, key: &EntityKey) -> EntityKey {
        let kind = self.types.get_key_value(&key.kind).map_or(&key.kind, |(kind, _)| kind);
        EntityKey { kind: kind.clone(), id: key.id.clone() }
    }

    /// Takes in what has happened, and returns the answer if it is a request.
    fn take_in(&mut self, now: Now, input: Input) -> Option<(RequestId, Result<Answer, Refused>)> {
        Some(match input {
            Input::Push { request, actor, user, grants, clock, ops } => {
                if let Err(refused) = self.admit(now.wall, &actor, &user) {
                    return Some((request, Err(refused)));
                }
                // It is answered when each of its ops has its result, or is deferred.
                self.push(Pushing { now: now.wall, request, clock, grants }, &actor, ops);
                return None;
            }
            Input::Mutate { request, actor, user, grants, clock, mutations } => {
                let admitted = self.admit(now.wall, &actor, &user);
                let pushing = Pushing { now: now.wall, request, clock, grants };
                match admitted.and_then(|()| actor.unnumbered().map_err(|_| Refused::TooLong)) {
                    Ok(shadow) => self.mutate(pushing, &shadow, mutations),
                    Err(refused) => return Some((request, Err(refused))),
                }
                return None;
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
            Input::SetKey { request, actor, user, change } => {
                (request, self.set_key(now.wall, &actor, user.as_ref(), change))
            }
            Input::Revoke { request, actor, user } => (request, self.revoke(now.wall, &actor, user.as_ref())),
            Input::Resync { request, actor, user, scope, reason } => {
                (request, self.ask_resync(&actor, user.as_ref(), scope, reason))
            }
            Input::Salt(seed) => {
                self.seed = Some(seed);
                return None;
            }
            Input::Tick => {
                self.tick(now.wall);
                return None;
            }
            Input::Committed(commit) => {
                self.durable = self.durable.max(commit);
                return None;
            }
            Input::DefineType { request, ty } => (request, Ok(self.define_type(*ty))),
            Input::DefineScope { request, name, definition } => {
                (request, Ok(self.define_scope(name, definition)))
            }
            Input::Erase { request, what } => (request, Ok(self.erase(now.wall, what))),
            Input::Import { request, records } => (request, Ok(self.import(now.wall, records))),
            Input::Conflict { request, conflict, wish } => (request, Ok(self.wish(now.wall, conflict, wish))),
            Input::Touched(touched) => {
                self.touched(now.wall, touched);
                return None;
            }
            Input::Merged { merge, outcome } => {
                self.merged(now.wall, merge, outcome);
                return None;
            }
            Input::Answered { ask, verdict } => {
                self.answered(now.wall, ask, verdict);
                return None;
            }
        })
    }

    fn tick(&mut self, now: WallMs) {
        self.age_results(now);
        self.purge(now);
        self.pass_deadlines(now);
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
        self.tell(self.now);
        for actor in std::mem::take(&mut self.renumbered) {
            let numbers = self.devices.get(&actor).map(|device| device.numbers.clone());
            self.gathered.extend(numbers.map(|numbers| Write::Numbers(actor, numbers)));
        }
        let moved = (std::mem::take(&mut self.moved), self.log.head());
        let (batch, rooms) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.rooms));
        self.sealed.push_back(Sealed { batch, rooms, moved });
        self.told.0 = 0;
    }

    fn is_gathering(&self) -> bool {
        !self.gathered.is_empty() || !self.renumbered.is_empty() || !self.rooms.is_empty()
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
        let (sections, head) = std::mem::take(&mut self.moving);
        self.effects.extend((!sections.is_empty()).then_some(Effect::Moved { sections, head }));
        if self.sealed.is_empty() && self.is_gathering() {
            self.seal();
        }
        if let Some(Sealed { batch, rooms, moved }) = self.sealed.pop_front() {
            self.begun = LedgerCommit(self.begun.0 + 1);
            self.moving = moved;
            self.effects.push_back(Effect::Commit { commit: self.begun, batch, rooms });
        }
    }
}
