//! What the rules of a type say is done.

use syncline_core::entity::{Op, Ruling};

use super::support::*;
use super::*;

/// Rules that go by the value of an op.
fn ruling(_: &EntityType, record: &Record, op: &Op) -> Option<Ruling> {
    assert!(!record.deleted);
    let values = op.action.values()?;
    match values.get(&field())?.number()? {
        number if number == 0.into() => Some(Ruling::Veto),
        number if number == 1.into() => Some(Ruling::Server),
        number if number == 2.into() => Some(Ruling::Client),
        number if number == 3.into() => Some(Ruling::Compute(values.clone())),
        number if number == 4.into() => Some(Ruling::Escalate),
        _ => None,
    }
}

#[test]
fn a_ruling_is_honoured() {
    let types = vec![a_type("ruled", Policy::Rules), a_type("text", Policy::Lww)];
    let settings = Settings { ruling: Some(ruling), ..Settings::default() };
    let mut bench = Bench::new(types, settings);
    assert_eq!(bench.words("d1", &[create(1, "ruled/a", &[("v", 9.into())])]), ["applied"]);
    let want = ["validation-failed", "superseded", "applied", "merged", "conflict", "conflict"];
    for (n, want) in (1..).zip(want) {
        let value = n as i64 - 1;
        let told = bench.words("d2", &[update(n, "ruled/a", &[("v", value.into())])]);
        assert_eq!(told, [want], "{value}");
    }
    bench.words("d1", &[create(2, "text/a", &[("v", 9.into())])]);
    assert_eq!(bench.words("d2", &[update(7, "text/a", &[("v", 0.into())])]), ["applied"], "it has no rules");
}
