//! What the writes of a ledger are in a store: a name for each thing that is kept, and its bytes.
//!
//! | name | what is stored there |
//! | --- | --- |
//! | 1, actor u64 | the name of an actor |
//! | 2, device u64 | the numbers of its ops |
//! | 3, device u64 | what it has acknowledged |
//! | 4, type, 0, entity id, 0 | a record |
//! | 5, device u64, n u64 | an op and its result, or what is left of them |
//! | 6, epoch u64, number u64 | a conflict |
//! | 7, device u64 | whose it is |
//! | 8, type, 0, entity id, 0 | the buckets that a record is in besides that of its type, if any |
//! | 9, type, 0, entity id, 0, bucket, 0 | where a record left a bucket |
//! | 10, device u64, scope, 0 | that the device is to begin the scope again |
//! | 11, time u64 | where the log ended |
//! | 12 | what was deleted up to where may be forgotten |
//! | 13 | the ends of the audit and of the outbox |
//! | 14, type, 0 | by which templates its records lie in buckets |
//! | 15, type, 0 | a type of entities |
//! | 16, device u64, type, 0, temporary id, 0 | the id that an entity has got |
//! | 17, epoch u64, number u64, place u64 | a comment on a conflict |
//! | 18, scope, 0 | what a scope holds |
//! | 19, device u64, hash of 16 bytes | the number of a mutation |
//! | 20, type, 0, entity id, 0 | that an entity was erased |
//! | 21 | how far history was removed |
//! | 22, user u64 | that a user was erased |
//! | 23, user u64 | what a user is called |
//! | 24, user u64 | the name that documents are to forget |
//! | 128, index u64 | an entry of the audit |
//! | 129, index u64 | what lies beside it, and may be erased |
//! | 130, index u64 | an event of the outbox |
//!
//! From 128 on it is history, which no ledger is [loaded](super::Ledger::load) from: it is written once, in the order of its
//! numbers, and read where someone asks for it. A store keeps what is written together in one piece, and beside each entry of
//! the audit what lies beside it.
//!
//! Integers are big-endian. No name is the beginning of another, and things come back in an order in which a ledger can be
//! [loaded](super::Ledger::load). The bytes are MessagePack, the fields by their places, so that fields may be added behind the
//! others, with a default for what was stored before; a type has the names of its fields. But for these:
//!
//! | what | bytes |
//! | --- | --- |
//! | a record | as the module `record_bytes` says |
//! | a result | 0, then MessagePack; or, if no more is left, 1 and the content hash, 8 bytes |
//! | an entry of the audit | its hash, 32 bytes, then its event |
//! | what lies beside it | its salt, 16 bytes, then the values |

use serde::{Serialize, de::DeserializeOwned};
use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::bucket::Bucket;
use syncline_core::entity::{EntityId, EntityKey, EntityType, Epoch, TypeForm, TypeName};
use syncline_core::time::WallMs;

use super::audit::{AuditEntry, AuditIndex, AuditPayload};
use super::packed::pack;
use super::push::MutationHash;
use super::users::UserNumber;
use super::{ConflictId, ContentHash, EventIndex, Packable, Write, Written};

const ACTOR: u8 = 1;
const NUMBERS: u8 = 2;
const ACKED: u8 = 3;
const RECORD: u8 = 4;
const RESULT: u8 = 5;
const CONFLICT: u8 = 6;
const DEVICE: u8 = 7;
const BUCKETS: u8 = 8;
const EVICTED: u8 = 9;
const RESYNC: u8 = 10;
const DAY: u8 = 11;
const FLOOR: u8 = 12;
/// The name of the ends of the audit and of the outbox, which is one byte.
pub const HEADS: u8 = 13;
const FILLING: u8 = 14;
const TYPE: u8 = 15;
const NAMED: u8 = 16;
const COMMENT: u8 = 17;
const SCOPE: u8 = 18;
const MUTATION: u8 = 19;
const ERASED: u8 = 20;
const SWEPT: u8 = 21;
const USER_ERASED: u8 = 22;
/// The first byte of the name of what a user is called.
pub const USER: u8 = 23;
const RENAMING: u8 = 24;
/// The first byte of an entry of the audit.
pub const AUDIT: u8 = 128;
/// The first byte of what lies beside one.
pub const AUDIT_PAYLOAD: u8 = 129;
/// The first byte of an event.
pub const EVENT: u8 = 130;

/// Returns whether this is the name of history, which no ledger is loaded from.
#[must_use]
pub fn is_history(name: &[u8]) -> bool {
    name.first().is_some_and(|tag| *tag >= AUDIT)
}

/// Returns the name of an entry of the audit. Those that come later have greater names.
#[must_use]
pub fn audit_name(index: AuditIndex) -> Vec<u8> {
    of_number(AUDIT, index.0)
}

/// Returns the name of what lies beside an entry of the audit.
#[must_use]
pub fn payload_name(index: AuditIndex) -> Vec<u8> {
    of_number(AUDIT_PAYLOAD, index.0)
}

/// Returns the name under which an event is stored. Those that come later have greater names.
#[must_use]
pub fn event_name(index: EventIndex) -> Vec<u8> {
    of_number(EVENT, index.0)
}

/// What is stored of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is. A later write of the same name replaces an earlier.
    pub name: Vec<u8>,
    /// What it is; none if there is nothing any more.
    pub bytes: Option<Vec<u8>>,
}

/// What is kept of an op: its result, or only what it held.
const KEPT: u8 = 0;
const HASH: u8 = 1;

/// Why stored bytes are no write. The store is at fault, or a newer version of this program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// Nothing is stored under such a name.
    #[error("nothing of a ledger is named {name:02x?}")]
    Name {
        /// The name.
        name: Vec<u8>,
    },
    /// The bytes are not what the name says.
    #[error("what is stored under {name:02x?} cannot be read")]
    Bytes {
        /// The name.
        name: Vec<u8>,
        /// Why.
        source: rmp_serde::decode::Error,
    },
}

impl Write {
    /// Returns what is to be stored.
    #[must_use]
    pub fn to_stored(&self) -> Stored {
        match self {
            Self::Actor(number, name) => stored(of_actor(ACTOR, *number), name),
            Self::Numbers(device, numbers) => stored(of_actor(NUMBERS, *device), numbers),
            Self::Acked(device, acked) => stored(of_actor(ACKED, *device), acked),
            Self::Record(key, record) => put(of_entity(RECORD, key), record.bytes().to_vec()),
            Self::Purged(key) => gone(of_entity(RECORD, key)),
            Self::Result(dot, kept) => put(of_op(*dot), [&[KEPT], kept.bytes()].concat()),
            Self::Aged(dot, Some(ContentHash(hash))) => put(of_op(*dot), [&[HASH], &hash[..]].concat()),
            Self::Aged(dot, None) => gone(of_op(*dot)),
            Self::Conflict(id, conflict) => stored(of_conflict(CONFLICT, *id), conflict),
            Self::Device(device, binding) => stored(of_actor(DEVICE, *device), binding),
            Self::Buckets(key, buckets) if buckets.is_empty() => gone(of_entity(BUCKETS, key)),
            Self::Buckets(key, buckets) => stored(of_entity(BUCKETS, key), buckets),
            Self::Evicted(bucket, key, seq) => {
                let name = with_text(of_entity(EVICTED, key), bucket.as_str());
                stored_if(name, seq.as_ref())
            }
            Self::Resync(device, scope, resync) => {
                let name = with_text(of_actor(RESYNC, *device), scope.as_str());
                stored_if(name, resync.as_ref())
            }
            Self::Day(at, head) => stored_if(of_number(DAY, at.0), head.as_ref()),
            Self::Floor(floor) => stored(vec![FLOOR], floor),
            Self::Heads(heads) => stored(vec![HEADS], heads),
            Self::Erased(key, erased) => stored(of_entity(ERASED, key), erased),
            Self::Swept(swept) => stored(vec![SWEPT], swept),
            Self::UserErased(user, erased) => stored(of_user(USER_ERASED, *user), erased),
            Self::User(user, name) => stored_if(of_user(USER, *user), name.as_ref()),
            Self::Renaming(user, renaming) => stored_if(of_user(RENAMING, *user), renaming.as_ref()),
            Self::Filling(kind, filling) => stored(with_text(vec![FILLING], kind.as_str()), filling),
            Self::Audit(index, entry) => put(audit_name(*index), [&entry.hash[..], &entry.event].concat()),
            Self::AuditPayload(index, payload) => {
                put(of_number(AUDIT_PAYLOAD, index.0), [&payload.salt[..], &payload.values].concat())
            }
            Self::Event(index, event) => stored(event_name(*index), event),
            Self::Type(ty) => {
                let form = TypeForm::from(ty.as_ref().clone());
                let bytes = rmp_serde::to_vec_named(&form).expect("a vector takes all that is written to it");
                put(with_text(vec![TYPE], ty.name.as_str()), bytes)
            }
            Self::Mutation(actor, MutationHash(hash), n) => {
                stored([&of_actor(MUTATION, *actor)[..], hash].concat(), n)
            }
            Self::Scope(scope, definition) => stored(with_text(vec![SCOPE], scope.as_str()), definition),
            Self::Named(device, key, id) => {
                let name = with_text(of_actor(NAMED, *device), key.kind.as_str());
                stored(with_text(name, key.id.as_str()), id)
            }
            Self::Comment(id, at, comment) => {
                stored([of_conflict(COMMENT, *id), at.to_be_bytes().into()].concat(), comment)
            }
        }
    }

    /// Returns the write that was stored.
    ///
    /// # Errors
    /// [`StoredError`]: there is no such name, or the bytes are not what it says.
    pub fn from_stored(name: &[u8], bytes: &[u8]) -> Result<Self, StoredError> {
        let unknown = || StoredError::Name { name: name.to_vec() };
        let (tag, rest) = name.split_first().ok_or_else(unknown)?;
        let index = || number(rest).ok_or_else(unknown);
        let actor = || index().map(ReplicaId);
        let user = || index().map(AuditIndex).map(UserNumber);
        Ok(match *tag {
            ACTOR => Self::Actor(actor()?, read(name, bytes)?),
            NUMBERS => Self::Numbers(actor()?, read(name, bytes)?),
            ACKED => Self::Acked(actor()?, read(name, bytes)?),
            RECORD => Self::Record(entity(rest).ok_or_else(unknown)?, written(name, bytes)?),
            RESULT => {
                let dot = dot(rest).ok_or_else(unknown)?;
                match bytes.split_first() {
                    Some((&KEPT, kept)) => Self::Result(dot, written(name, kept)?),
                    Some((&HASH, hash)) => Self::Aged(dot, Some(ContentHash(fixed(name, hash)?))),
                    Some(_) | None => return Err(odd(name)),
                }
            }
            CONFLICT => Self::Conflict(conflict(rest).ok_or_else(unknown)?, read(name, bytes)?),
            DEVICE => Self::Device(actor()?, read(name, bytes)?),
            BUCKETS => Self::Buckets(entity(rest).ok_or_else(unknown)?, read(name, bytes)?),
            EVICTED => {
                let (key, bucket) = evicted(rest).ok_or_else(unknown)?;
                Self::Evicted(bucket, key, Some(read(name, bytes)?))
            }
            RESYNC => {
                let (device, scope) = device_and_scope(rest).ok_or_else(unknown)?;
                Self::Resync(device, scope, Some(read(name, bytes)?))
            }
            DAY => Self::Day(index().map(WallMs)?, Some(read(name, bytes)?)),
            TYPE => Self::Type(Box::new(ty(name, rest, bytes)?)),
            MUTATION => {
                let (actor, hash) = rest.split_at_checked(8).ok_or_else(unknown)?;
                let actor = number(actor).map(ReplicaId).ok_or_else(unknown)?;
                let hash = hash.try_into().map(MutationHash).map_err(|_| unknown())?;
                Self::Mutation(actor, hash, read(name, bytes)?)
            }
            SCOPE => Self::Scope(type_name(rest).ok_or_else(unknown)?, read(name, bytes)?),
            NAMED => {
                let (device, key) = rest.split_at_checked(8).ok_or_else(unknown)?;
                let device = number(device).map(ReplicaId).ok_or_else(unknown)?;
                Self::Named(device, entity(key).ok_or_else(unknown)?, read(name, bytes)?)
            }
            COMMENT => {
                let (id, at) = rest.split_at_checked(16).ok_or_else(unknown)?;
                let (id, at) = conflict(id).zip(number(at)).ok_or_else(unknown)?;
                Self::Comment(id, at, read(name, bytes)?)
            }
            FLOOR if rest.is_empty() => Self::Floor(read(name, bytes)?),
            ERASED => Self::Erased(entity(rest).ok_or_else(unknown)?, read(name, bytes)?),
            USER_ERASED => Self::UserErased(user()?, read(name, bytes)?),
            USER => Self::User(user()?, Some(read(name, bytes)?)),
            RENAMING => Self::Renaming(user()?, Some(read(name, bytes)?)),
            SWEPT if rest.is_empty() => Self::Swept(read(name, bytes)?),
            HEADS if rest.is_empty() => Self::Heads(read(name, bytes)?),
            FILLING => Self::Filling(type_name(rest).ok_or_else(unknown)?, read(name, bytes)?),
            AUDIT => {
                let (hash, event) = cut(name, bytes)?;
                Self::Audit(index().map(AuditIndex)?, Box::new(AuditEntry { hash, event }))
            }
            AUDIT_PAYLOAD => {
                let (salt, values) = cut(name, bytes)?;
                Self::AuditPayload(index().map(AuditIndex)?, Box::new(AuditPayload { salt, values }))
            }
            EVENT => Self::Event(index().map(EventIndex)?, read(name, bytes)?),
            _ => return Err(unknown()),
        })
    }
}

fn stored<T: Serialize>(name: Vec<u8>, what: &T) -> Stored {
    put(name, pack(what))
}

const fn put(name: Vec<u8>, bytes: Vec<u8>) -> Stored {
    Stored { name, bytes: Some(bytes) }
}

fn stored_if<T: Serialize>(name: Vec<u8>, what: Option<&T>) -> Stored {
    match what {
        Some(what) => stored(name, what),
        None => gone(name),
    }
}

const fn gone(name: Vec<u8>) -> Stored {
    Stored { name, bytes: None }
}

fn read<T: DeserializeOwned>(name: &[u8], bytes: &[u8]) -> Result<T, StoredError> {
    rmp_serde::from_slice(bytes).map_err(|source| StoredError::Bytes { name: name.to_vec(), source })
}

fn written<T: Packable>(name: &[u8], bytes: &[u8]) -> Result<Written<T>, StoredError> {
    Written::from_stored(bytes).map_err(|source| StoredError::Bytes { name: name.to_vec(), source })
}

/// Takes a number of bytes from the beginning.
fn cut<const N: usize>(name: &[u8], bytes: &[u8]) -> Result<([u8; N], Vec<u8>), StoredError> {
    let (first, rest) = bytes.split_first_chunk().ok_or_else(|| odd(name))?;
    Ok((*first, rest.to_vec()))
}

fn fixed<const N: usize>(name: &[u8], bytes: &[u8]) -> Result<[u8; N], StoredError> {
    bytes.try_into().map_err(|_| odd(name))
}

/// The bytes are not as many as they are to be.
fn odd(name: &[u8]) -> StoredError {
    let source = serde::de::Error::custom("there are too few bytes, or too many");
    StoredError::Bytes { name: name.to_vec(), source }
}

/// A type is stored as operators write it.
fn ty(name: &[u8], rest: &[u8], bytes: &[u8]) -> Result<EntityType, StoredError> {
    let text = std::str::from_utf8(rest).ok().and_then(|text| text.strip_suffix('\0'));
    let named = text.and_then(|text| TypeName::new(text).ok());
    let named = named.ok_or_else(|| StoredError::Name { name: name.to_vec() })?;
    let wrong = |error| StoredError::Bytes { name: name.to_vec(), source: serde::de::Error::custom(error) };
    read::<TypeForm>(name, bytes)?.named(named).map_err(wrong)
}

fn of_actor(tag: u8, actor: ReplicaId) -> Vec<u8> {
    of_number(tag, actor.0)
}

fn of_user(tag: u8, user: UserNumber) -> Vec<u8> {
    of_number(tag, user.0.0)
}

fn of_op(dot: Dot) -> Vec<u8> {
    let mut name = of_actor(RESULT, dot.replica);
    name.extend(dot.counter.to_be_bytes());
    name
}

fn of_conflict(tag: u8, ConflictId { epoch, n }: ConflictId) -> Vec<u8> {
    let mut name = of_number(tag, epoch.0);
    name.extend(n.to_be_bytes());
    name
}

fn of_number(tag: u8, number: u64) -> Vec<u8> {
    let mut name = vec![tag];
    name.extend(number.to_be_bytes());
    name
}

fn of_entity(tag: u8, key: &EntityKey) -> Vec<u8> {
    with_text(with_text(vec![tag], key.kind.as_str()), key.id.as_str())
}

/// Adds a text that has no 0 in it.
fn with_text(mut name: Vec<u8>, text: &str) -> Vec<u8> {
    name.extend(text.as_bytes());
    name.push(0);
    name
}

fn number(rest: &[u8]) -> Option<u64> {
    rest.try_into().ok().map(u64::from_be_bytes)
}

fn dot(rest: &[u8]) -> Option<Dot> {
    let (device, n) = rest.split_at_checked(8)?;
    Some(Dot::new(ReplicaId(number(device)?), number(n)?))
}

fn conflict(rest: &[u8]) -> Option<ConflictId> {
    let (epoch, n) = rest.split_at_checked(8)?;
    Some(ConflictId { epoch: Epoch(number(epoch)?), n: number(n)? })
}

fn entity(rest: &[u8]) -> Option<EntityKey> {
    let text = std::str::from_utf8(rest).ok()?;
    let (kind, id) = text.strip_suffix('\0')?.split_once('\0')?;
    entity_of(kind, id)
}

fn entity_of(kind: &str, id: &str) -> Option<EntityKey> {
    Some(EntityKey { kind: TypeName::new(kind).ok()?, id: EntityId::new(id).ok()? })
}

fn evicted(rest: &[u8]) -> Option<(EntityKey, Bucket)> {
    let mut texts = std::str::from_utf8(rest).ok()?.strip_suffix('\0')?.splitn(3, '\0');
    let key = entity_of(texts.next()?, texts.next()?)?;
    Some((key, Bucket::from_stored(texts.next()?)))
}

fn device_and_scope(rest: &[u8]) -> Option<(ReplicaId, TypeName)> {
    let (device, scope) = rest.split_at_checked(8)?;
    Some((ReplicaId(number(device)?), type_name(scope)?))
}

fn type_name(rest: &[u8]) -> Option<TypeName> {
    TypeName::new(std::str::from_utf8(rest).ok()?.strip_suffix('\0')?).ok()
}

#[cfg(test)]
mod tests {
    use syncline_core::entity::ActorName;

    use super::*;

    #[test]
    fn names_say_what_is_stored() {
        let ann = Write::Actor(ReplicaId(7), ActorName::new("ann").expect("a name"));
        let stored = ann.to_stored();
        assert_eq!(stored.name, [1, 0, 0, 0, 0, 0, 0, 0, 7]);
        let bytes = stored.bytes.expect("it is stored");
        assert_eq!(Write::from_stored(&stored.name, &bytes).expect("stored"), ann);
        let unknown = |name: &[u8]| matches!(Write::from_stored(name, &bytes), Err(StoredError::Name { .. }));
        let wrong: [&[u8]; 9] = [
            b"",
            b"\x01",
            b"\x63\0",
            b"\x04a\0b",
            b"\x04a b\0c\0",
            b"\x05\0\0\0\0\0\0\0\0",
            b"\x09a\0b\0",
            b"\x0a\0\0\0\0\0\0\0\0a",
            b"\x0c\0",
        ];
        assert!(wrong.into_iter().all(unknown));
        let name = of_actor(ACTOR, ReplicaId(7));
        let reserved = rmp_serde::to_vec_named("no name").expect("written");
        for bytes in [&reserved[..], &[], &[0xc1]] {
            assert!(matches!(Write::from_stored(&name, bytes), Err(StoredError::Bytes { .. })), "{bytes:?}");
        }
    }
}
