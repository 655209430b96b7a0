//! Names of replicas and of single events.

use core::fmt;

/// A copy of the data that writes on its own: a device, a tab, a server process.
///
/// At any time one id belongs to one state only. Whoever restores an older copy of its state, or forks it, goes on
/// under a new id: events that are counted twice cannot be told apart and are lost without notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReplicaId(pub u64);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One event: the `counter`-th of its replica, counted from 1.
///
/// Dots are ordered by replica and then by counter; the order says nothing about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dot {
    /// Whose event it is.
    pub replica: ReplicaId,
    /// Its number, from 1. A dot numbered 0 names no event: contexts ignore it.
    pub counter: u64,
}

impl Dot {
    /// Returns the event number `counter` of `replica`.
    #[must_use]
    pub const fn new(replica: ReplicaId, counter: u64) -> Self {
        Self { replica, counter }
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.replica, self.counter)
    }
}
