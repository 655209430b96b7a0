//! A map in which the latest write of a key counts.

use alloc::vec::Vec;
use core::borrow::Borrow;

use crate::clock::{CausalContext, Dot, Timestamp};
use crate::codec::{Codec, DecodeError, Reader};
use crate::crdt::store::{
    Change, Changes, DotMap, DotStore, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A map of last-writer-wins registers: of each key the write with the greatest stamp counts, and a removal is a write.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | `m[k] = 1` at 10:00 | `m[k] = 2` at 10:01 | `m[k] = 2` |
/// | `m[k] = 1` at 10:00 | removes k at 10:01 | no k |
/// | `m[k] = 1` at 10:01 | removes k at 10:00 | `m[k] = 1` |
///
/// A removal leaves a tombstone until it is [causally stable](Causal::stabilize). Dropped tombstones do not bring back
/// what they removed, however late it arrives: the context knows those writes.
///
/// Draw stamps from a [`HybridClock`](crate::clock::HybridClock) that has observed every stamp merged here, so that what
/// was written with knowledge of a write is later than it. Should two writes have one stamp against the rules, the one
/// with the greater dot stays.
///
/// | operation | cost, n keys and tombstones |
/// | --- | --- |
/// | `set`, `remove`, `get`, `merge_delta` of them | log n |
/// | `iter`, `stabilize` | n |
/// | others | those of [`Causal`] |
///
/// *Not for* values that people would miss, or that several edit in part: [`OrMap`](super::OrMap). It is not
/// [`Nested`](crate::crdt::Nested): see [`LwwRegister`](crate::crdt::LwwRegister).
///
/// (P. Johnson, R. Thomas, "The maintenance of duplicate databases", RFC 677, 1975; dots and stability: C. Baquero, P. S.
/// Almeida, A. Shoker, "Pure operation-based replicated data types", 2017.)
///
/// Bytes: count, then of each key, ascending: the key, the dot, the stamp, an option of the value (none: a tombstone).
///
/// # Examples
///
/// ```
/// use syncline_core::clock::{HybridTime, ReplicaId, Timestamp};
/// use syncline_core::crdt::{Causal, Crdt, DeltaCrdt, LwwMap};
/// use syncline_core::time::WallMs;
///
/// let at = |ms, replica| Timestamp::new(HybridTime::new(WallMs(ms), 0), ReplicaId(replica));
/// let mut ann = Causal::<LwwMap<&str, u32>>::new();
/// let mut bob = ann.clone();
/// let _ = ann.set(at(1000, 1), "k", 1);
/// let _ = bob.remove(at(1001, 2), "k");
/// ann.merge(&bob);
/// assert_eq!(ann.get("k"), None);
///
/// bob.merge(&ann);
/// let dropped = ann.stabilize([&bob.digest()]); // the tombstone
/// assert!(!dropped.is_bottom() && ann.stamp("k").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LwwMap<K: Ord, V> {
    cells: DotMap<K, Cell<V>>,
}

/// The latest write of a key, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell<V>(Option<Write<V>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Write<V> {
    dot: Dot,
    stamp: Timestamp,
    /// None if the write is a removal.
    value: Option<V>,
}

impl<K: Ord, V> Default for LwwMap<K, V> {
    fn default() -> Self {
        Self { cells: DotMap::default() }
    }
}

impl<V> Default for Cell<V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K: Clone + Ord, V: Clone + PartialEq> LwwMap<K, V> {
    /// Returns the change that writes `value` under `key`.
    pub fn set(&self, dot: Dot, stamp: Timestamp, key: K, value: V) -> Delta<Causal<Self>> {
        self.write(key, Write { dot, stamp, value: Some(value) })
    }

    /// Returns the change that removes `key`.
    pub fn remove(&self, dot: Dot, stamp: Timestamp, key: K) -> Delta<Causal<Self>> {
        self.write(key, Write { dot, stamp, value: None })
    }

    /// Returns the value under `key`.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.latest(key)?.value.as_ref()
    }

    /// Returns the stamp of the latest write of `key`, be it a removal, or none if there is no trace of one.
    #[must_use]
    pub fn stamp<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Timestamp>
    where
        K: Borrow<Q>,
    {
        self.latest(key).map(|write| write.stamp)
    }

    /// Returns the keys with their values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.cells
            .entries()
            .iter()
            .filter_map(|(key, Cell(write))| Some((key, write.as_ref()?.value.as_ref()?)))
    }

    fn latest<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&Write<V>>
    where
        K: Borrow<Q>,
    {
        self.cells.store(key)?.0.as_ref()
    }

    fn write(&self, key: K, write: Write<V>) -> Delta<Causal<Self>> {
        Delta::causal(Self { cells: DotMap::of(key, Cell(Some(write))) }, CausalContext::new())
    }
}

impl<K: Clone + Ord, V: Clone + PartialEq> Causal<LwwMap<K, V>> {
    /// Writes `value` under `key`, in the name of the stamp's replica.
    pub fn set(&mut self, stamp: Timestamp, key: K, value: V) -> Delta<Self> {
        self.mutate(stamp.replica, |map, dot| map.set(dot, stamp, key, value))
    }

    /// Removes `key`, whether it is there or not, in the name of the stamp's replica.
    pub fn remove(&mut self, stamp: Timestamp, key: K) -> Delta<Self> {
        self.mutate(stamp.replica, |map, dot| map.remove(dot, stamp, key))
    }
}

delegate!(
    LwwMap<K, V>, cells: DotMap<K, Cell<V>>, [K: Clone + Ord, V: Clone + PartialEq],
    codec [K: Clone + Ord + Codec, V: Clone + PartialEq + Codec]
);

impl<K: Clone + Ord + Codec, V: Clone + PartialEq + Codec> StoreWire for LwwMap<K, V> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x40);
    }
}

impl<V: Clone + PartialEq> DotStore for Cell<V> {
    // A write is dropped for two reasons: a later one is there, or it was a tombstone and stable. The greatest write of
    // two states is dropped in neither of them for the first reason, so it is the outcome of every order of merging.
    fn join(
        &mut self,
        ours: &CausalContext,
        other: &Self,
        theirs: &CausalContext,
        changes: &mut Changes<'_>,
    ) {
        let is_common = |a: &Write<V>, b: &Self| b.0.as_ref().is_some_and(|b| b.dot == a.dot);
        let stays = self.0.as_ref().filter(|write| is_common(write, other) || !theirs.contains(write.dot));
        let comes = other.0.as_ref().filter(|write| !is_common(write, self) && !ours.contains(write.dot));
        let order = |write: &&Write<V>| (write.stamp, write.dot);
        let is_new = comes.as_ref().map(order) > stays.as_ref().map(order);
        let went = if is_new || stays.is_none() { self.0.take().map(|write| write.dot) } else { None };
        if is_new {
            self.0.clone_from(&other.0);
        }
        went.into_iter().for_each(|dot| changes(Change::Went(dot)));
        self.0.iter().filter(|_| is_new).for_each(|write| changes(Change::Came(write.dot)));
    }

    fn is_bottom(&self) -> bool {
        self.0.is_none()
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.0.iter().for_each(|write| visit(write.dot));
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        Self(self.0.clone().filter(|write| wanted.contains(write.dot)))
    }

    fn stabilize(&mut self, stability: &Stability, changes: &mut Changes<'_>) {
        // Everyone knows the removal, and all writes from before they knew it have arrived and lost against it.
        let dropped = self.0.take_if(|write| write.value.is_none() && stability.seen.contains(write.dot));
        dropped.into_iter().for_each(|write| changes(Change::Went(write.dot)));
    }
}

impl<V: Clone + PartialEq + Codec> StoreCodec for Cell<V> {
    const BYTES_MIN: usize = 2 + Timestamp::BYTES_MIN + 1;

    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
        // A map holds no empty cells.
        if let Some(Write { dot, stamp, value }) = &self.0 {
            replicas.encode(*dot, out);
            stamp.encode(out);
            value.encode(out);
        }
    }

    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (dot, stamp) = (replicas.decode(reader)?, Timestamp::decode(reader)?);
        Ok(Self(Some(Write { dot, stamp, value: Option::decode(reader)? })))
    }
}
