//! Stores under keys.

use alloc::{collections::BTreeMap, vec::Vec};
use core::borrow::Borrow;

use super::dot_index::DotIndex;
use super::{Change, Changes, DotStore, Replicas, Stability, StoreCodec};
use crate::clock::{CausalContext, Dot};
use crate::codec::{Codec, DecodeError, Reader, write_var};

/// A store for each key, none of them empty.
///
/// An index leads from each dot to its key, so that what a change removes is found without walking through all keys:
/// joining costs the logarithm of the size for each dot and key of the smaller side. Keys are held twice and cloned once
/// for each of their dots; share those that are large, as `Arc<str>`. A map that is a change has no index until another is
/// merged into it.
///
/// Bytes: count, then of each key, ascending: the key, its store.
#[derive(Clone, Debug)]
pub(crate) struct DotMap<K, S> {
    entries: BTreeMap<K, S>,
    keys: Option<DotIndex<K>>,
}

impl<K, S> Default for DotMap<K, S> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), keys: None }
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
        let mut entries = BTreeMap::new();
        if !store.is_bottom() {
            entries.insert(key, store);
        }
        Self { entries, keys: None }
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

    /// Puts `store`, which is not empty, in the place of that of `key`, which is returned.
    pub(crate) fn replace(&mut self, key: &K, store: S, changes: &mut Changes<'_>) -> S {
        let keys = self.keys.get_or_insert_with(|| index(&self.entries));
        store.dots(&mut |dot| {
            keys.insert(dot, key.clone());
            changes(Change::Came(dot));
        });
        let before = self.entries.insert(key.clone(), store).unwrap_or_default();
        before.dots(&mut |dot| {
            keys.remove(dot);
            changes(Change::Went(dot));
        });
        before
    }

    /// Removes a key and returns its store.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q, changes: &mut Changes<'_>) -> S
    where
        K: Borrow<Q>,
    {
        let keys = self.keys.get_or_insert_with(|| index(&self.entries));
        let before = self.entries.remove(key).unwrap_or_default();
        before.dots(&mut |dot| {
            keys.remove(dot);
            changes(Change::Went(dot));
        });
        before
    }

    /// Changes the store of one key, and the index with it.
    fn edit(&mut self, key: &K, changes: &mut Changes<'_>, edit: impl FnOnce(&mut S, &mut Changes<'_>)) {
        let keys = self.keys.get_or_insert_with(|| index(&self.entries));
        let mut note = |change| {
            match change {
                Change::Came(dot) => {
                    keys.insert(dot, key.clone());
                }
                Change::Went(dot) => keys.remove(dot),
            }
            changes(change);
        };
        if let Some(store) = self.entries.get_mut(key) {
            edit(store, &mut note);
            if store.is_bottom() {
                self.entries.remove(key);
            }
        } else {
            let mut store = S::default();
            edit(&mut store, &mut note);
            if !store.is_bottom() {
                self.entries.insert(key.clone(), store);
            }
        }
    }
}

impl<K: Clone + Ord, S: DotStore> DotStore for DotMap<K, S> {
    fn join(
        &mut self,
        ours: &CausalContext,
        other: &Self,
        theirs: &CausalContext,
        changes: &mut Changes<'_>,
    ) {
        // Keys of which they have nothing left, though they have seen something of it. Those that both have come below.
        let mut lost = Vec::new();
        let keys = self.keys.get_or_insert_with(|| index(&self.entries));
        keys.within(theirs, |key| {
            if !other.entries.contains_key(key) {
                lost.push(key.clone());
            }
        });
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
        self.entries.values().for_each(|store| store.dots(visit));
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        let mut entries = BTreeMap::new();
        let pick = |key: &K| {
            if !entries.contains_key(key)
                && let Some(store) = self.entries.get(key)
            {
                let part = store.pick(wanted);
                if !part.is_bottom() {
                    entries.insert(key.clone(), part);
                }
            }
        };
        match &self.keys {
            Some(keys) => keys.within(wanted, pick),
            None => self.entries.keys().for_each(pick),
        }
        Self { entries, keys: None }
    }

    fn stabilize(&mut self, stability: &Stability, changes: &mut Changes<'_>) {
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
        let (mut entries, mut keys) = (BTreeMap::new(), DotIndex::new());
        for _ in 0..reader.count(K::BYTES_MIN + S::BYTES_MIN)? {
            let key: K = reader.after(entries.last_key_value().map(|(last, _)| last))?;
            let store = S::decode(replicas, reader)?;
            if store.is_bottom() {
                return Err(DecodeError::Range { at: reader.at() });
            }
            let mut is_known = false;
            store.dots(&mut |dot| is_known |= !keys.insert(dot, key.clone()));
            if is_known {
                return Err(DecodeError::Dot { at: reader.at() });
            }
            entries.insert(key, store);
        }
        Ok(Self { entries, keys: Some(keys) })
    }
}

/// Returns the index of `entries`: from each dot to its key.
fn index<K: Clone + Ord, S: DotStore>(entries: &BTreeMap<K, S>) -> DotIndex<K> {
    let mut keys = DotIndex::new();
    for (key, store) in entries {
        store.dots(&mut |dot| {
            keys.insert(dot, key.clone());
        });
    }
    keys
}
