//! Buckets: where a record lies, and what a scope reads; no two that differ have one name.

use std::collections::BTreeMap;

use proptest::prelude::*;
use syncline_core::entity::bucket::{Bucket, BucketTemplate, ScopeTemplate, TemplateError};
use syncline_core::entity::{Decimal, EntityType, Policy, TypeName, Value};

use super::support::{entity_type, values};

fn number(text: &str) -> Value {
    Value::Number(Decimal::parse(text).expect("a number"))
}

fn named(values: &[(&str, Value)]) -> BTreeMap<String, Value> {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn templates_are_read_or_refused() {
    for (template, want) in [
        ("territory:{territory}", Ok(())),
        ("a:b/c-{x}_{y}.z", Ok(())),
        ("a:", Ok(())),
        ("territory", Err(TemplateError::Start)),
        ("{territory}", Err(TemplateError::Start)),
        ("territory{x}:{y}", Err(TemplateError::Start)),
        ("a:{x}{y}", Err(TemplateError::Touching)),
        ("a:{x}b{y}", Err(TemplateError::Touching)),
        ("a:{x", Err(TemplateError::Placeholder)),
        ("a:{}", Err(TemplateError::Placeholder)),
        ("a:{x{y}}", Err(TemplateError::Placeholder)),
        ("a:x}", Err(TemplateError::Character)),
        ("a:100%", Err(TemplateError::Character)),
        ("", Err(TemplateError::Start)),
    ] {
        assert_eq!(BucketTemplate::parse(template).map(|_| ()), want, "{template}");
        assert_eq!(ScopeTemplate::parse(template).map(|_| ()), want, "{template}");
    }
    assert_eq!(BucketTemplate::parse("a:{claim.x}"), Err(TemplateError::Claim));
    assert!(ScopeTemplate::parse("a:{claim.x}").is_ok());
    let long = "a:".to_owned() + &"b".repeat(255);
    assert_eq!(BucketTemplate::parse(&long), Err(TemplateError::TooLong { bytes: 257, max: 256 }));
    assert!(BucketTemplate::parse(&long[..256]).is_ok());
}

#[test]
fn values_fill_templates() {
    let template = BucketTemplate::parse("territory:{t}").expect("a template");
    for (value, want) in [
        ("7".into(), Some("territory:7")),
        (7.into(), Some("territory:7")),
        (number("7.0"), Some("territory:7")),
        (number("70000"), Some("territory:70000")),
        (number("-7"), Some("territory:%2D7")),
        ("-7".into(), Some("territory:%2D7")),
        (Value::Bool(true), Some("territory:true")),
        ("".into(), Some("territory:")),
        ("a:b %".into(), Some("territory:a%3Ab%20%25")),
        ("ü".into(), Some("territory:%C3%BC")),
        (number("7.5"), None),
        (number("1e40"), None),
        (Value::Null, None),
        (Value::List(vec![7.into()]), None),
        (Value::from("x".repeat(247).as_str()), None),
    ] {
        let bucket = template.fill(&values(&[("t", value.clone())]));
        assert_eq!(bucket.as_ref().map(Bucket::as_str), want, "{value:?}");
    }
    assert!(template.fill(&values(&[("t", Value::from("x".repeat(246).as_str()))])).is_some());
    assert_eq!(template.fill(&values(&[("u", 7.into())])), None);
}

/// What a client asks for never stands in for what its token says.
#[test]
fn a_claim_is_not_a_parameter() {
    let template = ScopeTemplate::parse("territory:{claim.territory}").expect("a template");
    let asked = named(&[("territory", "8".into()), ("claim.territory", "8".into())]);
    assert_eq!(template.fill(&asked, &named(&[])), None);
    let bucket = template.fill(&asked, &named(&[("territory", 7.into())]));
    assert_eq!(bucket.as_ref().map(Bucket::as_str), Some("territory:7"));
    let open = ScopeTemplate::parse("territory:{territory}").expect("a template");
    let bucket = open.fill(&asked, &named(&[("territory", 7.into())]));
    assert_eq!(bucket.as_ref().map(Bucket::as_str), Some("territory:8"));
}

#[test]
fn a_record_lies_in_the_bucket_of_its_type_and_in_those_it_has_fields_for() {
    let template = |text| BucketTemplate::parse(text).expect("a template");
    let buckets = vec![template("territory:{t}"), template("crew:{crew}"), template("all:records")];
    let ty = EntityType { buckets, ..entity_type(Policy::Lww) };
    let found = ty.buckets_of(&values(&[("t", 7.into())]));
    let found: Vec<_> = found.iter().map(Bucket::as_str).collect();
    assert_eq!(found, ["all:records", "inventory", "territory:7"]);
}

/// Values that a client chooses, with all that could pass for a part of a template.
fn value() -> impl Strategy<Value = String> {
    "[ab:%/{}_.2F-]{0,5}"
}

proptest! {
    #[test]
    fn no_two_fillings_have_one_name(a in [value(), value()], b in [value(), value()], at in 0_usize..4) {
        let text = ["a:{x}:{y}", "a:{x}_{y}", "a:{x}/a:{y}", "a:{x}-b.{y}"][at];
        let template = ScopeTemplate::parse(text).expect("a template");
        let fill = |[x, y]: &[String; 2]| {
            template.fill(&named(&[("x", Value::Text(x.clone())), ("y", Value::Text(y.clone()))]), &named(&[]))
        };
        let (first, second) = (fill(&a).expect("short"), fill(&b).expect("short"));
        prop_assert_eq!(first == second, a == b);
        // Nor has one the name of a type.
        prop_assert!(TypeName::new(first.as_str()).is_err());
    }
}
