//! A flag that is on when in doubt.

use alloc::vec::Vec;

use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{DecodeError, Reader};
use crate::crdt::store::{
    Changes, DotSet, DotStore, Nested, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A flag, off at first, that is on after it was switched on and off at the same time.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | on | off | on |
/// | off | off | off |
///
/// | operation | cost, n replicas that switched it on at the same time |
/// | --- | --- |
/// | all | n, as a rule 1 |
///
/// *Not for* what must stay off once anyone has switched it off: [`DisableWinsFlag`](super::DisableWinsFlag).
///
/// (P. S. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", 2018.)
///
/// Bytes: count, then the dots that switched it on, ascending.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, EnableWinsFlag};
///
/// let mut ann = Causal::<EnableWinsFlag>::new();
/// let mut bob = ann.clone();
/// let _ = ann.enable(ReplicaId(1));
/// let _ = bob.disable();
/// ann.merge(&bob);
/// assert!(ann.is_enabled());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnableWinsFlag {
    enabled: DotSet,
}

impl EnableWinsFlag {
    /// Returns the change that switches the flag on.
    pub fn enable(&self, dot: Dot) -> Delta<Causal<Self>> {
        Delta::causal(Self { enabled: DotSet::of(dot) }, self.here())
    }

    /// Returns the change that switches the flag off, as far as it was seen on.
    pub fn disable(&self) -> Delta<Causal<Self>> {
        Delta::causal(Self::default(), self.here())
    }

    /// Returns whether the flag is on.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        !self.enabled.is_empty()
    }

    fn here(&self) -> CausalContext {
        self.enabled.iter().collect()
    }
}

impl Causal<EnableWinsFlag> {
    /// Switches the flag on.
    pub fn enable(&mut self, replica: ReplicaId) -> Delta<Self> {
        self.mutate(replica, EnableWinsFlag::enable)
    }

    /// Switches the flag off, as far as this replica has seen it switched on.
    pub fn disable(&mut self) -> Delta<Self> {
        self.mutate_without_dot(EnableWinsFlag::disable)
    }
}

delegate!(EnableWinsFlag, enabled: DotSet, []);

impl Nested for EnableWinsFlag {}

impl StoreWire for EnableWinsFlag {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x28);
    }
}
