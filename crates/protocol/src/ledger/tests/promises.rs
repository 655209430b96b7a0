//! What types promise across records, whatever devices wrote that did not see each other.

use syncline_core::entity::conflict::{Choice, Conflict, ConflictKind, ConflictState, Origin, Request};
use syncline_core::entity::{Fault, OnDelete, RecordVersion, Reference};

use super::support::*;
use super::*;

fn named(name: &str) -> FieldName {
    FieldName::new(name).expect("a name")
}

fn referring(ty: EntityType, on_delete: OnDelete) -> EntityType {
    let target = TypeName::new("product").expect("a name");
    EntityType { refs: vec![Reference { field: named("product"), target, on_delete }], ..ty }
}

/// Products, and what refers to them.
fn shop() -> Bench {
    let types = vec![
        a_type("product", Policy::Lww),
        referring(a_type("line", Policy::Lww), OnDelete::Restrict),
        referring(a_type("receipt", Policy::AppendOnly), OnDelete::Restrict),
        referring(a_type("view", Policy::Lww), OnDelete::Keep),
    ];
    Bench::new(types, Settings::default())
}

fn of(product: &str) -> Vec<(&str, Value)> {
    vec![("v", 1.into()), ("product", product.into())]
}

fn delete(n: u64, key: &str) -> PushOp {
    op(n, key, Action::Delete)
}

fn fault(status: &OpStatus) -> Fault {
    let Outcome::Rejected(refusal) = &result(status).outcome else { panic!("{status:?}") };
    assert_eq!(refusal.faults.len(), 1);
    refusal.faults[0].fault.clone()
}

fn conflict(bench: &Bench, status: &OpStatus) -> Conflict {
    let id = result(status).conflict.as_ref().expect("it collided").id;
    bench.ledger.conflict(id).expect("it is kept").clone()
}

fn resolve(bench: &mut Bench, id: ConflictId, choice: Choice) -> Answer {
    let conflict = bench.ledger.conflict(id).expect("it is there");
    let request = Request {
        resolution_id: format!("r{}", bench.now_ms),
        conflict_rev: conflict.rev(),
        entity_ver: RecordVersion(u64::MAX),
        choice,
        rationale: String::new(),
        by: "ann".into(),
        approval: false,
    };
    let (request, wish) = (bench.request(), ConflictWish::Resolve(request));
    bench.handle(Input::Conflict { request, conflict: id, wish });
    bench.answers[&request].clone()
}

/// The deletion is refused with the name of what refers, also after a restart; when nothing refers any more it is done.
#[test]
fn what_is_referred_to_is_not_deleted() {
    let mut bench = shop();
    bench.push("d1", &[create(1, "product/p", &[]), create(2, "line/l", &of("p"))]);
    for n in 1..3 {
        let statuses = bench.push("d2", &[delete(n, "product/p")]);
        assert_eq!(fault(&statuses[0]), Fault::Referred { by: entity("line/l") });
        let kept = conflict(&bench, &statuses[0]);
        assert_eq!((kept.kind(), kept.state()), (ConflictKind::Reference, ConflictState::Auto));
        assert_eq!(kept.candidates()[0].wish, Action::Delete);
        assert_eq!(kept.draft().others, [entity("line/l")].into());
        assert!(bench.data(&entity("product/p")).is_some());
        bench.crash();
    }
    assert_eq!(bench.words("d2", &[delete(3, "line/l"), delete(4, "product/p")]), ["applied", "applied"]);
}

#[test]
fn a_reference_that_moves_on_restricts_no_more() {
    let mut bench = shop();
    bench.push(
        "d1",
        &[create(1, "product/p", &[]), create(2, "product/q", &[]), create(3, "line/l", &of("p"))],
    );
    bench.push("d1", &[after(3, update(4, "line/l", &of("q")))]);
    assert_eq!(
        bench.words("d1", &[delete(5, "product/q"), delete(6, "product/p")]),
        ["validation-failed", "applied"]
    );
    bench.push("d1", &[create(7, "product/r", &[]), create(8, "view/v", &of("r"))]);
    assert_eq!(
        bench.words("d1", &[delete(9, "product/r")]),
        ["applied"],
        "a reference that keeps does not restrict"
    );
}

/// The line was written by someone who had not seen the deletion: all of it is taken but the reference, which waits.
#[test]
fn a_reference_to_what_was_deleted_waits() {
    let mut bench = shop();
    bench.push("d1", &[create(1, "product/p", &[]), delete(2, "product/p")]);
    let statuses = bench.push("d2", &[create(1, "line/l", &of("p"))]);
    assert_eq!(word(&statuses[0]), "conflict");
    assert_eq!(bench.data(&entity("line/l")), Some(values(&[("v", 1.into())])));
    let kept = conflict(&bench, &statuses[0]);
    assert_eq!((kept.kind(), kept.state()), (ConflictKind::Reference, ConflictState::Open));
    let wish = Action::Update { set: values(&[("product", "p".into())]), unset: Default::default() };
    assert_eq!((kept.candidates()[0].origin, &kept.candidates()[0].wish), (Origin::Op, &wish));
    let id = ConflictId(1);
    let Answer::ConflictRefused(ConflictRefusal::Record(refusal)) = resolve(&mut bench, id, Choice::Client)
    else {
        panic!("it is deleted still")
    };
    assert_eq!(refusal.faults[0].fault, Fault::Deleted { key: entity("product/p") });
    bench.push("d1", &[after(2, op(3, "product/p", Action::Restore(Default::default())))]);
    assert!(matches!(resolve(&mut bench, id, Choice::Client), Answer::Conflict { .. }));
    assert_eq!(bench.data(&entity("line/l")), Some(values(&of("p"))));
    assert_eq!(bench.words("d1", &[delete(4, "product/p")]), ["validation-failed"]);
}

/// What an author also lost is kept beside what waits, and what stands after all is not said to be lost.
#[test]
fn what_waits_and_what_is_lost_are_one_conflict() {
    let mut bench = shop();
    bench.push("d1", &[create(1, "product/p", &[]), create(2, "product/q", &[]), delete(3, "product/q")]);
    bench.push("d1", &[create(4, "line/l", &of("p"))]);
    let statuses = bench.push("d2", &[update(1, "line/l", &[("v", 2.into()), ("product", "q".into())])]);
    assert_eq!(bench.data(&entity("line/l")), Some(values(&[("v", 2.into()), ("product", "p".into())])));
    let kept = conflict(&bench, &statuses[0]);
    let wishes: Vec<_> = kept.candidates().iter().map(|it| (it.origin, it.wish.values().cloned())).collect();
    let want = [
        (Origin::Op, Some(values(&[("product", "q".into())]))),
        (Origin::Record, Some(values(&[("v", 1.into())]))),
    ];
    assert_eq!(wishes, want);
    assert_eq!(kept.draft().standing[&named("product")], Some("p".into()));
}

/// Where a field cannot wait alone, its author has all of it back.
#[test]
fn what_is_done_whole_is_refused_whole() {
    let mut bench = shop();
    bench.push("d1", &[create(1, "product/p", &[]), delete(2, "product/p"), create(3, "product/q", &[])]);
    let statuses = bench.push("d2", &[create(1, "receipt/r", &of("p"))]);
    assert_eq!(fault(&statuses[0]), Fault::Deleted { key: entity("product/p") });
    let tx = |n, key: &str, product: &str| in_tx("t", create(n, key, &of(product)));
    assert_eq!(
        bench.words("d2", &[tx(2, "line/a", "q"), tx(3, "line/b", "p")]),
        ["tx-aborted", "validation-failed"]
    );
    assert_eq!((bench.data(&entity("receipt/r")), bench.data(&entity("line/a"))), (None, None));
}

/// Ops of a transaction see what those before them did, and nobody else does.
#[test]
fn a_transaction_sees_its_own_references() {
    let mut bench = shop();
    bench.push("d1", &[create(1, "product/p", &[]), create(2, "line/l", &of("p"))]);
    let refers = [create(3, "line/m", &of("p")), delete(4, "product/p")].map(|op| in_tx("a", op));
    assert_eq!(bench.words("d1", &refers), ["tx-aborted", "validation-failed"]);
    let frees = [delete(5, "line/l"), delete(6, "product/p")].map(|op| in_tx("b", op));
    assert_eq!(bench.words("d1", &frees), ["applied", "applied"]);
}

/// A type that gets the promise holds its records to it from then on.
#[test]
fn a_promise_may_be_made_later() {
    let mut bench = shop();
    let define = |bench: &mut Bench, on_delete| {
        let request = bench.request();
        let ty = Box::new(referring(a_type("note", Policy::Lww), on_delete));
        bench.handle(Input::DefineType { request, ty });
        assert!(matches!(bench.answers[&request], Answer::TypeDefined { .. }));
    };
    define(&mut bench, OnDelete::Keep);
    bench.push("d1", &[create(1, "product/p", &[]), create(2, "note/n", &of("p"))]);
    define(&mut bench, OnDelete::Restrict);
    assert_eq!(bench.words("d1", &[delete(3, "product/p")]), ["validation-failed"]);
    bench.crash();
    assert_eq!(bench.words("d1", &[delete(4, "product/p")]), ["validation-failed"]);
    define(&mut bench, OnDelete::Keep);
    assert_eq!(bench.words("d1", &[delete(5, "product/p")]), ["applied"]);
}
