//! Rooms driven by hand: every effect is carried out here, and commits end when the test says so.

mod access;
mod acknowledged;
mod entity;
mod former;
mod got;
mod kept;
mod quota;

use std::collections::BTreeMap;

use bytes::Bytes;
use syncline_core::{
    doc::YjsDocument,
    id::{CommitNumber, ConnectionId},
    limits::{GAP_ASK_MS_MIN, OUTBOUND_BYTES_MAX, PRESENCE_TICK_MS, ROOM_IDLE_MS},
    log::LogRecord,
    time::{MonotonicMs, Now, WallMs},
};
use yrs::{Doc, ReadTxn, StateVector, Text, Transact};

use self::got::Got;
use super::{Effect, Guest, Input, Loaded, Room, RoomLimits};
use crate::{CloseReason, Outbox, Request, Written, wire::yjs};

const ALICE: ConnectionId = ConnectionId(1);
const BOB: ConnectionId = ConnectionId(2);

/// A room with the shell around it.
struct World {
    room: Room,
    now_ms: u64,
    outboxes: BTreeMap<ConnectionId, Outbox>,
    under_way: Option<LogRecord>,
    stored: Vec<LogRecord>,
    seen: Vec<Effect>,
}

impl World {
    fn new() -> Self {
        let room = Room::load(Now::default(), &Loaded::default()).expect("nothing to load");
        let (outboxes, stored, seen) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { room, now_ms: 0, outboxes, under_way: None, stored, seen }
    }

    fn with(connections: &[ConnectionId]) -> Self {
        let mut world = Self::new();
        for &connection in connections {
            world.join(connection);
        }
        world.flush();
        connections.iter().for_each(|&connection| drop(world.read(connection)));
        world
    }

    fn now(&self) -> Now {
        Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) }
    }

    fn join(&mut self, connection: ConnectionId) {
        self.join_as(connection, Guest::default());
    }

    fn join_as(&mut self, connection: ConnectionId, guest: Guest) {
        self.outboxes.insert(connection, Outbox::default());
        self.input(Input::Join { connection, guest });
    }

    fn request(&mut self, connection: ConnectionId, request: Request) {
        self.input(Input::Request { connection, request });
    }

    fn update(&mut self, connection: ConnectionId, update: &Bytes) {
        self.request(connection, Request::Update { update: update.clone(), answer: false });
    }

    fn presence(&mut self, connection: ConnectionId, id: u8, clock: u8, state: &str) {
        let mut entries = vec![1, id, clock, state.len() as u8];
        entries.extend_from_slice(state.as_bytes());
        self.request(connection, Request::Presence { entries: entries.into() });
    }

    fn flush(&mut self) {
        self.input(Input::Flush);
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.room.handle_timeout(self.now());
        self.carry_out();
    }

    fn input(&mut self, input: Input) {
        self.room.handle(self.now(), input);
        self.carry_out();
    }

    /// Makes the commit under way durable and tells the room.
    fn commit(&mut self) {
        let record = self.under_way.take().expect("a commit is under way");
        self.stored.push(record);
        self.input(Input::Committed);
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.room.poll_effect() {
            match &effect {
                Effect::Commit(record) => {
                    assert!(self.under_way.is_none(), "one commit at a time");
                    assert_eq!(record.number.0, self.stored.len() as u64 + 1, "commits have no gaps");
                    self.under_way = Some(record.clone());
                }
                Effect::Publish(batch) => self.outboxes.values_mut().for_each(|outbox| outbox.publish(batch)),
                Effect::Answer(to, batch) => self.outbox(*to).answer(batch.clone()),
                Effect::Note(to, batch) => self.outbox(*to).note(batch),
                Effect::Text(to, batch) => self.outbox(*to).text(batch),
                Effect::Ask(to, batch) => self.outbox(*to).ask(batch.clone()),
                Effect::Acknowledge(to, updates) => self.outbox(*to).acknowledge(*updates),
                Effect::Charge(to, bytes) => self.outbox(*to).charge(*bytes),
                Effect::Kept(to, version) => self.outbox(*to).kept(*version),
                Effect::Resume(to, batch) => self.outbox(*to).resume(batch.clone()),
                Effect::Close(to, reason) => self.outbox(*to).close(*reason),
                Effect::Compact(_) | Effect::Reload | Effect::Unload => {}
                Effect::Carry(_) | Effect::Merged(..) | Effect::Absorbed(..) | Effect::Read(..) => {}
                Effect::Step(..) => panic!("a room of a Yjs document has no dialogue"),
            }
            self.seen.push(effect);
        }
    }

    fn outbox(&mut self, connection: ConnectionId) -> &mut Outbox {
        self.outboxes.get_mut(&connection).expect("it joined")
    }

    /// Writes everything that waits for a connection, and returns it as what the client makes of it.
    fn read(&mut self, connection: ConnectionId) -> Vec<Got> {
        let mut got = Vec::new();
        loop {
            match self.outbox(connection).poll() {
                Written::Batch(batch) => got.extend(batch.frames().iter().map(Got::from)),
                Written::Acknowledge(updates) => got.push(Got::Durable(updates)),
                Written::Charge(_) => panic!("a room of a Yjs document charges nothing"),
                Written::Kept(version) => got.push(Got::Kept(version)),
                Written::AskResume(since) => self.input(Input::Resume { connection, since }),
                Written::Close(reason) => {
                    got.push(Got::Closed(reason));
                    return got;
                }
                Written::Idle => return got,
            }
        }
    }
}

/// Lets a client type, and returns the update it sends.
fn typed(doc: &Doc, text: &str) -> Bytes {
    let root = doc.get_or_insert_text("t");
    let mut txn = doc.transact_mut();
    let end = root.len(&txn);
    root.insert(&mut txn, end, text);
    txn.encode_update_v1().into()
}

fn text_of(updates: &[Bytes]) -> String {
    let mut document = YjsDocument::default();
    for update in updates {
        document.replay(update).expect("updates follow each other");
    }
    document.text("t").expect("sound").unwrap_or_default()
}

fn updates(got: Vec<Got>) -> Vec<Bytes> {
    let update = |got| match got {
        Got::Update(update) | Got::Step2(update) => Some(update),
        Got::Step1
        | Got::Presence(_)
        | Got::Denied
        | Got::Text(_)
        | Got::Refused
        | Got::Durable(_)
        | Got::Kept(_)
        | Got::Closed(_) => None,
    };
    got.into_iter().filter_map(update).collect()
}

fn client() -> Doc {
    Doc::with_client_id(7)
}

#[test]
fn nobody_sees_an_update_before_it_is_durable() {
    let mut world = World::with(&[ALICE, BOB]);
    let update = typed(&client(), "a");
    world.update(ALICE, &update);
    world.flush();
    assert_eq!(world.read(ALICE), [], "no echo");
    assert_eq!(world.read(BOB), [], "no delivery");
    world.commit();
    assert_eq!(world.read(ALICE), [Got::Update(update.clone())], "the echo is the acknowledgement");
    assert_eq!(world.read(BOB), [Got::Update(update)]);
}

#[test]
fn what_rests_on_an_undurable_update_waits_for_it() {
    let mut world = World::with(&[ALICE]);
    world.update(ALICE, &typed(&client(), "a"));
    world.flush();
    world.join(BOB);
    world.request(BOB, Request::Sync { state: Bytes::from_static(&[0]) });
    world.flush();
    assert_eq!(world.read(BOB), [], "neither the state vector nor the document");
    world.commit();
    let got = world.read(BOB);
    assert_eq!(got[0], Got::Step1);
    assert_eq!(text_of(&updates(got)), "a");
}

#[test]
fn updates_of_one_tick_are_one_commit_and_one_frame() {
    let mut world = World::with(&[ALICE, BOB]);
    let doc = client();
    world.update(ALICE, &typed(&doc, "a"));
    world.flush();
    for letter in ["b", "c", "d"] {
        world.update(ALICE, &typed(&doc, letter));
        world.flush();
    }
    world.commit();
    world.flush();
    assert_eq!(
        world.under_way.as_ref().map(|record| record.entries.len()),
        Some(3),
        "history stays per update"
    );
    world.commit();
    let got = updates(world.read(BOB));
    assert_eq!(got.len(), 2);
    assert_eq!(text_of(&got), "abcd");
}

#[test]
fn an_update_that_comes_twice_is_committed_once() {
    let mut world = World::with(&[ALICE, BOB]);
    let update = typed(&client(), "a");
    world.update(ALICE, &update);
    world.update(BOB, &update);
    world.flush();
    world.commit();
    world.read(ALICE);
    world.read(BOB);
    world.update(BOB, &update);
    world.flush();
    assert_eq!(world.under_way, None);
    assert_eq!(world.room.stats().duplicates, 2);
    assert_eq!(world.read(ALICE), []);
    assert_eq!(world.read(BOB), [Got::Update(update)], "it is acknowledged every time");
}

#[test]
fn a_gap_is_asked_for_once_a_second() {
    let mut world = World::with(&[ALICE]);
    let doc = client();
    typed(&doc, "a");
    world.request(ALICE, Request::Update { update: Bytes::from_static(&[0, 0]), answer: true });
    world.update(ALICE, &typed(&doc, "b"));
    world.flush();
    assert_eq!(world.read(ALICE), [Got::Step1]);
    world.update(ALICE, &typed(&doc, "c"));
    world.flush();
    assert_eq!(world.read(ALICE), [], "the question is open");
    let answer = doc.transact().encode_state_as_update_v1(&StateVector::default());
    world.request(ALICE, Request::Update { update: answer.into(), answer: true });
    world.flush();
    world.commit();
    assert_eq!(text_of(&updates(world.read(ALICE))), "abc");

    typed(&doc, "d");
    world.update(ALICE, &typed(&doc, "e"));
    world.flush();
    assert_eq!(world.read(ALICE), [], "asked less than a second ago");
    world.pass(GAP_ASK_MS_MIN);
    assert_eq!(world.read(ALICE), [Got::Step1]);
}

#[test]
fn a_lagging_connection_becomes_whole_with_one_difference() {
    let mut world = World::with(&[ALICE, BOB]);
    let doc = client();
    let mut before = Vec::new();
    for round in 0..40 {
        world.update(ALICE, &typed(&doc, &"x".repeat(OUTBOUND_BYTES_MAX / 16)));
        world.flush();
        world.commit();
        world.read(ALICE);
        if round == 4 {
            before = updates(world.read(BOB));
        }
    }
    let got = updates(world.read(BOB));
    assert_eq!(world.room.stats().resumed, 1);
    assert_eq!(got.len(), 1, "one difference instead of 35 updates");
    before.extend(got);
    assert_eq!(text_of(&before).len(), 40 * OUTBOUND_BYTES_MAX / 16);
}

#[test]
fn a_bad_update_closes_its_sender_only() {
    let mut world = World::with(&[ALICE, BOB]);
    world.update(ALICE, &Bytes::from_static(&[9, 9]));
    world.flush();
    assert!(matches!(world.read(ALICE)[..], [Got::Closed(CloseReason::BadUpdate(_))]));
    assert_eq!(world.read(BOB), []);
    assert_eq!(world.room.connections(), 1);
    assert_eq!(world.under_way, None);
}

#[test]
fn a_broken_document_is_built_again_and_the_room_lives() {
    let mut world = World::with(&[ALICE, BOB]);
    let doc = client();
    world.update(ALICE, &typed(&doc, "a"));
    world.flush();
    world.commit();
    world.update(ALICE, &typed(&doc, "b"));
    world.flush();
    world.room.break_for_test();
    world.update(BOB, &typed(&Doc::with_client_id(8), "z"));
    assert!(world.seen.contains(&Effect::Reload));
    assert!(world.room.is_saturated());
    let loaded = Loaded { snapshot: None, log: world.stored.clone() };
    world.input(Input::Reloaded(loaded));
    world.update(ALICE, &typed(&doc, "c"));
    world.commit();
    world.flush();
    world.commit();
    assert_eq!(text_of(&updates(world.read(ALICE))), "abc");
    assert!(matches!(world.read(BOB)[..], [.., Got::Closed(CloseReason::BadUpdate("broken"))]));
}

#[test]
fn who_asked_while_the_document_broke_is_answered_from_the_rebuilt_one() {
    let mut world = World::with(&[ALICE, BOB]);
    world.update(ALICE, &typed(&client(), "a"));
    world.flush();
    world.commit();
    world.read(ALICE);
    world.read(BOB);
    world.room.break_for_test();
    for connection in [ALICE, BOB] {
        world.request(connection, Request::Sync { state: Bytes::from_static(&[0]) });
    }
    world.flush();
    assert_eq!(world.seen.iter().filter(|effect| **effect == Effect::Reload).count(), 1);
    world.input(Input::Reloaded(Loaded { snapshot: None, log: world.stored.clone() }));
    world.flush();
    assert_eq!(world.read(ALICE), [Got::Closed(CloseReason::Internal)], "its request broke the document");
    assert_eq!(text_of(&updates(world.read(BOB))), "a");
}

#[test]
fn after_a_failed_commit_the_room_says_nothing_more() {
    let mut world = World::with(&[ALICE]);
    world.update(ALICE, &typed(&client(), "a"));
    world.flush();
    world.input(Input::CommitFailed);
    world.request(ALICE, Request::Sync { state: Bytes::from_static(&[0]) });
    world.flush();
    world.pass(ROOM_IDLE_MS);
    assert_eq!(world.read(ALICE), []);
}

#[test]
fn presence_goes_out_once_a_tick_and_ends_with_its_connection() {
    let mut world = World::with(&[ALICE, BOB]);
    world.presence(ALICE, 1, 1, "{}");
    world.presence(ALICE, 1, 2, "{\"x\":1}");
    world.pass(PRESENCE_TICK_MS);
    let newest = Got::Presence(Bytes::from_static(b"\x01\x01\x02\x07{\"x\":1}"));
    assert_eq!(world.read(BOB), [newest]);
    world.input(Input::Leave { connection: ALICE });
    world.pass(PRESENCE_TICK_MS);
    assert_eq!(world.read(BOB), [Got::Presence(Bytes::from_static(b"\x01\x01\x02\x04null"))]);
}

#[test]
fn an_echo_of_anothers_presence_changes_nothing() {
    let mut world = World::with(&[ALICE, BOB]);
    world.presence(ALICE, 1, 1, "{}");
    world.pass(PRESENCE_TICK_MS);
    world.presence(BOB, 1, 1, "{}");
    world.presence(BOB, 1, 2, "{\"forged\":1}");
    world.input(Input::Leave { connection: BOB });
    world.pass(PRESENCE_TICK_MS);
    assert_eq!(world.read(ALICE).len(), 1, "its own echo, and nothing from Bob");
}

#[test]
fn a_presence_that_came_back_with_its_old_clock_is_moved_on() {
    let mut world = World::with(&[ALICE, BOB]);
    world.presence(ALICE, 1, 5, "{}");
    world.input(Input::Leave { connection: ALICE });
    world.pass(PRESENCE_TICK_MS);
    world.read(BOB);
    let again = ConnectionId(3);
    world.join(again);
    world.presence(again, 1, 5, "{}");
    world.flush();
    let got = world.read(again);
    assert!(got.contains(&Got::Presence(Bytes::from_static(b"\x01\x01\x05\x04null"))), "{got:?}");
    world.pass(PRESENCE_TICK_MS);
    assert_eq!(
        world.read(BOB),
        [Got::Presence(Bytes::from_static(b"\x01\x01\x06\x02{}"))],
        "it need not answer"
    );
    world.presence(again, 1, 6, "{}");
    world.pass(PRESENCE_TICK_MS);
    assert_eq!(world.read(BOB), [], "its answer is known");
}

#[test]
fn a_presence_that_moved_before_it_heard_that_it_was_removed_is_moved_on_once_more() {
    let mut world = World::with(&[ALICE, BOB]);
    world.presence(ALICE, 1, 5, "{}");
    world.input(Input::Leave { connection: ALICE });
    world.pass(PRESENCE_TICK_MS);
    let again = ConnectionId(3);
    world.join(again);
    world.presence(again, 1, 5, "{}");
    world.presence(again, 1, 6, "[]");
    world.pass(PRESENCE_TICK_MS);
    let got = world.read(again);
    assert!(got.contains(&Got::Presence(Bytes::from_static(b"\x01\x01\x06\x04null"))), "{got:?}");
    let got = world.read(BOB);
    assert_eq!(got.last(), Some(&Got::Presence(Bytes::from_static(b"\x01\x01\x07\x02[]"))), "{got:?}");
}

#[test]
fn an_empty_room_asks_to_be_unloaded_once_everything_is_stored() {
    let mut world = World::with(&[ALICE]);
    world.update(ALICE, &typed(&client(), "a"));
    world.flush();
    world.input(Input::Leave { connection: ALICE });
    world.pass(ROOM_IDLE_MS);
    assert!(!world.seen.contains(&Effect::Unload), "a commit is under way");
    world.commit();
    world.pass(ROOM_IDLE_MS);
    assert!(world.seen.contains(&Effect::Unload));
}

#[test]
fn what_was_written_is_folded_when_nobody_is_there_any_more() {
    let limits = RoomLimits { compact_commits_min: 8, ..RoomLimits::default() };
    for (commits, is_worth_it) in [(1, false), (2, true)] {
        let mut world = World::with(&[ALICE]);
        world.room = Room::load_with(Now::default(), &Loaded::default(), &limits).expect("it loads");
        world.join(ALICE);
        let doc = client();
        for _ in 0..commits {
            world.update(ALICE, &typed(&doc, "a"));
            world.flush();
            world.commit();
        }
        world.input(Input::Leave { connection: ALICE });
        world.pass(ROOM_IDLE_MS);
        let fold = Effect::Compact(CommitNumber(commits));
        assert_eq!(
            (world.seen.contains(&fold), world.seen.contains(&Effect::Unload)),
            (is_worth_it, !is_worth_it)
        );
        world.input(Input::Compacted { snapshot_bytes: Some(100) });
        world.pass(ROOM_IDLE_MS);
        assert!(world.seen.contains(&Effect::Unload), "it was folded");
        assert_eq!(world.seen.iter().filter(|effect| **effect == fold).count(), usize::from(is_worth_it));
    }
}

#[test]
fn a_room_is_loaded_from_its_snapshot_and_its_log() {
    let mut world = World::with(&[ALICE]);
    let doc = client();
    for letter in ["a", "b", "c"] {
        world.update(ALICE, &typed(&doc, letter));
        world.flush();
        world.commit();
    }
    let snapshot = syncline_core::doc::compact::<syncline_core::doc::YjsDocument>(None, &world.stored[..2])
        .expect("it folds");
    assert_eq!(snapshot.number, CommitNumber(2));
    let loaded = Loaded { snapshot: Some(snapshot), log: world.stored[2..].to_vec() };
    let mut room = Room::load(Now::default(), &loaded).expect("it loads");
    assert_eq!(room.document().text("t"), Ok(Some("abc".into())));
    room.handle(Now::default(), Input::Join { connection: BOB, guest: Guest::default() });
    let Some(Effect::Resume(_, batch)) = room.poll_effect() else { panic!("Bob is greeted") };
    assert_eq!(batch.frames(), [yjs::sync_step1(&room.document().state_vector())]);
}
