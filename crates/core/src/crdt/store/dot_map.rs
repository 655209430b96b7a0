//! Stores under keys.

use alloc::{collections::BTreeMap, vec::Vec};
use core::borrow::Borrow;

use super::{Changes, DotStore, Replicas, Stability, StoreCodec, within};
use crate::clock::{CausalContext, Dot};
use crate::codec::{Codec, DecodeError, Reader, write_var};

/// A store for each key, none of them empty.
///
/// An index leads from each dot to its key, so that what a change removes is found without walking through all keys:
/// joining costs the logarithm of the size for each dot and key of the smaller side. Keys are held twice and cloned once
/// for each of their dots; share those that are large, as `Arc<str>`.
///
/// Bytes: count, then of each key, ascending: the key, its store.
#[derive(Clone, Debug)]
pub(crate) struct DotMap<K, S> {
    entries: BTreeMap<K, S>,
    keys: BTreeMap<Dot, K>,
}

impl<K, S> Default for DotMap<K, S> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), keys: BTreeMap::new() }
    }
}

impl<K: Ord, S: PartialEq> PartialEq for DotMap<K, S> {
    fn eq(&self, other: &Self) -> bool {
        // The index follows from the entries.
        self.entries == other.entries
    }
}

impl<K: Ord, S: Eq> Eq for DotMap<K, S> {}

impl<K: Clone + Ord, S: DotStore> DotMap<K, S> {
    /// Returns the map with one key, or the empty map if its store is empty.
    pub(crate) fn of(key: K, store: S) -> Self {
        let mut map = Self::default();
        if !store.is_bottom() {
            store.dots(&mut |dot| {
                map.keys.insert(dot, key.clone());
            });
            map.entries.insert(key, store);
        }
        map
    }

    pub(crate) fn store<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&S>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(crate) const fn entries(&self) -> &BTreeMap<K, S> {
        &self.entries
    }

    /// Returns the dots of a key, to be put into the context of a change that replaces or removes it.
    pub(crate) fn context_of<Q: Ord + ?Sized>(&self, key: &Q) -> CausalContext
    where
        K: Borrow<Q>,
    {
        let mut context = CausalContext::new();
        if let Some(store) = self.store(key) {
            store.dots(&mut |dot| {
                context.insert(dot);
            });
        }
        context
    }

    /// Changes the store of one key, and the index with it.
    pub(crate) fn edit(&mut self, key: &K, changes: &mut Changes, edit: impl FnOnce(&mut S, &mut Changes)) {
        let (came, went) = changes.mark();
        if let Some(store) = self.entries.get_mut(key) {
            edit(store, changes);
            if store.is_bottom() {
                self.entries.remove(key);
            }
        } else {
            let mut store = S::default();
            edit(&mut store, changes);
            if !store.is_bottom() {
                self.entries.insert(key.clone(), store);
            }
        }
        for dot in &changes.went[went..] {
            self.keys.remove(dot);
        }
        for &dot in &changes.came[came..] {
            self.keys.insert(dot, key.clone());
        }
    }
}

impl<K: Clone + Ord, S: DotStore> DotStore for DotMap<K, S> {
    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext, changes: &mut Changes) {
        // Keys of which they have nothing left, though they have seen something of it. Those that both have come below.
        let lost = within(&self.keys, theirs).filter(|(dot, _)| !other.keys.contains_key(dot));
        let lost = lost.filter(|(_, key)| !other.entries.contains_key(key));
        let lost: Vec<K> = lost.map(|(_, key)| key.clone()).collect();
        let nothing = S::default();
        for key in &lost {
            self.edit(key, changes, |store, changes| store.join(ours, &nothing, theirs, changes));
        }
        for (key, theirs_here) in &other.entries {
            self.edit(key, changes, |store, changes| store.join(ours, theirs_here, theirs, changes));
        }
    }

    fn is_bottom(&self) -> bool {
        self.entries.is_empty()
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.keys.keys().copied().for_each(visit);
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        let mut picked = Self::default();
        for (_, key) in within(&self.keys, wanted) {
            if !picked.entries.contains_key(key)
                && let Some(store) = self.entries.get(key)
            {
                picked.edit(key, &mut Changes::default(), |part, changes| {
                    *part = store.pick(wanted);
                    part.dots(&mut |dot| changes.came.push(dot));
                });
            }
        }
        picked
    }

    fn stabilize(&mut self, stability: &Stability, changes: &mut Changes) {
        let keys: Vec<K> = self.entries.keys().cloned().collect();
        for key in &keys {
            self.edit(key, changes, |store, changes| store.stabilize(stability, changes));
        }
    }
}

impl<K: Clone + Ord + Codec, S: StoreCodec> StoreCodec for DotMap<K, S> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
        write_var(self.entries.len() as u64, out);
        for (key, store) in &self.entries {
            key.encode(out);
            store.encode(replicas, out);
        }
    }

    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut map = Self::default();
        for _ in 0..reader.count(K::BYTES_MIN + S::BYTES_MIN)? {
            let key = reader.after(map.entries.last_key_value().map(|(last, _)| last))?;
            let store = S::decode(replicas, reader)?;
            if store.is_bottom() {
                return Err(DecodeError::Range { at: reader.at() });
            }
            let mut is_known = false;
            store.dots(&mut |dot| is_known |= map.keys.insert(dot, key.clone()).is_some());
            if is_known {
                return Err(DecodeError::Dot { at: reader.at() });
            }
            map.entries.insert(key, store);
        }
        Ok(map)
    }
}
