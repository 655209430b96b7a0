//! What a ledger is told when it is loaded, and does not store.

use std::collections::BTreeSet;

use syncline_core::entity::conflict::Level;
use syncline_core::entity::{ActorName, TypeName};

/// What a ledger is told when it is loaded, and does not store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who writes what people and deadlines decide: `srv:<region>`.
    pub server: ActorName,
    /// Types of which a handler judges each op that would change a record, besides those that name one themselves.
    pub handled: BTreeSet<TypeName>,
    /// Who gets a conflict that nobody has settled in time, one after another.
    pub levels: Vec<Level>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: ActorName::new("srv:local").expect("it is short and plain"),
            handled: BTreeSet::new(),
            levels: Vec::new(),
        }
    }
}
