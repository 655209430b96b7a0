//! A register that keeps all writes that did not know of each other.

use alloc::vec::Vec;

use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{Codec, DecodeError, Reader};
use crate::crdt::store::{
    Changes, DotFun, DotStore, Nested, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A register that keeps every write that no other write has seen: one as a rule, several after concurrent writes.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | "red" | "blue" | "red" and "blue", until someone writes again |
/// | "red" | clears | "red" |
/// | "red" | "red" | "red", twice |
///
/// | operation | cost, n values that are there |
/// | --- | --- |
/// | all | n, as a rule 1 |
///
/// *Not for* readers who cannot choose: they read the first of several, which is of the replica with the least id, as good
/// as any. To have the latest, put a [`Timestamp`](crate::clock::Timestamp) into the value and read the greatest: nested in
/// an [`OrMap`](crate::crdt::OrMap) that is what a last-writer-wins register cannot be.
///
/// (M. Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", 2011, specification
/// 10; as a dot store: P. S. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", 2018.)
///
/// Bytes: count, then of each write, ascending: the dot, the value.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, MvRegister};
///
/// let mut ann = Causal::<MvRegister<&str>>::new();
/// let mut bob = ann.clone();
/// let _ = ann.set(ReplicaId(1), "red");
/// let _ = bob.set(ReplicaId(2), "blue");
/// ann.merge(&bob);
/// assert!(ann.values().eq([&"red", &"blue"]));
/// let _ = ann.set(ReplicaId(1), "violet");
/// assert!(ann.values().eq([&"violet"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MvRegister<V> {
    writes: DotFun<V>,
}

impl<V> Default for MvRegister<V> {
    fn default() -> Self {
        Self { writes: DotFun::default() }
    }
}

impl<V: Clone + PartialEq> MvRegister<V> {
    /// Returns the change that writes `value` in the place of all that are here.
    pub fn set(&self, dot: Dot, value: V) -> Delta<Causal<Self>> {
        Delta::causal(Self { writes: DotFun::of(dot, value) }, self.here())
    }

    /// Returns the change that removes all values that are here.
    pub fn clear(&self) -> Delta<Causal<Self>> {
        Delta::causal(Self::default(), self.here())
    }

    /// Returns the values, ascending by the replica that wrote them.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.writes.values().values()
    }

    /// Returns the first of the values, or none if there is none.
    #[must_use]
    pub fn get(&self) -> Option<&V> {
        self.values().next()
    }

    fn here(&self) -> CausalContext {
        self.writes.values().keys().copied().collect()
    }
}

impl<V: Clone + PartialEq> Causal<MvRegister<V>> {
    /// Writes `value` in the place of all that this replica has seen.
    pub fn set(&mut self, replica: ReplicaId, value: V) -> Delta<Self> {
        self.mutate(replica, |register, dot| register.set(dot, value))
    }

    /// Removes all values that this replica has seen.
    pub fn clear(&mut self) -> Delta<Self> {
        self.mutate_without_dot(MvRegister::clear)
    }
}

delegate!(MvRegister<V>, writes: DotFun<V>, [V: Clone + PartialEq], codec [V: Clone + PartialEq + Codec]);

impl<V: Clone + PartialEq> Nested for MvRegister<V> {}

impl<V: Clone + PartialEq + Codec> StoreWire for MvRegister<V> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x21);
    }
}
