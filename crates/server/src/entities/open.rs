//! The ledger as the store has it.

use std::sync::Arc;

use syncline_core::entity::{EntityType, Epoch as LogEpoch};
use syncline_protocol::ledger::Settings;
use syncline_store::Batch;
use tokio::sync::mpsc;

use super::{
    LedgerHandle,
    handlers::Handlers,
    kept::{EPOCH, KEY, Kept, KeptError, Secret, random},
    sweep::{self, Retention},
    task::LedgerTask,
};
use crate::{
    epoch::Epoch,
    limits::LEDGER_INBOX_MAX,
    storage::StoreDown,
    tenants::{Signals, Tenant},
};

/// Why the ledger is not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The store takes nothing in.
    #[error(transparent)]
    Down(#[from] StoreDown),
    /// What the store keeps is no ledger.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a key: {0}")]
    Random(getrandom::Error),
}

/// What all ledgers have in common.
#[derive(Debug)]
pub(crate) struct LedgerSettings {
    /// Types of entities that each has from the start.
    pub(crate) types: Vec<EntityType>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) retention: Retention,
}

/// Loads the ledger of a tenant. Its task is still to be run.
pub(crate) async fn open(
    epoch: &Arc<Epoch>,
    tenant: &Tenant,
    settings: &LedgerSettings,
    signals: &Signals,
) -> Result<(LedgerHandle, LedgerTask), OpenError> {
    let LedgerSettings { types, handlers, retention } = settings;
    let id = tenant.id();
    let mut kept = epoch.storage.read(move |store| Kept::read(store, id)).await??;
    let own = own_of(epoch, tenant, &mut kept).await?;
    let (machine, shelf) = kept.load(types.clone(), own.epoch)?;
    let machine = machine.with_settings(Settings { handled: handlers.own(), ..Settings::default() });
    let (sender, inbox) = mpsc::channel(LEDGER_INBOX_MAX);
    let salt = random().map_err(OpenError::Random)?;
    let place = (Arc::clone(epoch), tenant.clone(), signals.clone());
    let task = LedgerTask::new(place, machine, shelf, own.first, inbox, salt, Arc::clone(handlers));
    let (moved, durable, documents, keys) = (task.moved(), task.durable(), task.documents(), task.keys());
    let handle = LedgerHandle::new(tenant, sender, (own.key, own.epoch), moved, durable, documents, keys);
    epoch.tasks.spawn(sweep::run(Arc::clone(epoch), handle.clone(), *retention));
    Ok((handle, task))
}

/// What the server itself keeps beside the ledger.
struct Own {
    key: Secret,
    epoch: LogEpoch,
    /// What goes with the first commit.
    first: Batch,
}

/// Returns what the server keeps; makes it first if the ledger is a new one. Whoever only looks at a tenant stores nothing.
async fn own_of(epoch: &Epoch, tenant: &Tenant, kept: &mut Kept) -> Result<Own, OpenError> {
    let (key, log) = (kept.key(), kept.epoch());
    if let (Some(key), Some(epoch)) = (key, log) {
        return Ok(Own { key, epoch, first: Batch::new() });
    }
    let key = key.map_or_else(random, Ok).map_err(OpenError::Random)?;
    let log = log.unwrap_or(LogEpoch(1));
    let mut batch = Batch::new();
    kept.put_own(&mut batch, KEY, &key);
    kept.put_own(&mut batch, EPOCH, &log.0.to_be_bytes());
    if !tenant.is_stored() {
        return Ok(Own { key, epoch: log, first: batch });
    }
    tenant.commit(&epoch.storage, batch).await?;
    Ok(Own { key, epoch: log, first: Batch::new() })
}
