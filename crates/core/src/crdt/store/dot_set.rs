//! A few events that mean the same.

use alloc::vec::Vec;

use super::{Change, Changes, DotStore, Nested, Replicas, StoreCodec};
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
}

impl FromIterator<Dot> for DotSet {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        let mut dots = dots.into_iter();
        match (dots.next(), dots.next()) {
            (None, _) => Self::Empty,
            (Some(dot), None) => Self::One(dot),
            (Some(first), Some(second)) => {
                let mut all: Vec<Dot> = [first, second].into_iter().chain(dots).collect();
                all.sort_unstable();
                Self::Many(all)
            }
        }
    }
}

impl DotStore for DotSet {
    fn join(
        &mut self,
        ours: &CausalContext,
        other: &Self,
        theirs: &CausalContext,
        changes: &mut Changes<'_>,
    ) {
        if self == other {
            return;
        }
        let gone = |dot: &Dot| other.as_slice().binary_search(dot).is_err() && theirs.contains(*dot);
        let went: Vec<Dot> = self.as_slice().iter().copied().filter(gone).collect();
        let new = |dot: &Dot| self.as_slice().binary_search(dot).is_err() && !ours.contains(*dot);
        let came: Vec<Dot> = other.as_slice().iter().copied().filter(new).collect();
        if !went.is_empty() || !came.is_empty() {
            let stays = self.as_slice().iter().copied().filter(|dot| went.binary_search(dot).is_err());
            *self = stays.chain(came.iter().copied()).collect();
            went.into_iter().for_each(|dot| changes(Change::Went(dot)));
            came.into_iter().for_each(|dot| changes(Change::Came(dot)));
        }
    }

    fn is_bottom(&self) -> bool {
        *self == Self::Empty
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.as_slice().iter().copied().for_each(visit);
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        let picked = self.as_slice().iter().copied().filter(|&dot| wanted.contains(dot));
        picked.collect()
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
        Ok(dots.into_iter().collect())
    }
}
