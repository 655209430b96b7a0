//! The bytes of every replicated type are frozen: states that were stored are read for ever. Lines may be added here and none
//! changed; a type that needs other bytes needs another version.

use std::fmt::Debug;

use syncline_core::clock::{HybridTime, ReplicaId, Timestamp};
use syncline_core::codec::Wire;
use syncline_core::crdt::{
    AddBias, BoundedCounter, Causal, CausalLengthSet, Crdt, DeltaCrdt, DisableWinsFlag, EnableWinsFlag,
    GCounter, GSet, LwwElementSet, LwwMap, LwwRegister, MvRegister, OrMap, OrSet, PnCounter, RemoveBias,
    ResetCounter, Rga, RwSet, TwoPhaseSet,
};
use syncline_core::time::WallMs;

const ANN: ReplicaId = ReplicaId(1);
const BOB: ReplicaId = ReplicaId(2);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks that a state has these bytes, in which `A` and `B` stand for the 8 bytes of the ids 1 and 2.
fn check<T: Wire + Crdt + Debug>(state: &T, want: &str) {
    let bytes = state.to_bytes();
    let want = want.replace(' ', "").replace('A', "0000000000000001").replace('B', "0000000000000002");
    assert_eq!(hex(&bytes), want, "{state:?}");
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(state));
}

/// Returns a state that two replicas wrote to at the same time, after the first had written once.
fn both<T: Crdt>(first: impl Fn(&mut T), ann: impl Fn(&mut T), bob: impl Fn(&mut T)) -> T {
    let mut at_ann = T::default();
    first(&mut at_ann);
    let mut at_bob = at_ann.clone();
    ann(&mut at_ann);
    bob(&mut at_bob);
    at_ann.merge(&at_bob);
    at_ann
}

const fn at(ms: u64, replica: ReplicaId) -> Timestamp {
    Timestamp::new(HybridTime::new(WallMs(ms), 0), replica)
}

#[test]
fn counters() {
    let grown = both::<GCounter>(
        |c| drop(c.increment(ANN, 1)),
        |c| drop(c.increment(ANN, 2)),
        |c| drop(c.increment(BOB, 300)),
    );
    check(&grown, "01 10 02 A 03 B ac02");
    let pn = both::<PnCounter>(|c| drop(c.add(ANN, 1)), |c| drop(c.add(ANN, -2)), |c| drop(c.add(BOB, 3)));
    check(&pn, "01 11 02 A 01 B 03 01 A 02");
    let bounded = both::<BoundedCounter>(
        |c| drop(c.increment(ANN, 9)),
        |c| drop(c.transfer(ANN, BOB, 4)),
        |c| drop(c.increment(BOB, 1)),
    );
    check(&bounded, "01 12 03 A A 09 A B 04 B B 01 00");
    let reset =
        both::<Causal<ResetCounter>>(|c| drop(c.add(ANN, 5)), |c| drop(c.reset()), |c| drop(c.add(BOB, -2)));
    check(&reset, "01 13 02 A 01 00 00 B 01 00 00 01 01 01 03");
}

#[test]
fn registers_and_flags() {
    let lww = both::<LwwRegister<String>>(|_| (), |r| drop(r.set(at(1, ANN), "x".into())), |_| ());
    check(&lww, "01 20 01 0000000000010000 A 01 78");
    let mv = both::<Causal<MvRegister<u8>>>(
        |r| drop(r.set(ANN, 1)),
        |r| drop(r.set(ANN, 2)),
        |r| drop(r.set(BOB, 3)),
    );
    check(&mv, "01 21 02 A 01 00 01 B 01 00 00 02 00 02 02 01 01 03");
    let on = both::<Causal<EnableWinsFlag>>(
        |f| drop(f.enable(ANN)),
        |f| drop(f.disable()),
        |f| drop(f.enable(BOB)),
    );
    check(&on, "01 28 02 A 01 00 00 B 01 00 00 01 01 01");
    let off = both::<Causal<DisableWinsFlag>>(|_| (), |f| drop(f.disable(ANN)), |f| drop(f.disable(BOB)));
    check(&off, "01 29 02 A 01 00 00 B 01 00 00 02 00 01 01 01");
}

#[test]
fn sets() {
    let grown = both::<GSet<u8>>(|s| drop(s.insert(7)), |s| drop(s.insert(9)), |s| drop(s.insert(8)));
    check(&grown, "01 30 03 07 08 09");
    let phases =
        both::<TwoPhaseSet<u8>>(|s| drop(s.insert(7)), |s| drop(s.remove(&7)), |s| drop(s.insert(8)));
    check(&phases, "01 31 02 07 02 08 01");
    let observed =
        both::<Causal<OrSet<u8>>>(|s| drop(s.add(ANN, 7)), |s| drop(s.add(ANN, 7)), |s| drop(s.add(BOB, 8)));
    check(&observed, "01 32 02 A 01 00 01 B 01 00 00 02 07 01 00 02 08 01 01 01");
    let removed = both::<Causal<RwSet<u8>>>(
        |s| drop(s.add(ANN, 7)),
        |s| drop(s.add(ANN, 7)),
        |s| drop(s.remove(BOB, 7)),
    );
    check(&removed, "01 33 02 A 01 00 01 B 01 00 00 01 07 01 00 02 01 01 01");
    let adding = both::<LwwElementSet<u8, AddBias>>(|_| (), |s| drop(s.insert(at(1, ANN).time, 7)), |_| ());
    check(&adding, "01 34 01 01 07 0000000000010000 0000000000000000");
    let removing =
        both::<LwwElementSet<u8, RemoveBias>>(|_| (), |_| (), |s| drop(s.remove(at(1, BOB).time, 7)));
    check(&removing, "01 34 00 01 07 0000000000000000 0000000000010000");
    let lengths =
        both::<CausalLengthSet<u8>>(|s| drop(s.insert(7)), |s| drop(s.remove(&7)), |s| drop(s.insert(8)));
    check(&lengths, "01 35 02 07 02 08 01");
}

#[test]
fn maps_and_the_list() {
    let lww = both::<Causal<LwwMap<u8, u8>>>(
        |m| drop(m.set(at(1, ANN), 7, 1)),
        |m| drop(m.remove(at(2, ANN), 7)),
        |m| drop(m.set(at(1, BOB), 8, 2)),
    );
    check(
        &lww,
        "01 40 02 A 01 00 01 B 01 00 00 02 07 00 02 0000000000020000 A 00 08 01 01 0000000000010000 B 01 02",
    );
    type Tags = Causal<OrMap<u8, OrSet<u8>>>;
    let map = both::<Tags>(
        |m| drop(m.update(ANN, 7, |s, dot| s.add(dot, 1))),
        |m| drop(m.remove(&7)),
        |m| drop(m.update(BOB, 7, |s, dot| s.add(dot, 2))),
    );
    check(&map, "01 41 32 02 A 01 00 00 B 01 00 00 01 07 01 02 01 01 01");
    let list = both::<Causal<Rga<u8>>>(
        |l| drop(l.insert(ANN, 0, 7)),
        |l| drop(l.delete(ANN, 0)),
        |l| drop(l.insert(BOB, 1, 8)),
    );
    check(&list, "01 50 02 A 01 00 01 B 01 00 00 02 00 01 01 00 01 00 02 01 01 02 01 00 01 00 08");
    let change =
        list.delta_since(&both::<Causal<Rga<u8>>>(|l| drop(l.insert(ANN, 0, 7)), |_| (), |_| ()).digest());
    assert!(hex(&change.to_bytes()).starts_with("0180"), "a delta is marked as one");
}
