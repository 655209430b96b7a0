//! `/sync/v1`: JSON bodies to plain values, and answers to JSON. `docs/sync-v1.md` says what clients see.
//!
//! * [`Push`] and the other requests: what a device asks, with actors by name.
//! * [`RequestError`]: a body that is refused whole. What is wrong with one op only is a result of that op ([`OpFault`]).
//! * [`Pushed`], [`Pulled`] and the other answers, which write themselves; [`Problem`]: what is written of a refusal.
//! * [`Cursor::seal`](crate::ledger::Cursor::seal): where a device is in a scope, as a word that it keeps.
//!
//! Invariants:
//! * no body, whatever its bytes, takes more memory than a small multiple of its length, or panics;
//! * no number is rounded;
//! * no member of an op that its author meant to write is dropped without a fault.

mod answer;
mod audit;
mod code;
mod conflict;
mod device;
mod erase;
mod events;
mod export;
mod fault;
mod handler;
mod hash;
mod import;
mod json;
mod live;
mod problem;
mod pull;
mod push;
mod read;
mod reconcile;
mod reconciled;
mod resolve;
mod result;
mod status;
mod suggest;
#[cfg(test)]
mod tests;
mod time;
mod token;
mod value;
mod words;
mod write;

pub use crate::ledger::Backlog;
pub use answer::{Acknowledged, Change, EvictReason, Pulled, Pushed, ScopePage, UpgradeHint};
pub use audit::audit_line;
pub use code::{Code, Retry};
pub use conflict::{conflict_body, conflicts_body, fields_text, resolved_body, unresolved_body, wish_text};
pub use device::{DeviceRequest, KeyRequest, ScopeRequest, key_text};
pub use erase::{Erase, erased_body, user_erased_body};
pub use events::event_body;
pub use export::{Attached, Export, ImportTally, Manifest};
pub use fault::{FaultReason, OpFault};
pub use handler::{HandlerQuestion, VerdictError, handler_signature, read_verdict};
pub use import::{ImportError, ImportLine, ImportReader};
pub use json::JsonError;
pub use live::LiveEvent;
pub use problem::{Problem, Wrong};
pub use pull::{Ack, AckedCursor, Pull, PullScope};
pub use push::{Content, Push, Seen, SyncOp};
pub use read::RequestError;
pub use reconcile::{LastAck, Mutation, Reconcile, Short};
pub use reconciled::{Reconciled, ShortReconciled, ToldMutation};
pub use resolve::{Resolve, conflict_id, conflict_name};
pub use result::{Collision, Status, Told};
pub use status::{
    DeviceView, RecordStatus, ScopeStatus, StatusAnswer, devices_body, scope_body, scopes_body, type_body,
    types_body,
};
pub use suggest::{SuggestQuestion, read_proposal};
pub use time::{format as time_text, parse as time_of};
pub use token::{CursorError, CursorKey, CursorOwner};
pub use words::{policy as policy_text, state as conflict_state_text};
