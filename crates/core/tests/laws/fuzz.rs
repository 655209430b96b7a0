//! What must hold of any bytes, whether a test or a fuzzer makes them. Each function panics on a breach.

use syncline_core::clock::{CausalContext, VectorClock};
use syncline_core::codec::Wire;
use syncline_core::crdt::{
    AddBias, BoundedCounter, Causal, CausalDigest, CausalLengthSet, Crdt, Delta, DisableWinsFlag,
    EnableWinsFlag, GCounter, GSet, LwwElementSet, LwwMap, LwwRegister, MvRegister, OrMap, OrSet, PnCounter,
    ResetCounter, Rga, RwSet, TwoPhaseSet,
};

use super::choice::Choice;
use super::subject::Subject;
use super::subjects::{counters, flags, list, maps, registers, sets};
use super::{state, world};

/// Steps of a history that a fuzzer writes.
const STEPS: usize = 200;

/// The first byte chooses a type; the rest are the bytes of a value, without their header.
pub(crate) fn decode(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let decoders: [fn(&[u8]); 22] = [
        read::<VectorClock>,
        read::<CausalContext>,
        read::<CausalDigest>,
        read_and_merge::<GCounter>,
        read_and_merge::<PnCounter>,
        read_and_merge::<BoundedCounter>,
        read_and_merge::<Causal<ResetCounter>>,
        read_and_merge::<LwwRegister<String>>,
        read_and_merge::<Causal<MvRegister<Option<char>>>>,
        read_and_merge::<Causal<EnableWinsFlag>>,
        read_and_merge::<Causal<DisableWinsFlag>>,
        read_and_merge::<GSet<i16>>,
        read_and_merge::<TwoPhaseSet<u8>>,
        read_and_merge::<Causal<OrSet<String>>>,
        read_and_merge::<Causal<RwSet<u8>>>,
        read_and_merge::<LwwElementSet<u8, AddBias>>,
        read_and_merge::<CausalLengthSet<(u8, bool)>>,
        read_and_merge::<Causal<LwwMap<u8, Vec<u8>>>>,
        read_and_merge::<Causal<OrMap<u8, OrMap<u8, OrSet<u8>>>>>,
        read_and_merge::<Causal<OrMap<u8, RwSet<u8>>>>,
        read_and_merge::<Causal<Rga<u8>>>,
        read::<Delta<Causal<Rga<u8>>>>,
    ];
    decoders[usize::from(*which) % decoders.len()](bytes);
}

/// The first byte chooses a type; the rest are the choices of a history, which is checked against the specification.
pub(crate) fn operations(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let histories: [fn(&[u8]); 16] = [
        history::<counters::GrowCounters>,
        history::<counters::PnCounters>,
        history::<counters::BoundedCounters>,
        history::<counters::ResetCounters>,
        history::<registers::LwwRegisters>,
        history::<registers::MvRegisters>,
        history::<flags::EnableWinsFlags>,
        history::<flags::DisableWinsFlags>,
        history::<sets::TwoPhaseSets>,
        history::<sets::OrSets>,
        history::<sets::RwSets>,
        history::<sets::CausalLengthSets>,
        history::<maps::LwwMaps>,
        history::<maps::MapsOfSets>,
        history::<maps::MapsOfMaps>,
        history::<list::Lists>,
    ];
    histories[usize::from(*which) % histories.len()](bytes);
}

fn read<T: Wire>(bytes: &[u8]) {
    assert!(state::is_canonical::<T>(&with_header::<T>(bytes)), "what is decoded encodes to the same bytes");
}

/// Reads two values, one after the other, and merges them: nothing panics, also where no honest replica wrote them.
fn read_and_merge<T: Wire + Crdt>(bytes: &[u8]) {
    read::<T>(bytes);
    for at in 1..bytes.len().min(64) {
        let (first, second) = bytes.split_at(at);
        let first = T::from_bytes(&with_header::<T>(first));
        if let (Ok(mut first), Ok(second)) = (first, T::from_bytes(&with_header::<T>(second))) {
            first.merge(&second);
            drop(first.to_bytes());
        }
    }
}

fn with_header<T: Wire>(bytes: &[u8]) -> Vec<u8> {
    let mut whole = vec![syncline_core::codec::VERSION];
    T::write_tag(&mut whole);
    whole.extend_from_slice(bytes);
    whole
}

fn history<S: Subject>(bytes: &[u8]) {
    if let Err(breach) = world::run::<S>(&mut Choice::Bytes(bytes), STEPS) {
        panic!("`{}` does not hold\n{}", breach.law, breach.on);
    }
}
