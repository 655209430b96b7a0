//! Dot stores: values that are made of events, without knowing what else has been seen.
//!
//! A dot store alone cannot be merged: an event that one side lacks may be new, or may have been removed. The causal
//! context decides, and there is one for the whole of a state, in [`Causal`](super::Causal). Values nested in maps are
//! stores and own no context, so that there is never a second one that could disagree.
//!
//! (P. S. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", 2018, section 7.)

mod changes;
mod delegate;
mod dot_fun;
mod dot_index;
mod dot_map;
mod dot_set;
mod live;
mod sorted;
mod stability;

pub use changes::{Change, Changes};
pub(in crate::crdt) use delegate::delegate;
pub(super) use dot_fun::DotFun;
pub(super) use dot_map::DotMap;
pub(super) use dot_set::DotSet;
pub(super) use live::Live;
pub use stability::Stability;

use alloc::{collections::BTreeMap, vec::Vec};

use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{DecodeError, Reader};

/// A value that is made of events.
///
/// Each dot stands in one place only, and an empty store means the same as none.
pub trait DotStore: Clone + Default + PartialEq {
    /// Takes in `other`: an event that both have stays, and one that only one has stays if the other has not seen it.
    ///
    /// `ours` and `theirs` are what either side has seen, before the merge. Every dot that comes or goes is reported.
    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext, changes: &mut Changes<'_>);

    /// Returns whether the store holds no event.
    fn is_bottom(&self) -> bool;

    /// Calls `visit` with each dot.
    fn dots(&self, visit: &mut dyn FnMut(Dot));

    /// Returns the part that holds the dots of `wanted`.
    #[must_use]
    fn pick(&self, wanted: &CausalContext) -> Self;

    /// Drops what no replica can miss any more: see [`Causal::stabilize`](super::Causal::stabilize).
    fn stabilize(&mut self, stability: &Stability, changes: &mut Changes<'_>) {
        let _ = (stability, changes);
    }
}

/// A store that may be the value of an [`OrMap`](super::OrMap).
///
/// There, removing a key removes the events of its value one by one. So a store is nested only if it is the same for each
/// event whether the others are there: not a register that drops the earlier of two writes, whose removal would have to
/// bring back the other, and not a sequence, whose elements stand behind each other.
pub trait Nested: DotStore {}

/// A store with canonical bytes. Dots are written with the place of their replica among those of the context.
pub trait StoreCodec: DotStore {
    /// Fewest bytes that a store has, at least 1.
    const BYTES_MIN: usize;

    /// Appends the bytes of the store.
    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>);

    /// Reads a store.
    ///
    /// # Errors
    /// [`DecodeError`] says what is wrong with the bytes, and where.
    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// A store whose state stands on its own: see [`Wire`](crate::codec::Wire).
pub trait StoreWire: StoreCodec {
    /// Appends the tag of the type.
    fn write_tag(out: &mut Vec<u8>);
}

/// The replicas of a context in their order, so that dots can be written as a place among them and a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas(Vec<ReplicaId>);

impl Replicas {
    /// Returns the replicas of a context.
    #[must_use]
    pub fn of(context: &CausalContext) -> Self {
        Self(context.replicas())
    }

    /// Returns whether dots of `replica` can be written.
    #[must_use]
    pub fn contains(&self, replica: ReplicaId) -> bool {
        self.0.binary_search(&replica).is_ok()
    }

    /// Appends a dot: the place of its replica, from 0, and its counter, both as numbers.
    pub fn encode(&self, dot: Dot, out: &mut Vec<u8>) {
        // The dots of a store are in its context; were one not, the place decodes to an error.
        let place = self.0.binary_search(&dot.replica).unwrap_or(self.0.len());
        crate::codec::write_var(place as u64, out);
        crate::codec::write_var(dot.counter, out);
    }

    /// Reads a dot.
    ///
    /// # Errors
    /// [`DecodeError::Dot`] if there is no replica at its place, or it is numbered 0.
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<Dot, DecodeError> {
        let (place, counter) = (reader.var()?, reader.var()?);
        let replica = usize::try_from(place).ok().and_then(|place| self.0.get(place).copied());
        let dot = replica.map(|replica| Dot { replica, counter }).filter(|_| counter > 0);
        dot.ok_or(DecodeError::Dot { at: reader.at() })
    }
}

/// Calls `visit` with the entries of `map` whose dots are in `context`, by way of whichever of the two is shorter.
pub(super) fn within<'a, T>(
    map: &'a BTreeMap<Dot, T>,
    context: &CausalContext,
    mut visit: impl FnMut(Dot, &'a T),
) {
    if context.runs().len() <= map.len() {
        for run in context.runs() {
            map.range(run.first_dot()..=run.last_dot()).for_each(|(&dot, value)| visit(dot, value));
        }
    } else {
        map.iter().filter(|(dot, _)| context.contains(**dot)).for_each(|(&dot, value)| visit(dot, value));
    }
}
