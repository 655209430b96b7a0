//! Clocks against plain sets, and vectors that never change.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use proptest::prelude::*;
use syncline_core::clock::{
    CausalContext, ClockError, Dot, HybridClock, HybridTime, LamportClock, ReplicaId, Run, Timestamp,
    VectorClock,
};
use syncline_core::codec::{DecodeError, Wire};
use syncline_core::time::WallMs;

const ANN: ReplicaId = ReplicaId(1);
const BOB: ReplicaId = ReplicaId(2);

fn clock(entries: &[(u64, u64)]) -> VectorClock {
    entries.iter().map(|&(replica, counter)| (ReplicaId(replica), counter)).collect()
}

/// The meaning of vector clocks is frozen: lines may be added to this table and never changed.
#[test]
fn vector_clocks_compare_and_merge_as_ever() {
    use Ordering::{Equal, Greater, Less};
    type Entries = &'static [(u64, u64)];
    let vectors: [(Entries, Entries, Option<Ordering>, Entries); 9] = [
        (&[], &[], Some(Equal), &[]),
        (&[(1, 0)], &[], Some(Equal), &[]),
        (&[], &[(1, 1)], Some(Less), &[(1, 1)]),
        (&[(1, 2)], &[(1, 1)], Some(Greater), &[(1, 2)]),
        (&[(1, 1)], &[(2, 1)], None, &[(1, 1), (2, 1)]),
        (&[(1, 1), (2, 1)], &[(2, 1)], Some(Greater), &[(1, 1), (2, 1)]),
        (&[(1, 1), (3, 5)], &[(1, 1), (2, 1), (3, 5)], Some(Less), &[(1, 1), (2, 1), (3, 5)]),
        (&[(1, 2), (2, 1)], &[(1, 1), (2, 2)], None, &[(1, 2), (2, 2)]),
        (&[(1, u64::MAX)], &[(1, 1), (9, 1)], None, &[(1, u64::MAX), (9, 1)]),
    ];
    for (a, b, order, merged) in vectors {
        let (a, b) = (clock(a), clock(b));
        assert_eq!(a.partial_cmp(&b), order, "{a:?} {b:?}");
        assert_eq!(b.partial_cmp(&a), order.map(Ordering::reverse), "{b:?} {a:?}");
        let mut both = a.clone();
        both.merge(&b);
        assert_eq!(both, clock(merged), "{a:?} {b:?}");
    }
}

/// The bytes of clocks are frozen: lines may be added to this table and never changed.
#[test]
fn clocks_have_the_bytes_they_ever_had() {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex"))
            .collect()
    };
    let ids = ("0000000000000001", "0000000000000002");
    let vector = format!("01 01 02 {} 03 {} ac02", ids.0, ids.1);
    assert_eq!(clock(&[(1, 3), (2, 300)]).to_bytes(), bytes(&vector));
    assert_eq!(VectorClock::from_bytes(&bytes(&vector)), Ok(clock(&[(1, 3), (2, 300)])));

    let context: CausalContext =
        [(ANN, 1), (ANN, 2), (ANN, 5), (BOB, 7)].map(|(r, n)| Dot::new(r, n)).into_iter().collect();
    let written = format!("01 02 02 {} 02 00 01 01 00 {} 01 06 00", ids.0, ids.1);
    assert_eq!(context.to_bytes(), bytes(&written));
    assert_eq!(CausalContext::from_bytes(&bytes(&written)), Ok(context));

    let check =
        |hex: &str, want: DecodeError| assert_eq!(VectorClock::from_bytes(&bytes(hex)), Err(want), "{hex}");
    check(&format!("01 01 02 {} 03 {} 03", ids.1, ids.0), DecodeError::Order { at: 20 });
    check(&format!("01 01 01 {} 00", ids.0), DecodeError::Range { at: 12 });
    check(&format!("01 01 01 {} 01 00", ids.0), DecodeError::Rest { count: 1 });
    check(&format!("02 01 01 {} 01", ids.0), DecodeError::Version { version: 2 });
    check(&format!("01 02 01 {} 01", ids.0), DecodeError::Type);
    check("01 01 ff01", DecodeError::Count { at: 4, count: 255 });
    check("", DecodeError::End { at: 0 });
}

/// Dots of few replicas and small numbers, so that runs touch, and some at the end of the range.
fn dots() -> impl Strategy<Value = BTreeSet<Dot>> {
    let counter = prop_oneof![8 => 1..12_u64, 1 => u64::MAX - 2..=u64::MAX];
    let dot = (0..3_u64, counter).prop_map(|(replica, counter)| Dot::new(ReplicaId(replica), counter));
    proptest::collection::btree_set(dot, 0..24)
}

fn context(dots: &BTreeSet<Dot>) -> CausalContext {
    dots.iter().rev().copied().collect()
}

proptest! {
    /// A context is a set of dots, whatever its runs.
    #[test]
    fn a_context_is_a_set(a in dots(), b in dots()) {
        let (ours, theirs) = (context(&a), context(&b));
        let mut union = ours.clone();
        union.merge(&theirs);
        prop_assert_eq!(&union, &context(&a.union(&b).copied().collect()));
        prop_assert_eq!(ours.difference(&theirs), context(&a.difference(&b).copied().collect()));
        prop_assert_eq!(ours.intersection(&theirs), context(&a.intersection(&b).copied().collect()));
        prop_assert_eq!(ours.contains_all(&theirs), a.is_superset(&b));
        prop_assert!(b.iter().all(|dot| ours.contains(*dot) == a.contains(dot)));
        for replica in (0..4).map(ReplicaId) {
            let last = a.iter().filter(|dot| dot.replica == replica).map(|dot| dot.counter).max();
            prop_assert_eq!(ours.last(replica), last.unwrap_or(0));
        }
        let is_apart = |pair: &[Run]| pair[0].replica < pair[1].replica || pair[0].last + 1 < pair[1].first;
        prop_assert!(union.runs().windows(2).all(is_apart), "{:?}", union);
        prop_assert_eq!(CausalContext::from_bytes(&ours.to_bytes()), Ok(ours));
    }

    /// What is decoded encodes to the same bytes.
    #[test]
    fn bytes_of_clocks_are_canonical(bytes in proptest::collection::vec(0..4_u8, 0..64)) {
        for tag in [1, 2] {
            let bytes: Vec<u8> = [1, tag].iter().chain(&bytes).copied().collect();
            if let Ok(clock) = VectorClock::from_bytes(&bytes) {
                prop_assert_eq!(clock.to_bytes(), bytes.clone());
            }
            if let Ok(context) = CausalContext::from_bytes(&bytes) {
                prop_assert_eq!(context.to_bytes(), bytes);
            }
        }
    }

    /// A vector clock merges, meets and compares replica by replica.
    #[test]
    fn a_vector_clock_is_a_function(a in entries(), b in entries()) {
        let (ours, theirs) = (clock(&a), clock(&b));
        let (mut union, meet, beyond) = (ours.clone(), ours.meet(&theirs), ours.beyond(&theirs));
        union.merge(&theirs);
        for replica in (0..40).map(ReplicaId) {
            let (x, y) = (ours.get(replica), theirs.get(replica));
            prop_assert_eq!(union.get(replica), x.max(y));
            prop_assert_eq!(meet.get(replica), x.min(y));
            prop_assert_eq!(beyond.get(replica), if x > y { x } else { 0 });
        }
        prop_assert_eq!(ours <= theirs, union == theirs);
        prop_assert_eq!(CausalContext::from(&ours).to_vector(), ours);
    }
}

fn entries() -> impl Strategy<Value = Vec<(u64, u64)>> {
    proptest::collection::vec((0..40_u64, 0..4_u64), 0..40)
}

#[test]
fn a_lamport_clock_is_ahead_of_all_it_has_seen() {
    let mut clock = LamportClock::new();
    assert_eq!(clock.tick(), 1);
    clock.observe(7);
    clock.observe(3);
    assert_eq!((clock.tick(), clock.now()), (8, 8));
    clock.observe(u64::MAX);
    assert_eq!(clock.tick(), u64::MAX);
}

/// A clock whose mark is always stored at once.
fn tick(clock: &mut HybridClock, now: u64) -> Result<HybridTime, ClockError> {
    if let Some(mark) = clock.mark_wanted(WallMs(now)) {
        clock.raise_mark(mark);
    }
    clock.tick(WallMs(now)).map(|stamp| stamp.time)
}

#[test]
fn a_hybrid_clock_never_goes_back() {
    let time = |ms, counter| HybridTime::new(WallMs(ms), counter);
    let mut clock = HybridClock::new(ANN, 1000);
    assert_eq!(tick(&mut clock, 500), Ok(time(500, 0)));
    assert_eq!(tick(&mut clock, 500), Ok(time(500, 1)));
    assert_eq!(tick(&mut clock, 400), Ok(time(500, 2)), "the wall clock was set back");
    assert_eq!(tick(&mut clock, 501), Ok(time(501, 0)));

    let seen = |ms, counter| Timestamp::new(time(ms, counter), BOB);
    assert_eq!(clock.observe(seen(1501, 7), WallMs(501)), Ok(()));
    assert_eq!(tick(&mut clock, 501), Ok(time(1501, 8)));
    let refused = ClockError::Drift { ahead_ms: 1001, drift_ms_max: 1000 };
    assert_eq!(clock.observe(seen(1502, 0), WallMs(501)), Err(refused));
    assert_eq!(clock.last(), time(1501, 8));

    assert_eq!(clock.observe(seen(1501, u16::MAX), WallMs(600)), Ok(()));
    assert_eq!(tick(&mut clock, 600), Ok(time(1502, 0)), "the counter is used up");
}

#[test]
fn no_stamp_is_drawn_beyond_the_stored_mark() {
    let mut clock = HybridClock::new(ANN, 1000);
    let first = HybridTime::new(WallMs(5), 0);
    let zero = HybridTime::from_bits(0);
    assert_eq!(clock.tick(WallMs(5)), Err(ClockError::Mark { next: first, mark: zero }));
    let mark = clock.mark_wanted(WallMs(5)).expect("there is none yet");
    clock.raise_mark(mark);
    assert_eq!(clock.mark_wanted(WallMs(5)), None);
    let before = clock.tick(WallMs(5)).expect("the mark is ahead");

    let mut again = HybridClock::resume(ANN, 1000, mark);
    let after = tick(&mut again, 0).expect("the mark is raised");
    assert!(after > mark && mark > before.time);
}

#[test]
fn the_end_of_the_range_is_an_error() {
    let last = WallMs((1 << 48) - 1);
    let mut clock = HybridClock::resume(ANN, 0, HybridTime::new(last, u16::MAX - 2));
    clock.raise_mark(HybridTime::MAX);
    assert_eq!(clock.tick(WallMs(u64::MAX)).map(|stamp| stamp.time), Ok(HybridTime::new(last, u16::MAX - 1)));
    assert!(matches!(clock.tick(last), Err(ClockError::Mark { .. })));
    assert_eq!(clock.observe(Timestamp::new(HybridTime::MAX, BOB), last), Ok(()));
    assert_eq!(clock.tick(last), Err(ClockError::Exhausted));
}
