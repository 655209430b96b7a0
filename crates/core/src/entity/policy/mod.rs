//! Policies: what becomes of an op, given the record that it meets.
//!
//! Before any policy, for all of them:
//!
//! * no record, and its author saw none: a creation creates, a deletion is done, all else is refused;
//! * no record, and its author saw one: it was deleted, and nothing brings it back;
//! * a tombstone: only a restoration whose author saw it undoes it. A deletion is done; a write whose author did not see it
//!   has lost, and is kept; all else is refused;
//! * a creation of what is there: a write whose author saw nothing of it, and done if the content is the same. (Sums grow by
//!   it all the same: what two devices created with 20 each holds 40, whatever else came in between.)
//!
//! The rest is up to the policy: [`by_policy`] says which it is.

mod case;
mod common;
mod merge;
mod rules;
mod whole;

use alloc::collections::BTreeMap;

use case::Case;
pub use case::{Decision, Outcome, Ruling, Scene};

use super::conflict::{ConflictKind, Draft};
use super::{
    Action, Change, DeleteUpdate, FieldRule, Life, Op, Policy, Record, RefusalCode, Relation, relate,
};
use crate::limits::CONFLICT_UPDATE_BYTES_MAX;

/// Decides an op.
///
/// The answer depends on nothing but the arguments. It is not told to anyone before it is durable.
#[must_use]
pub fn decide(scene: &Scene<'_>, record: Option<&Record>, op: &Op) -> Decision {
    if op.action == Action::Noop {
        return Decision::unchanged(Outcome::Applied);
    }
    if let Err(refusal) = op.action.check(scene.ty) {
        return Decision::refused(refusal);
    }
    let relation = relate(&op.context, record);
    let Some(record) = record else { return without_record(scene, relation, op) };
    let case = Case {
        scene,
        record,
        op,
        stale: relation.is_stale() || matches!(op.action, Action::Create(_)),
        kind: if matches!(op.action, Action::Create(_)) {
            ConflictKind::CreateCreate
        } else {
            ConflictKind::ConcurrentUpdate
        },
    };
    if record.deleted {
        return on_tombstone(&case);
    }
    if let Action::Create(values) = &op.action
        && *values == record.data()
        && !settles_by_field(scene.ty.policy)
    {
        return Decision::unchanged(Outcome::Applied);
    }
    by_policy(&case)
}

/// Whether a write of what is there may matter: its time counts against later ones, and sums grow by it. These policies find
/// out for themselves what a second creation changes.
const fn settles_by_field(policy: Policy) -> bool {
    match policy {
        Policy::Lww | Policy::FieldMerge | Policy::Additive | Policy::Max | Policy::Min => true,
        Policy::AppendOnly
        | Policy::ServerAuthoritative
        | Policy::ServerWins
        | Policy::ClientWins
        | Policy::FirstWriteWins
        | Policy::Rules
        | Policy::Manual
        | Policy::Crdt => false,
    }
}

fn without_record(scene: &Scene<'_>, relation: Relation, op: &Op) -> Decision {
    let is_gone = relation == Relation::Gone;
    match &op.action {
        Action::Delete | Action::Noop => Decision::unchanged(Outcome::Applied),
        Action::Create(_)
        | Action::Document(_)
        | Action::Update { .. }
        | Action::Delta(_)
        | Action::Restore(_)
            if is_gone =>
        {
            Decision::refused(RefusalCode::EntityDeleted)
        }
        Action::Create(values) => {
            let is_servers = scene.ty.policy == Policy::ServerAuthoritative && !scene.ty.client_create;
            if is_servers && !scene.actors.is_server(op.stamp.dot.replica) {
                return Decision::refused(RefusalCode::ForbiddenOp);
            }
            match merge::initial(scene, op, values) {
                Ok(change) => Decision::changed(Outcome::Applied, change),
                Err(refusal) => Decision::refused(refusal),
            }
        }
        Action::Document(_) => {
            let change = Change { document: true, ..Change::new(op.stamp, Life::Begins) };
            Decision::changed(Outcome::Applied, change)
        }
        Action::Update { .. } | Action::Delta(_) | Action::Restore(_) => {
            Decision::refused(RefusalCode::EntityUnknown)
        }
    }
}

fn on_tombstone(case: &Case<'_>) -> Decision {
    let saw_it = case.op.context.vv.contains(case.record.dot);
    match &case.op.action {
        Action::Delete | Action::Noop => Decision::unchanged(Outcome::Applied),
        Action::Create(_) => Decision::refused(RefusalCode::EntityDeleted),
        Action::Restore(values) if saw_it => {
            if case.scene.ty.policy == Policy::AppendOnly && !case.is_by_server() {
                return Decision::refused(RefusalCode::AppendOnly);
            }
            match merge::initial(case.scene, case.op, values) {
                Ok(change) => Decision::changed(Outcome::Applied, change),
                Err(refusal) => Decision::refused(refusal),
            }
        }
        Action::Restore(_) => Decision::refused(RefusalCode::EntityDeleted),
        Action::Update { .. } | Action::Delta(_) | Action::Document(_) if saw_it => {
            Decision::refused(RefusalCode::EntityDeleted)
        }
        Action::Document(update) if update.len() > CONFLICT_UPDATE_BYTES_MAX => {
            Decision::refused(RefusalCode::EntityDeleted)
        }
        Action::Update { .. } | Action::Delta(_) | Action::Document(_) => {
            common::superseded(case, ConflictKind::UpdateDelete)
        }
    }
}

fn by_policy(case: &Case<'_>) -> Decision {
    let ty = case.scene.ty;
    match ty.policy {
        Policy::AppendOnly if case.is_delete() && case.is_by_server() => common::delete(case),
        Policy::AppendOnly => Decision::refused(RefusalCode::AppendOnly),
        Policy::Lww if case.is_delete() => common::delete(case),
        Policy::Lww if ty.whole => whole::decide(case),
        Policy::Lww | Policy::Additive | Policy::Max | Policy::Min => {
            if case.is_delete() {
                common::delete(case)
            } else {
                merge::decide(case, None)
            }
        }
        Policy::FieldMerge => field_merge(case),
        Policy::ServerAuthoritative if case.stale => {
            let draft = Draft::auto(case.kind_of_loss(), case.op, BTreeMap::new(), case.record);
            Decision { conflict: Some(draft), ..Decision::refused(RefusalCode::ServerChanged) }
        }
        Policy::ServerWins if case.stale => common::superseded(case, case.kind_of_loss()),
        Policy::FirstWriteWins if case.stale => Decision::refused(RefusalCode::AlreadyWritten),
        Policy::ServerAuthoritative | Policy::ServerWins | Policy::FirstWriteWins | Policy::ClientWins => {
            common::client_wins(case)
        }
        Policy::Rules => rules::decide(case),
        Policy::Manual => common::manual(case),
        Policy::Crdt => match case.op.action {
            Action::Document(_) => {
                let change = Change { document: true, ..Change::new(case.op.stamp, Life::Lives) };
                let outcome = if case.stale { Outcome::Merged } else { Outcome::Applied };
                Decision::changed(outcome, change)
            }
            Action::Delete => common::delete(case),
            Action::Create(_) | Action::Restore(_) => merge::decide(case, Some(FieldRule::Lww)),
            Action::Update { .. } | Action::Delta(_) | Action::Noop => {
                Decision::refused(RefusalCode::ValidationFailed)
            }
        },
    }
}

fn field_merge(case: &Case<'_>) -> Decision {
    if !case.is_delete() {
        return merge::decide(case, None);
    }
    let has_unseen = case.unseen().next().is_some();
    match case.scene.ty.delete_update {
        DeleteUpdate::Keep if has_unseen => common::superseded(case, ConflictKind::DeleteUpdate),
        DeleteUpdate::Manual if has_unseen => common::open(case, ConflictKind::DeleteUpdate),
        DeleteUpdate::Keep | DeleteUpdate::Manual | DeleteUpdate::Delete => common::delete(case),
    }
}
