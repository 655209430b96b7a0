//! What a user would try.

use syncline_core::entity::{
    Action, Bounds, Decimal, EntityType, Field, FieldRule, Outcome, Policy, Ruling, Value,
};

use super::support::{
    ANN, BOB, CID, SERVER, World, add, entity_type, field, op, set, shown, stamp, usual_actors, values,
};

fn number(text: &str) -> Value {
    Value::Number(Decimal::parse(text).expect("a number"))
}

fn typed(policy: Policy, fields: &[(&str, FieldRule)]) -> EntityType {
    let fields =
        fields.iter().map(|&(name, rule)| (field(name), Field { rule: Some(rule), ..Field::default() }));
    EntityType { fields: Some(fields.collect()), ..entity_type(policy) }
}

/// Begins with what Ann created with her first op.
fn world<'a>(
    ty: &'a EntityType,
    actors: &'a syncline_core::entity::Actors,
    start: &[(&str, Value)],
) -> World<'a> {
    let mut world = World::new(ty, actors, None);
    world.push(&op(stamp(ANN, 1, 10), &[], Action::Create(values(start))));
    world
}

/// Two people count one shelf while offline; the later count stands, the other is kept.
#[test]
fn quantity_95_against_98() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::Lww));
    for order in [[0, 1], [1, 0]] {
        let counts = [
            op(stamp(BOB, 1, 20), &[(ANN, 1)], set(&[("qty", 95.into())])),
            op(stamp(CID, 1, 30), &[(ANN, 1)], set(&[("qty", 98.into())])),
        ];
        let mut world = world(&ty, &actors, &[("qty", 100.into())]);
        let kept = order.map(|at| world.push(&counts[at]).conflict.is_some());
        assert_eq!(world.value("qty"), Some(98.into()));
        assert_eq!(kept, [false, true]);
    }
}

#[test]
fn name_against_price() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::FieldMerge));
    let mut world = world(&ty, &actors, &[("name", "Bolt".into()), ("price", number("24.50"))]);
    world.push(&op(stamp(BOB, 1, 20), &[(ANN, 1)], set(&[("name", "Bolt M8".into())])));
    let decision = world.push(&op(stamp(CID, 1, 15), &[(ANN, 1)], set(&[("price", number("25.50"))])));
    assert_eq!((decision.outcome, decision.conflict), (Outcome::Merged, None));
    assert_eq!(world.data(), Some(values(&[("name", "Bolt M8".into()), ("price", number("25.5"))])));
}

/// 24.50 was set before 25.50, and arrives after it.
#[test]
fn an_earlier_price_does_not_replace_a_later_one() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::Lww));
    let mut world = world(&ty, &actors, &[("price", number("23"))]);
    world.push(&op(stamp(BOB, 1, 30), &[(ANN, 1)], set(&[("price", number("25.50"))])));
    let decision = world.push(&op(stamp(CID, 1, 20), &[(ANN, 1)], set(&[("price", number("24.50"))])));
    assert_eq!(decision.outcome, Outcome::Superseded);
    assert_eq!(world.value("price"), Some(number("25.5")));
}

/// Two deliveries of one article arrive at two gates.
#[test]
fn twenty_and_fifteen_are_thirty_five() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::Additive));
    let mut world = world(&ty, &actors, &[("qty", 0.into())]);
    world.push(&op(stamp(BOB, 1, 20), &[(ANN, 1)], add("qty", 20)));
    let decision = world.push(&op(stamp(CID, 1, 20), &[(ANN, 1)], add("qty", 15)));
    assert_eq!(decision.combined.get(&field("qty")), Some(&(FieldRule::Additive, 35.into())));
    assert_eq!(world.value("qty"), Some(35.into()));
}

#[test]
fn the_greater_reorder_point_stays() {
    let (actors, ty) = (usual_actors(), typed(Policy::FieldMerge, &[("reorder_point", FieldRule::Max)]));
    for order in [[50, 75], [75, 50]] {
        let mut world = world(&ty, &actors, &[("reorder_point", 40.into())]);
        for (actor, point) in [BOB, CID].into_iter().zip(order) {
            world.push(&op(stamp(actor, 1, 20), &[(ANN, 1)], set(&[("reorder_point", point.into())])));
        }
        assert_eq!(world.value("reorder_point"), Some(75.into()));
    }
}

/// Two tills sell more than there is: the second sale is refused, with the bound.
#[test]
fn stock_is_never_negative() {
    let actors = usual_actors();
    let bounds = Bounds { min: Some(0.into()), max: None };
    let stock = Field { rule: Some(FieldRule::Additive), bounds, ..Field::default() };
    let ty = EntityType { fields: Some([(field("qty"), stock)].into()), ..entity_type(Policy::Additive) };
    let mut world = world(&ty, &actors, &[("qty", 5.into())]);
    world.push(&op(stamp(BOB, 1, 20), &[(ANN, 1)], add("qty", -3)));
    let decision = world.push(&op(stamp(CID, 1, 20), &[(ANN, 1)], add("qty", -3)));
    assert_eq!(shown(&world, &decision), "validation-failed 2 -");
}

/// What a rule puts before a person waits, even where its author saw all there was.
#[test]
fn an_increase_that_needs_approval_waits() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::Rules));
    let mut world = world(&ty, &actors, &[("qty", 100.into())]);
    world.ruling = Some(Ruling::Escalate);
    let decision = world.push(&op(stamp(ANN, 2, 20), &[(ANN, 1)], set(&[("qty", 150.into())])));
    assert_eq!(shown(&world, &decision), "conflict 100 - open:op");
}

/// A count on site stands whatever the system thought: the server writes it, having seen what there is.
#[test]
fn a_physical_count_overrides_the_system() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::Additive));
    let mut world = world(&ty, &actors, &[("qty", 100.into())]);
    world.push(&op(stamp(BOB, 1, 20), &[(ANN, 1)], add("qty", -7)));
    let decision = world.push(&op(stamp(SERVER, 1, 30), &[(ANN, 1), (BOB, 1)], set(&[("qty", 91.into())])));
    assert_eq!(shown(&world, &decision), "applied 91 -");
    world.push(&op(stamp(CID, 1, 25), &[(ANN, 1)], add("qty", -1)));
    assert_eq!(world.value("qty"), Some(90.into()));
}

/// Lists of tags are united, and lines of an order merged by their ids.
#[test]
fn lists_are_merged() {
    let rules = [("tags", FieldRule::SetUnion), ("lines", FieldRule::ListById)];
    let (actors, ty) = (usual_actors(), typed(Policy::FieldMerge, &rules));
    let tags = |tags: &[&str]| Value::List(tags.iter().map(|&tag| tag.into()).collect());
    let line = |id: i64, pieces: i64| {
        Value::Map([("id".to_owned(), id.into()), ("pieces".to_owned(), pieces.into())].into())
    };
    let lines =
        |lines: &[(i64, i64)]| Value::List(lines.iter().map(|&(id, pieces)| line(id, pieces)).collect());
    let start = [("tags", tags(&["a"])), ("lines", lines(&[(1, 1), (2, 1)]))];
    let mut world = world(&ty, &actors, &start);
    let was = |own| super::support::with_was(own, &start);
    let bob = set(&[("tags", tags(&["a", "c"])), ("lines", lines(&[(1, 5), (2, 1)]))]);
    world.push(&was(op(stamp(BOB, 1, 20), &[(ANN, 1)], bob)));
    let cid = set(&[("tags", tags(&["b", "a"])), ("lines", lines(&[(1, 1), (3, 1)]))]);
    let decision = world.push(&was(op(stamp(CID, 1, 15), &[(ANN, 1)], cid)));
    assert_eq!((decision.outcome, decision.conflict), (Outcome::Merged, None));
    assert_eq!(world.value("tags"), Some(tags(&["a", "b", "c"])));
    assert_eq!(world.value("lines"), Some(lines(&[(1, 5), (3, 1)])));
}
