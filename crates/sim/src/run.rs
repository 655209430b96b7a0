//! A whole run of one seed.

use crate::{
    Fault, Violation,
    automerge::Automerge,
    family::Family,
    world::{Counts, World},
    yjs::Yjs,
};

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

/// Runs the world of a Yjs document of one seed to its end, or to the first broken promise.
#[must_use]
pub fn run(seed: u64, fault: Option<Fault>, print: bool) -> Outcome {
    run_of::<Yjs>(seed, false, fault, print)
}

/// Runs the world of a Yjs document of one seed in which it is deleted now and then, and begun anew.
#[must_use]
pub fn run_deleting(seed: u64, fault: Option<Fault>, print: bool) -> Outcome {
    run_of::<Yjs>(seed, true, fault, print)
}

/// Runs the world of an Automerge document of one seed to its end, or to the first broken promise.
#[must_use]
pub fn run_automerge(seed: u64, fault: Option<Fault>, print: bool) -> Outcome {
    run_of::<Automerge>(seed, false, fault, print)
}

fn run_of<F: Family>(seed: u64, deletes: bool, fault: Option<Fault>, print: bool) -> Outcome {
    let mut world = World::<F>::new(seed, deletes, fault, print);
    let stormy = (0..F::STEPS).try_for_each(|_| world.step());
    let violation = stormy.and_then(|()| world.settle()).err();
    Outcome { hash: world.trace_hash(), violation, summary: summary(world.counts) }
}

fn summary(counts: Counts) -> String {
    format!(
        "{} edits, {} commits, {} crashes, {} failed commits, {} snapshots, {} resumed, {} deletions",
        counts.edits,
        counts.commits,
        counts.crashes,
        counts.failed_commits,
        counts.snapshots,
        counts.resumed,
        counts.deletions
    )
}
