//! All histories of a small scope.

use syncline_core::clock::ReplicaId;

use super::graph::{Events, Graph};
use super::state;
use super::subject::{At, Breach, Subject};

/// How many replicas there are, and how many operations they make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) replicas: usize,
    pub(crate) operations: usize,
}

/// A history so far.
struct History<S: Subject> {
    graph: Graph<S::Op>,
    replicas: Vec<(S::State, Events)>,
}

impl<S: Subject> Clone for History<S> {
    fn clone(&self) -> Self {
        Self { graph: self.graph.clone(), replicas: self.replicas.clone() }
    }
}

/// Makes every history in which each operation is made by some replica, which may first merge the state of another, and
/// checks reads after each and the laws at each end. Returns how many histories that were.
///
/// # Errors
/// Names the law that does not hold.
pub(crate) fn run<S: Subject>(scope: Scope) -> Result<u64, Breach> {
    let replicas = vec![(S::State::default(), 0); scope.replicas];
    let mut count = 0;
    descend::<S>(&History { graph: Graph::new(), replicas }, &S::ops(), scope.operations, &mut count)?;
    Ok(count)
}

fn descend<S: Subject>(
    history: &History<S>,
    ops: &[S::Op],
    operations: usize,
    count: &mut u64,
) -> Result<(), Breach> {
    if operations == 0 {
        *count += 1;
        return check_end::<S>(history);
    }
    // Which replica comes first does not matter.
    let replicas = if history.graph.events.is_empty() { 1 } else { history.replicas.len() };
    for here in 0..replicas {
        for from in 0..history.replicas.len() {
            let (theirs, seen) = history.replicas[from].clone();
            if from != here && seen & !history.replicas[here].1 == 0 {
                continue; // Nothing new to merge: the same as without.
            }
            for op in ops {
                let mut next = history.clone();
                let copy = &mut next.replicas[here];
                S::merge(&mut copy.0, &theirs);
                copy.1 |= seen;
                if write(&mut next, here, op) {
                    check_view(&next, here)?;
                    descend(&next, ops, operations - 1, count)?;
                }
            }
        }
    }
    Ok(())
}

fn write<S: Subject>(history: &mut History<S>, here: usize, op: &S::Op) -> bool {
    let (state, seen) = &mut history.replicas[here];
    let replica = ReplicaId(here as u64 + 1);
    let at = At { replica, time: history.graph.time_after(*seen), number: history.graph.events.len() };
    let is_done = S::apply(state, at, op).is_some();
    if is_done {
        *seen |= history.graph.add(replica, *seen, Some(op.clone()));
    }
    is_done
}

fn check_view<S: Subject>(history: &History<S>, here: usize) -> Result<(), Breach> {
    let (state, seen) = &history.replicas[here];
    let (got, want) = (S::view(state), S::expected(&history.graph, *seen));
    Breach::unless(got == want, "reads are as specified", || {
        format!("\n  got {got:?}\n  want {want:?}\n  state {state:?}\n  seen {seen:b} of {:?}", history.graph)
    })
}

fn check_end<S: Subject>(history: &History<S>) -> Result<(), Breach> {
    let states: Vec<&S::State> = history.replicas.iter().map(|(state, _)| state).collect();
    let (first, last) = (states[0], states[states.len() - 1]);
    state::check::<S>(first, states[1], last)?;
    let mut merged = history.clone();
    for from in &history.replicas {
        S::merge(&mut merged.replicas[0].0, &from.0);
        merged.replicas[0].1 |= from.1;
    }
    check_view(&merged, 0)
}
