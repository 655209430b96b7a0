//! How much memory automerge's graph of changes takes, beside the changes themselves.
//!
//! automerge 0.12 keeps a clock of all actors, 4 bytes each, for every sixteenth change and for every checkpoint: a change whose hash
//! begins with a zero byte. With each checkpoint it keeps those that it rests on, 4 bytes each (its `change_graph.rs`). One change in 256 is a
//! checkpoint by chance; whoever wants to can write one that is.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, Automerge, Change, ChangeHash};

use crate::guard::automerge::memory_bytes_max;

/// Bytes that the first change of an actor takes.
const ACTOR_BYTES: usize = 2 << 10;

/// What there is in the graph of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    changes: usize,
    checkpoints: usize,
    actors: BTreeSet<ActorId>,
}

impl Graph {
    /// Counts what a document holds.
    pub(super) fn of(doc: &Automerge) -> Self {
        let mut graph = Self::default();
        for change in doc.get_changes_meta(&[]) {
            graph.note(&change.hash, &change.actor);
        }
        graph
    }

    /// Notes a change that the document holds now.
    pub(super) fn note(&mut self, hash: &ChangeHash, actor: &ActorId) {
        self.changes += 1;
        self.checkpoints += usize::from(is_checkpoint(hash));
        if !self.actors.contains(actor) {
            self.actors.insert(actor.clone());
        }
    }

    /// Estimates how much memory the graph takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        bytes(self.changes, self.checkpoints, self.actors.len())
    }

    /// Returns whether changes that the document does not hold take no more memory than so many bytes of input allow.
    pub(super) fn has_memory_for(&self, new: &BTreeMap<ChangeHash, ActorId>, input_bytes: usize) -> bool {
        let strangers: BTreeSet<_> = new.values().filter(|actor| !self.actors.contains(actor)).collect();
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

/// A change that waits for others.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub(super) bytes: usize,
    pub(super) actor: ActorId,
}

impl From<&Change> for Orphan {
    fn from(change: &Change) -> Self {
        Self { bytes: change.raw_bytes().len(), actor: change.actor_id().clone() }
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
