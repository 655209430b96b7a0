//! Canonical bytes: equal values have equal bytes, and what is decoded encodes to the same bytes again.
//!
//! # Layout
//!
//! | value | bytes |
//! | --- | --- |
//! | unsigned number but `u8` | 7 bits a byte, least first, the high bit set on all but the last; at most 10 bytes, as few as will do |
//! | signed number | the unsigned number `2 n` for n >= 0, `-2 n - 1` for n < 0 |
//! | `u8`, `bool`, `None` and the tag of `Some` | one byte; 0 and 1 for the latter three |
//! | text, sequence | its length as a number, then its bytes or items |
//! | tuple, array | its items |
//! | [`ReplicaId`] | 8 bytes, most significant first |
//! | [`Dot`] | replica, counter as a number |
//! | [`Timestamp`] | 8 bytes of [`HybridTime`], most significant first; replica |
//! | [`VectorClock`] | count; of each replica, ascending: the id, its counter |
//! | [`CausalContext`] | count of replicas; of each, ascending: the id, count of runs, and of each run the events missing before it, and its length less one. Before a run that is not the replica's first at least one event is missing, and one less is written |
//!
//! The types of [`crdt`](crate::crdt) say theirs beside their codec. A state, a digest or a delta on its own
//! ([`Wire`]) begins with a version, [`VERSION`], and the tag of its type, then the value, and ends with it:
//!
//! ```text
//! 01 | tag of the type, for a map followed by that of its values | value
//! ```
//!
//! | tag | type | tag | type | tag | type |
//! | --- | --- | --- | --- | --- | --- |
//! | `01` | `VectorClock` | `20` | `LwwRegister` | `34` | `LwwElementSet` |
//! | `02` | `CausalContext` | `21` | `MvRegister` | `35` | `CausalLengthSet` |
//! | `03` | `CausalDigest` | `28` | `EnableWinsFlag` | `40` | `LwwMap` |
//! | `04` | option of a `Timestamp` | `29` | `DisableWinsFlag` | `41` | `OrMap` |
//! | `10` | `GCounter` | `30` | `GSet` | `50` | `Rga` |
//! | `11` | `PnCounter` | `31` | `TwoPhaseSet` | `80` | a delta of the type whose tag follows |
//! | `12` | `BoundedCounter` | `32` | `OrSet` | | |
//! | `13` | `ResetCounter` | `33` | `RwSet` | | |
//!
//! Types of elements are not written: both sides agree on them beforehand.
//!
//! With the feature `serde` every state, delta and digest is for serde the byte string of its canonical bytes, so that what
//! serde reads has passed the same checks. [`ReplicaId`], [`Dot`], [`HybridTime`] and [`Timestamp`] have their fields.
//!
//! Invariants:
//! * no count is believed before it has been checked against the bytes left;
//! * no two byte strings decode to the same value;
//! * no decoder panics or recurses over its input.
//!
//! [`ReplicaId`]: crate::clock::ReplicaId
//! [`Dot`]: crate::clock::Dot
//! [`HybridTime`]: crate::clock::HybridTime
//! [`Timestamp`]: crate::clock::Timestamp
//! [`VectorClock`]: crate::clock::VectorClock
//! [`CausalContext`]: crate::clock::CausalContext

mod clocks;
mod error;
mod reader;
#[cfg(feature = "serde")]
mod serde;
mod values;
mod wire;

use alloc::vec::Vec;

pub use error::DecodeError;
pub use reader::{Reader, write_var};
pub use wire::{VERSION, Wire};

/// A value with canonical bytes.
///
/// Implement it for your own elements from the parts that have it. Two values that are equal must have the same bytes,
/// and `decode` must accept no others: [`Wire::from_bytes`] is only as canonical as its parts.
pub trait Codec: Sized {
    /// Fewest bytes that a value has, at least 1. Counts of values are checked against it.
    const BYTES_MIN: usize;

    /// Appends the bytes of the value.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads one value.
    ///
    /// # Errors
    /// [`DecodeError`] says what is wrong with the bytes, and where.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}
