//! What a ledger has to do with rooms: those of the entities that are documents.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use syncline_core::{
    entity::{EntityKey, Policy},
    id::TenantId,
    log::Author,
};
use syncline_protocol::ledger::{Input, Ledger, Merge, MergeOutcome, Ticket, Touched, Write, room_of};
use syncline_store::{Batch, records};
use tokio::sync::oneshot;

use super::handle::{Documents, Stored, Touch};
use crate::{
    changes::{Change, Changes, Gone, News},
    epoch::Epoch,
    registry::{Registry, RoomKey},
    room::ToRoom,
    tenants::Tenant,
};

/// What rooms store with the commits of a ledger.
#[derive(Default)]
pub(super) struct Rooms {
    tickets: u64,
    waiting: BTreeMap<Ticket, (Batch, Waits)>,
    /// Those of the commit under way.
    storing: Vec<Waits>,
}

/// Who waits until it is known what became of a commit of a room.
struct Waits {
    stored: oneshot::Sender<Stored>,
    /// What whoever follows the document is told of it.
    change: Option<Change>,
}

impl Rooms {
    /// Takes in what a room wants to store. The leases are to be kept until the ledger knows of it.
    pub(super) fn take(
        &mut self,
        touch: Touch,
        stored: oneshot::Sender<Stored>,
    ) -> (Input, Vec<oneshot::Sender<MergeOutcome>>) {
        let Touch { key, merges, leases, typed, batch, change } = touch;
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, (batch, Waits { stored, change }));
        (Input::Touched(Touched { ticket, key, merges, typed }), leases)
    }

    /// Adds what these rooms store to a batch.
    pub(super) fn store(&mut self, batch: &mut Batch, rooms: &[Ticket]) {
        for (stores, waits) in rooms.iter().filter_map(|ticket| self.waiting.remove(ticket)) {
            batch.append(stores);
            self.storing.push(waits);
        }
    }

    /// Takes it that the commit under way is durable. The ledger tells of it, and not the room, so that no deletion is told before.
    pub(super) fn stored(&mut self, changes: &Changes, tenant: TenantId) {
        for Waits { stored, change } in self.storing.drain(..) {
            if let Some(change) = change {
                changes.tell(tenant, News::Changed(change));
            }
            // A room that has ended does not ask, here and below.
            let _ = stored.send(Stored::Stored);
        }
    }

    pub(super) fn refuse(&mut self, ticket: Ticket) {
        if let Some((_, waits)) = self.waiting.remove(&ticket) {
            let _ = waits.stored.send(Stored::Deleted);
        }
    }
}

/// Notes which types have documents.
pub(super) fn note(documents: &Documents, ledger: &Ledger) {
    let types = ledger.types().filter(|ty| ty.policy == Policy::Crdt).map(|ty| ty.name.clone());
    *documents.write().unwrap_or_else(PoisonError::into_inner) = types.collect();
}

/// Returns the room of the document that an entity is.
pub(crate) fn room_key(tenant: &Tenant, key: &EntityKey) -> RoomKey {
    RoomKey { tenant: tenant.clone(), name: room_of(key) }
}

/// Where a tombstone is forgotten, its document is, too: an entity of that name would be another one, and begins without text.
pub(super) fn forget(batch: &mut Batch, tenant: TenantId, ledger: &Ledger, writes: &[Write]) {
    for write in writes {
        if let Write::Purged(key) = write
            && ledger.entity_type(&key.kind).is_some_and(|ty| ty.policy == Policy::Crdt)
        {
            records::clear_name(batch, tenant, &room_of(key));
        }
    }
}

/// Has a room take in an update, beside the ledger: opening the room may ask the ledger something.
pub(super) fn merge(epoch: &Arc<Epoch>, tenant: &Tenant, wanted: Merge) {
    let Merge { merge, device, user, key, update } = wanted;
    let (task_epoch, tenant) = (Arc::clone(epoch), tenant.clone());
    epoch.tasks.spawn(async move {
        let (done, outcome) = oneshot::channel();
        let author =
            Author { user: user.map(|user| user.as_str().into()), device: Some(device.as_str().into()) };
        let message = ToRoom::Merge { merge, author, update, done };
        let told = Registry::tell(&task_epoch, &room_key(&tenant, &key), message).await;
        let outcome = match told {
            Ok(_inbox) => outcome.await.unwrap_or(MergeOutcome::Unavailable),
            // Its tenant may have too many rooms open: the device sends it again.
            Err(_not_opened) => MergeOutcome::Unavailable,
        };
        if let Some(ledger) = task_epoch.ledgers.now_open(tenant.id()) {
            ledger.merged(merge, outcome).await;
        }
    });
}

/// Tells whoever follows the document of an entity that this was deleted, and closes the room, if it is open. Nobody opens it again
/// meanwhile.
pub(super) fn close(epoch: &Arc<Epoch>, tenant: &Tenant, key: &EntityKey) {
    let room = room_key(tenant, key);
    let at = epoch.clock.now().wall;
    let gone = Gone { name: room.name.clone(), document: None, at, by: None };
    epoch.changes.tell(tenant.id(), News::Deleted(gone));
    let Some(inbox) = epoch.registry.inbox(&room) else { return };
    epoch.tasks.spawn(async move {
        // It may have ended by itself.
        drop(inbox.send(ToRoom::Deleted).await);
    });
}
