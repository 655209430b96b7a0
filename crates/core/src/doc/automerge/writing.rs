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

/// Returns whether somebody could have written a change that automerge gave back from a document. It wrote it itself, so it is not odd.
pub(super) fn is_possible(change: &Change) -> bool {
    contained(|| is_causal(&change.decode())).unwrap_or(false)
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

#[cfg(test)]
mod tests {
    use automerge::{AutoCommit, Automerge, ObjType, ROOT, transaction::Transactable};

    use super::*;
    use crate::doc::{AutomergeDocument, AutomergeError};

    /// A change of one op, which takes the place of an older one, after `alter` has had its way with the op.
    fn changed(alter: impl FnOnce(&mut Op)) -> Vec<u8> {
        let mut client = AutoCommit::new();
        client.put(ROOT, "key", 1).expect("a map");
        client.commit();
        client.put(ROOT, "key", 2).expect("a map");
        client.commit();
        let [first, second] = &client.get_changes(&[])[..] else { panic!("two changes were made") };
        let mut expanded = second.decode();
        alter(&mut expanded.operations[0]);
        [first.raw_bytes(), Change::from(expanded).raw_bytes()].concat()
    }

    fn rest_on(op: &mut Op, counter: u64) {
        let OpId(_, actor) = op.pred.iter().next().expect("it takes the place of one").clone();
        op.pred = vec![OpId(counter, actor)].into();
    }

    /// Two changes, in the second of which a map is written in before it is made.
    fn written_too_early() -> Vec<u8> {
        let mut client = AutoCommit::new();
        client.put(ROOT, "key", 1).expect("a map");
        client.commit();
        let map = client.put_object(ROOT, "map", ObjType::Map).expect("a map");
        client.put(&map, "key", 2).expect("a map");
        client.commit();
        let [first, second] = &client.get_changes(&[])[..] else { panic!("two changes were made") };
        let mut expanded = second.decode();
        let made = OpId(3, expanded.actor_id.clone());
        expanded.operations.swap(0, 1);
        expanded.operations[0].obj = ObjectId::Id(made);
        [first.raw_bytes(), Change::from(expanded).raw_bytes()].concat()
    }

    /// Goal: what a document brings is looked at as what comes change by change. Method: a document of such changes, as automerge saves it.
    #[test]
    fn a_document_of_changes_that_nobody_could_write_is_refused() {
        let apply = |chunks: &[u8]| {
            let whole = contained(|| {
                let mut theirs = Automerge::new();
                theirs.load_incremental(chunks).ok()?;
                Some(theirs.save())
            });
            let whole = whole.ok().flatten().expect("automerge takes it");
            AutomergeDocument::default().apply(&whole).map(|update| update.is_some())
        };
        assert_eq!(apply(&changed(|_| {})), Ok(true));
        for counter in [2, 3, 40] {
            let chunks = changed(|op| rest_on(op, counter));
            assert_eq!(apply(&chunks), Err(AutomergeError::Refused), "it rests on {counter}");
        }
        // This one automerge gives back from the document as it is.
        assert_eq!(apply(&written_too_early()), Err(AutomergeError::Refused));
    }

    #[test]
    fn an_op_that_rests_on_a_younger_one_is_refused() {
        let apply = |chunks: &[u8]| AutomergeDocument::default().apply(chunks).map(|update| update.is_some());
        assert_eq!(apply(&changed(|_| {})), Ok(true));
        for counter in [2, 3, 40] {
            let chunks = changed(|op| rest_on(op, counter));
            assert_eq!(apply(&chunks), Err(AutomergeError::Refused), "it rests on {counter}");
        }
        assert_eq!(apply(&written_too_early()), Err(AutomergeError::Refused));
    }
}
