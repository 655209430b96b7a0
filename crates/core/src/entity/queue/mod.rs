//! What a client has yet to send: which ops become one, and which wait for which.

mod coalesce;
mod dependents;

pub use coalesce::{Enqueued, Pending, PendingKey, Seen, enqueue};
pub use dependents::{Fate, Linked, Standing, standing};
