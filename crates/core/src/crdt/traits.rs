//! What all replicated types can do.

use core::fmt::Debug;

use super::Delta;

/// A state that replicas merge until they agree.
///
/// `merge` is the join of a semilattice: commutative, associative, idempotent, on the structure of the state and not only
/// on what is read from it. So replicas that have taken in the same changes are equal, in whatever order and however
/// often the changes came. (M. Shapiro et al., "Conflict-free replicated data types", 2011.)
///
/// The default value is the state before any change. Merging is meant for honest states: a peer that invents events in
/// the name of another replica, or writes two different ones under one dot, breaks agreement, though nothing panics.
pub trait Crdt: Clone + Default + PartialEq {
    /// Takes in all changes of `other`.
    fn merge(&mut self, other: &Self);
}

/// A state of which changes can be had on their own.
///
/// There are two ways to bring replicas together, and they mix freely. *Push*: send the [`Delta`] that each mutator
/// returns; it may be lost, doubled, reordered, or merged with others before it is sent. *Pull*, which mends what pushing
/// lost: send the [`digest`](Self::digest), and receive the [`delta_since`](Self::delta_since).
///
/// (P. S. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", 2018.)
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{DeltaCrdt, GCounter};
///
/// let (mut ann, mut bob) = (GCounter::default(), GCounter::default());
/// let lost = ann.increment(ReplicaId(1), 5);
/// drop(lost);
///
/// bob.merge_delta(&ann.delta_since(&bob.digest()));
/// assert_eq!(bob.value(), 5);
/// assert!(ann.delta_since(&bob.digest()).is_bottom()); // nothing left to send
/// ```
pub trait DeltaCrdt: Crdt {
    /// Says what a replica has, so that another can tell what it lacks.
    type Digest: Clone + PartialEq + Debug;

    /// Returns what this replica has.
    #[must_use]
    fn digest(&self) -> Self::Digest;

    /// Returns what a replica with this digest lacks: merging it is the same as merging the whole state.
    fn delta_since(&self, digest: &Self::Digest) -> Delta<Self>;

    /// Takes in some changes.
    fn merge_delta(&mut self, delta: &Delta<Self>) {
        self.merge(delta.state());
    }
}
