//! The ledger: the entities of one tenant shard, and what its devices did to them.
//!
//! * [`Ledger`]: the machine. Inputs go in one by one, effects come out in one order;
//! * [`Numbers`]: which ops of a device have been taken, by numbers without gaps;
//! * [`audit`]: what has happened, in a chain of hashes;
//! * [`stored`]: what a [`Write`] is in a store;
//! * [`Log`]: the records of a shard in the order of their last changes, read page by page while others write.
//!
//! An entity may be a document: then a [`Room`](crate::Room) has its content, and the two store what they have together.
//!
//! Invariants:
//! * nothing that rests on what is not durable leaves a [`Ledger`]: no result, no refusal, no page;
//! * what an op does, its result and its number are in one batch;
//! * no number is taken twice, and the log has no gaps.

mod ack;
pub mod audit;
mod conflicts;
mod cursor;
mod device;
mod documents;
mod erasure;
mod events;
mod filling;
mod import;
mod load;
mod log;
mod machine;
mod message;
mod numbers;
mod op;
mod packed;
mod pull;
mod purge;
mod push;
mod record_bytes;
mod scope;
mod scopes;
mod settings;
mod shelf;
mod status;
pub mod stored;
#[cfg(test)]
mod tests;
mod ties;
mod types;
mod users;
mod write;

pub use ack::{Ack, Acked, AckedScope, Backlog};
pub use conflicts::{Comment, ConflictRefusal, ConflictWish, Proposal};
pub use cursor::{Cursor, Reset, Resync};
pub use device::{Binding, DeviceAbout, DeviceKey, DeviceRefusal, KeyChange, KeyWarrant};
pub use documents::{Merge, MergeId, MergeOutcome, Ticket, Touched, entity_of, room_of};
pub use erasure::{Erased, Erasure, Swept};
pub use events::{DomainEvent, EventIndex, Happened, Heads};
pub use filling::Filling;
pub use import::{Import, Imported};
pub use load::LedgerLoadError;
pub use log::{Log, Page, Place};
pub use machine::Ledger;
pub use message::{
    Answer, AskId, Collision, ConflictId, Deferral, DeferralCode, Effect, Input, Kept, LedgerCommit,
    OpResult, OpStatus, PushMutation, PushOp, PushSeen, RecordState, Refused, RequestId, Verdict, Write,
};
pub use numbers::{ContentHash, Hole, Numbered, Numbers, NumbersError, Turn};
pub use packed::{Packable, Packed, Written};
pub use pull::{PullChange, PullScope, Pulled, PulledScope};
pub use push::MutationHash;
pub use scope::{Scope, Section, ShortHash};
pub use scopes::{FollowError, ScopeDefinition, ScopeError};
pub use settings::Settings;
pub use shelf::{Checksum, Standing};
pub use status::{DeviceStatus, Health, ScopeStatus};
pub use types::{SchemaRefusal, TypeRefusal};
pub use users::{ErasedUser, Renaming, UserNumber};
