//! Erasure: what is known of an entity is removed for good, and its name is never used again.
//!
//! What a ledger holds it erases at once, with one batch: the record becomes a tombstone, and results, conflicts and comments lose
//! their values. What lies beside the audit it does not hold. So it keeps how far an erasure reaches ([`Erased`]), and whoever
//! has the store removes that, a portion at a time, and says how far that is ([`Swept`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syncline_core::clock::Dot;
use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{Change, EntityKey, Life, UserName};
use syncline_core::time::WallMs;

use super::audit::{AuditIndex, Audited};
use super::message::{Answer, Kept, Write};
use super::{Binding, EventIndex, Ledger, Written};

/// That an entity was erased: no op on it is taken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// When.
    pub at: WallMs,
    /// The entry of the audit that says so: what lies beside those before it, of this entity, is to be removed.
    pub through: AuditIndex,
}

/// What is to be erased, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// An entity.
    Entity {
        /// Which; not by a temporary id.
        key: EntityKey,
        /// Who asks.
        by: UserName,
    },
    /// What is known of a user: what they have written stays.
    User {
        /// Whom.
        user: UserName,
        /// Who asks.
        by: UserName,
    },
    /// History, up to there, in all.
    History(Swept),
}

/// How far history was removed that is not to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// Erasures up to this entry of the audit have no values beside it any more.
    pub erased: AuditIndex,
    /// Beside the entries up to this one nothing lies any more but names of users: they are too old.
    pub aged: AuditIndex,
    /// The events up to this one are there no more: they are too old.
    pub events: EventIndex,
}

impl Ledger {
    /// Returns when an entity was erased, if it was, durable or not.
    #[must_use]
    pub fn erased(&self, key: &EntityKey) -> Option<Erased> {
        self.erased.get(key).copied()
    }

    /// Returns whether nothing may be written under this name: the entity was deleted or erased.
    #[must_use]
    pub fn is_gone(&self, key: &EntityKey) -> bool {
        self.erased.contains_key(key) || self.record(key).is_some_and(|record| record.deleted)
    }

    /// Returns the erasures whose values may still lie beside the audit.
    #[must_use]
    pub fn unswept(&self) -> BTreeMap<EntityKey, Erased> {
        let unswept = self.erased.iter().filter(|(_, erased)| erased.through > self.swept.erased);
        unswept.map(|(key, erased)| (key.clone(), *erased)).collect()
    }

    /// Returns how far history was removed.
    #[must_use]
    pub const fn swept(&self) -> Swept {
        self.swept
    }

    pub(super) fn erase(&mut self, now: WallMs, what: Erasure) -> Answer {
        match what {
            Erasure::Entity { key, by } => self.erase_entity(now, key, by),
            Erasure::User { user, by } => self.erase_user(now, &user, &by),
            Erasure::History(swept) => {
                self.note_swept(swept);
                Answer::Noted
            }
        }
    }

    /// Erases an entity. Of one that was erased it says when that was.
    fn erase_entity(&mut self, now: WallMs, key: EntityKey, by: UserName) -> Answer {
        if let Some(&erased) = self.erased.get(&key) {
            return Answer::Erased { erased, is_new: false };
        }
        self.bury(now, &key);
        // Entries of the audit are written in their order.
        self.tell(now);
        let by = self.user_number(now, &by);
        let through = self.audit(now, Audited::Erased { entity: key.clone(), by }, None);
        let erased = Erased { at: now, through };
        self.gathered.push(Write::Erased(key.clone(), erased));
        self.erased.insert(key.clone(), erased);
        // What is written from here on says nothing new, so nobody is told of it.
        self.tell(now);
        self.empty_results(&key);
        self.empty_conflicts(&key);
        self.told.0 = self.gathered.len();
        Answer::Erased { erased, is_new: true }
    }

    /// Shuts out the devices of a user, and calls them by a name that says nothing. Documents may hold their name although nothing
    /// is known of them here, so they are told in any case.
    fn erase_user(&mut self, now: WallMs, user: &UserName, by: &UserName) -> Answer {
        let is_theirs = |binding: &Binding| binding.user == *user;
        let devices =
            self.devices.iter().filter(|(_, device)| device.binding.as_ref().is_some_and(is_theirs));
        let devices: Vec<_> = devices.filter_map(|(actor, _)| self.actors.name(*actor).cloned()).collect();
        let names = |conflict: &Conflict| conflict.names(user.as_str());
        let is_named = self.conflicts.values().any(names)
            || self.comments.values().flatten().any(|comment| comment.by == user.as_str());
        let is_known = self.knows(user) || is_named || !devices.is_empty();
        if let Some(number) = self.renamed(user).filter(|_| !is_known) {
            return Answer::UserErased { known_as: number.erased_name(), devices };
        }
        let known_as = self.unname(now, user, by).erased_name();
        for device in &devices {
            self.shut_out_as(now, device, &known_as);
        }
        // What is written from here on says nothing new, so nobody is told of it.
        self.tell(now);
        self.rename(user, &known_as);
        self.told.0 = self.gathered.len();
        Answer::UserErased { known_as, devices }
    }

    fn rename(&mut self, user: &UserName, known_as: &UserName) {
        for (&id, conflict) in self.conflicts.iter_mut().filter(|(_, conflict)| conflict.names(user.as_str()))
        {
            conflict.rename(user.as_str(), known_as.as_str());
            self.gathered.push(Write::Conflict(id, Box::new(conflict.clone())));
        }
        for (&id, comments) in &mut self.comments {
            let theirs = (0..).zip(comments).filter(|(_, comment)| comment.by == user.as_str());
            for (at, comment) in theirs {
                known_as.as_str().clone_into(&mut comment.by);
                self.gathered.push(Write::Comment(id, at, Box::new(comment.clone())));
            }
        }
    }

    /// Notes how far history was removed.
    fn note_swept(&mut self, swept: Swept) {
        if swept != self.swept {
            self.swept = swept;
            self.gathered.push(Write::Swept(swept));
        }
    }

    /// Leaves a tombstone, and no conflict open.
    fn bury(&mut self, now: WallMs, key: &EntityKey) {
        match self.record(key).filter(|record| !record.deleted) {
            Some(before) => {
                let stamp = self.own_stamp(now, Some(before.hlc));
                let record = Change::new(stamp, Life::Ends).applied_to(Some(&before));
                self.put_record(key, record);
            }
            // A room may be open whose first commit is still to come.
            None => self.close_room(key),
        }
        self.close_conflict(now, key);
    }

    fn empty_results(&mut self, key: &EntityKey) {
        for (&actor, device) in &mut self.devices {
            for (&n, packed) in &mut device.kept {
                let mut kept = packed.read();
                if kept.result.entity == *key {
                    kept.empty();
                    let written = Written::new(kept);
                    *packed = written.packed();
                    self.gathered.push(Write::Result(Dot::new(actor, n), written));
                }
            }
        }
    }

    fn empty_conflicts(&mut self, key: &EntityKey) {
        let of_entity = self.conflicts.iter_mut().filter(|(_, conflict)| conflict.entity() == key);
        for (&id, conflict) in of_entity {
            conflict.empty();
            self.gathered.push(Write::Conflict(id, Box::new(conflict.clone())));
            let comments = self.comments.get_mut(&id).into_iter().flatten();
            for (at, comment) in (0..).zip(comments) {
                comment.text.clear();
                comment.proposal = None;
                self.gathered.push(Write::Comment(id, at, Box::new(comment.clone())));
            }
        }
    }
}

impl Kept {
    /// Removes all values.
    fn empty(&mut self) {
        self.result.data = None;
        self.result.detail = None;
        self.result.combined.clear();
    }
}
