//! Connections that count their updates, and such as may only read.

use syncline_core::{
    limits::{STATELESS_BYTES_MAX, TEXT_BYTES_MAX},
    log::Author,
};
use yrs::updates::encoder::Encode;

use super::*;
use crate::{Access, Dialect};

const COUNTS: Guest = guest(Access::ReadWrite, Dialect::Hocuspocus);
const READS: Guest = guest(Access::ReadOnly, Dialect::Hocuspocus);

const fn guest(access: Access, dialect: Dialect) -> Guest {
    Guest { author: Author { user: None, device: None }, access, dialect }
}

impl World {
    /// Alice counts, Bob does not.
    fn counting() -> Self {
        let mut world = Self::new();
        world.join_as(ALICE, COUNTS);
        world.join(BOB);
        world.flush();
        assert_eq!(world.read(ALICE), [], "it is asked when it asks");
        world.read(BOB);
        world
    }

    fn sync(&mut self, connection: ConnectionId) {
        self.request(connection, Request::Sync { state: Bytes::from_static(&[0]) });
    }

    fn answer(&mut self, connection: ConnectionId, doc: &Doc) {
        let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
        self.request(connection, Request::Update { update: update.into(), answer: true });
    }
}

fn durable(got: &[Got]) -> u32 {
    got.iter().map(|got| if let Got::Durable(updates) = got { *updates } else { 0 }).sum()
}

#[test]
fn each_update_is_acknowledged_once_when_it_is_durable() {
    let mut world = World::counting();
    let doc = client();
    let first = typed(&doc, "a");
    world.update(ALICE, &first);
    world.update(ALICE, &typed(&doc, "b"));
    world.flush();
    assert_eq!(world.read(ALICE), []);
    world.update(ALICE, &first);
    world.flush();
    world.commit();
    let got = world.read(ALICE);
    assert_eq!(durable(&got), 3, "a duplicate counts too: {got:?}");
    assert_eq!(durable(&world.read(BOB)), 0);
}

#[test]
fn the_answer_to_the_question_that_is_paired_counts_and_no_other() {
    let mut world = World::counting();
    let doc = client();
    typed(&doc, "a");
    world.sync(ALICE);
    world.flush();
    let got = world.read(ALICE);
    assert!(matches!(got[..], [Got::Step1, Got::Step2(_)]), "{got:?}");
    world.answer(ALICE, &doc);
    world.flush();
    assert_eq!(world.read(ALICE), []);
    world.commit();
    assert_eq!(durable(&world.read(ALICE)), 1);
    world.answer(ALICE, &doc);
    world.flush();
    assert_eq!(world.read(ALICE), [], "nobody asked");
}

#[test]
fn an_update_with_a_gap_is_acknowledged_by_the_answer_that_fills_it() {
    let mut world = World::counting();
    let doc = client();
    typed(&doc, "a");
    world.update(ALICE, &typed(&doc, "b"));
    world.flush();
    assert_eq!(world.read(ALICE), [Got::Step1]);
    world.update(ALICE, &typed(&doc, "c"));
    world.answer(ALICE, &doc);
    world.flush();
    assert_eq!(world.read(ALICE), []);
    world.commit();
    let got = world.read(ALICE);
    assert_eq!(durable(&got), 2, "the answer to our own question is none: {got:?}");
    assert_eq!(text_of(&updates(got)), "abc");
}

/// Goal: while a client that edits offline comes back, its first live update overtakes its answer, and nobody asks twice.
#[test]
fn a_gap_before_the_answer_is_not_asked_for_again() {
    let mut world = World::counting();
    let doc = client();
    typed(&doc, "a");
    world.sync(ALICE);
    world.update(ALICE, &typed(&doc, "b"));
    world.flush();
    let got = world.read(ALICE);
    assert!(matches!(got[..], [Got::Step1, Got::Step2(_)]), "{got:?}");
    world.answer(ALICE, &doc);
    world.flush();
    world.commit();
    assert_eq!(durable(&world.read(ALICE)), 2);
}

/// A client that comes back counts what it did offline as one change, and sends each edit apart before its answer.
#[test]
fn nothing_is_acknowledged_before_the_answer_with_which_a_client_begins_to_count() {
    let mut world = World::counting();
    let doc = client();
    world.sync(ALICE);
    for letter in ["a", "b"] {
        world.update(ALICE, &typed(&doc, letter));
        world.flush();
        world.commit();
    }
    assert_eq!(durable(&world.read(ALICE)), 0, "it would take the answer for durable too");
    typed(&doc, "c");
    world.answer(ALICE, &doc);
    world.flush();
    assert_eq!(durable(&world.read(ALICE)), 0);
    world.commit();
    assert_eq!(durable(&world.read(ALICE)), 3);
    world.update(ALICE, &typed(&doc, "d"));
    world.flush();
    world.commit();
    assert_eq!(durable(&world.read(ALICE)), 1);
}

/// Goal: what was typed offline and is sent again edit by edit counts once, with the answer.
#[test]
fn what_a_client_had_when_it_asked_is_acknowledged_by_its_answer_alone() {
    let mut world = World::counting();
    let doc = client();
    let offline = ["a", "b", "c"].map(|letter| typed(&doc, letter));
    let state = doc.transact().state_vector().encode_v1();
    world.request(ALICE, Request::Sync { state: state.into() });
    let counted = typed(&doc, "d");
    for update in [&counted, &offline[0], &offline[1], &offline[2]] {
        world.update(ALICE, update);
    }
    world.answer(ALICE, &doc);
    world.flush();
    world.commit();
    assert_eq!(durable(&world.read(ALICE)), 2, "the one that was typed after it had asked, and the answer");
}

#[test]
fn acknowledgements_and_questions_outlast_a_lag() {
    let mut world = World::counting();
    let doc = client();
    for _ in 0..40 {
        world.update(ALICE, &typed(&doc, &"x".repeat(OUTBOUND_BYTES_MAX / 16)));
        world.flush();
        world.commit();
        world.read(BOB);
    }
    world.sync(ALICE);
    world.flush();
    let got = world.read(ALICE);
    assert_eq!(world.room.stats().resumed, 1);
    assert_eq!(durable(&got), 40);
    assert_eq!(got.iter().filter(|got| **got == Got::Step1).count(), 1);
}

#[test]
fn texts_outlast_a_lag_within_their_bound() {
    let mut world = World::counting();
    let carol = ConnectionId(3);
    world.join_as(carol, COUNTS);
    world.flush();
    world.read(carol);
    let long = Bytes::from("x".repeat(STATELESS_BYTES_MAX));
    for _ in 0..=TEXT_BYTES_MAX / STATELESS_BYTES_MAX {
        world.request(ALICE, Request::Stateless { payload: long.clone() });
    }
    let doc = client();
    for _ in 0..20 {
        world.update(ALICE, &typed(&doc, &"x".repeat(OUTBOUND_BYTES_MAX / 16)));
        world.flush();
        world.commit();
    }
    let got = world.read(carol);
    assert_eq!(world.room.stats().resumed, 1);
    let texts = got.iter().filter(|got| matches!(got, Got::Text(_))).count();
    assert_eq!(texts, TEXT_BYTES_MAX / STATELESS_BYTES_MAX - 1, "the header of a text counts too");
    world.request(ALICE, Request::Stateless { payload: Bytes::from(vec![b'x'; STATELESS_BYTES_MAX + 1]) });
    assert_eq!(world.read(ALICE).last(), Some(&Got::Closed(CloseReason::TooLarge)));
}

#[test]
fn who_may_only_read_changes_nothing_and_is_told_the_truth() {
    let mut world = World::counting();
    let reader = ConnectionId(3);
    world.join_as(reader, READS);
    let doc = client();
    let update = typed(&doc, "a");
    world.update(reader, &update);
    world.flush();
    assert_eq!(world.under_way, None);
    assert_eq!(world.read(reader), [Got::Refused]);

    world.update(ALICE, &update);
    world.flush();
    world.sync(reader);
    world.answer(reader, &doc);
    world.flush();
    assert_eq!(world.read(reader), [], "what it has is not durable yet");
    world.commit();
    let got = world.read(reader);
    assert_eq!((durable(&got), got.len()), (1, 4), "asked, answered, acknowledged, and the update: {got:?}");
    assert_eq!(world.room.stats().unpermitted, 1);

    world.input(Input::Access { connection: reader, access: Access::ReadWrite });
    world.update(reader, &typed(&doc, "b"));
    world.flush();
    world.commit();
    assert_eq!(durable(&world.read(reader)), 1);
}

#[test]
fn a_y_websocket_client_that_may_only_read_is_told_once() {
    let mut world = World::counting();
    let reader = ConnectionId(3);
    world.join_as(reader, guest(Access::ReadOnly, Dialect::Yjs));
    world.flush();
    world.read(reader);
    let doc = client();
    world.update(reader, &typed(&doc, "a"));
    world.update(reader, &typed(&doc, "b"));
    world.flush();
    assert_eq!(world.read(reader), [Got::Denied]);
    assert_eq!(world.under_way, None);
}

#[test]
fn a_text_goes_to_everyone_else_who_understands_it_behind_what_was_said_before() {
    let mut world = World::counting();
    let (carol, reader) = (ConnectionId(3), ConnectionId(4));
    world.join_as(carol, COUNTS);
    world.join_as(reader, READS);
    let text = Bytes::from_static(b"saved");
    let update = typed(&client(), "a");
    world.update(ALICE, &update);
    world.request(ALICE, Request::Stateless { payload: text.clone() });
    world.request(reader, Request::Stateless { payload: Bytes::from_static(b"not mine to say") });
    world.flush();
    assert_eq!(world.read(carol), [], "what it speaks of is not durable yet");
    world.commit();
    let want = [Got::Update(update.clone()), Got::Text(text)];
    assert_eq!(world.read(carol), want);
    assert_eq!(world.read(reader), want);
    assert_eq!(world.read(BOB), [Got::Update(update)], "it would not know the message");
    assert_eq!(durable(&world.read(ALICE)), 1);
    assert_eq!(world.room.stats().unpermitted, 1);
}
