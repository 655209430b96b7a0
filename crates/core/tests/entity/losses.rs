//! What no policy does, whatever happens.

use proptest::prelude::*;
use syncline_core::entity::conflict::Origin;
use syncline_core::entity::{
    Action, Decision, EntityType, FieldName, Op, Outcome, Policy, Record, Relation, Ruling, Value, relate,
};

use super::histories::{History, Step, Writes, steps};
use super::support::{POLICIES, World, entity_type, values};

/// Runs a history under each policy and hands each decision to `check`: the record before it, and the world after it.
fn each_decision(
    steps: &[Step],
    rulings: &[u8],
    check: impl Fn(&EntityType, Option<&Record>, &Op, &Decision, &World<'_>) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    for (_, policy) in POLICIES {
        for writes in [Writes::Registers, Writes::Whole, Writes::Sums] {
            let mut ty = entity_type(policy);
            ty.whole = writes == Writes::Whole && policy == Policy::Lww;
            ty.client_create = true;
            let history = History::new(steps, writes, [1, 2, 0]);
            let mut world = World::new(&ty, &history.actors, None);
            for (op, ruling) in history.ops.iter().zip(rulings) {
                world.ruling = match ruling % 6 {
                    0 => Some(Ruling::Veto),
                    1 => Some(Ruling::Server),
                    2 => Some(Ruling::Client),
                    3 => Some(Ruling::Compute(values(&[("qty", 77.into())]))),
                    4 => Some(Ruling::Escalate),
                    _ => None,
                };
                let before = world.record.clone();
                let decision = world.push(op);
                check(&ty, before.as_ref(), op, &decision, &world)?;
            }
        }
    }
    Ok(())
}

fn is_kept(decision: &Decision, origin: Origin, name: &FieldName, value: &Value) -> bool {
    let candidates = decision.conflict.iter().flat_map(|draft| &draft.candidates);
    candidates
        .filter(|candidate| candidate.origin == origin)
        .any(|candidate| candidate.wish.values().and_then(|values| values.get(name)) == Some(value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What the record held and the author had not seen, and what the author wrote: each is in the record, in a sum, or kept.
    #[test]
    fn no_value_is_lost_without_a_trace(
        steps in steps(2..12),
        rulings in prop::collection::vec(any::<u8>(), 12),
    ) {
        each_decision(&steps, &rulings, |ty, before, op, decision, world| {
            let after = world.data().unwrap_or_default();
            let is_there = |name: &FieldName, value: &Value| {
                after.get(name) == Some(value) || decision.combined.contains_key(name)
            };
            for (name, slot) in before.iter().flat_map(|record| &record.fields) {
                let Some(value) = &slot.value else { continue };
                let seen = op.context.vv.contains(slot.stamp.dot);
                prop_assert!(
                    seen || is_there(name, value) || is_kept(decision, Origin::Record, name, value),
                    "{:?}: {name} was {value:?}: {op:?} {decision:?}", ty.policy
                );
            }
            if matches!(decision.outcome, Outcome::Rejected(_)) {
                prop_assert!(decision.change.is_none());
                return Ok(());
            }
            for (name, value) in op.action.values().into_iter().flatten() {
                prop_assert!(
                    is_there(name, value) || is_kept(decision, Origin::Op, name, value),
                    "{:?}: {name} should be {value:?}: {op:?} {decision:?}", ty.policy
                );
            }
            Ok(())
        })?;
    }

    /// The words mean what they say.
    #[test]
    fn outcomes_are_true(steps in steps(2..12), rulings in prop::collection::vec(any::<u8>(), 12)) {
        each_decision(&steps, &rulings, |_, _, _, decision, _| {
            let is_open = decision.conflict.as_ref().is_some_and(|draft| draft.open);
            prop_assert_eq!(is_open, decision.outcome == Outcome::Conflict);
            match decision.outcome {
                Outcome::Superseded => {
                    prop_assert!(decision.change.is_none());
                    let draft = decision.conflict.as_ref().expect("what is superseded is kept");
                    prop_assert!(draft.candidates.iter().any(|candidate| candidate.origin == Origin::Op));
                }
                Outcome::Merged => prop_assert!(decision.change.is_some()),
                Outcome::Applied | Outcome::Rejected(_) | Outcome::Conflict => {}
            }
            Ok(())
        })?;
    }

    #[test]
    fn nothing_that_was_deleted_comes_back(steps in steps(2..12), rulings in prop::collection::vec(any::<u8>(), 12)) {
        each_decision(&steps, &rulings, |_, before, _, decision, _| {
            prop_assert!(!before.is_some_and(|record| record.deleted) || decision.change.is_none());
            Ok(())
        })?;
    }

    /// Entities of the type are created, and stay as they are: nothing is lost, moved, or edited.
    #[test]
    fn append_only_appends_only(steps in steps(2..12), rulings in prop::collection::vec(any::<u8>(), 12)) {
        each_decision(&steps, &rulings, |ty, before, op, decision, world| {
            if ty.policy == Policy::AppendOnly {
                let is_first = before.is_none() && matches!(op.action, Action::Create(_));
                prop_assert_eq!(decision.change.is_some(), is_first);
                prop_assert!(before.is_none() || world.record.as_ref() == before);
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_stale_op_changes_what_the_server_has_authority_over(
        steps in steps(2..12),
        rulings in prop::collection::vec(any::<u8>(), 12),
    ) {
        each_decision(&steps, &rulings, |ty, before, op, decision, _| {
            let is_guarded = matches!(
                ty.policy,
                Policy::ServerAuthoritative | Policy::ServerWins | Policy::FirstWriteWins
            );
            let relation = relate(&op.context, before);
            let is_fresh = matches!(relation, Relation::Equal | Relation::None);
            prop_assert!(!is_guarded || is_fresh || decision.change.is_none());
            Ok(())
        })?;
    }
}
