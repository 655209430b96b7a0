//! Connections that ask up to where their document is kept, as those of y-sweet do.

use super::*;
use crate::Access;

impl World {
    fn ask_kept(&mut self, connection: ConnectionId, version: u64) {
        self.request(connection, Request::SyncStatus { version });
        self.flush();
    }

    /// Answers the question with which the room receives a connection.
    fn answer_with(&mut self, connection: ConnectionId, doc: &Doc) {
        let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
        self.request(connection, Request::Update { update: update.into(), answer: true });
    }

    /// Alice, who has answered.
    fn settled() -> (Self, Doc) {
        let (mut world, doc) = (Self::with(&[ALICE, BOB]), client());
        world.answer_with(ALICE, &doc);
        (world, doc)
    }
}

/// Returns the one version that was called kept, if any was.
fn kept(got: &[Got]) -> Option<u64> {
    let mut kept =
        got.iter().filter_map(|got| if let Got::Kept(version) = got { Some(*version) } else { None });
    let first = kept.next();
    assert_eq!(kept.next(), None, "the newest says all: {got:?}");
    first
}

#[test]
fn a_version_is_called_kept_when_all_that_came_before_is_durable() {
    let (mut world, doc) = World::settled();
    world.ask_kept(ALICE, 0);
    assert_eq!(world.read(ALICE), [Got::Kept(0)], "there is nothing to wait for");
    world.update(ALICE, &typed(&doc, "a"));
    world.ask_kept(ALICE, 1);
    assert_eq!(world.read(ALICE), []);
    world.update(ALICE, &typed(&doc, "b"));
    world.ask_kept(ALICE, 2);
    world.commit();
    assert_eq!(kept(&world.read(ALICE)), Some(1), "the second is in the next commit");
    world.flush();
    world.commit();
    assert_eq!(kept(&world.read(ALICE)), Some(2));
    assert_eq!(kept(&world.read(BOB)), None, "nobody else has asked");
}

/// What others have brought already is kept once it is durable, whoever sends it again.
#[test]
fn a_duplicate_is_called_kept_when_it_is_durable() {
    let (mut world, doc) = World::settled();
    let typed = typed(&doc, "a");
    world.update(BOB, &typed);
    world.update(ALICE, &typed);
    world.ask_kept(ALICE, 1);
    assert_eq!(kept(&world.read(ALICE)), None);
    world.commit();
    assert_eq!(kept(&world.read(ALICE)), Some(1));
}

/// Goal: a client that was offline says how often it has changed its document before it has sent anything of that.
#[test]
fn nothing_is_kept_before_the_first_answer() {
    let (mut world, doc) = (World::with(&[ALICE]), client());
    typed(&doc, "offline");
    world.ask_kept(ALICE, 7);
    assert_eq!(world.read(ALICE), []);
    world.update(ALICE, &typed(&doc, "more"));
    world.ask_kept(ALICE, 8);
    assert_eq!(kept(&world.read(ALICE)), None);
    world.answer_with(ALICE, &doc);
    world.flush();
    assert_eq!(kept(&world.read(ALICE)), None);
    world.commit();
    assert_eq!(kept(&world.read(ALICE)), Some(8), "of several the newest");
}

#[test]
fn an_update_with_a_gap_is_kept_by_the_answer_that_fills_it() {
    let (mut world, doc) = World::settled();
    typed(&doc, "lost");
    world.update(ALICE, &typed(&doc, "b"));
    world.ask_kept(ALICE, 2);
    let got = world.read(ALICE);
    assert_eq!(got, [Got::Step1]);
    world.update(ALICE, &typed(&doc, "c"));
    world.ask_kept(ALICE, 3);
    world.answer_with(ALICE, &doc);
    world.flush();
    assert_eq!(kept(&world.read(ALICE)), None);
    world.commit();
    assert_eq!(kept(&world.read(ALICE)), Some(3));
}

/// Also while the question has to wait for its turn.
#[test]
fn a_second_gap_is_not_called_kept_before_it_is_asked_for() {
    let (mut world, doc) = World::settled();
    for letters in ["ab", "cd"] {
        typed(&doc, &letters[..1]);
        world.update(ALICE, &typed(&doc, &letters[1..]));
        world.ask_kept(ALICE, 2);
        world.pass(1);
        assert_eq!(kept(&world.read(ALICE)), None);
        if letters == "ab" {
            world.answer_with(ALICE, &doc);
            world.flush();
            world.commit();
            assert_eq!(kept(&world.read(ALICE)), Some(2));
        }
    }
    world.pass(GAP_ASK_MS_MIN);
    assert_eq!(world.read(ALICE), [Got::Step1]);
    world.answer_with(ALICE, &doc);
    world.flush();
    world.commit();
    assert_eq!(kept(&world.read(ALICE)), Some(2));
}

/// What is not taken is not kept; when it may be taken it is asked for.
#[test]
fn what_a_reader_writes_is_kept_once_they_may_write() {
    let (mut world, doc) = (World::new(), client());
    world.join_as(ALICE, Guest { access: Access::Comment, ..Guest::default() });
    world.flush();
    world.read(ALICE);
    world.answer_with(ALICE, &doc);
    world.ask_kept(ALICE, 0);
    assert_eq!(kept(&world.read(ALICE)), Some(0), "it holds nothing else");
    world.update(ALICE, &typed(&doc, "a"));
    world.ask_kept(ALICE, 1);
    let got = world.read(ALICE);
    assert_eq!(kept(&got), None, "it was not taken: {got:?}");
    world.input(Input::Access { connection: ALICE, access: Access::ReadWrite });
    assert_eq!(world.read(ALICE), [Got::Step1]);
    world.answer_with(ALICE, &doc);
    world.flush();
    world.commit();
    assert_eq!(kept(&world.read(ALICE)), Some(1));
}

/// Whoever reads nothing is owed one number, however often they ask.
#[test]
fn a_lag_drops_no_version_and_keeps_one() {
    let (mut world, doc) = World::settled();
    let long = "x".repeat(OUTBOUND_BYTES_MAX / 4);
    for version in 1..=6 {
        world.update(ALICE, &typed(&doc, &long));
        world.ask_kept(ALICE, version);
        world.commit();
    }
    assert_eq!(kept(&world.read(ALICE)), Some(6));
}
