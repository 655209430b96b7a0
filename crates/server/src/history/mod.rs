//! What documents were: how long it is kept, and how it is read.

mod past;
mod retention;
mod sweep;
#[cfg(test)]
mod tests;
mod trim;

pub(crate) use past::{Past, PastError, read};
pub use retention::{HistoryRetention, HistoryRules};
pub(crate) use sweep::run as sweep;
pub(crate) use trim::{keep, trim};
