//! Stores of dots whose context is used wrongly.

use std::fmt::Debug;
use std::marker::PhantomData;

use syncline_core::clock::CausalContext;
use syncline_core::crdt::store::DotStore;
use syncline_core::crdt::{Causal, CausalDigest, Delta, DeltaCrdt};

use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};

/// A mistake in a merge, or in what is dropped after it.
pub(crate) trait Mistake {
    fn merge<S: DotStore>(state: &Causal<S>, other: &Causal<S>) -> Causal<S>;

    fn stabilize<S: DotStore>(state: &mut Causal<S>, acknowledged: &[CausalDigest]) -> Causal<S> {
        state.stabilize(acknowledged).state().clone()
    }
}

/// What others have seen is not noted: what they removed comes back with the next old change.
pub(crate) struct ContextNotMerged;

impl Mistake for ContextNotMerged {
    fn merge<S: DotStore>(state: &Causal<S>, other: &Causal<S>) -> Causal<S> {
        joined(state, other, other.context(), CausalContext::new())
    }
}

/// Events that both sides hold are taken for removed, as if only news counted.
pub(crate) struct CommonDotsDropped;

impl Mistake for CommonDotsDropped {
    fn merge<S: DotStore>(state: &Causal<S>, other: &Causal<S>) -> Causal<S> {
        let news = other.pick(&other.context().difference(state.context()));
        let other = Delta::causal(news, other.context().clone());
        joined(state, other.state(), other.state().context(), other.state().context().clone())
    }
}

/// What the other side has seen and does not hold is kept: nothing is ever removed.
pub(crate) struct RemovalsIgnored;

impl Mistake for RemovalsIgnored {
    fn merge<S: DotStore>(state: &Causal<S>, other: &Causal<S>) -> Causal<S> {
        joined(state, other, &CausalContext::new(), other.context().clone())
    }
}

/// Marks of removals are dropped without asking whether others have seen them.
pub(crate) struct TombstonesDroppedEarly;

impl Mistake for TombstonesDroppedEarly {
    fn merge<S: DotStore>(state: &Causal<S>, other: &Causal<S>) -> Causal<S> {
        joined(state, other, other.context(), other.context().clone())
    }

    fn stabilize<S: DotStore>(state: &mut Causal<S>, _acknowledged: &[CausalDigest]) -> Causal<S> {
        state.stabilize([]).state().clone()
    }
}

fn joined<S: DotStore>(
    state: &Causal<S>,
    other: &Causal<S>,
    theirs: &CausalContext,
    noted: CausalContext,
) -> Causal<S> {
    let mut store: S = (**state).clone();
    store.join(state.context(), other, theirs, &mut |_| ());
    let mut context = state.context().clone();
    context.merge(&noted);
    Delta::causal(store, context).state().clone()
}

/// A right subject with a mistake.
pub(crate) struct With<M, T>(PhantomData<(M, T)>);

impl<M: Mistake, S: DotStore + Debug, T: Subject<State = Causal<S>>> Subject for With<M, T> {
    type State = Causal<S>;
    type Op = T::Op;
    type View = T::View;

    fn ops() -> Vec<T::Op> {
        T::ops()
    }

    fn apply(state: &mut Causal<S>, at: At, op: &T::Op) -> Option<Causal<S>> {
        T::apply(state, at, op)
    }

    fn merge(state: &mut Causal<S>, other: &Causal<S>) {
        *state = M::merge(state, other);
    }

    fn stabilize(state: &mut Causal<S>, acknowledged: &[Causal<S>]) -> Option<Causal<S>> {
        let digests: Vec<_> = acknowledged.iter().map(DeltaCrdt::digest).collect();
        Some(M::stabilize(state, &digests))
    }

    fn view(state: &Causal<S>) -> T::View {
        T::view(state)
    }

    fn expected(graph: &Graph<T::Op>, seen: Events) -> T::View {
        T::expected(graph, seen)
    }
}
