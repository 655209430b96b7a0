//! Exactly which events have been seen.

use alloc::vec::Vec;

use super::runs::Runs;
use super::{Dot, ReplicaId, Run, VectorClock};

/// A causal context: a set of events, kept as runs of events that follow each other.
///
/// A replica that has received everything needs one run for each replica it has heard of, as a vector clock would. What
/// arrives early opens a gap and costs one more run until the gap closes. So this holds what a dotted version vector
/// holds (N. Preguiça et al., "Dotted version vectors", 2010) with nothing left to compact: equal contexts are equal in
/// structure.
///
/// | operation | cost, n runs |
/// | --- | --- |
/// | `contains`, `next`, `insert` at the end of a run | log n |
/// | `insert` that opens a gap | n, one move of memory |
/// | `merge` with far fewer runs | those of the other, each log n |
/// | `merge`, `difference`, `intersection`, `contains_all` | n of both |
///
/// # Examples
///
/// ```
/// use syncline_core::clock::{CausalContext, Dot, ReplicaId};
///
/// let ann = ReplicaId(1);
/// let mut seen: CausalContext = [Dot::new(ann, 1), Dot::new(ann, 3)].into_iter().collect();
/// assert_eq!(seen.runs().len(), 2); // 2 is missing
/// assert_eq!(seen.next(ann), Dot::new(ann, 4));
/// seen.insert(Dot::new(ann, 2));
/// assert_eq!(seen.runs().len(), 1); // 1 to 3
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CausalContext {
    /// Ascending; none is empty, begins at 0, or touches another.
    runs: Runs,
}

impl CausalContext {
    /// Returns the empty context.
    #[must_use]
    pub const fn new() -> Self {
        Self { runs: Runs::new() }
    }

    /// Adds an event and returns whether it is new.
    pub fn insert(&mut self, dot: Dot) -> bool {
        if dot.counter == 0 || self.contains(dot) {
            return false;
        }
        self.insert_run(Run::of(dot));
        true
    }

    /// Adds all events of a run. An empty one, or one that begins at 0, is ignored.
    pub fn insert_run(&mut self, run: Run) {
        if run.first == 0 || run.last < run.first {
            return;
        }
        let from = self.runs.partition_point(|known| known.is_apart_before(run));
        let len = self.runs[from..].iter().take_while(|known| known.touches(run)).count();
        match self.runs[from..from + len] {
            [] => self.runs.insert(from, run),
            [known] => self.runs.as_mut_slice()[from] = joined(known, run),
            [known, .., last] => {
                self.runs.as_mut_slice()[from] = joined(joined(known, run), last);
                self.runs.to_mut().drain(from + 1..from + len);
            }
        }
    }

    /// Adds the [`next`](Self::next) event of `replica` and returns it.
    pub fn increment(&mut self, replica: ReplicaId) -> Dot {
        let end = self.runs.partition_point(|run| run.replica <= replica);
        let last = end.checked_sub(1).and_then(|at| self.runs.as_mut_slice().get_mut(at));
        match last.filter(|run| run.replica == replica) {
            Some(run) => {
                run.last = run.last.saturating_add(1);
                run.last_dot()
            }
            None => {
                let dot = Dot::new(replica, 1);
                self.runs.insert(end, Run::of(dot));
                dot
            }
        }
    }

    /// Adds all events of `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.runs.len().saturating_mul(8) < self.runs.len() || other.runs.len() < 2 {
            other.runs.iter().for_each(|&run| self.insert_run(run));
        } else if self.runs != other.runs {
            let mut merged = Self { runs: Vec::with_capacity(self.runs.len().max(other.runs.len())).into() };
            let (mut ours, mut theirs) = (self.runs.iter().peekable(), other.runs.iter().peekable());
            while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
                let least = if a <= b { ours.next() } else { theirs.next() };
                least.into_iter().for_each(|&run| merged.push(run));
            }
            ours.chain(theirs).for_each(|&run| merged.push(run));
            *self = merged;
        }
    }

    /// Returns the event that `replica` numbers next: one after its last in this context.
    ///
    /// A replica that is at `u64::MAX` stays there.
    #[must_use]
    pub fn next(&self, replica: ReplicaId) -> Dot {
        Dot::new(replica, self.last(replica).saturating_add(1))
    }

    /// Returns the number of the last event of `replica`, gaps or not, or 0.
    #[must_use]
    pub fn last(&self, replica: ReplicaId) -> u64 {
        let end = self.runs.partition_point(|run| run.replica <= replica);
        let last = end.checked_sub(1).map(|at| self.runs[at]);
        last.map_or(0, |run| if run.replica == replica { run.last } else { 0 })
    }

    /// Returns whether the event is in the context.
    #[must_use]
    pub fn contains(&self, dot: Dot) -> bool {
        self.contains_run(Run::of(dot))
    }

    /// Returns whether all events of `other` are in the context.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        other.runs.iter().all(|&run| self.contains_run(run))
    }

    /// Returns whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Returns the runs, ascending; no two of them touch.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Returns the events of this context that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        let mut theirs = other.runs();
        'runs: for &run in self.runs() {
            theirs = &theirs[theirs.partition_point(|their| their.last_dot() < run.first_dot())..];
            let mut first = run.first;
            for their in theirs.iter().take_while(|their| their.first_dot() <= run.last_dot()) {
                if first < their.first {
                    runs.push(Run { first, last: their.first - 1, ..run });
                }
                // At the end of the range nothing is left behind `their`.
                let Some(next) = their.last.checked_add(1) else { continue 'runs };
                first = next;
            }
            if first <= run.last {
                runs.push(Run { first, ..run });
            }
        }
        Self { runs: runs.into() }
    }

    /// Returns the events that both have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        let mut theirs = other.runs();
        for &run in self.runs() {
            theirs = &theirs[theirs.partition_point(|their| their.last_dot() < run.first_dot())..];
            for their in theirs.iter().take_while(|their| their.first_dot() <= run.last_dot()) {
                runs.push(Run { first: run.first.max(their.first), last: run.last.min(their.last), ..run });
            }
        }
        Self { runs: runs.into() }
    }

    /// Returns what has been seen without gaps, from each replica's first event on.
    #[must_use]
    pub fn to_vector(&self) -> VectorClock {
        let mut clock = VectorClock::new();
        let gapless = self.runs.iter().filter(|run| run.first == 1);
        gapless.for_each(|run| clock.push(run.replica, run.last));
        clock
    }

    /// Returns the replicas that have events here, ascending.
    pub(crate) fn replicas(&self) -> Vec<ReplicaId> {
        let mut replicas: Vec<ReplicaId> = self.runs.iter().map(|run| run.replica).collect();
        replicas.dedup();
        replicas
    }

    /// Returns the events of a run, which is not empty and does not begin at 0.
    pub(crate) fn of_run(run: Run) -> Self {
        Self { runs: Runs::One(run) }
    }

    /// Adds a run that begins at or behind the first event of the last one.
    pub(crate) fn push(&mut self, run: Run) {
        match self.runs.as_mut_slice().last_mut() {
            Some(last) if last.touches(run) => *last = joined(*last, run),
            Some(_) | None => self.runs.insert(self.runs.len(), run),
        }
    }

    fn contains_run(&self, run: Run) -> bool {
        let at = self.runs.partition_point(|known| known.last_dot() < run.first_dot());
        self.runs
            .get(at)
            .is_some_and(|known| known.contains(run.first_dot()) && known.contains(run.last_dot()))
    }
}

impl From<&VectorClock> for CausalContext {
    fn from(clock: &VectorClock) -> Self {
        let runs: Vec<Run> = clock.iter().map(|(replica, last)| Run { replica, first: 1, last }).collect();
        Self { runs: runs.into() }
    }
}

impl FromIterator<Dot> for CausalContext {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        let mut context = Self::new();
        dots.into_iter().for_each(|dot| context.insert_run(Run::of(dot)));
        context
    }
}

fn joined(a: Run, b: Run) -> Run {
    Run { replica: a.replica, first: a.first.min(b.first), last: a.last.max(b.last) }
}
