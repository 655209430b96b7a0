//! A ledger whose commits are durable at once, and ops in few words.

use std::collections::BTreeSet;

use syncline_core::access::Grants;
use syncline_core::entity::Values;

use super::*;

/// The conflict that arises first.
pub(super) const FIRST: ConflictId = ConflictId { epoch: Epoch(1), n: 1 };

/// A ledger on a disk that never fails.
pub(super) struct Bench {
    pub(super) ledger: Ledger,
    pub(super) stored: Vec<Write>,
    pub(super) answers: BTreeMap<RequestId, Answer>,
    pub(super) asks: Vec<(AskId, PushOp, Option<Record>)>,
    /// What rooms are to take in.
    pub(super) merges: Vec<(MergeId, EntityKey)>,
    /// What rooms have stored, and what not.
    pub(super) rooms: Vec<Ticket>,
    pub(super) refused: Vec<Ticket>,
    pub(super) deleted: Vec<EntityKey>,
    pub(super) now_ms: u64,
    requests: u64,
    bound: BTreeSet<String>,
    types: Vec<EntityType>,
    settings: Settings,
}

impl Bench {
    pub(super) fn new(types: Vec<EntityType>, settings: Settings) -> Self {
        let ledger = Ledger::load(types.clone(), Epoch(1), []).expect("good types");
        let ledger = ledger.with_settings(settings.clone());
        let (stored, answers, asks, merges) = Default::default();
        let (rooms, refused, deleted) = Default::default();
        Self {
            ledger,
            stored,
            answers,
            asks,
            merges,
            rooms,
            refused,
            deleted,
            now_ms: 1_000,
            requests: 0,
            bound: BTreeSet::new(),
            types,
            settings,
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        self.now_ms += 7;
        let now = Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) };
        self.ledger.handle(now, input);
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Commit { commit, batch, rooms } => {
                    self.stored.extend(batch);
                    self.rooms.extend(rooms);
                    self.ledger.handle(now, Input::Committed(commit));
                }
                Effect::Moved { .. } => {}
                Effect::Merge(Merge { merge, key, .. }) => self.merges.push((merge, key)),
                Effect::Refuse { ticket } => self.refused.push(ticket),
                Effect::Deleted { key } => self.deleted.push(key),
                Effect::Answer { request, answer } => drop(self.answers.insert(request, answer)),
                Effect::Ask { ask, op, server, .. } => {
                    self.asks.push((ask, *op, server.map(|record| *record)))
                }
            }
        }
    }

    /// Has the ledger take in a request that it answers at once, and returns the answer.
    pub(super) fn ask(&mut self, input: impl FnOnce(RequestId) -> Input) -> Answer {
        let request = self.request();
        self.handle(input(request));
        self.answers.remove(&request).expect("it is answered at once")
    }

    pub(super) fn define(&mut self, ty: &EntityType) -> Answer {
        self.ask(|request| Input::DefineType { request, ty: Box::new(ty.clone()) })
    }

    pub(super) fn wish(&mut self, conflict: ConflictId, wish: ConflictWish) -> Answer {
        self.ask(|request| Input::Conflict { request, conflict, wish })
    }

    pub(super) fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Sends ops; the answer is there once all handlers have spoken.
    pub(super) fn send(&mut self, device: &str, ops: &[PushOp]) -> RequestId {
        self.bind(device);
        let request = self.request();
        self.handle(push_of(request, device, ops.to_vec()));
        request
    }

    pub(super) fn bind(&mut self, device: &str) {
        if self.bound.insert(device.to_owned()) {
            let (request, about) = (self.request(), DeviceAbout::default());
            let actor = ActorName::device(device).expect("a name");
            self.handle(Input::Bind { request, actor, user: user(), about });
        }
    }

    pub(super) fn push(&mut self, device: &str, ops: &[PushOp]) -> Vec<OpStatus> {
        let request = self.send(device, ops);
        self.pushed(request)
    }

    pub(super) fn pushed(&self, request: RequestId) -> Vec<OpStatus> {
        match &self.answers[&request] {
            Answer::Pushed { results, .. } => results.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Pushes, and returns each status in one word.
    pub(super) fn words(&mut self, device: &str, ops: &[PushOp]) -> Vec<&'static str> {
        self.push(device, ops).iter().map(word).collect()
    }

    pub(super) fn answer(&mut self, verdict: Verdict) {
        let (ask, ..) = self.asks.remove(0);
        self.handle(Input::Answered { ask, verdict });
    }

    /// Loads the ledger again from what it has stored.
    pub(super) fn crash(&mut self) {
        self.load(Epoch(1));
    }

    /// Loads what is stored in a life of the log.
    pub(super) fn load(&mut self, epoch: Epoch) {
        self.asks.clear();
        let loaded = Ledger::load(self.types.clone(), epoch, last_of_each(&self.stored));
        self.ledger = loaded.expect("it was stored by a ledger").with_settings(self.settings.clone());
    }

    pub(super) fn data(&self, key: &EntityKey) -> Option<Values> {
        self.ledger.record(key).filter(|record| !record.deleted).map(|record| record.data())
    }
}

pub(super) fn push_of(request: RequestId, device: &str, ops: Vec<PushOp>) -> Input {
    let actor = ActorName::device(device).expect("a name");
    Input::Push {
        request,
        actor,
        user: user(),
        grants: Grants::everything(),
        clock: ClientClock::default(),
        ops,
    }
}

/// What a store holds after these writes: of each name the last, in the order of names.
pub(super) fn last_of_each(stored: &[Write]) -> Vec<Write> {
    let mut disk = Disk::default();
    disk.write(stored.to_vec());
    disk.stored()
}

pub(super) fn word(status: &OpStatus) -> &'static str {
    match status {
        OpStatus::Deferred { deferral, .. } => match deferral.code {
            DeferralCode::DependencyFailed => "deferred: dependency-failed",
            DeferralCode::HandlerUnavailable => "deferred: handler-unavailable",
        },
        OpStatus::Aged { .. } => "aged",
        OpStatus::Done(result) if result.is_duplicate => "duplicate",
        OpStatus::Done(result) => match &result.outcome {
            Outcome::Applied => "applied",
            Outcome::Merged => "merged",
            Outcome::Superseded => "superseded",
            Outcome::Conflict => "conflict",
            Outcome::Rejected(refusal) => refusal.code.as_str(),
        },
    }
}

/// Notes what a device is told of an op, however often it asks, and checks that it is told the same each time.
pub(super) fn same_each_time(
    told: &mut BTreeMap<u64, OpResult>,
    result: OpResult,
) -> Result<OpResult, TestCaseError> {
    let result = OpResult { is_duplicate: false, ..result };
    let before = told.entry(result.n).or_insert_with(|| result.clone());
    prop_assert_eq!(&*before, &result);
    Ok(result)
}

pub(super) fn result(status: &OpStatus) -> &OpResult {
    match status {
        OpStatus::Done(result) => result,
        OpStatus::Aged { .. } | OpStatus::Deferred { .. } => panic!("{status:?}"),
    }
}

pub(super) fn a_type(name: &str, policy: Policy) -> EntityType {
    EntityType::new(TypeName::new(name).expect("a name"), policy)
}

pub(super) fn entity(name: &str) -> EntityKey {
    let (kind, id) = name.split_once('/').expect("a type and an id");
    EntityKey { kind: TypeName::new(kind).expect("a name"), id: EntityId::new(id).expect("an id") }
}

pub(super) fn values(values: &[(&str, Value)]) -> Values {
    values.iter().map(|(name, value)| (FieldName::new(name).expect("a name"), value.clone())).collect()
}

pub(super) fn create(n: u64, key: &str, set: &[(&str, Value)]) -> PushOp {
    op(n, key, Action::Create(values(set)))
}

/// An update by an author who has seen nothing.
pub(super) fn update(n: u64, key: &str, set: &[(&str, Value)]) -> PushOp {
    op(n, key, Action::Update { set: values(set), unset: Default::default() })
}

pub(super) fn op(n: u64, key: &str, action: Action) -> PushOp {
    PushOp {
        numbered: Numbered { n, hash: ContentHash(n.to_be_bytes()), is_noop: action == Action::Noop },
        entity: entity(key),
        action,
        seen: PushSeen::Record(Claim::default()),
        was: BTreeMap::new(),
        time: ClaimedTime::default(),
        deps: Default::default(),
        refs: Default::default(),
        schema_v: 1,
        unreadable: false,
        tx: None,
    }
}

pub(super) fn after(k: u64, op: PushOp) -> PushOp {
    PushOp { seen: PushSeen::After(k), ..op }
}

pub(super) fn in_tx(tx: &str, op: PushOp) -> PushOp {
    PushOp { tx: Some(tx.to_owned()), ..op }
}
