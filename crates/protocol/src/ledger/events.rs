//! What others are told of a ledger: the outbox, and the audit.

use serde::{Deserialize, Serialize};
use syncline_core::clock::Dot;
use syncline_core::entity::conflict::{Conflict, ConflictKind, ConflictState};
use syncline_core::entity::{ActorName, EntityKey, Outcome, Record, RefusalCode, Sequence, UserName};
use syncline_core::time::WallMs;

use super::audit::{AuditHead, Audited};
use super::message::{ConflictId, Kept, Write};
use super::{Ledger, UserNumber};

/// A place in the outbox, counted from 1 without gaps; 0 is the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventIndex(pub u64);

/// What is told to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEvent {
    /// When, by the server's clock.
    pub at: WallMs,
    /// The op that it comes from, if it does.
    pub cause: Option<(ActorName, u64)>,
    /// What.
    pub what: Happened,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// Ops of a device have their results.
    DataSynchronized {
        /// The device.
        device: ActorName,
        /// How many ops.
        ops: u64,
        /// The end of the log behind them.
        head: Sequence,
    },
    /// Writes have collided.
    ConflictDetected {
        /// The conflict.
        conflict: ConflictId,
        /// The entity.
        entity: EntityKey,
        /// What collided.
        kind: ConflictKind,
        /// Whether people must decide.
        is_open: bool,
    },
    /// A conflict is closed.
    ConflictResolved {
        /// The conflict.
        conflict: ConflictId,
        /// The entity.
        entity: EntityKey,
        /// How it stands.
        state: ConflictState,
    },
    /// An op was refused.
    SyncFailed {
        /// The entity.
        entity: EntityKey,
        /// Why.
        code: RefusalCode,
    },
    /// A device was bound.
    DeviceBound {
        /// The device.
        device: ActorName,
        /// To whom.
        user: UserNumber,
    },
    /// A device was shut out.
    DeviceRevoked {
        /// The device.
        device: ActorName,
    },
}

/// The ends of what is told, by which the ledger goes on: what was told before it need not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    /// The end of the audit.
    pub audit: AuditHead,
    /// The end of the outbox.
    pub events: EventIndex,
}

impl Happened {
    /// Returns the event as it is named.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::DataSynchronized { .. } => "data_synchronized",
            Self::ConflictDetected { .. } => "sync_conflict_detected",
            Self::ConflictResolved { .. } => "sync_conflict_resolved",
            Self::SyncFailed { .. } => "sync_failed",
            Self::DeviceBound { .. } => "device_bound",
            Self::DeviceRevoked { .. } => "device_revoked",
        }
    }
}

impl Ledger {
    /// Tells what the writes have done that were gathered since it was last called, in the same batch.
    pub(super) fn tell(&mut self, now: WallMs) {
        let (from, before) = self.told;
        let writes = self.gathered.split_off(from);
        // An op's writes are its record, conflicts, and last its result.
        let mut made: Option<&Record> = None;
        let mut conflicts: Vec<(ConflictId, &Conflict)> = Vec::new();
        let mut synced: Option<(Dot, u64)> = None;
        for write in &writes {
            match write {
                Write::Record(_, record) => made = Some(record),
                Write::Conflict(id, conflict) => conflicts.push((*id, conflict)),
                Write::Result(dot, kept) => {
                    self.tell_op(now, *dot, kept, made.take().filter(|record| record.dot == *dot));
                    for (id, conflict) in conflicts.drain(..) {
                        self.tell_conflict(now, id, conflict, Some(*dot));
                    }
                    synced = Some((*dot, synced.map_or(1, |(_, ops)| ops + 1)));
                }
                Write::Purged(entity) => {
                    self.audit(now, Audited::Purged { entity: entity.clone() }, None);
                }
                Write::Actor(..)
                | Write::Numbers(..)
                | Write::Acked(..)
                | Write::Device(..)
                | Write::Buckets(..)
                | Write::Evicted(..)
                | Write::Resync(..)
                | Write::Aged(..)
                | Write::Day(..)
                | Write::Floor(_)
                | Write::Filling(..)
                | Write::Type(_)
                | Write::Scope(..)
                | Write::Mutation(..)
                | Write::Named(..)
                | Write::Comment(..)
                | Write::Erased(..)
                | Write::Swept(_)
                | Write::User(..)
                | Write::UserErased(..)
                | Write::Renaming(..)
                | Write::Audit(..)
                | Write::AuditPayload(..)
                | Write::Event(..)
                | Write::Heads(_) => {}
            }
        }
        for (id, conflict) in conflicts {
            self.tell_conflict(now, id, conflict, None);
        }
        if let Some((dot, ops)) = synced
            && let Some(device) = self.actors.name(dot.replica).filter(|name| !name.is_server()).cloned()
        {
            let head = self.log.head();
            self.event(now, Some(dot), Happened::DataSynchronized { device, ops, head });
        }
        self.gathered.extend(writes);
        if self.heads != before {
            self.gathered.push(Write::Heads(self.heads));
        }
        self.told = (self.gathered.len(), self.heads);
    }

    fn tell_op(&mut self, now: WallMs, dot: Dot, kept: &Kept, record: Option<&Record>) {
        self.audit_op(now, dot, kept, record);
        if let Outcome::Rejected(refusal) = &kept.result.outcome {
            let what = Happened::SyncFailed { entity: kept.result.entity.clone(), code: refusal.code };
            self.event(now, Some(dot), what);
        }
    }

    fn tell_conflict(&mut self, now: WallMs, conflict: ConflictId, now_is: &Conflict, cause: Option<Dot>) {
        let (entity, rev, state) = (now_is.entity().clone(), now_is.rev(), now_is.state());
        self.audit(now, Audited::Conflict { conflict, entity: entity.clone(), rev, state }, None);
        if rev == FIRST_REV {
            let (kind, is_open) = (now_is.kind(), now_is.is_open());
            let entity = entity.clone();
            self.event(now, cause, Happened::ConflictDetected { conflict, entity, kind, is_open });
        } else if !now_is.is_open() {
            self.event(now, cause, Happened::ConflictResolved { conflict, entity, state });
        }
    }

    pub(super) fn tell_bound(&mut self, now: WallMs, device: ActorName, user: UserName) {
        let user = self.user_number(now, &user);
        self.audit(now, Audited::Bound { device: device.clone(), user }, None);
        self.event(now, None, Happened::DeviceBound { device, user });
    }

    pub(super) fn tell_revoked(&mut self, now: WallMs, device: ActorName) {
        self.audit(now, Audited::Revoked { device: device.clone() }, None);
        self.event(now, None, Happened::DeviceRevoked { device });
    }

    fn event(&mut self, at: WallMs, cause: Option<Dot>, what: Happened) {
        let cause = cause.and_then(|dot| Some((self.actors.name(dot.replica)?.clone(), dot.counter)));
        self.heads.events = EventIndex(self.heads.events.0.saturating_add(1));
        let event = DomainEvent { at, cause, what };
        self.gathered.push(Write::Event(self.heads.events, Box::new(event)));
    }
}

/// The revision that a conflict is born with.
const FIRST_REV: u64 = 1;
