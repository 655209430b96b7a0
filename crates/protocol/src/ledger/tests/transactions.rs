//! Transactions take effect whole or not at all.

use syncline_core::entity::{Field, FieldRule};

use super::support::*;
use super::*;

fn bench() -> Bench {
    let types =
        [a_type("text", Policy::Lww), a_type("wins", Policy::ServerWins), a_type("ask", Policy::Manual)];
    let handled = a_type("handled", Policy::Lww);
    let settings = Settings { handled: [handled.name.clone()].into(), ..Settings::default() };
    Bench::new(types.into_iter().chain([handled]).collect(), settings)
}

fn tx(ops: Vec<PushOp>) -> Vec<PushOp> {
    ops.into_iter().map(|op| in_tx("t", op)).collect()
}

/// Later ops see what earlier ones did; then all of it is there.
#[test]
fn the_ops_of_a_transaction_see_each_other() {
    let mut bench = bench();
    let ops = tx(vec![
        create(1, "text/a", &[("v", 1.into())]),
        after(1, update(2, "text/a", &[("v", 2.into())])),
        create(3, "text/b", &[]),
    ]);
    assert_eq!(bench.words("d1", &ops), ["applied", "applied", "applied"]);
    assert_eq!(bench.data(&entity("text/a")), Some(values(&[("v", 2.into())])));
    assert_eq!(bench.words("d1", &ops), ["duplicate", "duplicate", "duplicate"]);
    assert_eq!(bench.ledger.record(&entity("text/a")).map(|record| record.ver.0), Some(2));
}

/// Whichever op fails and however it fails, no other has an effect. What lost is kept all the same.
#[test]
fn one_that_fails_takes_the_others_with_it() {
    for (key, word) in [("wins/x", "superseded"), ("ask/x", "conflict"), ("text/none", "entity-unknown")] {
        for at in 0..3_usize {
            let mut bench = bench();
            bench.push(
                "d2",
                &[create(1, "wins/x", &[("v", 1.into())]), create(2, "ask/x", &[("v", 1.into())])],
            );
            let before = bench.ledger.record(&entity("wins/x"));
            let mut ops: Vec<PushOp> = (1..=2).map(|n| create(n, &format!("text/{n}"), &[])).collect();
            ops.insert(at, update(9, key, &[("v", 2.into())]));
            for (n, op) in (1..).zip(&mut ops) {
                op.numbered.n = n;
            }
            ops.push(create(4, "text/last", &[]));
            let (all, last) = ops.split_at_mut(3);
            all.iter_mut().for_each(|op| op.tx = Some("t".into()));
            assert_eq!(last.len(), 1);
            let mut want = ["tx-aborted"; 4];
            want[at] = word;
            want[3] = "applied";
            assert_eq!(bench.words("d1", &ops), want, "{key} {at}");
            assert_eq!(bench.data(&entity("text/1")), None);
            assert_eq!(bench.data(&entity("text/2")), None);
            assert_eq!(bench.ledger.record(&entity("wins/x")), before);
            assert_eq!(bench.ledger.conflicts().count(), usize::from(word != "entity-unknown"));
            bench.crash();
            assert_eq!(bench.words("d1", &ops), ["duplicate"; 4]);
            // What did not happen was not seen by what comes after it.
            let chained = after(1, update(5, ops[0].entity.to_string().as_str(), &[("v", 7.into())]));
            assert_ne!(bench.words("d1", &[chained]), ["applied"], "{key} {at}");
        }
    }
}

/// An op that waits for people in one field writes the others, but not where a transaction stops at it.
#[test]
fn one_that_is_in_conflict_writes_nothing() {
    let manual = Field { rule: Some(FieldRule::Manual), ..Field::default() };
    let fields = [(FieldName::new("m").expect("a name"), manual)].into();
    let ty = EntityType { fields: Some(fields), ..a_type("mixed", Policy::FieldMerge) };
    let mut bench = Bench::new(vec![ty], Settings::default());
    bench.push("d1", &[create(1, "mixed/a", &[("m", 1.into()), ("v", 1.into())])]);
    let write = |n| update(n, "mixed/a", &[("m", 2.into()), ("w", 2.into())]);
    let ops = tx(vec![write(1), create(2, "mixed/b", &[])]);
    assert_eq!(bench.words("d2", &ops), ["conflict", "tx-aborted"]);
    let before = values(&[("m", 1.into()), ("v", 1.into())]);
    assert_eq!(bench.data(&entity("mixed/a")), Some(before));
    let conflict = bench.ledger.conflict(FIRST).expect("it waits");
    let Action::Update { set, .. } = &conflict.candidates()[0].wish else { panic!("{conflict:?}") };
    assert_eq!(*set, values(&[("m", 2.into()), ("w", 2.into())]), "what it would have written is kept, too");
    assert_eq!((conflict.candidates().len(), conflict.draft().fields.len()), (1, 2));
    assert_eq!(bench.words("d2", &[write(3)]), ["conflict"]);
    assert_eq!(bench.data(&entity("mixed/a")).map(|data| data.len()), Some(3));
}

#[test]
fn one_that_is_deferred_defers_the_others() {
    let mut bench = bench();
    let ops = tx(vec![create(1, "text/a", &[]), create(2, "handled/a", &[]), create(3, "text/b", &[])]);
    let request = bench.send("d1", &ops);
    assert_eq!(bench.data(&entity("text/a")), None, "nobody sees a part of it");
    bench.answer(Verdict::Unavailable { retry_after_ms: 7 });
    let told = bench.pushed(request);
    let deferral = Deferral { code: DeferralCode::HandlerUnavailable, retry_after_ms: 7 };
    assert_eq!(told[0], OpStatus::Deferred { n: 1, deferral });
    assert_eq!(told.len(), 3);
    bench.crash();
    let waits = "deferred: dependency-failed";
    assert_eq!(bench.words("d1", &ops[..1]), [waits], "the others of it are missing");
    assert_eq!(bench.words("d1", &[create(4, "text/c", &[])]), ["applied"]);
    let request = bench.send("d1", &ops);
    bench.answer(Verdict::Accept { set: Default::default() });
    assert_eq!(bench.pushed(request).iter().map(word).collect::<Vec<_>>(), ["applied"; 3]);
}

#[test]
fn a_transaction_is_bounded() {
    let mut bench = bench();
    let ops = |count: u64| tx((1..=count).map(|n| create(n, &format!("text/{n}"), &[])).collect());
    assert_eq!(bench.words("d1", &ops(100)), ["applied"; 100]);
    assert_eq!(bench.words("d2", &ops(101)), ["validation-failed"; 101]);
}
