//! A set in which removals win.

use alloc::vec::Vec;
use core::borrow::Borrow;

use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{Codec, DecodeError, Reader};
use crate::crdt::store::{
    Change, Changes, DotMap, DotSet, DotStore, Nested, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A set in which a removal wins against additions that have not seen it.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | adds x | removes x | out, until someone who has seen the removal adds x |
/// | adds x | adds x | in |
/// | removes x | removes x | out |
///
/// A removal leaves a mark, also of an element that was never there, until it is
/// [causally stable](Causal::stabilize).
///
/// | operation | cost, n elements and marks |
/// | --- | --- |
/// | `add`, `remove`, `contains`, `merge_delta` of them | log n |
/// | `iter`, `stabilize` | n |
/// | others | those of [`Causal`] |
///
/// *Not for* sets from which much is removed while replicas stay away for long: the marks wait for them.
///
/// (A. Bieniusa et al., "Brief announcement: Semantics of eventually consistent replicated sets", 2012; as a dot store:
/// P. S. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", 2018.)
///
/// Bytes: count, then of each element, ascending: the element, the dots of its additions and those of its removals, each
/// as a count and the dots, ascending.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, RwSet};
///
/// let mut ann = Causal::<RwSet<&str>>::new();
/// let mut bob = ann.clone();
/// let _ = ann.add(ReplicaId(1), "x");
/// let _ = bob.remove(ReplicaId(2), "x");
/// ann.merge(&bob);
/// assert!(!ann.contains("x"));
/// let _ = ann.add(ReplicaId(1), "x"); // knowing of the removal
/// assert!(ann.contains("x"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RwSet<E: Ord> {
    votes: DotMap<E, Votes>,
}

/// The additions and removals of one element that none of the others has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Votes {
    additions: DotSet,
    removals: DotSet,
}

impl<E: Ord> Default for RwSet<E> {
    fn default() -> Self {
        Self { votes: DotMap::default() }
    }
}

impl<E: Clone + Ord> RwSet<E> {
    /// Returns the change that adds an element, in the place of its additions and removals that are here.
    pub fn add(&self, dot: Dot, element: E) -> Delta<Causal<Self>> {
        self.vote(element, Votes { additions: DotSet::of(dot), ..Votes::default() })
    }

    /// Returns the change that removes an element, in the place of its additions and removals that are here.
    pub fn remove(&self, dot: Dot, element: E) -> Delta<Causal<Self>> {
        self.vote(element, Votes { removals: DotSet::of(dot), ..Votes::default() })
    }

    /// Returns whether the element is in the set.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, element: &Q) -> bool
    where
        E: Borrow<Q>,
    {
        self.votes.store(element).is_some_and(|votes| votes.removals.is_bottom())
    }

    /// Returns the elements, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        let present = self.votes.entries().iter().filter(|(_, votes)| votes.removals.is_bottom());
        present.map(|(element, _)| element)
    }

    fn vote(&self, element: E, votes: Votes) -> Delta<Causal<Self>> {
        let seen = self.votes.context_of(&element);
        Delta::causal(Self { votes: DotMap::of(element, votes) }, seen)
    }
}

impl<E: Clone + Ord> Causal<RwSet<E>> {
    /// Adds an element in the name of `replica`.
    pub fn add(&mut self, replica: ReplicaId, element: E) -> Delta<Self> {
        self.mutate(replica, |set, dot| set.add(dot, element))
    }

    /// Removes an element in the name of `replica`, also against additions that it has not seen.
    pub fn remove(&mut self, replica: ReplicaId, element: E) -> Delta<Self> {
        self.mutate(replica, |set, dot| set.remove(dot, element))
    }
}

delegate!(RwSet<E>, votes: DotMap<E, Votes>, [E: Clone + Ord], codec [E: Clone + Ord + Codec]);

impl<E: Clone + Ord> Nested for RwSet<E> {}

impl<E: Clone + Ord + Codec> StoreWire for RwSet<E> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x33);
    }
}

impl DotStore for Votes {
    fn join(
        &mut self,
        ours: &CausalContext,
        other: &Self,
        theirs: &CausalContext,
        changes: &mut Changes<'_>,
    ) {
        self.additions.join(ours, &other.additions, theirs, changes);
        self.removals.join(ours, &other.removals, theirs, changes);
    }

    fn is_bottom(&self) -> bool {
        self.additions.is_bottom() && self.removals.is_bottom()
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.additions.dots(visit);
        self.removals.dots(visit);
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        Self { additions: self.additions.pick(wanted), removals: self.removals.pick(wanted) }
    }

    fn stabilize(&mut self, stability: &Stability, changes: &mut Changes<'_>) {
        // SUBTLE: the additions go too, since the removals have beaten them. That holds for additions that had not seen the
        // removals, and only while nobody has dropped these: who has, adds the element again without naming them. So the
        // removals must still have been held by all, and the additions have been seen by all, their own writers included,
        // who at that time still held the removals. Where this does not hold, someone dropped them before us, and says so
        // to whoever asks.
        let is_beaten = |dot| stability.live.contains(dot);
        let is_known = |dot| stability.seen.contains(dot);
        if !self.removals.is_bottom()
            && self.removals.iter().all(is_beaten)
            && self.additions.iter().all(is_known)
        {
            let dropped = core::mem::take(self);
            dropped.dots(&mut |dot| changes(Change::Went(dot)));
        }
    }
}

impl StoreCodec for Votes {
    const BYTES_MIN: usize = 2 * <DotSet as StoreCodec>::BYTES_MIN;

    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
        self.additions.encode(replicas, out);
        self.removals.encode(replicas, out);
    }

    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { additions: DotSet::decode(replicas, reader)?, removals: DotSet::decode(replicas, reader)? })
    }
}
