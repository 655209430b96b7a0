//! A whole run of one seed.

use crate::{Fault, Violation, World};

/// Steps with faults before the world is left to come to rest.
const STEPS: usize = 1_500;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The hash of the trace.
    pub hash: u64,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What happened, in words and numbers.
    pub summary: String,
}

/// Runs the world of one seed to its end, or to the first broken promise.
#[must_use]
pub fn run(seed: u64, fault: Option<Fault>, print: bool) -> Outcome {
    let mut world = World::new(seed, fault, print);
    let stormy = (0..STEPS).try_for_each(|_| world.step());
    let violation = stormy.and_then(|()| world.settle()).err();
    let counts = world.counts;
    let summary = format!(
        "{} edits, {} commits, {} crashes, {} failed commits, {} snapshots, {} resumed",
        counts.edits, counts.commits, counts.crashes, counts.failed_commits, counts.snapshots, counts.resumed
    );
    Outcome { hash: world.trace_hash(), violation, summary }
}
