//! Observed-remove sets: additions, removals and merges of whole states.

use crdts::{CmRDT, CvRDT, Orswot};
use syncline_core::clock::ReplicaId;
use syncline_core::crdt::{Causal, Crdt, OrSet};

use crate::table::{Row, Samples, Work, timed};

pub(crate) type Ours = Causal<OrSet<u64>>;
type Theirs = Orswot<u64, u64>;

pub(crate) fn work() -> Vec<Work> {
    const SIZES: [u64; 3] = [10, 1_000, 100_000];
    let mut work = Work::of("add to a set of N", &SIZES, add);
    work.extend(Work::of("remove from a set of N", &SIZES, remove));
    work.extend(Work::of("merge of sets of N", &SIZES, merge));
    work
}

/// Numbers spread over their range, as ids are.
pub(crate) fn element(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Returns a set of the elements `first..first + size`, added by three replicas.
pub(crate) fn ours(first: u64, size: u64) -> Ours {
    let mut set = Ours::new();
    (first..first + size).for_each(|n| drop(set.add(ReplicaId(1 + n % 3), element(n))));
    set
}

fn theirs(first: u64, size: u64) -> Theirs {
    let mut set = Theirs::new();
    for n in first..first + size {
        set.apply(set.add(element(n), set.read_ctx().derive_add_ctx(1 + n % 3)));
    }
    set
}

/// Changes in one timed sample: few beside the size, so that it stays what it is.
fn times(size: u64) -> u64 {
    (size / 10).clamp(5, 200)
}

fn add(samples: Samples, size: u64) -> Row {
    let (ours, theirs, times) = (ours(0, size), theirs(0, size), times(size));
    let new = size..size + times;
    samples.compare(
        times as u32,
        || {
            let mut set = ours.clone();
            timed(|| {
                new.clone().for_each(|n| drop(set.add(ReplicaId(1), element(n))));
                set
            })
        },
        || {
            let mut set = theirs.clone();
            timed(|| {
                for n in new.clone() {
                    // A copy is applied, since the change is to be sent: ours is left over, too.
                    let change = set.add(element(n), set.read_ctx().derive_add_ctx(1));
                    set.apply(change.clone());
                    drop(change);
                }
                set
            })
        },
    )
}

fn remove(samples: Samples, size: u64) -> Row {
    let (ours, theirs, times) = (ours(0, size), theirs(0, size), times(size));
    let old = move || (0..times).map(move |n| element(n * (size / times)));
    samples.compare(
        times as u32,
        || {
            let mut set = ours.clone();
            timed(|| {
                old().for_each(|element| drop(set.remove(&element)));
                set
            })
        },
        || {
            let mut set = theirs.clone();
            timed(|| {
                for element in old() {
                    let change = set.rm(element, set.contains(&element).derive_rm_ctx());
                    set.apply(change.clone());
                    drop(change);
                }
                set
            })
        },
    )
}

/// Two replicas that have nine of ten elements in common; each has removed some of those, and added some.
fn merge(samples: Samples, size: u64) -> Row {
    let tenth = (size / 10).max(1);
    let ours = |replica: u64| {
        let mut set = ours(0, size - tenth);
        (0..tenth / 2).for_each(|n| drop(set.remove(&element(n * 8 + replica))));
        (0..tenth).for_each(|n| drop(set.add(ReplicaId(10 + replica), element(size * (1 + replica) + n))));
        set
    };
    let theirs = |replica: u64| {
        let mut set = theirs(0, size - tenth);
        for n in 0..tenth / 2 {
            let element = element(n * 8 + replica);
            set.apply(set.rm(element, set.contains(&element).derive_rm_ctx()));
        }
        for n in 0..tenth {
            let context = set.read_ctx().derive_add_ctx(10 + replica);
            set.apply(set.add(element(size * (1 + replica) + n), context));
        }
        set
    };
    let (a, b, x, y) = (ours(0), ours(1), theirs(0), theirs(1));
    let (mut ours, mut theirs) = (a.clone(), x.clone());
    ours.merge(&b);
    theirs.merge(y.clone());
    assert_eq!(ours.len(), theirs.read().val.len(), "both do the same");
    samples.compare(
        1,
        || {
            let mut set = a.clone();
            timed(|| {
                set.merge(&b);
                set
            })
        },
        || {
            let (mut set, other) = (x.clone(), y.clone());
            timed(|| {
                set.merge(other);
                set
            })
        },
    )
}
