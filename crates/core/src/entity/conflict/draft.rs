//! What a decision says of a conflict, before it is one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::ConflictKind;
use crate::entity::{Action, EntityKey, FieldName, Op, Record, Slot, Stamp, Value};

/// Where a losing value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Origin {
    /// The op that was decided.
    Op,
    /// The record, before that op.
    Record,
}

/// What one side wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Candidate {
    /// Where it comes from.
    pub origin: Origin,
    /// The write.
    pub stamp: Stamp,
    /// What would have to be done to the record now to give it what it wanted.
    pub wish: Action,
}

/// A conflict as a decision finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Draft {
    /// What collided.
    pub kind: ConflictKind,
    /// Whether people must decide.
    pub open: bool,
    /// The fields in conflict.
    pub fields: BTreeSet<FieldName>,
    /// What the author of the op saw in them, if the op says so.
    pub base: BTreeMap<FieldName, Option<Value>>,
    /// What the record held in them.
    pub standing: BTreeMap<FieldName, Option<Value>>,
    /// What lost, or waits for a decision. The first is the op's where people must decide.
    pub candidates: Vec<Candidate>,
    /// Other entities because of which there is a conflict.
    #[cfg_attr(feature = "serde", serde(default))]
    pub others: BTreeSet<EntityKey>,
}

impl Draft {
    /// Returns a conflict in which an op lost these values, or all that it wanted if none is named.
    pub(crate) fn auto(
        kind: ConflictKind,
        op: &Op,
        lost: BTreeMap<FieldName, Option<Value>>,
        record: &Record,
    ) -> Self {
        let wish = if lost.is_empty() { wish_of(&op.action) } else { wish_for(lost) };
        let fields = wish.fields();
        let standing = fields.iter().map(|name| (name.clone(), record.value(name).cloned())).collect();
        let candidates = [Candidate { origin: Origin::Op, stamp: op.stamp, wish }].into();
        Self {
            kind,
            open: false,
            base: base_of(op, &fields),
            fields,
            standing,
            candidates,
            others: BTreeSet::new(),
        }
    }

    /// Returns a conflict about what an op wants and about these fields of the record.
    pub(crate) fn open(
        kind: ConflictKind,
        op: &Op,
        record: &Record,
        fields: impl Iterator<Item = FieldName>,
    ) -> Self {
        let mut draft = Self { open: true, ..Self::auto(kind, op, BTreeMap::new(), record) };
        for name in fields {
            draft.standing.insert(name.clone(), record.value(&name).cloned());
            draft.fields.insert(name);
        }
        draft
    }

    /// Returns a conflict in which values of the record lost to an op.
    pub(crate) fn lost_to(kind: ConflictKind, op: &Op, lost: &BTreeMap<&FieldName, &Slot>) -> Self {
        let fields: BTreeSet<FieldName> = lost.keys().map(|&name| name.clone()).collect();
        let standing = lost.iter().map(|(&name, slot)| (name.clone(), slot.value.clone())).collect();
        let base = base_of(op, &fields);
        let (candidates, others) = Default::default();
        let mut draft = Self { kind, open: false, fields, base, standing, candidates, others };
        draft.keep(op, BTreeMap::new(), lost);
        draft
    }

    /// Returns a conflict about values of an op that were not written; `standing` is what the record holds instead.
    pub(crate) fn held_back(
        kind: ConflictKind,
        op: &Op,
        held: BTreeMap<FieldName, Option<Value>>,
        standing: BTreeMap<FieldName, Option<Value>>,
    ) -> Self {
        let fields: BTreeSet<FieldName> = held.keys().cloned().collect();
        let candidates = [Candidate { origin: Origin::Op, stamp: op.stamp, wish: wish_for(held) }].into();
        Self {
            kind,
            open: true,
            base: base_of(op, &fields),
            fields,
            standing,
            candidates,
            others: BTreeSet::new(),
        }
    }

    /// Returns this conflict about values that were held back, and what else the op has lost or made others lose.
    pub(crate) fn and(mut self, also: Self) -> Self {
        let mut candidates = also.candidates;
        // What waits of an op is one wish, whatever it waits for.
        if let (
            true,
            Some(Action::Update { set, unset }),
            Some(Action::Update { set: more, unset: others }),
        ) = (
            also.open,
            self.candidates.first_mut().map(|own| &mut own.wish),
            candidates.first().map(|first| &first.wish),
        ) {
            set.extend(more.clone());
            unset.extend(others.clone());
            candidates.remove(0);
        }
        for mut candidate in candidates {
            if candidate.origin == Origin::Record {
                candidate.wish = without(candidate.wish, &self.fields);
            }
            self.candidates.extend((candidate.wish != wish_for(BTreeMap::new())).then_some(candidate));
        }
        self.fields.extend(also.fields);
        // Of a field that both name, what was held back counts.
        self.base = also.base.into_iter().chain(self.base).collect();
        self.standing = also.standing.into_iter().chain(self.standing).collect();
        self
    }

    /// Returns this conflict about all that an op wants, of which nothing was written; so nothing of the record is lost by it.
    pub(crate) fn of_whole(mut self, op: &Op, record: Option<&Record>) -> Self {
        let wish = wish_of(&op.action);
        self.fields = wish.fields();
        self.base = base_of(op, &self.fields);
        let standing = |name: &FieldName| record.and_then(|record| record.value(name)).cloned();
        self.standing = self.fields.iter().map(|name| (name.clone(), standing(name))).collect();
        self.candidates = [Candidate { origin: Origin::Op, stamp: op.stamp, wish }].into();
        self
    }

    /// Removes all values.
    pub(super) fn empty(&mut self) {
        self.base.clear();
        self.standing.clear();
        self.candidates.iter_mut().for_each(|candidate| candidate.wish = wish_for(BTreeMap::new()));
    }

    /// Has people decide about these values of the op, and no others.
    pub(crate) fn narrow(&mut self, opened: BTreeMap<FieldName, Option<Value>>) {
        self.fields = opened.keys().cloned().collect();
        self.standing.retain(|name, _| opened.contains_key(name));
        self.base.retain(|name, _| opened.contains_key(name));
        if let Some(first) = self.candidates.first_mut() {
            first.wish = wish_for(opened);
        }
    }

    /// Keeps more that was lost: values of the op, and of the record, one candidate for each write.
    pub(crate) fn keep(
        &mut self,
        op: &Op,
        ours: BTreeMap<FieldName, Option<Value>>,
        theirs: &BTreeMap<&FieldName, &Slot>,
    ) {
        if !ours.is_empty() {
            self.fields.extend(ours.keys().cloned());
            self.candidates.push(Candidate { origin: Origin::Op, stamp: op.stamp, wish: wish_for(ours) });
        }
        let mut by_dot: BTreeMap<_, (Stamp, BTreeMap<FieldName, Option<Value>>)> = BTreeMap::new();
        for (&name, slot) in theirs {
            self.fields.insert(name.clone());
            let (_, values) = by_dot.entry(slot.stamp.dot).or_insert((slot.stamp, BTreeMap::new()));
            values.insert(name.clone(), slot.value.clone());
        }
        let kept = by_dot.into_values();
        let kept =
            kept.map(|(stamp, values)| Candidate { origin: Origin::Record, stamp, wish: wish_for(values) });
        self.candidates.extend(kept);
    }
}

/// What an op would have to be to do the same to a record that is there.
fn wish_of(action: &Action) -> Action {
    match action {
        Action::Create(values) => Action::Update { set: values.clone(), unset: BTreeSet::new() },
        Action::Update { .. }
        | Action::Delta(_)
        | Action::Delete
        | Action::Restore(_)
        | Action::Document(_)
        | Action::Noop => action.clone(),
    }
}

fn wish_for(values: BTreeMap<FieldName, Option<Value>>) -> Action {
    let (mut set, mut unset) = (BTreeMap::new(), BTreeSet::new());
    for (name, value) in values {
        match value {
            Some(value) => {
                set.insert(name, value);
            }
            None => {
                unset.insert(name);
            }
        }
    }
    Action::Update { set, unset }
}

/// A write without some of its fields: those that were not lost after all.
fn without(wish: Action, fields: &BTreeSet<FieldName>) -> Action {
    match wish {
        Action::Update { mut set, mut unset } => {
            set.retain(|name, _| !fields.contains(name));
            unset.retain(|name| !fields.contains(name));
            Action::Update { set, unset }
        }
        other => other,
    }
}

fn base_of(op: &Op, fields: &BTreeSet<FieldName>) -> BTreeMap<FieldName, Option<Value>> {
    let was = op.was.iter().filter(|(name, _)| fields.contains(*name));
    was.map(|(name, value)| (name.clone(), value.clone())).collect()
}
