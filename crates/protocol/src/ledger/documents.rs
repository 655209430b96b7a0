//! Documents as entities: what the ledger and the rooms tell each other.
//!
//! The entity `id` of a type of policy `crdt` is the document of the room `type/id`. What is written there, over whatever
//! connection, changes the record by one op of the server a commit; what a device sends as an op the room takes in first, and
//! the op is decided with the commit of the room that stores it. Either way the entry in the log of the document and the change
//! of the record are one batch.

use std::collections::BTreeMap;

use bytes::Bytes;
use syncline_core::clock::{Dot, HybridTime, ReplicaId};
use syncline_core::entity::{
    Action, ActorName, Change, ClaimedTime, EntityId, EntityKey, Life, Policy, ServerClock, Stamp, TypeName,
    UserName,
};
use syncline_core::id::RoomName;
use syncline_core::limits::MERGES_MAX;
use syncline_core::time::WallMs;

use super::machine::Ledger;
use super::message::{Effect, PushOp};

/// What a room stores with a commit of the ledger, named by who drives the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// An update that a room is to take in, counted from 1 since the ledger was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MergeId(pub u64);

/// That a room is about to store something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// What the room calls it.
    pub ticket: Ticket,
    /// The entity that the document is.
    pub key: EntityKey,
    /// The updates in it that the ledger has given to the room.
    pub merges: Vec<MergeId>,
    /// Whether there is anything else in it.
    pub typed: bool,
}

/// An update for a room to take in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// What the ledger calls it.
    pub merge: MergeId,
    /// Whose op it is.
    pub device: ActorName,
    /// Their user.
    pub user: Option<UserName>,
    /// The entity that the document is.
    pub key: EntityKey,
    /// The update.
    pub update: Bytes,
}

/// What became of an update that a room was to take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The document holds it.
    Taken,
    /// It is none, or does not fit the document. The document holds nothing of it.
    Refused {
        /// Which rule it breaks, in one word; `gap` if it rests on what the document does not hold.
        reason: &'static str,
    },
    /// There is no saying: the room could not be opened, or has ended.
    Unavailable,
}

/// The updates that rooms are to take in.
#[derive(Debug, Default)]
pub(super) struct Merges {
    last: u64,
    /// The device whose op waits.
    open: BTreeMap<MergeId, ReplicaId>,
}

/// Returns the room of the document that an entity is.
#[must_use]
pub fn room_of(key: &EntityKey) -> RoomName {
    RoomName::new(&format!("{}/{}", key.kind, key.id)).expect("both are short and plain")
}

/// Returns the entity that a document is, by its room, if its type has documents. No name of a type or an entity holds a `/`.
#[must_use]
pub fn entity_of(room: &RoomName) -> Option<EntityKey> {
    let (kind, id) = room.as_str().split_once('/')?;
    Some(EntityKey { kind: TypeName::new(kind).ok()?, id: EntityId::new(id).ok()? })
}

impl Merges {
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MERGES_MAX
    }
}

impl Ledger {
    /// A room stores what was written in it, with the next commit.
    pub(super) fn touched(&mut self, now: WallMs, touched: Touched) {
        let Touched { ticket, key, merges, typed } = touched;
        let key = &key;
        let ver = self.record(key).map(|record| record.ver);
        let is_deleted = self.is_gone(key);
        if is_deleted {
            self.park_effect(Effect::Refuse { ticket });
        } else {
            self.rooms.push(ticket);
        }
        if typed && !is_deleted {
            self.touch(now, key);
        }
        // SUBTLE: all that is in the commit of the room is decided before anything that comes behind it in a push, which may
        // delete the record, or end the batch.
        let actors: Vec<_> = merges.iter().filter_map(|merge| self.merges.open.remove(merge)).collect();
        for actor in &actors {
            self.take_merged(now, *actor);
        }
        // Should no op have changed the record after all, those who pull must hear of the document all the same.
        if !is_deleted && self.record(key).map(|record| record.ver) == ver {
            self.touch(now, key);
        }
        self.seal_if_full();
        for actor in actors {
            self.advance(now, actor);
        }
    }

    /// An update has been taken in, or will not be. What is about no open one is passed over.
    pub(super) fn merged(&mut self, now: WallMs, merge: MergeId, outcome: MergeOutcome) {
        let Some(actor) = self.merges.open.remove(&merge) else { return };
        self.go_on_with(now, actor, outcome);
    }

    /// Has a room take in the update of an op.
    pub(super) fn merge(&mut self, actor: ReplicaId, op: PushOp) {
        let Action::Document(update) = op.action else { return };
        self.merges.last = self.merges.last.saturating_add(1);
        let merge = MergeId(self.merges.last);
        self.merges.open.insert(merge, actor);
        let device = self.actors.name(actor).expect("its number was given to it").clone();
        let binding = self.devices.get(&actor).and_then(|device| device.binding.as_ref());
        let user = binding.map(|binding| binding.user.clone());
        // It rests on nothing: what the room makes of it is not durable before the ledger's own commit is.
        self.effects.push_back(Effect::Merge(Merge { merge, device, user, key: op.entity, update }));
    }

    /// Returns whether an entity is a document, by its type.
    #[must_use]
    pub fn is_document(&self, key: &EntityKey) -> bool {
        self.has_documents(&key.kind)
    }

    /// Returns whether the entities of a type are documents.
    #[must_use]
    pub fn has_documents(&self, kind: &TypeName) -> bool {
        self.types.get(kind).is_some_and(|ty| ty.policy == Policy::Crdt)
    }

    /// Changes the record of a document by an op of the server, which has no result: nobody waits for one.
    fn touch(&mut self, now: WallMs, key: &EntityKey) {
        if !self.is_document(key) {
            return;
        }
        let before = self.record(key);
        let stamp = self.own_stamp(now, before.as_ref().map(|record| record.hlc));
        let life = if before.is_some() { Life::Lives } else { Life::Begins };
        let mut record = Change { document: true, ..Change::new(stamp, life) }.applied_to(before.as_ref());
        record.schema_v = self.types[&key.kind].schema_v;
        self.put_record(key, record);
    }

    /// Returns the next write of the server to a record of this time, which has no result: nobody waits for one.
    pub(super) fn own_stamp(&mut self, now: WallMs, seen: Option<HybridTime>) -> Stamp {
        let actor = self.number(&self.settings.server.clone());
        let n = self.next_own(actor);
        self.devices.entry(actor).or_default().numbers.consume(n);
        self.renumbered.insert(actor);
        let clock = ServerClock { now, hlc: self.hlc };
        let hlc = clock.effective(ClaimedTime { seen, ..ClaimedTime::default() }, 0);
        self.hlc = self.hlc.max(hlc);
        Stamp { hlc, dot: Dot::new(actor, n) }
    }

    /// Lets nobody be in the room of an entity any more, if it is a document, once what was gathered is durable.
    pub(super) fn close_room(&mut self, key: &EntityKey) {
        if self.is_document(key) {
            self.park_effect(Effect::Deleted { key: key.clone() });
        }
    }
}
