//! A few events that mean the same.

use alloc::{boxed::Box, vec::Vec};
use core::num::NonZeroU64;

use super::{Change, Changes, DotStore, Nested, Replicas, StoreCodec};
use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{DecodeError, Reader, write_var};

/// A set of dots, in the usual case one, which then takes no memory of its own: 16 bytes in all.
///
/// All operations cost its length: it has at most as many as there are replicas that wrote at the same time.
///
/// Bytes: count, then the dots, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DotSet {
    One(ReplicaId, NonZeroU64),
    Other(Option<Box<Many>>),
}

/// At least two dots, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Many(Vec<Dot>);

impl DotSet {
    /// Returns the set of one dot; one that is numbered 0 names no event and is left out.
    pub(crate) const fn of(dot: Dot) -> Self {
        match NonZeroU64::new(dot.counter) {
            Some(counter) => Self::One(dot.replica, counter),
            None => Self::Other(None),
        }
    }

    /// Returns the dots, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Dot> {
        let (one, many) = match self {
            Self::One(replica, counter) => (Some(Dot::new(*replica, counter.get())), None),
            Self::Other(many) => (None, many.as_ref()),
        };
        one.into_iter().chain(many.into_iter().flat_map(|many| many.0.iter().copied()))
    }

    pub(crate) fn contains(&self, dot: Dot) -> bool {
        match self {
            Self::One(..) => *self == Self::of(dot),
            Self::Other(many) => many.as_ref().is_some_and(|many| many.0.binary_search(&dot).is_ok()),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::Other(None))
    }

    fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Other(many) => many.as_ref().map_or(0, |many| many.0.len()),
        }
    }
}

impl Default for DotSet {
    fn default() -> Self {
        Self::Other(None)
    }
}

impl FromIterator<Dot> for DotSet {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        let mut dots = dots.into_iter();
        match (dots.next(), dots.next()) {
            (None, _) => Self::default(),
            (Some(dot), None) => Self::of(dot),
            (Some(first), Some(second)) => {
                let mut all: Vec<Dot> = [first, second].into_iter().chain(dots).collect();
                all.sort_unstable();
                Self::Other(Some(Box::new(Many(all))))
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
        let went: Vec<Dot> =
            self.iter().filter(|&dot| !other.contains(dot) && theirs.contains(dot)).collect();
        let came: Vec<Dot> = other.iter().filter(|&dot| !self.contains(dot) && !ours.contains(dot)).collect();
        if !went.is_empty() || !came.is_empty() {
            let stays = self.iter().filter(|dot| went.binary_search(dot).is_err());
            *self = stays.chain(came.iter().copied()).collect();
            went.into_iter().for_each(|dot| changes(Change::Went(dot)));
            came.into_iter().for_each(|dot| changes(Change::Came(dot)));
        }
    }

    fn is_bottom(&self) -> bool {
        self.is_empty()
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        match self {
            Self::One(replica, counter) => visit(Dot::new(*replica, counter.get())),
            Self::Other(many) => many.iter().flat_map(|many| &many.0).copied().for_each(visit),
        }
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        self.iter().filter(|&dot| wanted.contains(dot)).collect()
    }
}

impl Nested for DotSet {}

impl StoreCodec for DotSet {
    const BYTES_MIN: usize = 1;

    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
        write_var(self.len() as u64, out);
        self.iter().for_each(|dot| replicas.encode(dot, out));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A set holds one for each of its elements.
    #[test]
    fn it_has_16_bytes() {
        assert_eq!(size_of::<DotSet>(), 16);
    }
}
