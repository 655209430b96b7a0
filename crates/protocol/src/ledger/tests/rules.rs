//! What the rules of a type say is done.

use std::error::Error;

use syncline_core::entity::conflict::{Choice, Request};
use syncline_core::entity::{Field, FieldKind, Rule, Take, Verdict as Says};

use super::support::*;
use super::*;

fn rule(when: &str, verdict: Says) -> Rule {
    Rule { when: when.into(), verdict }
}

/// A type whose rules go by the value of an op.
fn ruled() -> EntityType {
    let kind = Some(FieldKind::Integer);
    let fields = [(field(), Field { kind, ..Field::default() })].into();
    let rules = vec![
        rule("op.set.v == 0", Says::Veto("nothing is free".into())),
        rule("op.set.v == 1", Says::Take(Take::Server)),
        rule("op.set.v == 2", Says::Take(Take::Client)),
        rule("op.set.v == 3", Says::Compute([(field(), "server.v + 30".into())].into())),
        rule("op.set.v == 4", Says::Escalate),
        rule("op.set.v == 5 && now_ms > 1000 && actor == 'd2'", Says::Veto("too late".into())),
    ];
    EntityType { rules, fields: Some(fields), ..a_type("ruled", Policy::Rules) }
}

fn with_rules(rules: Vec<Rule>) -> EntityType {
    EntityType { rules, ..ruled() }
}

fn bench() -> Bench {
    let types = vec![ruled(), a_type("text", Policy::Lww)];
    let mut bench = Bench::new(types, Settings::default());
    assert_eq!(bench.words("d1", &[create(1, "ruled/a", &[("v", 9.into())])]), ["applied"]);
    bench
}

fn define(bench: &mut Bench, ty: EntityType) -> Answer {
    let request = bench.request();
    bench.handle(Input::DefineType { request, ty: Box::new(ty) });
    bench.answers[&request].clone()
}

fn told(bench: &mut Bench, n: u64, value: i64) -> (&'static str, Option<String>) {
    let told = bench.push("d2", &[update(n, "ruled/a", &[("v", value.into())])]);
    (word(&told[0]), result(&told[0]).detail.clone())
}

#[test]
fn a_ruling_is_honoured() {
    let mut bench = bench();
    let refused = |reason: &str| ("validation-failed", Some(reason.to_owned()));
    for (n, want) in (1..).zip([
        refused("nothing is free"),
        ("superseded", None),
        ("applied", None),
        ("merged", None),
        ("conflict", None),
        refused("too late"),
        ("conflict", None),
    ]) {
        assert_eq!(told(&mut bench, n, n as i64 - 1), want);
    }
    assert_eq!(bench.data(&entity("ruled/a")), Some(values(&[("v", 32.into())])));
    let odd = bench.push("d2", &[update(8, "ruled/a", &[("v", "0".into())])]);
    assert_eq!((word(&odd[0]), &result(&odd[0]).detail), ("validation-failed", &None), "no rule says so");
    bench.words("d1", &[create(2, "text/a", &[("v", 9.into())])]);
    assert_eq!(bench.words("d2", &[update(9, "text/a", &[("v", 0.into())])]), ["applied"], "it has no rules");
}

/// Each op of a transaction is judged by what those before it have left, and a veto is told of the op that it is about.
#[test]
fn a_transaction_is_judged_op_by_op() {
    let mut bench = Bench::new(
        vec![with_rules(vec![rule("server.v == 7", Says::Veto("seven stays".into()))])],
        Settings::default(),
    );
    let tx = [
        create(1, "ruled/a", &[("v", 1.into())]),
        after(1, update(2, "ruled/a", &[("v", 7.into())])),
        after(2, update(3, "ruled/a", &[("v", 8.into())])),
    ];
    let told = bench.push("d1", &tx.map(|op| in_tx("t", op)));
    let words: Vec<_> = told.iter().map(word).collect();
    assert_eq!(words, ["tx-aborted", "tx-aborted", "validation-failed"]);
    assert_eq!(result(&told[2]).detail.as_deref(), Some("seven stays"));
    assert_eq!(result(&told[1]).detail, None);
    assert_eq!(bench.data(&entity("ruled/a")), None);
}

/// What people decide is not judged: the rule that sent an op to them would only send it to them again.
#[test]
fn a_resolution_is_not_judged() {
    let mut bench = bench();
    assert_eq!(told(&mut bench, 1, 4).0, "conflict");
    let (id, conflict) = bench.ledger.conflicts().next().expect("there is one");
    let ver = bench.ledger.record(&entity("ruled/a")).expect("it was created").ver;
    let resolution = Request {
        resolution_id: "r".into(),
        conflict_rev: conflict.rev(),
        entity_ver: ver,
        choice: Choice::Client,
        rationale: String::new(),
        by: "ann".into(),
        approval: false,
    };
    let request = bench.request();
    bench.handle(Input::Conflict { request, conflict: id, wish: ConflictWish::Resolve(resolution) });
    assert!(matches!(bench.answers[&request], Answer::Conflict { .. }), "{:?}", bench.answers[&request]);
    assert_eq!(bench.data(&entity("ruled/a")), Some(values(&[("v", 4.into())])));
}

/// Rules that are declared while the ledger runs count from then on, and after a restart.
#[test]
fn rules_may_change() {
    let mut bench = Bench::new(Vec::new(), Settings::default());
    define(&mut bench, with_rules(Vec::new()));
    assert_eq!(bench.words("d1", &[create(1, "ruled/a", &[("v", 9.into())])]), ["applied"]);
    let vetoes = with_rules(vec![rule("op.set.v > 5", Says::Veto("too much".into()))]);
    assert_eq!(define(&mut bench, vetoes), Answer::TypeDefined { is_new: false });
    assert_eq!(told(&mut bench, 1, 6).1.as_deref(), Some("too much"));
    bench.crash();
    assert_eq!(told(&mut bench, 2, 6).1.as_deref(), Some("too much"));
    assert_eq!(define(&mut bench, with_rules(Vec::new())), Answer::TypeDefined { is_new: false });
    assert_eq!(told(&mut bench, 3, 6), ("conflict", None), "without rules people decide what is late");
}

#[test]
fn rules_that_mean_nothing_are_refused_with_their_place() {
    let wrong = with_rules(vec![rule("true", Says::Escalate), rule("op.set.v > sever.v", Says::Escalate)]);
    let place = "rule 2, `when`, line 1, column 12: rules know no `sever`";
    let loaded = Ledger::load([wrong.clone()], Epoch(1), []).expect_err("it is given");
    assert_eq!(loaded.to_string(), "type `ruled` cannot be used");
    assert_eq!(loaded.source().expect("it says why").to_string(), place);
    let stored = Write::Type(Box::new(wrong.clone()));
    assert_eq!(Ledger::load([], Epoch(1), [stored.clone()]).err(), Some(loaded), "it is stored");
    let mended = Ledger::load([ruled()], Epoch(1), [stored]);
    assert!(mended.is_ok(), "one that is given takes its place: {mended:?}");
    let mut bench = bench();
    let Answer::TypeRefused(refusal) = define(&mut bench, wrong) else { panic!("it is declared") };
    assert_eq!(refusal.to_string(), place);
    assert_eq!(told(&mut bench, 1, 0).0, "validation-failed", "the rules before it still count");
}
