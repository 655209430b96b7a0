//! Types as operators write them.

use proptest::prelude::*;
use syncline_core::entity::bucket::BucketTemplate;
use syncline_core::entity::{
    Bounds, Decimal, DeleteUpdate, EntityType, Fallback, Field, FieldKind, FieldRule, Handler, OnDelete,
    Policy, Reference, Rule, Secret, Take, TypeError, TypeForm, TypeName, Verdict,
};

use super::support::{POLICIES, entity_type, field};

fn name() -> TypeName {
    entity_type(Policy::Lww).name
}

fn read(json: &str) -> Result<EntityType, String> {
    let form: TypeForm = serde_json::from_slice(json.as_bytes()).map_err(|error| error.to_string())?;
    form.named(name()).map_err(|error| error.to_string())
}

const JSON: &str = r#"{
    "policy": "field_merge", "closed": true, "fallback": "manual", "delete_update": "keep", "coalesce": false,
    "consistent": true, "client_create": true, "tombstone_ttl": "36h", "deadline": "2h", "schema_v": 3, "min_schema": 2, "max_schema": 4,
    "fields": {
        "qty": {"type": "integer", "rule": "additive", "bounds": {"min": 0}},
        "price": {"type": "number", "bounds": {"min": 0.01, "max": "12345678901234567890.5"}, "sensitive": true},
        "territory": {"type": "text"}, "product": {}
    },
    "refs": [{"field": "product", "type": "product", "on_delete": "restrict"}],
    "buckets": ["territory:{territory}"],
    "handler": {"url": "https://erp.example/push", "timeout_ms": 2000, "secret": "s3cret"}
}"#;

const TOML: &str = r#"
policy = "field_merge"
closed = true
fallback = "manual"
delete_update = "keep"
coalesce = false
consistent = true
client_create = true
tombstone_ttl = 129600000
deadline = 7200000
buckets = ["territory:{territory}"]
schema_v = 3
min_schema = 2
max_schema = 4

[handler]
url = "https://erp.example/push"
timeout_ms = 2000
secret = "s3cret"

[fields]
qty = { type = "integer", rule = "additive", bounds = { min = 0 } }
price = { type = "number", bounds = { min = 0.01, max = "12345678901234567890.5" }, sensitive = true }
territory = { type = "text" }
product = {}

[[refs]]
field = "product"
type = "product"
on_delete = "restrict"
"#;

fn full() -> EntityType {
    let decimal = |text| Some(Decimal::parse(text).expect("a number"));
    let qty = Field {
        kind: Some(FieldKind::Integer),
        rule: Some(FieldRule::Additive),
        bounds: Bounds { min: decimal("0"), max: None },
        sensitive: false,
    };
    let price = Field {
        kind: Some(FieldKind::Number),
        bounds: Bounds { min: decimal("0.01"), max: decimal("12345678901234567890.5") },
        sensitive: true,
        ..Field::default()
    };
    let territory = Field { kind: Some(FieldKind::Text), ..Field::default() };
    let fields = [("qty", qty), ("price", price), ("territory", territory), ("product", Field::default())];
    EntityType {
        closed: true,
        fallback: Some(Fallback::Manual),
        delete_update: DeleteUpdate::Keep,
        coalesce: false,
        consistent: true,
        client_create: true,
        tombstone_ttl_ms: Some(36 * 3_600_000),
        deadline_ms: Some(2 * 3_600_000),
        schema_v: 3,
        min_schema: Some(2),
        max_schema: Some(4),
        fields: Some(fields.map(|(name, declared)| (field(name), declared)).into()),
        refs: vec![Reference {
            field: field("product"),
            target: TypeName::new("product").expect("a name"),
            on_delete: OnDelete::Restrict,
        }],
        buckets: vec![BucketTemplate::parse("territory:{territory}").expect("a template")],
        handler: Some(Handler {
            url: "https://erp.example/push".to_owned(),
            timeout_ms: Some(2_000),
            secret: Some(Secret::new("s3cret".to_owned())),
        }),
        ..entity_type(Policy::FieldMerge)
    }
}

#[test]
fn json_and_toml_say_the_same() {
    assert_eq!(read(JSON), Ok(full()));
    let form: TypeForm = toml::from_str(TOML).expect("a form");
    assert_eq!(form.named(name()), Ok(full()));
    let written = toml::to_string(&TypeForm::from(full())).expect("it is written");
    let form: TypeForm = toml::from_str(&written).expect("and read");
    assert_eq!(form.named(name()), Ok(full()));
}

#[test]
fn the_smallest_type_is_a_policy() {
    for (word, policy) in POLICIES {
        let json = format!(r#"{{"policy":"{word}"}}"#);
        let ty = read(&json).expect("a type");
        assert_eq!(ty, entity_type(policy));
        assert_eq!(serde_json::to_string(&TypeForm::from(ty.clone())).expect("it is written"), json);
    }
}

/// Whoever mistypes a setting must learn which one it was.
#[test]
fn what_is_not_known_is_named() {
    for (json, hint) in [
        (r#"{"policy":"lww","tombstone_tll":"9d"}"#, "tombstone_tll"),
        (r#"{"policy":"lwww"}"#, "lwww"),
        (r#"{}"#, "policy"),
        (r#"{"policy":"lww","name":"x"}"#, "name"),
        (r#"{"policy":"lww","fields":{"a":{"kind":"text"}}}"#, "kind"),
        (r#"{"policy":"lww","fields":{"a":{"type":"string"}}}"#, "string"),
        (r#"{"policy":"lww","fields":{"a":{"bounds":{"least":1}}}}"#, "least"),
        (r#"{"policy":"lww","fields":{"a\u0007":{}}}"#, "character"),
        (r#"{"policy":"lww","refs":[{"field":"a","type":"b","delete":"keep"}]}"#, "delete"),
        (r#"{"policy":"lww","refs":[{"field":"a","type":"b:c"}]}"#, "character"),
        (r#"{"policy":"lww","handler":{"url":"http://x","timeout":1}}"#, "timeout"),
        (r#"{"policy":"lww","handler":{"url":"ftp://x"}}"#, "http"),
        (r#"{"policy":"lww","buckets":["{x}"]}"#, "{x}"),
        (r#"{"policy":"lww","tombstone_ttl":"9 weeks"}"#, "9 weeks"),
        (r#"{"policy":"lww","tombstone_ttl":-1}"#, "-1"),
        (r#"{"policy":"lww","tombstone_ttl":"999999999999999d"}"#, "999999999999999d"),
        (r#"{"policy":"lww","fields":{"a":{"bounds":{"min":"one"}}}}"#, "one"),
        (r#"{"policy":"rules","rules":[{"when":"true","take":"mine"}]}"#, "mine"),
        (r#"{"policy":"rules","rules":[{"when":"true"}]}"#, "exactly one"),
        (r#"{"policy":"rules","rules":[{"when":"true","escalate":false}]}"#, "exactly one"),
        (r#"{"policy":"rules","rules":[{"when":"true","escalate":true,"veto":"no"}]}"#, "exactly one"),
        (r#"{"policy":"lww","rules":[{"when":"true","escalate":true}]}"#, "rules"),
    ] {
        let error = read(json).expect_err(json);
        assert!(error.contains(hint), "{json}: {error}");
    }
}

#[test]
fn durations_have_units() {
    for (written, ms, again) in [
        ("90", 90, "\"90ms\""),
        ("\"90d\"", 7_776_000_000, "\"90d\""),
        ("7776000000", 7_776_000_000, "\"90d\""),
        ("\"25h\"", 90_000_000, "\"25h\""),
        ("\"1500ms\"", 1_500, "\"1500ms\""),
        ("\"60s\"", 60_000, "\"1m\""),
        ("0", 0, "\"0d\""),
    ] {
        let ty = read(&format!(r#"{{"policy":"lww","tombstone_ttl":{written}}}"#)).expect("a type");
        assert_eq!(ty.tombstone_ttl_ms, Some(ms), "{written}");
        let shown = serde_json::to_string(&TypeForm::from(ty.clone())).expect("it is written");
        assert_eq!(shown, format!(r#"{{"policy":"lww","tombstone_ttl":{again}}}"#));
    }
}

#[test]
fn secrets_are_not_shown() {
    let ty = full();
    let form = TypeForm::from(ty.clone());
    assert!(!format!("{ty:?} {form:?}").contains("s3cret"));
    let shown = serde_json::to_string(&TypeForm::from(ty.without_secret())).expect("it is written");
    assert!(!shown.contains("s3cret") && shown.contains("erp.example"));
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Escalate),
        Just(Verdict::Take(Take::Server)),
        Just(Verdict::Take(Take::Client)),
        Just(Verdict::Take(Take::Lww)),
        ".{0,5}".prop_map(Verdict::Veto),
        proptest::collection::btree_map("[a-z]{1,3}".prop_map(|name| field(&name)), ".{0,5}", 0..3)
            .prop_map(Verdict::Compute),
    ]
}

prop_compose! {
    fn declared()(
        kind in proptest::option::of(proptest::sample::select(&[FieldKind::Integer, FieldKind::Number][..])),
        rule in proptest::option::of(proptest::sample::select(&[FieldRule::Lww, FieldRule::Max, FieldRule::Manual][..])),
        min in proptest::option::of((any::<i64>(), -30_i32..30)),
        sensitive in any::<bool>(),
    ) -> Field {
        let min = min.and_then(|(digits, power)| Decimal::from_parts(digits.into(), power));
        Field { kind, rule, bounds: Bounds { min, max: None }, sensitive }
    }
}

prop_compose! {
    fn types()(
        policy in proptest::sample::select(POLICIES.map(|(_, policy)| policy).to_vec()),
        fields in proptest::option::of(
            proptest::collection::btree_map("[a-z ü]{1,4}".prop_map(|name| field(&name)), declared(), 0..4)),
        flags in any::<[bool; 5]>(),
        fallback in proptest::option::of(proptest::sample::select(&[Fallback::Server, Fallback::Lww][..])),
        ttl in proptest::option::of(any::<u64>()),
        versions in (1_u32..9, proptest::option::of(0_u32..1), proptest::option::of(9_u32..20)),
        rules in proptest::collection::vec((".{0,9}", verdict()), 0..3),
        secret in proptest::option::of(".{0,3}"),
    ) -> EntityType {
        let [closed, coalesce, consistent, client_create, has_handler] = flags;
        let rules = rules.into_iter().map(|(when, verdict)| Rule { when, verdict });
        let secret = secret.map(Secret::new);
        EntityType {
            closed: closed && fields.is_some(),
            whole: policy == Policy::Lww && consistent,
            fields,
            fallback,
            coalesce,
            consistent,
            client_create,
            tombstone_ttl_ms: ttl,
            schema_v: versions.0,
            min_schema: versions.1,
            max_schema: versions.2,
            rules: if policy == Policy::Rules { rules.collect() } else { Vec::new() },
            handler: has_handler.then(|| Handler { url: "http://x/y".to_owned(), timeout_ms: None, secret }),
            ..entity_type(policy)
        }
    }
}

proptest! {
    /// A type comes back from its JSON as it was, and the JSON from the type.
    #[test]
    fn types_come_and_go(ty in types()) {
        let json = serde_json::to_string(&TypeForm::from(ty.clone())).expect("it is written");
        let form: TypeForm = serde_json::from_str(&json).expect("and read");
        let again: Result<EntityType, TypeError> = form.named(name());
        prop_assert_eq!(&again, &Ok(ty));
        let again = again.expect("it was compared");
        prop_assert_eq!(serde_json::to_string(&TypeForm::from(again)).expect("it is written"), json);
    }
}
