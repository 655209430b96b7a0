//! What it takes to bring a replica up to date that lacks a few changes: a delta grows with the changes, not with the state.

use crdts::{CmRDT, CvRDT, Orswot};
use syncline_core::clock::ReplicaId;
use syncline_core::codec::Wire;
use syncline_core::crdt::{Crdt, DeltaCrdt};

use crate::set::{Ours, element, ours};
use crate::table::{Row, Samples, Work, timed};

/// Elements added that the other replica lacks; half as many were removed.
const CHANGES: u64 = 10;

pub(crate) fn work() -> Vec<Work> {
    const SIZES: [u64; 3] = [1_000, 10_000, 100_000];
    let mut work = Work::of("catch up with a set of N by delta", &SIZES, by_delta);
    work.extend(Work::of("catch up with a set of N by state", &SIZES, by_state));
    work
}

/// Returns a set of `size` elements, and the set with some changes.
fn old_and_new(size: u64) -> (Ours, Ours) {
    let old = ours(0, size);
    let mut new = old.clone();
    (0..CHANGES / 2).for_each(|n| drop(new.remove(&element(n * 100))));
    (0..CHANGES).for_each(|n| drop(new.add(ReplicaId(1), element(size + n))));
    (old, new)
}

fn by_delta(samples: Samples, size: u64) -> Row {
    let (old, new) = old_and_new(size);
    let delta = new.delta_since(&old.digest());
    let note =
        format!("{} bytes, and {} of the digest", delta.to_bytes().len(), old.digest().to_bytes().len());
    let (mut whole, mut by_delta) = (old.clone(), old.clone());
    whole.merge(&new);
    by_delta.merge_delta(&delta);
    assert!(whole == by_delta, "a delta does the same as the state");
    let row = samples.alone(|| {
        let mut set = old.clone();
        timed(|| {
            set.merge_delta(&new.delta_since(&set.digest()));
            set
        })
    });
    row.with_note(note)
}

fn by_state(samples: Samples, size: u64) -> Row {
    let (old, new) = old_and_new(size);
    let mut theirs_old = Orswot::<u64, u64>::new();
    for n in 0..size {
        theirs_old.apply(theirs_old.add(element(n), theirs_old.read_ctx().derive_add_ctx(1 + n % 3)));
    }
    let mut theirs_new = theirs_old.clone();
    for n in 0..CHANGES / 2 {
        theirs_new
            .apply(theirs_new.rm(element(n * 100), theirs_new.contains(&element(n * 100)).derive_rm_ctx()));
    }
    for n in 0..CHANGES {
        theirs_new.apply(theirs_new.add(element(size + n), theirs_new.read_ctx().derive_add_ctx(1)));
    }
    let row = samples.compare(
        1,
        || {
            let mut set = old.clone();
            timed(|| {
                set.merge(&new);
                set
            })
        },
        || {
            let (mut set, other) = (theirs_old.clone(), theirs_new.clone());
            timed(|| {
                set.merge(other);
                set
            })
        },
    );
    row.with_note(format!("{} bytes", new.to_bytes().len()))
}
