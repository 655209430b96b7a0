//! A whole run of one seed.

use crate::{AutomergeWorld, Fault, Violation, World, world::Counts};

/// Steps with faults before the world is left to come to rest.
const STEPS: usize = 1_500;

/// The same with an Automerge document, of which each step takes longer.
const AUTOMERGE_STEPS: usize = 800;

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
    Outcome { hash: world.trace_hash(), violation, summary: summary(world.counts) }
}

/// Runs the world of an Automerge document of one seed to its end, or to the first broken promise.
#[must_use]
pub fn run_automerge(seed: u64, fault: Option<Fault>, print: bool) -> Outcome {
    let mut world = AutomergeWorld::new(seed, fault, print);
    let stormy = (0..AUTOMERGE_STEPS).try_for_each(|_| world.step());
    let violation = stormy.and_then(|()| world.settle()).err();
    Outcome { hash: world.trace_hash(), violation, summary: summary(world.counts) }
}

fn summary(counts: Counts) -> String {
    let summary = format!(
        "{} edits, {} commits, {} crashes, {} failed commits, {} snapshots, {} resumed",
        counts.edits, counts.commits, counts.crashes, counts.failed_commits, counts.snapshots, counts.resumed
    );
    summary
}
