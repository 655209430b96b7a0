//! Registers: the greatest write, and the maximal ones.

use syncline_core::crdt::{Causal, LwwRegister, MvRegister};

use super::of_ours;
use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};

/// Writes, at the time of the event.
pub(crate) struct LwwRegisters;

impl Subject for LwwRegisters {
    type State = LwwRegister<u8>;
    type Op = u8;
    type View = Option<u8>;

    fn ops() -> Vec<u8> {
        vec![0, 7, 3]
    }

    fn apply(state: &mut Self::State, at: At, op: &u8) -> Option<Self::State> {
        Some(state.set(at.stamp(), *op).state().clone())
    }

    fn view(state: &Self::State) -> Option<u8> {
        state.get().copied()
    }

    fn expected(graph: &Graph<u8>, seen: Events) -> Option<u8> {
        let latest = graph.ops(seen).max_by_key(|(_, event, _)| (event.time, event.replica));
        latest.map(|(_, _, &value)| value)
    }

    of_ours!();
}

/// Writes the number of the event, or clears.
pub(crate) struct MvRegisters;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Write {
    Set,
    Clear,
}

impl Subject for MvRegisters {
    type State = Causal<MvRegister<u8>>;
    type Op = Write;
    type View = Vec<u8>;

    fn ops() -> Vec<Write> {
        vec![Write::Set, Write::Clear]
    }

    fn apply(state: &mut Self::State, at: At, op: &Write) -> Option<Self::State> {
        let delta = match op {
            Write::Set => state.set(at.replica, at.number as u8),
            Write::Clear => state.clear(),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Vec<u8> {
        let mut values: Vec<u8> = state.values().copied().collect();
        values.sort_unstable();
        values
    }

    fn expected(graph: &Graph<Write>, seen: Events) -> Vec<u8> {
        maximal(graph, seen, |op| *op == Write::Set, |_, _| true).into_iter().map(|n| n as u8).collect()
    }

    of_ours!(causal);
}

/// Returns the events that `is_it` holds for and that no event that replaces them has seen.
pub(crate) fn maximal<Op>(
    graph: &Graph<Op>,
    seen: Events,
    is_it: impl Fn(&Op) -> bool,
    replaces: impl Fn(&Op, &Op) -> bool,
) -> Vec<usize> {
    let is_maximal =
        |n: usize, op: &Op| !graph.ops(seen).any(|(by, _, other)| replaces(other, op) && graph.saw(by, n));
    let found = graph.ops(seen).filter(|(n, _, op)| is_it(op) && is_maximal(*n, op));
    found.map(|(n, _, _)| n).collect()
}
