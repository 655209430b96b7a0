//! A flag that is off when in doubt.

use alloc::vec::Vec;

use crate::clock::{CausalContext, Dot, ReplicaId};
use crate::codec::{DecodeError, Reader};
use crate::crdt::store::{
    Changes, DotSet, DotStore, Nested, Replicas, Stability, StoreCodec, StoreWire, delegate,
};
use crate::crdt::{Causal, Delta};

/// A flag, **on at first**, that is off after it was switched on and off at the same time.
///
/// It is the mirror image of [`EnableWinsFlag`](super::EnableWinsFlag): what it holds are the events that switched it off.
/// That is why it is on before anything happened; in an [`OrMap`](crate::crdt::OrMap) a key whose flag is on is absent.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | on | off | off |
/// | on | on | on |
///
/// | operation | cost, n replicas that switched it off at the same time |
/// | --- | --- |
/// | all | n, as a rule 1 |
///
/// *Not for* what must come on once anyone has switched it on.
///
/// (P. S. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", 2018.)
///
/// Bytes: count, then the dots that switched it off, ascending.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::ReplicaId;
/// use syncline_core::crdt::{Causal, Crdt, DisableWinsFlag};
///
/// let mut may_publish = Causal::<DisableWinsFlag>::new();
/// let mut elsewhere = may_publish.clone();
/// let _ = may_publish.enable();
/// let _ = elsewhere.disable(ReplicaId(2));
/// may_publish.merge(&elsewhere);
/// assert!(!may_publish.is_enabled());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisableWinsFlag {
    disabled: DotSet,
}

impl DisableWinsFlag {
    /// Returns the change that switches the flag off.
    pub fn disable(&self, dot: Dot) -> Delta<Causal<Self>> {
        Delta::causal(Self { disabled: DotSet::of(dot) }, self.here())
    }

    /// Returns the change that switches the flag on, as far as it was seen off.
    pub fn enable(&self) -> Delta<Causal<Self>> {
        Delta::causal(Self::default(), self.here())
    }

    /// Returns whether the flag is on.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.disabled.is_empty()
    }

    fn here(&self) -> CausalContext {
        self.disabled.iter().collect()
    }
}

impl Causal<DisableWinsFlag> {
    /// Switches the flag off.
    pub fn disable(&mut self, replica: ReplicaId) -> Delta<Self> {
        self.mutate(replica, DisableWinsFlag::disable)
    }

    /// Switches the flag on, as far as this replica has seen it switched off.
    pub fn enable(&mut self) -> Delta<Self> {
        self.mutate_without_dot(DisableWinsFlag::enable)
    }
}

delegate!(DisableWinsFlag, disabled: DotSet, []);

impl Nested for DisableWinsFlag {}

impl StoreWire for DisableWinsFlag {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x29);
    }
}
