//! What authors have seen.

use syncline_core::clock::VectorClock;
use syncline_core::entity::{
    Action, Claim, Context, EntityType, FieldRule, Outcome, Policy, RecordVersion, Relation, Trace,
    TraceEffect, relate,
};

use super::support::{
    ANN, BOB, CID, World, at, entity_type, field, op, record, set, stamp, usual_actors, values, vector,
};

#[test]
fn relations_are_as_vectors_compare() {
    let there = record();
    let ahead = |ahead| Relation::Concurrent { ahead };
    for (vv, beyond, with_record, without) in [
        (vector(&[]), false, Relation::Behind, Relation::None),
        (vector(&[]), true, ahead(false), Relation::Gone),
        (vector(&[(ANN, 1)]), false, Relation::Behind, Relation::Gone),
        (vector(&[(ANN, 1), (BOB, 1)]), false, Relation::Equal, Relation::Gone),
        (vector(&[(ANN, 1), (BOB, 1)]), true, ahead(true), Relation::Gone),
        (vector(&[(ANN, 1), (BOB, 2)]), false, ahead(true), Relation::Gone),
        (vector(&[(ANN, 2)]), false, ahead(false), Relation::Gone),
        (vector(&[(CID, 1)]), false, ahead(false), Relation::Gone),
    ] {
        let context = Context { vv, beyond };
        assert_eq!(relate(&context, Some(&there)), with_record, "{context:?}");
        assert_eq!(relate(&context, None), without, "{context:?}");
    }
}

/// A version that stands alone is worth something only while it is the present one, and is never nothing.
#[test]
fn a_version_stands_for_the_record_that_has_it() {
    let there = record();
    let all = vector(&[(ANN, 1), (BOB, 1)]);
    let claim = |ver: Option<u64>, vv: Option<VectorClock>| Claim {
        ver: ver.map(RecordVersion),
        vv,
        ..Claim::default()
    };
    for (claim, vv, beyond_without) in [
        (claim(None, None), vector(&[]), false),
        (claim(Some(0), None), vector(&[]), false),
        (claim(Some(2), None), all.clone(), true),
        (claim(Some(1), None), vector(&[]), true),
        (claim(Some(2), Some(vector(&[(ANN, 1)]))), vector(&[(ANN, 1)]), false),
    ] {
        let context = claim.resolve(Some(&there));
        assert_eq!(context, Context { vv, beyond: false }, "{claim:?}");
        assert_eq!(claim.resolve(None).beyond, beyond_without, "{claim:?}");
    }
    assert!(Claim { strangers: true, vv: Some(all), ..Claim::default() }.resolve(Some(&there)).beyond);
}

/// Ann writes three times without hearing from the server. Her second and third write do not conflict with her first; what
/// Bob wrote meanwhile stays hidden from none of them.
#[test]
fn a_chain_conflicts_with_a_stranger_and_never_with_itself() {
    let actors = usual_actors();
    for (rule, manual_policy) in [(Some(FieldRule::Manual), false), (None, true)] {
        let policy = if manual_policy { Policy::Manual } else { Policy::FieldMerge };
        let mut ty = EntityType { ..entity_type(policy) };
        if let Some(rule) = rule {
            let manual = syncline_core::entity::Field { rule: Some(rule), ..Default::default() };
            ty.fields = Some([(field("qty"), manual)].into());
        }
        for with_stranger in [false, true] {
            let mut world = World::new(&ty, &actors, None);
            world.push(&op(stamp(BOB, 1, 5), &[], Action::Create(values(&[("qty", 1.into())]))));
            let mut context = Context { vv: vector(&[(BOB, 1)]), beyond: false };
            if with_stranger {
                world.push(&op(stamp(CID, 1, 6), &[(BOB, 1)], set(&[("qty", 50.into())])));
            }
            for n in 1..4 {
                let mut own = op(stamp(ANN, n, 10 + n), &[], set(&[("qty", (n as i64).into())]));
                own.context = context.clone();
                let decision = world.push(&own);
                let want = if with_stranger { Outcome::Conflict } else { Outcome::Applied };
                assert_eq!(decision.outcome, want, "{policy:?} {n}");
                let effect =
                    if decision.change.is_some() { TraceEffect::Changed } else { TraceEffect::Nothing };
                let trace = Trace { context, hlc: at(10 + n), dot: own.stamp.dot, effect };
                context = trace.context_after();
            }
        }
    }
}

/// What an op leaves for the next one: what its author saw, and itself if it did anything; of a creation of what was there
/// already, what was there.
#[test]
fn a_chain_goes_on_from_what_was_seen() {
    let seen = || vector(&[(BOB, 7)]);
    for (effect, want) in [
        (TraceEffect::Changed, vector(&[(ANN, 1), (BOB, 7)])),
        (TraceEffect::Nothing, seen()),
        (TraceEffect::Matched(vector(&[(CID, 2)])), vector(&[(CID, 2)])),
    ] {
        let context = Context { vv: seen(), beyond: true };
        let trace = Trace { context, hlc: at(1), dot: stamp(ANN, 1, 1).dot, effect };
        assert_eq!(trace.context_after(), Context { vv: want, beyond: true });
    }
}
