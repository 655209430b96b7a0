//! A map of replicated values.

use alloc::vec::Vec;
use core::borrow::Borrow;

use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{Codec, DecodeError, Reader};
use crate::crdt::store::{
    Changes, DotMap, DotStore, Nested, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A map whose values are replicated themselves, also maps: `OrMap<String, OrMap<String, OrSet<u64>>>`.
///
/// Removing a key removes all that was seen of its value ("reset-remove"); what was not seen stays, and with it the key.
/// A key is there as long as its value holds anything.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | adds y to `m[k] = {x}` | removes k | `m[k] = {y}` |
/// | adds y to `m[k] = {x}` | adds z to it | `m[k] = {x, y, z}` |
/// | removes k | removes k | no k |
///
/// Values own no context: the map's is the only one, and a value that is not a [`Nested`] store is refused by type. So
/// no [`PnCounter`](crate::crdt::PnCounter) (its totals cannot be removed: use
/// [`ResetCounter`](crate::crdt::ResetCounter)), no [`LwwRegister`](crate::crdt::LwwRegister) (use
/// [`MvRegister`](crate::crdt::MvRegister)), and no [`Rga`](crate::crdt::Rga).
///
/// | operation | cost, n keys |
/// | --- | --- |
/// | `update` | log n for the map at each depth, and that of the value |
/// | `remove` | the dots of the value |
/// | `get` | log n |
/// | others | those of [`Causal`] |
///
/// *Not for* values that are replaced as a whole: [`LwwMap`](super::LwwMap) is smaller.
///
/// (P. S. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", 2018, section 7.4; reset-remove: R. Brown et
/// al., "Riak DT map: a composable, convergent replicated dictionary", 2014.)
///
/// Bytes: count, then of each key, ascending: the key, its value.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, OrMap, OrSet};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut at_ann = Causal::<OrMap<&str, OrSet<&str>>>::new();
/// let _ = at_ann.update(ann, "tags", |tags, dot| tags.add(dot, "x"));
/// let mut at_bob = at_ann.clone();
/// let _ = at_bob.remove("tags");
/// let _ = at_ann.update(ann, "tags", |tags, dot| tags.add(dot, "y"));
/// at_ann.merge(&at_bob);
/// assert!(at_ann.get("tags").expect("y was not seen").iter().eq([&"y"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrMap<K: Ord, V> {
    values: DotMap<K, V>,
}

impl<K: Ord, V> Default for OrMap<K, V> {
    fn default() -> Self {
        Self { values: DotMap::default() }
    }
}

impl<K: Clone + Ord, V: Nested> OrMap<K, V> {
    /// Returns the change that `change` makes of the value under `key`, or of an empty one.
    pub fn update(
        &self,
        dot: Dot,
        key: K,
        change: impl FnOnce(&V, Dot) -> Delta<Causal<V>>,
    ) -> Delta<Causal<Self>> {
        let delta = match self.values.store(&key) {
            Some(value) => change(value, dot),
            None => change(&V::default(), dot),
        };
        delta.lift(|value| Self { values: DotMap::of(key, value) })
    }

    /// Returns the change that removes what is here of the value under `key`.
    pub fn remove<Q: Ord + ?Sized>(&self, key: &Q) -> Delta<Causal<Self>>
    where
        K: Borrow<Q>,
    {
        Delta::causal(Self::default(), self.values.context_of(key))
    }

    /// Returns the value under `key`.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.store(key)
    }

    /// Returns the keys with their values, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.values.entries().iter()
    }

    /// Returns how many keys are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.entries().len()
    }

    /// Returns whether no key is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.entries().is_empty()
    }
}

impl<K: Clone + Ord, V: Nested> Causal<OrMap<K, V>> {
    /// Changes the value under `key`, or an empty one, in the name of `replica`.
    ///
    /// `change` is given the value and the dot of a new event, and returns what one of the value's own functions makes of
    /// them, such as [`OrSet::add`](crate::crdt::OrSet::add).
    pub fn update(
        &mut self,
        replica: ReplicaId,
        key: K,
        change: impl FnOnce(&V, Dot) -> Delta<Causal<V>>,
    ) -> Delta<Self> {
        self.mutate(replica, |map, dot| map.update(dot, key, change))
    }

    /// Removes a key, as far as this replica has seen its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Delta<Self>
    where
        K: Borrow<Q>,
    {
        self.mutate_without_dot(|map| map.remove(key))
    }
}

delegate!(
    OrMap<K, V>, values: DotMap<K, V>, [K: Clone + Ord, V: Nested],
    codec [K: Clone + Ord + Codec, V: Nested + StoreCodec]
);

impl<K: Clone + Ord, V: Nested> Nested for OrMap<K, V> {}

impl<K: Clone + Ord + Codec, V: Nested + StoreWire> StoreWire for OrMap<K, V> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x41);
        V::write_tag(out);
    }
}
