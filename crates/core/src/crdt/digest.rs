//! What a replica has, and what all of them have.

use alloc::vec::Vec;

use crate::clock::CausalContext;
use crate::codec::{Codec, DecodeError, Reader, Wire};

/// What a [`Causal`](super::Causal) replica has: the events it has seen, and those of them that its value still holds.
///
/// Bytes: both contexts, the events seen first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CausalDigest {
    /// The events that the replica has seen.
    pub seen: CausalContext,
    /// Those that its value holds.
    pub live: CausalContext,
}

impl Codec for CausalDigest {
    const BYTES_MIN: usize = 2 * CausalContext::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        self.seen.encode(out);
        self.live.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { seen: CausalContext::decode(reader)?, live: CausalContext::decode(reader)? })
    }
}

impl Wire for CausalDigest {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x03);
    }
}
