//! Entities: everything that syncs and is not a live document.
//!
//! Devices write ops while they are offline; the server decides each by the policy of its type. `docs/sync-v1.md` says what
//! clients see of it. Here are the parts that decide, all functions of their arguments:
//!
//! * [`relate`]: what the author of an op had seen of a record;
//! * [`ServerClock::effective`]: when an op counts as made;
//! * `Ruleset`, with the feature `rules`: what the business rules of a type say of an op;
//! * [`decide`]: what becomes of an op, by its policy and the rules of its fields;
//! * [`Promises::keep`]: what becomes of that where it would break what a type promises across records;
//! * [`bucket`]: the parts in which scopes are read, and which of them a record lies in;
//! * [`conflict`]: what is kept of what lost, and what people settle;
//! * [`queue`]: which ops a client may merge before it sends them, and which wait for which.
//!
//! Invariants:
//! * no decision depends on anything but its arguments, and none on the numbers that actors have;
//! * no op takes effect on a record that was deleted, but a restoration whose author saw the deletion;
//! * no value is lost without a trace: it is in the record, in a conflict, or in an op that was refused to its author;
//! * no time decides between writes of which one saw the other.

mod actor;
pub mod bucket;
pub mod conflict;
mod id;
mod mutation;
mod number;
mod policy;
mod promise;
pub mod queue;
mod record;
mod refusal;
mod relation;
mod rules;
#[cfg(feature = "rules")]
mod ruleset;
mod schema;
#[cfg(feature = "serde")]
mod text;
mod time;
mod value;

pub use actor::{Actors, Stamp};
pub use id::{
    ActorName, EntityId, EntityKey, Epoch, FieldName, NameError, RecordVersion, Sequence, TokenId, TypeName,
    UserName,
};
pub use mutation::{Action, Op};
pub use number::{Decimal, DecimalError};
pub use policy::{Decision, Outcome, Ruling, Scene, decide};
pub use promise::{Others, Promises, referred};
pub use record::{Change, Life, Record, Slot};
pub use refusal::{Fault, FieldFault, Refusal, RefusalCode};
pub use relation::{Claim, Context, Relation, Trace, TraceEffect, relate};
#[cfg(feature = "rules")]
pub use ruleset::{Hearing, Judgement, RuleFault, RulePart, RulesError, Ruleset};
#[cfg(feature = "serde")]
pub use schema::TypeForm;
pub use schema::{
    Bounds, DeleteUpdate, EntityType, Fallback, Field, FieldKind, FieldRule, Handler, OnDelete, Policy,
    Reference, Rule, SchemaRange, Secret, Take, TypeError, Verdict,
};
pub use time::{ClaimedTime, ClientClock, ServerClock};
pub use value::{Value, Values};
