//! Flags: what no other side has seen decides.

use syncline_core::crdt::{Causal, DisableWinsFlag, EnableWinsFlag};

use super::of_ours;
use super::registers::maximal;
use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};

/// Switches on or off.
pub(crate) struct EnableWinsFlags;

impl Subject for EnableWinsFlags {
    type State = Causal<EnableWinsFlag>;
    type Op = bool;
    type View = bool;

    fn ops() -> Vec<bool> {
        vec![true, false]
    }

    fn apply(state: &mut Self::State, at: At, op: &bool) -> Option<Self::State> {
        let delta = if *op { state.enable(at.replica) } else { state.disable() };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> bool {
        state.is_enabled()
    }

    fn expected(graph: &Graph<bool>, seen: Events) -> bool {
        !maximal(graph, seen, |&is_on| is_on, |_, _| true).is_empty()
    }

    of_ours!(causal);
}

/// Switches on or off.
pub(crate) struct DisableWinsFlags;

impl Subject for DisableWinsFlags {
    type State = Causal<DisableWinsFlag>;
    type Op = bool;
    type View = bool;

    fn ops() -> Vec<bool> {
        vec![true, false]
    }

    fn apply(state: &mut Self::State, at: At, op: &bool) -> Option<Self::State> {
        let delta = if *op { state.enable() } else { state.disable(at.replica) };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> bool {
        state.is_enabled()
    }

    fn expected(graph: &Graph<bool>, seen: Events) -> bool {
        maximal(graph, seen, |&is_on| !is_on, |_, _| true).is_empty()
    }

    of_ours!(causal);
}
