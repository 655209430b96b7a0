//! Records that come from an export.

use syncline_core::clock::HybridTime;
use syncline_core::entity::Values;

use super::support::*;
use super::*;

fn import(bench: &mut Bench, records: &[(&str, Option<Values>)]) -> Vec<String> {
    let records = records.iter().map(|(name, data)| Import {
        key: entity(name),
        data: data.clone(),
        hlc: HybridTime::from_bits(7),
        schema_v: 3,
    });
    let answer = bench.ask(|request| Input::Import { request, records: records.collect() });
    let Answer::Imported(imported) = answer else { panic!("{answer:?}") };
    let word = |it: &Imported| match it {
        Imported::Created => "created".to_owned(),
        Imported::Unchanged => "unchanged".to_owned(),
        Imported::Refused(refusal) => refusal.code.as_str().to_owned(),
    };
    imported.iter().map(word).collect()
}

/// What is not there is created, whatever its policy; what is there stays as it is, and no answer differs after a restart.
#[test]
fn an_import_creates_and_changes_nothing() {
    let policies =
        [("sum", Policy::Additive), ("log", Policy::AppendOnly), ("own", Policy::ServerAuthoritative)];
    let types = policies.map(|(name, policy)| a_type(name, policy)).into();
    let mut bench = Bench::new(types, Settings::default());
    let one = || values(&[("v", Value::Number(1.into()))]);
    let two = values(&[("v", Value::Number(2.into()))]);
    bench.words(
        "phone",
        &[create(1, "sum/there", &[("v", Value::Number(2.into()))]), create(2, "sum/gone", &[])],
    );
    bench.words("phone", &[op(3, "sum/gone", Action::Delete)]);
    let all = [
        ("sum/a", Some(one())),
        ("log/a", Some(one())),
        ("own/a", Some(one())),
        ("sum/a", Some(one())),
        ("sum/there", Some(two.clone())),
        ("sum/there", Some(one())),
        ("sum/there", None),
        ("sum/gone", None),
        ("sum/gone", Some(one())),
        ("sum/never", None),
        ("sum/tmp_1", Some(one())),
        ("none/a", Some(one())),
    ];
    let mut want = [
        "created",
        "created",
        "created",
        "unchanged",
        "unchanged",
        "already-written",
        "already-written",
        "unchanged",
        "entity-deleted",
        "unchanged",
        "validation-failed",
        "unknown-type",
    ];
    assert_eq!(import(&mut bench, &all), want);
    want[..3].fill("unchanged");
    for _ in 0..2 {
        let head = bench.ledger.head();
        assert_eq!(import(&mut bench, &all), want);
        assert_eq!((bench.ledger.head(), bench.data(&entity("sum/there"))), (head, Some(two.clone())));
        bench.crash();
    }
    assert_eq!(import(&mut bench, &[("log/b", Some(one()))]), ["created"]);
    let record = bench.ledger.record(&entity("log/b")).expect("it was created");
    assert_eq!((record.data(), record.schema_v, record.dot.counter), (one(), 3, 4));
    let is_result = |write: &Write| matches!(write, Write::Result(dot, _) if *dot == record.dot);
    assert!(!last_of_each(&bench.stored).iter().any(is_result), "results of imports are not kept");
}
