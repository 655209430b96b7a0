//! The pure core of Syncline: ids and time values, limits, the guard against hostile bytes, documents,
//! and replicated types.
//!
//! Everything here is a function of its arguments. This crate does not read a clock, draw random numbers, block,
//! do IO or know an async runtime; whoever needs the time or chance passes it in.
//!
//! * [`access`]: who someone is, and what they may do.
//! * [`id`]: names and numbers of things, each its own type.
//! * [`time`]: a monotonic and a wall time that do not convert into each other.
//! * [`limits`]: every bound of the engine, with its unit and its reason.
//! * [`rate`]: buckets of tokens, which say how fast someone may go on.
//! * [`guard`]: scanners that prove bytes harmless before any decoder sees them.
//! * [`clock`]: dots, vector clocks, causal contexts, Lamport and hybrid clocks.
//! * [`crdt`]: counters, registers, flags, sets, maps and a list that replicas merge.
//! * [`codec`]: canonical bytes of all of these.
//! * [`entity`]: what syncs and is no live document: ops, records, policies, conflicts.
//! * [`hook`]: what applications elsewhere are to be told of documents.
//! * [`log`]: what a document's log keeps of each update.
//! * [`doc`]: documents, behind the features `yjs` and `automerge`.
//! * [`person`]: who someone in a document says they are, behind the former.
//!
//! Invariants:
//! * no byte from outside reaches yrs or automerge before a scanner of [`guard`] has accepted it;
//! * no public function panics on any input;
//! * no iteration order that can be seen from outside depends on a hash seed.

#![cfg_attr(not(any(feature = "std", test)), no_std)]

extern crate alloc;

pub mod access;
pub mod clock;
pub mod codec;
pub mod crdt;
#[cfg(feature = "yjs")]
pub mod doc;
pub mod entity;
pub mod guard;
pub mod hook;
pub mod id;
pub mod limits;
pub mod log;
#[cfg(feature = "yjs")]
pub mod person;
pub mod rate;
pub mod time;
