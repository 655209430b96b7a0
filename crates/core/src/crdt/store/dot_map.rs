//! Stores under keys.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::dot_index::DotIndex;
use super::sorted::Sorted;
use super::{Change, Changes, DotStore, Replicas, Stability, StoreCodec};
use crate::clock::{CausalContext, Dot};
use crate::codec::{Codec, DecodeError, Reader, write_var};

/// A store for each key, none of them empty.
///
/// An index leads from each dot to its key, so that what a change removes is found without walking through all keys:
/// joining a small map costs the logarithm of the size for each dot and key of the small one. Joining one of about the same
/// size is a walk through both, and the logarithm for each key that differs. Keys are held twice and cloned once for each of
/// their dots; share those that are large, as `Arc<str>`. A map that is a change has no index until another is merged into it.
///
/// Bytes: count, then of each key, ascending: the key, its store.
#[derive(Clone, Debug)]
pub(crate) struct DotMap<K, S> {
    entries: Sorted<K, S>,
    keys: Option<DotIndex<K>>,
}

impl<K: Ord, S> Default for DotMap<K, S> {
    fn default() -> Self {
        Self { entries: Sorted::new(), keys: None }
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
        let entries = if store.is_bottom() { Sorted::new() } else { Sorted::of(key, store) };
        Self { entries, keys: None }
    }

    pub(crate) fn store<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&S>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(crate) const fn entries(&self) -> &Sorted<K, S> {
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
        let keys = self.keys.get_or_insert_with(|| index(&self.entries));
        // One walk through both is faster than a search for each of many.
        let is_large = other.entries.len() > self.entries.len() / 8;
        let (lost, unlike) = if is_large {
            compared(&self.entries, &other.entries, theirs)
        } else {
            (lost(keys, &other.entries, theirs), other.entries.iter().collect())
        };
        let nothing = S::default();
        for key in &lost {
            self.edit(key, changes, |store, changes| store.join(ours, &nothing, theirs, changes));
        }
        for (key, theirs_here) in unlike {
            self.edit(key, changes, |store, changes| store.join(ours, theirs_here, theirs, changes));
        }
    }

    fn is_bottom(&self) -> bool {
        self.entries.is_empty()
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.entries.iter().for_each(|(_, store)| store.dots(visit));
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        let mut entries = Sorted::new();
        let pick = |key: &K| {
            if entries.get(key).is_none()
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
        for (key, store) in self.entries.iter() {
            key.encode(out);
            store.encode(replicas, out);
        }
    }

    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut entries, mut keys) = (Sorted::new(), DotIndex::new());
        for _ in 0..reader.count(K::BYTES_MIN + S::BYTES_MIN)? {
            let key: K = reader.after(entries.last_key())?;
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
fn index<K: Clone + Ord, S: DotStore>(entries: &Sorted<K, S>) -> DotIndex<K> {
    let mut keys = DotIndex::new();
    for (key, store) in entries.iter() {
        store.dots(&mut |dot| {
            keys.insert(dot, key.clone());
        });
    }
    keys
}

/// Returns the keys of which they have nothing left, though they have seen something of it.
fn lost<K: Clone + Ord, S>(
    keys: &DotIndex<K>,
    their_entries: &Sorted<K, S>,
    theirs: &CausalContext,
) -> Vec<K> {
    let mut lost = Vec::new();
    keys.within(theirs, |key| {
        if their_entries.get(key).is_none() {
            lost.push(key.clone());
        }
    });
    lost
}

/// Returns what [`lost`] returns, and their entries that are not the same here, by a walk through both.
///
/// Those that are the same stay: what both have stays, whatever else they have seen.
fn compared<'a, K: Clone + Ord, S: DotStore>(
    our_entries: &Sorted<K, S>,
    their_entries: &'a Sorted<K, S>,
    theirs: &CausalContext,
) -> (Vec<K>, Vec<(&'a K, &'a S)>) {
    let (mut lost, mut unlike) = (Vec::new(), Vec::new());
    let mut their_entries = their_entries.iter().peekable();
    for (key, store) in our_entries.iter() {
        while let Some(entry) = their_entries.next_if(|(their, _)| *their < key) {
            unlike.push(entry);
        }
        if let Some(entry) = their_entries.next_if(|(their, _)| *their == key) {
            if entry.1 != store {
                unlike.push(entry);
            }
        } else {
            let mut is_seen = false;
            store.dots(&mut |dot| is_seen |= theirs.contains(dot));
            if is_seen {
                lost.push(key.clone());
            }
        }
    }
    unlike.extend(their_entries);
    (lost, unlike)
}

#[cfg(test)]
mod tests {
    use crate::clock::ReplicaId;
    use crate::crdt::{Causal, Crdt, DeltaCrdt, OrSet};

    /// Merges a whole state, by a walk through both maps, and what it has more, by searches, after some changes on either side.
    #[test]
    fn walking_does_what_searching_does() {
        let mut state = 1_u64;
        let mut draw = |end: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % end
        };
        for _ in 0..100 {
            let mut ours = Causal::<OrSet<u64>>::new();
            (0..draw(300)).for_each(|n| drop(ours.add(ReplicaId(n % 3), draw(400))));
            let mut theirs = ours.clone();
            for _ in 0..1 + draw(20) {
                let (side, replica) = if draw(2) == 0 { (&mut ours, 4) } else { (&mut theirs, 5) };
                let change = if draw(2) == 0 {
                    side.add(ReplicaId(replica), draw(400))
                } else {
                    side.remove(&draw(400))
                };
                drop(change);
            }
            let mut searched = ours.clone();
            searched.merge_delta(&theirs.delta_since(&ours.digest()));
            ours.merge(&theirs);
            assert_eq!(ours, searched);
            assert_eq!(ours.digest(), searched.digest(), "both report all changes");
        }
    }
}
