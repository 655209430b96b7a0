//! Events of one replica that follow each other.

use super::{Dot, ReplicaId};

/// The events `first` to `last` of a replica, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// Whose events they are.
    pub replica: ReplicaId,
    /// The number of the first, from 1.
    pub first: u64,
    /// The number of the last, at least `first`.
    pub last: u64,
}

impl Run {
    /// Returns the run of one event.
    #[must_use]
    pub const fn of(dot: Dot) -> Self {
        Self { replica: dot.replica, first: dot.counter, last: dot.counter }
    }

    /// Returns the first event.
    #[must_use]
    pub const fn first_dot(self) -> Dot {
        Dot::new(self.replica, self.first)
    }

    /// Returns the last event.
    #[must_use]
    pub const fn last_dot(self) -> Dot {
        Dot::new(self.replica, self.last)
    }

    /// Returns whether `dot` is one of these events.
    #[must_use]
    pub fn contains(self, dot: Dot) -> bool {
        self.replica == dot.replica && self.first <= dot.counter && dot.counter <= self.last
    }

    /// Returns whether the two could be written as one: they overlap, or one begins where the other ends.
    pub(crate) fn touches(self, other: Self) -> bool {
        self.replica == other.replica
            && self.first <= other.last.saturating_add(1)
            && other.first <= self.last.saturating_add(1)
    }

    /// Returns whether all events of `self` come before `other`, with a gap between them.
    pub(crate) fn is_apart_before(self, other: Self) -> bool {
        (self.replica, self.last.saturating_add(1)) < (other.replica, other.first)
    }
}
