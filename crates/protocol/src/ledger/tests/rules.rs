//! What the rules of a type say is done.

use syncline_core::entity::conflict::{Choice, Request};
use syncline_core::entity::{Rule, Take, TypeError, Verdict as Said};

use super::support::*;
use super::*;

fn ruled(rules: Vec<(&str, Said)>) -> EntityType {
    let rules = rules.into_iter().map(|(when, verdict)| Rule { when: when.into(), verdict }).collect();
    EntityType { rules, ..a_type("ruled", Policy::Rules) }
}

#[test]
fn what_the_rules_say_is_done() {
    let ty = ruled(vec![
        ("op.set.v == 0.0", Said::Veto("not that".into())),
        ("op.set.v == 1.0", Said::Take(Take::Server)),
        ("op.set.v == 2.0", Said::Take(Take::Client)),
        ("op.set.v == 3.0", Said::Compute([(field(), "server.v + 1.0".into())].into())),
        ("op.set.v == 4.0", Said::Escalate),
    ]);
    let mut bench = Bench::new(vec![ty], Settings::default());
    assert_eq!(bench.words("d1", &[create(1, "ruled/a", &[("v", 9.into())])]), ["applied"]);
    // What is stored is compiled again.
    bench.crash();
    let want = ["validation-failed", "superseded", "applied", "merged", "conflict", "conflict"];
    for (n, want) in (1..).zip(want) {
        let value = n as i64 - 1;
        let told = bench.push("d2", &[update(n, "ruled/a", &[("v", value.into())])]);
        assert_eq!(word(&told[0]), want, "{value}");
        let reason = (value == 0).then_some("not that");
        assert_eq!(result(&told[0]).detail.as_deref(), reason);
    }
    assert_eq!(bench.data(&entity("ruled/a")), Some(values(&[("v", 3.into())])));
}

/// Each op of a transaction is judged by what those before it have left, and a veto is told of the op that it is about.
#[test]
fn a_transaction_is_judged_op_by_op() {
    let ty = ruled(vec![("server.v == 7.0", Said::Veto("seven stays".into()))]);
    let mut bench = Bench::new(vec![ty], Settings::default());
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
    let mut bench = Bench::new(vec![ruled(vec![("has(op.set.v)", Said::Escalate)])], Settings::default());
    bench.words("d1", &[create(1, "ruled/a", &[("v", 9.into())])]);
    assert_eq!(bench.words("d2", &[update(1, "ruled/a", &[("v", 4.into())])]), ["conflict"]);
    let (id, conflict) = bench.ledger.conflicts().next().expect("there is one");
    let resolution = Request {
        resolution_id: "r".into(),
        conflict_rev: conflict.rev(),
        entity_ver: RecordVersion(1),
        choice: Choice::Client,
        rationale: String::new(),
        by: "ann".into(),
        approval: false,
    };
    let answer = bench.wish(id, ConflictWish::Resolve(resolution));
    assert!(matches!(answer, Answer::Conflict { .. }), "{answer:?}");
    assert_eq!(bench.data(&entity("ruled/a")), Some(values(&[("v", 4.into())])));
}

#[test]
fn rules_that_are_none_are_refused_with_their_type() {
    let broken = ruled(vec![("op.set.", Said::Escalate)]);
    let loaded = Ledger::load([broken.clone()], Epoch(1), []).err();
    assert!(matches!(loaded, Some(LedgerLoadError::Type { error: TypeRefusal::Rules(_), .. })), "{loaded:?}");
    let mut bench = Bench::new(vec![ruled(Vec::new())], Settings::default());
    let answer = bench.define(&broken);
    assert!(
        matches!(&answer, Answer::TypeRefused(TypeRefusal::Rules(error)) if error.rule == 1),
        "{answer:?}"
    );
    assert_eq!(bench.ledger.types().collect::<Vec<_>>(), [&ruled(Vec::new())]);
    let other = TypeRefusal::from(TypeError::Whole);
    assert_eq!(other.to_string(), TypeError::Whole.to_string());
}
