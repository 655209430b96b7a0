//! A counter that can be set back to zero, also by removing the key that it stands under.

use alloc::vec::Vec;

use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{DecodeError, Reader};
use crate::crdt::store::{
    Changes, DotFun, DotStore, Nested, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A counter whose resets undo exactly the additions that the resetting replica had seen.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | reset at 5 | +2 | 2: Bob's addition was not seen |
/// | reset at 5 | reset at 5 | 0 |
/// | +2 | +3 | 5 |
///
/// As a value of an [`OrMap`](crate::crdt::OrMap), removing its key resets it, with the same meaning. A counter with one
/// total a replica cannot do that: the total that Bob sends holds what Ann's reset has undone, and brings it back.
/// So here each addition stands for itself until a reset:
///
/// | operation | cost, n additions since the last reset |
/// | --- | --- |
/// | `add`, `merge_delta` of it | log n |
/// | `value`, `reset` | n |
/// | memory | n entries of about 40 bytes |
///
/// *Not for* counting every click: add up for a while and add the sum, or use a [`PnCounter`](super::PnCounter), which
/// cannot be reset.
///
/// (The difficulty: C. Baquero, P. S. Almeida, C. Lerche, "The problem with embedded CRDT counters and a solution", 2016;
/// this is the plain one of its solutions, a dot for each addition.)
///
/// Bytes: count, then of each addition, ascending: the dot, the amount as a signed number.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, ResetCounter};
///
/// let mut ann = Causal::<ResetCounter>::new();
/// let _ = ann.add(ReplicaId(1), 5);
/// let mut bob = ann.clone();
/// let _ = ann.reset();
/// let _ = bob.add(ReplicaId(2), 2);
/// ann.merge(&bob);
/// assert_eq!(ann.value(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResetCounter {
    additions: DotFun<i64>,
}

impl ResetCounter {
    /// Returns the change that adds `amount`, which may be negative.
    pub fn add(&self, dot: Dot, amount: i64) -> Delta<Causal<Self>> {
        Delta::causal(Self { additions: DotFun::of(dot, amount) }, CausalContext::new())
    }

    /// Returns the change that undoes all additions that are here.
    pub fn reset(&self) -> Delta<Causal<Self>> {
        Delta::causal(Self::default(), self.additions.values().keys().copied().collect())
    }

    /// Returns the sum of the additions that no reset has seen.
    #[must_use]
    pub fn value(&self) -> i128 {
        self.additions.values().values().map(|&amount| i128::from(amount)).sum()
    }
}

impl Causal<ResetCounter> {
    /// Adds `amount`, which may be negative, in the name of `replica`.
    pub fn add(&mut self, replica: ReplicaId, amount: i64) -> Delta<Self> {
        self.mutate(replica, |counter, dot| counter.add(dot, amount))
    }

    /// Undoes all additions that this replica has seen.
    pub fn reset(&mut self) -> Delta<Self> {
        self.mutate_without_dot(ResetCounter::reset)
    }
}

delegate!(ResetCounter, additions: DotFun<i64>, []);

impl Nested for ResetCounter {}

impl StoreWire for ResetCounter {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x13);
    }
}
