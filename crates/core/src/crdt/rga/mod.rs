//! A list.

mod order;
mod store;

use alloc::collections::BTreeMap;

use self::order::Order;
use super::{Causal, Delta};
use crate::clock::{CausalContext, Dot, ReplicaId};

/// A list of plain values: a replicated growable array.
///
/// Each element stands behind the one that it was inserted behind; elements inserted behind the same one stand in the order
/// latest first. Elements do not move and are not edited in place: to move or to replace one is to delete it and insert
/// another, and two who move the same element at the same time leave two of it.
///
/// | Ann | Bob, at the same time, at `[a, b]` | both, after merging |
/// | --- | --- | --- |
/// | inserts x behind a | inserts y behind a | `[a, x, y, b]` or `[a, y, x, b]`, for both the same |
/// | inserts x, then y behind x | inserts p, then q behind p | `[a, x, y, p, q, b]` or the other way round: not interleaved |
/// | inserts y, then x before y | inserts q, then p before q | may be interleaved, for both the same |
/// | deletes a | inserts x behind a | `[x, b]` |
/// | deletes a | deletes a | `[b]` |
///
/// A deleted element leaves a node of some 100 bytes behind that others may stand on. Once the deletion is
/// [causally stable](Causal::stabilize) and nothing stands on the node, it is dropped: nobody will insert behind an
/// element that they know to be deleted.
///
/// An element that arrives before the one that it stands behind is kept, and shows when that one has come.
///
/// | operation | cost, n elements and nodes |
/// | --- | --- |
/// | `insert`, `delete`, `get`, `merge_delta` of them | n, a scan of 32 bytes each; and log n |
/// | `iter`, `stabilize`, `merge` of a whole state | n log n |
/// | others | those of [`Causal`] |
///
/// *Not for* text (a node for each character; `syncline_core::doc` holds it in runs), and not for values of an
/// [`OrMap`](super::OrMap): removing a key would take away what others' insertions stand on.
///
/// (H.-G. Roh et al., "Replicated abstract data types: building blocks for collaborative applications", 2011; the
/// interleaving of insertions towards the front: M. Kleppmann et al., "Interleaving anomalies in collaborative text
/// editors", 2019; M. Weidner, M. Kleppmann, "The art of the Fugue", 2023.)
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, Rga};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut at_ann = Causal::<Rga<&str>>::new();
/// let _ = at_ann.insert(ann, 0, "milk");
/// let mut at_bob = at_ann.clone();
/// let _ = at_ann.insert(ann, 1, "bread");
/// let _ = at_bob.delete(bob, 0);
/// at_ann.merge(&at_bob);
/// assert!(at_ann.iter().eq([&"bread"]));
/// ```
#[derive(Clone, Debug)]
pub struct Rga<T> {
    /// All elements that were inserted, by the dot of their insertion.
    nodes: BTreeMap<Dot, Node<T>>,
    /// From the dot of each deletion that a node names to that of its insertion.
    deletions: BTreeMap<Dot, Dot>,
    /// The nodes as they stand; follows from `nodes`.
    order: Order,
}

/// An element, or what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node<T> {
    /// Larger than that of all nodes that its writer knew, so also of the one that it stands behind; from 1.
    lamport: u64,
    /// The node that it stands behind; none at the front.
    behind: Option<Dot>,
    content: Content<T>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content<T> {
    Live(T),
    /// Deleted, by the least of the events that deleted it.
    Deleted(Dot),
}

impl<T> Default for Rga<T> {
    fn default() -> Self {
        Self { nodes: BTreeMap::new(), deletions: BTreeMap::new(), order: Order::default() }
    }
}

impl<T: PartialEq> PartialEq for Rga<T> {
    fn eq(&self, other: &Self) -> bool {
        // The rest follows from the nodes.
        self.nodes == other.nodes
    }
}

impl<T: Clone + PartialEq> Rga<T> {
    /// Returns the change that inserts `value` so that it has `index`, or at the end if there are not so many elements.
    pub fn insert(&self, dot: Dot, index: usize, value: T) -> Delta<Causal<Self>> {
        let behind = index.min(self.len()).checked_sub(1).and_then(|before| self.order.live_at(before));
        let lamport = self.order.lamport_max().saturating_add(1);
        self.change(dot, Node { lamport, behind, content: Content::Live(value) })
    }

    /// Returns the change that deletes the element at `index`, or no change if there is none.
    pub fn delete(&self, dot: Dot, index: usize) -> Delta<Causal<Self>> {
        match self.order.live_at(index).and_then(|at| Some((at, self.nodes.get(&at)?))) {
            Some((at, &Node { lamport, behind, .. })) => {
                self.change(at, Node { lamport, behind, content: Content::Deleted(dot) })
            }
            None => Delta::default(),
        }
    }

    /// Returns the element at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.order.live_at(index).and_then(|dot| self.value(dot))
    }

    /// Returns the elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.order.live().filter_map(|dot| self.value(dot))
    }

    /// Returns how many elements there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.order.live_count()
    }

    /// Returns whether there is no element.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn value(&self, dot: Dot) -> Option<&T> {
        match &self.nodes.get(&dot)?.content {
            Content::Live(value) => Some(value),
            Content::Deleted(_) => None,
        }
    }

    fn change(&self, dot: Dot, node: Node<T>) -> Delta<Causal<Self>> {
        Delta::causal(Self::of(BTreeMap::from([(dot, node)])), CausalContext::new())
    }
}

impl<T: Clone + PartialEq> Causal<Rga<T>> {
    /// Inserts `value` so that it has `index`, or at the end if there are not so many elements.
    pub fn insert(&mut self, replica: ReplicaId, index: usize, value: T) -> Delta<Self> {
        self.mutate(replica, |list, dot| list.insert(dot, index, value))
    }

    /// Deletes the element at `index`. If there is none, nothing changes.
    pub fn delete(&mut self, replica: ReplicaId, index: usize) -> Delta<Self> {
        self.mutate(replica, |list, dot| list.delete(dot, index))
    }
}
