//! Ends that several policies share.

use alloc::collections::BTreeMap;

use super::case::{Case, Decision, Outcome};
use super::merge;
use crate::entity::conflict::{ConflictKind, Draft};
use crate::entity::{Change, FieldRule, Life};

/// The record becomes a tombstone; what its author had not seen is kept.
pub(super) fn delete(case: &Case<'_>) -> Decision {
    let mut decision = Decision::changed(Outcome::Applied, Change::new(case.op.stamp, Life::Ends));
    let lost: BTreeMap<_, _> = case.unseen().filter(|(_, slot)| slot.value.is_some()).collect();
    if !lost.is_empty() {
        decision.conflict = Some(Draft::lost_to(ConflictKind::UpdateDelete, case.op, &lost));
    }
    decision
}

/// The record stays as it is; the op is kept.
pub(super) fn superseded(case: &Case<'_>, kind: ConflictKind) -> Decision {
    let draft = Draft::auto(kind, case.op, BTreeMap::new(), case.record);
    Decision { conflict: Some(draft), ..Decision::unchanged(Outcome::Superseded) }
}

/// The record stays as it is; people decide.
pub(super) fn open(case: &Case<'_>, kind: ConflictKind) -> Decision {
    let draft = Draft::open(kind, case.op, case.record, case.unseen().map(|(name, _)| name.clone()));
    Decision { conflict: Some(draft), ..Decision::unchanged(Outcome::Conflict) }
}

/// The op is taken as it is; what it replaces unseen is kept.
pub(super) fn client_wins(case: &Case<'_>) -> Decision {
    if case.is_delete() { delete(case) } else { merge::decide(case, Some(FieldRule::Client)) }
}

/// People decide, unless nothing was written that the author had not seen, or nothing would change.
pub(super) fn manual(case: &Case<'_>) -> Decision {
    let is_contested = case.stale && case.unseen().next().is_some();
    let has_news = || merge::differs(case);
    match (is_contested, case.is_delete()) {
        (false, _) => client_wins(case),
        (true, true) => open(case, ConflictKind::UpdateDelete),
        (true, false) if has_news() => open(case, case.kind),
        (true, false) => Decision::unchanged(Outcome::Applied),
    }
}
