//! The ledger with devices that repeat themselves, a disk, and crashes.
//!
//! Goal: every op has one result and one effect, whatever is sent twice or lost, and nothing is told before it is durable.
//! Method: random steps drive the real machine; its batches go to a disk that survives a crash, its answers to devices that
//! compare them with what they were told before; in the end each device sends all that it has, and the sums must be right.

use std::collections::BTreeMap;

use proptest::prelude::*;
use syncline_core::access::Grants;
use syncline_core::clock::ReplicaId;
use syncline_core::entity::bucket::Bucket;
use syncline_core::entity::{
    Action, ActorName, Claim, ClaimedTime, ClientClock, Decimal, EntityId, EntityKey, EntityType, Epoch,
    FieldName, Outcome, Policy, Record, RecordVersion, RefusalCode, Sequence, TypeName, UserName, Value,
};
use syncline_core::time::{MonotonicMs, Now, WallMs};

use super::*;
use disk::Disk;

mod aging;
mod conflicts;
mod disk;
mod documents;
mod erasing;
mod handlers;
mod importing;
mod live;
mod named;
mod orders;
mod promises;
mod pushes;
mod reading;
mod refilling;
mod rules;
mod support;
mod telling;
mod transactions;
mod typed;
mod whole;

const DEVICES: usize = 3;

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

fn user() -> UserName {
    UserName::new("ann").expect("a name")
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
    cursor: Option<Cursor>,
    /// What the server said it knows that it has stored.
    acked: Acked,
}

struct World {
    disk: Disk,
    ledger: Ledger,
    devices: Vec<Device>,
    /// The device behind each request of the present life of the server, and where it was.
    asked: Vec<(usize, Option<Cursor>)>,
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
        let ledger = disk.load(types(), Epoch(1));
        let devices = (0..DEVICES).map(|_| Device::default()).collect();
        let mut world = Self { disk, ledger, devices, asked: Vec::new(), under_way: None, now_ms: 1_000 };
        world.handle(Input::Salt([7; 32])).and_then(|()| world.flush()).expect("nothing is answered");
        for device in 0..DEVICES {
            let (request, about) = (world.request(device), DeviceAbout::default());
            let bind = Input::Bind { request, actor: name(device), user: user(), about };
            world.handle(bind).and_then(|()| world.flush()).expect("a device is bound");
        }
        world
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
                self.ledger = self.disk.load(types(), Epoch(1));
                self.handle(Input::Salt([7; 32]))?;
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
            unreadable: false,
            tx: None,
        });
    }

    fn push(&mut self, device: usize, ops: Vec<PushOp>) -> Result<(), TestCaseError> {
        let request = self.request(device);
        self.handle(Input::Push {
            request,
            actor: name(device),
            user: user(),
            grants: Grants::everything(),
            clock: ClientClock::default(),
            ops,
        })
    }

    fn pull(&mut self, device: usize, count_max: usize) -> Result<(), TestCaseError> {
        let (request, cursor) = (self.request(device), self.devices[device].cursor);
        let scopes = vec![PullScope { scope: everything(), cursor, without_own: false, count_max }];
        self.handle(Input::Pull { request, actor: name(device), user: user(), scopes })
    }

    /// A device has stored what it was told without a hole; it may say more than that, or repeat an old place.
    fn ack(&mut self, device: usize, more: u64) -> Result<(), TestCaseError> {
        let request = self.request(device);
        let Device { told, cursor, .. } = &self.devices[device];
        let through = (1..).take_while(|n| told.contains_key(n)).count() as u64;
        let half = |cursor: Cursor| Cursor { pos: Sequence(cursor.pos.0 / 2), ..cursor };
        let cursor = if more == 2 { cursor.map(half) } else { *cursor };
        let cursors = cursor.map(|cursor| (everything().name, cursor)).into_iter().collect();
        let ack = Ack { cursors, results_through: through + more, backlog: None };
        self.handle(Input::Ack { request, actor: name(device), user: user(), ack })
    }

    fn flush(&mut self) -> Result<(), TestCaseError> {
        let Some((commit, batch)) = self.under_way.take() else { return Ok(()) };
        self.disk.write(batch);
        self.handle(Input::Committed(commit))
    }

    fn request(&mut self, device: usize) -> RequestId {
        self.asked.push((device, self.devices[device].cursor));
        RequestId(self.asked.len() as u64 - 1)
    }

    fn handle(&mut self, input: Input) -> Result<(), TestCaseError> {
        self.now_ms += 7;
        let now = Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) };
        self.ledger.handle(now, input);
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Commit { commit, batch, .. } => {
                    prop_assert!(self.under_way.is_none(), "one commit at a time");
                    self.under_way = Some((commit, batch));
                }
                Effect::Moved { head, .. } => prop_assert!(head <= self.disk.head()),
                Effect::Ask { .. } => panic!("no type has a handler here"),
                Effect::Merge(_) | Effect::Refuse { .. } | Effect::Deleted { .. } => {
                    panic!("no type has documents here")
                }
                Effect::Answer { request, answer } => {
                    self.answered(self.asked[request.0 as usize], answer)?
                }
            }
        }
        Ok(())
    }

    /// Whatever is told is on the disk, and is what was told before.
    fn answered(
        &mut self,
        (device, from): (usize, Option<Cursor>),
        answer: Answer,
    ) -> Result<(), TestCaseError> {
        let name = name(device);
        let actor = self.disk.actor(&name);
        let Device { told, acked: known, .. } = &mut self.devices[device];
        match answer {
            Answer::Acked { acked, .. } => {
                let stored = self.disk.find(|write| match write {
                    Write::Acked(of, acked) if Some(*of) == actor => Some(acked.clone()),
                    _ => None,
                });
                let stored = stored.unwrap_or_default();
                prop_assert!(place(&stored) >= place(&acked));
                let last = self.disk.find(|write| match write {
                    Write::Numbers(of, numbers) if Some(*of) == actor => Some(numbers.last()),
                    _ => None,
                });
                let last = last.unwrap_or_default();
                prop_assert!(acked.results_through <= last && place(&acked) <= self.disk.head());
                prop_assert!(place(&acked) >= place(known) && acked.results_through >= known.results_through);
                *known = *acked;
            }
            Answer::Refused(Refused::Numbers(NumbersError::Gap { .. })) => {}
            Answer::Refused(refusal) => prop_assert!(false, "{refusal}"),
            Answer::Imported(_)
            | Answer::Erased { .. }
            | Answer::UserErased { .. }
            | Answer::TypeDefined { .. }
            | Answer::TypeRefused(_)
            | Answer::ScopeDefined { .. }
            | Answer::ScopeRefused(_)
            | Answer::Conflict { .. }
            | Answer::ConflictRefused(_) => panic!("nobody asked for that"),
            Answer::Device { binding, .. } => {
                let stored = self.disk.find(|write| match write {
                    Write::Device(of, binding) if Some(*of) == actor => Some(binding.clone()),
                    _ => None,
                });
                prop_assert_eq!(stored, Some(binding));
            }
            Answer::Pushed { results, fence, .. } => {
                prop_assert!(fence <= self.disk.head());
                for status in results {
                    let OpStatus::Done(result) = status else { panic!("nothing is old yet: {status:?}") };
                    let stored = self.disk.find(|write| match write {
                        Write::Result(dot, kept) if Some(dot.replica) == actor && dot.counter == result.n => {
                            Some(kept.result.clone())
                        }
                        _ => None,
                    });
                    let result = support::same_each_time(told, *result)?;
                    prop_assert_eq!(stored.as_ref(), Some(&result));
                }
            }
            Answer::Pulled(pulled) => return self.pulled(device, from, *pulled),
            Answer::Noted => {}
        }
        Ok(())
    }

    fn pulled(&mut self, device: usize, from: Option<Cursor>, pulled: Pulled) -> Result<(), TestCaseError> {
        let Device { told, copy, cursor, acked: known, .. } = &mut self.devices[device];
        let Pulled { mut scopes, as_of, results, .. } = pulled;
        let PulledScope { reset, changes, cursor: next, .. } = scopes.pop().expect("it was asked for");
        prop_assert!(reset.is_none() && next.pos >= from.map_or(Sequence(0), |from| from.pos));
        prop_assert!(as_of <= self.disk.head());
        for result in results {
            prop_assert!(result.n > known.results_through, "what is acknowledged is not told again");
            let before = told.entry(result.n).or_insert_with(|| result.clone());
            prop_assert_eq!(&*before, &result);
        }
        if from != *cursor {
            // The device has gone on meanwhile, and does not look at it.
            return Ok(());
        }
        *cursor = Some(next);
        for change in changes {
            let (PullChange::Put(key, record) | PullChange::Delete(key, record)) = change else {
                panic!("nothing leaves everything: {change:?}")
            };
            let record = record.read();
            let is_newer = copy.get(&key).is_none_or(|known| known.ver < record.ver);
            prop_assert!(is_newer, "a record comes again only when it has changed");
            copy.insert(key, record);
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
            prop_assert!(alive(&self.devices[device].copy).eq(alive(&self.disk.records())));
        }
        Ok(())
    }
}

fn alive(records: &BTreeMap<EntityKey, Record>) -> impl Iterator<Item = (&EntityKey, &Record)> {
    records.iter().filter(|(_, record)| !record.deleted)
}

fn place(acked: &Acked) -> Sequence {
    acked.scopes.get(&everything().name).map_or(Sequence(0), |scope| scope.pos)
}

fn everything() -> Scope {
    let whole = |ty: EntityType| Section { bucket: Bucket::whole(&ty.name), kind: ty.name };
    let sections = types().into_iter().map(whole).collect();
    Scope { name: TypeName::new("everything").expect("a name"), sections }
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
        let records = world.disk.records();
        for (key, sum) in sums {
            prop_assert_eq!(number(records[&key].value(&field())), sum);
        }
        // The log has no gaps: as many places as there were changes. And it is the same when it is loaded again.
        let changes: u64 = records.values().map(|record| record.ver.0).sum();
        prop_assert_eq!(world.disk.head(), Sequence(changes));
        let again = world.disk.load(types(), Epoch(1));
        for (key, record) in &records {
            prop_assert_eq!(again.record(key), Some(record.clone()));
        }
        prop_assert_eq!(&again.log, &world.ledger.log);
        prop_assert!(again.conflicts().eq(world.ledger.conflicts()));
        telling::check(&world.disk, &world.ledger)?;
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
