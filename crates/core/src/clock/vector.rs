//! How far each replica has been seen, without gaps.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Dot, ReplicaId};

/// A vector clock: of each replica all events up to a number, and no others.
///
/// Replicas of which nothing has been seen are absent, so two clocks are equal exactly if they mean the same. `<=` is the
/// partial order of Fidge and Mattern (C. Fidge, "Timestamps in message-passing systems that preserve the partial
/// ordering", 1988; F. Mattern, "Virtual time and global states of distributed systems", 1989): clocks that each hold
/// something that the other lacks do not compare.
///
/// | operation | cost, n replicas |
/// | --- | --- |
/// | `get`, `contains`, raising a known replica | log n |
/// | a new replica | n, one move of memory |
/// | `merge`, comparison | n of both; nothing is allocated unless the other has new replicas |
///
/// # Examples
///
/// ```
/// use syncline_core::clock::{ReplicaId, VectorClock};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut ours = VectorClock::new();
/// ours.increment(ann);
/// let mut theirs = ours.clone();
/// theirs.increment(bob);
/// assert!(ours < theirs);
///
/// ours.increment(ann);
/// assert_eq!(ours.partial_cmp(&theirs), None); // concurrent
/// ours.merge(&theirs);
/// assert!(ours > theirs);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VectorClock {
    /// Ascending by replica; no number is zero.
    entries: Vec<(ReplicaId, u64)>,
}

impl VectorClock {
    /// Returns the clock that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Counts one more event of `replica` and returns it. A replica that is at `u64::MAX` stays there.
    pub fn increment(&mut self, replica: ReplicaId) -> Dot {
        let dot = Dot::new(replica, self.get(replica).saturating_add(1));
        self.raise(dot);
        dot
    }

    /// Notes that all events of the dot's replica up to it have been seen; returns whether that is new.
    pub fn raise(&mut self, dot: Dot) -> bool {
        match self.find(dot.replica) {
            Ok(at) if self.entries[at].1 >= dot.counter => false,
            Ok(at) => {
                self.entries[at].1 = dot.counter;
                true
            }
            Err(_) if dot.counter == 0 => false,
            Err(at) => {
                self.entries.insert(at, (dot.replica, dot.counter));
                true
            }
        }
    }

    /// Takes in all that `other` has seen: the maximum for each replica.
    pub fn merge(&mut self, other: &Self) {
        if other.entries.len().saturating_mul(8) < self.entries.len() {
            other.entries.iter().for_each(|&(replica, counter)| {
                self.raise(Dot::new(replica, counter));
            });
        } else if !self.merge_in_place(other) {
            self.entries = merged(&self.entries, &other.entries);
        }
    }

    /// Returns the number of the last event seen of `replica`, or 0.
    #[must_use]
    pub fn get(&self, replica: ReplicaId) -> u64 {
        self.find(replica).map_or(0, |at| self.entries[at].1)
    }

    /// Returns whether the event has been seen.
    #[must_use]
    pub fn contains(&self, dot: Dot) -> bool {
        0 < dot.counter && dot.counter <= self.get(dot.replica)
    }

    /// Returns whether nothing has been seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many replicas have been seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns each replica with the number of its last event, by ascending replica.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ReplicaId, u64)> + '_ {
        self.entries.iter().copied()
    }

    /// Returns what both have seen: the minimum for each replica.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let lower = self.iter().map(|(replica, counter)| (replica, counter.min(other.get(replica))));
        Self { entries: lower.filter(|&(_, counter)| counter > 0).collect() }
    }

    /// Returns the entries that are beyond `other`, as they are here.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let mut theirs = other.entries.iter().peekable();
        let mut entries = Vec::new();
        for &(replica, counter) in &self.entries {
            while theirs.next_if(|&&(their, _)| their < replica).is_some() {}
            let known = theirs.peek().map_or(0, |&&(their, known)| if their == replica { known } else { 0 });
            if counter > known {
                entries.push((replica, counter));
            }
        }
        Self { entries }
    }

    /// Adds an entry behind all others. The caller has checked that it is, and that it is not zero.
    pub(crate) fn push(&mut self, replica: ReplicaId, counter: u64) {
        self.entries.push((replica, counter));
    }

    /// Raises the entries that both have and returns true, unless `other` has replicas that we lack.
    fn merge_in_place(&mut self, other: &Self) -> bool {
        let mut ours = self.entries.iter_mut();
        for &(replica, counter) in &other.entries {
            // What has been raised by then is not wrong: the merge that follows raises it to the same.
            match ours.find(|(our, _)| *our >= replica) {
                Some((our, known)) if *our == replica => *known = counter.max(*known),
                Some(_) | None => return false,
            }
        }
        true
    }

    fn find(&self, replica: ReplicaId) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&replica, |&(known, _)| known)
    }
}

impl PartialOrd for VectorClock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let (mut behind, mut ahead) = (false, false);
        let (mut ours, mut theirs) = (self.entries.iter().peekable(), other.entries.iter().peekable());
        loop {
            let order = match (ours.peek(), theirs.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((our, _)), Some((their, _))) => our.cmp(their),
            };
            let ours = if order.is_le() { ours.next().map_or(0, |&(_, counter)| counter) } else { 0 };
            let theirs = if order.is_ge() { theirs.next().map_or(0, |&(_, counter)| counter) } else { 0 };
            behind |= ours < theirs;
            ahead |= ours > theirs;
        }
        match (behind, ahead) {
            (false, false) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (true, true) => None,
        }
    }
}

impl FromIterator<(ReplicaId, u64)> for VectorClock {
    fn from_iter<I: IntoIterator<Item = (ReplicaId, u64)>>(entries: I) -> Self {
        let mut clock = Self::new();
        for (replica, counter) in entries {
            clock.raise(Dot::new(replica, counter));
        }
        clock
    }
}

fn merged(ours: &[(ReplicaId, u64)], theirs: &[(ReplicaId, u64)]) -> Vec<(ReplicaId, u64)> {
    let mut entries = Vec::with_capacity(ours.len().max(theirs.len()));
    let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
    while let (Some(&&(our, a)), Some(&&(their, b))) = (ours.peek(), theirs.peek()) {
        if our <= their {
            ours.next();
        }
        if their <= our {
            theirs.next();
        }
        entries.push(match our.cmp(&their) {
            Ordering::Less => (our, a),
            Ordering::Equal => (our, a.max(b)),
            Ordering::Greater => (their, b),
        });
    }
    entries.extend(ours.chain(theirs));
    entries
}
