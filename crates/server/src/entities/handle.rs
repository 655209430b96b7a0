//! How requests get to a ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use syncline_core::entity::{ActorName, Actors, EntityKey, Epoch, TypeName};
use syncline_protocol::ledger::{
    Answer, DeviceKey, Input, Ledger, LedgerCommit, MergeId, MergeOutcome, RequestId, Section,
};
use syncline_store::Batch;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use super::kept::Secret;
use crate::{access::Lease, changes::Change, limits::REVOCATIONS_MAX, tenants::Tenant};

/// Reaches the task of a ledger.
#[derive(Clone)]
pub(crate) struct LedgerHandle {
    tenant: Tenant,
    inbox: mpsc::Sender<ToLedger>,
    key: Secret,
    epoch: Epoch,
    moved: broadcast::Sender<Moved>,
    committed: watch::Receiver<LedgerCommit>,
    /// Devices that were shut out just now.
    revoked: broadcast::Sender<ActorName>,
    documents: Documents,
    keys: DeviceKeys,
    erased: Arc<Notify>,
}

/// The types whose entities are documents.
pub(super) type Documents = Arc<RwLock<BTreeSet<TypeName>>>;

/// The devices that sign their requests, with their keys, as far as that is durable.
pub(super) type DeviceKeys = Arc<RwLock<BTreeMap<ActorName, DeviceKey>>>;

/// Where records have changed, durably.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) sections: Arc<BTreeSet<Section>>,
}

/// What a ledger answers, with the names of all actors in it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) actors: Arc<Actors>,
}

/// Makes an input out of a request. It may look at the ledger for the numbers of actors.
pub(super) type MakeInput = Box<dyn FnOnce(&Ledger, RequestId) -> Input + Send>;

/// Lets out what a look has found.
pub(super) type Found = Box<dyn FnOnce() + Send>;

/// What the task is asked.
pub(super) enum ToLedger {
    /// To take something in, and to answer.
    Ask {
        /// How long whoever asks may.
        lease: Option<Arc<Lease>>,
        input: MakeInput,
        /// Dropped if they may not any more.
        answer: oneshot::Sender<Answered>,
    },
    /// To store what a room has, with its own next commit.
    Touch { touch: Touch, stored: oneshot::Sender<Stored> },
    /// To take it that an update is in no commit of its room to come.
    Merged { merge: MergeId, outcome: MergeOutcome },
    /// To have a look taken at the machine; what it finds waits for what it rests on.
    Look(Box<dyn FnOnce(&Ledger) -> Found + Send>),
    /// To take it that what had grown old by the time it was opened is removed.
    Swept,
}

/// What a room stores, and what that is to the ledger.
pub(crate) struct Touch {
    /// The entity that the document is.
    pub(crate) key: EntityKey,
    /// The updates in it that the ledger gave to the room.
    pub(crate) merges: Vec<MergeId>,
    /// Dropped once the ledger knows of them.
    pub(crate) leases: Vec<oneshot::Sender<MergeOutcome>>,
    /// Whether there is anything else in it.
    pub(crate) typed: bool,
    pub(crate) batch: Batch,
    /// What whoever follows the document is told of it.
    pub(crate) change: Option<Change>,
}

/// What became of what a room stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It is durable.
    Stored,
    /// It is not stored: the entity was deleted.
    Deleted,
}

/// The store has failed, or the server stops: nobody knows what became of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is not open")]
pub(crate) struct LedgerDown;

impl LedgerHandle {
    pub(super) fn new(
        tenant: &Tenant,
        inbox: mpsc::Sender<ToLedger>,
        (key, epoch): (Secret, Epoch),
        moved: broadcast::Sender<Moved>,
        committed: watch::Receiver<LedgerCommit>,
        documents: Documents,
        keys: DeviceKeys,
    ) -> Self {
        let revoked = broadcast::Sender::new(REVOCATIONS_MAX);
        let erased = Arc::default();
        let tenant = tenant.clone();
        Self { tenant, inbox, key, epoch, moved, committed, revoked, documents, keys, erased }
    }

    /// Returns whose it is.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Returns the key that cursors are signed with.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    /// Returns the life of the log.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Says that a device was shut out.
    pub(crate) fn tell_revoked(&self, device: ActorName) {
        // Nobody may be listening.
        drop(self.revoked.send(device));
    }

    /// Returns where it is told which devices are shut out from now on.
    pub(crate) fn revoked(&self) -> broadcast::Receiver<ActorName> {
        self.revoked.subscribe()
    }

    /// Says that something was erased.
    pub(crate) fn tell_erased(&self) {
        self.erased.notify_one();
    }

    /// Waits until something was erased since it was last waited for.
    pub(super) async fn erasing(&self) {
        self.erased.notified().await;
    }

    /// Returns where it is told what has changed from now on.
    pub(crate) fn moved(&self) -> broadcast::Receiver<Moved> {
        self.moved.subscribe()
    }

    /// Returns where the last commit is told that is durable. It is closed when the ledger ends.
    pub(crate) fn committed(&self) -> watch::Receiver<LedgerCommit> {
        self.committed.clone()
    }

    /// Returns whether the entities of a type are documents.
    pub(crate) fn has_documents(&self, kind: &TypeName) -> bool {
        self.documents.read().unwrap_or_else(PoisonError::into_inner).contains(kind)
    }

    /// Returns what a device signs its requests with, if it does.
    pub(crate) fn device_key(&self, device: &ActorName) -> Option<DeviceKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(device).copied()
    }

    /// Has the ledger store what a room has, with its own next commit.
    pub(crate) async fn touch(&self, touch: Touch) -> Result<Stored, LedgerDown> {
        let (report, reported) = oneshot::channel();
        self.inbox.send(ToLedger::Touch { touch, stored: report }).await.map_err(|_| LedgerDown)?;
        reported.await.map_err(|_| LedgerDown)
    }

    /// Says that an update is in no commit of its room to come.
    pub(super) async fn merged(&self, merge: MergeId, outcome: MergeOutcome) {
        // A ledger that has ended has forgotten it.
        drop(self.inbox.send(ToLedger::Merged { merge, outcome }).await);
    }

    /// Says that what had grown old by the time the ledger was opened is removed.
    pub(super) async fn swept(&self) {
        // A ledger that has ended has nobody to tell it.
        drop(self.inbox.send(ToLedger::Swept).await);
    }

    /// Has the ledger take in what `input` makes, and waits for the answer. If there is a lease and it is over by its
    /// turn nothing is taken in; the server needs none.
    pub(crate) async fn ask(
        &self,
        lease: Option<Arc<Lease>>,
        input: impl FnOnce(&Ledger, RequestId) -> Input + Send + 'static,
    ) -> Result<Answered, LedgerDown> {
        let (answer, answered) = oneshot::channel();
        let asked = ToLedger::Ask { lease, input: Box::new(input), answer };
        self.inbox.send(asked).await.map_err(|_| LedgerDown)?;
        answered.await.map_err(|_| LedgerDown)
    }

    /// Returns what `look` finds, once all that it saw is durable.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, LedgerDown> {
        let (report, reported) = oneshot::channel();
        let look = move |ledger: &Ledger| -> Found {
            let found = look(ledger);
            // Whoever asked may be gone.
            Box::new(move || drop(report.send(found)))
        };
        self.inbox.send(ToLedger::Look(Box::new(look))).await.map_err(|_| LedgerDown)?;
        reported.await.map_err(|_| LedgerDown)
    }
}

/// Takes in what an answer says of the keys of devices: it is durable.
pub(super) fn note_keys(keys: &DeviceKeys, answer: &Answer) {
    let changed = || keys.write().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Answer::Device { device, binding, .. } => match binding.key {
            Some(key) => _ = changed().insert(device.clone(), key),
            None => _ = changed().remove(device),
        },
        Answer::UserErased { devices, .. } => {
            let mut keys = changed();
            keys.retain(|device, _| !devices.contains(device));
        }
        _ => {}
    }
}
