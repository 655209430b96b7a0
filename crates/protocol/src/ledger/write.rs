//! What a ledger has written.

use std::collections::BTreeSet;

use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::bucket::Bucket;
use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{
    ActorName, EntityId, EntityKey, EntityType, Record, Sequence, TypeName, UserName,
};
use syncline_core::time::WallMs;

use super::audit::{AuditEntry, AuditIndex, AuditPayload};
use super::conflicts::Comment;
use super::erasure::{Erased, Swept};
use super::events::{DomainEvent, EventIndex, Heads};
use super::filling::Filling;
use super::message::{ConflictId, Kept};
use super::push::MutationHash;
use super::scopes::ScopeDefinition;
use super::users::{ErasedUser, Renaming, UserNumber};
use super::{Acked, Binding, ContentHash, Numbers, Resync, Written};

/// One write of a batch. A later one of the same key replaces an earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// An actor has a number.
    Actor(ReplicaId, ActorName),
    /// The numbers of a device's ops.
    Numbers(ReplicaId, Numbers),
    /// A device has acknowledged.
    Acked(ReplicaId, Box<Acked>),
    /// An op has its result.
    Result(Dot, Written<Kept>),
    /// A record. Its entry in the index of the log goes with it, to its place.
    Record(EntityKey, Written<Record>),
    /// A conflict.
    Conflict(ConflictId, Box<Conflict>),
    /// What is known of a device.
    Device(ReplicaId, Box<Binding>),
    /// The buckets that a record is in besides that of its type; if there is none, nothing is kept.
    Buckets(EntityKey, BTreeSet<Bucket>),
    /// Where a record left a bucket; none if it has come back, and there is nothing more to keep.
    Evicted(Bucket, EntityKey, Option<Sequence>),
    /// That a device is to begin a scope again; none if it has.
    Resync(ReplicaId, TypeName, Option<Resync>),
    /// An op has its result, of which only this is left, or nothing. It replaces [`Result`](Self::Result) of the op.
    Aged(Dot, Option<ContentHash>),
    /// Where the log ended on a day; none if nobody asks any more.
    Day(WallMs, Option<Sequence>),
    /// A tombstone is forgotten: its [`Record`](Self::Record).
    Purged(EntityKey),
    /// Of what was deleted up to this place some is forgotten.
    Floor(Sequence),
    /// An entry of the audit. No ledger is loaded from it.
    Audit(AuditIndex, Box<AuditEntry>),
    /// What lies beside an entry of the audit. No ledger is loaded from it.
    AuditPayload(AuditIndex, Box<AuditPayload>),
    /// An event for others. No ledger is loaded from it.
    Event(EventIndex, Box<DomainEvent>),
    /// The ends of the audit and of the outbox.
    Heads(Heads),
    /// By which templates the records of a type lie in buckets.
    Filling(TypeName, Filling),
    /// A type of entities.
    Type(Box<EntityType>),
    /// A mutation has a number.
    Mutation(ReplicaId, MutationHash, u64),
    /// A scope that was defined.
    Scope(TypeName, Box<ScopeDefinition>),
    /// An entity that a device names by a temporary id has got its own.
    Named(ReplicaId, EntityKey, EntityId),
    /// An entity was erased.
    Erased(EntityKey, Erased),
    /// How far history was removed.
    Swept(Swept),
    /// A user is called so; none if they were erased.
    User(UserNumber, Option<UserName>),
    /// A user was erased.
    UserErased(UserNumber, ErasedUser),
    /// Documents are to forget the name of a user; none if they have.
    Renaming(UserNumber, Option<Renaming>),
    /// What was said about a conflict, by its place from 0.
    Comment(ConflictId, u64, Box<Comment>),
}
