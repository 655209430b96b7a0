//! Sets: which elements are in, by the additions and removals seen.

use std::marker::PhantomData;

use syncline_core::crdt::{Bias, Causal, CausalLengthSet, GSet, LwwElementSet, OrSet, RwSet, TwoPhaseSet};

use super::of_ours;
use super::registers::maximal;
use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    Add(u8),
    Remove(u8),
    Clear,
}

pub(crate) const ELEMENTS: [u8; 2] = [0, 1];

fn adds_and_removes() -> Vec<Change> {
    vec![Change::Add(0), Change::Remove(0), Change::Add(1), Change::Remove(1)]
}

/// Adds.
pub(crate) struct GrowSets;

impl Subject for GrowSets {
    type State = GSet<u8>;
    type Op = u8;
    type View = Vec<u8>;

    fn ops() -> Vec<u8> {
        vec![0, 1, 2]
    }

    fn apply(state: &mut Self::State, _at: At, op: &u8) -> Option<Self::State> {
        Some(state.insert(*op).state().clone())
    }

    fn view(state: &Self::State) -> Vec<u8> {
        state.iter().copied().collect()
    }

    fn expected(graph: &Graph<u8>, seen: Events) -> Vec<u8> {
        let mut elements: Vec<u8> = graph.ops(seen).map(|(_, _, &element)| element).collect();
        elements.sort_unstable();
        elements.dedup();
        elements
    }

    of_ours!();
}

/// Adds, and removes for ever what is there.
pub(crate) struct TwoPhaseSets;

impl Subject for TwoPhaseSets {
    type State = TwoPhaseSet<u8>;
    type Op = Change;
    type View = Vec<u8>;

    fn ops() -> Vec<Change> {
        adds_and_removes()
    }

    fn apply(state: &mut Self::State, _at: At, op: &Change) -> Option<Self::State> {
        let delta = match op {
            Change::Add(element) => state.insert(*element),
            Change::Remove(element) => state.remove(element),
            Change::Clear => return None,
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Vec<u8> {
        state.iter().copied().collect()
    }

    fn expected(graph: &Graph<Change>, seen: Events) -> Vec<u8> {
        let is_in = |element: u8| {
            let added = graph.numbers(seen, |op| *op == Change::Add(element));
            let removed = graph.numbers(seen, |op| *op == Change::Remove(element));
            // A removal of what its writer had not seen added is none.
            let is_removed = removed.iter().any(|&by| added.iter().any(|&n| graph.saw(by, n)));
            !added.is_empty() && !is_removed
        };
        ELEMENTS.into_iter().filter(|&element| is_in(element)).collect()
    }

    of_ours!();
}

/// Adds, removes, clears.
pub(crate) struct OrSets;

impl Subject for OrSets {
    type State = Causal<OrSet<u8>>;
    type Op = Change;
    type View = Vec<u8>;

    fn ops() -> Vec<Change> {
        vec![Change::Add(0), Change::Remove(0), Change::Add(1), Change::Clear]
    }

    fn apply(state: &mut Self::State, at: At, op: &Change) -> Option<Self::State> {
        let delta = match op {
            Change::Add(element) => state.add(at.replica, *element),
            Change::Remove(element) => state.remove(element),
            Change::Clear => state.clear(),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Vec<u8> {
        state.iter().copied().collect()
    }

    fn expected(graph: &Graph<Change>, seen: Events) -> Vec<u8> {
        let is_in = |element: u8| {
            let (add, remove) = (Change::Add(element), Change::Remove(element));
            // An addition takes the place of those that it has seen.
            let replaces = |op: &Change, _: &Change| *op == Change::Clear || *op == remove || *op == add;
            !maximal(graph, seen, |op| *op == add, replaces).is_empty()
        };
        ELEMENTS.into_iter().filter(|&element| is_in(element)).collect()
    }

    of_ours!(causal);
}

/// Adds and removes; removals win.
pub(crate) struct RwSets;

impl Subject for RwSets {
    type State = Causal<RwSet<u8>>;
    type Op = Change;
    type View = Vec<u8>;

    fn ops() -> Vec<Change> {
        adds_and_removes()
    }

    fn apply(state: &mut Self::State, at: At, op: &Change) -> Option<Self::State> {
        let delta = match op {
            Change::Add(element) => state.add(at.replica, *element),
            Change::Remove(element) => state.remove(at.replica, *element),
            Change::Clear => return None,
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Vec<u8> {
        state.iter().copied().collect()
    }

    fn expected(graph: &Graph<Change>, seen: Events) -> Vec<u8> {
        let is_in = |element: u8| {
            let (add, remove) = (Change::Add(element), Change::Remove(element));
            let is_of = |op: &Change, _: &Change| *op == add || *op == remove;
            !maximal(graph, seen, |op| *op == add, is_of).is_empty()
                && maximal(graph, seen, |op| *op == remove, is_of).is_empty()
        };
        ELEMENTS.into_iter().filter(|&element| is_in(element)).collect()
    }

    of_ours!(causal);
}

/// Adds and removes at the time of the event.
pub(crate) struct LwwElementSets<B>(PhantomData<B>);

impl<B: Bias> Subject for LwwElementSets<B> {
    type State = LwwElementSet<u8, B>;
    type Op = Change;
    type View = Vec<u8>;

    fn ops() -> Vec<Change> {
        adds_and_removes()
    }

    fn apply(state: &mut Self::State, at: At, op: &Change) -> Option<Self::State> {
        let delta = match op {
            Change::Add(element) => state.insert(at.hybrid(), *element),
            Change::Remove(element) => state.remove(at.hybrid(), *element),
            Change::Clear => return None,
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Vec<u8> {
        state.iter().copied().collect()
    }

    fn expected(graph: &Graph<Change>, seen: Events) -> Vec<u8> {
        let is_in = |element: u8| {
            let latest = |wanted: Change| {
                graph.ops(seen).filter(|(_, _, op)| **op == wanted).map(|(_, event, _)| event.time).max()
            };
            match (latest(Change::Add(element)), latest(Change::Remove(element))) {
                (Some(added), Some(removed)) => added > removed || added == removed && B::ADD_WINS,
                (added, None) => added.is_some(),
                (None, Some(_)) => false,
            }
        };
        ELEMENTS.into_iter().filter(|&element| is_in(element)).collect()
    }

    of_ours!();
}

/// Adds what is not there, removes what is.
pub(crate) struct CausalLengthSets;

impl Subject for CausalLengthSets {
    type State = CausalLengthSet<u8>;
    type Op = Change;
    type View = Vec<u64>;

    fn ops() -> Vec<Change> {
        adds_and_removes()
    }

    fn apply(state: &mut Self::State, _at: At, op: &Change) -> Option<Self::State> {
        let delta = match op {
            Change::Add(element) => state.insert(*element),
            Change::Remove(element) => state.remove(element),
            Change::Clear => return None,
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Vec<u64> {
        ELEMENTS.iter().map(|element| state.length(element)).collect()
    }

    /// The longest chain of events that each saw the one before and turned it round.
    fn expected(graph: &Graph<Change>, seen: Events) -> Vec<u64> {
        let length = |element: u8| {
            let mut lengths = vec![0_u64; graph.events.len()];
            for (n, _, op) in graph.ops(seen) {
                let before =
                    (0..n).filter(|&earlier| graph.saw(n, earlier)).map(|earlier| lengths[earlier]).max();
                let before = before.unwrap_or(0);
                let turns = *op == Change::Add(element) && before % 2 == 0
                    || *op == Change::Remove(element) && before % 2 == 1;
                // What turns nothing leaves no trace for those who see it alone.
                lengths[n] = if turns { before + 1 } else { 0 };
            }
            lengths.into_iter().max().unwrap_or(0)
        };
        ELEMENTS.into_iter().map(length).collect()
    }

    of_ours!();
}
