//! Clocks: who wrote what, in which order, and what has been seen of it.
//!
//! | type | answers | grows with |
//! | --- | --- | --- |
//! | [`Dot`] | which one event is this | nothing |
//! | [`VectorClock`] | have I seen all that you have seen | replicas |
//! | [`CausalContext`] | exactly which events have I seen, gaps included | replicas and gaps |
//! | [`LamportClock`] | which of two events may not have caused the other | nothing |
//! | [`HybridClock`] | which of two events is later, as people understand it | nothing |
//!
//! Nothing here reads a clock: the wall time comes in as an argument.
//!
//! Invariants:
//! * no entry of a clock is zero, and no two runs of a context touch: equal clocks are equal in structure;
//! * no counter wraps: at the end of its range it stays there;
//! * no stamp of a [`HybridClock`] is drawn twice, not even after a restart from a persisted mark.

mod context;
mod dot;
mod hybrid;
mod lamport;
mod run;
mod runs;
mod stamp;
mod vector;

pub use context::CausalContext;
pub use dot::{Dot, ReplicaId};
pub use hybrid::{ClockError, HybridClock};
pub use lamport::LamportClock;
pub use run::Run;
pub use stamp::{HybridTime, Timestamp};
pub use vector::VectorClock;
