//! A counter that only grows.

use alloc::vec::Vec;

use crate::clock::{Dot, ReplicaId, VectorClock};
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A counter that only grows: each replica has a total of its own, and the value is their sum.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | +2 | +3 | 5 |
/// | +2, sent twice | | 2 |
///
/// | operation | cost, n replicas |
/// | --- | --- |
/// | `increment`, `merge_delta` of it | log n; n, one move of memory, for a new replica |
/// | `value`, `digest`, `delta_since`, `merge` | n |
///
/// *Not for* counts that go down ([`PnCounter`](super::PnCounter)), and not for millions of short-lived replicas: each that
/// ever counted keeps its total. A total stops at `u64::MAX`.
///
/// (M. Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", 2011, specification 6.)
///
/// Bytes: a [`VectorClock`] of the totals.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Crdt, DeltaCrdt, GCounter};
///
/// let (mut ann, mut bob) = (GCounter::default(), GCounter::default());
/// let from_ann = ann.increment(ReplicaId(1), 2);
/// let _ = bob.increment(ReplicaId(2), 3);
/// bob.merge_delta(&from_ann);
/// bob.merge_delta(&from_ann); // doubled on the way
/// assert_eq!(bob.value(), 5);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GCounter {
    totals: VectorClock,
}

impl GCounter {
    /// Adds `amount` to the total of `replica`.
    pub fn increment(&mut self, replica: ReplicaId, amount: u64) -> Delta<Self> {
        let total = self.totals.get(replica).saturating_add(amount);
        self.totals.raise(Dot::new(replica, total));
        Delta::of(Self { totals: VectorClock::from_iter([(replica, total)]) })
    }

    /// Returns the sum of all totals.
    #[must_use]
    pub fn value(&self) -> u128 {
        self.totals.iter().map(|(_, total)| u128::from(total)).sum()
    }

    /// Returns the total of one replica.
    #[must_use]
    pub fn total(&self, replica: ReplicaId) -> u64 {
        self.totals.get(replica)
    }
}

impl Crdt for GCounter {
    fn merge(&mut self, other: &Self) {
        self.totals.merge(&other.totals);
    }
}

impl DeltaCrdt for GCounter {
    type Digest = VectorClock;

    fn digest(&self) -> VectorClock {
        self.totals.clone()
    }

    fn delta_since(&self, digest: &VectorClock) -> Delta<Self> {
        Delta::of(Self { totals: self.totals.beyond(digest) })
    }
}

impl Codec for GCounter {
    const BYTES_MIN: usize = VectorClock::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        self.totals.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { totals: VectorClock::decode(reader)? })
    }
}

impl Wire for GCounter {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x10);
    }
}
