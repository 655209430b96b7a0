//! What a store keeps of a ledger, and beside it: read at once, and written a batch at a time. A server does so through the
//! store's thread, a command on the store itself.

use std::ops::ControlFlow;

use bytes::Bytes;
use syncline_core::{
    entity::{EntityType, Epoch},
    id::TenantId,
};
use syncline_protocol::ledger::{
    Ledger, LedgerLoadError, Write,
    stored::{StoredError, is_history},
};
use syncline_store::{
    Batch, RecordTooLong, Store,
    records::ledger::{LedgerReadError, LedgerShelf},
};

/// What names of the server's own begin with, among those of the ledger.
const OWN: u8 = 0;
/// The key that cursors are signed with: 32 bytes.
pub(super) const KEY: [u8; 2] = [OWN, 1];
/// The life of the log: a u64, big-endian.
pub(super) const EPOCH: [u8; 2] = [OWN, 2];

/// A key that nobody else knows.
pub(crate) type Secret = [u8; 32];

/// What is kept, but for history.
pub(super) struct Kept {
    shelf: LedgerShelf,
    own: Vec<(Vec<u8>, Bytes)>,
    things: Vec<(Vec<u8>, Bytes)>,
}

/// Why what is kept is no ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// The store cannot be read, or holds something that was not written.
    #[error(transparent)]
    Read(#[from] LedgerReadError),
    /// What the store keeps is not what a ledger writes.
    #[error("what is stored of the entities cannot be read; a newer version may have written it")]
    Stored(#[from] StoredError),
    /// What is stored does not make a ledger.
    #[error("what is stored of the entities is not whole; restore the data folder from a backup")]
    Load(#[from] LedgerLoadError),
}

impl Kept {
    /// Reads what is kept of the ledger of a tenant.
    pub(super) fn read(store: &dyn Store, tenant: TenantId) -> Result<Self, KeptError> {
        let mut read: Vec<(Vec<u8>, Bytes)> = Vec::new();
        let shelf = LedgerShelf::load(store, tenant, |name, bytes| {
            if is_history(name) {
                return ControlFlow::Break(());
            }
            read.push((name.to_vec(), bytes));
            ControlFlow::Continue(())
        })?;
        let (own, things) = read.into_iter().partition(|(name, _)| name.first() == Some(&OWN));
        Ok(Self { shelf, own, things })
    }

    /// Puts something of the server's own, a few bytes.
    pub(super) fn put_own(&mut self, batch: &mut Batch, name: [u8; 2], bytes: &[u8]) {
        self.shelf.put(batch, &name, bytes).expect("a few bytes fit into a value");
    }

    /// Makes the ledger of it.
    pub(super) fn load(
        self,
        types: Vec<EntityType>,
        epoch: Epoch,
    ) -> Result<(Ledger, LedgerShelf), KeptError> {
        let writes = self.things.iter().map(|(name, bytes)| Write::from_stored(name, bytes));
        let writes = writes.collect::<Result<Vec<_>, _>>()?;
        Ok((Ledger::load(types, epoch, writes)?, self.shelf))
    }

    /// Returns the key that cursors are signed with, if a server has made it.
    pub(super) fn key(&self) -> Option<Secret> {
        self.own(KEY)?.try_into().ok()
    }

    /// Returns the life of the log, if a server has begun it.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.own(EPOCH)?.try_into().ok().map(u64::from_be_bytes).map(Epoch)
    }

    fn own(&self, name: [u8; 2]) -> Option<&[u8]> {
        self.own.iter().find(|(stored, _)| *stored == name).map(|(_, bytes)| &bytes[..])
    }
}

/// Returns the batch of the store that a commit of the ledger is.
pub(super) fn batch_of(shelf: &mut LedgerShelf, writes: &[Write]) -> Result<Batch, RecordTooLong> {
    let mut batch = Batch::new();
    for write in writes {
        let stored = write.to_stored();
        match &stored.bytes {
            Some(bytes) if write.is_first() => shelf.put_new(&mut batch, &stored.name, bytes)?,
            Some(bytes) => shelf.put(&mut batch, &stored.name, bytes)?,
            None => shelf.delete(&mut batch, &stored.name),
        }
    }
    Ok(batch)
}

pub(super) fn random() -> Result<Secret, getrandom::Error> {
    let mut made = Secret::default();
    getrandom::fill(&mut made)?;
    Ok(made)
}
