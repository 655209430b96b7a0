//! What the writes of a ledger are in a store: a name for each thing that is kept, and its bytes.
//!
//! | name | what is stored there |
//! | --- | --- |
//! | 1, actor u64 | the name of an actor |
//! | 2, device u64 | the numbers of its ops |
//! | 3, device u64 | what it has acknowledged |
//! | 4, type, 0, entity id, 0 | a record |
//! | 5, device u64, n u64 | an op and its result |
//! | 6, conflict u64 | a conflict |
//! | 13, type, 0 | a type of entities |
//! | 14, device u64, type, 0, temporary id, 0 | the id that an entity has got |
//! | 15, conflict u64, place u64 | a comment |
//!
//! Integers are big-endian. No name is the beginning of another, and things come back in an order in which a ledger can be
//! [loaded](super::Ledger::load). The bytes are MessagePack with the names of the fields, so that fields may be added, with a
//! default for what was stored before.

use serde::{Serialize, de::DeserializeOwned};
use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::{EntityId, EntityKey, TypeName};

use super::{ConflictId, Write};

const ACTOR: u8 = 1;
const NUMBERS: u8 = 2;
const ACKED: u8 = 3;
const RECORD: u8 = 4;
const RESULT: u8 = 5;
const CONFLICT: u8 = 6;
const TYPE: u8 = 13;
const NAMED: u8 = 14;
const COMMENT: u8 = 15;

/// What is stored of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is. A later write of the same name replaces an earlier.
    pub name: Vec<u8>,
    /// What it is.
    pub bytes: Vec<u8>,
}

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
            Self::Record(key, record) => stored(of_entity(RECORD, key), record),
            Self::Result(dot, kept) => {
                let mut name = of_actor(RESULT, dot.replica);
                name.extend(dot.counter.to_be_bytes());
                stored(name, kept)
            }
            Self::Conflict(id, conflict) => stored([&[CONFLICT][..], &id.0.to_be_bytes()].concat(), conflict),
            Self::Comment(id, at, comment) => {
                stored([&[COMMENT][..], &id.0.to_be_bytes(), &at.to_be_bytes()].concat(), comment)
            }
            Self::Type(ty) => stored([&[TYPE], ty.name.as_str().as_bytes(), &[0]].concat(), ty),
            Self::Named(device, key, id) => {
                stored([&of_actor(NAMED, *device)[..], &of_entity(NAMED, key)[1..]].concat(), id)
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
        let actor = || number(rest).map(ReplicaId).ok_or_else(unknown);
        Ok(match *tag {
            ACTOR => Self::Actor(actor()?, read(name, bytes)?),
            NUMBERS => Self::Numbers(actor()?, read(name, bytes)?),
            ACKED => Self::Acked(actor()?, read(name, bytes)?),
            RECORD => Self::Record(entity(rest).ok_or_else(unknown)?, read(name, bytes)?),
            RESULT => Self::Result(dot(rest).ok_or_else(unknown)?, read(name, bytes)?),
            CONFLICT => Self::Conflict(number(rest).map(ConflictId).ok_or_else(unknown)?, read(name, bytes)?),
            TYPE => Self::Type(read(name, bytes)?),
            COMMENT => {
                let (id, at) = rest.split_at_checked(8).ok_or_else(unknown)?;
                let id = number(id).map(ConflictId).ok_or_else(unknown)?;
                Self::Comment(id, number(at).ok_or_else(unknown)?, read(name, bytes)?)
            }
            NAMED => {
                let (device, key) = rest.split_at_checked(8).ok_or_else(unknown)?;
                let device = number(device).map(ReplicaId).ok_or_else(unknown)?;
                Self::Named(device, entity(key).ok_or_else(unknown)?, read(name, bytes)?)
            }
            _ => return Err(unknown()),
        })
    }
}

fn stored<T: Serialize>(name: Vec<u8>, what: &T) -> Stored {
    let bytes = rmp_serde::to_vec_named(what).expect("a vector takes all that is written to it");
    Stored { name, bytes }
}

fn read<T: DeserializeOwned>(name: &[u8], bytes: &[u8]) -> Result<T, StoredError> {
    rmp_serde::from_slice(bytes).map_err(|source| StoredError::Bytes { name: name.to_vec(), source })
}

fn of_actor(tag: u8, actor: ReplicaId) -> Vec<u8> {
    let mut name = vec![tag];
    name.extend(actor.0.to_be_bytes());
    name
}

fn of_entity(tag: u8, key: &EntityKey) -> Vec<u8> {
    let mut name = vec![tag];
    for part in [key.kind.as_str(), key.id.as_str()] {
        // Neither has a 0 in it.
        name.extend(part.as_bytes());
        name.push(0);
    }
    name
}

fn number(rest: &[u8]) -> Option<u64> {
    rest.try_into().ok().map(u64::from_be_bytes)
}

fn dot(rest: &[u8]) -> Option<Dot> {
    let (device, n) = rest.split_at_checked(8)?;
    Some(Dot::new(ReplicaId(number(device)?), number(n)?))
}

fn entity(rest: &[u8]) -> Option<EntityKey> {
    let text = std::str::from_utf8(rest).ok()?;
    let (kind, id) = text.strip_suffix('\0')?.split_once('\0')?;
    Some(EntityKey { kind: TypeName::new(kind).ok()?, id: EntityId::new(id).ok()? })
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
        assert_eq!(Write::from_stored(&stored.name, &stored.bytes).expect("stored"), ann);
        let unknown =
            |name: &[u8]| matches!(Write::from_stored(name, &stored.bytes), Err(StoredError::Name { .. }));
        let wrong: [&[u8]; 6] =
            [b"", b"\x01", b"\x63\0", b"\x04a\0b", b"\x04a b\0c\0", b"\x05\0\0\0\0\0\0\0\0"];
        assert!(wrong.into_iter().all(unknown));
        let name = of_actor(ACTOR, ReplicaId(7));
        let reserved = rmp_serde::to_vec_named("no name").expect("written");
        for bytes in [&reserved[..], &[], &[0xc1]] {
            assert!(matches!(Write::from_stored(&name, bytes), Err(StoredError::Bytes { .. })), "{bytes:?}");
        }
    }
}
