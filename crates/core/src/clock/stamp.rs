//! Stamps of a hybrid clock.

use core::fmt;

use super::ReplicaId;
use crate::time::WallMs;

/// A time of a hybrid clock: 48 bits of milliseconds since the Unix epoch, then a 16-bit counter within the millisecond.
///
/// The milliseconds reach to the year 10889.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HybridTime(u64);

impl HybridTime {
    /// The last time that there is.
    pub const MAX: Self = Self(u64::MAX);

    /// Returns the time from its two parts. Milliseconds beyond 48 bits become the last millisecond.
    #[must_use]
    pub const fn new(at: WallMs, counter: u16) -> Self {
        let millis = if at.0 >> 48 == 0 { at.0 } else { (1 << 48) - 1 };
        Self(millis << 16 | counter as u64)
    }

    /// Returns the time whose milliseconds are the upper 48 bits and whose counter is the lower 16.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns both parts as one number, as [`from_bits`](Self::from_bits) takes it.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Returns the milliseconds.
    #[must_use]
    pub const fn wall(self) -> WallMs {
        WallMs(self.0 >> 16)
    }

    /// Returns the counter within the millisecond.
    #[must_use]
    pub const fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// Returns the time that follows, in the next millisecond when the counter is used up; none follows the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }
}

impl fmt::Display for HybridTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.wall().0, self.counter())
    }
}

/// When a write happened and where: a total order in which what was caused by a write is later than it.
///
/// A stamp belongs to one write. Draw it from a [`HybridClock`](super::HybridClock), or number writes yourself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp {
    /// Compared first.
    pub time: HybridTime,
    /// Decides between equal times.
    pub replica: ReplicaId,
}

impl Timestamp {
    /// Returns the stamp of `replica` at `time`.
    #[must_use]
    pub const fn new(time: HybridTime, replica: ReplicaId) -> Self {
        Self { time, replica }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.time, self.replica)
    }
}
