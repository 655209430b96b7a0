//! The ledger as the store has it.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use syncline_core::entity::{EntityType, Epoch as LogEpoch};
use syncline_protocol::ledger::{
    Ledger, LedgerLoadError, Write,
    stored::{AUDIT, StoredError},
};
use syncline_store::{
    Batch,
    records::ledger::{LedgerReadError, LedgerShelf},
};
use tokio::sync::mpsc;

use super::{LedgerHandle, task::LedgerTask};
use crate::{epoch::Epoch, limits::LEDGER_INBOX_MAX, shared::ONLY_TENANT, storage::StoreDown};

/// What names of the server's own begin with, among those of the ledger.
const OWN: u8 = 0;
/// The key that cursors are signed with, and the life of the log: 32 bytes and a u64.
const KEY: [u8; 2] = [OWN, 1];
const EPOCH: [u8; 2] = [OWN, 2];

/// From this beginning of a name on there is history, which nobody loads: it is read where someone asks for it.
const HISTORY: u8 = AUDIT;

/// A key that nobody else knows.
pub(crate) type Secret = [u8; 32];

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
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a key: {0}")]
    Random(getrandom::Error),
}

/// Loads the ledger and starts its task, which belongs to the epoch.
pub(crate) async fn open(epoch: &Arc<Epoch>, types: Vec<EntityType>) -> Result<(), OpenError> {
    let read = epoch.storage.read(|store| {
        let mut stored: Vec<(Vec<u8>, Bytes)> = Vec::new();
        let shelf = LedgerShelf::load(store, ONLY_TENANT, |name, bytes| {
            if name.first().is_some_and(|tag| *tag >= HISTORY) {
                return ControlFlow::Break(());
            }
            stored.push((name.to_vec(), bytes));
            ControlFlow::Continue(())
        })?;
        Ok::<_, LedgerReadError>((shelf, stored))
    });
    let (mut shelf, stored) = read.await??;
    let (own, writes): (Vec<_>, Vec<_>) =
        stored.into_iter().partition(|(name, _)| name.first() == Some(&OWN));
    let own = own_of(epoch, &mut shelf, &own).await?;
    let writes = writes.iter().map(|(name, bytes)| Write::from_stored(name, bytes));
    let writes = writes.collect::<Result<Vec<_>, _>>()?;
    let machine = Ledger::load(types, own.epoch, writes)?;
    let (sender, inbox) = mpsc::channel(LEDGER_INBOX_MAX);
    let task = LedgerTask::new(Arc::clone(epoch), machine, shelf, inbox, random()?);
    epoch.set_ledger(LedgerHandle::new(sender, own.key, own.epoch, task.moved(), task.documents()));
    epoch.ledger_tasks.spawn(task.run());
    Ok(())
}

/// What the server itself keeps beside the ledger.
struct Own {
    key: Secret,
    epoch: LogEpoch,
}

/// Returns what the server keeps; makes it first if this is a new data folder.
async fn own_of(
    epoch: &Epoch,
    shelf: &mut LedgerShelf,
    stored: &[(Vec<u8>, Bytes)],
) -> Result<Own, OpenError> {
    let found =
        |name: [u8; 2]| stored.iter().find(|(stored, _)| *stored == name).map(|(_, bytes)| &bytes[..]);
    let key = found(KEY).and_then(|bytes| bytes.try_into().ok());
    let log = found(EPOCH).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    if let (Some(key), Some(log)) = (key, log) {
        return Ok(Own { key, epoch: LogEpoch(log) });
    }
    let (key, log) = (key.map_or_else(random, Ok)?, log.unwrap_or(1));
    let mut batch = Batch::new();
    for (name, bytes) in [(KEY, &key[..]), (EPOCH, &log.to_be_bytes())] {
        shelf.put(&mut batch, &name, bytes).expect("a few bytes fit into a value");
    }
    epoch.storage.commit(batch).await?;
    Ok(Own { key, epoch: LogEpoch(log) })
}

fn random() -> Result<Secret, OpenError> {
    let mut made = Secret::default();
    getrandom::fill(&mut made).map_err(OpenError::Random)?;
    Ok(made)
}
