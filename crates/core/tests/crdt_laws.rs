//! The laws of every replicated type, on random histories and on all small ones: see `laws/mod.rs`.

mod laws;

use laws::subjects::{counters, flags, list, maps, registers, sets};
use syncline_core::crdt::{AddBias, RemoveBias};

laws::laws! {
    g_counter: crate::counters::GrowCounters,
    pn_counter: crate::counters::PnCounters,
    bounded_counter: crate::counters::BoundedCounters,
    reset_counter: crate::counters::ResetCounters,
    lww_register: crate::registers::LwwRegisters,
    mv_register: crate::registers::MvRegisters,
    enable_wins_flag: crate::flags::EnableWinsFlags,
    disable_wins_flag: crate::flags::DisableWinsFlags,
    g_set: crate::sets::GrowSets,
    two_phase_set: crate::sets::TwoPhaseSets,
    or_set: crate::sets::OrSets,
    rw_set: crate::sets::RwSets,
    lww_element_set_adding: crate::sets::LwwElementSets<crate::AddBias>,
    lww_element_set_removing: crate::sets::LwwElementSets<crate::RemoveBias>,
    causal_length_set: crate::sets::CausalLengthSets,
    lww_map: crate::maps::LwwMaps,
    or_map_of_sets: crate::maps::MapsOfSets,
    or_map_of_maps: crate::maps::MapsOfMaps,
    or_map_of_counters: crate::maps::MapsOfCounters,
    rga: crate::list::Lists,
}

/// Runs a fuzz target on its corpus, and on bytes that a generator makes: small numbers, which many formats are made of.
fn fuzz(target: &str, check: fn(&[u8])) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/");
    for entry in std::fs::read_dir(format!("{corpus}{target}")).expect("the target has a corpus") {
        check(&std::fs::read(entry.expect("it can be listed").path()).expect("it can be read"));
    }
    let mut choice = laws::choice::Choice::Seed(1);
    for which in 0..4000 {
        let len = choice.below(80);
        let most = *choice.of(&[2, 3, 10, 256]);
        let bytes = (0..len).map(|_| choice.below(most) as u8);
        check(&[which as u8].into_iter().chain(bytes).collect::<Vec<u8>>());
    }
}

#[test]
fn any_bytes_decode_or_are_refused() {
    fuzz("crdt_decode", laws::fuzz::decode);
}

#[test]
fn any_choices_make_a_history() {
    fuzz("crdt_operations", laws::fuzz::operations);
}
