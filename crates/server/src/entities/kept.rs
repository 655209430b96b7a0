//! What a store keeps of a ledger, and beside it: read at once, and written a batch at a time. A server does so through the
//! store's thread, a command on the store itself.

use bytes::Bytes;
use syncline_core::{
    entity::{EntityType, Epoch},
    id::TenantId,
};
use syncline_protocol::ledger::{
    Ledger, LedgerLoadError, Write,
    stored::{AUDIT, EVENT, Stored, StoredError, is_history},
};
use syncline_store::{
    Batch, RecordTooLong, Store,
    records::ledger::{LedgerReadError, LedgerShelf, WornPage, put_history},
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
    own: Vec<(Bytes, Bytes)>,
    things: Vec<(Bytes, Bytes)>,
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
    /// What is stored does not make a ledger, or does not go together with the types that are given.
    #[error("the entities cannot be loaded")]
    Load(#[from] LedgerLoadError),
}

impl Kept {
    /// Reads what is kept of the ledger of a tenant.
    pub(super) fn read(store: &dyn Store, tenant: TenantId) -> Result<Self, KeptError> {
        let (mut own, mut things) = (Vec::new(), Vec::new());
        let shelf = LedgerShelf::load(store, tenant, |name, bytes| {
            let kept = if name.first() == Some(&OWN) { &mut own } else { &mut things };
            kept.push((name, bytes));
        })?;
        Ok(Self { shelf, own, things })
    }

    /// Puts something of the server's own, a few bytes.
    pub(super) fn put_own(&mut self, batch: &mut Batch, name: [u8; 2], bytes: &[u8]) {
        self.shelf.put(batch, [(&name[..], Some(bytes))], &[]).expect("a few bytes fit into a value");
    }

    /// Makes the ledger of it.
    pub(super) fn load(
        self,
        types: Vec<EntityType>,
        epoch: Epoch,
    ) -> Result<(Ledger, LedgerShelf), KeptError> {
        // One by one, as what was read takes up several times as much.
        let mut odd = None;
        let mut things = self.things.into_iter();
        let writes = std::iter::from_fn(|| {
            let (name, bytes) = things.next()?;
            Write::from_stored(&name, &bytes).map_err(|error| odd = Some(error)).ok()
        });
        let loaded = Ledger::load(types, epoch, writes);
        match odd {
            Some(error) => Err(error.into()),
            None => Ok((loaded?, self.shelf)),
        }
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
        self.own.iter().find(|(stored, _)| stored[..] == name).map(|(_, bytes)| &bytes[..])
    }
}

/// Returns the batch of the store that a commit of the ledger is: a page of things, with what counts of `worn` pages, and a page
/// of each kind of history.
pub(super) fn batch_of(
    shelf: &mut LedgerShelf,
    tenant: TenantId,
    writes: &[Write],
    worn: &[WornPage],
) -> Result<Batch, RecordTooLong> {
    let stored: Vec<Stored> = writes.iter().map(Write::to_stored).collect();
    let (told, things): (Vec<_>, Vec<_>) = stored.iter().partition(|stored| is_history(&stored.name));
    let mut batch = Batch::new();
    shelf.put(&mut batch, things.iter().map(|thing| (&thing.name[..], thing.bytes.as_deref())), worn)?;
    // What lies beside an entry of the audit is in the page of the entry.
    let (events, audit): (Vec<_>, Vec<_>) =
        told.into_iter().partition(|told| told.name.first() == Some(&EVENT));
    for (tag, things) in [(AUDIT, audit), (EVENT, events)] {
        if let Some(last) = things.iter().rev().find(|thing| thing.name.first() == Some(&tag)) {
            let things = things.iter().filter_map(|thing| Some((&thing.name[..], thing.bytes.as_deref()?)));
            put_history(&mut batch, tenant, &last.name, things)?;
        }
    }
    Ok(batch)
}

pub(super) fn random() -> Result<Secret, getrandom::Error> {
    let mut made = Secret::default();
    getrandom::fill(&mut made)?;
    Ok(made)
}
