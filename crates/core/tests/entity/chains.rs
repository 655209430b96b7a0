//! Chains of ops of one author, each of whom has seen only what the one before it had seen, and that one.

use syncline_core::entity::{
    Action, EntityType, Field, FieldRule, Op, Outcome, Policy, Trace, TraceEffect, Value,
};

use super::support::{
    ANN, BOB, World, add, entity_type, field, op, record, set, stamp, usual_actors, with_was,
};

/// Ann sends two ops, the second after the first; she has not seen what Bob wrote last. Returns what became of each, and what the
/// record holds of the field that they are about.
fn chain(ty: &EntityType, ops: [Op; 2]) -> ([Outcome; 2], Option<Value>) {
    let actors = usual_actors();
    let mut world = World::new(ty, &actors, Some(record()));
    let [first, mut second] = ops;
    let one = world.push(&first);
    let effect = if one.change.is_some() { TraceEffect::Changed } else { TraceEffect::Nothing };
    let trace = Trace { context: first.context, hlc: first.stamp.hlc, dot: first.stamp.dot, effect };
    second.context = trace.context_after();
    let two = world.push(&second);
    let held = world.data().and_then(|data| data.get(&field("qty")).cloned());
    ([one.outcome, two.outcome], held)
}

fn pair(one: Action, two: Action) -> [Op; 2] {
    [op(stamp(ANN, 2, 30), &[(ANN, 1)], one), op(stamp(ANN, 3, 40), &[], two)]
}

fn ruled(name: &str, rule: FieldRule) -> EntityType {
    let fields = [(field(name), Field { rule: Some(rule), ..Field::default() })].into();
    EntityType { fields: Some(fields), ..entity_type(Policy::FieldMerge) }
}

/// Bob made 95 of 100. What Ann counts on top of it is never what she thinks, however many of her ops come one after another.
#[test]
fn a_strangers_edit_is_in_each_sum_of_a_chain() {
    for ty in [entity_type(Policy::Additive), ruled("qty", FieldRule::Additive)] {
        let (outcomes, held) = chain(&ty, pair(add("qty", 3), add("qty", 4)));
        assert_eq!(
            (outcomes, held),
            ([Outcome::Merged, Outcome::Merged], Some(102.into())),
            "{:?}",
            ty.policy
        );
        let [one, two] = pair(add("qty", 3), set(&[("qty", 110.into())]));
        let (outcomes, held) = chain(&ty, [one.clone(), with_was(two.clone(), &[("qty", 103.into())])]);
        assert_eq!((outcomes, held), ([Outcome::Merged, Outcome::Merged], Some(105.into())));
        let (outcomes, held) = chain(&ty, [one, two]);
        assert!(matches!(outcomes[1], Outcome::Rejected(_)), "she does not know what she replaces");
        assert_eq!(held, Some(98.into()));
    }
}

/// Bob's item is in the list that Ann's first op became; her second does not know of it, and does not take it away.
#[test]
fn a_strangers_item_outlives_a_chain() {
    for rule in [FieldRule::SetUnion, FieldRule::ListById] {
        let ty = ruled("tags", rule);
        let actors = usual_actors();
        let mut world = World::new(&ty, &actors, Some(record()));
        let item = |id: &str| match rule {
            FieldRule::ListById => Value::Map([("id".into(), id.into())].into_iter().collect()),
            _ => id.into(),
        };
        let of = |ids: &[&str]| set(&[("tags", Value::List(ids.iter().map(|id| item(id)).collect()))]);
        world.push(&op(stamp(BOB, 2, 30), &[(ANN, 1), (BOB, 1)], of(&["bob"])));
        let seen = [(ANN, 1), (BOB, 1)];
        let merged = world.push(&op(stamp(ANN, 2, 40), &seen, of(&["ann"])));
        assert_eq!(merged.outcome, Outcome::Merged);
        let chained = [(ANN, 2), (BOB, 1)];
        let again = world.push(&op(stamp(ANN, 3, 50), &chained, of(&["ann", "more"])));
        assert_eq!(again.outcome, Outcome::Merged);
        let held = world.data().and_then(|data| data.get(&field("tags")).cloned());
        let items = held.as_ref().and_then(Value::items).expect("a list");
        assert_eq!(items.len(), 3, "{held:?}");
        // Whoever has seen it may take it away.
        let whole = [(ANN, 3), (BOB, 2)];
        let last = world.push(&op(stamp(ANN, 4, 60), &whole, of(&["ann"])));
        assert_eq!(last.outcome, Outcome::Applied);
        let held = world.data().and_then(|data| data.get(&field("tags")).cloned());
        assert_eq!(held.as_ref().and_then(Value::items).map(<[_]>::len), Some(1));
    }
}
