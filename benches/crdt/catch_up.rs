//! What it takes to bring a replica up to date that lacks a few changes: a delta grows with the changes, not with the state.

use crdts::{CmRDT, CvRDT, Orswot};
use syncline_core::clock::ReplicaId;
use syncline_core::codec::Wire;
use syncline_core::crdt::{Crdt, DeltaCrdt};

use crate::set::{Ours, element, ours};
use crate::table::{Table, timed};

/// Elements added that the other replica lacks; half as many were removed.
const CHANGES: u64 = 10;

pub(crate) fn measure(table: &mut Table) {
    for size in [1_000, 10_000, 100_000] {
        let old = ours(0, size);
        let mut new = old.clone();
        (0..CHANGES / 2).for_each(|n| drop(new.remove(&element(n * 100))));
        (0..CHANGES).for_each(|n| drop(new.add(ReplicaId(1), element(size + n))));
        by_delta(table, size, &old, &new);
        by_state(table, size, &old, &new);
    }
}

fn by_delta(table: &mut Table, size: u64, old: &Ours, new: &Ours) {
    let delta = new.delta_since(&old.digest());
    let note =
        format!("{} bytes, and {} of the digest", delta.to_bytes().len(), old.digest().to_bytes().len());
    let (mut whole, mut by_delta) = (old.clone(), old.clone());
    whole.merge(new);
    by_delta.merge_delta(&delta);
    assert!(whole == by_delta, "a delta does the same as the state");
    table.alone(&format!("catch up with a set of {size} by delta"), note, || {
        let mut set = old.clone();
        timed(|| {
            set.merge_delta(&new.delta_since(&set.digest()));
            set
        })
    });
}

fn by_state(table: &mut Table, size: u64, old: &Ours, new: &Ours) {
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
    table.compare(
        &format!("catch up with a set of {size} by state, {} bytes", new.to_bytes().len()),
        1,
        || {
            let mut set = old.clone();
            timed(|| {
                set.merge(new);
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
}
