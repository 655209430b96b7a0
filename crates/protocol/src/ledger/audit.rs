//! What has happened, in a chain of hashes.
//!
//! An entry holds an event as bytes and a hash: SHA-256 over the hash of the entry before it (32 zeros before the first), its
//! number (8 bytes, big-endian), and the bytes. Entries are numbered from 1 without gaps. So no entry can be changed, left out or
//! put in without changing all behind it. The bytes are MessagePack; nobody writes them a second time.
//!
//! Values that ops wrote are no part of the chain. They lie beside it, with a salt, and the event holds SHA-256 over the salt and
//! the bytes of the values: both can be erased, nobody can guess the values from what is left, and the chain stays whole. So it is
//! with names of users, who are numbers in events ([`UserNumber`]).

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use syncline_core::clock::Dot;
use syncline_core::entity::conflict::ConflictState;
use syncline_core::entity::{
    ActorName, EntityKey, FieldName, Outcome, Record, RecordVersion, Sequence, UserName, Value,
};
use syncline_core::time::WallMs;

use super::message::{ConflictId, Kept, Write};
use super::packed::pack;
use super::{ContentHash, Ledger, UserNumber};

/// A place in the audit, counted from 1; 0 is the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AuditIndex(pub u64);

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When, by the server's clock.
    pub at: WallMs,
    /// What.
    pub what: Audited,
    /// SHA-256 over the salt and the bytes of the [`AuditPayload`], if there is one.
    pub payload: Option<[u8; 32]>,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audited {
    /// An op has its result.
    Op {
        /// Whose.
        actor: ActorName,
        /// The user of the device; none if it is a server.
        user: Option<UserNumber>,
        /// Its number.
        n: u64,
        /// What it held.
        content: ContentHash,
        /// The entity.
        entity: EntityKey,
        /// What became of it.
        outcome: Outcome,
        /// The record behind it, if it changed: its version and place.
        changed: Option<(RecordVersion, Sequence)>,
    },
    /// A conflict has begun or changed.
    Conflict {
        /// Which.
        conflict: ConflictId,
        /// The entity.
        entity: EntityKey,
        /// Its revision.
        rev: u64,
        /// Where it stands.
        state: ConflictState,
    },
    /// A device was bound.
    Bound {
        /// Which.
        device: ActorName,
        /// To whom.
        user: UserNumber,
    },
    /// A device was shut out.
    Revoked {
        /// Which.
        device: ActorName,
    },
    /// A device signs with another key.
    Keyed {
        /// Which.
        device: ActorName,
        /// Its public half.
        key: [u8; 32],
    },
    /// A tombstone was forgotten.
    Purged {
        /// The entity.
        entity: EntityKey,
    },
    /// An entity was erased: the values of earlier entries about it are to be found nowhere any more.
    Erased {
        /// The entity.
        entity: EntityKey,
        /// Who wanted that.
        by: UserNumber,
    },
    /// A user was erased: the name beside the entry of their number is to be found nowhere any more.
    UserErased {
        /// Whom.
        user: UserNumber,
        /// Who wanted that.
        by: UserNumber,
    },
    /// A user is known by the number of this entry from now on. Their name lies beside it.
    Known,
}

/// An event in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The event as bytes.
    pub event: Vec<u8>,
    /// See the [module](self).
    pub hash: [u8; 32],
}

/// What an op wrote, or the name of a user: what may be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPayload {
    /// Random bytes that nobody else has.
    pub salt: [u8; 16],
    /// The fields, or the name, as bytes.
    pub values: Vec<u8>,
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The last entry.
    pub index: AuditIndex,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Why entries are not the chain that was written. The store is at fault, or whoever has changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFault {
    /// An entry is missing.
    #[error("entry {found} of the audit comes where {expected} is expected")]
    Gap {
        /// Its number.
        found: u64,
        /// The number that would follow.
        expected: u64,
    },
    /// An entry, or one before it, was changed.
    #[error("entry {index} of the audit is not the one that was written")]
    Changed {
        /// Its number.
        index: u64,
    },
    /// What lies beside an entry is not what it speaks of.
    #[error("what lies beside entry {index} of the audit is not what was written")]
    Payload {
        /// Its number.
        index: u64,
    },
    /// Entries are missing at the end, or too many are there.
    #[error("the audit ends with entry {found}, and {expected} were written")]
    End {
        /// The number of the last entry.
        found: u64,
        /// The number that it should have.
        expected: u64,
    },
}

impl AuditFault {
    /// Returns the number of the first entry that is not as it was written.
    #[must_use]
    pub fn index(self) -> u64 {
        match self {
            Self::Gap { expected, .. } => expected,
            Self::Changed { index } | Self::Payload { index } => index,
            Self::End { found, expected } => found.min(expected).saturating_add(1),
        }
    }
}

impl AuditHead {
    /// Checks entries that follow, and returns the end behind them.
    ///
    /// # Errors
    /// [`AuditFault`] names the first entry that is wrong.
    pub fn verify<'a>(
        self,
        entries: impl IntoIterator<Item = (AuditIndex, &'a AuditEntry)>,
    ) -> Result<Self, AuditFault> {
        entries.into_iter().try_fold(self, |head, (found, entry)| {
            let next = head.extended(&entry.event);
            if found != next.index {
                Err(AuditFault::Gap { found: found.0, expected: next.index.0 })
            } else if entry.hash != next.hash {
                Err(AuditFault::Changed { index: found.0 })
            } else {
                Ok(next)
            }
        })
    }

    /// Checks that this end, which entries have led to, is the one that was stored.
    ///
    /// # Errors
    /// [`AuditFault::End`] if entries are missing or too many; [`AuditFault::Changed`] if the last is not the one that was written.
    pub fn check_end(self, stored: Self) -> Result<(), AuditFault> {
        if self == stored {
            Ok(())
        } else if self.index == stored.index {
            Err(AuditFault::Changed { index: self.index.0 })
        } else {
            Err(AuditFault::End { found: self.index.0, expected: stored.index.0 })
        }
    }

    fn extended(self, event: &[u8]) -> Self {
        let index = AuditIndex(self.index.0.saturating_add(1));
        let mut hasher = Sha256::new_with_prefix(self.hash);
        hasher.update(index.0.to_be_bytes());
        hasher.update(event);
        Self { index, hash: hasher.finalize().into() }
    }
}

impl AuditEntry {
    /// Returns the event; none if the bytes are none that this version knows.
    #[must_use]
    pub fn event(&self) -> Option<AuditEvent> {
        rmp_serde::from_slice(&self.event).ok()
    }

    /// Returns whether this is what was written beside the entry. Events of kinds that this version does not know can be asked, too.
    #[must_use]
    pub fn has(&self, payload: &AuditPayload) -> bool {
        /// As much of an [`AuditEvent`] as counts here.
        type Says = (WallMs, IgnoredAny, Option<[u8; 32]>);
        let says = rmp_serde::from_slice(&self.event).ok().and_then(|(_, _, payload): Says| payload);
        says == Some(payload.digest())
    }
}

impl AuditPayload {
    /// Returns what the event says of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new_with_prefix(self.salt);
        hasher.update(&self.values);
        hasher.finalize().into()
    }

    /// Returns the fields that the op wrote, with the values that they have got; none if the bytes are none that this version
    /// knows.
    #[must_use]
    pub fn values(&self) -> Option<BTreeMap<FieldName, Option<Value>>> {
        rmp_serde::from_slice(&self.values).ok()
    }

    /// Returns the name of a user, if it is that.
    #[must_use]
    pub fn name(&self) -> Option<UserName> {
        rmp_serde::from_slice(&self.values).ok()
    }
}

impl Ledger {
    /// Adds what became of an op; `record` is what it has made of its record, if it has changed it.
    pub(super) fn audit_op(&mut self, now: WallMs, dot: Dot, kept: &Kept, record: Option<&Record>) {
        let Some(actor) = self.actors.name(dot.replica).cloned() else { return };
        let device = self.devices.get(&dot.replica);
        let user = device.and_then(|device| device.binding.as_ref()).map(|binding| binding.user.clone());
        let user = user.map(|user| self.user_number(now, &user));
        let what = Audited::Op {
            actor,
            user,
            n: dot.counter,
            content: kept.hash,
            entity: kept.result.entity.clone(),
            outcome: kept.result.outcome.clone(),
            changed: record.map(|record| (record.ver, record.seq)),
        };
        self.audit(now, what, record.map(|record| pack(&written(record))));
    }

    /// Adds an event to the chain, and what is to lie beside it. Returns its number.
    pub(super) fn audit(&mut self, at: WallMs, what: Audited, beside: Option<Vec<u8>>) -> AuditIndex {
        let index = self.heads.audit.index.0.saturating_add(1);
        let payload = self.seed.zip(beside).map(|(seed, values)| {
            // Each event has a salt of its own. Nobody can tell it from those of others, and the seed is nowhere stored.
            let mut hasher = Sha256::new_with_prefix(seed);
            hasher.update(index.to_be_bytes());
            let mut salt = [0; 16];
            salt.copy_from_slice(&hasher.finalize()[..16]);
            AuditPayload { salt, values }
        });
        let event = AuditEvent { at, what, payload: payload.as_ref().map(AuditPayload::digest) };
        let event = pack(&event);
        self.heads.audit = self.heads.audit.extended(&event);
        let AuditHead { index, hash } = self.heads.audit;
        self.gathered.push(Write::Audit(index, Box::new(AuditEntry { event, hash })));
        self.gathered.extend(payload.map(|payload| Write::AuditPayload(index, Box::new(payload))));
        index
    }
}

/// Returns the fields that the last change of a record wrote.
fn written(record: &Record) -> BTreeMap<&FieldName, &Option<Value>> {
    let fields = record.fields.iter().filter(|(_, slot)| slot.ver == record.ver);
    fields.map(|(name, slot)| (name, &slot.value)).collect()
}
