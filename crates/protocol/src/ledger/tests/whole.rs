//! The whole ledger: transactions, temporary ids, handlers, deferred ops, resolutions, partial requests and crashes.
//!
//! Goal: whatever happens in between, each op ends in one result that never changes and is durable when it is told; what it
//! does, it does once; transactions are whole; nothing that was deleted comes back; closed conflicts stay as they are; and
//! nothing waits for ever. Method: random steps, a disk that holds what was committed and no more, and in the end all is sent
//! until nothing is deferred.

use std::collections::BTreeSet;

use syncline_core::access::Grants;
use syncline_core::entity::conflict::{Candidate, Choice, Conflict, ConflictKind, Request};
use syncline_core::entity::{OnDelete, RecordVersion, Reference};

use super::support::*;
use super::*;

const KINDS: [&str; 5] = ["sum", "text", "ask", "wins", "judged"];

#[derive(Clone, Debug)]
enum Step {
    /// A device writes one op or a transaction.
    Write {
        device: usize,
        ops: Vec<Draft>,
        is_tx: bool,
    },
    /// It sends some of what it has, from a little before the first op that has no result.
    Push {
        device: usize,
        back: usize,
        count: usize,
    },
    /// A handler answers one of the open questions.
    Judge {
        which: usize,
        how: usize,
    },
    Resolve {
        which: usize,
        how: usize,
    },
    Flush,
    Crash,
}

#[derive(Clone, Debug)]
struct Draft {
    kind: usize,
    id: usize,
    how: usize,
    value: i64,
    dep: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let device = 0..DEVICES;
    let draft = (0..KINDS.len(), 0..3_usize, 0..10_usize, -3..4_i64, prop::bool::weighted(0.2))
        .prop_map(|(kind, id, how, value, dep)| Draft { kind, id, how, value, dep });
    let step = prop_oneof![
        6 => (device.clone(), prop::collection::vec(draft, 1..4), prop::bool::weighted(0.4))
            .prop_map(|(device, ops, is_tx)| Step::Write { device, ops, is_tx }),
        6 => (device, 0..4_usize, 1..8_usize).prop_map(|(device, back, count)| Step::Push { device, back, count }),
        5 => (0..4_usize, 0..5_usize).prop_map(|(which, how)| Step::Judge { which, how }),
        1 => (0..4_usize, 0..3_usize).prop_map(|(which, how)| Step::Resolve { which, how }),
        5 => Just(Step::Flush),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Default)]
struct Author {
    ops: Vec<PushOp>,
    told: BTreeMap<u64, OpResult>,
}

/// What a store holds, and what it has once held that may not change.
#[derive(Default)]
struct Store {
    kept: BTreeMap<Vec<u8>, Write>,
    deleted: BTreeSet<EntityKey>,
    closed: BTreeMap<ConflictId, Conflict>,
}

struct Whole {
    store: Store,
    ledger: Ledger,
    authors: Vec<Author>,
    /// The device behind each request of this life that has no answer.
    open: BTreeMap<RequestId, usize>,
    asks: Vec<AskId>,
    under_way: Option<(LedgerCommit, Vec<Write>)>,
    requests: u64,
    now_ms: u64,
}

fn refers() -> FieldName {
    FieldName::new("ref").expect("a name")
}

fn load(store: &Store) -> Ledger {
    let policies = [Policy::Additive, Policy::Lww, Policy::Manual, Policy::ServerWins, Policy::Lww];
    let types = KINDS.iter().zip(policies).map(|(name, policy)| {
        let target = TypeName::new("text").expect("a name");
        let on_delete = if *name == "wins" { OnDelete::Keep } else { OnDelete::Restrict };
        let refs = vec![Reference { field: refers(), target, on_delete }];
        let unique = if *name == "sum" { Vec::new() } else { vec![vec![field()]] };
        EntityType { refs, unique, ..a_type(name, policy) }
    });
    let stored = store.kept.values().cloned();
    let handled = [TypeName::new("judged").expect("a name")].into();
    let ledger = Ledger::load(types, Epoch(1), stored).expect("it was stored by a ledger");
    ledger.with_settings(Settings { handled, ..Settings::default() })
}

impl Store {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), TestCaseError> {
        for write in batch {
            match &write {
                Write::Record(key, record) => {
                    prop_assert!(!key.id.is_temporary());
                    prop_assert!(record.deleted || !self.deleted.contains(key), "{} came back", key);
                    if record.deleted {
                        self.deleted.insert(key.clone());
                    }
                    let refers = record.value(&refers());
                    prop_assert!(!matches!(refers, Some(Value::Text(id)) if id.starts_with("tmp_")));
                }
                Write::Conflict(id, conflict) => {
                    let before = self.closed.get(id);
                    prop_assert!(
                        before.is_none_or(|before| *before == **conflict),
                        "a closed one has changed"
                    );
                    let writers: BTreeSet<_> =
                        conflict.candidates().iter().map(|it| it.stamp.dot.replica).collect();
                    prop_assert!(conflict.kind() != ConflictKind::MultiSource || writers.len() > 1);
                    if !conflict.is_open() {
                        self.closed.insert(*id, (**conflict).clone());
                    }
                }
                _ => {}
            }
            let stored = write.to_stored();
            match stored.bytes {
                _ if stored::is_history(&stored.name) => {}
                Some(bytes) => {
                    let again = Write::from_stored(&stored.name, &bytes).expect("it was just stored");
                    self.kept.insert(stored.name, again);
                }
                None => drop(self.kept.remove(&stored.name)),
            }
        }
        Ok(())
    }

    /// The results of a device that are durable.
    fn results(&self, device: usize) -> impl Iterator<Item = &OpResult> {
        let actor = self.kept.values().find_map(|write| match write {
            Write::Actor(number, known) if *known == name(device) => Some(*number),
            _ => None,
        });
        self.kept.values().filter_map(move |write| match write {
            Write::Result(dot, kept) if Some(dot.replica) == actor => Some(&kept.result),
            _ => None,
        })
    }
}

impl Whole {
    fn new() -> Self {
        let store = Store::default();
        let ledger = load(&store);
        let authors = (0..DEVICES).map(|_| Author::default()).collect();
        let (open, asks) = Default::default();
        let mut whole =
            Self { store, ledger, authors, open, asks, under_way: None, requests: 0, now_ms: 1_000 };
        for device in 0..DEVICES {
            let (request, about) = (RequestId(0), DeviceAbout::default());
            let bind = Input::Bind { request, actor: name(device), user: user(), about };
            whole.handle(bind).and_then(|()| whole.flush()).expect("a device is bound");
        }
        whole
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Write { device, ops, is_tx } => {
                let tx = is_tx.then(|| format!("t{}", self.authors[*device].ops.len()));
                for draft in ops {
                    let op = self.draft(*device, draft);
                    self.authors[*device].ops.push(PushOp { tx: tx.clone(), ..op });
                }
            }
            Step::Push { device, back, count } => {
                let Author { ops, told } = &self.authors[*device];
                let done = (1..).take_while(|n| told.contains_key(n)).count();
                let mut range = done.saturating_sub(*back)..ops.len().min(done + count);
                // A device sends its transactions whole.
                let splits = |at: usize| {
                    at > 0 && at < ops.len() && ops[at].tx.is_some() && ops[at].tx == ops[at - 1].tx
                };
                while splits(range.start) {
                    range.start -= 1;
                }
                while splits(range.end) {
                    range.end += 1;
                }
                let ops = ops.get(range).unwrap_or_default().to_vec();
                self.push(*device, ops)?;
            }
            Step::Judge { which, how } if !self.asks.is_empty() => {
                let ask = self.asks.remove(which % self.asks.len());
                let verdict = match how {
                    0 => Verdict::Refuse { code: RefusalCode::ForbiddenOp, detail: "no".into() },
                    1 => Verdict::Unavailable { retry_after_ms: 1 },
                    2 => Verdict::Accept { set: values(&[("by", "handler".into())]) },
                    _ => Verdict::Accept { set: Default::default() },
                };
                self.handle(Input::Answered { ask, verdict })?;
            }
            Step::Resolve { which, how } => self.resolve(*which, *how)?,
            Step::Judge { .. } => {}
            Step::Flush => self.flush()?,
            Step::Crash => {
                self.under_way = None;
                self.asks.clear();
                self.open.clear();
                self.ledger = load(&self.store);
            }
        }
        Ok(())
    }

    fn draft(&self, device: usize, draft: &Draft) -> PushOp {
        let ops = &self.authors[device].ops;
        let n = ops.len() as u64 + 1;
        let kind = KINDS[draft.kind];
        let value: Value = draft.value.into();
        let made = ops.iter().rev().find(|op| op.entity.id.is_temporary() && op.entity.kind.as_str() == kind);
        let temporary = made.map(|op| op.entity.to_string());
        let plain = format!("{kind}/{}", draft.id);
        let key = temporary.filter(|_| draft.how.is_multiple_of(2)).unwrap_or(plain);
        let referred =
            ops.iter().rev().find(|op| op.entity.id.is_temporary() && op.entity.kind.as_str() == "text");
        let mut op = match draft.how {
            0 => create(n, &format!("{kind}/tmp_{n}"), &[("v", value)]),
            1 | 2 if kind == "sum" => op(n, &key, Action::Delta([(field(), draft.value.into())].into())),
            3 => op(n, &key, Action::Delete),
            4 | 5 => update(n, &key, &[("v", value)]),
            6 if referred.is_some() => {
                let id = referred.map_or("", |op| op.entity.id.as_str());
                create(n, &key, &[("v", value), ("ref", id.into())])
            }
            7 => create(n, &key, &[("v", value), ("ref", "0".into())]),
            8 if kind != "sum" => update(n, &key, &[("v", value), ("ref", "1".into())]),
            _ => create(n, &key, &[("v", value)]),
        };
        if kind == "sum" && matches!(op.action, Action::Update { .. }) {
            op.was = [(field(), Some(0.into()))].into();
        }
        let before = ops.iter().rev().find(|before| before.entity == op.entity);
        if let Some(before) = before.filter(|_| draft.how != 5) {
            op.seen = PushSeen::After(before.numbered.n);
        }
        if draft.dep && n > 1 {
            op.deps = [n - 1].into();
        }
        op
    }

    fn push(&mut self, device: usize, ops: Vec<PushOp>) -> Result<(), TestCaseError> {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.open.insert(request, device);
        self.handle(Input::Push {
            request,
            actor: name(device),
            user: user(),
            grants: Grants::everything(),
            clock: ClientClock::default(),
            ops,
        })
    }

    fn resolve(&mut self, which: usize, how: usize) -> Result<(), TestCaseError> {
        let open: Vec<_> = self.ledger.conflicts().filter(|(_, conflict)| conflict.is_open()).collect();
        let Some((id, conflict)) = open.get(which % open.len().max(1)) else { return Ok(()) };
        let request = Request {
            resolution_id: format!("r{}", self.requests),
            conflict_rev: conflict.rev(),
            entity_ver: RecordVersion(u64::MAX),
            choice: [Choice::Server, Choice::Client, Choice::Candidate(1)][how].clone(),
            rationale: String::new(),
            by: "ann".into(),
            approval: false,
        };
        self.requests += 1;
        let (conflict, wish) = (*id, ConflictWish::Resolve(request));
        self.handle(Input::Conflict { request: RequestId(self.requests), conflict, wish })
    }

    fn flush(&mut self) -> Result<(), TestCaseError> {
        let Some((commit, batch)) = self.under_way.take() else { return Ok(()) };
        self.store.write(batch)?;
        self.handle(Input::Committed(commit))
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
                Effect::Moved { .. } => {}
                Effect::Ask { ask, .. } => self.asks.push(ask),
                Effect::Merge(_) | Effect::Refuse { .. } | Effect::Deleted { .. } => {
                    panic!("no type has documents here")
                }
                Effect::Answer { request, answer } => {
                    let Some(device) = self.open.remove(&request) else { continue };
                    self.answered(device, answer)?;
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, device: usize, answer: Answer) -> Result<(), TestCaseError> {
        let Answer::Pushed { results, .. } = answer else {
            prop_assert!(
                matches!(answer, Answer::Refused(Refused::Numbers(NumbersError::Gap { .. }))),
                "{:?}",
                answer
            );
            return Ok(());
        };
        let stored: BTreeMap<u64, &OpResult> =
            self.store.results(device).map(|result| (result.n, result)).collect();
        for status in results {
            let OpStatus::Done(result) = status else { continue };
            let result = same_each_time(&mut self.authors[device].told, *result)?;
            prop_assert_eq!(stored.get(&result.n).copied(), Some(&result), "it is durable");
        }
        Ok(())
    }

    /// Sends everything until each op has a result: a few rounds must do.
    fn quiesce(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..3 {
            for device in 0..DEVICES {
                let ops = self.authors[device].ops.clone();
                self.push(device, ops)?;
            }
            while self.under_way.is_some() || !self.asks.is_empty() {
                self.flush()?;
                for ask in std::mem::take(&mut self.asks) {
                    self.handle(Input::Answered {
                        ask,
                        verdict: Verdict::Accept { set: Default::default() },
                    })?;
                }
            }
            prop_assert!(self.open.is_empty(), "each request is answered");
        }
        for author in &self.authors {
            prop_assert_eq!(author.told.len(), author.ops.len(), "each op has its result");
        }
        Ok(())
    }

    /// The ops of a transaction took effect together or not at all.
    fn check_transactions(&self) -> Result<(), TestCaseError> {
        for author in &self.authors {
            let mut by_tx: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
            for op in author.ops.iter() {
                let Some(tx) = &op.tx else { continue };
                let outcome = &author.told[&op.numbered.n].outcome;
                by_tx.entry(tx).or_default().push(matches!(outcome, Outcome::Applied | Outcome::Merged));
            }
            for (tx, done) in by_tx.into_iter().filter(|(_, done)| done.len() > 1) {
                prop_assert!(done.iter().all(|each| *each == done[0]), "{} {:?}", tx, done);
            }
        }
        Ok(())
    }

    /// No record that lives refers to one that was deleted by a field that restricts that, no two hold what only one may, and
    /// what could not be written for it is kept.
    fn check_promises(&self) -> Result<(), TestCaseError> {
        let mut holders = BTreeMap::new();
        for (key, record) in self.ledger.records().filter(|(key, _)| key.kind.as_str() != "sum") {
            let Some(value) = record.value(&field()).cloned() else { continue };
            let before = holders.insert((&key.kind, value), &key.id);
            prop_assert!(before.is_none(), "{} and {:?} hold the same", key, before);
        }
        let restricts = |key: &EntityKey| key.kind.as_str() != "wins";
        for (key, record) in self.ledger.records().filter(|(key, _)| restricts(key)) {
            let Some(Value::Text(id)) = record.value(&refers()) else { continue };
            let referred = self.ledger.record(&entity(&format!("text/{id}")));
            prop_assert!(referred.is_none_or(|referred| !referred.deleted), "{} refers to {}", key, id);
        }
        for result in self.authors.iter().flat_map(|author| author.told.values()) {
            let Some(collision) = &result.conflict else { continue };
            let conflict = self.ledger.conflict(collision.id).expect("it is kept");
            let waiting = match (collision.kind, &result.outcome) {
                (ConflictKind::Reference, Outcome::Conflict) => refers(),
                (ConflictKind::Unique, Outcome::Conflict) => field(),
                _ => continue,
            };
            let is_kept = |it: &Candidate| {
                it.stamp.dot.counter == result.n
                    && it.wish.values().is_some_and(|values| values.contains_key(&waiting))
            };
            let is_counted = conflict.candidates_beyond() > 0;
            prop_assert!(is_counted || conflict.candidates().iter().any(is_kept), "{:?}", result);
        }
        Ok(())
    }

    /// Each number counts once. What was deleted counts no more.
    fn check_sums(&self) -> Result<(), TestCaseError> {
        let mut sums: BTreeMap<EntityKey, Decimal> = BTreeMap::new();
        for author in &self.authors {
            for op in author.ops.iter().filter(|op| op.entity.kind.as_str() == "sum") {
                let result = &author.told[&op.numbered.n];
                let amount = match &op.action {
                    Action::Delta(amounts) => amounts[&field()],
                    action => number(action.values().and_then(|values| values.get(&field()))),
                };
                // Where only the reference waits for people the number counts.
                if matches!(result.outcome, Outcome::Applied | Outcome::Merged | Outcome::Conflict) {
                    let sum = sums.entry(result.entity.clone()).or_default();
                    *sum = sum.checked_add(amount).expect("they are small");
                }
            }
        }
        for (key, sum) in sums {
            let record = self.ledger.record(&key).filter(|record| !record.deleted);
            prop_assert!(record.is_none_or(|record| number(record.value(&field())) == sum), "{}", key);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_happens_each_op_is_done_once(steps in steps()) {
        let mut world = Whole::new();
        for step in &steps {
            world.step(step)?;
        }
        world.quiesce()?;
        world.check_transactions()?;
        world.check_sums()?;
        world.check_promises()?;
        // It is the same when it is loaded again: all is a duplicate then, and nothing is written.
        let again = load(&world.store);
        prop_assert!(again.conflicts().eq(world.ledger.conflicts()));
        let head = world.ledger.log.head();
        prop_assert_eq!(again.log.head(), head);
        let changes: u64 = world.ledger.records().map(|(_, record)| record.ver.0).sum();
        prop_assert_eq!(head, Sequence(changes));
        prop_assert_eq!(&again.records, &world.ledger.records);
        prop_assert_eq!(&again.ties, &world.ledger.ties);
        world.step(&Step::Crash)?;
        world.quiesce()?;
        prop_assert_eq!(world.ledger.log.head(), head);
    }
}
