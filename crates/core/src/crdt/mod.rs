//! Replicated types: states that many replicas change without asking each other, and that merge to the same.
//!
//! | type | holds | when two disagree |
//! | --- | --- | --- |
//! | [`GCounter`] | a count that grows | both count |
//! | [`PnCounter`] | a count | both count |
//! | [`BoundedCounter`] | a count that stays above zero | both count, within rights they hold |
//! | [`ResetCounter`] | a count that can be reset | a reset undoes what it has seen |
//! | [`LwwRegister`] | a value | the later write wins |
//! | [`MvRegister`] | a value | both are kept |
//! | [`EnableWinsFlag`], [`DisableWinsFlag`] | on or off | on wins, off wins |
//! | [`GSet`] | a set that grows | both are in |
//! | [`TwoPhaseSet`] | a set | removed is removed for ever |
//! | [`OrSet`] | a set | an addition that was not seen wins |
//! | [`RwSet`] | a set | a removal wins |
//! | [`LwwElementSet`] | a set | the later wins; at equal times the bias |
//! | [`CausalLengthSet`] | a set | the longer history wins |
//! | [`LwwMap`] | a map of values | the later write of a key wins |
//! | [`OrMap`] | a map of replicated values | values merge; a removal removes what it has seen |
//! | [`Rga`] | a list | both elements stay, in one order for all |
//!
//! The guide `docs/choosing-a-crdt.md` chooses among them. Each says what its operations cost and what it is not for.
//!
//! A state is changed by its mutators, each of which returns the change as a [`Delta`] to be sent to others; what got lost
//! on the way is found by comparing digests ([`DeltaCrdt`]). Types that are made of events live in a [`Causal`], which holds
//! the one context that they need; in an [`OrMap`] they share that of the map. [`Causal::stabilize`] drops what all
//! replicas have seen. All have canonical bytes ([`Wire`](crate::codec::Wire)).
//!
//! Nothing here decides whom to trust. Who merges bytes of a peer lets that peer change the state, also in the name of
//! other replicas; a peer that lies about dots breaks agreement on what it touches.
//!
//! Invariants:
//! * nothing here draws a stamp or a replica id: both come in as arguments;
//! * no value inside of a map owns a causal context;
//! * no equal states differ in structure or in bytes.

// The guide's examples run as tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/choosing-a-crdt.md")]
mod guide {}

mod causal;
mod counter;
mod delta;
mod digest;
mod flag;
mod map;
mod points;
mod register;
mod rga;
mod set;
pub mod store;
mod traits;

pub use causal::Causal;
pub use counter::{BoundedCounter, GCounter, PnCounter, ResetCounter, RightsError};
pub use delta::Delta;
pub use digest::CausalDigest;
pub use flag::{DisableWinsFlag, EnableWinsFlag};
pub use map::{LwwMap, OrMap};
pub use register::{LwwRegister, MvRegister};
pub use rga::Rga;
pub use set::{AddBias, Bias, CausalLengthSet, GSet, LwwElementSet, OrSet, RemoveBias, RwSet, TwoPhaseSet};
pub use store::Nested;
pub use traits::{Crdt, DeltaCrdt};
