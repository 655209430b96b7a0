//! Rules as sources: what is compiled, what an expression sees, and what it costs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use syncline_core::entity::{
    Action, Decimal, EntityType, Field, FieldKind, Hearing, Judgement, Op, Policy, Record, Rule, RuleFault,
    RulePart, Ruleset, Ruling, Take, Value, Verdict,
};
use syncline_core::time::WallMs;

use super::support::{
    ANN, BOB, add, entity_type, field, op, record, set, stamp, tombstone, usual_actors, values, with_was,
};

fn ruled(rules: &[(&str, Verdict)]) -> EntityType {
    let rules =
        rules.iter().map(|(when, verdict)| Rule { when: (*when).to_owned(), verdict: verdict.clone() });
    let qty = Field { kind: Some(FieldKind::Integer), ..Field::default() };
    let fields = Some([(field("qty"), qty)].into());
    EntityType { rules: rules.collect(), fields, ..entity_type(Policy::Rules) }
}

fn computing(when: &str, sources: &[(&str, &str)]) -> (String, Verdict) {
    let sources = sources.iter().map(|(name, source)| (field(name), (*source).to_owned()));
    (when.to_owned(), Verdict::Compute(sources.collect()))
}

fn judge(ty: &EntityType, record: Option<&Record>, op: &Op) -> Option<Judgement> {
    let rules = Ruleset::compile(ty).expect("the rules are compiled");
    rules.judge(&Hearing { ty, actors: &usual_actors(), record, op, now: WallMs(50) })
}

/// Returns whether a condition holds of an op that meets the usual record.
fn holds(when: &str, op: &Op) -> bool {
    judge(&ruled(&[(when, Verdict::Escalate)]), Some(&record()), op).is_some()
}

fn fresh(action: Action) -> Op {
    op(stamp(BOB, 2, 30), &[(ANN, 1), (BOB, 1)], action)
}

#[test]
fn mistakes_are_named_with_their_place() {
    let deep = "(".repeat(40) + "1" + &")".repeat(40);
    let chain = "fresh == ".repeat(40) + "fresh";
    let long = "fresh || ".repeat(200) + "fresh";
    for (source, place, hint) in [
        ("op.set.qty >", (1, 13), "mismatched"),
        ("", (1, 1), "mismatched"),
        ("'open", (1, 1), "token"),
        ("fresh &&\n  sever.qty > 1", (2, 3), "`sever`"),
        ("'ü' == actor && sever == 1", (1, 17), "`sever`"),
        ("op.sets.qty > 1", (1, 3), "`op.sets`"),
        ("has(op.sets.qty)", (1, 7), "`op.sets`"),
        ("fresh && matches(actor, 'x')", (1, 17), "`matches`"),
        ("timestamp(now_ms)", (1, 10), "`timestamp`"),
        ("actor.lower() == 'x'", (1, 12), "`lower`"),
        ("server.lines.all(l, l > 1)", (1, 17), "loops"),
        ("server{a: 1}", (1, 7), "`server`"),
        ("server.?qty == 1", (1, 7), "unsupported"),
        (&deep, (1, 1), "ecursion"),
        (&chain, (1, 1), "deep"),
        (&long, (1, 1), "1024 bytes"),
    ] {
        let ty = ruled(&[("true", Verdict::Escalate), (source, Verdict::Escalate)]);
        let error = Ruleset::compile(&ty).expect_err(source);
        assert_eq!((error.rule, &error.part), (2, &RulePart::When), "{source}");
        assert!(error.to_string().contains(hint), "{source}: {error}");
        if !matches!(hint, "ecursion" | "deep") {
            assert_eq!((error.line, error.column), place, "{source}: {error}");
        }
    }
    let (when, verdict) = computing("true", &[("a", "1"), ("b", "nope")]);
    let error = Ruleset::compile(&ruled(&[(&when, verdict)])).expect_err("`nope` is unknown");
    assert_eq!(error.part, RulePart::Compute(field("b")));
    assert_eq!(error.fault, RuleFault::Unknown { name: "nope".to_owned() });
}

#[test]
fn rules_see_the_op_the_record_and_the_time() {
    let update = with_was(
        fresh(Action::Update { set: values(&[("name", "b".into())]), unset: [field("note")].into() }),
        &[("name", "a".into())],
    );
    for when in [
        "op.kind == 'update' && op.set.name == 'b' && op.was.name == 'a' && op.unset == ['note']",
        "server.qty == 95 && server.name == 'a' && size(server) == 2",
        "fresh && relation == 'equal' && actor == 'bob' && now_ms == 50",
        "'note' in op.unset && !has(op.set.qty) && size(op.delta) == 0",
        "server.qty + 1 == 96",
    ] {
        assert!(holds(when, &update), "{when}");
    }
    assert!(holds("op.delta.qty == -3 && server.qty + op.delta.qty == 92", &fresh(add("qty", -3))));
    assert!(holds("op.kind == 'delete' && size(op.set) == 0", &fresh(Action::Delete)));
    let late = op(stamp(ANN, 2, 30), &[(ANN, 1)], Action::Delete);
    assert!(holds("!fresh && relation == 'behind'", &late));
    let ahead = op(stamp(ANN, 2, 30), &[(ANN, 1), (BOB, 7)], Action::Delete);
    assert!(holds("!fresh && relation == 'concurrent'", &ahead));
    let again = fresh(Action::Create(values(&[("qty", 1.into())])));
    assert!(holds("op.kind == 'create' && !fresh && relation == 'concurrent'", &again));
    assert!(holds("op.kind == 'restore'", &fresh(Action::Restore(values(&[])))));
}

/// The type of a number follows from its declaration, so an expression that holds for 24.50 does for 24.
#[test]
fn numbers_are_ints_where_they_are_declared_so() {
    for price in ["24", "24.50"] {
        let price = Value::Number(Decimal::parse(price).expect("a number"));
        let write = fresh(set(&[("price", price), ("qty", 3.into())]));
        assert!(holds(
            "op.set.price * 1.1 > 26.0 && op.set.price > 20 && double(op.set.qty) * 1.1 < 4.0",
            &write
        ));
        assert!(holds("op.set.qty % 2 == 1 && op.set.qty / 2 == 1", &write));
    }
}

#[test]
fn a_rule_that_fails_does_not_match() {
    let write = fresh(set(&[("name", "b".into())]));
    for when in [
        "op.set.price > 1",
        "server.name > 1",
        "server.name + 1 == 'a1'",
        "server.qty / 0 == 1",
        "9223372036854775807 + server.qty > 0",
        "server.qty",
        "'true'",
        "!server.name",
        "int('x') == 1",
        "server.qty * 1.5 > 0.0",
        "has(server.a.b)",
    ] {
        let ty = ruled(&[(when, Verdict::Veto("no".to_owned())), ("true", Verdict::Take(Take::Lww))]);
        let want = Judgement { ruling: Ruling::Lww, rule: Some(1) };
        assert_eq!(judge(&ty, Some(&record()), &write), Some(want), "{when}");
    }
}

/// What a field cannot hold is not computed, and neither is what breaks the schema.
#[test]
fn a_rule_computes_what_its_type_allows() {
    let write = fresh(set(&[("name", "b".into())]));
    let computed = |name: &str, source: &str| {
        let (when, verdict) = computing("true", &[(name, source)]);
        judge(&ruled(&[(&when, verdict)]), Some(&record()), &write).map(|judged| match judged.ruling {
            Ruling::Compute(mut values) => values.remove(&field(name)).expect("it was computed"),
            other => panic!("{other:?}"),
        })
    };
    let number = |text: &str| Some(Value::Number(Decimal::parse(text).expect("a number")));
    for (name, source, want) in [
        ("qty", "server.qty + 1", number("96")),
        ("qty", "96.0", number("96")),
        ("qty", "96.5", None),
        ("qty", "'many'", None),
        ("a", "0.1 + 0.2", number("0.30000000000000004")),
        ("a", "1e-7", number("1e-7")),
        ("a", "1.0 / 0.0", None),
        ("a", "18446744073709551615u", number("18446744073709551615")),
        ("a", "null", Some(Value::Null)),
        ("a", "server.name + '!'", Some("a!".into())),
        ("a", "[1, 'x']", Some(Value::List(vec![1.into(), "x".into()]))),
        ("a", "{'k': true}", Some(Value::Map([("k".to_owned(), Value::Bool(true))].into()))),
        ("a", "{1: 2}", None),
        ("a", "b'bytes'", None),
        ("a", "server.missing", None),
    ] {
        assert_eq!(computed(name, source), want, "{source}");
    }
}

/// Whoever sends more than rules look at does not get past them.
#[test]
fn what_is_too_large_to_judge_goes_to_people() {
    let ty = ruled(&[("size(op.set.name) > 100", Verdict::Take(Take::Client))]);
    let judged = |text: &str| judge(&ty, Some(&record()), &fresh(set(&[("name", text.into())])));
    let small = "x".repeat(60_000);
    assert_eq!(judged(&small), Some(Judgement { ruling: Ruling::Client, rule: Some(0) }));
    let large = "x".repeat(66_000);
    assert_eq!(judged(&large), Some(Judgement { ruling: Ruling::Escalate, rule: None }));
    // Nor do rules make more than they look at.
    let (when, verdict) = computing("true", &[("name", "op.set.name + op.set.name")]);
    let ty = ruled(&[(&when, verdict)]);
    assert_eq!(judge(&ty, Some(&record()), &fresh(set(&[("name", small.as_str().into())]))), None);
}

#[test]
fn rules_are_about_records_that_live() {
    let ty = ruled(&[("true", Verdict::Escalate)]);
    let create = fresh(Action::Create(values(&[])));
    assert_eq!(judge(&ty, None, &create), None);
    assert_eq!(judge(&ty, Some(&tombstone()), &create), None);
    assert_eq!(judge(&ty, Some(&record()), &fresh(Action::Noop)), None);
    assert!(judge(&ty, Some(&record()), &create).is_some());
}

/// Lists within lists, one more with each op, would end in a value that nothing can read.
#[test]
fn what_is_computed_does_not_nest_for_ever() {
    let (when, verdict) = computing("true", &[("a", "[server.a]")]);
    let ty = ruled(&[(&when, verdict)]);
    let mut record = record();
    let slot = record.fields[&field("name")].clone();
    record.fields.insert(field("a"), slot);
    let mut rounds = 0;
    while let Some(Judgement { ruling: Ruling::Compute(values), .. }) =
        judge(&ty, Some(&record), &fresh(set(&[])))
    {
        record.fields.get_mut(&field("a")).expect("it is there").value = values.get(&field("a")).cloned();
        rounds += 1;
    }
    assert_eq!(rounds, 64);
}

/// Pieces of expressions, put together at random: most of it is nonsense, some of it is deep.
fn source() -> impl Strategy<Value = String> {
    let pieces = [
        "op", "server", ".set", ".qty", ".a", "now_ms", "fresh", "'x'", "\"", "1", "-1", "2.5", "1u", "null",
        "(", ")", "[", "]", "{", "}", ":", ",", "?", "!", "-", "+", "*", "/", "%", "==", "<", "&&", "||",
        " in ", "has(", "size(", "int(", "string(", ".all(x, ", ".map(x, ", "\\", "\n", "//", "`", "ü", "\0",
        ".", "b'", "r'", "1e999",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..60)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_source_does_harm(source in source(), times in 1_usize..200) {
        let write = fresh(set(&[("qty", 3.into())]));
        for source in [source.clone(), source.repeat(times)] {
            let ty = ruled(&[(source.as_str(), Verdict::Escalate)]);
            if let Ok(rules) = Ruleset::compile(&ty) {
                let (actors, record) = (usual_actors(), record());
                let hearing =
                    Hearing { ty: &ty, actors: &actors, record: Some(&record), op: &write, now: WallMs(50) };
                prop_assert_eq!(rules.judge(&hearing), rules.judge(&hearing));
            }
        }
    }
}

/// The maps that rules see have no order that shows.
#[test]
fn a_judgement_is_the_same_each_time() {
    let names: BTreeMap<String, Value> = (0..20).map(|n| (format!("f{n}"), n.into())).collect();
    let (when, verdict) = computing("true", &[("a", "op.set"), ("b", "string(size(op.set))")]);
    let ty = ruled(&[(&when, verdict)]);
    let write = fresh(Action::Update {
        set: names.iter().map(|(name, value)| (field(name), value.clone())).collect(),
        unset: Default::default(),
    });
    let first = judge(&ty, Some(&record()), &write);
    assert!(first.is_some());
    for _ in 0..20 {
        assert_eq!(judge(&ty, Some(&record()), &write), first);
    }
}
