//! Documents as entities, with rooms that gather, lose what they hold, and come back.
//!
//! Goal: what a document holds, its record and the result of an op become durable together, and an op is in the document
//! exactly if its result says so. Method: random steps drive the real machine beside rooms that are sets of numbers, each an
//! update; commits go to a disk with what rooms store, crashes drop all else; in the end each device sends all that it has.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::support::{a_type, op, push_of, same_each_time, word};
use super::*;

type Number = u64;

/// A room, as its document in memory.
#[derive(Default)]
struct Room {
    held: BTreeSet<Number>,
    gathered: Vec<(Number, Option<MergeId>)>,
    commits: bool,
}

#[derive(Default)]
struct Author {
    ops: Vec<PushOp>,
    told: BTreeMap<u64, OpResult>,
}

struct World {
    disk: Disk,
    ledger: Ledger,
    /// What is stored of the documents.
    documents: BTreeMap<EntityKey, BTreeSet<Number>>,
    rooms: BTreeMap<EntityKey, Room>,
    /// What rooms are to take in.
    waiting: Vec<(MergeId, EntityKey, Number)>,
    tickets: BTreeMap<Ticket, (EntityKey, Vec<Number>)>,
    under_way: Option<(LedgerCommit, Vec<Write>, Vec<Ticket>)>,
    authors: Vec<Author>,
    /// The device behind each request of this life.
    asked: Vec<usize>,
    /// How many updates and tickets there have been.
    numbers: u64,
    now_ms: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Type(usize),
    Write(usize, usize),
    Delete(usize, usize),
    Push {
        device: usize,
        back: usize,
        count: usize,
    },
    /// A room takes in what waits longest, or ends before it can.
    Take {
        ends: bool,
    },
    /// A room stores what it has.
    Store(usize),
    Flush,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (device, id) = (0..2_usize, 0..2_usize);
    let step = prop_oneof![
        4 => id.clone().prop_map(Step::Type),
        5 => (device.clone(), id.clone()).prop_map(|(device, id)| Step::Write(device, id)),
        1 => (device.clone(), id.clone()).prop_map(|(device, id)| Step::Delete(device, id)),
        5 => (device, 0..3_usize, 1..4_usize).prop_map(|(device, back, count)| Step::Push { device, back, count }),
        6 => prop::bool::weighted(0.1).prop_map(|ends| Step::Take { ends }),
        6 => id.prop_map(Step::Store),
        5 => Just(Step::Flush),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..80)
}

fn types() -> Vec<EntityType> {
    vec![a_type("note", Policy::Crdt)]
}

fn note(id: usize) -> EntityKey {
    support::entity(&format!("note/{id}"))
}

fn number_of(update: &Bytes) -> Number {
    Number::from_be_bytes(update[..].try_into().expect("eight bytes"))
}

impl World {
    fn new() -> Self {
        let disk = Disk::default();
        let (documents, rooms, waiting, tickets, asked) = Default::default();
        let ledger = disk.load(types(), Epoch(1));
        let authors = vec![Author::default(), Author::default()];
        let (under_way, numbers, now_ms) = (None, 0, 1_000);
        let mut world = Self {
            disk,
            ledger,
            documents,
            rooms,
            waiting,
            tickets,
            under_way,
            authors,
            asked,
            numbers,
            now_ms,
        };
        for device in 0..2 {
            let (request, about) = (world.request(device), DeviceAbout::default());
            let bind = Input::Bind { request, actor: name(device), user: user(), about };
            world.handle(bind).and_then(|()| world.flush()).expect("a device is bound");
        }
        world
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Type(id) => {
                let number = self.next();
                if !self.is_deleted(&note(id)) {
                    let room = self.room(&note(id));
                    room.held.insert(number);
                    room.gathered.push((number, None));
                }
            }
            Step::Write(device, id) => {
                let update = self.next().to_be_bytes().to_vec().into();
                self.write(device, id, Action::Document(update));
            }
            Step::Delete(device, id) => self.write(device, id, Action::Delete),
            Step::Push { device, back, count } => {
                let from = self.authors[device].told.len().saturating_sub(back);
                let ops = self.authors[device].ops.iter().skip(from).take(count).cloned().collect();
                self.push(device, ops)?;
            }
            Step::Take { ends } => self.take(ends)?,
            Step::Store(id) => self.store(&note(id))?,
            Step::Flush => self.flush()?,
            Step::Crash => {
                self.ledger = self.disk.load(types(), Epoch(1));
                self.under_way = None;
                self.rooms.clear();
                self.waiting.clear();
                self.tickets.clear();
                self.asked.clear();
            }
        }
        Ok(())
    }

    fn next(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn request(&mut self, device: usize) -> RequestId {
        self.asked.push(device);
        RequestId(self.asked.len() as u64 - 1)
    }

    fn write(&mut self, device: usize, id: usize, action: Action) {
        let ops = &mut self.authors[device].ops;
        ops.push(op(ops.len() as u64 + 1, &format!("note/{id}"), action));
    }

    fn push(&mut self, device: usize, ops: Vec<PushOp>) -> Result<(), TestCaseError> {
        let request = self.request(device);
        self.handle(push_of(request, &format!("d{device}"), ops))
    }

    fn room(&mut self, key: &EntityKey) -> &mut Room {
        let stored = self.documents.get(key).cloned().unwrap_or_default();
        self.rooms.entry(key.clone()).or_insert_with(|| Room { held: stored, ..Room::default() })
    }

    /// Whoever opens a room asks this first, and waits until the answer is durable.
    fn is_deleted(&self, key: &EntityKey) -> bool {
        let is_open = self.rooms.contains_key(key);
        !is_open && self.ledger.record(key).is_some_and(|record| record.deleted)
    }

    fn take(&mut self, ends: bool) -> Result<(), TestCaseError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (merge, key, number) = self.waiting.remove(0);
        if ends {
            self.end(&key)?;
        }
        if ends || self.is_deleted(&key) {
            return self.handle(Input::Merged { merge, outcome: MergeOutcome::Unavailable });
        }
        let is_durable = self.documents.get(&key).is_some_and(|stored| stored.contains(&number));
        let room = self.room(&key);
        if room.held.insert(number) {
            room.gathered.push((number, Some(merge)));
        } else if is_durable {
            return self.handle(Input::Merged { merge, outcome: MergeOutcome::Taken });
        } else {
            self.waiting.push((merge, key, number));
        }
        Ok(())
    }

    fn store(&mut self, key: &EntityKey) -> Result<(), TestCaseError> {
        let ticket = Ticket(self.next());
        let Some(room) = self.rooms.get_mut(key).filter(|room| !room.commits && !room.gathered.is_empty())
        else {
            return Ok(());
        };
        room.commits = true;
        let gathered = std::mem::take(&mut room.gathered);
        let typed = gathered.iter().any(|(_, merge)| merge.is_none());
        let merges = gathered.iter().filter_map(|(_, merge)| *merge).collect();
        let numbers = gathered.into_iter().map(|(number, _)| number).collect();
        self.tickets.insert(ticket, (key.clone(), numbers));
        self.handle(Input::Touched(Touched { ticket, key: key.clone(), merges, typed }))
    }

    /// A room ends and forgets what it has not handed over.
    fn end(&mut self, key: &EntityKey) -> Result<(), TestCaseError> {
        // It waits for the commit that it has begun.
        while self.rooms.get(key).is_some_and(|room| room.commits) && self.under_way.is_some() {
            self.flush()?;
        }
        let Some(room) = self.rooms.remove(key) else { return Ok(()) };
        for (_, merge) in room.gathered {
            if let Some(merge) = merge {
                self.handle(Input::Merged { merge, outcome: MergeOutcome::Unavailable })?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TestCaseError> {
        let Some((commit, batch, rooms)) = self.under_way.take() else { return Ok(()) };
        for ticket in rooms {
            let (key, numbers) = self.tickets.remove(&ticket).expect("it was handed over");
            let by_server = |record: &Record| self.ledger.actors().is_server(record.dot.replica);
            let records = batch.iter().filter_map(|write| match write {
                Write::Record(of, record) if *of == key => Some(record),
                _ => None,
            });
            prop_assert!(records.clone().count() > 0, "who pulls must hear of the document");
            prop_assert!(records.filter(|record| by_server(record)).count() <= 1, "typing is one change");
            self.documents.entry(key.clone()).or_default().extend(numbers);
            self.rooms.entry(key).and_modify(|room| room.commits = false);
        }
        self.disk.write(batch);
        self.handle(Input::Committed(commit))
    }

    fn handle(&mut self, input: Input) -> Result<(), TestCaseError> {
        self.now_ms += 7;
        let now = Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) };
        self.ledger.handle(now, input);
        let mut ended = Vec::new();
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Commit { commit, batch, rooms } => self.under_way = Some((commit, batch, rooms)),
                Effect::Merge(Merge { merge, key, update, .. }) => {
                    self.waiting.push((merge, key, number_of(&update)))
                }
                Effect::Refuse { ticket } => {
                    let (key, _) = self.tickets.remove(&ticket).expect("it was handed over");
                    self.rooms.entry(key.clone()).and_modify(|room| room.commits = false);
                    ended.push(key);
                }
                Effect::Deleted { key } => ended.push(key),
                Effect::Answer { request, answer } => {
                    self.answered(self.asked[request.0 as usize], answer)?
                }
                Effect::Moved { .. } => {}
                Effect::Ask { .. } => panic!("no type has a handler here"),
            }
        }
        ended.iter().try_for_each(|key| self.end(key))
    }

    fn answered(&mut self, device: usize, answer: Answer) -> Result<(), TestCaseError> {
        let Answer::Pushed { results, .. } = answer else { return Ok(()) };
        let Author { ops, told } = &mut self.authors[device];
        for status in results {
            let OpStatus::Done(result) = status else { continue };
            let is_done = matches!(result.outcome, Outcome::Applied | Outcome::Merged);
            if let Action::Document(update) = &ops[result.n as usize - 1].action {
                let stored = self.documents.get(&result.entity);
                let is_stored = stored.is_some_and(|stored| stored.contains(&number_of(update)));
                prop_assert_eq!(is_stored, is_done, "{:?}", result);
            }
            same_each_time(told, *result)?;
        }
        Ok(())
    }

    /// Sends everything until all is done.
    fn quiesce(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..20 {
            for device in 0..2 {
                let ops = self.authors[device].ops.clone();
                self.push(device, ops)?;
            }
            while !self.waiting.is_empty()
                || self.under_way.is_some()
                || self.rooms.values().any(|room| !room.gathered.is_empty())
            {
                self.take(false)?;
                (0..2).try_for_each(|id| self.store(&note(id)))?;
                self.flush()?;
            }
        }
        for author in &self.authors {
            prop_assert_eq!(author.told.len(), author.ops.len());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_document_and_its_record_are_stored_together(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step)?;
        }
        world.quiesce()?;
        let records = world.disk.records();
        for (key, stored) in &world.documents {
            prop_assert!(stored.is_empty() || records.contains_key(key));
        }
        let changes: u64 = records.values().map(|record| record.ver.0).sum();
        prop_assert_eq!(world.disk.head(), Sequence(changes));
        let again = world.disk.load(types(), Epoch(1));
        for (key, record) in &records {
            prop_assert_eq!(again.record(key), Some(record.clone()));
        }
    }
}

#[test]
fn names_of_rooms_and_entities_match() {
    let key = note(1);
    assert_eq!(room_of(&key).as_str(), "note/1");
    assert_eq!(entity_of(&room_of(&key)), Some(key));
    for other in ["note", "note/", "/1", "note/1/2", "my note/1"] {
        assert_eq!(entity_of(&syncline_core::id::RoomName::new(other).expect("a name")), None, "{other}");
    }
}

/// What a room does not take is refused for good; what it cannot say now is to be sent again.
#[test]
fn a_room_says_what_becomes_of_an_op() {
    let mut bench = support::Bench::new(types(), Settings::default());
    let update = || op(1, "note/a", Action::Document(Bytes::from_static(b"x")));
    for (outcome, want) in [
        (MergeOutcome::Unavailable, "deferred: handler-unavailable"),
        (MergeOutcome::Refused { reason: "gap" }, "validation-failed"),
    ] {
        let request = bench.send("d1", &[update()]);
        let (merge, key) = bench.merges.pop().expect("a room has it");
        assert_eq!(key, support::entity("note/a"));
        bench.handle(Input::Merged { merge, outcome });
        let told = bench.pushed(request);
        assert_eq!(told.iter().map(word).collect::<Vec<_>>(), [want]);
    }
    assert_eq!(bench.data(&support::entity("note/a")), None);
    let in_tx = support::in_tx("t", op(2, "note/a", Action::Document(Bytes::from_static(b"x"))));
    assert_eq!(bench.words("d1", &[in_tx]), ["validation-failed"], "it could not be taken back");
    assert!(bench.merges.is_empty());
}
