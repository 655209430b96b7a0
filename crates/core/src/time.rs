//! Time as a value: it comes in as an argument and never from a clock.

/// A point on the monotonic clock of one process, in milliseconds since that process chose its zero.
///
/// Timers are set on it. It says nothing about dates and does not survive a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonotonicMs(pub u64);

impl MonotonicMs {
    /// Returns the point `ms` milliseconds later; it stops at the end of the range.
    #[must_use]
    pub const fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Returns the milliseconds that passed since `earlier`, or 0 if it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A wall-clock time, in milliseconds since the Unix epoch.
///
/// It is written into records for people to read. Nothing waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WallMs(pub u64);

/// The two clocks, read together at the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For timers.
    pub monotonic: MonotonicMs,
    /// For records.
    pub wall: WallMs,
}
