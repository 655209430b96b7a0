//! A set that counts how often each element came and went.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::points_set;
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::points::{Maximum, Points};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A set that keeps one number an element: how often it was added and removed in turn. Odd is in, even is out.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | adds x | adds x | in, and one removal removes it |
/// | removes x | removes x | out, and one addition brings it back |
/// | removes x and adds it again | removes x | in: the longer history wins |
///
/// | operation | cost, n elements that ever were there |
/// | --- | --- |
/// | `insert`, `remove`, `contains`, `merge_delta` of them | log n |
/// | `digest`, `delta_since`, `iter` | n, and a digest is as large as the state |
/// | `merge` | the other's size times log n |
///
/// Undo fits it well: to undo an addition or a removal is one more step. *Not for* sets in which most elements go for
/// good: each keeps its number, and no two replicas could agree to forget it without waiting for each other, so causal
/// stability drops nothing here.
///
/// (W. Yu, C.-L. Ignat, "Conflict-free replicated relations for multi-synchronous database management at edge", 2020;
/// W. Yu, S. Rostad, "A low-cost set CRDT based on causal lengths", 2020.)
///
/// Bytes: count, then of each element, ascending: the element, its number.
///
/// # Examples
///
/// ```
/// use syncline_core::crdt::{CausalLengthSet, Crdt};
///
/// let mut ann = CausalLengthSet::default();
/// let _ = ann.insert("x");
/// let mut bob = ann.clone();
/// let _ = ann.remove(&"x");
/// let _ = ann.insert("x");
/// let _ = bob.remove(&"x");
/// ann.merge(&bob);
/// assert!(ann.contains("x"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CausalLengthSet<E> {
    lengths: Points<E, Maximum>,
}

impl<E: Clone + Ord> CausalLengthSet<E> {
    /// Adds an element; one that is there stays as it is, and nothing changes.
    pub fn insert(&mut self, element: E) -> Delta<Self> {
        if self.contains(&element) { Delta::default() } else { self.lengthen(element) }
    }

    /// Removes an element; one that is not there stays away, and nothing changes.
    pub fn remove(&mut self, element: &E) -> Delta<Self> {
        if self.contains(element) { self.lengthen(element.clone()) } else { Delta::default() }
    }

    /// Returns whether the element is in the set.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, element: &Q) -> bool
    where
        E: Borrow<Q>,
    {
        self.length(element) % 2 == 1
    }

    /// Returns how often the element came and went.
    #[must_use]
    pub fn length<Q: Ord + ?Sized>(&self, element: &Q) -> u64
    where
        E: Borrow<Q>,
    {
        self.lengths.get(element).map_or(0, |length| length.0)
    }

    /// Returns the elements, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.lengths.iter().filter(|(_, length)| length.0 % 2 == 1).map(|(element, _)| element)
    }

    fn lengthen(&mut self, element: E) -> Delta<Self> {
        let length = self.length(&element).saturating_add(1);
        let mut delta = Self::default();
        delta.lengths.raise(element, Maximum(length));
        self.merge(&delta);
        Delta::of(delta)
    }
}

points_set!(CausalLengthSet<E>, lengths, 0x35);
