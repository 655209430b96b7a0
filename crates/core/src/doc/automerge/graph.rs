//! automerge's graph of changes: how much memory it takes, beside the changes themselves, and whether it can hand a change on.
//!
//! automerge 0.12 keeps a clock of all actors, 4 bytes each, for every sixteenth change and for every checkpoint: a change whose hash
//! begins with a zero byte. With each checkpoint it keeps those that it rests on, 4 bytes each (its `change_graph.rs`). One change in 256 is a
//! checkpoint by chance; whoever wants to can write one that is.
//!
//! It finds the change of an op by the actor and where the changes of that actor begin. So one that begins before those that it rests on
//! end, or before the last one of its actor does, takes the ops of another, which then cannot be handed on to anybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use automerge::{ActorId, Automerge, Change, ChangeHash, ChangeMetadata};

use crate::{
    guard::automerge::{ChunkKind, Marks, marks_in, memory_bytes_max},
    limits::AUTOMERGE_DOCUMENT_OPS_MAX,
};

/// Bytes that the first change of an actor takes.
const ACTOR_BYTES: usize = 2 << 10;

/// What there is in the graph of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    changes: usize,
    checkpoints: usize,
    /// Ops of all changes, deletions among them.
    ops: u64,
    /// By actor the last op of its changes.
    actors: BTreeMap<ActorId, u64>,
}

impl Graph {
    /// Counts what a document holds.
    pub(super) fn of(doc: &Automerge) -> Self {
        let mut graph = Self::default();
        for change in doc.get_changes_meta(&[]) {
            graph.note(&change.hash, &change.actor, change.start_op..=change.max_op);
        }
        graph
    }

    /// Notes a change that the document holds now, with its ops.
    pub(super) fn note(&mut self, hash: &ChangeHash, actor: &ActorId, ops: RangeInclusive<u64>) {
        self.changes += 1;
        self.checkpoints += usize::from(is_checkpoint(hash));
        let last_op = *ops.end();
        self.ops += (last_op + 1).saturating_sub(*ops.start());
        if let Some(last) = self.actors.get_mut(actor) {
            *last = last_op.max(*last);
        } else {
            self.actors.insert(actor.clone(), last_op);
        }
    }

    /// Returns whether so many more ops are not too many.
    pub(super) fn has_room_for(&self, ops: u64) -> bool {
        ops == 0 || self.ops.saturating_add(ops) <= AUTOMERGE_DOCUMENT_OPS_MAX
    }

    /// Returns whether a change that the document holds begins behind those that it rests on and the one of its actor before it.
    pub(super) fn is_in_order(&self, doc: &Automerge, change: &ChangeMetadata<'_>) -> bool {
        let ends_before = |older: &ChangeHash| {
            doc.get_change_meta_by_hash(older).is_some_and(|older| older.max_op < change.start_op)
        };
        let own = self.actors.get(&*change.actor).copied().unwrap_or(0);
        own < change.start_op && change.deps.iter().all(ends_before)
    }

    /// Estimates how much memory the graph takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        bytes(self.changes, self.checkpoints, self.actors.len())
    }

    /// Returns whether changes that the document does not hold take no more memory than so many bytes of input allow.
    pub(super) fn has_memory_for(&self, new: &BTreeMap<ChangeHash, Needs>, input_bytes: usize) -> bool {
        let actors = new.values().map(|change| &change.actor);
        let strangers: BTreeSet<_> = actors.filter(|actor| !self.actors.contains_key(actor)).collect();
        let checkpoints = new.keys().filter(|hash| is_checkpoint(hash)).count();
        let after = bytes(
            self.changes + new.len(),
            self.checkpoints + checkpoints,
            self.actors.len() + strangers.len(),
        );
        // What grows has room for as much again.
        let grown = after.saturating_sub(self.memory_bytes()).saturating_mul(2);
        grown.saturating_add(strangers.len() * ACTOR_BYTES) <= memory_bytes_max(input_bytes)
    }
}

/// What there has to be room for if a change is taken in.
#[derive(Clone, Debug)]
pub(super) struct Needs {
    pub(super) bytes: usize,
    pub(super) ops: u64,
    pub(super) marks: Marks,
    pub(super) actor: ActorId,
}

impl From<&Change> for Needs {
    fn from(change: &Change) -> Self {
        Self {
            bytes: change.raw_bytes().len(),
            ops: change.len() as u64,
            // What automerge has read is a change.
            marks: marks_in(ChunkKind::Change, change.raw_bytes()).unwrap_or_default(),
            actor: change.actor_id().clone(),
        }
    }
}

fn is_checkpoint(hash: &ChangeHash) -> bool {
    hash.0[0] == 0
}

fn bytes(changes: usize, checkpoints: usize, actors: usize) -> usize {
    let clocks = (changes / 16 + checkpoints).saturating_mul(actors).saturating_mul(4);
    // Those that are some by chance rest on few: one with another zero byte takes their place.
    let chosen = checkpoints.saturating_sub(changes / 128 + 64);
    clocks.saturating_add(chosen.saturating_mul(chosen).saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use automerge::{AutoCommit, ExpandedChange, ROOT, transaction::Transactable};

    use super::*;
    use crate::doc::{AutomergeDocument, AutomergeError};

    /// Two changes of one client, of five ops each, and a third as `alter` leaves it.
    fn changes(alter: impl FnOnce(&mut ExpandedChange)) -> (Vec<u8>, Vec<u8>) {
        let mut client = AutoCommit::new();
        for change in 0..3 {
            (0..5).for_each(|value| client.put(ROOT, "key", change * 5 + value).expect("a map"));
            client.commit();
        }
        let changes = client.get_changes(&[]);
        let mut last = changes[2].decode();
        alter(&mut last);
        ([changes[0].raw_bytes(), changes[1].raw_bytes()].concat(), Change::from(last).raw_bytes().to_vec())
    }

    /// Goal: the ops of a document have an end, those that wait for others among them. Method: a document that has almost as many as it may.
    #[test]
    fn ops_have_an_end() {
        let (before, last) = changes(|_| {});
        let almost = |left: u64| {
            let mut document = AutomergeDocument::default();
            let ops = 1..=AUTOMERGE_DOCUMENT_OPS_MAX - left;
            document.graph.note(&ChangeHash([1; 32]), &ActorId::from([7; 16]), ops);
            document
        };
        let mut document = almost(15);
        document.apply(&before).expect("10 ops");
        document.apply(&last).expect("5 ops");
        assert_eq!(document.apply(&before), Ok(None), "what is known brings none");
        let mut document = almost(14);
        document.apply(&before).expect("10 ops");
        let heads = document.heads();
        assert_eq!(document.apply(&last), Err(AutomergeError::Ops));
        assert_eq!(document.heads(), heads);
        let mut document = almost(14);
        assert_eq!(document.apply(&last), Ok(None), "it waits");
        assert_eq!(document.apply(&before), Err(AutomergeError::Ops));
    }

    /// Goal: what is taken in can be handed on. Method: a change without ops begins where those of the one before it are, or, as that
    /// of an honest client, behind all of them; it is by their author or another, and rests on them or on nothing.
    #[test]
    fn a_change_that_begins_within_another_is_refused() {
        let apply = |start: u64, alter: fn(&mut ExpandedChange)| {
            let (before, last) = changes(|last| {
                last.operations.clear();
                last.start_op = start.try_into().expect("it is not 0");
                alter(last);
            });
            let mut document = AutomergeDocument::default();
            document.apply(&before).expect("honest");
            document.apply(&last)?;
            document.pieces().expect("it can be handed on");
            Ok(())
        };
        let alters: [fn(&mut ExpandedChange); 3] = [
            |_| {},
            |on_its_own| on_its_own.deps.clear(),
            |by_another| (by_another.actor_id, by_another.seq) = (vec![7; 16].into(), 1),
        ];
        for alter in alters {
            assert_eq!(apply(11, alter), Ok(()));
            for start in [1, 5, 6, 10] {
                assert_eq!(apply(start, alter), Err(AutomergeError::Broken), "from {start}");
            }
        }
    }
}
