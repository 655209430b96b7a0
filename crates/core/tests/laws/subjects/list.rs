//! The list: what is in it, and in which order.

use std::collections::BTreeSet;

use syncline_core::clock::ReplicaId;
use syncline_core::crdt::{Causal, Rga};

use super::of_ours;
use crate::laws::graph::{Events, Graph, has};
use crate::laws::subject::{At, Subject};

/// Inserts the number of the event, or deletes, at an index.
pub(crate) struct Lists;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    Insert(usize),
    Delete(usize),
}

impl Subject for Lists {
    type State = Causal<Rga<u8>>;
    type Op = Edit;
    type View = Reading;

    fn ops() -> Vec<Edit> {
        vec![Edit::Insert(0), Edit::Insert(1), Edit::Delete(0), Edit::Insert(9), Edit::Delete(1)]
    }

    fn apply(state: &mut Self::State, at: At, op: &Edit) -> Option<Self::State> {
        let delta = match *op {
            Edit::Insert(index) => state.insert(at.replica, index, at.number as u8),
            Edit::Delete(index) => state.delete(at.replica, index),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Reading {
        assert_eq!(state.iter().count(), state.len());
        assert!((0..=state.len()).all(|index| state.get(index) == state.iter().nth(index)));
        Reading(Some(state.iter().copied().collect()))
    }

    fn expected(graph: &Graph<Edit>, seen: Events) -> Reading {
        let has_dropped =
            |events: Events| (0..graph.events.len()).any(|n| has(events, n) && graph.events[n].op.is_none());
        let is_open =
            graph.ops(seen).any(|(_, event, op)| matches!(op, Edit::Insert(_)) && has_dropped(event.sees));
        Reading((!is_open).then(|| Replay::new(graph).read(seen)))
    }

    of_ours!(causal);
}

/// The elements in their order, or nothing where the specification leaves the order open: an insertion ranks after those that
/// its writer still holds, and one who has dropped deleted elements holds fewer, so that it may stand on either side of one
/// made at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Reading(Option<Vec<u8>>);

impl PartialEq for Reading {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_none() || other.0.is_none() || self.0 == other.0
    }
}

/// What each event did, found by reading again what its writer had seen: the tree in which each element stands behind the
/// one that was left of it, siblings latest first.
struct Replay<'a> {
    graph: &'a Graph<Edit>,
    /// For each insertion the element it was inserted behind; for each deletion the element that it deleted.
    targets: Vec<Option<usize>>,
    /// For each event one more than that of all elements that its writer knew of.
    ranks: Vec<u64>,
}

impl<'a> Replay<'a> {
    fn new(graph: &'a Graph<Edit>) -> Self {
        let mut replay = Self { graph, targets: Vec::new(), ranks: Vec::new() };
        for event in &graph.events {
            let list = replay.read(event.sees);
            let target = match event.op {
                Some(Edit::Insert(index)) => index.min(list.len()).checked_sub(1).map(|before| list[before]),
                Some(Edit::Delete(index)) => list.get(index).copied(),
                None => None,
            };
            let above = replay.known(event.sees).into_iter().map(|known| replay.ranks[known]).max();
            replay.targets.push(target.map(usize::from));
            replay.ranks.push(1 + above.unwrap_or(0));
        }
        replay
    }

    fn read(&self, seen: Events) -> Vec<u8> {
        let mut order = Vec::new();
        self.visit(seen, None, &mut order);
        let deleted = self.graph.ops(seen).filter(|(_, _, op)| matches!(op, Edit::Delete(_)));
        let deleted: Vec<Option<usize>> = deleted.map(|(n, _, _)| self.targets[n]).collect();
        order.retain(|&n| !deleted.contains(&Some(n)));
        order.into_iter().map(|n| n as u8).collect()
    }

    fn visit(&self, seen: Events, behind: Option<usize>, order: &mut Vec<usize>) {
        let known = self.known(seen).into_iter().filter(|&n| self.targets[n] == behind);
        let mut siblings: Vec<(u64, ReplicaId, usize)> =
            known.map(|n| (self.ranks[n], self.graph.events[n].replica, n)).collect();
        siblings.sort_unstable();
        for &(_, _, n) in siblings.iter().rev() {
            order.push(n);
            self.visit(seen, Some(n), order);
        }
    }

    /// The elements of which an insertion or a deletion is in `seen`: a deletion says where its element stood.
    fn known(&self, seen: Events) -> BTreeSet<usize> {
        let known = self.graph.ops(seen).filter_map(|(n, _, op)| match op {
            Edit::Insert(_) => Some(n),
            Edit::Delete(_) => self.targets[n],
        });
        known.collect()
    }
}
