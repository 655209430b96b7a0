//! Ops as they are pushed.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::entity::{Action, Claim, ClaimedTime, EntityKey, FieldName, Value};

use super::Numbered;

/// An op in a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOp {
    /// Its number and content.
    pub numbered: Numbered,
    /// The entity.
    pub entity: EntityKey,
    /// What it does.
    pub action: Action,
    /// What its author had seen.
    pub seen: PushSeen,
    /// The values that its author saw in fields that it writes.
    pub was: BTreeMap<FieldName, Option<Value>>,
    /// What it says about its time; what its author saw of the record's is in `seen`.
    pub time: ClaimedTime,
    /// The ops that it depends on.
    pub deps: BTreeSet<u64>,
    /// The entities that it refers to.
    pub refs: BTreeSet<EntityKey>,
    /// The version of the schema that its author used.
    pub schema_v: u32,
    /// Whether what it says cannot be read: it is refused, and nothing else here counts but its number.
    pub unreadable: bool,
    /// The transaction that it is part of, with its neighbours in the push that name the same.
    pub tx: Option<String>,
}

/// An op without a number of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushMutation {
    /// What the client calls it: the same mutation comes again under the same name.
    pub name: String,
    /// The op; its number does not count.
    pub op: PushOp,
}

/// What the author of a pushed op had seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushSeen {
    /// The record as the server told it.
    Record(Claim),
    /// What the author of an earlier op of the device had seen, and that op.
    After(u64),
}
