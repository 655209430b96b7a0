//! What a decision is made from, and what it is.

use alloc::collections::BTreeMap;

use crate::entity::conflict::{ConflictKind, Draft};
use crate::entity::{
    Action, Actors, Change, EntityType, FieldName, FieldRule, Op, Record, Refusal, Slot, Value, Values,
};

/// What a decision depends on besides the record and the op.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The type of the entity.
    pub ty: &'a EntityType,
    /// The actors by number.
    pub actors: &'a Actors,
    /// What the first rule of the type says that matches, under the policy `rules`.
    pub ruling: Option<&'a Ruling>,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The op is refused.
    Veto,
    /// What the server has stays.
    Server,
    /// The op's values are taken.
    Client,
    /// Of each field the later write is taken.
    Lww,
    /// These values are taken.
    Compute(Values),
    /// People decide.
    Escalate,
}

/// What becomes of an op, in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Outcome {
    /// The record is as its author meant.
    Applied,
    /// The record has changed, and differs from what the author meant.
    Merged,
    /// The record is as it was; what the op would have written is kept in a conflict that needs no one.
    Superseded,
    /// The op is refused.
    Rejected(Refusal),
    /// People decide; fields that are not in conflict may have changed.
    Conflict,
}

/// What becomes of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// In one word.
    pub outcome: Outcome,
    /// What it does to the record; none if nothing.
    pub change: Option<Change>,
    /// What is lost by it, or what people must decide.
    pub conflict: Option<Draft>,
    /// Fields whose new value no author wrote, and the rule that made it.
    pub combined: BTreeMap<FieldName, (FieldRule, Value)>,
}

impl Decision {
    pub(super) const fn unchanged(outcome: Outcome) -> Self {
        Self { outcome, change: None, conflict: None, combined: BTreeMap::new() }
    }

    pub(super) fn changed(outcome: Outcome, change: Change) -> Self {
        Self { change: Some(change), ..Self::unchanged(outcome) }
    }

    /// Returns what is left of a decision where nothing is written, because of others that the op stands or falls with: where
    /// something of it waits or was lost, all that its author wanted does.
    #[must_use]
    pub fn unwritten(mut self, op: &Op, record: Option<&Record>) -> Self {
        self.combined.clear();
        if self.change.take().is_some() {
            self.conflict = self.conflict.take().map(|draft| draft.of_whole(op, record));
        }
        self
    }

    /// Returns the decision to refuse an op.
    #[must_use]
    pub fn refused(refusal: impl Into<Refusal>) -> Self {
        Self::unchanged(Outcome::Rejected(refusal.into()))
    }
}

/// An op that meets a record.
pub(super) struct Case<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) record: &'a Record,
    pub(super) op: &'a Op,
    /// Whether its author may not have seen all that the record holds.
    pub(super) stale: bool,
    /// What a conflict would be called.
    pub(super) kind: ConflictKind,
}

impl<'a> Case<'a> {
    pub(super) fn is_delete(&self) -> bool {
        self.op.action == Action::Delete
    }

    pub(super) fn is_by_server(&self) -> bool {
        self.scene.actors.is_server(self.op.stamp.dot.replica)
    }

    /// The fields that its author has not seen as they are.
    pub(super) fn unseen(&self) -> impl Iterator<Item = (&'a FieldName, &'a Slot)> {
        self.record.unseen(&self.op.context.vv)
    }

    /// What a conflict is called in which the op has lost to what the server has.
    pub(super) fn kind_of_loss(&self) -> ConflictKind {
        if self.is_delete() { ConflictKind::DeleteUpdate } else { self.kind }
    }
}
