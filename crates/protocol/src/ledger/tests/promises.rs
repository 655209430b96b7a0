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
    let id = FIRST;
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

/// Users: an address is one user's within an organisation, and a login is one user's everywhere.
fn users() -> Bench {
    let unique = vec![vec![named("login")], vec![named("org"), named("mail")]];
    let types = [("user", Policy::Lww), ("log", Policy::AppendOnly), ("asked", Policy::Manual)];
    let types = types.map(|(name, policy)| EntityType { unique: unique.clone(), ..a_type(name, policy) });
    Bench::new(types.into(), Settings::default())
}

fn login(name: &str) -> Vec<(&str, Value)> {
    vec![("v", 1.into()), ("login", name.into())]
}

/// Two devices took one login while offline: both users are there, the first that came has the login, and the other waits.
#[test]
fn what_only_one_may_have_the_first_has() {
    let mut bench = users();
    bench.push("d1", &[create(1, "user/a", &login("ann"))]);
    bench.crash();
    let statuses = bench.push("d2", &[create(1, "user/b", &login("ann"))]);
    assert_eq!(word(&statuses[0]), "conflict");
    assert_eq!(bench.data(&entity("user/b")), Some(values(&[("v", 1.into())])));
    let kept = conflict(&bench, &statuses[0]);
    assert_eq!((kept.kind(), kept.state()), (ConflictKind::Unique, ConflictState::Open));
    assert_eq!(kept.draft().others, [entity("user/a")].into());
    let Answer::ConflictRefused(ConflictRefusal::Record(refusal)) =
        resolve(&mut bench, FIRST, Choice::Client)
    else {
        panic!("another has it")
    };
    assert_eq!(refusal.faults[0].fault, Fault::Taken { by: entity("user/a") });
    bench.push("d1", &[after(1, update(2, "user/a", &[("login", "anna".into())]))]);
    assert!(matches!(resolve(&mut bench, FIRST, Choice::Client), Answer::Conflict { .. }));
    assert_eq!(bench.data(&entity("user/b")), Some(values(&login("ann"))));
}

/// What was given up, by a write, an `unset` or a deletion, is free; a restoration does not take it back.
#[test]
fn what_is_given_up_is_free() {
    for gives_up in [
        update(2, "user/a", &[("login", "x".into())]),
        op(2, "user/a", Action::Update { set: Default::default(), unset: [named("login")].into() }),
        delete(2, "user/a"),
    ] {
        let mut bench = users();
        bench.push("d1", &[create(1, "user/a", &login("ann")), after(1, gives_up)]);
        assert_eq!(bench.words("d1", &[create(3, "user/b", &login("ann"))]), ["applied"]);
        let again = op(4, "user/a", Action::Restore(values(&login("ann"))));
        assert_eq!(bench.words("d1", &[after(2, again)]), ["conflict"]);
        let data = bench.data(&entity("user/a")).expect("it is back");
        assert_ne!(data.get(&named("login")), Some(&"ann".into()));
    }
}

#[test]
fn only_whole_combinations_collide() {
    let mut bench = users();
    let mail = |org: Value, mail: Value| vec![("org", org), ("mail", mail)];
    bench.push("d1", &[create(1, "user/a", &mail(1.into(), "m".into()))]);
    let creations = [
        create(2, "user/b", &mail(2.into(), "m".into())),
        create(3, "user/c", &mail(Value::Null, "m".into())),
        create(4, "user/d", &mail(Value::Null, "m".into())),
        create(5, "user/e", &[("mail", "m".into())]),
        after(2, update(6, "user/b", &[("org", 1.into()), ("v", 7.into())])),
        create(7, "asked/a", &mail(1.into(), "m".into())),
        after(1, update(8, "user/a", &mail(1.into(), "m".into()))),
    ];
    let words = ["applied", "applied", "applied", "applied", "conflict", "applied", "applied"];
    assert_eq!(bench.words("d1", &creations), words);
    let b = values(&[("org", 2.into()), ("mail", "m".into()), ("v", 7.into())]);
    assert_eq!(bench.data(&entity("user/b")), Some(b), "what collides stays, the rest is written");
}

#[test]
fn what_cannot_wait_for_its_value_is_refused() {
    let mut bench = users();
    bench.push("d1", &[create(1, "log/a", &login("ann")), create(2, "user/a", &login("ann"))]);
    let statuses = bench.push("d2", &[create(1, "log/b", &login("ann"))]);
    assert_eq!(fault(&statuses[0]), Fault::Taken { by: entity("log/a") });
    let ops =
        [create(2, "user/b", &login("bob")), create(3, "user/c", &login("bob"))].map(|op| in_tx("t", op));
    assert_eq!(bench.words("d2", &ops), ["tx-aborted", "validation-failed"]);
    let swap = [op(3, "user/a", Action::Delete), create(4, "user/d", &login("ann"))];
    assert_eq!(bench.words("d1", &swap.map(|op| in_tx("u", op))), ["applied", "applied"]);
    let request = bench.request();
    let import = |id: &str, name: &str| Import {
        key: entity(id),
        data: Some(values(&login(name))),
        hlc: Default::default(),
        schema_v: 1,
    };
    let records = vec![import("user/e", "ann"), import("user/f", "eve"), import("user/g", "eve")];
    bench.handle(Input::Import { request, records });
    let Answer::Imported(imported) = &bench.answers[&request] else { panic!("another answer") };
    let refused = |it: &Imported| matches!(it, Imported::Refused(_));
    assert_eq!(imported.iter().map(refused).collect::<Vec<_>>(), [true, false, true]);
}

/// Whoever makes the promise of records that break it is told which do, and nothing changes.
#[test]
fn a_promise_that_does_not_hold_is_refused() {
    let mut bench = Bench::new(Vec::new(), Settings::default());
    let define = |bench: &mut Bench, unique: &[&str]| {
        let unique = unique.iter().map(|name| vec![named(name)]).collect();
        let request = bench.request();
        let ty = Box::new(EntityType { unique, ..a_type("user", Policy::Lww) });
        bench.handle(Input::DefineType { request, ty });
        bench.answers[&request].clone()
    };
    define(&mut bench, &[]);
    bench.push("d1", &[create(1, "user/a", &login("ann")), create(2, "user/b", &login("ann"))]);
    let Answer::TypeRefused(refusal) = define(&mut bench, &["mail", "login"]) else { panic!("two have it") };
    assert_eq!(refusal.to_string(), "`a`, `b` hold the same in `login`");
    assert_eq!(bench.words("d1", &[delete(3, "user/b"), create(4, "user/c", &login("ann"))]), ["applied"; 2]);
    bench.push("d1", &[delete(5, "user/c")]);
    assert_eq!(define(&mut bench, &["login"]), Answer::TypeDefined { is_new: false });
    assert_eq!(bench.words("d1", &[create(6, "user/d", &login("ann"))]), ["conflict"]);
    bench.crash();
    assert_eq!(bench.words("d1", &[create(7, "user/e", &login("ann"))]), ["conflict"]);
    assert_eq!(define(&mut bench, &[]), Answer::TypeDefined { is_new: false });
    assert_eq!(bench.words("d1", &[create(8, "user/f", &login("ann"))]), ["applied"]);
}

/// What waits joins what is open of the entity already.
#[test]
fn an_entity_has_one_open_conflict() {
    let mut bench = users();
    bench.push("d1", &[create(1, "asked/a", &login("ann")), create(2, "asked/b", &[("v", 2.into())])]);
    assert_eq!(bench.words("d2", &[update(1, "asked/b", &[("v", 3.into())])]), ["conflict"]);
    let statuses = bench.push("d1", &[after(2, update(3, "asked/b", &[("login", "ann".into())]))]);
    let collision = result(&statuses[0]).conflict.clone().expect("another has it");
    assert_eq!((collision.id, collision.kind), (FIRST, ConflictKind::Unique));
    let kept = bench.ledger.conflict(FIRST).expect("it is open");
    assert_eq!((kept.kind(), kept.candidates().len()), (ConflictKind::ConcurrentUpdate, 2));
}
