//! Readers of scopes while others write, time passes, servers crash, and backups come back.
//!
//! Goal: whoever is told to be up to date has the records of the scope as they are, no more and no less; nothing that only left
//! the scope is told as a deletion; and nobody begins again without a reason.
//! Method: random steps drive the real machine. A reader applies pages as the contract says, loses answers, and goes back to
//! what it had stored last. What it should have is computed from the records, and not from the index that pages are read from.

use std::collections::BTreeMap;

use proptest::prelude::*;
use syncline_core::access::Grants;
use syncline_core::entity::bucket::{Bucket, BucketTemplate};
use syncline_core::entity::{EntityId, Values};
use syncline_core::limits::{DAY_MS, MAX_OFFLINE_MS, TOMBSTONE_TTL_MS};
use syncline_core::time::{MonotonicMs, Now};

use super::*;

const READERS: usize = 3;
const IDS: u8 = 4;
const AREAS: u8 = 3;

type Version = (Epoch, RecordVersion);
type Rows = BTreeMap<EntityKey, Row>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    version: Version,
    /// Whether it is dropped at the end of the pass, unless the pass tells it.
    is_marked: bool,
}

/// One device that reads one scope.
#[derive(Clone, Default)]
struct Reader {
    rows: Rows,
    cursor: Option<Cursor>,
    /// What it has on its disk: the rows and the cursor.
    stored: (Rows, Option<Cursor>),
    /// When the server had its last acknowledgement, and what that said.
    acked: Option<(u64, Cursor)>,
    /// Whether it is up to date and nothing has told it since that there is more.
    sleeps: bool,
}

/// A request that waits for its answer.
enum Asked {
    Pull { reader: usize, from: Option<Cursor>, want: BTreeMap<EntityKey, Version>, at_ms: u64 },
    Other,
}

struct World {
    disk: Disk,
    backup: (Disk, u64),
    ledger: Ledger,
    epoch: u64,
    by_spot: bool,
    readers: Vec<Reader>,
    asked: Vec<Asked>,
    under_way: Option<(LedgerCommit, Vec<Write>)>,
    /// The number of the writer's next op; each life of the log and of the server has another writer.
    writer: (u64, u64),
    now_ms: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        id: u8,
        area: Option<u8>,
    },
    Delete {
        id: u8,
    },
    Pull {
        reader: usize,
        count_max: usize,
    },
    Ack {
        reader: usize,
    },
    /// A device goes back to what it has on its disk.
    Return {
        reader: usize,
    },
    Resync {
        reader: usize,
    },
    Flush,
    Crash,
    Backup,
    Restore,
    /// The type gets other templates, with a restart.
    Retype,
    Pass {
        days: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reader = 0..READERS;
    let step = prop_oneof![
        12 => (0..IDS, prop::option::weighted(0.9, 0..AREAS)).prop_map(|(id, area)| Step::Put { id, area }),
        4 => (0..IDS).prop_map(|id| Step::Delete { id }),
        12 => (reader.clone(), 0..4_usize).prop_map(|(reader, count_max)| Step::Pull { reader, count_max }),
        4 => reader.clone().prop_map(|reader| Step::Ack { reader }),
        1 => reader.clone().prop_map(|reader| Step::Return { reader }),
        1 => reader.prop_map(|reader| Step::Resync { reader }),
        8 => Just(Step::Flush),
        1 => Just(Step::Crash),
        1 => Just(Step::Backup),
        1 => Just(Step::Restore),
        1 => Just(Step::Retype),
        4 => (1..50_u64).prop_map(|days| Step::Pass { days }),
    ];
    prop::collection::vec(step, 1..120)
}

fn kind() -> TypeName {
    TypeName::new("task").expect("a name")
}

fn task(id: u8) -> EntityKey {
    EntityKey { kind: kind(), id: EntityId::new(&format!("t{id}")).expect("an id") }
}

fn area() -> FieldName {
    FieldName::new("area").expect("a name")
}

fn spot() -> FieldName {
    FieldName::new("spot").expect("a name")
}

/// The types, as they are by turns: areas are filled from one field or from another.
fn kinds(by_spot: bool) -> Vec<EntityType> {
    let template = if by_spot { "area:{spot}" } else { "area:{area}" };
    [EntityType {
        buckets: vec![BucketTemplate::parse(template).expect("a template")],
        ..EntityType::new(kind(), Policy::Lww)
    }]
    .into()
}

/// Everything, one area, two areas.
fn areas(reader: usize) -> Option<&'static [i64]> {
    [None, Some(&[0][..]), Some(&[0, 1][..])][reader]
}

fn scope(reader: usize) -> Scope {
    let Some(areas) = areas(reader) else { return Scope::of_type(kind()) };
    let section = |area| Section { kind: kind(), bucket: Bucket::from_stored(&format!("area:{area}")) };
    let name = TypeName::new(&format!("areas{}", areas.len())).expect("a name");
    Scope { name, sections: areas.iter().map(section).collect() }
}

fn is_in(reader: usize, record: &Record, by_spot: bool) -> bool {
    let area = record.value(&if by_spot { spot() } else { area() }).cloned();
    let of = |areas: &[i64]| areas.iter().any(|&of| area == Some(of.into()));
    !record.deleted && areas(reader).is_none_or(of)
}

impl World {
    fn new() -> Self {
        let disk = Disk::default();
        let ledger = disk.load(kinds(false), Epoch(1));
        let readers = vec![Reader::default(); READERS];
        let mut world = Self {
            backup: (Disk::default(), 0),
            disk,
            ledger,
            epoch: 1,
            by_spot: false,
            readers,
            asked: Vec::new(),
            under_way: None,
            writer: (0, 0),
            now_ms: DAY_MS,
        };
        (0..READERS).for_each(|reader| world.bind(name(reader)));
        world.backup = (world.disk.clone(), world.now_ms);
        world.begin_writer();
        world
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Put { id, area: to } => {
                let fields = |to| [(area(), i64::from(to).into()), (spot(), i64::from(AREAS - to).into())];
                let values: Values = to.map(fields).into_iter().flatten().collect();
                let action = match self.ledger.record(&task(id)) {
                    None => Action::Create(values),
                    Some(record) if record.deleted => Action::Restore(values),
                    Some(_) => {
                        let unset = if to.is_none() { [area(), spot()].into() } else { Default::default() };
                        Action::Update { set: values, unset }
                    }
                };
                self.write(task(id), action)
            }
            Step::Delete { id } => self.write(task(id), Action::Delete),
            Step::Pull { reader, count_max } => self.pull(reader, count_max),
            Step::Ack { reader } => self.ack(reader),
            Step::Return { reader } => {
                let reader = &mut self.readers[reader];
                (reader.rows, reader.cursor) = reader.stored.clone();
                reader.sleeps = false;
                Ok(())
            }
            Step::Resync { reader } => {
                let (request, scope) = (self.request(Asked::Other), scope(reader).name);
                let reason = Reset::Requested;
                self.handle(Input::Resync { request, actor: name(reader), user: None, scope, reason })
            }
            Step::Flush => self.flush(),
            Step::Crash => {
                self.reload();
                Ok(())
            }
            Step::Backup => {
                self.backup = (self.disk.clone(), self.now_ms);
                Ok(())
            }
            Step::Restore => {
                self.disk = self.backup.0.clone();
                self.epoch += 1;
                self.reload();
                Ok(())
            }
            Step::Retype => {
                self.by_spot = !self.by_spot;
                self.reload();
                Ok(())
            }
            Step::Pass { days } => {
                self.now_ms += days * DAY_MS;
                self.handle(Input::Tick)
            }
        }
    }

    fn reload(&mut self) {
        self.under_way = None;
        self.asked.clear();
        self.ledger = self.disk.load(kinds(self.by_spot), Epoch(self.epoch));
        self.readers.iter_mut().for_each(|reader| reader.sleeps = false);
        self.begin_writer();
    }

    fn begin_writer(&mut self) {
        self.writer = (self.writer.0 + 1, 0);
        self.bind(self.writer_name());
    }

    fn writer_name(&self) -> ActorName {
        ActorName::device(&format!("w{}", self.writer.0)).expect("a name")
    }

    fn bind(&mut self, actor: ActorName) {
        let request = self.request(Asked::Other);
        let bind = Input::Bind { request, actor, user: user(), about: DeviceAbout::default() };
        self.handle(bind).and_then(|()| self.flush()).expect("a device is bound");
    }

    fn write(&mut self, entity: EntityKey, action: Action) -> Result<(), TestCaseError> {
        let claim = self.ledger.record(&entity).map(|record| Claim {
            vv: Some(record.vv.clone()),
            hlc: Some(record.hlc),
            ..Claim::default()
        });
        self.writer.1 += 1;
        let n = self.writer.1;
        let seen = PushSeen::Record(claim.unwrap_or_default());
        let op = PushOp { seen, ..support::op(n, &entity.to_string(), action) };
        let (request, actor) = (self.request(Asked::Other), self.writer_name());
        let (grants, clock) = (Grants::everything(), ClientClock::default());
        self.handle(Input::Push { request, actor, user: user(), grants, clock, ops: vec![op] })
    }

    fn pull(&mut self, reader: usize, count_max: usize) -> Result<(), TestCaseError> {
        let from = self.readers[reader].cursor;
        let want = self.want(reader);
        let request = self.request(Asked::Pull { reader, from, want, at_ms: self.now_ms });
        let scopes = vec![PullScope { scope: scope(reader), cursor: from, count_max, without_own: false }];
        self.handle(Input::Pull { request, actor: name(reader), user: user(), scopes })
    }

    fn ack(&mut self, at: usize) -> Result<(), TestCaseError> {
        let (now_ms, epoch) = (self.now_ms, Epoch(self.epoch));
        let reader = &mut self.readers[at];
        reader.stored = (reader.rows.clone(), reader.cursor);
        let Some(cursor) = reader.cursor else { return Ok(()) };
        let counts = cursor.epoch == epoch && cursor.horizon() >= self.ledger.log.floor();
        reader.acked = counts.then_some((now_ms, cursor));
        let ack = Ack { cursors: vec![(scope(at).name, cursor)], ..Ack::default() };
        let request = self.request(Asked::Other);
        self.handle(Input::Ack { request, actor: name(at), user: user(), ack })?;
        // What is said of `acked` holds when the server has it.
        self.flush()
    }

    fn flush(&mut self) -> Result<(), TestCaseError> {
        while let Some((commit, batch)) = self.under_way.take() {
            self.disk.write(batch);
            self.handle(Input::Committed(commit))?;
        }
        // All is durable: who sleeps has not missed anything.
        for (at, reader) in self.readers.iter().enumerate().filter(|(_, reader)| reader.sleeps) {
            let has: BTreeMap<_, _> =
                reader.rows.iter().map(|(key, row)| (key.clone(), row.version)).collect();
            prop_assert_eq!(has, self.want(at));
        }
        Ok(())
    }

    /// What a reader should have.
    fn want(&self, reader: usize) -> BTreeMap<EntityKey, Version> {
        let records = (0..IDS).filter_map(|id| Some((task(id), self.ledger.record(&task(id))?)));
        let want = records.filter(|(_, record)| is_in(reader, record, self.by_spot));
        want.map(|(key, record)| (key, (record.epoch, record.ver))).collect()
    }

    fn request(&mut self, asked: Asked) -> RequestId {
        self.asked.push(asked);
        RequestId(self.asked.len() as u64 - 1)
    }

    fn handle(&mut self, input: Input) -> Result<(), TestCaseError> {
        let now = Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) };
        self.ledger.handle(now, input);
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Commit { commit, batch, .. } => self.under_way = Some((commit, batch)),
                Effect::Ask { .. } => panic!("no type has a handler here"),
                Effect::Merge(_) | Effect::Refuse { .. } | Effect::Deleted { .. } => {
                    panic!("no type has documents here")
                }
                Effect::Moved { sections, .. } => {
                    for (at, reader) in self.readers.iter_mut().enumerate() {
                        reader.sleeps &= scope(at).sections.is_disjoint(&sections);
                    }
                }
                Effect::Answer { request, answer } => {
                    let asked = std::mem::replace(&mut self.asked[request.0 as usize], Asked::Other);
                    match (answer, asked) {
                        (Answer::Pulled(pulled), Asked::Pull { reader, from, want, at_ms }) => {
                            self.pulled(reader, from, &want, at_ms, *pulled)?;
                        }
                        (Answer::Refused(refused), _) => prop_assert!(false, "{refused}"),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn pulled(
        &mut self,
        at: usize,
        from: Option<Cursor>,
        want: &BTreeMap<EntityKey, Version>,
        at_ms: u64,
        mut pulled: Pulled,
    ) -> Result<(), TestCaseError> {
        let scope = pulled.scopes.pop().expect("it was asked for");
        self.check_reset(at, from, at_ms, &scope)?;
        let reader = &mut self.readers[at];
        if from != reader.cursor {
            // The device has gone back meanwhile: the answer is lost.
            return Ok(());
        }
        let began = from.filter(|_| scope.reset.is_none()).map_or(Some(pulled.as_of), |from| from.full_pass);
        for change in &scope.changes {
            let PullChange::Delete(_, record) = change else { continue };
            prop_assert!(
                began.is_none_or(|began| record.read().seq > began),
                "a pass does not tell what was gone"
            );
        }
        prop_assert!(!scope.has_more || scope.cursor.full_pass == began);
        prop_assert_eq!(scope.done.is_some(), began.is_some(), "a full pass tells how far it is");
        prop_assert!(scope.done.is_none_or(|done| done <= scope.total));
        prop_assert!(scope.done.is_none_or(|done| done == scope.total || scope.has_more));
        if scope.reset.is_some() || from.is_none() {
            reader.rows.values_mut().for_each(|row| row.is_marked = true);
        }
        for change in &scope.changes {
            reader.apply(change, want)?;
        }
        reader.cursor = Some(scope.cursor);
        reader.sleeps = !scope.has_more;
        if scope.has_more {
            prop_assert!(!scope.changes.is_empty(), "a page that is not the last goes on");
            return Ok(());
        }
        reader.rows.retain(|_, row| !row.is_marked);
        let has: BTreeMap<_, _> = reader.rows.iter().map(|(key, row)| (key.clone(), row.version)).collect();
        prop_assert_eq!(&has, want);
        prop_assert_eq!(scope.total, want.len() as u64);
        prop_assert_eq!(scope.cursor.pos, pulled.as_of);
        let shares = has.iter().map(|(key, (_, ver))| Checksum::of(key, *ver));
        let sum = shares.fold(Checksum::default(), Checksum::plus);
        prop_assert_eq!(scope.checksum, (at < 2).then_some(sum));
        Ok(())
    }

    /// A cursor moves on, or there is a reason to begin again.
    fn check_reset(
        &self,
        at: usize,
        from: Option<Cursor>,
        at_ms: u64,
        scope: &PulledScope,
    ) -> Result<(), TestCaseError> {
        let Some(from) = from else {
            prop_assert_eq!(scope.reset, None);
            return Ok(());
        };
        match scope.reset {
            None => prop_assert!(scope.cursor.pos >= from.pos && from.epoch == scope.cursor.epoch),
            Some(Reset::Epoch) => prop_assert_ne!(from.epoch, Epoch(self.epoch)),
            Some(Reset::Expired) => {
                prop_assert!(at_ms > TOMBSTONE_TTL_MS);
                // Nobody who has told where they are within the time is left behind.
                let is_waited_for = self.readers[at].acked.is_some_and(|(acked_ms, acked)| {
                    acked.epoch == from.epoch
                        && acked.horizon() <= from.horizon()
                        && at_ms - acked_ms < MAX_OFFLINE_MS - DAY_MS
                });
                prop_assert!(!is_waited_for);
            }
            Some(Reset::Requested) => {}
            Some(Reset::ScopeChanged) => {
                prop_assert!(areas(at).is_some() && from.buckets != scope.cursor.buckets);
            }
            Some(other) => prop_assert!(false, "{}", other.as_str()),
        }
        Ok(())
    }

    /// Everyone reads to the end.
    fn quiesce(&mut self) -> Result<(), TestCaseError> {
        self.flush()?;
        for reader in 0..READERS {
            for _ in 0..3 {
                self.pull(reader, usize::MAX)?;
                self.flush()?;
            }
            prop_assert!(self.readers[reader].cursor.is_some_and(|cursor| cursor.full_pass.is_none()));
        }
        let again = self.disk.load(kinds(self.by_spot), Epoch(self.epoch));
        prop_assert_eq!(&again.log, &self.ledger.log);
        prop_assert_eq!(&again.days, &self.ledger.days);
        Ok(())
    }
}

impl Reader {
    fn apply(
        &mut self,
        change: &PullChange,
        want: &BTreeMap<EntityKey, Version>,
    ) -> Result<(), TestCaseError> {
        match change {
            PullChange::Put(key, record) => {
                let record = record.read();
                let version = (record.epoch, record.ver);
                let known = self.rows.get(key).filter(|row| !row.is_marked);
                if known.is_none_or(|row| row.version <= version) {
                    self.rows.insert(key.clone(), Row { version, is_marked: false });
                }
            }
            PullChange::Delete(key, record) => {
                prop_assert!(record.read().deleted, "what only left is not told as deleted");
                self.rows.remove(key);
            }
            PullChange::Evict(key) => {
                prop_assert!(!want.contains_key(key), "what is in the scope has not left it");
                self.rows.remove(key);
            }
            PullChange::Document(..) => prop_assert!(false, "there are no documents"),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whoever_is_up_to_date_has_what_is_there(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step)?;
        }
        world.quiesce()?;
    }
}
