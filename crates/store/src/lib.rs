//! The store of Syncline: what is kept of documents, and the engines that keep it.
//!
//! * [`port`]: what an engine does, in six methods, and how it fails.
//! * [`key`], [`batch`]: what an engine is given. [`records`]: what that means.
//! * [`mem`]: an engine in memory with two images, one of them durable, for tests and simulation.
//! * [`sled_store`]: the engine on disk.
//! * [`committer`]: the thread that owns an engine and joins the commits of everyone into one.
//! * [`metered`]: a store that knows how much of it is whose.
//! * [`verify`]: looks at every key and lists what is wrong.
//! * `conformance`: the suite that every engine passes, behind the feature `testing`.
//!
//! This crate decides nothing about documents, knows no async runtime, reads no clock and draws no random numbers.
//!
//! Invariants:
//! * no commit is reported before it is durable, and none becomes durable in part;
//! * nothing is read and nothing written between a commit that failed and a reopening that succeeded;
//! * no stored bytes make anything here panic, or allocate more than a few times their length;
//! * no engine is given a value of more than 7 KiB;
//! * no data folder has two owners.

mod assembly;
pub mod batch;
pub mod committer;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod envelope;
pub mod key;
pub mod mem;
pub mod metered;
pub mod port;
pub mod records;
pub mod sled_store;
#[cfg(test)]
mod testing;
pub mod verify;
mod walk;

pub use self::{
    batch::{Batch, Operation, Value, ValueTooLong},
    envelope::{PAYLOAD_BYTES_MAX, RecordFault, RecordTooLong},
    key::Key,
    port::{Cause, CommitError, ReadError, Stats, Store, VacuumError, Vacuumed},
};
