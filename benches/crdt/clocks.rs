//! Vector clocks and counters of many replicas.

use crdts::{CmRDT, CvRDT};
use syncline_core::clock::{ReplicaId, VectorClock};
use syncline_core::crdt::{Crdt, GCounter};

use crate::table::{Row, Samples, Work, timed};

/// Merges in one timed sample.
const TIMES: u32 = 32;

pub(crate) fn work() -> Vec<Work> {
    const REPLICAS: [u64; 2] = [10, 1000];
    let mut work = Work::of("merge of vector clocks, N replicas", &REPLICAS, merge_clocks);
    work.extend(Work::of("merge of counters, N replicas", &REPLICAS, merge_counters));
    work
}

/// Half of the entries are ahead on either side.
fn entries(replicas: u64, side: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..replicas).map(move |replica| (replica * 7919, 5 + (replica + side) % 2))
}

fn merge_clocks(samples: Samples, replicas: u64) -> Row {
    let ours = |side| -> VectorClock { entries(replicas, side).map(|(id, n)| (ReplicaId(id), n)).collect() };
    let theirs = |side| -> crdts::VClock<u64> {
        entries(replicas, side).map(|(id, n)| crdts::Dot::new(id, n)).collect()
    };
    let (a, b) = (ours(0), ours(1));
    let (x, y) = (theirs(0), theirs(1));
    samples.compare(
        TIMES,
        || {
            let mut merged = vec![a.clone(); TIMES as usize];
            timed(|| {
                merged.iter_mut().for_each(|clock| clock.merge(&b));
                merged
            })
        },
        || {
            let mut merged = vec![x.clone(); TIMES as usize];
            let others = vec![y.clone(); TIMES as usize];
            timed(|| {
                merged.iter_mut().zip(others).for_each(|(clock, other)| clock.merge(other));
                merged
            })
        },
    )
}

fn merge_counters(samples: Samples, replicas: u64) -> Row {
    let ours = |side| {
        let mut counter = GCounter::default();
        entries(replicas, side).for_each(|(id, n)| drop(counter.increment(ReplicaId(id), n)));
        counter
    };
    let theirs = |side| {
        let mut counter = crdts::GCounter::new();
        entries(replicas, side).for_each(|(id, n)| counter.apply(counter.inc_many(id, n)));
        counter
    };
    let (a, b) = (ours(0), ours(1));
    let (x, y) = (theirs(0), theirs(1));
    samples.compare(
        TIMES,
        || {
            let mut merged = vec![a.clone(); TIMES as usize];
            timed(|| {
                merged.iter_mut().for_each(|counter| counter.merge(&b));
                merged
            })
        },
        || {
            let mut merged = vec![x.clone(); TIMES as usize];
            let others = vec![y.clone(); TIMES as usize];
            timed(|| {
                merged.iter_mut().zip(others).for_each(|(counter, other)| counter.merge(other));
                merged
            })
        },
    )
}
