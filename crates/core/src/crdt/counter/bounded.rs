//! A counter that never goes below zero.

use alloc::vec::Vec;

use crate::clock::ReplicaId;
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::points::{Maximum, Points};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A counter that never goes below zero, without asking anyone: a replica may take away only what it holds rights for.
///
/// Who adds, gets the rights to take away as much. Rights are passed to others with [`transfer`](Self::transfer); they are
/// spent by [`decrement`](Self::decrement).
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | +10, passes 4 to Bob | | 10; Ann may take 6, Bob 4 |
/// | -6 | -4 | 0 |
/// | -1 with no rights left | | refused with [`RightsError`], though others may hold rights |
///
/// | operation | cost, n pairs of replicas that passed rights |
/// | --- | --- |
/// | mutators, `merge_delta` of one | n for the rights, log n for the rest |
/// | `value`, `rights`, `digest`, `delta_since`, `merge` | n |
///
/// *Not for* replicas that come and go: the rights of one that is lost are lost with it. For another bound than zero count
/// the distance from it; for an upper bound count what is free.
///
/// (V. Balegas et al., "Extending eventually consistent cloud databases for enforcing numeric invariants", 2015.)
///
/// Bytes: what was passed: count, and of each pair, ascending: from, to (for what a replica added itself: twice its id), the
/// total; what was spent: count, and of each replica, ascending: the id, the total.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{BoundedCounter, DeltaCrdt};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut at_ann = BoundedCounter::default();
/// let _ = at_ann.increment(ann, 10)?;
/// let _ = at_ann.transfer(ann, bob, 4)?;
///
/// let mut at_bob = BoundedCounter::default();
/// at_bob.merge_delta(&at_ann.delta_since(&at_bob.digest()));
/// assert!(at_bob.decrement(bob, 5).is_err());
/// let _ = at_bob.decrement(bob, 4)?;
/// assert_eq!(at_bob.value(), 6);
/// # Ok::<(), syncline_core::crdt::RightsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundedCounter {
    /// Totals passed from one replica to another; from one to itself: what it added.
    passed: Points<(ReplicaId, ReplicaId), Maximum>,
    spent: Points<ReplicaId, Maximum>,
}

/// Why a bounded counter refuses a change. The caller is at fault, or has to ask another replica for rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RightsError {
    /// The replica does not hold enough rights, as far as it knows.
    #[error("{replica} holds {rights} rights (needs {needed})")]
    Missing {
        /// The replica.
        replica: ReplicaId,
        /// What it holds.
        rights: u64,
        /// What the change takes.
        needed: u64,
    },
    /// A total would leave 64 bits.
    #[error("a total would be larger than 64 bits hold")]
    Overflow,
}

impl BoundedCounter {
    /// Adds `amount`, and gives `replica` the rights to take it away again.
    ///
    /// # Errors
    /// [`RightsError::Overflow`] if all that the replica ever added leaves 64 bits.
    pub fn increment(&mut self, replica: ReplicaId, amount: u64) -> Result<Delta<Self>, RightsError> {
        self.pass(replica, replica, amount)
    }

    /// Takes `amount` away, spending rights of `replica`.
    ///
    /// # Errors
    /// [`RightsError::Missing`] if it holds fewer; [`RightsError::Overflow`] if all that it ever spent leaves 64 bits.
    pub fn decrement(&mut self, replica: ReplicaId, amount: u64) -> Result<Delta<Self>, RightsError> {
        self.check(replica, amount)?;
        let total = self.spent.get(&replica).map_or(0, |spent| spent.0);
        let total = total.checked_add(amount).ok_or(RightsError::Overflow)?;
        let mut delta = Self::default();
        delta.spent.raise(replica, Maximum(total));
        self.merge(&delta);
        Ok(Delta::of(delta))
    }

    /// Passes rights of `from` to `to`. Passing to oneself changes nothing.
    ///
    /// # Errors
    /// [`RightsError::Missing`] if it holds fewer; [`RightsError::Overflow`] if all that it ever passed to `to` leaves 64
    /// bits.
    pub fn transfer(
        &mut self,
        from: ReplicaId,
        to: ReplicaId,
        amount: u64,
    ) -> Result<Delta<Self>, RightsError> {
        self.check(from, amount)?;
        self.pass(from, to, if from == to { 0 } else { amount })
    }

    /// Returns the value: all that was added less all that was taken away.
    ///
    /// It is never below zero where all changes have arrived; where a removal came before what it rests on, 0 is read.
    #[must_use]
    pub fn value(&self) -> u128 {
        let added =
            self.passed.iter().filter(|((from, to), _)| from == to).map(|(_, total)| u128::from(total.0));
        let spent: u128 = self.spent.iter().map(|(_, total)| u128::from(total.0)).sum();
        added.sum::<u128>().saturating_sub(spent)
    }

    /// Returns how much `replica` may take away, as far as this replica knows. Of itself a replica knows the least.
    #[must_use]
    pub fn rights(&self, replica: ReplicaId) -> u64 {
        let (mut gained, mut lost) = (0_u128, 0_u128);
        for (&(from, to), &Maximum(total)) in self.passed.iter() {
            gained += if to == replica { total.into() } else { 0 };
            lost += if from == replica && to != replica { total.into() } else { 0 };
        }
        lost += self.spent.get(&replica).map_or(0, |spent| spent.0.into());
        u64::try_from(gained.saturating_sub(lost)).unwrap_or(u64::MAX)
    }

    fn check(&self, replica: ReplicaId, needed: u64) -> Result<(), RightsError> {
        let rights = self.rights(replica);
        if needed <= rights { Ok(()) } else { Err(RightsError::Missing { replica, rights, needed }) }
    }

    fn pass(&mut self, from: ReplicaId, to: ReplicaId, amount: u64) -> Result<Delta<Self>, RightsError> {
        let total = self.passed.get(&(from, to)).map_or(0, |total| total.0);
        let total = total.checked_add(amount).ok_or(RightsError::Overflow)?;
        let mut delta = Self::default();
        delta.passed.raise((from, to), Maximum(total));
        self.merge(&delta);
        Ok(Delta::of(delta))
    }
}

impl Crdt for BoundedCounter {
    fn merge(&mut self, other: &Self) {
        self.passed.merge(&other.passed);
        self.spent.merge(&other.spent);
    }
}

impl DeltaCrdt for BoundedCounter {
    /// The totals themselves, which are the whole state.
    type Digest = Self;

    fn digest(&self) -> Self {
        self.clone()
    }

    fn delta_since(&self, digest: &Self) -> Delta<Self> {
        let (passed, spent) = (self.passed.beyond(&digest.passed), self.spent.beyond(&digest.spent));
        Delta::of(Self { passed, spent })
    }
}

impl Codec for BoundedCounter {
    const BYTES_MIN: usize = 2;

    fn encode(&self, out: &mut Vec<u8>) {
        self.passed.encode(out);
        self.spent.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { passed: Points::decode(reader)?, spent: Points::decode(reader)? })
    }
}

impl Wire for BoundedCounter {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x12);
    }
}
