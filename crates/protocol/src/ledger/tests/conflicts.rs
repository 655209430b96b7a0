//! Conflicts are settled by people, by deadlines, and by what is stored with that.

use syncline_core::entity::conflict::{
    Choice, ConflictError, ConflictKind, ConflictState, Level, Method, Request,
};
use syncline_core::entity::{Bounds, Fallback, Field, RecordVersion};

use super::support::*;
use super::*;
use crate::wire::sync_v1::conflict_name;

fn bench(fallback: Option<Fallback>) -> Bench {
    let bounds = Bounds { min: None, max: Some(10.into()) };
    let bounded = [(field(), Field { bounds, ..Field::default() })].into();
    let ask = EntityType { fallback, fields: Some(bounded), ..a_type("ask", Policy::Manual) };
    let levels = vec![Level { assignee: "boss".into(), within_ms: 1_000 }];
    let mut bench = Bench::new(vec![ask], Settings { levels, ..Settings::default() });
    bench.push("d1", &[create(1, "ask/a", &[("v", 1.into())])]);
    assert_eq!(bench.words("d2", &[update(1, "ask/a", &[("v", 2.into())])]), ["conflict"]);
    bench
}

fn wish(bench: &mut Bench, wish: ConflictWish) -> Answer {
    bench.wish(FIRST, wish)
}

fn ask(choice: Choice) -> Request {
    Request {
        resolution_id: "r1".into(),
        conflict_rev: 1,
        entity_ver: RecordVersion(1),
        choice,
        rationale: String::new(),
        by: "ann".into(),
        approval: false,
    }
}

fn resolve(bench: &mut Bench, request: &Request) -> Answer {
    wish(bench, ConflictWish::Resolve(request.clone()))
}

fn value(bench: &Bench) -> Option<Value> {
    bench.data(&entity("ask/a"))?.get(&field()).cloned()
}

fn state(bench: &Bench) -> ConflictState {
    let (_, conflict) = bench.ledger.conflicts().next().expect("there is one");
    conflict.state()
}

fn refused(answer: Answer) -> ConflictRefusal {
    match answer {
        Answer::ConflictRefused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn error(answer: Answer) -> ConflictError {
    match refused(answer) {
        ConflictRefusal::State(error, _) => error,
        other => panic!("{other:?}"),
    }
}

fn merged(value: i64) -> Choice {
    Choice::Merged(Action::Update { set: values(&[("v", value.into())]), unset: Default::default() })
}

/// The choice is an op of the server; it, the record and the conflict are in one batch, and the same request is told the same.
#[test]
fn a_person_settles_a_conflict() {
    for (choice, want, is_op) in [
        (Choice::Server, 1, false),
        (Choice::Discard, 1, false),
        (Choice::Client, 2, true),
        (merged(7), 7, true),
    ] {
        let mut bench = bench(None);
        let before = bench.stored.len();
        let told = resolve(&mut bench, &ask(choice.clone()));
        let Answer::Conflict { conflict, result } = &told else { panic!("{told:?}") };
        assert_eq!(conflict.state(), ConflictState::Resolved);
        assert_eq!(result.is_some(), is_op);
        assert_eq!(value(&bench), Some(want.into()));
        let new = &bench.stored[before..];
        let is_there = |is: fn(&Write) -> bool| new.iter().any(is);
        assert!(is_there(|write| matches!(write, Write::Conflict(..))));
        for is in [
            (|write: &Write| matches!(write, Write::Record(..))) as fn(&Write) -> bool,
            |write| matches!(write, Write::Result(..)),
            |write| matches!(write, Write::Numbers(..)),
        ] {
            assert_eq!(is_there(is), is_op, "{choice:?}");
        }
        bench.crash();
        assert_eq!(resolve(&mut bench, &ask(choice)), told);
        assert_eq!(error(resolve(&mut bench, &ask(Choice::Candidate(0)))), ConflictError::Reused);
        let other = Request { resolution_id: "r2".into(), ..ask(Choice::Server) };
        assert_eq!(error(resolve(&mut bench, &other)), ConflictError::Closed);
        assert_eq!(
            bench.ledger.record(&entity("ask/a")).map(|record| record.ver.0),
            Some(1 + u64::from(is_op))
        );
    }
}

/// A device that has seen a resolution which was lost with its data has not seen the one that comes instead.
#[test]
fn ops_of_the_server_have_other_numbers_in_another_life() {
    let mut bench = bench(None);
    let backup = bench.stored.clone();
    let settled = |bench: &mut Bench| {
        resolve(bench, &ask(merged(7)));
        bench.ledger.record(&entity("ask/a")).expect("it was created").dot
    };
    let lost = settled(&mut bench);
    // Lives are numbered by milliseconds; each of these begins with the backup.
    let mut dots = vec![lost];
    for epoch in [2, 1_763_760_000_000, 1_763_760_000_001] {
        bench.stored = backup.clone();
        bench.load(Epoch(epoch));
        let instead = settled(&mut bench);
        assert_eq!((lost.replica, lost.counter), (instead.replica, 1));
        assert_eq!(instead.counter, ((epoch - 1) << 20) + 1);
        assert!(!dots.contains(&instead));
        dots.push(instead);
        bench.load(Epoch(epoch));
        assert_eq!(bench.ledger.record(&entity("ask/a")).expect("it was stored").dot, instead);
    }
}

/// Clients may know conflicts that were lost with the data: nothing else is ever called so.
#[test]
fn conflicts_have_other_names_in_another_life() {
    let mut bench = bench(None);
    let (backup, mut names) = (bench.stored.clone(), Vec::new());
    for epoch in [1, 2, 1_763_760_000_000] {
        bench.stored = backup.clone();
        bench.load(Epoch(epoch));
        let one = |id: u64| format!("ask/{id}");
        for n in [7, 8] {
            bench.push("d1", &[create(n - 5, &one(n), &[("v", 1.into())])]);
            assert_eq!(bench.words("d2", &[update(n - 5, &one(n), &[("v", 2.into())])]), ["conflict"]);
        }
        let known: Vec<_> = bench.ledger.conflicts().map(|(id, _)| conflict_name(id)).collect();
        assert_eq!((known.len(), known[0].as_str()), (3, "cnf_1"), "the older one is known as before");
        names.extend(known.into_iter().skip(1));
        bench.load(Epoch(epoch));
        assert_eq!(bench.ledger.conflicts().count(), 3, "they are stored apart");
    }
    let want = ["cnf_2", "cnf_3", "cnf_2_1", "cnf_2_2", "cnf_1763760000000_1", "cnf_1763760000000_2"];
    assert_eq!(names, want);
}

#[test]
fn what_the_record_does_not_take_leaves_the_conflict_open() {
    let mut bench = bench(None);
    let ConflictRefusal::Record(refusal) = refused(resolve(&mut bench, &ask(merged(11)))) else {
        panic!("it breaks a bound")
    };
    assert_eq!(refusal.code, RefusalCode::ValidationFailed);
    assert_eq!(state(&bench), ConflictState::Open);
    let stale = Request { conflict_rev: 9, ..ask(Choice::Server) };
    assert_eq!(error(resolve(&mut bench, &stale)), ConflictError::Stale { seen: 9, rev: 1 });
    assert!(matches!(resolve(&mut bench, &ask(merged(10))), Answer::Conflict { .. }));
    let unknown = bench.wish(ConflictId { epoch: Epoch(1), n: 2 }, ConflictWish::Escalate);
    assert_eq!(refused(unknown), ConflictRefusal::Unknown);
}

/// Whoever has it may let a deadline pass: then the next level has it, and behind the last the fallback decides.
#[test]
fn deadlines_are_kept() {
    for (fallback, want) in [(None, 1), (Some(Fallback::Client), 2)] {
        let mut bench = bench(fallback);
        assert_eq!(bench.ledger.next_deadline(), None);
        let deadline = WallMs(5_000);
        wish(&mut bench, ConflictWish::Assign { assignee: "bob".into(), deadline: Some(deadline) });
        assert_eq!(bench.ledger.next_deadline(), Some(deadline));
        bench.handle(Input::Tick);
        assert_eq!(state(&bench), ConflictState::Assigned);
        bench.crash();
        bench.now_ms = 5_000;
        bench.handle(Input::Tick);
        assert_eq!(state(&bench), ConflictState::Escalated);
        bench.now_ms = bench.ledger.next_deadline().expect("the next level has one").0;
        bench.handle(Input::Tick);
        assert_eq!(state(&bench), ConflictState::Expired);
        assert_eq!(value(&bench), Some(want.into()));
        assert_eq!(bench.ledger.next_deadline(), None);
        let (_, conflict) = bench.ledger.conflicts().next().expect("there is one");
        assert_eq!(conflict.resolution().map(|resolution| resolution.method), Some(Method::Deadline));
    }
}

/// A conflict of a type with a deadline has it from the start, also behind a crash, and whoever gets the conflict has no longer.
#[test]
fn a_type_may_give_its_conflicts_a_deadline() {
    let ask = EntityType {
        fallback: Some(Fallback::Client),
        deadline_ms: Some(60_000),
        ..a_type("ask", Policy::Manual)
    };
    let mut bench = Bench::new(vec![ask], Settings::default());
    bench.push("d1", &[create(1, "ask/a", &[("v", 1.into())])]);
    assert_eq!(bench.words("d2", &[update(1, "ask/a", &[("v", 2.into())])]), ["conflict"]);
    let due = WallMs(bench.now_ms + 60_000);
    assert_eq!(bench.ledger.next_deadline(), Some(due));
    assert_eq!(bench.words("d2", &[update(2, "ask/a", &[("v", 3.into())])]), ["conflict"]);
    wish(&mut bench, ConflictWish::Assign { assignee: "bob".into(), deadline: None });
    assert_eq!(bench.ledger.next_deadline(), Some(due), "no op and nobody moves it by the way");
    bench.crash();
    bench.now_ms = due.0 - 8;
    bench.handle(Input::Tick);
    assert_eq!((state(&bench), value(&bench)), (ConflictState::Assigned, Some(1.into())));
    bench.handle(Input::Tick);
    assert_eq!((state(&bench), value(&bench)), (ConflictState::Expired, Some(2.into())));
}

/// A fallback that the record does not take leaves the record alone; it does not wait for ever.
#[test]
fn a_fallback_that_does_not_fit_is_passed_over() {
    let mut bench = bench(Some(Fallback::Client));
    let field_11 = Field { bounds: Bounds { min: None, max: Some(1.into()) }, ..Field::default() };
    let ty = EntityType {
        fallback: Some(Fallback::Client),
        fields: Some([(field(), field_11)].into()),
        ..a_type("ask", Policy::Manual)
    };
    assert_eq!(bench.define(&ty), Answer::TypeDefined { is_new: false });
    wish(&mut bench, ConflictWish::Escalate);
    assert_eq!(refused(wish(&mut bench, ConflictWish::Escalate)), ConflictRefusal::LastLevel);
    bench.now_ms = 9_000;
    bench.handle(Input::Tick);
    assert_eq!(state(&bench), ConflictState::Expired);
    assert_eq!(value(&bench), Some(1.into()));
    assert_eq!(error(wish(&mut bench, ConflictWish::Escalate)), ConflictError::Closed);
}

/// What is proposed is kept beside the conflict, which it does not change; what the type does not take is not.
#[test]
fn a_proposal_is_an_option_and_nothing_more() {
    let mut bench = bench(None);
    let suggest = |value: i64| {
        let proposal = Proposal { set: values(&[("v", value.into())]), ..Proposal::default() };
        ConflictWish::Suggest { by: "ann".into(), proposal }
    };
    let before = bench.ledger.conflict(FIRST).cloned();
    let ConflictRefusal::Record(refusal) = refused(wish(&mut bench, suggest(11))) else { panic!("a bound") };
    assert_eq!(refusal.code, RefusalCode::ValidationFailed);
    assert!(matches!(wish(&mut bench, suggest(10)), Answer::Conflict { .. }));
    assert_eq!((bench.ledger.conflict(FIRST), value(&bench)), (before.as_ref(), Some(1.into())));
    bench.crash();
    let said: Vec<_> =
        bench.ledger.comments(FIRST).iter().map(|it| (&it.by[..], it.proposal.clone())).collect();
    let kept = Proposal { set: values(&[("v", 10.into())]), ..Proposal::default() };
    assert_eq!(said, [("ann", Some(kept))]);
    resolve(&mut bench, &ask(Choice::Server));
    assert_eq!(error(wish(&mut bench, suggest(10))), ConflictError::Closed);
}

/// One product is priced by four sources at once: with the third the conflict is one of many sources, and none of their prices
/// is lost. The till has the price of the ERP.
#[test]
fn one_product_is_priced_by_four_sources() {
    let mut bench = Bench::new(vec![a_type("product", Policy::Manual)], Settings::default());
    let price = |n, cents: i64| update(n, "product/p", &[("price", cents.into())]);
    bench.push("erp", &[create(1, "product/p", &[("price", 2_500.into())])]);
    let mut kinds = Vec::new();
    for (source, cents) in [("shop", 2_250), ("mobile", 2_400), ("till", 2_500), ("shop-2", 2_300)] {
        let statuses = bench.push(source, &[price(1, cents)]);
        kinds.push(result(&statuses[0]).conflict.as_ref().map(|it| (it.id, it.kind)));
    }
    let many = Some((FIRST, ConflictKind::MultiSource));
    assert_eq!(kinds, [Some((FIRST, ConflictKind::ConcurrentUpdate)), many, None, many]);
    bench.crash();
    let conflict = bench.ledger.conflict(FIRST).expect("it is open");
    let price = FieldName::new("price").expect("a name");
    let wanted = conflict.candidates().iter().filter_map(|it| it.wish.values()?.get(&price).cloned());
    assert_eq!(wanted.collect::<Vec<_>>(), [2_250.into(), 2_400.into(), 2_300.into()]);
    assert_eq!(conflict.draft().standing[&price], Some(2_500.into()));
    assert!(matches!(
        resolve(&mut bench, &Request { conflict_rev: 3, ..ask(Choice::Candidate(1)) }),
        Answer::Conflict { .. }
    ));
    assert_eq!(
        bench.data(&entity("product/p")).and_then(|data| data.get(&price).cloned()),
        Some(2_400.into())
    );
}

#[test]
fn a_closed_conflict_may_be_talked_about() {
    let mut bench = bench(None);
    resolve(&mut bench, &ask(Choice::Server));
    let before = bench.ledger.conflicts().next().map(|(_, conflict)| conflict.clone());
    for text in ["a", "b"] {
        wish(&mut bench, ConflictWish::Comment { by: "ann".into(), text: text.into() });
    }
    assert_eq!(bench.ledger.conflicts().next().map(|(_, conflict)| conflict.clone()), before);
    bench.crash();
    let said: Vec<_> = bench.ledger.comments(FIRST).iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!(said, ["a", "b"]);
}
