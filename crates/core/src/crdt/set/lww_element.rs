//! A set in which the latest addition or removal of an element counts.

use alloc::vec::Vec;
use core::{borrow::Borrow, marker::PhantomData};

use super::points_set;
use crate::clock::HybridTime;
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::points::{Points, Rising};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A set in which the latest of all additions and removals of an element counts; at equal times the bias decides.
///
/// | Ann | Bob, at the same time | [`AddBias`] | [`RemoveBias`] |
/// | --- | --- | --- | --- |
/// | adds x at 10:00 | removes x at 10:01 | out | out |
/// | adds x at 10:00 | removes x at 10:00 | in | out |
///
/// The bias is part of the type: replicas that differ in it would never agree. Times come from a
/// [`HybridClock`](crate::clock::HybridClock); the replica of a stamp is not looked at, since the bias decides.
///
/// | operation | cost, n elements that ever were there |
/// | --- | --- |
/// | `insert`, `remove`, `contains`, `merge_delta` of them | log n |
/// | `digest`, `delta_since`, `iter` | n, and a digest is as large as the state |
/// | `merge` | the other's size times log n |
///
/// *Not for* replicas with clocks that cannot be trusted, and not where elements go for good in numbers: times have no
/// events behind them, so causal stability drops nothing here. [`LwwMap`](crate::crdt::LwwMap) with empty values is a set
/// of the same kind that does forget.
///
/// (M. Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", 2011, section 3.3.3.)
///
/// Bytes: count, then of each element, ascending: the element, then the times of its last addition and its last removal,
/// each 8 bytes with the most significant first, 0 for never.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::HybridTime;
/// use syncline_core::crdt::{AddBias, Crdt, LwwElementSet};
/// use syncline_core::time::WallMs;
///
/// let at = |ms| HybridTime::new(WallMs(ms), 0);
/// let mut ann = LwwElementSet::<_, AddBias>::default();
/// let _ = ann.insert(at(1000), "x");
/// let mut bob = LwwElementSet::default();
/// let _ = bob.remove(at(1000), "x");
/// ann.merge(&bob);
/// assert!(ann.contains("x"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LwwElementSet<E, B> {
    times: Points<E, Times>,
    bias: PhantomData<B>,
}

/// Who wins at equal times. [`AddBias`] and [`RemoveBias`] are all there are.
pub trait Bias: Clone + core::fmt::Debug + PartialEq + sealed::Sealed {
    /// Whether the addition wins.
    const ADD_WINS: bool;

    /// Appends the tag of the bias, which stands behind that of the set: 1 if additions win, else 0.
    fn write_tag(out: &mut Vec<u8>) {
        out.push(Self::ADD_WINS.into());
    }
}

/// At equal times the addition wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddBias {}

/// At equal times the removal wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveBias {}

impl Bias for AddBias {
    const ADD_WINS: bool = true;
}

impl Bias for RemoveBias {
    const ADD_WINS: bool = false;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::AddBias {}
    impl Sealed for super::RemoveBias {}
}

/// When an element was last added and last removed; time 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    added: HybridTime,
    removed: HybridTime,
}

impl<E: Clone + Ord, B: Bias> LwwElementSet<E, B> {
    /// Adds an element at `time`. Time 0 is before all others, and nothing happens at it.
    pub fn insert(&mut self, time: HybridTime, element: E) -> Delta<Self> {
        self.raise(element, Times { added: time, ..Times::default() })
    }

    /// Removes an element at `time`, whether it is there or not. Nothing happens at time 0.
    pub fn remove(&mut self, time: HybridTime, element: E) -> Delta<Self> {
        self.raise(element, Times { removed: time, ..Times::default() })
    }

    /// Returns whether the element is in the set.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, element: &Q) -> bool
    where
        E: Borrow<Q>,
    {
        self.times.get(element).is_some_and(Times::is_in::<B>)
    }

    /// Returns the elements, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.times.iter().filter(|(_, times)| times.is_in::<B>()).map(|(element, _)| element)
    }

    fn raise(&mut self, element: E, times: Times) -> Delta<Self> {
        let mut delta = Self::default();
        delta.times.raise(element, times);
        self.merge(&delta);
        Delta::of(delta)
    }
}

points_set!(LwwElementSet<E, B: Bias>, times, 0x34);

impl Times {
    fn is_in<B: Bias>(&self) -> bool {
        self.added > self.removed || B::ADD_WINS && self.added == self.removed
    }
}

impl Rising for Times {
    fn rise(&mut self, other: &Self) {
        self.added = self.added.max(other.added);
        self.removed = self.removed.max(other.removed);
    }
}

impl Codec for Times {
    const BYTES_MIN: usize = 16;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.added.to_bits().to_be_bytes());
        out.extend_from_slice(&self.removed.to_bits().to_be_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (added, removed) = (reader.fixed()?, reader.fixed()?);
        let times = Self { added: HybridTime::from_bits(added), removed: HybridTime::from_bits(removed) };
        if times == Self::default() { Err(DecodeError::Range { at: reader.at() }) } else { Ok(times) }
    }
}
