//! Entities: what becomes of ops under each policy, one table; and what holds for all histories.

mod before;
mod buckets;
#[cfg(all(feature = "serde", feature = "rules"))]
mod business;
mod chains;
mod conflicts;
mod examples;
#[cfg(feature = "serde")]
mod forms;
mod histories;
mod losses;
mod orders;
mod policies;
mod queues;
mod relations;
#[cfg(feature = "rules")]
mod rulesets;
mod support;
mod types;
