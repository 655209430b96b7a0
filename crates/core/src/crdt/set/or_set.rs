//! A set in which additions win, and which remembers nothing of what was removed.

use alloc::vec::Vec;
use core::borrow::Borrow;

use crate::clock::{CausalContext, Dot, ReplicaId, Run};
use crate::codec::{Codec, DecodeError, Reader};
use crate::crdt::store::{
    Changes, DotMap, DotSet, DotStore, Nested, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A set in which a removal removes the additions it has seen: one that it has not seen wins. No tombstones.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | adds x | removes x | in: Bob had not seen this addition |
/// | removes x | removes x | out |
/// | adds x | adds x | in, and one removal that has seen both removes it |
///
/// ```text
/// Ann  add x (1:1) ──────────┬──── add x (1:2) ─────────┐
///                            │                          ├── in, by 1:2
/// Bob                        └──── remove x {1:1} ──────┘
/// ```
///
/// | operation | cost, n elements |
/// | --- | --- |
/// | `add`, `remove`, `contains`, `merge_delta` of them | log n |
/// | `clear` | n log n |
/// | `merge` of a whole state | both sizes, and log n for each element that differs |
/// | others | those of [`Causal`] |
/// | memory | each element twice, and 40 bytes or so an entry |
///
/// *Not for* elements whose removal must hold against someone who adds at the same time ([`RwSet`](super::RwSet)).
///
/// (A. Bieniusa et al., "An optimized conflict-free replicated set", 2012; as a dot store: P. S. Almeida, A. Shoker,
/// C. Baquero, "Delta state replicated data types", 2018.)
///
/// Bytes: count, then of each element, ascending: the element, the count of its dots, the dots, ascending.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, DeltaCrdt, OrSet};
///
/// let mut ann = Causal::<OrSet<&str>>::new();
/// let added = ann.add(ReplicaId(1), "x");
/// let mut bob = Causal::<OrSet<&str>>::new();
/// bob.merge_delta(&added);
///
/// let removed = bob.remove("x");
/// let _ = ann.add(ReplicaId(1), "x"); // at the same time
/// ann.merge_delta(&removed);
/// assert!(ann.contains("x"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrSet<E: Ord> {
    additions: DotMap<E, DotSet>,
}

impl<E: Ord> Default for OrSet<E> {
    fn default() -> Self {
        Self { additions: DotMap::default() }
    }
}

impl<E: Clone + Ord> OrSet<E> {
    /// Returns the change that adds an element, in the place of its additions that are here.
    pub fn add(&self, dot: Dot, element: E) -> Delta<Causal<Self>> {
        let seen = self.additions.context_of(&element);
        Delta::causal(Self { additions: DotMap::of(element, DotSet::of(dot)) }, seen)
    }

    /// Returns the change that removes the additions of an element that are here.
    pub fn remove<Q: Ord + ?Sized>(&self, element: &Q) -> Delta<Causal<Self>>
    where
        E: Borrow<Q>,
    {
        Delta::causal(Self::default(), self.additions.context_of(element))
    }

    /// Returns the change that removes all additions that are here.
    pub fn clear(&self) -> Delta<Causal<Self>> {
        let mut seen = CausalContext::new();
        self.dots(&mut |dot| {
            seen.insert(dot);
        });
        Delta::causal(Self::default(), seen)
    }

    /// Returns whether the element is in the set.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, element: &Q) -> bool
    where
        E: Borrow<Q>,
    {
        self.additions.store(element).is_some()
    }

    /// Returns the elements, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &E> {
        self.additions.entries().keys()
    }

    /// Returns how many elements are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.additions.entries().len()
    }

    /// Returns whether no element is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.additions.entries().is_empty()
    }
}

impl<E: Clone + Ord> Causal<OrSet<E>> {
    /// Adds an element in the name of `replica`.
    pub fn add(&mut self, replica: ReplicaId, element: E) -> Delta<Self> {
        self.mutate_in_place(|set, context, changes| {
            let dot = context.increment(replica);
            let before = set.additions.replace(&element, DotSet::of(dot), changes);
            let mut seen = CausalContext::of_run(Run::of(dot));
            before.dots(&mut |dot| seen.insert_run(Run::of(dot)));
            Delta::of_parts(OrSet { additions: DotMap::of(element, DotSet::of(dot)) }, seen)
        })
    }

    /// Removes an element, as far as this replica has seen it added. If it is not there, nothing changes.
    pub fn remove<Q: Ord + ?Sized>(&mut self, element: &Q) -> Delta<Self>
    where
        E: Borrow<Q>,
    {
        self.mutate_in_place(|set, _, changes| {
            let before = set.additions.remove(element, changes);
            Delta::of_parts(OrSet::default(), before.iter().collect())
        })
    }

    /// Removes all elements that this replica has seen.
    pub fn clear(&mut self) -> Delta<Self> {
        self.mutate_without_dot(OrSet::clear)
    }
}

delegate!(OrSet<E>, additions: DotMap<E, DotSet>, [E: Clone + Ord], codec [E: Clone + Ord + Codec]);

impl<E: Clone + Ord> Nested for OrSet<E> {}

impl<E: Clone + Ord + Codec> StoreWire for OrSet<E> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x32);
    }
}
