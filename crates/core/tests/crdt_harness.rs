//! The harness proves itself: types that are wrong on purpose, and one that is wrong by mistake, are caught.

mod laws;

use std::collections::BTreeSet;

use crdts::{CmRDT, CvRDT, MVReg, Map};
use laws::graph::{Events, Graph};
use laws::run::broken;
use laws::subject::{At, Subject};
use laws::subjects::{counters, flags, list, maps, registers, sets};
use laws::wrong::causal::{
    CommonDotsDropped, ContextNotMerged, RemovalsIgnored, TombstonesDroppedEarly, With,
};
use laws::wrong::{lattices, registers as wrong_registers};

/// Random histories in which a mistake must show.
const HISTORIES: u64 = 400;

/// Returns the law that a wrong subject breaks first, and checks that it breaks one.
fn caught<S: Subject>() -> &'static str {
    let name = laws::run::name::<S>();
    let breach = (0..HISTORIES).find_map(broken::<S>);
    let (steps, breach) =
        breach.unwrap_or_else(|| panic!("{HISTORIES} histories do not show that {name} is wrong"));
    println!("{name}: `{}` after {steps} steps", breach.law);
    breach.law
}

/// Checks that each mistake is caught in each of the subjects.
macro_rules! caught {
    ($($mistake:ident: $($subject:ty),*;)*) => {
        $($(caught::<With<$mistake, $subject>>();)*)*
    };
}

#[test]
fn lattices_with_mistakes_are_caught() {
    caught::<lattices::TotalsAdded>();
    caught::<lattices::LargerValueKept>();
    caught::<lattices::RightsShared>();
    caught::<lattices::TieKeepsLocal>();
    caught::<lattices::SizeAsDigest>();
    caught::<lattices::RemovedForgotten>();
    caught::<lattices::BiasMistaken>();
    caught::<lattices::AdditionsCounted>();
    caught::<wrong_registers::ClockForEachValue>();
}

#[test]
fn contexts_used_wrongly_are_caught() {
    caught! {
        ContextNotMerged: counters::ResetCounters, registers::MvRegisters, flags::EnableWinsFlags,
            flags::DisableWinsFlags, sets::OrSets, sets::RwSets, maps::MapsOfSets, maps::MapsOfMaps,
            maps::MapsOfCounters, maps::LwwMaps, list::Lists;
        CommonDotsDropped: counters::ResetCounters, registers::MvRegisters, flags::EnableWinsFlags,
            flags::DisableWinsFlags, sets::OrSets, sets::RwSets, maps::MapsOfSets, maps::MapsOfMaps,
            maps::MapsOfCounters, maps::LwwMaps, list::Lists;
        RemovalsIgnored: counters::ResetCounters, registers::MvRegisters, flags::EnableWinsFlags,
            flags::DisableWinsFlags, sets::OrSets, sets::RwSets, maps::MapsOfSets, maps::MapsOfMaps,
            maps::MapsOfCounters;
        TombstonesDroppedEarly: sets::RwSets, maps::LwwMaps, list::Lists;
    }
}

/// A map of registers of another crate: each register's values have clocks of their own beside that of the map.
struct PeerMaps;

impl Subject for PeerMaps {
    type State = Map<u8, MVReg<u8, u64>, u64>;
    /// A key, and whether it is removed.
    type Op = (u8, bool);
    /// Nothing is read: the laws of merging are all that is asked for.
    type View = ();

    fn ops() -> Vec<(u8, bool)> {
        vec![(0, false), (0, true)]
    }

    fn apply(state: &mut Self::State, at: At, &(key, is_removed): &(u8, bool)) -> Option<Self::State> {
        let change = if is_removed {
            state.rm(key, state.get(&key).derive_rm_ctx())
        } else {
            let context = state.read_ctx().derive_add_ctx(at.replica.0);
            state.update(key, context, |register, context| register.write(at.number as u8, context))
        };
        state.apply(change);
        Some(state.clone())
    }

    fn merge(state: &mut Self::State, other: &Self::State) {
        CvRDT::merge(state, other.clone());
    }

    fn view(_state: &Self::State) {}

    fn expected(_graph: &Graph<(u8, bool)>, _seen: Events) {}
}

/// `Map<_, MVReg>` of the crate `crdts` 7.3.2 merges three states to one of two outcomes, depending on which two are merged
/// first: the harness must find that, since it is the kind of fault that it is there for.
#[test]
fn the_map_of_registers_of_a_peer_is_not_associative() {
    let laws: BTreeSet<&str> =
        (0..HISTORIES).filter_map(broken::<PeerMaps>).map(|(_, breach)| breach.law).collect();
    println!("{laws:?}");
    assert!(laws.contains("(a + b) + c = a + (b + c)"), "{laws:?}");
}
