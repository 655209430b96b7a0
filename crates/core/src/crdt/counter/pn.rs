//! A counter that goes up and down.

use alloc::vec::Vec;

use super::GCounter;
use crate::clock::ReplicaId;
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A counter that goes up and down: two counters that only grow, and the value is their difference.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | +2 | -3 | -1 |
/// | -1 at value 1 | -1 at value 1 | -1: nothing keeps the sum above zero |
///
/// Costs are those of [`GCounter`], twice.
///
/// *Not for* stock that must not go below zero ([`BoundedCounter`](super::BoundedCounter)), nor inside of maps
/// whose keys are removed ([`ResetCounter`](super::ResetCounter)): it cannot be set back to zero.
///
/// (M. Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", 2011, specification 7.)
///
/// Bytes: the increments and the decrements, each as a [`GCounter`].
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Crdt, PnCounter};
///
/// let (mut ann, mut bob) = (PnCounter::default(), PnCounter::default());
/// let _ = ann.add(ReplicaId(1), 2);
/// let _ = bob.add(ReplicaId(2), -3);
/// ann.merge(&bob);
/// assert_eq!(ann.value(), -1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PnCounter {
    up: GCounter,
    down: GCounter,
}

impl PnCounter {
    /// Adds `amount`, which may be negative, in the name of `replica`.
    pub fn add(&mut self, replica: ReplicaId, amount: i64) -> Delta<Self> {
        let mut delta = Self::default();
        if amount >= 0 {
            delta.up.merge_delta(&self.up.increment(replica, amount.unsigned_abs()));
        } else {
            delta.down.merge_delta(&self.down.increment(replica, amount.unsigned_abs()));
        }
        Delta::of(delta)
    }

    /// Returns the sum of all that was added.
    #[must_use]
    pub fn value(&self) -> i128 {
        // Sums of fewer than 2^63 totals of 64 bits: more replicas than memory holds.
        self.up.value().cast_signed().saturating_sub(self.down.value().cast_signed())
    }
}

impl Crdt for PnCounter {
    fn merge(&mut self, other: &Self) {
        self.up.merge(&other.up);
        self.down.merge(&other.down);
    }
}

impl DeltaCrdt for PnCounter {
    /// The totals themselves, which are the whole state.
    type Digest = Self;

    fn digest(&self) -> Self {
        self.clone()
    }

    fn delta_since(&self, digest: &Self) -> Delta<Self> {
        let (up, down) =
            (self.up.delta_since(&digest.up.digest()), self.down.delta_since(&digest.down.digest()));
        Delta::of(Self { up: up.state().clone(), down: down.state().clone() })
    }
}

impl Codec for PnCounter {
    const BYTES_MIN: usize = 2 * GCounter::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        self.up.encode(out);
        self.down.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { up: GCounter::decode(reader)?, down: GCounter::decode(reader)? })
    }
}

impl Wire for PnCounter {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x11);
    }
}
