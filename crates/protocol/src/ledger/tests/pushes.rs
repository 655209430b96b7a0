//! What a push is told.

use syncline_core::entity::{Claim, FieldRule, RecordVersion};

use super::support::*;
use super::*;

fn bench() -> Bench {
    let mut merged = a_type("stock", Policy::Additive);
    merged.coalesce = false;
    let types = [
        a_type("text", Policy::Lww),
        a_type("ask", Policy::Manual),
        a_type("first", Policy::ServerWins),
        merged,
    ];
    Bench::new(types.into(), Settings::default())
}

/// A result says all that its author needs to go on without asking.
#[test]
fn a_result_says_what_became_of_the_op() {
    let mut bench = bench();
    let made = bench
        .push("d1", &[create(1, "stock/a", &[("qty", 5.into())]), create(2, "ask/a", &[("v", 1.into())])]);
    assert_eq!(made.iter().map(word).collect::<Vec<_>>(), ["applied", "applied"]);
    assert_eq!(result(&made[0]).entity, entity("stock/a"));
    assert_eq!(result(&made[0]).data, None, "it is as its author meant");
    let other = [
        op(1, "stock/a", Action::Delta([(FieldName::new("qty").expect("a name"), 2.into())].into())),
        update(2, "ask/a", &[("v", 2.into())]),
        create(3, "first/a", &[("v", 1.into())]),
    ];
    let told = bench.push("d2", &other);
    assert_eq!(told.iter().map(word).collect::<Vec<_>>(), ["merged", "conflict", "applied"]);
    let qty = FieldName::new("qty").expect("a name");
    assert_eq!(result(&told[0]).combined, [(qty, (FieldRule::Additive, 7.into()))].into());
    assert_eq!(result(&told[0]).data, Some(values(&[("qty", 7.into())])));
    let collision = result(&told[1]).conflict.clone().expect("people decide");
    assert_eq!(collision.fields, [FieldName::new("v").expect("a name")].into());
    assert_eq!(collision.kind.as_str(), "concurrent_update");
    assert_eq!(bench.ledger.conflicts().next().map(|(id, _)| id), Some(collision.id));
    let told = bench.push("d1", &[update(3, "first/a", &[("v", 2.into())])]);
    assert_eq!(word(&told[0]), "superseded");
    let by = result(&told[0]).superseded_by.expect("a write has won");
    let record = bench.ledger.record(&entity("first/a")).expect("it was created");
    assert_eq!(by, record.stamp());
}

/// An author who adds its own op to what it had would have something else than the record, under the record's version.
#[test]
fn a_late_op_that_is_applied_says_what_the_record_is() {
    let mut bench = bench();
    bench.push("d1", &[create(1, "text/a", &[("a", 1.into()), ("b", 1.into())])]);
    let seen = PushSeen::Record(Claim { ver: Some(RecordVersion(1)), ..Claim::default() });
    let told = bench.push("d2", &[PushOp { seen, ..update(1, "text/a", &[("b", 2.into())]) }]);
    assert_eq!(
        (word(&told[0]), &result(&told[0]).data),
        ("applied", &None),
        "it had seen the record as it was"
    );
    let told = bench.push("d1", &[after(1, update(2, "text/a", &[("a", 2.into())]))]);
    let both = values(&[("a", 2.into()), ("b", 2.into())]);
    assert_eq!((word(&told[0]), &result(&told[0]).data), ("applied", &Some(both.clone())));
    let told = bench.push("d3", &[create(1, "text/a", &[("a", 2.into()), ("b", 2.into())])]);
    assert_eq!((word(&told[0]), &result(&told[0]).data), ("applied", &Some(both)));
}

#[test]
fn the_write_that_won_is_that_of_the_field() {
    let mut bench = bench();
    bench.push("d1", &[create(1, "text/a", &[("a", 1.into()), ("b", 1.into())])]);
    let late = |n, name, at| {
        let time = ClaimedTime { at: Some(WallMs(at)), ..ClaimedTime::default() };
        PushOp { time, ..update(n, "text/a", &[(name, 2.into())]) }
    };
    bench.push("d2", &[update(1, "text/a", &[("b", 3.into())])]);
    let told = bench.push("d3", &[late(1, "a", 3)]);
    assert_eq!(word(&told[0]), "superseded");
    let record = bench.ledger.record(&entity("text/a")).expect("it was created");
    let slot = &record.fields[&FieldName::new("a").expect("a name")];
    assert_eq!(result(&told[0]).superseded_by, Some(slot.stamp));
    assert_ne!(slot.stamp, record.stamp());
}

#[test]
fn a_noop_uses_up_its_number_whatever_it_names() {
    let mut bench = bench();
    assert_eq!(bench.words("d1", &[op(1, "what/a", Action::Noop)]), ["applied"]);
    assert_eq!(bench.ledger.record(&entity("what/a")), None);
}

/// Batches are bounded, and an answer waits for the last that holds some of its ops.
#[test]
fn a_long_push_is_committed_in_parts() {
    let mut bench = bench();
    bench.bind("d1");
    let mut ledger = bench.ledger;
    let ops: Vec<PushOp> = (1..=2_000).map(|n| create(n, &format!("text/{n}"), &[("v", 1.into())])).collect();
    ledger.handle(Now::default(), push_of(RequestId(1), "d1", ops));
    let (mut commits, mut high) = (0, 0);
    while let Some(effect) = ledger.poll_effect() {
        match effect {
            Effect::Commit { commit, batch, .. } => {
                commits += 1;
                // Each op that is done is told in the audit, with its values.
                assert!(batch.len() <= 2 * 2_051);
                let numbers = batch.iter().rev().find_map(|write| match write {
                    Write::Numbers(_, numbers) => Some(numbers.high()),
                    _ => None,
                });
                high = numbers.unwrap_or(high);
                let results = batch.iter().filter_map(|write| match write {
                    Write::Result(dot, _) => Some(dot.counter),
                    _ => None,
                });
                assert_eq!(results.max().unwrap_or(high), high, "results and numbers go together");
                ledger.handle(Now::default(), Input::Committed(commit));
            }
            Effect::Answer { .. } => assert_eq!(high, 2_000),
            Effect::Moved { .. } => {}
            Effect::Ask { .. } => panic!("no type has a handler here"),
            Effect::Merge(_) | Effect::Refuse { .. } | Effect::Deleted { .. } => {
                panic!("no type has documents here")
            }
        }
    }
    assert!(commits > 1, "{commits}");
}

/// Goal: nobody takes the version of an earlier life for one of this: an op that is sent again after a restore has the record's own
/// life in its result.
#[test]
fn a_result_names_the_life_of_its_record() {
    let mut bench = bench();
    let ops = [create(1, "text/a", &[("a", 1.into())]), create(2, "first/a", &[("v", 1.into())])];
    bench.push("d1", &ops);
    bench.load(Epoch(5));
    let lives = |told: &[OpStatus]| -> Vec<_> {
        told.iter().map(|told| result(told).record.as_ref().expect("it is there").epoch.0).collect()
    };
    let again = bench.push("d1", &[ops[0].clone(), create(3, "text/b", &[])]);
    assert_eq!((word(&again[0]), word(&again[1])), ("duplicate", "applied"));
    assert_eq!(lives(&again), [1, 5]);
    let lost = bench.push("d2", &[update(1, "first/a", &[("v", 2.into())])]);
    assert_eq!((word(&lost[0]), lives(&lost)), ("superseded", vec![1]));
}
