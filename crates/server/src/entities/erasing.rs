//! Has no file hold what was erased.
//!
//! An erasure is durable at once, and nobody reads any more what was erased. But engines keep pages that nothing refers to until
//! their files are rewritten, and documents that have lost their name are there for rooms that are just closing. So a marker goes
//! with the erasure, and the next start, or `syncline vacuum`, does the rest while nobody else has the store.

use std::sync::Arc;

use syncline_core::{entity::Epoch, id::TenantId, limits::DELETE_BATCH_MAX, log::LogEntry};
use syncline_protocol::ledger::{Ledger, Renaming, Write, audit::AuditIndex, room_of};
use syncline_store::{
    Batch, CommitError, ReadError, RecordTooLong, Store, VacuumError, Vacuumed,
    records::{
        self, RecordError, RenameError, Renamed,
        ledger::{LedgerReadError, LedgerShelf},
    },
};

use super::{
    history::AuditError,
    kept::{Kept, KeptError},
    sweep::{Portion, Unswept, erased_values},
};

/// Why files may still hold what was erased. It is tried again at the next start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasureError {
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What the store keeps is no ledger.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The audit cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Pages of the ledger cannot be read.
    #[error(transparent)]
    Pages(#[from] LedgerReadError),
    /// Pages of the ledger cannot be put together.
    #[error(transparent)]
    TooLong(#[from] RecordTooLong),
    /// The names of rooms cannot be read.
    #[error(transparent)]
    Names(#[from] RecordError),
    /// Documents cannot be read, which may name a user.
    #[error(transparent)]
    Rename(#[from] RenameError),
    /// The store does not take a removal.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The files cannot be rewritten.
    #[error(transparent)]
    Vacuum(#[from] VacuumError),
}

/// Adds to a batch what goes with the erasures in it: their documents lose their names, and files are to be rewritten. Nothing
/// that a room stores may come behind it.
pub(super) fn mark(batch: &mut Batch, tenant: TenantId, ledger: &Ledger, writes: &[Write]) {
    for write in writes {
        match write {
            Write::UserErased(..) => records::put_erased(batch, tenant),
            Write::Erased(key, _) => {
                records::put_erased(batch, tenant);
                if ledger.is_document(key) {
                    records::clear_name(batch, tenant, &room_of(key));
                }
            }
            _ => {}
        }
    }
}

/// Removes what was erased from all that a store has, and rewrites its files, if anything was erased since that was done last.
/// Nobody else may use the store.
///
/// # Errors
/// [`ErasureError`]: the files may still hold what was erased. Called again it goes on.
pub fn finish_erasures(store: &mut dyn Store) -> Result<Option<Vacuumed>, ErasureError> {
    let tenants = records::erased_tenants(store)?;
    if tenants.is_empty() {
        return Ok(None);
    }
    tenants.iter().try_for_each(|tenant| remove(store, *tenant))?;
    let vacuumed = store.vacuum()?;
    let mut batch = Batch::new();
    tenants.iter().for_each(|tenant| records::clear_erased(&mut batch, *tenant));
    store.commit(batch)?;
    Ok(Some(vacuumed))
}

/// Removes what was erased of a tenant.
fn remove(store: &mut dyn Store, tenant: TenantId) -> Result<(), ErasureError> {
    let kept = Kept::read(store, tenant)?;
    let epoch = kept.epoch().unwrap_or(Epoch(1));
    let (ledger, mut shelf) = kept.load(Vec::new(), epoch)?;
    let unswept = Unswept::of(&ledger);
    let mut after = unswept.end().map(|_| AuditIndex(0));
    while let Some(from) = after {
        let Portion { batch, through, is_last } = erased_values(store, tenant, from, &unswept)?;
        store.commit(batch)?;
        after = (!is_last).then_some(AuditIndex(through));
    }
    for document in records::unnamed_documents(store, tenant)? {
        loop {
            let batch = records::document_records(store, tenant, document, DELETE_BATCH_MAX)?;
            if batch.is_empty() {
                break;
            }
            store.commit(batch)?;
        }
    }
    rename(store, tenant, &ledger, &mut shelf)?;
    // Pages hold what was replaced until they are rewritten.
    for pages in shelf.all() {
        let pages = pages.read(store)?;
        let mut batch = Batch::new();
        shelf.put(&mut batch, [], &pages)?;
        store.commit(batch)?;
    }
    Ok(())
}

/// Has documents call users who were erased by other names, and then forgets the ones that they had.
fn rename(
    store: &mut dyn Store,
    tenant: TenantId,
    ledger: &Ledger,
    shelf: &mut LedgerShelf,
) -> Result<(), ErasureError> {
    let renamings = ledger.renamings();
    if renamings.is_empty() {
        return Ok(());
    }
    let names: Vec<(&Renaming, Arc<str>)> =
        renamings.iter().map(|(number, renaming)| (renaming, number.erased_name().as_str().into())).collect();
    let called = |entry: &LogEntry| {
        let user = entry.author.user.as_deref()?;
        // Whoever has the name since then is somebody new.
        let is_theirs = |renaming: &Renaming| renaming.user.as_str() == user && entry.at <= renaming.at;
        names.iter().find(|(renaming, _)| is_theirs(renaming)).map(|(_, name)| Arc::clone(name))
    };
    let mut from = None;
    loop {
        let Renamed { batch, next } = records::rename_authors(store, tenant, from, &called)?;
        store.commit(batch)?;
        from = next;
        if from.is_none() {
            break;
        }
    }
    let gone: Vec<_> =
        renamings.keys().map(|number| Write::Renaming(*number, None).to_stored().name).collect();
    let mut batch = Batch::new();
    shelf.put(&mut batch, gone.iter().map(|name| (&name[..], None)), &[])?;
    store.commit(batch)?;
    Ok(())
}
