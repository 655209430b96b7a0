//! What operators would have rules say: types as they are written, ops, and what becomes of them.

use std::collections::BTreeMap;

use syncline_core::clock::{ReplicaId, VectorClock};
use syncline_core::entity::conflict::Draft;
use syncline_core::entity::{
    Action, Actors, Context, Decimal, Decision, EntityType, FieldName, Hearing, Judgement, Op, Outcome,
    Policy, Ruleset, TypeForm, Value, Values,
};
use syncline_core::time::WallMs;

use super::support::{ANN, BOB, CID, SERVER, World, actors, entity_type, field, stamp, usual_actors};

const NOW: WallMs = WallMs(1_000);

/// A record under the rules of its type.
struct Shop<'a> {
    world: World<'a>,
    rules: Ruleset,
    sent: BTreeMap<ReplicaId, u64>,
    kept: Vec<Draft>,
}

impl<'a> Shop<'a> {
    /// Begins with what the first actor created.
    fn new(ty: &'a EntityType, actors: &'a Actors, start: &str) -> Self {
        let rules = Ruleset::compile(ty).expect("the rules are compiled");
        let mut shop =
            Self { world: World::new(ty, actors, None), rules, sent: BTreeMap::new(), kept: Vec::new() };
        shop.push(ANN, VectorClock::new(), Action::Create(fields(start)));
        shop
    }

    fn push(&mut self, actor: ReplicaId, vv: VectorClock, action: Action) -> (Decision, Option<Judgement>) {
        let n = self.sent.entry(actor).or_default();
        *n += 1;
        let context = Context { vv, beyond: false };
        let op = Op { stamp: stamp(actor, *n, 20 + *n), context, action, was: BTreeMap::new() };
        let World { ty, actors, record, .. } = &self.world;
        let judged = self.rules.judge(&Hearing { ty, actors, record: record.as_ref(), op: &op, now: NOW });
        self.world.ruling = judged.as_ref().map(|judged| judged.ruling.clone());
        let decision = self.world.push(&op);
        self.kept.extend(decision.conflict.clone());
        (decision, judged)
    }
}

fn typed(toml: &str) -> EntityType {
    let form: TypeForm = toml::from_str(toml).expect("a form");
    form.named(entity_type(Policy::Lww).name).expect("a type")
}

fn value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(Decimal::parse(&number.to_string()).expect("a number")),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(members) => {
            Value::Map(members.iter().map(|(name, json)| (name.clone(), value(json))).collect())
        }
    }
}

fn fields(json: &str) -> Values {
    let members: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).expect(json);
    members.iter().map(|(name, json)| (field(name), value(json))).collect()
}

/// `-` deletes, `+{..}` adds, and all else sets.
fn action(write: &str) -> Action {
    if write == "-" {
        return Action::Delete;
    }
    let Some(amounts) = write.strip_prefix('+') else {
        return Action::Update { set: fields(write), unset: Default::default() };
    };
    let amounts = fields(amounts).into_iter();
    Action::Delta(amounts.map(|(name, value)| (name, value.number().expect("an amount"))).collect())
}

/// Each line: who writes (`!` if they saw only the creation), what, and the outcome with the rule that matched.
fn check(ty: &str, start: &str, story: &[(&str, &str, &str, &str)]) {
    let (ty, actors) = (typed(ty), usual_actors());
    let mut shop = Shop::new(&ty, &actors, start);
    for (who, write, outcome, data) in story {
        let is_late = who.ends_with('!');
        let actor = match who.trim_end_matches('!') {
            "ann" => ANN,
            "bob" => BOB,
            "cid" => CID,
            "srv" => SERVER,
            other => panic!("{other}?"),
        };
        let now = shop.world.record.as_ref().expect("it was created").vv.clone();
        let seen = if is_late { [(ANN, 1)].into_iter().collect() } else { now };
        let (decision, judged) = shop.push(actor, seen, action(write));
        let word = match &decision.outcome {
            Outcome::Applied => "applied",
            Outcome::Merged => "merged",
            Outcome::Superseded => "superseded",
            Outcome::Rejected(refusal) => refusal.code.as_str(),
            Outcome::Conflict => "conflict",
        };
        let rule = judged.and_then(|judged| judged.rule).map(|rule| format!(" by {}", rule + 1));
        assert_eq!(format!("{word}{}", rule.unwrap_or_default()), *outcome, "{who} {write}");
        assert_eq!(shop.world.data(), Some(fields(data)), "{who} {write}");
    }
}

#[test]
fn stock_is_never_negative() {
    let ty = r#"
        policy = "rules"
        fields = { qty = { type = "integer" } }
        [[rules]]
        when = "has(op.delta.qty) && server.qty + op.delta.qty < 0 || has(op.set.qty) && op.set.qty < 0"
        veto = "there is not so much in stock"
        [[rules]]
        when = "op.kind == 'delta'"
        take = "client""#;
    check(
        ty,
        r#"{"qty": 5}"#,
        &[
            ("bob", r#"+{"qty": -3}"#, "applied by 2", r#"{"qty": 2}"#),
            ("cid!", r#"+{"qty": -3}"#, "validation-failed by 1", r#"{"qty": 2}"#),
            ("cid!", r#"+{"qty": -2}"#, "merged by 2", r#"{"qty": 0}"#),
            ("cid", r#"{"qty": -1}"#, "validation-failed by 1", r#"{"qty": 0}"#),
            ("cid!", r#"{"qty": 7}"#, "conflict", r#"{"qty": 0}"#),
        ],
    );
}

/// What a rule puts before a person waits, even where its author saw all there was.
#[test]
fn an_increase_needs_approval() {
    let ty = r#"
        policy = "rules"
        fallback = "lww"
        [[rules]]
        when = "has(op.set.credit_limit) && op.set.credit_limit > server.credit_limit && !actor.startsWith('srv:')"
        escalate = true"#;
    check(
        ty,
        r#"{"credit_limit": 1000}"#,
        &[
            ("bob", r#"{"credit_limit": 900}"#, "applied", r#"{"credit_limit": 900}"#),
            ("bob", r#"{"credit_limit": 901.5}"#, "conflict by 1", r#"{"credit_limit": 900}"#),
            ("cid!", r#"{"credit_limit": 1500}"#, "conflict by 1", r#"{"credit_limit": 900}"#),
            ("srv", r#"{"credit_limit": 1500}"#, "applied", r#"{"credit_limit": 1500}"#),
        ],
    );
}

#[test]
fn a_change_of_more_than_a_tenth_needs_validation() {
    let ty = r#"
        policy = "rules"
        fallback = "lww"
        fields = { price = { type = "number" } }
        [[rules]]
        when = "has(op.set.price) && (op.set.price > server.price * 1.1 || op.set.price < server.price * 0.9)"
        escalate = true"#;
    check(
        ty,
        r#"{"name": "Bolt"}"#,
        &[
            // There is no price to compare with, so the rule does not match.
            ("bob", r#"{"price": 24}"#, "applied", r#"{"name": "Bolt", "price": 24}"#),
            ("bob", r#"{"price": 26.41}"#, "conflict by 1", r#"{"name": "Bolt", "price": 24}"#),
            ("bob", r#"{"price": 26.4}"#, "applied", r#"{"name": "Bolt", "price": 26.4}"#),
            ("cid!", r#"{"price": 23.70}"#, "conflict by 1", r#"{"name": "Bolt", "price": 26.4}"#),
            ("cid", r#"{"name": "Nut"}"#, "applied", r#"{"name": "Nut", "price": 26.4}"#),
        ],
    );
}

#[test]
fn a_physical_count_overrides_the_system() {
    let ty = r#"
        policy = "rules"
        [[rules]]
        when = "has(op.set.counted_by)"
        take = "client"
        [[rules]]
        when = "has(op.set.qty)"
        take = "server""#;
    check(
        ty,
        r#"{"qty": 100}"#,
        &[
            ("cid", r#"{"qty": 93}"#, "applied by 2", r#"{"qty": 93}"#),
            (
                "bob!",
                r#"{"qty": 91, "counted_by": "bob"}"#,
                "applied by 1",
                r#"{"qty": 91, "counted_by": "bob"}"#,
            ),
            ("cid!", r#"{"qty": 92}"#, "superseded by 2", r#"{"qty": 91, "counted_by": "bob"}"#),
        ],
    );
}

/// Rules compute with what both sides wrote. A result that breaks the bounds is none, and the next rule decides.
#[test]
fn a_rule_may_compute() {
    let ty = r#"
        policy = "rules"
        closed = true
        fields = { weight = { type = "number", bounds = { max = 100 } }, scales = { type = "list" } }
        [[rules]]
        when = "!fresh && has(op.set.weight)"
        compute = { weight = "server.weight + op.set.weight", scales = "server.scales + [actor]" }
        [[rules]]
        when = "!fresh"
        take = "lww""#;
    check(
        ty,
        r#"{"weight": 24, "scales": ["ann"]}"#,
        &[
            ("bob", r#"{"weight": 24.5}"#, "applied", r#"{"weight": 24.5, "scales": ["ann"]}"#),
            ("cid!", r#"{"weight": 24.10}"#, "merged by 1", r#"{"weight": 48.6, "scales": ["ann", "cid"]}"#),
            ("cid!", r#"{"weight": 60}"#, "applied by 2", r#"{"weight": 60, "scales": ["ann", "cid"]}"#),
        ],
    );
}

const PRICES: &str = r#"
    policy = "rules"
    fallback = "manual"

    [fields]
    price = { type = "number", bounds = { min = 0 } }
    promotion = { type = "map" }
    negotiated = { type = "map" }

    [[rules]]
    when = "has(op.set.promotion) && op.set.promotion.until_ms <= now_ms"
    veto = "the promotion is over"

    [[rules]]
    when = "has(op.set.price) && actor == 'erp'"
    take = "client"

    [[rules]]
    when = "has(op.set.price)"
    take = "server"

    [[rules]]
    when = "has(op.set.promotion) && actor.startsWith('web') || has(op.set.negotiated) && actor.startsWith('mobile')"
    take = "client"
"#;

fn numbers(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Number(number) => found.push(number.to_string()),
        Value::List(items) => items.iter().for_each(|item| numbers(item, found)),
        Value::Map(members) => members.values().for_each(|member| numbers(member, found)),
        Value::Null | Value::Bool(_) | Value::Text(_) => {}
    }
}

fn orders() -> Vec<[usize; 4]> {
    let all = (0..256).map(|code| [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6]);
    all.filter(|order| (0..4).all(|source| order.contains(&source))).collect()
}

/// Four sources price one product at once, none having seen another. Its standard price is the ERP's, whoever else writes one;
/// the promotion of the web shop and what a customer negotiated are tiers of their own. Every order of arrival ends with
/// the same record, and no price is lost.
#[test]
fn one_product_has_four_prices() {
    let ty = typed(PRICES);
    let actors = actors(["erp", "web-1", "mobile-7", "till-3"]);
    let wanted = fields(
        r#"{"name": "Bolt", "price": 25.00, "promotion": {"price": 22.50, "until_ms": 5000},
            "negotiated": {"customer": "c9", "price": 24.00}}"#,
    );
    assert_eq!(orders().len(), 24);
    for till in ["25.00", "25.10"] {
        let till_write = format!(r#"{{"price": {till}}}"#);
        let writes = [
            r#"{"price": 25.00}"#,
            r#"{"promotion": {"price": 22.50, "until_ms": 5000}}"#,
            r#"{"negotiated": {"customer": "c9", "price": 24.00}}"#,
            &till_write,
        ];
        for order in orders() {
            let mut shop = Shop::new(&ty, &actors, r#"{"name": "Bolt"}"#);
            for source in order {
                let seen = [(ANN, 1)].into_iter().collect();
                shop.push([ANN, BOB, CID, SERVER][source], seen, action(writes[source]));
            }
            let data = shop.world.data().expect("it lives");
            assert_eq!(data, wanted, "{order:?}");
            let wishes = shop.kept.iter().flat_map(|draft| &draft.candidates);
            let lost = wishes.filter_map(|candidate| candidate.wish.values()).flatten();
            let (mut kept, mut written) = (Vec::new(), Vec::new());
            data.iter().chain(lost).for_each(|(_, value)| numbers(value, &mut kept));
            let sets = writes.map(fields);
            sets.iter().flatten().for_each(|(_, value)| numbers(value, &mut written));
            assert!(written.iter().all(|price| kept.contains(price)), "{order:?}: {kept:?}");
            assert!(shop.kept.iter().all(|draft| !draft.open), "{order:?}");
        }
    }
}

#[test]
fn a_promotion_that_is_over_is_refused() {
    let (ty, actors) = (typed(PRICES), actors(["erp", "web-1", "mobile-7", "till-3"]));
    let mut shop = Shop::new(&ty, &actors, r#"{"name": "Bolt"}"#);
    for (until_ms, is_refused) in [(NOW.0, true), (NOW.0 + 1, false)] {
        let write = format!(r#"{{"promotion": {{"price": 22.50, "until_ms": {until_ms}}}}}"#);
        let seen = [(ANN, 1)].into_iter().collect();
        let (decision, judged) = shop.push(BOB, seen, action(&write));
        assert_eq!(matches!(decision.outcome, Outcome::Rejected(_)), is_refused);
        assert_eq!(judged.and_then(|judged| judged.rule), Some(if is_refused { 0 } else { 3 }));
    }
    let promotion: FieldName = field("promotion");
    assert!(shop.world.data().is_some_and(|data| data.contains_key(&promotion)));
}

/// The example of the documentation is one that an operator can copy.
#[test]
fn the_documented_rules_are_rules() {
    let text = include_str!("../../../../docs/sync-v1.md");
    let (_, rules) = text.split_once("\n## Rules\n").expect("there is a section about them");
    let (_, rest) = rules.split_once("```json").expect("there is an example");
    let (json, _) = rest.split_once("```").expect("it ends");
    let form: TypeForm = serde_json::from_str(json).expect("a form");
    let ty = form.named(entity_type(Policy::Lww).name).expect("a type");
    assert_eq!(ty.rules.len(), 4);
    let actors = usual_actors();
    let mut shop = Shop::new(&ty, &actors, r#"{"qty": 2, "price": 10}"#);
    for (write, rule) in [
        (r#"+{"qty": -3}"#, 0),
        (r#"{"price": 11.01}"#, 1),
        (r#"{"counted_by": "cid"}"#, 2),
        (r#"{"qty": 3}"#, 3),
    ] {
        let (_, judged) = shop.push(CID, VectorClock::new(), action(write));
        assert_eq!(judged.and_then(|judged| judged.rule), Some(rule), "{write}");
    }
}
