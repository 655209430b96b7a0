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
