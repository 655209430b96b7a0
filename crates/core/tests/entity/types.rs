//! Types: what may be declared, and changed; and what values their fields take.

use syncline_core::entity::bucket::BucketTemplate;
use syncline_core::entity::{
    Action, Bounds, EntityType, Fault, Field, FieldKind, FieldRule, Handler, OnDelete, Outcome, Policy,
    Reference, RefusalCode, Rule, TypeError, TypeName, Value, Verdict,
};

use super::support::{ANN, World, add, entity_type, field, op, record, set, stamp, usual_actors, values};

fn with_field(ty: EntityType, name: &str, kind: Option<FieldKind>, rule: Option<FieldRule>) -> EntityType {
    let mut fields = ty.fields.unwrap_or_default();
    fields.insert(field(name), Field { kind, rule, ..Field::default() });
    EntityType { fields: Some(fields), ..ty }
}

fn bounded(min: Option<i64>, max: Option<i64>) -> Field {
    Field { bounds: Bounds { min: min.map(Into::into), max: max.map(Into::into) }, ..Field::default() }
}

#[test]
fn a_type_must_mean_something() {
    use FieldKind::{Integer, List, Text};
    let merge = || entity_type(Policy::FieldMerge);
    let fault = Err(TypeError::RuleKind { field: field("f") });
    for (kind, rule, want) in [
        (None, None, Ok(())),
        (Some(Integer), Some(FieldRule::Additive), Ok(())),
        (Some(Text), Some(FieldRule::Additive), fault.clone()),
        (Some(List), Some(FieldRule::SetUnion), Ok(())),
        (Some(Text), Some(FieldRule::ListById), fault),
    ] {
        assert_eq!(with_field(merge(), "f", kind, rule).check(), want);
    }
    assert_eq!(EntityType { whole: true, ..merge() }.check(), Err(TypeError::Whole));
    assert_eq!(EntityType { closed: true, ..merge() }.check(), Err(TypeError::ClosedWithoutFields));
    let empty = EntityType { fields: Some([(field("f"), bounded(Some(2), Some(1)))].into()), ..merge() };
    assert_eq!(empty.check(), Err(TypeError::Bounds { field: field("f") }));
}

fn reference(name: &str, target: &str) -> Reference {
    let target = TypeName::new(target).expect("a name");
    Reference { field: field(name), target, on_delete: OnDelete::Keep }
}

#[test]
fn settings_go_together() {
    let plain = || entity_type(Policy::Lww);
    let rules = |count| vec![Rule { when: "true".to_owned(), verdict: Verdict::Escalate }; count];
    let buckets = |count| vec![BucketTemplate::parse("a:{b}").expect("a template"); count];
    let handled = |url: &str, timeout_ms| EntityType {
        handler: Some(Handler { url: url.to_owned(), timeout_ms, secret: None }),
        ..plain()
    };
    let suggested = |url: &str| EntityType {
        suggest: Some(Handler { url: url.to_owned(), timeout_ms: None, secret: None }),
        ..plain()
    };
    let by_rules = |count| EntityType { rules: rules(count), ..entity_type(Policy::Rules) };
    let closed = EntityType { closed: true, ..with_field(plain(), "n", Some(FieldKind::Number), None) };
    let referring = |ty: EntityType, names: &[&str]| {
        let refs = names.iter().map(|name| reference(name, "product")).collect();
        EntityType { refs, ..ty }
    };
    let no_ref = |name| Err(TypeError::Reference { field: field(name) });
    let unique = |ty: EntityType, lists: &[&[&str]]| {
        let unique = lists.iter().map(|names| names.iter().map(|name| field(name)).collect()).collect();
        EntityType { unique, ..ty }
    };
    let not_unique = |at| Err(TypeError::Unique { at });
    let nine = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let tags = with_field(entity_type(Policy::FieldMerge), "a", None, Some(FieldRule::SetUnion));
    let versions = |min_schema, max_schema| EntityType { schema_v: 3, min_schema, max_schema, ..plain() };
    let too_many = |what, got, max| Err(TypeError::TooMany { what, got, max });
    for (ty, want) in [
        (by_rules(32), Ok(())),
        (by_rules(33), too_many("rules", 33, 32)),
        (EntityType { rules: rules(1), ..plain() }, Err(TypeError::Rules)),
        (EntityType { buckets: buckets(16), ..plain() }, Ok(())),
        (EntityType { buckets: buckets(17), ..plain() }, too_many("buckets", 17, 16)),
        (handled("https://erp.example:8080/push?x=a@b", Some(30_000)), Ok(())),
        (handled("http://x", None), Ok(())),
        (handled("https://user:word@erp.example/", None), Err(TypeError::HandlerUrl)),
        (handled("https:///push", None), Err(TypeError::HandlerUrl)),
        (handled("http://x y", None), Err(TypeError::HandlerUrl)),
        (handled("file://x", None), Err(TypeError::HandlerUrl)),
        (handled("http://x", Some(0)), Err(TypeError::HandlerTimeout { got: 0, max: 30_000 })),
        (suggested("http://x"), Ok(())),
        (suggested("x"), Err(TypeError::HandlerUrl)),
        (handled("http://x", Some(30_001)), Err(TypeError::HandlerTimeout { got: 30_001, max: 30_000 })),
        (referring(plain(), &["a", "b"]), Ok(())),
        (referring(plain(), &["a", "a"]), no_ref("a")),
        (unique(plain(), &[&["a"], &["a", "b"]]), Ok(())),
        (unique(plain(), &[&["a"], &["b", "b"]]), not_unique(1)),
        (unique(plain(), &[&[]]), not_unique(0)),
        (unique(plain(), &[&nine[..8]]), Ok(())),
        (unique(plain(), &[&nine]), not_unique(0)),
        (unique(plain(), &[&["a"][..]; 17]), too_many("unique", 17, 16)),
        (unique(closed.clone(), &[&["n"]]), Ok(())),
        (unique(closed.clone(), &[&["a"]]), not_unique(0)),
        (unique(tags, &[&["a"]]), not_unique(0)),
        (unique(entity_type(Policy::Additive), &[&["a"]]), not_unique(0)),
        (referring(closed.clone(), &["a"]), no_ref("a")),
        (referring(closed, &["n"]), no_ref("n")),
        (versions(Some(3), Some(3)), Ok(())),
        (versions(Some(4), None), Err(TypeError::SchemaRange)),
        (versions(None, Some(2)), Err(TypeError::SchemaRange)),
    ] {
        assert_eq!(ty.check(), want, "{ty:?}");
    }
}

#[test]
fn a_change_of_a_type_leaves_what_records_mean() {
    let old = with_field(entity_type(Policy::FieldMerge), "f", Some(FieldKind::Number), Some(FieldRule::Max));
    let closed = EntityType { closed: true, ..old.clone() };
    let check = |old: &EntityType, next: &EntityType, want: Option<&str>| {
        let want = want.map_or(Ok(()), |what| Err(TypeError::Incompatible { what: what.into() }));
        assert_eq!(old.check_change(next), want);
    };
    check(&old, &old, None);
    check(&old, &with_field(old.clone(), "g", Some(FieldKind::Text), None), None);
    check(&old, &with_field(old.clone(), "g", None, Some(FieldRule::Max)), Some("g"));
    check(&closed, &with_field(closed.clone(), "g", None, Some(FieldRule::Max)), None);
    check(&old, &with_field(old.clone(), "f", Some(FieldKind::Number), Some(FieldRule::Min)), Some("f"));
    check(&old, &with_field(old.clone(), "f", Some(FieldKind::Integer), Some(FieldRule::Max)), Some("f"));
    check(&old, &EntityType { fields: None, ..old.clone() }, Some("f"));
    check(&old, &EntityType { policy: Policy::Lww, ..old.clone() }, Some("policy"));
    check(&old, &closed, Some("closed"));
    check(&closed, &old, None);
    check(&entity_type(Policy::Lww), &EntityType { whole: true, ..entity_type(Policy::Lww) }, Some("whole"));
    let referring = |target| EntityType { refs: vec![reference("r", target)], ..old.clone() };
    check(&old, &referring("a"), None);
    check(&referring("a"), &old, None);
    check(&referring("a"), &referring("b"), Some("r"));
    check(&EntityType { schema_v: 2, ..old.clone() }, &old, Some("schema_v"));
    check(
        &old,
        &EntityType { schema_v: 2, tombstone_ttl_ms: Some(1), min_schema: Some(2), ..old.clone() },
        None,
    );
    let ruled = EntityType {
        rules: vec![Rule { when: "fresh".to_owned(), verdict: Verdict::Escalate }],
        ..entity_type(Policy::Rules)
    };
    check(&ruled, &entity_type(Policy::Rules), None);
    let sums = entity_type(Policy::Additive);
    check(&sums, &with_field(sums.clone(), "f", None, Some(FieldRule::Additive)), Some("fields"));
}

/// An op that breaks the schema has no effect at all, whatever the policy; the fault names the field.
#[test]
fn what_breaks_the_schema_is_refused_whole() {
    let actors = usual_actors();
    let mut fields = std::collections::BTreeMap::new();
    fields.insert(field("qty"), Field { rule: Some(FieldRule::Additive), ..bounded(Some(0), Some(120)) });
    fields.insert(field("price"), bounded(Some(1), None));
    fields.insert(field("name"), Field { kind: Some(FieldKind::Text), ..Field::default() });
    let ids = Field { rule: Some(FieldRule::ListById), ..Field::default() };
    fields.insert(field("lines"), ids);
    let ty = EntityType { fields: Some(fields), closed: true, ..entity_type(Policy::FieldMerge) };
    let item = Value::Map([("id".to_owned(), 1.into())].into());
    let twice = Value::List(vec![item.clone(), item]);
    let wide = Value::Number(syncline_core::entity::Decimal::parse("1e20").expect("a number"));
    for (action, name, fault) in [
        (add("qty", -96), "qty", Fault::Min { min: 0.into() }),
        (add("qty", 26), "qty", Fault::Max { max: 120.into() }),
        (set(&[("qty", 121.into())]), "qty", Fault::Max { max: 120.into() }),
        (set(&[("qty", wide)]), "qty", Fault::NotCounted),
        (set(&[("qty", "many".into())]), "qty", Fault::NotCounted),
        (add("name", 1), "name", Fault::NotCounted),
        (set(&[("price", 0.into()), ("name", "b".into())]), "price", Fault::Min { min: 1.into() }),
        (set(&[("name", 7.into())]), "name", Fault::Kind { kind: FieldKind::Text }),
        (set(&[("colour", "red".into())]), "colour", Fault::Undeclared),
        (set(&[("lines", twice)]), "lines", Fault::ItemId),
        (
            Action::Update { set: values(&[("name", "b".into())]), unset: [field("name")].into() },
            "name",
            Fault::Twice,
        ),
    ] {
        let mut world = World::new(&ty, &actors, Some(record()));
        let decision = world.push(&op(stamp(ANN, 2, 30), &[(ANN, 1), (super::support::BOB, 1)], action));
        let Outcome::Rejected(refusal) = decision.outcome else { panic!("{:?}", decision.outcome) };
        assert_eq!(refusal.code, RefusalCode::ValidationFailed);
        let faults: Vec<_> =
            refusal.faults.iter().map(|found| (found.field.as_str(), found.fault.clone())).collect();
        assert_eq!(faults, [(name, fault)]);
        assert_eq!(world.record, Some(record()));
    }
}

#[test]
fn each_kind_of_field_holds_its_values() {
    use FieldKind::{Bool, Integer, List, Map, Number, Text};
    let number = |text: &str| Value::Number(syncline_core::entity::Decimal::parse(text).expect("a number"));
    for (value, kinds) in [
        (Value::Null, &[Bool, Integer, Number, Text, List, Map][..]),
        (Value::Bool(true), &[Bool]),
        (number("2"), &[Integer, Number]),
        (number("2.5"), &[Number]),
        (Value::from("x"), &[Text]),
        (Value::List(Vec::new()), &[List]),
        (Value::Map(Default::default()), &[Map]),
    ] {
        let holding: Vec<_> =
            [Bool, Integer, Number, Text, List, Map].into_iter().filter(|kind| kind.holds(&value)).collect();
        assert_eq!(holding, kinds, "{value:?}");
    }
}
