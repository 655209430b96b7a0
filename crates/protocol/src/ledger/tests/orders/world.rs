//! Devices, a disk, and a server whose effects happen one by one.

use std::collections::VecDeque;
use std::ops::Range;

use syncline_core::clock::{Dot, HybridTime};
use syncline_core::entity::TraceEffect;

use super::super::support::{entity, op, push_of, values};
use super::super::*;

/// The types, with whether their records are written whole.
pub(super) const KINDS: [(&str, Policy, bool); 5] = [
    ("sum", Policy::Additive, false),
    ("text", Policy::Lww, false),
    ("whole", Policy::Lww, true),
    ("most", Policy::Max, false),
    ("least", Policy::Min, false),
];

/// When it begins, in milliseconds: clocks may be a year behind.
pub(super) const BEGIN_MS: u64 = 1_700_000_000_000;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Write(usize, Draft),
    /// A device sends again what came before the last op that has a result, and some of what comes behind.
    Push {
        device: usize,
        back: usize,
        count: usize,
    },
    Pull {
        device: usize,
        count_max: usize,
    },
    /// So many effects happen.
    Perform(usize),
    Crash,
}

#[derive(Clone, Debug)]
pub(super) struct Draft {
    kind: usize,
    id: usize,
    value: i64,
    /// Which of its fields it writes.
    fields: usize,
    deletes: bool,
    /// Whether it follows the device's last op on the record, and not what the device has read.
    chained: bool,
    /// Whether it depends on the op before it, or is in a transaction with it, or refers to what the device created last.
    links: usize,
}

/// Steps of devices; `linked` ones have dependencies and transactions, whose ops stand or fall by others.
pub(super) fn steps(linked: bool) -> impl Strategy<Value = Vec<Step>> {
    let device = 0..DEVICES;
    let links = if linked { 0..5_usize } else { 0..1_usize };
    let draft =
        (0..KINDS.len(), 0..2_usize, -3..4_i64, 0..3_usize, prop::bool::weighted(0.08), any::<bool>(), links);
    let draft = draft.prop_map(|(kind, id, value, fields, deletes, chained, links)| Draft {
        kind,
        id,
        value,
        fields,
        deletes,
        chained,
        links,
    });
    let step = prop_oneof![
        8 => (device.clone(), draft).prop_map(|(device, draft)| Step::Write(device, draft)),
        6 => (device.clone(), 0..3_usize, 1..5_usize)
            .prop_map(|(device, back, count)| Step::Push { device, back, count }),
        5 => (device, 1..5_usize).prop_map(|(device, count_max)| Step::Pull { device, count_max }),
        8 => (1..7_usize).prop_map(Step::Perform),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..90)
}

/// A device: what it has written, what it was told of that, and what it has read.
#[derive(Default)]
pub(super) struct Device {
    pub(super) ops: Vec<PushOp>,
    told: BTreeMap<u64, OpResult>,
    copy: BTreeMap<EntityKey, Record>,
    cursor: Option<Cursor>,
    /// A pull that has read up to there has seen what was told so far.
    fence: Sequence,
    /// How many of its ops it has sent.
    sent: usize,
}

enum Todo {
    Effect(Effect),
    /// The server does not know yet that a commit is durable.
    Durable(LedgerCommit),
}

pub(super) struct World {
    pub(super) disk: Disk,
    ledger: Ledger,
    pub(super) devices: Vec<Device>,
    /// What is to happen, in this order.
    todo: VecDeque<Todo>,
    /// Whose request it is, and where its device was; none of an earlier life of the server.
    open: BTreeMap<RequestId, (usize, Option<Cursor>)>,
    requests: u64,
    pub(super) now_ms: u64,
    skews_ms: [i64; DEVICES],
}

fn types() -> Vec<EntityType> {
    let named = |name| TypeName::new(name).expect("a name");
    KINDS.map(|(name, policy, whole)| EntityType { whole, ..EntityType::new(named(name), policy) }).into()
}

fn everything() -> Scope {
    let kinds = types().into_iter().map(|ty| ty.name);
    let sections = kinds.map(|kind| Section { bucket: Bucket::whole(&kind), kind }).collect();
    Scope { name: TypeName::new("all").expect("a name"), sections }
}

impl World {
    /// A server that knows some devices, whose clocks are wrong by so much.
    pub(super) fn new(now_ms: u64, skews_ms: [i64; DEVICES]) -> Self {
        let disk = Disk::default();
        let ledger = disk.load(types(), Epoch(1));
        let devices = (0..DEVICES).map(|_| Device::default()).collect();
        let (todo, open) = Default::default();
        let mut world = Self { disk, ledger, devices, todo, open, requests: 0, now_ms, skews_ms };
        for device in 0..DEVICES {
            let (request, about) = (world.request(device), DeviceAbout::default());
            world.handle(Input::Bind { request, actor: name(device), user: user(), about });
        }
        world.perform(usize::MAX).expect("a device is bound");
        world
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Write(device, draft) => self.write(*device, draft),
            Step::Push { device, back, count } => {
                let done = self.devices[*device].told.len();
                self.push(*device, done.saturating_sub(*back)..done + count)?;
            }
            Step::Pull { device, count_max } => self.pull(*device, *count_max),
            Step::Perform(count) => self.perform(*count)?,
            Step::Crash => self.crash(),
        }
        Ok(())
    }

    /// All that has not happened does not happen; what is on the disk stays.
    pub(super) fn crash(&mut self) {
        self.todo.clear();
        self.open.clear();
        self.ledger = self.disk.load(types(), Epoch(1));
    }

    /// Sends some ops; transactions are sent whole.
    pub(super) fn push(&mut self, device: usize, mut range: Range<usize>) -> Result<(), TestCaseError> {
        let ops = &self.devices[device].ops;
        range.end = range.end.min(ops.len());
        let splits =
            |at: usize| at > 0 && at < ops.len() && ops[at].tx.is_some() && ops[at].tx == ops[at - 1].tx;
        while splits(range.start) {
            range.start -= 1;
        }
        while splits(range.end) {
            range.end += 1;
        }
        let ops = ops.get(range.clone()).unwrap_or_default().to_vec();
        let Device { sent, .. } = &mut self.devices[device];
        *sent = range.end.max(*sent);
        let request = self.request(device);
        self.handle(push_of(request, name(device).as_str(), ops));
        Ok(())
    }

    /// Returns how many ops of a device the server has taken, durable or not.
    pub(super) fn taken(&self, device: usize) -> usize {
        let actor = self.ledger.actors().known(&name(device)).expect("it is bound");
        self.ledger.devices[&actor].numbers.high() as usize
    }

    /// Returns whether there is an op, and the server has all that its author had seen.
    pub(super) fn may_come(&self, device: usize, at: usize) -> bool {
        let Some(op) = self.devices[device].ops.get(at) else { return false };
        let PushSeen::Record(Claim { vv: Some(vv), .. }) = &op.seen else { return at <= self.taken(device) };
        let has = |(actor, n)| self.ledger.devices.get(&actor).is_some_and(|known| known.numbers.high() >= n);
        at <= self.taken(device) && vv.iter().all(has)
    }

    /// Has everything happen that is to, and sends everything until all is told.
    pub(super) fn quiesce(&mut self) -> Result<(), TestCaseError> {
        for device in 0..DEVICES {
            self.push(device, 0..usize::MAX)?;
            self.perform(usize::MAX)?;
        }
        for device in &self.devices {
            prop_assert_eq!(device.told.len(), device.ops.len(), "each op has its result");
        }
        Ok(())
    }

    /// Has a device read until it is up to date.
    pub(super) fn read_all(&mut self, device: usize) -> Result<(), TestCaseError> {
        for _ in 0..20 {
            self.pull(device, 3);
            self.perform(usize::MAX)?;
        }
        let Device { cursor, copy, .. } = &self.devices[device];
        prop_assert_eq!(cursor.map(|cursor| cursor.pos), Some(self.disk.head()));
        let live = |records: &mut dyn Iterator<Item = (&EntityKey, &Record)>| -> BTreeMap<_, _> {
            records
                .filter(|(_, record)| !record.deleted)
                .map(|(key, record)| (key.clone(), record.clone()))
                .collect()
        };
        let read = live(&mut copy.iter());
        prop_assert_eq!(read, live(&mut self.disk.records().iter()));
        Ok(())
    }

    /// Returns what devices have written, with what is durable of it.
    pub(super) fn results(&self) -> BTreeMap<Dot, (PushOp, Kept)> {
        let mut results = BTreeMap::new();
        for (at, device) in self.devices.iter().enumerate() {
            let Some(actor) = self.disk.actor(&name(at)) else { continue };
            for op in &device.ops {
                let dot = Dot::new(actor, op.numbered.n);
                let kept = self.disk.find(|write| match write {
                    Write::Result(of, kept) if *of == dot => Some((**kept).clone()),
                    _ => None,
                });
                results.extend(kept.map(|kept| (dot, (op.clone(), kept))));
            }
        }
        results
    }

    pub(super) fn perform(&mut self, count: usize) -> Result<(), TestCaseError> {
        for _ in 0..count {
            let Some(todo) = self.todo.pop_front() else { break };
            match todo {
                Todo::Durable(commit) => self.handle(Input::Committed(commit)),
                Todo::Effect(Effect::Commit { commit, batch, .. }) => {
                    self.disk.write(batch);
                    self.todo.push_back(Todo::Durable(commit));
                }
                Todo::Effect(Effect::Answer { request, answer }) => self.answered(request, answer)?,
                Todo::Effect(Effect::Moved { .. }) => {}
                Todo::Effect(
                    effect @ (Effect::Ask { .. }
                    | Effect::Merge(_)
                    | Effect::Refuse { .. }
                    | Effect::Deleted { .. }),
                ) => panic!("no type has a handler or documents here: {effect:?}"),
            }
        }
        Ok(())
    }

    fn handle(&mut self, input: Input) {
        self.now_ms += 7;
        let now = Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) };
        self.ledger.handle(now, input);
        while let Some(effect) = self.ledger.poll_effect() {
            self.todo.push_back(Todo::Effect(effect));
        }
    }

    fn request(&mut self, device: usize) -> RequestId {
        self.requests += 1;
        self.open.insert(RequestId(self.requests), (device, self.devices[device].cursor));
        RequestId(self.requests)
    }

    fn pull(&mut self, device: usize, count_max: usize) {
        let (request, cursor) = (self.request(device), self.devices[device].cursor);
        let scopes = vec![PullScope { scope: everything(), cursor, count_max, without_own: false }];
        self.handle(Input::Pull { request, actor: name(device), user: user(), scopes });
    }

    /// A device writes about what it has read, or created itself.
    fn write(&mut self, device: usize, draft: &Draft) {
        let at = HybridTime::new(WallMs(self.now_ms.saturating_add_signed(self.skews_ms[device])), 0);
        let (kind, _, whole) = KINDS[draft.kind];
        let Device { ops, copy, sent, .. } = &mut self.devices[device];
        let n = ops.len() as u64 + 1;
        let key = format!("{kind}/e{}", draft.id);
        let entity = entity(&key);
        let before = ops.iter().rev().find(|op| op.entity == entity).map(|op| op.numbered.n);
        let record = copy.get(&entity);
        let both = [("v", draft.value.into()), ("w", (draft.value + 1).into())];
        let set = values(match draft.fields {
            0 if !whole => &both[..1],
            1 if !whole => &both[1..],
            _ => &both,
        });
        let action = match kind {
            _ if record.is_none() && before.is_none() => Action::Create(set),
            _ if draft.deletes => Action::Delete,
            "sum" => {
                Action::Delta(set.into_iter().filter_map(|(name, it)| Some((name, it.number()?))).collect())
            }
            _ => Action::Update { set, unset: Default::default() },
        };
        let claim = record.map(|record| Claim {
            vv: Some(record.vv.clone()),
            hlc: Some(record.hlc),
            ..Claim::default()
        });
        let mut op = op(n, &key, action);
        op.time = ClaimedTime { hlc: Some(at), ..ClaimedTime::default() };
        op.seen = match (before, claim) {
            (Some(before), claim) if draft.chained || claim.is_none() => PushSeen::After(before),
            (_, claim) => PushSeen::Record(claim.unwrap_or_default()),
        };
        match (draft.links, ops.last_mut()) {
            (1, Some(_)) => op.deps = [n - 1].into(),
            // What was sent does not change any more.
            (2 | 3, Some(last)) if *sent < ops_before(n) => {
                op.tx = Some(last.tx.get_or_insert_with(|| format!("t{n}")).clone());
            }
            (4, Some(_)) => {
                let made = ops.iter().rev().find(|op| matches!(op.action, Action::Create(_)));
                op.refs = made.map(|made| made.entity.clone()).into_iter().collect();
            }
            _ => {}
        }
        ops.push(op);
    }

    fn answered(&mut self, request: RequestId, answer: Answer) -> Result<(), TestCaseError> {
        let (device, from) = self.open.remove(&request).expect("each request is answered once");
        match answer {
            Answer::Pushed { results, fence, .. } => {
                prop_assert!(fence <= self.disk.head());
                let Device { told, fence: known, .. } = &mut self.devices[device];
                *known = fence.max(*known);
                for status in results {
                    let OpStatus::Done(result) = status else { panic!("nothing waits: {status:?}") };
                    let result = OpResult { is_duplicate: false, ..*result };
                    let before = told.entry(result.n).or_insert_with(|| result.clone());
                    prop_assert_eq!(&*before, &result);
                }
                Ok(())
            }
            Answer::Pulled(pulled) => self.pulled(device, from, *pulled),
            Answer::Device { .. } | Answer::Refused(Refused::Numbers(NumbersError::Gap { .. })) => Ok(()),
            other => Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    /// What is read is never older than what was read before.
    fn pulled(
        &mut self,
        device: usize,
        from: Option<Cursor>,
        mut pulled: Pulled,
    ) -> Result<(), TestCaseError> {
        let page = pulled.scopes.pop().expect("it was asked for");
        let Device { copy, cursor, .. } = &mut self.devices[device];
        if from != *cursor {
            // The device has gone on meanwhile.
            return Ok(());
        }
        prop_assert_eq!(page.reset, None);
        *cursor = Some(page.cursor);
        for change in page.changes {
            let (PullChange::Put(key, record) | PullChange::Delete(key, record)) = change else {
                panic!("nothing leaves a type: {change:?}")
            };
            let record = record.read();
            if let Some(known) = copy.get(&key) {
                prop_assert!(known.ver < record.ver && known.vv <= record.vv, "{} goes back", key);
            }
            copy.insert(key, record);
        }
        if page.has_more { Ok(()) } else { self.check_read(device, pulled.as_of) }
    }

    /// A device that is up to date has what it wrote and was told of; and with each write that it has, what its author had read
    /// of the record, what the op depends on, what it refers to, and the rest of its transaction.
    fn check_read(&self, device: usize, as_of: Sequence) -> Result<(), TestCaseError> {
        let Device { told, copy, fence, .. } = &self.devices[device];
        let (results, records) = (self.results(), self.disk.records());
        // A pass leaves out what was deleted before it.
        let is_gone = |key: &EntityKey| records.get(key).is_some_and(|record| record.deleted);
        let is_read = |key: &EntityKey, dot| copy.get(key).is_some_and(|record| record.vv.contains(dot));
        let changed = |dot: &Dot| {
            let kept = results.get(dot).map(|(_, kept)| kept);
            kept.filter(|kept| kept.trace.effect == TraceEffect::Changed)
        };
        let has = |dot: Dot| {
            changed(&dot).is_none_or(|kept| {
                let key = &kept.result.entity;
                is_read(key, dot) || is_gone(key)
            })
        };
        let actor = self.disk.actor(&name(device)).expect("it is bound");
        if as_of >= *fence {
            for &n in told.keys() {
                prop_assert!(has(Dot::new(actor, n)), "a device reads what it wrote: {}", n);
            }
        }
        for (&dot, (op, kept)) in &results {
            let key = &kept.result.entity;
            if changed(&dot).is_none() || !is_read(key, dot) {
                continue;
            }
            let seen = &kept.trace.context.vv;
            prop_assert!(*seen <= copy[key].vv, "{:?} comes without what its author had read", dot);
            let own = |wanted: &dyn Fn(&PushOp) -> bool| -> Vec<Dot> {
                let own = results.iter().filter(|(of, (op, _))| of.replica == dot.replica && wanted(op));
                own.map(|(of, _)| *of).collect()
            };
            let is_in_tx = |other: &PushOp| op.tx.is_some() && other.tx == op.tx;
            let creates = |other: &PushOp| {
                let is_before = other.numbered.n < op.numbered.n;
                is_before && op.refs.contains(&other.entity) && matches!(other.action, Action::Create(_))
            };
            let rests_on =
                own(&|other| op.deps.contains(&other.numbered.n) || is_in_tx(other) || creates(other));
            for other in rests_on {
                prop_assert!(has(other), "{:?} comes without {:?}", dot, other);
            }
        }
        Ok(())
    }
}

/// How many ops come before one.
const fn ops_before(n: u64) -> usize {
    n as usize - 1
}
