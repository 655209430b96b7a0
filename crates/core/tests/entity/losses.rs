//! What no policy does, whatever happens.

use proptest::prelude::*;
use syncline_core::entity::conflict::Origin;
use syncline_core::entity::{
    Action, Decision, EntityId, EntityKey, EntityType, Fault, FieldName, OnDelete, Op, Others, Outcome,
    Policy, Record, Reference, Relation, Ruling, Value, relate,
};

use super::histories::{History, Step, Writes, steps};
use super::support::{POLICIES, World, entity_type, field, values};

/// Others that hold and refer to whatever is inconvenient: some values are taken, some references dangle, and sometimes somebody
/// refers to the record.
struct Hostile(u8);

impl Hostile {
    fn is_so(&self, about: impl std::fmt::Debug) -> bool {
        let sum = format!("{about:?}").bytes().fold(self.0, u8::wrapping_add);
        sum.is_multiple_of(3)
    }

    fn someone(key: &EntityKey) -> EntityKey {
        EntityKey { id: EntityId::new("other").expect("an id"), ..key.clone() }
    }
}

impl Others for Hostile {
    fn is_deleted(&self, key: &EntityKey) -> bool {
        self.is_so(key)
    }

    fn referrers(&self, key: &EntityKey, _: usize) -> Vec<(EntityKey, FieldName)> {
        if self.is_so(key) { vec![(Self::someone(key), field("ref"))] } else { Vec::new() }
    }

    fn holder(&self, key: &EntityKey, _: &[FieldName], values: &[Value]) -> Option<EntityKey> {
        self.is_so(values).then(|| Self::someone(key))
    }
}

/// The type with promises, where it may make them.
fn promising(ty: EntityType) -> EntityType {
    let on_delete = OnDelete::Restrict;
    let refs = vec![Reference { field: field("name"), target: ty.name.clone(), on_delete }];
    let unique = vec![vec![field("qty"), field("name")], vec![field("name")]];
    let promising = EntityType { refs, unique, ..ty.clone() };
    if promising.check().is_ok() { promising } else { ty }
}

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
            let ty = promising(ty);
            let history = History::new(steps, writes, [1, 2, 0]);
            let hostile = Hostile(rulings.iter().copied().fold(0, u8::wrapping_add));
            // The others may be kind, too: then policies alone decide.
            let others = Some(&hostile as &dyn Others).filter(|_| rulings[0].is_multiple_of(2));
            let mut world = World { others, ..World::new(&ty, &history.actors, None) };
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

/// Whether an op was refused because of other records.
fn is_for_others(decision: &Decision) -> bool {
    let Outcome::Rejected(refusal) = &decision.outcome else { return false };
    let is_so = |fault: &Fault| matches!(fault, Fault::Taken { .. } | Fault::Deleted { .. });
    refusal.faults.iter().any(|found| is_so(&found.fault))
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
                prop_assert_eq!(decision.change.is_some(), is_first && !is_for_others(decision));
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
