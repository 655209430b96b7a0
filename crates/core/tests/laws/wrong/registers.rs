//! A register in which each value has a clock of its own, and nothing else has.

use syncline_core::clock::VectorClock;

use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};
use crate::laws::subjects::registers::{MvRegisters, Write};

/// Keeps the values whose clocks are not behind that of another. When all are gone, so is what was known of them.
pub(crate) struct ClockForEachValue;

impl Subject for ClockForEachValue {
    type State = Vec<(u8, VectorClock)>;
    type Op = Write;
    type View = Vec<u8>;

    fn ops() -> Vec<Write> {
        MvRegisters::ops()
    }

    fn apply(state: &mut Self::State, at: At, op: &Write) -> Option<Self::State> {
        let mut clock = VectorClock::new();
        state.iter().for_each(|(_, seen)| clock.merge(seen));
        clock.increment(at.replica);
        *state = match op {
            Write::Set => vec![(at.number as u8, clock)],
            Write::Clear => Vec::new(),
        };
        Some(state.clone())
    }

    fn merge(state: &mut Self::State, other: &Self::State) {
        state.extend(other.iter().cloned());
        let all = state.clone();
        state.retain(|(_, clock)| !all.iter().any(|(_, other)| clock < other));
        state.sort_by_key(|(value, _)| *value);
        state.dedup();
    }

    fn view(state: &Self::State) -> Vec<u8> {
        state.iter().map(|(value, _)| *value).collect()
    }

    fn expected(graph: &Graph<Write>, seen: Events) -> Vec<u8> {
        MvRegisters::expected(graph, seen)
    }
}
