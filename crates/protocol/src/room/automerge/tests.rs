//! Rooms driven by hand, with clients of automerge's own.

mod programs;
mod sizes;

use std::collections::BTreeMap;

use automerge::{
    ActorId, AutoCommit, ObjType, ROOT, ReadDoc,
    sync::{Message, State, SyncDoc},
    transaction::Transactable,
};
use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use syncline_core::{
    id::{CommitNumber, ConnectionId},
    limits::{AUTOMERGE_ANNOUNCED_MS_MAX, AUTOMERGE_OP_CHARGE_BYTES},
    log::LogRecord,
    time::WallMs,
};

use super::*;
use crate::{Access, Dialect, Outbox, Written, room::Guest, wire::automerge::Inner};

const ALICE: ConnectionId = ConnectionId(1);
const BOB: ConnectionId = ConnectionId(2);
const CAROL: ConnectionId = ConnectionId(3);

/// A client: its document, and its side of the dialogue.
struct Client {
    doc: AutoCommit,
    state: State,
    unavailable: u32,
    heard: Vec<Bytes>,
}

impl Client {
    fn new(connection: ConnectionId) -> Self {
        let doc = AutoCommit::new().with_actor(ActorId::from([connection.0 as u8; 16]));
        Self { doc, state: State::new(), unavailable: 0, heard: Vec::new() }
    }

    fn put(&mut self, key: &str, value: i64) {
        self.doc.put(ROOT, key, value).expect("a key of a map");
        self.doc.commit();
    }

    fn hear(&mut self, inner: &Bytes) {
        match inner[0] {
            0 => {
                let at = inner.len() - sync_of(inner).len();
                let message = Message::decode(&inner[at..]).expect("a message");
                self.doc.sync().receive_sync_message(&mut self.state, message).expect("it is taken in");
            }
            1 => self.unavailable += 1,
            _ => self.heard.push(inner.clone()),
        }
    }
}

/// The sync message in what a room says.
fn sync_of(inner: &Bytes) -> Bytes {
    let frame = Inner::address(inner, "server", "client", "2yh5UZx7idRCxjy3C4tiUeBEMQmE");
    match crate::wire::automerge::decode(&frame) {
        Ok(crate::wire::automerge::Incoming::Message {
            message: crate::wire::automerge::Message::Sync { data, .. },
            ..
        }) => data,
        other => panic!("{other:?}"),
    }
}

/// A room with the shell around it.
struct World {
    room: AutomergeRoom,
    now_ms: u64,
    clients: BTreeMap<ConnectionId, Client>,
    outboxes: BTreeMap<ConnectionId, Outbox>,
    under_way: Option<LogRecord>,
    stored: Vec<LogRecord>,
    closed: Vec<(ConnectionId, CloseReason)>,
    reload: bool,
    /// Compactions that the room asked for; each ends at once, with a snapshot of 100 bytes.
    folds: usize,
    folding: bool,
    /// What programs were told.
    told: Vec<Effect>,
    /// Bytes that each was charged for, beside those that it sent.
    charged: BTreeMap<ConnectionId, u64>,
}

impl World {
    fn with(connections: &[ConnectionId]) -> Self {
        Self::of_bytes(RoomLimits::default().document_bytes_max, connections)
    }

    /// A room that stores so many bytes.
    fn of_bytes(document_bytes_max: usize, connections: &[ConnectionId]) -> Self {
        Self::within(&RoomLimits { document_bytes_max, ..RoomLimits::default() }, connections)
    }

    fn within(limits: &RoomLimits, connections: &[ConnectionId]) -> Self {
        let room = AutomergeRoom::load(Now::default(), &Loaded::default(), limits);
        let mut world = Self {
            room: room.expect("nothing to load"),
            now_ms: 0,
            clients: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            under_way: None,
            stored: Vec::new(),
            closed: Vec::new(),
            reload: false,
            folds: 0,
            folding: false,
            told: Vec::new(),
            charged: BTreeMap::new(),
        };
        for &connection in connections {
            world.clients.insert(connection, Client::new(connection));
            world.join(connection, Access::ReadWrite);
        }
        world
    }

    fn now(&self) -> Now {
        Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) }
    }

    fn input(&mut self, input: Input) {
        self.room.handle(self.now(), input);
        self.carry_out();
    }

    fn join(&mut self, connection: ConnectionId, access: Access) {
        self.outboxes.insert(connection, Outbox::default());
        self.clients.get_mut(&connection).expect("a client").state = State::new();
        let guest = Guest { access, dialect: Dialect::Automerge, ..Guest::default() };
        self.input(Input::Join { connection, guest });
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.room.poll_effect() {
            match effect {
                Effect::Commit(record) => assert!(self.under_way.replace(record).is_none(), "one at a time"),
                Effect::Step(to, batch) => self.outbox(to, |outbox| outbox.step(batch)),
                Effect::Ask(to, batch) => self.outbox(to, |outbox| outbox.ask(batch)),
                Effect::Text(to, batch) => self.outbox(to, |outbox| outbox.text(&batch)),
                Effect::Close(to, reason) => {
                    self.outboxes.remove(&to);
                    self.closed.push((to, reason));
                }
                Effect::Reload => self.reload = true,
                Effect::Compact(_) => self.folding = true,
                Effect::Unload => {}
                Effect::Charge(to, bytes) => self.outbox(to, |outbox| outbox.charge(bytes)),
                told @ (Effect::Absorbed(..) | Effect::Read(..)) => self.told.push(told),
                other => panic!("{other:?} is not expected"),
            }
        }
    }

    fn outbox(&mut self, connection: ConnectionId, change: impl FnOnce(&mut Outbox)) {
        self.outboxes.get_mut(&connection).map(change);
    }

    /// Has a client say what it has to say.
    fn say(&mut self, connection: ConnectionId, wants: bool) -> bool {
        let client = self.clients.get_mut(&connection).expect("a client");
        let Some(message) = client.doc.sync().generate_sync_message(&mut client.state) else { return false };
        if self.outboxes.contains_key(&connection) {
            let message = message.encode().into();
            self.input(Input::Request { connection, request: Request::Dialogue { message, wants } });
        }
        true
    }

    fn flush(&mut self) {
        self.input(Input::Flush);
    }

    fn commit(&mut self) {
        if let Some(record) = self.under_way.take() {
            self.stored.push(record);
            self.input(Input::Committed);
        }
        if std::mem::take(&mut self.folding) {
            self.folds += 1;
            self.input(Input::Compacted { snapshot_bytes: Some(100) });
        }
        if std::mem::take(&mut self.reload) {
            self.input(Input::Reloaded(Loaded { snapshot: None, log: self.stored.clone() }));
        }
    }

    /// Has a client read one thing that was written to it.
    fn read(&mut self, connection: ConnectionId) -> bool {
        loop {
            match self.outboxes.get_mut(&connection).map_or(Written::Idle, Outbox::poll) {
                Written::Batch(batch) => {
                    let client = self.clients.get_mut(&connection).expect("a client");
                    batch.frames().iter().for_each(|frame| client.hear(frame));
                    return true;
                }
                Written::AskResume(since) => self.input(Input::Resume { connection, since }),
                Written::Charge(bytes) => *self.charged.entry(connection).or_default() += bytes,
                Written::Idle | Written::Close(_) => return false,
                Written::Acknowledge(_) | Written::Kept(_) => panic!("heads acknowledge"),
            }
        }
    }

    /// Goes on until nobody has anything to say.
    fn settle(&mut self) {
        let mut idle = 0;
        for _ in 0..200 {
            let mut busy = false;
            for connection in self.clients.keys().copied().collect::<Vec<_>>() {
                busy |= self.say(connection, false);
                busy |= self.read(connection);
            }
            self.flush();
            busy |= self.under_way.is_some();
            self.commit();
            self.flush();
            // What the last flush has brought is read in the next round.
            idle = if busy { 0 } else { idle + 1 };
            if idle == 2 {
                return;
            }
        }
        panic!("they never fall silent");
    }

    fn heads(&mut self, connection: ConnectionId) -> Vec<automerge::ChangeHash> {
        self.clients.get_mut(&connection).expect("a client").doc.get_heads()
    }

    /// What a server would load that started now.
    fn on_disk(&self) -> AutomergeDocument {
        AutomergeDocument::load(None, &self.stored).expect("what was stored loads")
    }
}

#[test]
fn a_change_is_acknowledged_and_shown_only_when_it_is_durable() {
    let mut world = World::with(&[ALICE, BOB]);
    world.settle();
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    // She announces, is asked, and sends.
    while world.under_way.is_none() {
        assert!(world.say(ALICE, false) | world.read(ALICE));
        world.flush();
    }
    for connection in [ALICE, BOB] {
        assert!(!world.read(connection), "nothing before the commit has ended");
    }
    world.commit();
    assert!(world.read(BOB) && world.read(ALICE));
    let alice = &world.clients[&ALICE];
    assert_eq!(alice.state.shared_heads.len(), 1, "she may forget it");
    world.settle();
    assert_eq!(world.heads(BOB), world.heads(ALICE));
    assert_eq!(world.on_disk().heads(), world.heads(ALICE));
}

/// Goal: who sends ops is charged for them, also for those that need no bytes, and nobody else is.
#[test]
fn ops_are_charged_to_who_sends_them() {
    let mut world = World::with(&[ALICE, BOB]);
    let alice = world.clients.get_mut(&ALICE).expect("alice");
    let text = alice.doc.put_object(ROOT, "text", ObjType::Text).expect("a map");
    alice.doc.splice_text(&text, 0, 0, &"a".repeat(1_000)).expect("a text");
    alice.doc.commit();
    world.settle();
    assert_eq!(world.charged, BTreeMap::from([(ALICE, 1_001 * AUTOMERGE_OP_CHARGE_BYTES)]));
    world.clients.get_mut(&ALICE).expect("alice").doc.splice_text(&text, 0, 1_000, "").expect("a text");
    world.settle();
    assert!(
        (2_001..=2_002).contains(&(world.charged[&ALICE] / AUTOMERGE_OP_CHARGE_BYTES)),
        "{:?}",
        world.charged
    );
    assert!(!world.charged.contains_key(&BOB));
}

#[test]
fn an_unknown_document_is_unavailable_at_once() {
    let mut world = World::with(&[ALICE]);
    assert!(world.say(ALICE, true));
    world.flush();
    while world.read(ALICE) {}
    assert_eq!(world.clients[&ALICE].unavailable, 1);
    world.settle();
    assert_eq!(world.clients[&ALICE].unavailable, 1, "once");
}

/// Goal: who asks for a document that someone is about to bring waits for it, but not for ever. Method: Alice announces and
/// says nothing more, until she does.
#[test]
fn an_announced_document_is_waited_for() {
    for brings in [true, false] {
        let mut world = World::with(&[ALICE, BOB]);
        world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
        world.say(ALICE, false);
        world.flush();
        world.say(BOB, true);
        world.flush();
        while world.read(BOB) {}
        assert_eq!(world.clients[&BOB].unavailable, 0);
        world.now_ms = AUTOMERGE_ANNOUNCED_MS_MAX - 1;
        world.room.handle_timeout(world.now());
        world.carry_out();
        if brings {
            world.settle();
            assert_eq!(world.heads(BOB), world.heads(ALICE));
        }
        world.now_ms = AUTOMERGE_ANNOUNCED_MS_MAX;
        world.room.handle_timeout(world.now());
        world.carry_out();
        while world.read(BOB) {}
        assert_eq!(world.clients[&BOB].unavailable, u32::from(!brings));
        assert!(!brings || world.room.poll_timeout().is_none());
    }
}

/// The announcer leaves before it has brought anything.
#[test]
fn nobody_waits_for_who_has_left() {
    let mut world = World::with(&[ALICE, BOB]);
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    world.say(ALICE, false);
    world.say(BOB, true);
    world.flush();
    world.input(Input::Leave { connection: ALICE });
    world.flush();
    while world.read(BOB) {}
    assert_eq!(world.clients[&BOB].unavailable, 1);
}

#[test]
fn nothing_is_taken_from_who_may_only_read() {
    let mut world = World::with(&[ALICE]);
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    world.settle();
    let heads = world.heads(ALICE);
    world.clients.insert(BOB, Client::new(BOB));
    world.join(BOB, Access::ReadOnly);
    world.settle();
    assert_eq!(world.heads(BOB), heads);
    world.clients.get_mut(&BOB).expect("bob").put("b", 1);
    world.settle();
    assert_eq!((world.heads(ALICE), world.on_disk().heads()), (heads.clone(), heads));
    world.input(Input::Access { connection: BOB, access: Access::ReadWrite });
    world.settle();
    assert_eq!(world.heads(ALICE), world.heads(BOB));
    assert!(world.clients[&ALICE].doc.get(ROOT, "b").expect("a map").is_some());
}

#[test]
fn a_message_for_others_reaches_each_of_them_once() {
    let mut world = World::with(&[ALICE, BOB, CAROL]);
    world.join(CAROL, Access::ReadOnly);
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    world.say(BOB, true);
    world.say(CAROL, true);
    world.settle();
    let inner = Inner::Ephemeral {
        sender: "a".into(),
        count: 1,
        session: "s".into(),
        data: Bytes::from_static(b"x"),
    };
    world.input(Input::Request { connection: ALICE, request: Request::Broadcast { inner: inner.encode() } });
    world.input(Input::Request { connection: CAROL, request: Request::Broadcast { inner: inner.encode() } });
    world.settle();
    let heard: Vec<usize> = world.clients.values().map(|client| client.heard.len()).collect();
    assert_eq!(heard, [0, 1, 1], "and nothing from who may only read");
    assert_eq!(world.room.stats().unpermitted, 1);
}

#[test]
fn a_document_that_breaks_is_read_again_and_only_the_sender_is_closed() {
    let mut world = World::with(&[ALICE, BOB]);
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    world.settle();
    world.room.break_for_test();
    world.clients.get_mut(&BOB).expect("bob").put("b", 1);
    world.say(BOB, false);
    world.flush();
    assert_eq!(world.closed, [(BOB, CloseReason::BadUpdate("broken"))]);
    assert!(world.room.is_saturated());
    world.commit();
    assert!(!world.room.is_saturated());
    world.join(BOB, Access::ReadWrite);
    world.settle();
    assert_eq!(world.heads(ALICE), world.heads(BOB));
    assert_eq!(world.room.stats().rebuilt, 1);
}

#[test]
fn hostile_messages_close_their_sender() {
    let mut world = World::with(&[ALICE]);
    let message = Bytes::from_static(&[0x42, 0, 0, 1, 0, 3, 1, 0, 7, 0]);
    world.input(Input::Request { connection: ALICE, request: Request::Dialogue { message, wants: false } });
    world.flush();
    assert_eq!(world.closed, [(ALICE, CloseReason::BadUpdate("bloom"))]);
    assert!(world.room.is_idle());
}

#[test]
fn a_slow_reader_has_one_message_in_its_outbox() {
    let mut world = World::with(&[ALICE, BOB]);
    world.clients.get_mut(&ALICE).expect("alice").put("n", 0);
    world.say(BOB, true);
    world.settle();
    for n in 0..20 {
        world.clients.get_mut(&ALICE).expect("alice").put("n", n);
        for _ in 0..4 {
            world.say(ALICE, false);
            world.flush();
            world.commit();
            world.read(ALICE);
        }
    }
    let mut messages = 0;
    while let Some(Written::Batch(batch)) = world.outboxes.get_mut(&BOB).map(Outbox::poll) {
        messages += batch.frames().len();
        let client = world.clients.get_mut(&BOB).expect("bob");
        batch.frames().iter().for_each(|frame| client.hear(frame));
    }
    assert_eq!(messages, 1);
    // The loop has taken the question that follows the message.
    world.input(Input::Resume { connection: BOB, since: CommitNumber(0) });
    world.settle();
    assert_eq!(world.heads(ALICE), world.heads(BOB));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Goal: what anyone has seen or was told is stored is never lost, and all converge. Method: three clients; edits, messages,
    /// reads, commits, connections that break and servers that are killed, in any order.
    #[test]
    fn nothing_seen_is_lost(steps in vec((0..3_u64, 0..8_u8), 1..120)) {
        let all = [ALICE, BOB, CAROL];
        let mut world = World::with(&all);
        let mut edits = 0;
        for (who, what) in steps {
            let connection = all[who as usize];
            match what {
                0 => {
                    edits += 1;
                    world.clients.get_mut(&connection).expect("a client").put(["x", "y", "z"][who as usize], edits);
                }
                1 | 2 => drop(world.say(connection, what == 2)),
                3 => drop(world.read(connection)),
                4 => world.flush(),
                5 => world.commit(),
                6 => {
                    world.input(Input::Leave { connection });
                    world.join(connection, Access::ReadWrite);
                }
                _ => {
                    world.under_way = None;
                    let loaded = Loaded { snapshot: None, log: world.stored.clone() };
                    world.room = AutomergeRoom::load(world.now(), &loaded, &RoomLimits::default()).expect("it loads");
                    all.iter().for_each(|&connection| world.join(connection, Access::ReadWrite));
                }
            }
            let disk = AutomergeDocument::load(None, &world.stored).expect("it loads");
            let disk = AutoCommit::load(&disk.encode().expect("sound")).expect("it loads");
            for connection in all {
                // Of others a client has only what is stored.
                let client = world.clients.get_mut(&connection).expect("a client");
                let own = ActorId::from([connection.0 as u8; 16]);
                let changes = client.doc.get_changes(&[]);
                let foreign = changes.iter().filter(|change| *change.actor_id() != own);
                prop_assert!(foreign.into_iter().all(|change| disk.get_change_by_hash(&change.hash()).is_some()));
                for head in client.state.shared_heads.clone() {
                    prop_assert!(disk.get_change_by_hash(&head).is_some(), "acknowledged, and not stored");
                }
            }
        }
        world.settle();
        let heads = world.heads(ALICE);
        prop_assert_eq!(&world.heads(BOB), &heads);
        prop_assert_eq!(&world.heads(CAROL), &heads);
        prop_assert_eq!(world.on_disk().heads(), heads);
        let numbers: Vec<_> = world.stored.iter().map(|record| record.number).collect();
        prop_assert_eq!(numbers, (1..=world.stored.len() as u64).map(CommitNumber).collect::<Vec<_>>());
    }
}
