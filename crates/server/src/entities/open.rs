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
use crate::{epoch::Epoch, limits::LEDGER_INBOX_MAX, shared::ONLY_TENANT, storage::StoreDown};

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

/// Loads the ledger and starts its task, which belongs to the epoch.
pub(crate) async fn open(
    epoch: &Arc<Epoch>,
    types: Vec<EntityType>,
    handlers: &Arc<Handlers>,
    retention: Retention,
) -> Result<(), OpenError> {
    let mut kept = epoch.storage.read(|store| Kept::read(store, ONLY_TENANT)).await??;
    let own = own_of(epoch, &mut kept).await?;
    let (machine, shelf) = kept.load(types, own.epoch)?;
    let machine = machine.with_settings(Settings { handled: handlers.own(), ..Settings::default() });
    let (sender, inbox) = mpsc::channel(LEDGER_INBOX_MAX);
    let salt = random().map_err(OpenError::Random)?;
    let task = LedgerTask::new(Arc::clone(epoch), machine, shelf, inbox, salt, Arc::clone(handlers));
    let (moved, durable, documents, keys) = (task.moved(), task.durable(), task.documents(), task.keys());
    let handle = LedgerHandle::new(sender, own.key, own.epoch, moved, durable, documents, keys);
    epoch.set_ledger(handle.clone());
    epoch.ledger_tasks.spawn(task.run());
    epoch.tasks.spawn(sweep::run(Arc::clone(epoch), handle, retention));
    Ok(())
}

/// What the server itself keeps beside the ledger.
struct Own {
    key: Secret,
    epoch: LogEpoch,
}

/// Returns what the server keeps; makes it first if this is a new data folder.
async fn own_of(epoch: &Epoch, kept: &mut Kept) -> Result<Own, OpenError> {
    let (key, log) = (kept.key(), kept.epoch());
    if let (Some(key), Some(epoch)) = (key, log) {
        return Ok(Own { key, epoch });
    }
    let key = key.map_or_else(random, Ok).map_err(OpenError::Random)?;
    let log = log.unwrap_or(LogEpoch(1));
    let mut batch = Batch::new();
    kept.put_own(&mut batch, KEY, &key);
    kept.put_own(&mut batch, EPOCH, &log.0.to_be_bytes());
    epoch.storage.commit(batch).await?;
    Ok(Own { key, epoch: log })
}
