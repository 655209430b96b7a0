//! The parts of the ledger: the log of a tenant shard's entities.
//!
//! * [`Numbers`]: which ops of a device have been taken, by numbers without gaps;
//! * [`Log`]: the records of a shard in the order of their last changes, read page by page while others write.

mod log;
mod numbers;

pub use log::{Log, Page};
pub use numbers::{ContentHash, Numbered, Numbers, NumbersError, Turn};
