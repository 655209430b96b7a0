//! The types under test, and what is specified of each.

pub(crate) mod counters;
pub(crate) mod flags;
pub(crate) mod list;
pub(crate) mod maps;
pub(crate) mod registers;
pub(crate) mod sets;

/// What a subject takes over from a type of ours.
macro_rules! of_ours {
    () => {
        fn merge(state: &mut Self::State, other: &Self::State) {
            syncline_core::crdt::Crdt::merge(state, other);
        }

        fn since(state: &Self::State, other: &Self::State) -> Option<Self::State> {
            use syncline_core::crdt::DeltaCrdt;
            Some(state.delta_since(&other.digest()).state().clone())
        }

        fn more_laws(a: &Self::State, b: &Self::State) -> Result<(), $crate::laws::subject::Breach> {
            $crate::laws::state::check_wire(a, b)
        }
    };
    (causal) => {
        $crate::laws::subjects::of_ours!();

        fn stabilize(state: &mut Self::State, acknowledged: &[Self::State]) -> Option<Self::State> {
            use syncline_core::crdt::DeltaCrdt;
            let digests: Vec<_> = acknowledged.iter().map(DeltaCrdt::digest).collect();
            Some(state.stabilize(&digests).state().clone())
        }
    };
}
pub(crate) use of_ours;
