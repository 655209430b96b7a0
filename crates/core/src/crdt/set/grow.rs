//! A set that only grows.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::points_set;
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::points::{Points, Rising};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A set that only grows.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | adds x | adds y | x and y |
///
/// | operation | cost, n elements |
/// | --- | --- |
/// | `insert`, `contains`, `merge_delta` of it | log n |
/// | `digest`, `delta_since` | n, and a digest is as large as the state |
/// | `merge` | the other's size times log n |
///
/// *Not for* anything that is ever removed, and not for large sets that pull often: an [`OrSet`](super::OrSet) has
/// digests of a few bytes.
///
/// (M. Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", 2011, specification 11.)
///
/// Bytes: count, then the elements, ascending.
///
/// # Examples
///
/// ```
/// use syncline_core::crdt::{Crdt, GSet};
///
/// let (mut ann, mut bob) = (GSet::default(), GSet::default());
/// let _ = ann.insert("x");
/// let _ = bob.insert("y");
/// ann.merge(&bob);
/// assert!(ann.iter().eq([&"x", &"y"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GSet<E> {
    elements: Points<E, Presence>,
}

/// Whether an element is there; it is never written, since what is absent has no entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Absent,
    Present,
}

impl<E: Clone + Ord> GSet<E> {
    /// Adds an element.
    pub fn insert(&mut self, element: E) -> Delta<Self> {
        let mut delta = Self::default();
        delta.elements.raise(element, Presence::Present);
        self.merge(&delta);
        Delta::of(delta)
    }

    /// Returns whether the element is in the set.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, element: &Q) -> bool
    where
        E: Borrow<Q>,
    {
        self.elements.get(element).is_some()
    }

    /// Returns the elements, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.elements.iter().map(|(element, _)| element)
    }
}

points_set!(GSet<E>, elements, 0x30);

impl Rising for Presence {
    fn rise(&mut self, other: &Self) {
        if *other == Self::Present {
            *self = Self::Present;
        }
    }
}

impl Codec for Presence {
    const BYTES_MIN: usize = 0;

    fn encode(&self, _out: &mut Vec<u8>) {}

    fn decode(_reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::Present)
    }
}
