//! Which events a state still holds.

use alloc::collections::BTreeMap;

use super::DotStore;
use crate::clock::{CausalContext, Dot, Run};

/// The dots of a store as runs, kept beside the store so that nobody walks through it to say what it holds.
///
/// Adding or removing a dot costs the logarithm of the number of runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// From the first dot of each run to the number of its last. No two runs touch.
    runs: BTreeMap<Dot, u64>,
}

impl Live {
    pub(crate) fn of<S: DotStore>(store: &S) -> Self {
        let mut live = Self::default();
        store.dots(&mut |dot| live.insert(dot));
        live
    }

    pub(crate) fn insert(&mut self, dot: Dot) {
        // One search finds the run that the dot continues, and the one that would follow it.
        let next = Dot { counter: dot.counter.saturating_add(1), ..dot };
        let mut known = self.runs.range_mut(..=next);
        let mut before = known.next_back();
        let mut last = dot.counter;
        if let Some((&first, &mut end)) = before
            && first == next
            && next != dot
        {
            last = end;
            before = known.next_back();
        }
        match before {
            Some((&first, end)) if Self::run(first, *end).contains(dot) => return,
            Some((&first, end)) if Self::run(first, *end).touches(Run::of(dot)) => *end = last,
            Some(_) | None => {
                self.runs.insert(dot, last);
            }
        }
        if last > dot.counter {
            self.runs.remove(&next);
        }
    }

    pub(crate) fn remove(&mut self, dot: Dot) {
        let run = self.runs.range(..=dot).next_back().map(|(&first, &last)| Self::run(first, last));
        let Some(run) = run.filter(|run| run.contains(dot)) else { return };
        if run.first < dot.counter {
            self.runs.insert(run.first_dot(), dot.counter - 1);
        } else {
            self.runs.remove(&run.first_dot());
        }
        if dot.counter < run.last {
            self.runs.insert(Dot { counter: dot.counter + 1, ..dot }, run.last);
        }
    }

    pub(crate) fn to_context(&self) -> CausalContext {
        let mut context = CausalContext::new();
        self.runs.iter().for_each(|(&first, &last)| context.push(Self::run(first, last)));
        context
    }

    fn run(first: Dot, last: u64) -> Run {
        Run { replica: first.replica, first: first.counter, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ReplicaId;

    /// Compares with a plain set after each of many insertions and removals of a few dots.
    #[test]
    fn it_is_the_set_of_what_was_inserted_and_not_removed() {
        let (mut live, mut plain) = (Live::default(), alloc::collections::BTreeSet::new());
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let counter = if state >> 60 == 0 { u64::MAX } else { 1 + (state >> 40) % 12 };
            let dot = Dot::new(ReplicaId(state >> 63), counter);
            if state >> 50 & 1 == 0 {
                live.insert(dot);
                plain.insert(dot);
            } else {
                live.remove(dot);
                plain.remove(&dot);
            }
            assert_eq!(live.to_context(), plain.iter().copied().collect());
        }
    }
}
