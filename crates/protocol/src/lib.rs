//! Bytes to messages and back, and the sans-IO machines that decide what a collaboration server does.
//!
//! * [`wire`]: one module a dialect; it turns frames into [`Request`]s and back.
//! * [`Session`]: one connection. It parses, knows which documents are open on it, and keeps it alive.
//! * [`Room`], [`AutomergeRoom`]: one document and everyone in it. Inputs go in one by one, effects come out in one order.
//! * [`ledger`]: the entities of a tenant shard, decided one op after another into one log.
//! * [`hooks`]: what an application elsewhere is told of documents, and when.
//! * [`Outbox`]: what waits to be written to one connection, with a bound and a meaning for "full".
//!
//! This crate contains no networking code, starts no task, and reads neither clock nor disk: whoever drives it passes
//! the time in and carries the effects out.
//!
//! Invariants:
//! * nothing that rests on an update that is not durable leaves a [`Room`];
//! * nothing that rests on an op that is not durable leaves a [`Ledger`](ledger::Ledger);
//! * the commits of a room are numbered without gaps, and one is under way at a time;
//! * an outbox that dropped anything takes nothing until it is brought up to date.

mod access;
mod batch;
mod close;
pub mod hooks;
pub mod ledger;
mod outbox;
mod presence;
mod room;
mod session;
pub mod wire;

pub use access::Access;
pub use batch::{Batch, Frame};
pub use close::CloseReason;
pub use outbox::{Outbox, Written};
pub use room::{
    AbsorbId, Absorbed, AutomergeRoom, Content, Effect, Guest, Hosted, Input, LoadError, Loaded, ReadId,
    Revision, Room, RoomLimits, Stats,
};
pub use session::{Action, Session, Slot};
pub use wire::{Dialect, Request};
