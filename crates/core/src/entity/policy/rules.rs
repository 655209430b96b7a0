//! Rules of the type decide, and where none matches its fallback.
//!
//! An op whose author saw the record as it is can be vetoed or put before people, and is else taken: what a rule says about
//! whose value to take is about values that did not know of each other.

use alloc::collections::BTreeMap;

use super::case::{Case, Decision, Outcome, Ruling};
use super::{common, merge};
use crate::clock::VectorClock;
use crate::entity::conflict::Draft;
use crate::entity::{Change, Fallback, FieldRule, Life, RefusalCode, Values};

pub(super) fn decide(case: &Case<'_>) -> Decision {
    match (case.scene.ruling, case.stale) {
        (Some(Ruling::Veto), _) => Decision::refused(RefusalCode::ValidationFailed),
        (Some(Ruling::Escalate), _) => common::open(case, case.kind_of_loss()),
        (Some(Ruling::Server | Ruling::Client | Ruling::Lww | Ruling::Compute(_)) | None, false) => {
            common::client_wins(case)
        }
        (Some(Ruling::Server), true) => common::superseded(case, case.kind_of_loss()),
        (Some(Ruling::Client), true) => common::client_wins(case),
        (Some(Ruling::Lww), true) => later_wins(case),
        (Some(Ruling::Compute(values)), true) => compute(case, values),
        (None, true) => match case.scene.ty.fallback {
            Some(Fallback::Server) => common::superseded(case, case.kind_of_loss()),
            Some(Fallback::Client) => common::client_wins(case),
            Some(Fallback::Lww) => later_wins(case),
            Some(Fallback::Manual) | None => common::manual(case),
        },
    }
}

fn later_wins(case: &Case<'_>) -> Decision {
    if case.is_delete() { common::delete(case) } else { merge::decide(case, Some(FieldRule::Lww)) }
}

/// The record gets the values that the rule computed; what they replace on either side is kept.
fn compute(case: &Case<'_>, values: &Values) -> Decision {
    let mut change = Change::new(case.op.stamp, Life::Lives);
    let unseen = case.unseen().fold(VectorClock::new(), |mut unseen, (_, slot)| {
        unseen.merge(&slot.unseen(&case.op.context.vv));
        unseen
    });
    for (name, value) in values {
        let replaced =
            case.record.fields.get(name).map(|slot| slot.stamp.hlc.next().unwrap_or(slot.stamp.hlc));
        let hlc = replaced.map_or(case.op.stamp.hlc, |replaced| replaced.max(case.op.stamp.hlc));
        change.fields.insert(name.clone(), (Some(value.clone()), hlc));
        // It may have been computed from any field.
        change.combined.insert(name.clone(), unseen.clone());
    }
    let ours = case.op.action.values().into_iter().flatten();
    let ours: BTreeMap<_, _> = ours
        .filter(|(name, value)| values.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), Some(value.clone())))
        .collect();
    let theirs: BTreeMap<_, _> = case
        .unseen()
        .filter(|(name, slot)| {
            slot.value.is_some() && values.get(*name).is_some_and(|value| slot.value.as_ref() != Some(value))
        })
        .collect();
    let is_kept_whole = ours.is_empty() && case.op.action.values().is_some();
    let conflict = match (is_kept_whole, theirs.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Draft::lost_to(case.kind, case.op, &theirs)),
        (false, _) => {
            let mut draft = Draft::auto(case.kind_of_loss(), case.op, ours, case.record);
            draft.keep(case.op, BTreeMap::new(), &theirs);
            Some(draft)
        }
    };
    Decision { conflict, ..Decision::changed(Outcome::Merged, change) }
}
