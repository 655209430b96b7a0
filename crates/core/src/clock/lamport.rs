//! Numbers that respect cause and effect.

/// A Lamport clock: what was caused by an event has a larger number than the event.
///
/// The converse does not hold: a larger number may be of an event that knew nothing of the smaller. Numbers of two
/// replicas may be equal; whoever needs a total order compares the replica next. (L. Lamport, "Time, clocks, and the
/// ordering of events in a distributed system", 1978.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LamportClock(u64);

impl LamportClock {
    /// Returns the clock before its first event.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Returns the number of a new event, larger than all seen. At `u64::MAX` it stays there.
    #[must_use]
    pub const fn tick(&mut self) -> u64 {
        self.0 = self.0.saturating_add(1);
        self.0
    }

    /// Notes the number of an event of someone else.
    pub const fn observe(&mut self, seen: u64) {
        if seen > self.0 {
            self.0 = seen;
        }
    }

    /// Returns the largest number seen or drawn.
    #[must_use]
    pub const fn now(self) -> u64 {
        self.0
    }
}
