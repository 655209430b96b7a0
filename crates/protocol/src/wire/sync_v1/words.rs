//! The words by which policies, rules and states of conflicts are known.

use syncline_core::entity::conflict::{ConflictState, Method, Origin};
use syncline_core::entity::{FieldRule, Policy};

/// Returns the word for a policy.
#[must_use]
pub const fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::AppendOnly => "append_only",
        Policy::Lww => "lww",
        Policy::FieldMerge => "field_merge",
        Policy::ServerAuthoritative => "server_authoritative",
        Policy::ServerWins => "server_wins",
        Policy::ClientWins => "client_wins",
        Policy::FirstWriteWins => "first_write_wins",
        Policy::Additive => "additive",
        Policy::Max => "max",
        Policy::Min => "min",
        Policy::Rules => "rules",
        Policy::Manual => "manual",
        Policy::Crdt => "crdt",
    }
}

pub(super) const fn rule(rule: FieldRule) -> &'static str {
    match rule {
        FieldRule::Lww => "lww",
        FieldRule::Server => "server",
        FieldRule::Client => "client",
        FieldRule::Additive => "additive",
        FieldRule::Min => "min",
        FieldRule::Max => "max",
        FieldRule::SetUnion => "set_union",
        FieldRule::ListById => "list_by_id",
        FieldRule::Manual => "manual",
    }
}

/// Returns the word for the state of a conflict.
#[must_use]
pub const fn state(state: ConflictState) -> &'static str {
    match state {
        ConflictState::Auto => "auto",
        ConflictState::Open => "open",
        ConflictState::Assigned => "assigned",
        ConflictState::Escalated => "escalated",
        ConflictState::Resolved => "resolved",
        ConflictState::Expired => "expired",
    }
}

pub(super) const fn method(method: Method) -> &'static str {
    match method {
        Method::Policy => "policy",
        Method::Person => "person",
        Method::Deadline => "deadline",
        Method::Deleted => "deleted",
    }
}

pub(super) const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Op => "op",
        Origin::Record => "record",
    }
}
