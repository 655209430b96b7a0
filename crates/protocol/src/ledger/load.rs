//! How a ledger comes back from what it has stored.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::clock::ReplicaId;
use syncline_core::entity::{EntityKey, EntityType, Epoch, TypeName};

use super::message::Write;
use super::{Ledger, TypeRefusal};

/// Why stored writes are no ledger. The store is at fault, or who gives the types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerLoadError {
    /// Actors are numbered from 0 without gaps, and come by their numbers.
    #[error("actor {number} comes where {expected} is expected; restore what is stored from a backup")]
    Actor {
        /// The number that came.
        number: ReplicaId,
        /// The number that would follow.
        expected: ReplicaId,
    },
    /// A type that is given is none, or would alter what stored records mean.
    #[error("type `{name}` cannot be used")]
    Type {
        /// Its name.
        name: TypeName,
        /// What is wrong with it.
        #[source]
        error: TypeRefusal,
    },
}

impl Ledger {
    /// Returns the ledger as it was left by the writes that are durable, of each key the last, by ascending key; the records may
    /// come in any order.
    ///
    /// Types may be given that are not stored yet, or were changed so that records mean the same. One that was changed by
    /// [`Input::DefineType`](super::Input::DefineType) since it was given first stays as it was changed.
    ///
    /// # Errors
    /// [`LedgerLoadError::Actor`] if the actors are not all there, or in another order; [`LedgerLoadError::Type`] if a given
    /// type is none, or neither it nor the stored one could follow the other.
    pub fn load(
        types: impl IntoIterator<Item = EntityType>,
        epoch: Epoch,
        stored: impl IntoIterator<Item = Write>,
    ) -> Result<Self, LedgerLoadError> {
        let mut ledger = Self::new(epoch);
        let mut buckets = BTreeMap::new();
        let mut places = Vec::new();
        let mut kinds = BTreeSet::new();
        for write in stored {
            match write {
                Write::Buckets(key, of) => drop(buckets.insert(key, of)),
                Write::Record(key, record) => {
                    let kind = kinds.get(&key.kind).unwrap_or(&key.kind).clone();
                    kinds.insert(kind.clone());
                    let key = EntityKey { kind, ..key };
                    places.push((key.clone(), record.seq, (!record.deleted).then_some(record.ver)));
                    ledger.hlc = ledger.hlc.max(record.hlc);
                    ledger.records.insert(key, record.packed());
                }
                write => ledger.restore(write)?,
            }
        }
        for (key, seq, live) in places {
            let buckets = buckets.remove(&key).unwrap_or_default();
            ledger.log.restore(&key, seq, live, buckets);
        }
        for ty in types {
            ledger.give_type(ty)?;
        }
        let kinds: Vec<_> = ledger.types.keys().cloned().collect();
        kinds.iter().for_each(|kind| ledger.refill(kind));
        kinds.iter().for_each(|kind| ledger.tie(kind));
        Ok(ledger)
    }

    fn restore(&mut self, write: Write) -> Result<(), LedgerLoadError> {
        match write {
            Write::Actor(number, name) => {
                let expected = self.actors.number(&name);
                if expected != number {
                    return Err(LedgerLoadError::Actor { number, expected });
                }
            }
            Write::Acked(number, acked) => self.devices.entry(number).or_default().acked = *acked,
            Write::Numbers(number, numbers) => self.devices.entry(number).or_default().numbers = numbers,
            Write::Result(dot, kept) => {
                self.hlc = self.hlc.max(kept.trace.hlc);
                self.devices.entry(dot.replica).or_default().keep(dot.counter, &kept);
            }
            Write::Conflict(id, conflict) => self.restore_conflict(id, *conflict),
            Write::Device(number, binding) => {
                self.devices.entry(number).or_default().binding = Some(*binding);
            }
            Write::Type(ty) => self.restore_type(*ty)?,
            Write::Mutation(actor, name, n) => {
                self.devices.entry(actor).or_default().mutations.insert(name, n);
            }
            Write::Scope(name, definition) => drop(self.scopes.insert(name, *definition)),
            Write::Named(actor, sent, id) => {
                self.devices.entry(actor).or_default().ids.insert(sent, id);
            }
            Write::Comment(id, _, comment) => self.comments.entry(id).or_default().push(*comment),
            Write::Evicted(bucket, key, Some(seq)) => self.log.restore_evicted(&key, &bucket, seq),
            Write::Resync(number, scope, Some(resync)) => {
                self.devices.entry(number).or_default().resyncs.insert(scope, resync);
            }
            Write::Aged(dot, Some(hash)) => self.restore_aged(dot.replica, dot.counter, hash),
            Write::Day(at, Some(head)) => drop(self.days.insert(at, head)),
            Write::Erased(key, erased) => drop(self.erased.insert(key, erased)),
            Write::Swept(swept) => self.swept = swept,
            Write::User(number, Some(name)) => self.users.restore(number, name),
            Write::UserErased(number, erased) => self.users.restore_erased(number, erased),
            Write::Renaming(number, Some(renaming)) => self.users.restore_renaming(number, renaming),
            Write::Floor(floor) => self.log.raise_floor(floor),
            Write::Heads(heads) => self.heads = heads,
            Write::Filling(kind, filling) => drop(self.fillings.insert(kind, filling)),
            // Buckets are known before records take their places, which is seen to above; the others are of keys that are there no more,
            // history, or only for people.
            Write::Buckets(..)
            | Write::Record(..)
            | Write::Evicted(_, _, None)
            | Write::Resync(_, _, None)
            | Write::Aged(_, None)
            | Write::Day(_, None)
            | Write::Purged(_)
            | Write::User(_, None)
            | Write::Renaming(_, None)
            | Write::Audit(..)
            | Write::AuditPayload(..)
            | Write::Event(..) => {}
        }
        Ok(())
    }
}
