//! What devices may rely on whatever the order in which things happen, and what the order may not change.
//!
//! Goal: what `docs/sync-v1.md` says under "What holds", and that what is settled by time, sums, greatest and least numbers and
//! deletions depend on the set of ops alone; on the real ledger. Method: devices write, send in parts and again, and pull; effects happen one by one, a commit and the news of it
//! apart, and a crash comes between any two of them. What was written is then sent again to another server in another order.

mod world;

use syncline_core::clock::HybridTime;
use syncline_core::entity::{TraceEffect, Values};

use super::support::{Bench, a_type, after, create, entity, update, values};
use super::*;
use world::{Step, World, steps};

/// By entity what a record holds; none of one that was deleted.
type State = BTreeMap<EntityKey, Option<Values>>;

fn state(world: &World) -> State {
    let data = |record: Record| (!record.deleted).then(|| record.data());
    world.disk.records().into_iter().map(|(key, record)| (key, data(record))).collect()
}

/// How another server gets what devices have written: whose turn it is, how much of it is sent, and what happens then.
#[derive(Clone, Copy, Debug)]
struct Turn {
    device: usize,
    back: usize,
    count: usize,
    effects: usize,
    crashes: bool,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (0..DEVICES, 0..3_usize, 1..4_usize, 0..5_usize, prop::bool::weighted(0.1));
    let turn = turn.prop_map(|(device, back, count, effects, crashes)| Turn {
        device,
        back,
        count,
        effects,
        crashes,
    });
    prop::collection::vec(turn, 1..60)
}

/// Sends what devices have written to a server that knows nothing of it. What an author had seen comes before its op.
fn replay(written: &World, turns: &[Turn]) -> Result<State, TestCaseError> {
    let mut world = World::new(written.now_ms, [0; DEVICES]);
    for (device, wrote) in world.devices.iter_mut().zip(&written.devices) {
        device.ops = wrote.ops.clone();
    }
    for turn in turns {
        let from = world.taken(turn.device).saturating_sub(turn.back);
        for at in from..from + turn.back + turn.count {
            if !world.may_come(turn.device, at) {
                break;
            }
            world.push(turn.device, at..at + 1)?;
        }
        world.perform(turn.effects)?;
        if turn.crashes {
            world.crash();
        }
    }
    while let Some(device) = (0..DEVICES).find(|&device| world.may_come(device, world.taken(device))) {
        let at = world.taken(device);
        world.push(device, at..at + 1)?;
    }
    world.quiesce()?;
    Ok(state(&world))
}

/// What each entity must hold that no time decides about: of sums, greatest and least numbers each field; and whether it was
/// deleted.
fn check_without_time(world: &World) -> Result<(), TestCaseError> {
    let results = world.results();
    for (key, held) in state(world) {
        let ops = || results.values().filter(|(op, _)| op.entity == key);
        let is_deleted =
            ops().any(|(op, kept)| op.action == Action::Delete && kept.trace.effect == TraceEffect::Changed);
        prop_assert_eq!(held.is_none(), is_deleted, "{}", key);
        let Some(held) = held else { continue };
        let numbers = |name: &FieldName| -> Vec<Decimal> {
            let accepted = ops().filter(|(_, kept)| !matches!(kept.result.outcome, Outcome::Rejected(_)));
            let of = |action: &Action| match action {
                Action::Delta(amounts) => amounts.get(name).copied(),
                action => action.values().and_then(|values| values.get(name)).and_then(Value::number),
            };
            accepted.filter_map(|(op, _)| of(&op.action)).collect()
        };
        for (name, value) in &held {
            let all = numbers(name).into_iter();
            let want = match key.kind.as_str() {
                "sum" => all.reduce(|a, b| a.checked_add(b).expect("they are small")),
                "most" => all.max(),
                "least" => all.min(),
                _ => continue,
            };
            prop_assert_eq!(value.number(), want, "{} {}", key, name);
        }
    }
    Ok(())
}

/// Whoever stands in a field was not seen by anyone who wrote it later.
fn check_winners(world: &World) -> Result<(), TestCaseError> {
    let results = world.results();
    let is_by_time = |key: &EntityKey| ["text", "whole"].contains(&key.kind.as_str());
    for (key, record) in world.disk.records().into_iter().filter(|(key, _)| is_by_time(key)) {
        for (name, slot) in &record.fields {
            for (dot, (op, kept)) in &results {
                let writes =
                    op.entity == key && op.action.values().is_some_and(|values| values.contains_key(name));
                let counts = !matches!(kept.result.outcome, Outcome::Rejected(_)) && *dot != slot.stamp.dot;
                let saw = kept.trace.context.vv.contains(slot.stamp.dot);
                prop_assert!(!(writes && counts && saw), "{} {}: {:?} saw {:?}", key, name, dot, slot);
            }
        }
    }
    Ok(())
}

fn run(steps: &[Step], skews_ms: [i64; DEVICES]) -> Result<World, TestCaseError> {
    let mut world = World::new(world::BEGIN_MS, skews_ms);
    for step in steps {
        world.step(step)?;
    }
    world.quiesce()?;
    Ok(world)
}

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::with_cases(200) })]

    /// What is read is checked with each answer; see [`World`].
    #[test]
    fn whoever_reads_a_write_reads_what_it_rests_on(steps in steps(true)) {
        let mut world = run(&steps, [0; DEVICES])?;
        for device in 0..DEVICES {
            world.read_all(device)?;
        }
    }

    #[test]
    fn the_order_of_arrival_leaves_no_trace(steps in steps(false), turns in turns()) {
        let world = run(&steps, [0; DEVICES])?;
        check_without_time(&world)?;
        prop_assert_eq!(replay(&world, &turns)?, state(&world));
    }

    #[test]
    fn no_clock_decides_what_was_seen(
        steps in steps(false),
        skews_ms in prop::array::uniform3(prop_oneof![Just(0), Just(-YEAR_MS), Just(YEAR_MS), -YEAR_MS..YEAR_MS]),
    ) {
        let world = run(&steps, skews_ms)?;
        check_without_time(&world)?;
        check_winners(&world)?;
    }
}

/// Found by the property above: d1 created the same as d2, a little earlier, and then changed it, earlier than d2 created it.
/// Where d2 came first, d1 counted as having seen d2's record, and its change stood.
#[test]
fn who_created_the_same_has_not_seen_what_is_there() {
    for policy in [Policy::Lww, Policy::Max] {
        let at = |ms: u64, op: PushOp| {
            let hlc = HybridTime::new(WallMs(ms), 0);
            PushOp { time: ClaimedTime { hlc: Some(hlc), ..ClaimedTime::default() }, ..op }
        };
        let set = |text: &str| [("t", Value::from(text))];
        let early =
            [at(10, create(1, "k/a", &set("same"))), at(20, after(1, update(2, "k/a", &set("changed"))))];
        let late = [at(30, create(1, "k/a", &set("same")))];
        let held =
            [[("d1", &early[..]), ("d2", &late[..])], [("d2", &late[..]), ("d1", &early[..])]].map(|order| {
                let mut bench = Bench::new(vec![a_type("k", policy)], Settings::default());
                bench.bind("d1");
                bench.bind("d2");
                for (device, ops) in order {
                    bench.push(device, ops);
                }
                bench.data(&entity("k/a"))
            });
        assert_eq!(held, [(); 2].map(|()| Some(values(&set("same")))), "{policy:?}");
    }
}
