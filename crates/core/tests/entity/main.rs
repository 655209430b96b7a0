//! Entities: what becomes of ops under each policy, one table; and what holds for all histories.

mod before;
mod conflicts;
mod examples;
mod histories;
mod losses;
mod orders;
mod policies;
mod queues;
mod relations;
mod support;
mod types;
