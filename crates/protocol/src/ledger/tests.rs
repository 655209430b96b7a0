//! The ledger with devices that repeat themselves, a disk, and crashes.
//!
//! Goal: every op has one result and one effect, whatever is sent twice or lost, and nothing is told before it is durable.
//! Method: random steps drive the real machine; its batches go to a disk that survives a crash, its answers to devices that
//! compare them with what they were told before; in the end each device sends all that it has, and the sums must be right.

use std::collections::BTreeMap;

use proptest::prelude::*;
use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{
    Action, ActorName, Claim, ClaimedTime, ClientClock, Decimal, EntityId, EntityKey, EntityType, Epoch,
    FieldName, Outcome, Policy, Record, RefusalCode, Sequence, TypeName, Value,
};
use syncline_core::time::{MonotonicMs, Now, WallMs};

use super::*;

mod conflicts;
mod handlers;
mod named;
mod pushes;
mod rules;
mod support;
mod transactions;
mod typed;
mod whole;

const DEVICES: usize = 3;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
struct Disk {
    actors: BTreeMap<ReplicaId, ActorName>,
    numbers: BTreeMap<ReplicaId, Numbers>,
    acked: BTreeMap<ReplicaId, Acked>,
    results: BTreeMap<(ReplicaId, u64), Kept>,
    records: BTreeMap<EntityKey, Record>,
    conflicts: BTreeMap<ConflictId, Conflict>,
    types: BTreeMap<TypeName, EntityType>,
    ids: BTreeMap<(ReplicaId, EntityKey), EntityId>,
    commits: u64,
}

impl Disk {
    fn write(&mut self, batch: Vec<Write>) {
        for write in batch {
            let stored = write.to_stored();
            let again = Write::from_stored(&stored.name, &stored.bytes).expect("it was just stored");
            assert_eq!(again, write);
            match again {
                Write::Actor(number, name) => drop(self.actors.insert(number, name)),
                Write::Numbers(number, numbers) => drop(self.numbers.insert(number, numbers)),
                Write::Acked(number, acked) => drop(self.acked.insert(number, acked)),
                Write::Result(dot, kept) => drop(self.results.insert((dot.replica, dot.counter), *kept)),
                Write::Record(key, record) => drop(self.records.insert(key, *record)),
                Write::Conflict(id, conflict) => drop(self.conflicts.insert(id, *conflict)),
                Write::Type(ty) => drop(self.types.insert(ty.name.clone(), *ty)),
                Write::Named(actor, key, id) => drop(self.ids.insert((actor, key), id)),
                Write::Comment(..) => panic!("nobody says anything"),
            }
        }
        self.commits += 1;
    }

    fn load(&self) -> Ledger {
        let actors = self.actors.iter().map(|(&number, name)| Write::Actor(number, name.clone()));
        let numbers = self.numbers.iter().map(|(&number, numbers)| Write::Numbers(number, numbers.clone()));
        let acked = self.acked.iter().map(|(&number, &acked)| Write::Acked(number, acked));
        let results = self.results.iter();
        let results =
            results.map(|(&(actor, n), kept)| Write::Result(Dot::new(actor, n), Box::new(kept.clone())));
        let records = self.records.iter();
        let records = records.map(|(key, record)| Write::Record(key.clone(), Box::new(record.clone())));
        let conflicts = self.conflicts.iter();
        let conflicts = conflicts.map(|(&id, conflict)| Write::Conflict(id, Box::new(conflict.clone())));
        let stored = actors.chain(numbers).chain(acked).chain(results).chain(records).chain(conflicts);
        let stored = stored.chain(self.types.values().map(|ty| Write::Type(Box::new(ty.clone()))));
        let ids = self.ids.iter();
        let stored =
            stored.chain(ids.map(|((actor, key), id)| Write::Named(*actor, key.clone(), id.clone())));
        Ledger::load(types(), Epoch(1), stored.collect::<Vec<_>>()).expect("it was written by a ledger")
    }

    fn head(&self) -> Sequence {
        self.records.values().map(|record| record.seq).max().unwrap_or_default()
    }
}

fn types() -> Vec<EntityType> {
    [("sum", Policy::Additive), ("text", Policy::Lww), ("ask", Policy::Manual)]
        .map(|(name, policy)| EntityType::new(TypeName::new(name).expect("a name"), policy))
        .into()
}

fn key(kind: usize, id: usize) -> EntityKey {
    let kind = ["sum", "text", "ask"][kind];
    let id = format!("e{id}");
    EntityKey { kind: TypeName::new(kind).expect("a name"), id: EntityId::new(&id).expect("an id") }
}

fn name(device: usize) -> ActorName {
    ActorName::device(&format!("d{device}")).expect("a name")
}

fn field() -> FieldName {
    FieldName::new("v").expect("a name")
}

/// A device: all that it has ever written, what it was told of it, and its copy of the records.
#[derive(Default)]
struct Device {
    ops: Vec<PushOp>,
    told: BTreeMap<u64, OpResult>,
    copy: BTreeMap<EntityKey, Record>,
    pos: Sequence,
    /// What the server said it knows that it has stored.
    acked: Acked,
}

struct World {
    disk: Disk,
    ledger: Ledger,
    devices: Vec<Device>,
    /// The device behind each request of the present life of the server, and where it was.
    asked: Vec<(usize, Sequence)>,
    /// The commit that is under way.
    under_way: Option<(LedgerCommit, Vec<Write>)>,
    now_ms: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Write {
        device: usize,
        kind: usize,
        id: usize,
        value: i64,
        chained: bool,
    },
    Delete {
        device: usize,
        kind: usize,
        id: usize,
    },
    /// Sends again what came before the last op that has a result, and some of what comes behind.
    Push {
        device: usize,
        back: usize,
        count: usize,
    },
    Pull {
        device: usize,
        count_max: usize,
    },
    Ack {
        device: usize,
        more: u64,
    },
    Flush,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let device = 0..DEVICES;
    let step = prop_oneof![
        8 => (device.clone(), 0..3_usize, 0..2_usize, -3..4_i64, any::<bool>())
            .prop_map(|(device, kind, id, value, chained)| Step::Write { device, kind, id, value, chained }),
        1 => (device.clone(), 1..3_usize, 0..2_usize)
            .prop_map(|(device, kind, id)| Step::Delete { device, kind, id }),
        6 => (device.clone(), 0..3_usize, 1..5_usize)
            .prop_map(|(device, back, count)| Step::Push { device, back, count }),
        2 => (device.clone(), 0..3_u64).prop_map(|(device, more)| Step::Ack { device, more }),
        4 => (device, 1..4_usize).prop_map(|(device, count_max)| Step::Pull { device, count_max }),
        5 => Just(Step::Flush),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..80)
}

impl World {
    fn new() -> Self {
        let disk = Disk::default();
        let ledger = disk.load();
        let devices = (0..DEVICES).map(|_| Device::default()).collect();
        Self { disk, ledger, devices, asked: Vec::new(), under_way: None, now_ms: 1_000 }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Write { device, kind, id, value, chained } => {
                self.write(device, key(kind, id), Some((kind, value)), chained);
            }
            Step::Delete { device, kind, id } => self.write(device, key(kind, id), None, false),
            Step::Push { device, back, count } => {
                let done = self.devices[device].told.len();
                let from = done.saturating_sub(back);
                let ops = self.devices[device].ops.iter().skip(from).take(count).cloned().collect();
                self.push(device, ops)?;
            }
            Step::Pull { device, count_max } => self.pull(device, count_max)?,
            Step::Ack { device, more } => self.ack(device, more)?,
            Step::Flush => self.flush()?,
            Step::Crash => {
                self.under_way = None;
                self.asked.clear();
                self.ledger = self.disk.load();
            }
        }
        Ok(())
    }

    /// What a device that has pulled thus far writes.
    fn write(&mut self, device: usize, entity: EntityKey, value: Option<(usize, i64)>, chained: bool) {
        let Device { ops, copy, .. } = &mut self.devices[device];
        let n = ops.len() as u64 + 1;
        let before = ops.iter().rev().find(|op| op.entity == entity);
        let record = copy.get(&entity);
        let claim = record.map(|record| Claim {
            vv: Some(record.vv.clone()),
            hlc: Some(record.hlc),
            ..Claim::default()
        });
        let action = match value {
            None => Action::Delete,
            Some((_, value)) if record.is_none() && before.is_none() => {
                Action::Create([(field(), value.into())].into())
            }
            Some((0, value)) => Action::Delta([(field(), value.into())].into()),
            Some((_, value)) => {
                Action::Update { set: [(field(), value.into())].into(), unset: Default::default() }
            }
        };
        let seen = match before {
            Some(before) if chained => PushSeen::After(before.numbered.n),
            Some(_) | None => PushSeen::Record(claim.unwrap_or_default()),
        };
        ops.push(PushOp {
            numbered: Numbered { n, hash: ContentHash(n.to_be_bytes()), is_noop: false },
            entity,
            action,
            seen,
            was: BTreeMap::new(),
            time: ClaimedTime { at: Some(WallMs(self.now_ms)), ..ClaimedTime::default() },
            deps: Default::default(),
            refs: Default::default(),
            schema_v: 1,
            tx: None,
        });
    }

    fn push(&mut self, device: usize, ops: Vec<PushOp>) -> Result<(), TestCaseError> {
        let request = self.request(device);
        self.handle(Input::Push { request, actor: name(device), clock: ClientClock::default(), ops })
    }

    fn pull(&mut self, device: usize, count_max: usize) -> Result<(), TestCaseError> {
        let (request, pos) = (self.request(device), self.devices[device].pos);
        self.handle(Input::Pull { request, actor: name(device), pos, count_max })
    }

    /// A device has stored what it was told without a hole; it may say more than that, or repeat an old place.
    fn ack(&mut self, device: usize, more: u64) -> Result<(), TestCaseError> {
        let request = self.request(device);
        let Device { told, pos, .. } = &self.devices[device];
        let through = (1..).take_while(|n| told.contains_key(n)).count() as u64;
        let pos = if more == 2 { Sequence(pos.0 / 2) } else { *pos };
        let acked = Acked { pos, results_through: through + more };
        self.handle(Input::Ack { request, actor: name(device), acked })
    }

    fn flush(&mut self) -> Result<(), TestCaseError> {
        let Some((commit, batch)) = self.under_way.take() else { return Ok(()) };
        self.disk.write(batch);
        self.handle(Input::Committed(commit))
    }

    fn request(&mut self, device: usize) -> RequestId {
        self.asked.push((device, self.devices[device].pos));
        RequestId(self.asked.len() as u64 - 1)
    }

    fn handle(&mut self, input: Input) -> Result<(), TestCaseError> {
        self.now_ms += 7;
        let now = Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) };
        self.ledger.handle(now, input);
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Commit { commit, batch } => {
                    prop_assert!(self.under_way.is_none(), "one commit at a time");
                    self.under_way = Some((commit, batch));
                }
                Effect::Answer { request, answer } => {
                    self.answered(self.asked[request.0 as usize], answer)?
                }
                Effect::Ask { .. } => panic!("no type has a handler here"),
            }
        }
        Ok(())
    }

    /// Whatever is told is on the disk, and is what was told before.
    fn answered(&mut self, (device, from): (usize, Sequence), answer: Answer) -> Result<(), TestCaseError> {
        let name = name(device);
        let actor = self.disk.actors.iter().find(|(_, known)| **known == name).map(|(&actor, _)| actor);
        let Device { told, copy, pos, acked: known, .. } = &mut self.devices[device];
        match answer {
            Answer::Acked(acked) => {
                let stored = actor.and_then(|actor| self.disk.acked.get(&actor));
                prop_assert!(stored.copied().unwrap_or_default().pos >= acked.pos);
                let last = actor.and_then(|actor| self.disk.numbers.get(&actor)).map_or(0, Numbers::last);
                prop_assert!(acked.results_through <= last && acked.pos <= self.disk.head());
                prop_assert!(acked.pos >= known.pos && acked.results_through >= known.results_through);
                *known = acked;
            }
            Answer::Refused(NumbersError::Gap { .. }) => {}
            Answer::Refused(refusal) => prop_assert!(false, "{refusal}"),
            Answer::TypeDefined { .. }
            | Answer::TypeRefused(_)
            | Answer::Conflict { .. }
            | Answer::ConflictRefused(_) => {
                panic!("nobody asked for that")
            }
            Answer::Pushed { results, fence, .. } => {
                prop_assert!(fence <= self.disk.head());
                let actor =
                    self.disk.actors.iter().find(|(_, known)| **known == name).map(|(&actor, _)| actor);
                for status in results {
                    let OpStatus::Done(result) = status else { panic!("nothing defers here") };
                    let stored = actor.and_then(|actor| self.disk.results.get(&(actor, result.n)));
                    let result = OpResult { is_duplicate: false, ..*result };
                    prop_assert_eq!(stored.map(|kept| &kept.result), Some(&result));
                    let before = told.entry(result.n).or_insert_with(|| result.clone());
                    prop_assert_eq!(&*before, &result);
                }
            }
            Answer::Changes { records, pos: next, head, results } => {
                prop_assert!(next >= from && head <= self.disk.head());
                for result in results {
                    prop_assert!(result.n > known.results_through, "what is acknowledged is not told again");
                    let before = told.entry(result.n).or_insert_with(|| result.clone());
                    prop_assert_eq!(&*before, &result);
                }
                if from != *pos {
                    // The device has gone on meanwhile, and does not look at it.
                    return Ok(());
                }
                *pos = next;
                for (key, record) in records {
                    let is_newer = copy.get(&key).is_none_or(|known| known.ver < record.ver);
                    prop_assert!(is_newer, "a record comes again only when it has changed");
                    copy.insert(key, record);
                }
            }
        }
        Ok(())
    }

    /// Sends everything, reads everything.
    fn quiesce(&mut self) -> Result<(), TestCaseError> {
        for device in 0..DEVICES {
            let ops = self.devices[device].ops.clone();
            self.push(device, ops)?;
        }
        while self.under_way.is_some() {
            self.flush()?;
        }
        for device in 0..DEVICES {
            self.pull(device, usize::MAX)?;
            prop_assert_eq!(self.devices[device].told.len(), self.devices[device].ops.len());
            prop_assert_eq!(&self.devices[device].copy, &self.disk.records);
        }
        Ok(())
    }
}

fn number(value: Option<&Value>) -> Decimal {
    value.and_then(Value::number).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_op_has_one_result_and_one_effect(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step)?;
        }
        world.quiesce()?;
        let mut sums: BTreeMap<EntityKey, Decimal> = BTreeMap::new();
        for device in &world.devices {
            for op in device.ops.iter().filter(|op| op.entity.kind.as_str() == "sum") {
                let amount = match &op.action {
                    Action::Delta(amounts) => amounts[&field()],
                    action => number(action.values().and_then(|values| values.get(&field()))),
                };
                if !matches!(device.told[&op.numbered.n].outcome, Outcome::Rejected(_)) {
                    let sum = sums.entry(op.entity.clone()).or_default();
                    *sum = sum.checked_add(amount).expect("they are small");
                }
            }
        }
        for (key, sum) in sums {
            prop_assert_eq!(number(world.disk.records[&key].value(&field())), sum);
        }
        // The log has no gaps: as many places as there were changes. And it is the same when it is loaded again.
        let changes: u64 = world.disk.records.values().map(|record| record.ver.0).sum();
        prop_assert_eq!(world.disk.head(), Sequence(changes));
        let mut again = world.disk.load();
        let request = RequestId(0);
        again.handle(Now::default(), Input::Pull { request, actor: name(9), pos: Sequence(0), count_max: usize::MAX });
        let Some(Effect::Answer { answer: Answer::Changes { records, .. }, .. }) = again.poll_effect() else {
            panic!("a pull is answered");
        };
        let seqs: Vec<Sequence> = records.iter().map(|(_, record)| record.seq).collect();
        prop_assert!(seqs.is_sorted());
        prop_assert_eq!(records.into_iter().collect::<BTreeMap<_, _>>(), world.disk.records);
        prop_assert!(again.conflicts().eq(world.ledger.conflicts()));
        // At most one conflict of an entity is open, and of what was deleted none.
        let open: Vec<_> = again.conflicts().filter(|(_, conflict)| conflict.is_open()).collect();
        for (_, conflict) in &open {
            prop_assert_eq!(open.iter().filter(|(_, other)| other.entity() == conflict.entity()).count(), 1);
            prop_assert!(again.record(conflict.entity()).is_some_and(|record| !record.deleted));
        }
    }
}

/// What an op rests on was refused, is unknown, or is of another record.
#[test]
fn an_op_that_rests_on_nothing_is_refused() {
    let mut world = World::new();
    let unknown = EntityKey { kind: TypeName::new("what").expect("a name"), ..key(0, 0) };
    world.write(0, unknown, Some((1, 1)), false);
    world.write(0, key(1, 0), Some((1, 1)), false);
    world.devices[0].ops[1].deps = [1].into();
    world.write(0, key(1, 1), Some((1, 1)), false);
    world.devices[0].ops[2].refs = [world.devices[0].ops[0].entity.clone()].into();
    world.write(0, key(1, 0), Some((1, 2)), true);
    world.write(0, key(2, 0), Some((1, 1)), false);
    world.devices[0].ops[4].seen = PushSeen::After(2);
    world.quiesce().expect("all is answered");
    let codes: Vec<_> = world.devices[0]
        .told
        .values()
        .map(|result| match &result.outcome {
            Outcome::Rejected(refusal) => refusal.code,
            other => panic!("{other:?}"),
        })
        .collect();
    let failed = RefusalCode::DependencyFailed;
    assert_eq!(codes, [RefusalCode::UnknownType, failed, failed, failed, RefusalCode::ValidationFailed]);
}

#[test]
fn actors_that_are_missing_are_noticed() {
    let name = ActorName::device("d1").expect("a name");
    let loaded = Ledger::load(types(), Epoch(1), [Write::Actor(ReplicaId(1), name)]);
    let want = LedgerLoadError::Actor { number: ReplicaId(1), expected: ReplicaId(0) };
    assert_eq!(loaded.err(), Some(want));
}
