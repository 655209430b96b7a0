//! Changes on their own.

use alloc::vec::Vec;

use super::Crdt;
use crate::codec::{Codec, DecodeError, Reader, Wire};

/// Some changes of a state: a small state of the same type, to be merged into others and not to be written to.
///
/// Deltas merge with each other in any order into larger ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a change that is not sent reaches the other replicas only when they ask for what they lack"]
pub struct Delta<T>(T);

impl<T: Crdt> Delta<T> {
    /// Returns `state` as a change.
    pub const fn of(state: T) -> Self {
        Self(state)
    }

    /// Adds the changes of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// Returns the changes as a state that holds nothing else.
    #[must_use]
    pub const fn state(&self) -> &T {
        &self.0
    }

    /// Returns whether there is no change at all.
    #[must_use]
    pub fn is_bottom(&self) -> bool {
        self.0 == T::default()
    }
}

impl<T: Codec> Codec for Delta<T> {
    const BYTES_MIN: usize = T::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Self)
    }
}

impl<T: Wire> Wire for Delta<T> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x80);
        T::write_tag(out);
    }
}
