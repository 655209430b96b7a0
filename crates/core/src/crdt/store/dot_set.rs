//! A few events that mean the same.

use alloc::vec::Vec;
use core::mem;

use super::{Changes, DotStore, Nested, Replicas, StoreCodec};
use crate::clock::{CausalContext, Dot};
use crate::codec::{DecodeError, Reader, write_var};

/// A set of dots, in the usual case one, which then takes no memory of its own.
///
/// All operations cost its length: it has at most as many as there are replicas that wrote at the same time.
///
/// Bytes: count, then the dots, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum DotSet {
    #[default]
    Empty,
    One(Dot),
    /// At least two, ascending.
    Many(Vec<Dot>),
}

impl DotSet {
    pub(crate) const fn as_slice(&self) -> &[Dot] {
        match self {
            Self::Empty => &[],
            Self::One(dot) => core::slice::from_ref(dot),
            Self::Many(dots) => dots.as_slice(),
        }
    }

    fn from_ascending(dots: Vec<Dot>) -> Self {
        match dots.as_slice() {
            [] => Self::Empty,
            [dot] => Self::One(*dot),
            [_, _, ..] => Self::Many(dots),
        }
    }

    fn into_vec(self) -> Vec<Dot> {
        match self {
            Self::Empty => Vec::new(),
            Self::One(dot) => Vec::from([dot]),
            Self::Many(dots) => dots,
        }
    }
}

impl DotStore for DotSet {
    fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext, changes: &mut Changes) {
        if self == other {
            return;
        }
        let (here, there) = (self.as_slice(), other.as_slice());
        let gone = |dot: &Dot| there.binary_search(dot).is_err() && theirs.contains(*dot);
        let new = |dot: &Dot| here.binary_search(dot).is_err() && !ours.contains(*dot);
        let (came, went) = changes.mark();
        changes.went.extend(here.iter().copied().filter(gone));
        changes.came.extend(there.iter().copied().filter(new));
        let (came, went) = (&changes.came[came..], &changes.went[went..]);
        if came.is_empty() && went.is_empty() {
            return;
        }
        let mut dots = mem::take(self).into_vec();
        dots.retain(|dot| went.binary_search(dot).is_err());
        dots.extend_from_slice(came);
        dots.sort_unstable();
        *self = Self::from_ascending(dots);
    }

    fn is_bottom(&self) -> bool {
        *self == Self::Empty
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.as_slice().iter().copied().for_each(visit);
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        let picked = self.as_slice().iter().copied().filter(|&dot| wanted.contains(dot));
        Self::from_ascending(picked.collect())
    }
}

impl Nested for DotSet {}

impl StoreCodec for DotSet {
    const BYTES_MIN: usize = 1;

    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
        let dots = self.as_slice();
        write_var(dots.len() as u64, out);
        dots.iter().for_each(|&dot| replicas.encode(dot, out));
    }

    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut dots: Vec<Dot> = Vec::new();
        for _ in 0..reader.count(2)? {
            let dot = replicas.decode(reader)?;
            if dots.last().is_some_and(|&last| last >= dot) {
                return Err(DecodeError::Order { at: reader.at() });
            }
            dots.push(dot);
        }
        Ok(Self::from_ascending(dots))
    }
}
