//! What the harness needs to know of a type.

use std::fmt::Debug;

use syncline_core::clock::{HybridTime, ReplicaId, Timestamp};
use syncline_core::time::WallMs;

use super::graph::{Events, Graph};

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) replica: ReplicaId,
    pub(crate) time: u64,
    /// The number of the event: a value that no other event writes.
    pub(crate) number: usize,
}

impl At {
    pub(crate) const fn hybrid(self) -> HybridTime {
        HybridTime::new(WallMs(self.time), 0)
    }

    pub(crate) const fn stamp(self) -> Timestamp {
        Timestamp::new(self.hybrid(), self.replica)
    }
}

/// A law that does not hold, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) law: &'static str,
    pub(crate) on: String,
}

impl Breach {
    /// Says that `law` holds if `holds`.
    pub(crate) fn unless(holds: bool, law: &'static str, on: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self { law, on: on() }) }
    }
}

/// A type under test.
pub(crate) trait Subject {
    type State: Clone + Debug + Default + PartialEq;
    type Op: Clone + Debug;
    type View: Debug + PartialEq;

    /// Returns the operations of a small scope: two keys or elements at most.
    fn ops() -> Vec<Self::Op>;

    /// Applies an operation and returns the delta as a state, or none if the type refuses it.
    fn apply(state: &mut Self::State, at: At, op: &Self::Op) -> Option<Self::State>;

    fn merge(state: &mut Self::State, other: &Self::State);

    fn view(state: &Self::State) -> Self::View;

    /// Returns what must be read after the events of `seen`, which holds with each event all that its writer had seen.
    fn expected(graph: &Graph<Self::Op>, seen: Events) -> Self::View;

    /// Returns what `state` has beyond `other`, if the type can tell.
    fn since(state: &Self::State, other: &Self::State) -> Option<Self::State> {
        let _ = (state, other);
        None
    }

    /// Drops what all have seen, of whom old states are known, and returns the delta, if the type does that.
    fn stabilize(state: &mut Self::State, acknowledged: &[Self::State]) -> Option<Self::State> {
        let _ = (state, acknowledged);
        None
    }

    /// Checks laws that only this type has.
    ///
    /// # Errors
    /// Names the law that does not hold.
    fn more_laws(a: &Self::State, b: &Self::State) -> Result<(), Breach> {
        let _ = (a, b);
        Ok(())
    }
}
