//! The life of a conflict.

use proptest::prelude::*;
use syncline_core::entity::conflict::{
    Choice, Conflict, ConflictError, ConflictKind, ConflictState, Level, Method, Request, Resolved,
};
use syncline_core::entity::{
    Action, EntityId, EntityKey, Fallback, Policy, Record, RecordVersion, TypeName, Value,
};
use syncline_core::time::WallMs;

use super::support::{ANN, BOB, CID, World, entity_type, field, op, record, set, stamp, usual_actors};

fn key() -> EntityKey {
    EntityKey {
        kind: TypeName::new("inventory").expect("a name"),
        id: EntityId::new("inv_9").expect("an id"),
    }
}

/// Ann's 98 waits for a decision: Bob has made it 95.
fn open() -> (Conflict, Record) {
    conflict(Policy::Manual)
}

fn conflict(policy: Policy) -> (Conflict, Record) {
    let (actors, ty) = (usual_actors(), entity_type(policy));
    let mut world = World::new(&ty, &actors, Some(record()));
    let decision = world.push(&op(stamp(ANN, 2, 15), &[(ANN, 1)], set(&[("qty", 98.into())])));
    let draft = decision.conflict.expect("both changed it");
    (Conflict::new(draft, key(), policy, WallMs(100)), record())
}

fn request(id: &str, rev: u64, choice: Choice) -> Request {
    Request {
        resolution_id: id.into(),
        conflict_rev: rev,
        entity_ver: RecordVersion(2),
        choice,
        rationale: "counted again".into(),
        by: "eve".into(),
        approval: false,
    }
}

#[test]
fn it_holds_what_each_side_wants() {
    let (conflict, _) = open();
    assert_eq!(conflict.state(), ConflictState::Open);
    assert_eq!(conflict.draft().standing.get(&field("qty")), Some(&Some(95.into())));
    assert_eq!(conflict.candidates()[0].wish, set(&[("qty", 98.into())]));
}

#[test]
fn a_choice_says_what_to_do() {
    let merged = set(&[("qty", 97.into())]);
    for (choice, want) in [
        (Choice::Server, Ok(None)),
        (Choice::Discard, Ok(None)),
        (Choice::Client, Ok(Some(set(&[("qty", 98.into())])))),
        (Choice::Candidate(0), Ok(Some(set(&[("qty", 98.into())])))),
        (Choice::Candidate(1), Err(ConflictError::NoCandidate { count: 1 })),
        (Choice::Merged(merged.clone()), Ok(Some(merged))),
        (Choice::Merged(Action::Delete), Err(ConflictError::NotAValue)),
    ] {
        let (mut conflict, record) = open();
        let is_accepted = want.is_ok();
        let got = conflict.resolve(request("r1", 1, choice), &record, WallMs(200));
        assert_eq!(got, want.map(Resolved::Now));
        assert_eq!(conflict.is_open(), !is_accepted);
    }
}

/// The checks have an order: the same request first, then whether it is open, then whether it is what the person saw.
#[test]
fn a_request_is_answered_once() {
    let (mut conflict, record) = open();
    let mut resolve = |request| conflict.resolve(request, &record, WallMs(200));
    assert_eq!(resolve(request("r1", 9, Choice::Client)), Err(ConflictError::Stale { seen: 9, rev: 1 }));
    assert!(resolve(request("r1", 1, Choice::Client)).is_ok());
    assert_eq!(resolve(request("r1", 1, Choice::Client)), Ok(Resolved::Before));
    assert_eq!(resolve(request("r1", 1, Choice::Server)), Err(ConflictError::Reused));
    assert_eq!(resolve(request("r2", 9, Choice::Server)), Err(ConflictError::Closed));
}

/// What a person decides is about what the person saw: a later write of the field makes it stale, of another does not.
#[test]
fn a_request_is_about_what_was_seen() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::Lww));
    for (name, want_stale) in [("qty", true), ("name", false)] {
        let (mut conflict, record) = open();
        let mut world = World::new(&ty, &actors, Some(record));
        world.push(&op(stamp(CID, 1, 40), &[(ANN, 1), (BOB, 1)], set(&[(name, Value::Null)])));
        let now = world.record.expect("it is there");
        let answer = conflict.resolve(request("r1", 1, Choice::Client), &now, WallMs(200));
        assert_eq!(answer.is_err(), want_stale, "{name}");
    }
}

#[test]
fn deadlines_lead_through_the_levels_to_an_end() {
    let actors = usual_actors();
    let levels = [Level { assignee: "lead".into(), within_ms: 50 }];
    for (fallback, want) in [
        (None, None),
        (Some(Fallback::Server), None),
        (Some(Fallback::Client), Some(set(&[("qty", 98.into())]))),
        (Some(Fallback::Lww), None),
    ] {
        let (mut conflict, record) = open();
        conflict.assign("eve".into(), Some(WallMs(150))).expect("it is open");
        let mut pass = |now| {
            let action = conflict.pass_deadline(WallMs(now), &levels, fallback, (&actors, &record));
            (action, conflict.state(), conflict.deadline())
        };
        assert_eq!(pass(149), (None, ConflictState::Assigned, Some(WallMs(150))));
        assert_eq!(pass(150), (None, ConflictState::Escalated, Some(WallMs(200))));
        assert_eq!(pass(200), (want, ConflictState::Expired, None));
        assert_eq!(conflict.resolution().map(|resolution| resolution.method), Some(Method::Deadline));
    }
}

#[test]
fn one_conflict_takes_all_that_lose_until_there_are_too_many() {
    let (mut conflict, _) = open();
    for _ in 0..40 {
        let draft = open().0.draft().clone();
        conflict.join(draft, None).expect("it is open");
    }
    assert_eq!((conflict.candidates().len(), conflict.candidates_beyond()), (32, 9));
}

/// Two devices disagree in any conflict; with the third it is one of many sources, if all three write one field.
#[test]
fn a_third_source_makes_it_one_of_many() {
    let actors = usual_actors();
    let at = |actor, n| stamp(actor, n, 15);
    let price = |price: i64| set(&[("qty", price.into())]);
    let other = set(&[("name", "b".into())]);
    let many = ConflictKind::MultiSource;
    for (name, actor, action, want) in [
        ("a device of the two again", ANN, price(97), ConflictKind::ConcurrentUpdate),
        ("the one that wrote what stands", BOB, price(97), ConflictKind::ConcurrentUpdate),
        ("a third, elsewhere", CID, other, ConflictKind::ConcurrentUpdate),
        ("a third", CID, price(97), many),
        (
            "a third that takes it away",
            CID,
            Action::Update { set: Default::default(), unset: [field("qty")].into() },
            many,
        ),
    ] {
        let (mut conflict, record) = open();
        let ty = entity_type(Policy::Manual);
        let mut world = World::new(&ty, &actors, Some(record.clone()));
        let decision = world.push(&op(at(actor, 3), &[], action));
        conflict.join(decision.conflict.expect("it waits, too"), Some(&record)).expect("it is open");
        assert_eq!(conflict.kind(), want, "{name}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Join,
    Assign,
    Escalate,
    Deadline,
    Delete,
    Resolve(Choice),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Join),
        2 => Just(Step::Assign),
        2 => Just(Step::Escalate),
        1 => Just(Step::Deadline),
        1 => Just(Step::Delete),
        1 => Just(Step::Resolve(Choice::Client)),
        1 => Just(Step::Resolve(Choice::Discard)),
    ]
}

proptest! {
    /// Once closed, nothing about it changes; while open, each change has a revision of its own.
    #[test]
    fn closed_conflicts_never_change(is_auto in any::<bool>(), steps in prop::collection::vec(step(), 1..20)) {
        let actors = usual_actors();
        let (mut conflict, record) = if is_auto { conflict(Policy::ServerWins) } else { open() };
        for (at, step) in steps.into_iter().enumerate() {
            let before = conflict.clone();
            let now = WallMs(1_000 + 100 * at as u64);
            let level = Level { assignee: "lead".into(), within_ms: 50 };
            match step {
                Step::Join => drop(conflict.join(open().0.draft().clone(), None)),
                Step::Assign => drop(conflict.assign("eve".into(), Some(now))),
                Step::Escalate => drop(conflict.escalate(&level, now)),
                Step::Deadline => drop(conflict.pass_deadline(now, &[], Some(Fallback::Client), (&actors, &record))),
                Step::Delete => drop(conflict.delete(now)),
                Step::Resolve(choice) => {
                    let id = format!("r{at}");
                    drop(conflict.resolve(request(&id, conflict.rev(), choice), &record, now));
                }
            }
            if before.is_open() {
                prop_assert_eq!(conflict.rev() > before.rev(), conflict != before);
                prop_assert_eq!(conflict.is_open(), conflict.resolution().is_none());
            } else {
                prop_assert_eq!(&conflict, &before);
            }
        }
    }
}
