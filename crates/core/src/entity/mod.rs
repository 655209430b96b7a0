//! Entities: everything that syncs and is not a live document.
//!
//! Here are the parts that decide, all functions of their arguments:
//!
//! * [`Actors`]: who writes, and which of two writes is the later;
//! * [`Decimal`]: exact numbers, and [`Value`] what fields hold;
//! * [`ServerClock::effective`]: when an op counts as made.

mod actor;
mod id;
mod number;
mod time;
mod value;

pub use actor::{Actors, Stamp};
pub use id::{
    ActorName, EntityId, EntityKey, Epoch, FieldName, NameError, RecordVersion, Sequence, TypeName,
};
pub use number::{Decimal, DecimalError};
pub use time::{ClaimedTime, ClientClock, ServerClock};
pub use value::{Value, Values};
