//! The ledger as the store has it.

use std::sync::Arc;

use bytes::Bytes;
use syncline_core::entity::{EntityType, Epoch as LogEpoch};
use syncline_protocol::ledger::{Ledger, LedgerLoadError, Write, stored::StoredError};
use syncline_store::records::ledger::{LedgerReadError, LedgerShelf};
use tokio::sync::mpsc;

use super::{LedgerHandle, task::LedgerTask};
use crate::{epoch::Epoch, limits::LEDGER_INBOX_MAX, shared::ONLY_TENANT, storage::StoreDown};

/// Why the ledger is not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The store takes nothing in.
    #[error(transparent)]
    Down(#[from] StoreDown),
    /// What the store keeps cannot be read.
    #[error(transparent)]
    Read(#[from] LedgerReadError),
    /// What the store keeps is not what a ledger writes.
    #[error("what is stored of the entities cannot be read; a newer version may have written it")]
    Stored(#[from] StoredError),
    /// What is stored does not make a ledger.
    #[error("what is stored of the entities is not whole; restore the data folder from a backup")]
    Load(#[from] LedgerLoadError),
}

/// Loads the ledger and starts its task, which belongs to the epoch.
pub(crate) async fn open(epoch: &Arc<Epoch>, types: Vec<EntityType>) -> Result<(), OpenError> {
    let (shelf, stored) = epoch
        .storage
        .read(|store| {
            let mut stored: Vec<(Vec<u8>, Bytes)> = Vec::new();
            let shelf =
                LedgerShelf::load(store, ONLY_TENANT, |name, bytes| stored.push((name.to_vec(), bytes)))?;
            Ok::<_, LedgerReadError>((shelf, stored))
        })
        .await??;
    let writes = stored.iter().map(|(name, bytes)| Write::from_stored(name, bytes));
    let writes = writes.collect::<Result<Vec<_>, _>>()?;
    let machine = Ledger::load(types, LogEpoch(1), writes)?;
    let (sender, inbox) = mpsc::channel(LEDGER_INBOX_MAX);
    epoch.set_ledger(LedgerHandle::new(sender));
    let task = LedgerTask::new(Arc::clone(epoch), machine, shelf, inbox);
    epoch.tasks.spawn(task.run());
    Ok(())
}
