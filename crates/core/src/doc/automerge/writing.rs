//! How a change is written.

use automerge::{
    Change, ExpandedChange,
    legacy::{ElementId, Key, ObjectId, Op, OpId},
};

use super::contain::contained;

/// How a change is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// As automerge writes it.
    Usual,
    /// In another way than automerge would write it. A whole document holds of its changes only what they do, so one that is written
    /// otherwise comes back with another hash, and the document is refused by whoever loads it.
    Odd,
    /// As nobody could: an op rests on one that is no older. automerge takes it in, and cannot hand it on.
    Impossible,
}

impl Writing {
    pub(super) fn of(change: &Change) -> Self {
        let writing = contained(|| {
            let expanded = change.decode();
            if !is_causal(&expanded) {
                return Self::Impossible;
            }
            if Change::from(expanded).hash() == change.hash() { Self::Usual } else { Self::Odd }
        });
        writing.unwrap_or(Self::Odd)
    }
}

/// Returns whether each op rests on older ones alone: their counters are less.
fn is_causal(change: &ExpandedChange) -> bool {
    let counters = change.start_op.get()..;
    counters.zip(&change.operations).all(|(counter, op)| rests_on(op).all(|OpId(older, _)| *older < counter))
}

fn rests_on(op: &Op) -> impl Iterator<Item = &OpId> {
    let object = match &op.obj {
        ObjectId::Id(id) => Some(id),
        ObjectId::Root => None,
    };
    let element = match &op.key {
        Key::Seq(ElementId::Id(id)) => Some(id),
        Key::Seq(ElementId::Head) | Key::Map(_) => None,
    };
    object.into_iter().chain(element).chain(op.pred.iter())
}
