//! A dot store with the one context that it needs.

use alloc::vec::Vec;
use core::{fmt, ops::Deref};

use super::store::{Change, Changes, DotStore, Live, Replicas, Stability, StoreCodec, StoreWire};
use super::{CausalDigest, Crdt, Delta, DeltaCrdt};
use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{Codec, DecodeError, Reader, Wire};

/// A replica of a value that is made of events: the value, and everything this replica has seen of it.
///
/// `Causal<OrSet<E>>`, `Causal<OrMap<K, OrSet<E>>>` and so on: each type brings its own mutators to `Causal`, and what
/// it says to readers is reached by dereference. The context is here and nowhere else: values inside of maps have none.
///
/// | operation | cost |
/// | --- | --- |
/// | a mutator, `merge_delta` | that of the delta: a few logarithms of the size |
/// | `delta_since` | that of what changed, and the runs of both digests |
/// | `digest` | the runs of dots that are in the context or in the value |
/// | `merge` with a whole state | both sizes |
///
/// A digest tells runs of dots that the value still holds, since what was removed leaves nothing else behind. After n
/// removals in random places there are up to n runs, each of two or three bytes.
#[derive(Clone)]
pub struct Causal<S> {
    store: S,
    context: CausalContext,
    /// The dots of `store`; none in a delta, which nobody asks for its digest.
    live: Option<Live>,
}

impl<S: DotStore> Causal<S> {
    /// Returns the state before any change.
    #[must_use]
    pub fn new() -> Self {
        Self { store: S::default(), context: CausalContext::new(), live: Some(Live::default()) }
    }

    /// Makes a change and returns it.
    ///
    /// `change` is given the value and the dot of a new event of `replica`. It returns the delta, which is then merged
    /// here; a delta that does not use the dot leaves it for the next change.
    pub fn mutate(&mut self, replica: ReplicaId, change: impl FnOnce(&S, Dot) -> Delta<Self>) -> Delta<Self> {
        let delta = change(&self.store, self.context.next(replica));
        self.merge_delta(&delta);
        delta
    }

    /// Makes a change that adds no event, as a removal, and returns it.
    pub(crate) fn mutate_without_dot(&mut self, change: impl FnOnce(&S) -> Delta<Self>) -> Delta<Self> {
        let delta = change(&self.store);
        self.merge_delta(&delta);
        delta
    }

    /// Makes a change in place and returns it: for mutators that know a shorter way than to merge their change.
    ///
    /// `change` must leave what merging the delta that it returns would leave.
    pub(crate) fn mutate_in_place(
        &mut self,
        change: impl FnOnce(&mut S, &mut CausalContext, &mut Changes<'_>) -> Delta<Self>,
    ) -> Delta<Self> {
        let live = &mut self.live;
        change(&mut self.store, &mut self.context, &mut |change| note(live, change))
    }

    /// Drops what no replica can miss any more, and returns that as a change to be sent like any other.
    ///
    /// `acknowledged` holds, for every registered replica but this one, a digest that it was seen to have, however old. What
    /// is dropped are marks of removals that all of them have seen: removals of an [`RwSet`](super::RwSet) and an
    /// [`LwwMap`](super::LwwMap), deleted elements of an [`Rga`](super::Rga). Reading gives the same before and after. A
    /// replica that has not yet received all that the others acknowledged drops nothing.
    ///
    /// The promise rests on the list: a replica that is not on it and comes back with changes made before the removals may
    /// bring back what they removed. Let it begin anew from another replica's state.
    pub fn stabilize<'a>(&mut self, acknowledged: impl IntoIterator<Item = &'a CausalDigest>) -> Delta<Self> {
        let Some(stability) = Stability::of(self.digest(), acknowledged) else { return Delta::default() };
        let mut has_dropped = false;
        let live = &mut self.live;
        self.store.stabilize(&stability, &mut |change| {
            has_dropped = true;
            note(live, change);
        });
        if !has_dropped {
            return Delta::default();
        }
        // SUBTLE: not only the marks, but all that is known to be gone. What a mark had beaten may still be on its way to
        // someone, who without the mark would take it in.
        Delta::causal(S::default(), self.context.difference(&self.live()))
    }

    /// Returns the events that this replica has seen.
    #[must_use]
    pub const fn context(&self) -> &CausalContext {
        &self.context
    }

    fn live(&self) -> CausalContext {
        match &self.live {
            Some(live) => live.to_context(),
            None => Live::of(&self.store).to_context(),
        }
    }
}

impl<S: DotStore> Delta<Causal<S>> {
    /// Returns the change that puts `store` in the place of the events of `context`.
    ///
    /// The dots of the store are added to the context. For mutators of your own [`DotStore`]s.
    pub fn causal(store: S, mut context: CausalContext) -> Self {
        store.dots(&mut |dot| {
            context.insert(dot);
        });
        Self::of(Causal { store, context, live: None })
    }

    /// As [`causal`](Self::causal), for a context that holds the dots of the store.
    pub(crate) const fn of_parts(store: S, context: CausalContext) -> Self {
        Self::of(Causal { store, context, live: None })
    }

    /// Returns the change as one of a store that holds this one in some place.
    pub(crate) fn lift<T: DotStore>(&self, wrap: impl FnOnce(S) -> T) -> Delta<Causal<T>> {
        let Causal { store, context, live: _ } = self.state();
        Delta::of(Causal { store: wrap(store.clone()), context: context.clone(), live: None })
    }
}

impl<S: DotStore> Default for Causal<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: DotStore> PartialEq for Causal<S> {
    fn eq(&self, other: &Self) -> bool {
        // `live` follows from the store.
        self.context == other.context && self.store == other.store
    }
}

impl<S: DotStore> Deref for Causal<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.store
    }
}

impl<S: fmt::Debug> fmt::Debug for Causal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Causal").field("store", &self.store).field("context", &self.context).finish()
    }
}

impl<S: DotStore> Crdt for Causal<S> {
    fn merge(&mut self, other: &Self) {
        let live = &mut self.live;
        self.store.join(&self.context, &other.store, &other.context, &mut |change| note(live, change));
        self.context.merge(&other.context);
    }
}

impl<S: DotStore> DeltaCrdt for Causal<S> {
    type Digest = CausalDigest;

    fn digest(&self) -> CausalDigest {
        CausalDigest { seen: self.context.clone(), live: self.live() }
    }

    fn delta_since(&self, digest: &CausalDigest) -> Delta<Self> {
        let new = self.context.difference(&digest.seen);
        let removed = digest.live.intersection(&self.context).difference(&self.live());
        let store = self.store.pick(&new);
        let mut context = new;
        context.merge(&removed);
        Delta::causal(store, context)
    }
}

/// Bytes: the context, the store.
impl<S: StoreCodec> Codec for Causal<S> {
    const BYTES_MIN: usize = CausalContext::BYTES_MIN + S::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        self.context.encode(out);
        self.store.encode(&Replicas::of(&self.context), out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let context = CausalContext::decode(reader)?;
        let store = S::decode(&Replicas::of(&context), reader)?;
        let mut is_known = true;
        store.dots(&mut |dot| is_known &= context.contains(dot));
        if !is_known {
            return Err(DecodeError::Dot { at: reader.at() });
        }
        let live = Some(Live::of(&store));
        Ok(Self { store, context, live })
    }
}

impl<S: StoreWire> Wire for Causal<S> {
    fn write_tag(out: &mut Vec<u8>) {
        S::write_tag(out);
    }
}

fn note(live: &mut Option<Live>, change: Change) {
    if let Some(live) = live {
        match change {
            Change::Came(dot) => live.insert(dot),
            Change::Went(dot) => live.remove(dot),
        }
    }
}
