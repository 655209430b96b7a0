//! Counters: sums over the events seen.

use syncline_core::clock::ReplicaId;
use syncline_core::crdt::{BoundedCounter, Causal, GCounter, PnCounter, ResetCounter};

use super::of_ours;
use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};

/// Adds some.
pub(crate) struct GrowCounters;

impl Subject for GrowCounters {
    type State = GCounter;
    type Op = u64;
    type View = u128;

    fn ops() -> Vec<u64> {
        vec![1, 5, 0]
    }

    fn apply(state: &mut GCounter, at: At, op: &u64) -> Option<GCounter> {
        Some(state.increment(at.replica, *op).state().clone())
    }

    fn view(state: &GCounter) -> u128 {
        state.value()
    }

    fn expected(graph: &Graph<u64>, seen: Events) -> u128 {
        graph.ops(seen).map(|(_, _, &amount)| u128::from(amount)).sum()
    }

    of_ours!();
}

/// Adds or takes away some.
pub(crate) struct PnCounters;

impl Subject for PnCounters {
    type State = PnCounter;
    type Op = i64;
    type View = i128;

    fn ops() -> Vec<i64> {
        vec![2, -3, i64::MIN]
    }

    fn apply(state: &mut PnCounter, at: At, op: &i64) -> Option<PnCounter> {
        // Totals stop at 64 bits; the specification does not.
        if *op == i64::MIN && at.number > 0 {
            return None;
        }
        Some(state.add(at.replica, *op).state().clone())
    }

    fn view(state: &PnCounter) -> i128 {
        state.value()
    }

    fn expected(graph: &Graph<i64>, seen: Events) -> i128 {
        graph.ops(seen).map(|(_, _, &amount)| i128::from(amount)).sum()
    }

    of_ours!();
}

/// Adds, takes away, or passes rights to a replica.
pub(crate) struct BoundedCounters;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bounded {
    Add(u64),
    Take(u64),
    Pass(u64, ReplicaId),
}

impl Subject for BoundedCounters {
    type State = BoundedCounter;
    type Op = Bounded;
    /// The value, and the rights of replicas 1 and 2.
    type View = (u128, [u64; 2]);

    fn ops() -> Vec<Bounded> {
        vec![
            Bounded::Add(3),
            Bounded::Take(2),
            Bounded::Pass(1, ReplicaId(1)),
            Bounded::Pass(2, ReplicaId(2)),
        ]
    }

    fn apply(state: &mut BoundedCounter, at: At, op: &Bounded) -> Option<BoundedCounter> {
        let delta = match *op {
            Bounded::Add(amount) => state.increment(at.replica, amount),
            Bounded::Take(amount) => state.decrement(at.replica, amount),
            Bounded::Pass(amount, to) => state.transfer(at.replica, to, amount),
        };
        Some(delta.ok()?.state().clone())
    }

    fn view(state: &BoundedCounter) -> (u128, [u64; 2]) {
        (state.value(), [1, 2].map(|replica| state.rights(ReplicaId(replica))))
    }

    fn expected(graph: &Graph<Bounded>, seen: Events) -> (u128, [u64; 2]) {
        let mut value = 0_i128;
        let mut rights = [0_i128; 8];
        for (_, event, op) in graph.ops(seen) {
            let writer = event.replica.0 as usize;
            match *op {
                Bounded::Add(amount) => {
                    value += i128::from(amount);
                    rights[writer] += i128::from(amount);
                }
                Bounded::Take(amount) => {
                    value -= i128::from(amount);
                    rights[writer] -= i128::from(amount);
                }
                Bounded::Pass(amount, to) => {
                    rights[writer] -= i128::from(amount);
                    rights[to.0 as usize] += i128::from(amount);
                }
            }
        }
        assert!(value >= 0 && rights.iter().all(|&rights| rights >= 0), "the bound holds");
        (value.unsigned_abs(), [rights[1], rights[2]].map(|rights| rights as u64))
    }

    of_ours!();
}

/// Adds some, or resets.
pub(crate) struct ResetCounters;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Resettable {
    Add(i64),
    Reset,
}

impl Subject for ResetCounters {
    type State = Causal<ResetCounter>;
    type Op = Resettable;
    type View = i128;

    fn ops() -> Vec<Resettable> {
        vec![Resettable::Add(2), Resettable::Add(-1), Resettable::Reset]
    }

    fn apply(state: &mut Self::State, at: At, op: &Resettable) -> Option<Self::State> {
        let delta = match *op {
            Resettable::Add(amount) => state.add(at.replica, amount),
            Resettable::Reset => state.reset(),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> i128 {
        state.value()
    }

    fn expected(graph: &Graph<Resettable>, seen: Events) -> i128 {
        let resets = graph.numbers(seen, |op| matches!(op, Resettable::Reset));
        let amounts = graph.ops(seen).map(|(n, _, op)| match *op {
            Resettable::Add(amount) if !resets.iter().any(|&reset| graph.saw(reset, n)) => i128::from(amount),
            Resettable::Add(_) | Resettable::Reset => 0,
        });
        amounts.sum()
    }

    of_ours!(causal);
}
