//! A set in which what was removed stays removed.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::points_set;
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::points::{Points, Rising};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A set in which an element is added once, removed once, and never comes back.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | removes x | adds x again | x is gone for ever |
///
/// | operation | cost, n elements that ever were there |
/// | --- | --- |
/// | `insert`, `remove`, `contains`, `merge_delta` of them | log n |
/// | `digest`, `delta_since`, `iter` | n, and a digest is as large as the state |
/// | `merge` | the other's size times log n |
///
/// *Not for* elements that people add again, and not where memory for all that was ever removed is too much: a removed
/// element must be remembered as long as anyone might add it, so causal stability drops nothing here. It fits ids that
/// are used once.
///
/// (M. Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", 2011, specification 12.)
///
/// Bytes: count, then of each element, ascending: the element, 1 if it is there or 2 if it was removed.
///
/// # Examples
///
/// ```
/// use syncline_core::crdt::{Crdt, TwoPhaseSet};
///
/// let mut tickets = TwoPhaseSet::default();
/// let _ = tickets.insert(17);
/// let _ = tickets.remove(&17);
/// let _ = tickets.insert(17);
/// assert!(!tickets.contains(&17));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoPhaseSet<E> {
    elements: Points<E, Phase>,
}

/// The life of an element. Later phases win.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Absent,
    Present,
    Removed,
}

impl<E: Clone + Ord> TwoPhaseSet<E> {
    /// Adds an element; if it was ever removed, it stays away.
    pub fn insert(&mut self, element: E) -> Delta<Self> {
        self.raise(element, Phase::Present)
    }

    /// Removes an element for ever. One that is not there is left alone, and nothing changes.
    pub fn remove(&mut self, element: &E) -> Delta<Self> {
        if self.contains(element) { self.raise(element.clone(), Phase::Removed) } else { Delta::default() }
    }

    /// Returns whether the element is in the set.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, element: &Q) -> bool
    where
        E: Borrow<Q>,
    {
        self.elements.get(element) == Some(&Phase::Present)
    }

    /// Returns the elements, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.elements.iter().filter(|(_, phase)| **phase == Phase::Present).map(|(element, _)| element)
    }

    fn raise(&mut self, element: E, phase: Phase) -> Delta<Self> {
        let mut delta = Self::default();
        delta.elements.raise(element, phase);
        self.merge(&delta);
        Delta::of(delta)
    }
}

points_set!(TwoPhaseSet<E>, elements, 0x31);

impl Rising for Phase {
    fn rise(&mut self, other: &Self) {
        *self = (*self).max(*other);
    }
}

impl Codec for Phase {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Absent => 0,
            Self::Present => 1,
            Self::Removed => 2,
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            1 => Ok(Self::Present),
            2 => Ok(Self::Removed),
            0 | 3.. => Err(DecodeError::Range { at: reader.at() }),
        }
    }
}
