//! What does not depend on the order in which ops arrive, or on anything but the ops.

use std::collections::BTreeMap;

use proptest::prelude::*;
use syncline_core::entity::{
    Action, ClaimedTime, Decimal, EntityType, FieldName, Op, Policy, ServerClock, Stamp, Value, Values,
};
use syncline_core::time::WallMs;

use super::histories::{History, Writes, steps};
use super::support::{ANN, BOB, CID, World, at, entity_type, field, op, set, stamp, usual_actors};

/// What the record must hold in the end, from the set of ops alone; none if it was deleted.
fn specified(history: &History, ty: &EntityType) -> Option<Values> {
    if history.ops.iter().any(|op| op.action == Action::Delete) {
        return None;
    }
    let mut latest: BTreeMap<FieldName, (Stamp, Option<Value>)> = BTreeMap::new();
    let mut last_whole: Option<&Op> = None;
    let mut numbers = Vec::new();
    for op in &history.ops {
        if last_whole.is_none_or(|last| history.actors.compare(op.stamp, last.stamp).is_gt()) {
            last_whole = Some(op);
        }
        let mut write = |name: &FieldName, value: Option<Value>| {
            let is_later = |stamp| history.actors.compare(op.stamp, stamp).is_gt();
            if latest.get(name).is_none_or(|(stamp, _)| is_later(*stamp)) {
                latest.insert(name.clone(), (op.stamp, value));
            }
        };
        op.action.values().into_iter().flatten().for_each(|(name, value)| write(name, Some(value.clone())));
        if let Action::Update { unset, .. } = &op.action {
            unset.iter().for_each(|name| write(name, None));
        }
        numbers.extend(change(op));
    }
    if ty.whole {
        return last_whole.map(|op| op.action.values().cloned().unwrap_or_default());
    }
    let mut data: Values = latest.into_iter().filter_map(|(name, (_, value))| Some((name, value?))).collect();
    let number = match ty.policy {
        Policy::Additive => numbers.iter().copied().reduce(|a, b| a.checked_add(b).expect("they are small")),
        Policy::Max => numbers.into_iter().max(),
        Policy::Min => numbers.into_iter().min(),
        _ => return Some(data),
    };
    data.extend(number.map(|number| (field("qty"), Value::Number(number))));
    Some(data)
}

/// The quantity that an op sets, or by how much it changes it.
fn change(op: &Op) -> Option<Decimal> {
    if let Action::Delta(amounts) = &op.action {
        return amounts.get(&field("qty")).copied();
    }
    let set = op.action.values()?.get(&field("qty"))?.number()?;
    match op.was.get(&field("qty")) {
        Some(Some(was)) => set.checked_sub(was.number().expect("a number")),
        Some(None) | None => Some(set),
    }
}

fn check(history: &History, ty: &EntityType) -> Result<(), TestCaseError> {
    let want = specified(history, ty);
    let mut failed = None;
    history.orders(&mut |order| {
        let mut world = World::new(ty, &history.actors, None);
        order.iter().for_each(|op| {
            world.push(op);
        });
        if world.data() != want && failed.is_none() {
            failed = Some(format!("{order:#?}\n{:?}\nwant {want:?}", world.data()));
        }
    });
    prop_assert!(failed.is_none(), "{}", failed.unwrap_or_default());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn registers_depend_on_the_set_of_ops(steps in steps(1..6)) {
        check(&History::new(&steps, Writes::Registers, [0, 1, 2]), &entity_type(Policy::Lww))?;
        check(&History::new(&steps, Writes::Registers, [0, 1, 2]), &entity_type(Policy::FieldMerge))?;
    }

    #[test]
    fn whole_records_depend_on_the_set_of_ops(steps in steps(1..6)) {
        let ty = EntityType { whole: true, ..entity_type(Policy::Lww) };
        check(&History::new(&steps, Writes::Whole, [0, 1, 2]), &ty)?;
    }

    #[test]
    fn sums_depend_on_the_set_of_ops(steps in steps(1..6)) {
        check(&History::new(&steps, Writes::Sums, [0, 1, 2]), &entity_type(Policy::Additive))?;
    }

    #[test]
    fn extremes_depend_on_the_set_of_ops(steps in steps(1..6)) {
        check(&History::new(&steps, Writes::Extremes, [0, 1, 2]), &entity_type(Policy::Max))?;
        check(&History::new(&steps, Writes::Extremes, [0, 1, 2]), &entity_type(Policy::Min))?;
    }

    /// Actors are numbered as they come; names decide.
    #[test]
    fn no_decision_depends_on_the_numbers_of_actors(steps in steps(1..12)) {
        for (name, policy) in super::support::POLICIES {
            let ty = entity_type(policy);
            let outcomes = [[0, 1, 2], [2, 0, 1]].map(|numbers| {
                let history = History::new(&steps, Writes::Registers, numbers);
                let mut world = World::new(&ty, &history.actors, None);
                let outcomes: Vec<_> = history.ops.iter().map(|op| world.push(op).outcome).collect();
                (outcomes, world.data())
            });
            prop_assert_eq!(&outcomes[0], &outcomes[1], "{}", name);
        }
    }

    /// Two devices in turn, each of which saw what the other wrote, with clocks up to a year wrong: the last write stands. What
    /// they claim to have seen may be missing.
    #[test]
    fn no_clock_decides_between_writes_that_saw_each_other(
        writes in prop::collection::vec((-31_536_000_000_i64..31_536_000_000, any::<bool>()), 1..8),
    ) {
        let now = 1_800_000_000_000_u64;
        let actors = usual_actors();
        for whole in [false, true] {
            let ty = EntityType { whole, ..entity_type(Policy::Lww) };
            let mut world = World::new(&ty, &actors, None);
            world.push(&op(stamp(ANN, 1, now), &[], Action::Create(Values::new())));
            for (at_op, &(skew_ms, tells)) in writes.iter().enumerate() {
                let n = at_op as u64 + 1;
                let record = world.record.clone().expect("it was created");
                let server = ServerClock { now: WallMs(now + n), hlc: record.hlc };
                let claimed = ClaimedTime {
                    hlc: Some(at((now + n).saturating_add_signed(skew_ms))),
                    at: None,
                    seen: tells.then_some(record.hlc),
                };
                let actor = if n.is_multiple_of(2) { ANN } else { BOB };
                let mut op = op(stamp(actor, n + 1, 0), &[], set(&[("qty", (n as i64).into())]));
                op.stamp.hlc = server.effective(claimed, 0);
                op.context.vv = record.vv;
                world.push(&op);
                prop_assert_eq!(world.value("qty"), Some((n as i64).into()));
            }
        }
    }
}

/// Bob had seen Ann's write and replaced it, with a clock far behind and without saying what he had seen. Cid, who saw neither,
/// wrote before Ann did: he loses to Bob as he would have lost to Ann.
#[test]
fn what_replaces_a_write_has_its_place_in_time() {
    let actors = usual_actors();
    for whole in [false, true] {
        let ty = EntityType { whole, ..entity_type(Policy::Lww) };
        let mut world = World::new(&ty, &actors, None);
        world.push(&op(stamp(ANN, 1, 10), &[], Action::Create(Values::new())));
        world.push(&op(stamp(ANN, 2, 100), &[(ANN, 1)], set(&[("qty", 1.into())])));
        world.push(&op(stamp(BOB, 1, 5), &[(ANN, 2)], set(&[("qty", 2.into())])));
        world.push(&op(stamp(CID, 1, 50), &[(ANN, 1)], set(&[("qty", 3.into())])));
        assert_eq!(world.value("qty"), Some(2.into()));
    }
}
