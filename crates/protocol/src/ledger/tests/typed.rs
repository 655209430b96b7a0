//! Types that are declared while the ledger runs.

use syncline_core::entity::{Field, FieldKind, TypeError};

use super::support::*;
use super::*;

fn with_field(name: &str) -> EntityType {
    let field = Field { kind: Some(FieldKind::Text), ..Field::default() };
    let fields = [(FieldName::new(name).expect("a name"), field)].into();
    EntityType { fields: Some(fields), ..a_type("note", Policy::Lww) }
}

fn load(given: EntityType, stored: &EntityType) -> Result<EntityType, LedgerLoadError> {
    let name = given.name.clone();
    let ledger = Ledger::load([given], Epoch(1), [Write::Type(Box::new(stored.clone()))])?;
    Ok(ledger.entity_type(&name).expect("it was given").clone())
}

#[test]
fn a_type_is_there_at_once_and_stays() {
    let mut bench = Bench::new(Vec::new(), Settings::default());
    assert_eq!(bench.words("d1", &[create(1, "note/a", &[])]), ["unknown-type"]);
    assert_eq!(bench.define(&a_type("note", Policy::Lww)), Answer::TypeDefined { is_new: true });
    assert_eq!(bench.define(&with_field("a")), Answer::TypeDefined { is_new: false });
    assert_eq!(bench.words("d1", &[create(2, "note/a", &[("a", "x".into())])]), ["applied"]);
    let incompatible = Answer::TypeRefused(TypeError::Incompatible { what: "policy".into() }.into());
    assert_eq!(bench.define(&a_type("note", Policy::Max)), incompatible);
    let wrong = EntityType { whole: true, ..a_type("other", Policy::Max) };
    assert_eq!(bench.define(&wrong), Answer::TypeRefused(TypeError::Whole.into()));
    let before = bench.stored.len();
    assert_eq!(bench.define(&with_field("a")), Answer::TypeDefined { is_new: false });
    assert_eq!(bench.stored.len(), before, "nothing is stored that was so before");
    bench.crash();
    assert_eq!(bench.ledger.types().collect::<Vec<_>>(), [&with_field("a")]);
}

/// What is given and what is stored agree if one could follow the other; then the later one counts.
#[test]
fn given_types_agree_with_stored_ones() {
    let (plain, extended) = (a_type("note", Policy::Lww), with_field("a"));
    assert_eq!(load(plain.clone(), &plain), Ok(plain.clone()));
    assert_eq!(load(extended.clone(), &plain), Ok(extended.clone()));
    assert_eq!(load(plain.clone(), &extended), Ok(extended.clone()), "it was extended while the ledger ran");
    let refused = |given: EntityType| load(given, &extended).expect_err("the two do not agree").to_string();
    assert_eq!(refused(a_type("note", Policy::Max)), "type `note` cannot be used");
    assert_eq!(refused(EntityType { whole: true, ..extended.clone() }), "type `note` cannot be used");
    let wrong = EntityType { whole: true, ..a_type("note", Policy::Max) };
    let error = LedgerLoadError::Type { name: wrong.name.clone(), error: TypeError::Whole.into() };
    assert_eq!(Ledger::load([wrong], Epoch(1), []).err(), Some(error));
}

/// A type that is given only in a file is stored, too: a later file that contradicts it is noticed.
#[test]
fn given_types_are_stored() {
    let mut bench = Bench::new(vec![a_type("note", Policy::Lww)], Settings::default());
    bench.send("d1", &[]);
    let stored = last_of_each(&bench.stored);
    assert!(Ledger::load([a_type("note", Policy::Max)], Epoch(1), stored).is_err());
}
