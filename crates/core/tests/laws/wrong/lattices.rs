//! Types without events, each with a mistake of its own.

use syncline_core::clock::ReplicaId;
use syncline_core::crdt::{
    AddBias, BoundedCounter, CausalLengthSet, Crdt, GCounter, GSet, LwwElementSet, LwwRegister, PnCounter,
    RemoveBias, TwoPhaseSet,
};

use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};
use crate::laws::subjects::counters::{Bounded, BoundedCounters, GrowCounters, PnCounters};
use crate::laws::subjects::registers::LwwRegisters;
use crate::laws::subjects::sets::{CausalLengthSets, Change, GrowSets, LwwElementSets, TwoPhaseSets};

/// Fills in what a wrong subject has from the right one.
macro_rules! like {
    ($right:ty: $($part:ident)*) => {
        type State = <$right as Subject>::State;
        type Op = <$right as Subject>::Op;
        type View = <$right as Subject>::View;

        fn ops() -> Vec<Self::Op> {
            <$right>::ops()
        }

        $(like!(@ $part $right);)*
    };
    (@ apply $right:ty) => {
        fn apply(state: &mut Self::State, at: At, op: &Self::Op) -> Option<Self::State> {
            <$right>::apply(state, at, op)
        }
    };
    (@ merge $right:ty) => {
        fn merge(state: &mut Self::State, other: &Self::State) {
            state.merge(other);
        }
    };
    (@ read $right:ty) => {
        fn view(state: &Self::State) -> Self::View {
            <$right>::view(state)
        }

        fn expected(graph: &Graph<Self::Op>, seen: Events) -> Self::View {
            <$right>::expected(graph, seen)
        }
    };
}

/// Adds the totals of the other side instead of taking the larger.
pub(crate) struct TotalsAdded;

impl Subject for TotalsAdded {
    like!(GrowCounters: apply read);

    fn merge(state: &mut GCounter, other: &GCounter) {
        for replica in (1..=5).map(ReplicaId) {
            let _ = state.increment(replica, other.total(replica));
        }
    }
}

/// Keeps only the larger value, as if all changes were on one side.
pub(crate) struct LargerValueKept;

impl Subject for LargerValueKept {
    like!(PnCounters: apply read);

    fn merge(state: &mut PnCounter, other: &PnCounter) {
        if other.value() > state.value() {
            state.clone_from(other);
        }
    }
}

/// Lets every replica spend the rights of the first.
pub(crate) struct RightsShared;

impl Subject for RightsShared {
    like!(BoundedCounters: merge read);

    fn apply(state: &mut BoundedCounter, at: At, op: &Bounded) -> Option<BoundedCounter> {
        match op {
            Bounded::Take(amount) => Some(state.decrement(ReplicaId(1), *amount).ok()?.state().clone()),
            Bounded::Add(_) | Bounded::Pass(..) => BoundedCounters::apply(state, at, op),
        }
    }
}

/// At equal times keeps the value that is here.
pub(crate) struct TieKeepsLocal;

impl Subject for TieKeepsLocal {
    like!(LwwRegisters: apply read);

    fn merge(state: &mut LwwRegister<u8>, other: &LwwRegister<u8>) {
        if state.stamp().map(|stamp| stamp.time) != other.stamp().map(|stamp| stamp.time) {
            state.merge(other);
        }
    }
}

/// Takes two sets of one size for equal.
pub(crate) struct SizeAsDigest;

impl Subject for SizeAsDigest {
    like!(GrowSets: apply merge read);

    fn since(state: &GSet<u8>, other: &GSet<u8>) -> Option<GSet<u8>> {
        Some(if state.iter().count() == other.iter().count() { GSet::default() } else { state.clone() })
    }
}

/// Forgets what was removed as soon as both sides know it.
pub(crate) struct RemovedForgotten;

impl Subject for RemovedForgotten {
    like!(TwoPhaseSets: apply read);

    fn merge(state: &mut TwoPhaseSet<u8>, other: &TwoPhaseSet<u8>) {
        state.merge(other);
        let mut left = TwoPhaseSet::default();
        for element in state.iter() {
            let _ = left.insert(*element);
        }
        *state = left;
    }
}

/// Reads with the other bias.
pub(crate) struct BiasMistaken;

impl Subject for BiasMistaken {
    like!(LwwElementSets<AddBias>: apply merge);

    fn view(state: &LwwElementSet<u8, AddBias>) -> Vec<u8> {
        LwwElementSets::<AddBias>::view(state)
    }

    fn expected(graph: &Graph<Change>, seen: Events) -> Vec<u8> {
        LwwElementSets::<RemoveBias>::expected(graph, seen)
    }
}

/// Counts an addition of what is there.
pub(crate) struct AdditionsCounted;

impl Subject for AdditionsCounted {
    like!(CausalLengthSets: merge read);

    fn apply(state: &mut CausalLengthSet<u8>, at: At, op: &Change) -> Option<CausalLengthSet<u8>> {
        if let Change::Add(element) = op {
            let _ = state.remove(element);
        }
        CausalLengthSets::apply(state, at, op)
    }
}
