//! Has no file hold what was erased.
//!
//! An erasure is durable at once, and nobody reads any more what was erased. But engines keep pages that nothing refers to until
//! their files are rewritten, and documents that have lost their name are there for rooms that are just closing. So a marker goes
//! with the erasure, and the next start, or `syncline vacuum`, does the rest while nobody else has the store.

use std::sync::Arc;

use syncline_core::{entity::Epoch, id::TenantId, limits::DELETE_BATCH_MAX, log::Author, time::WallMs};
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

/// Completes the batch of a commit: adds what rooms `store` with it, and behind that what goes with the erasures in it. The first
/// commit of a room names its document; were it to come last, the document of an erased entity would keep its name.
pub(super) fn complete(
    batch: &mut Batch,
    tenant: TenantId,
    ledger: &Ledger,
    writes: &[Write],
    store: impl FnOnce(&mut Batch),
) {
    store(batch);
    mark(batch, tenant, ledger, writes);
}

/// Adds that documents lose their names, and that files are to be rewritten.
fn mark(batch: &mut Batch, tenant: TenantId, ledger: &Ledger, writes: &[Write]) {
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
    let called = |author: &Author, at: WallMs| {
        let user = author.user.as_deref()?;
        // Whoever has the name since then is somebody new.
        let is_theirs = |renaming: &Renaming| renaming.user.as_str() == user && at <= renaming.at;
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

#[cfg(test)]
mod tests {
    use syncline_core::{
        entity::{EntityId, EntityKey, EntityType, Policy, TypeName},
        id::DocumentId,
    };
    use syncline_protocol::ledger::Erased;
    use syncline_store::mem::MemoryStore;

    use super::*;

    const TENANT: TenantId = TenantId::DEFAULT;

    /// Goal: a room whose first commit goes into the batch that erases its entity leaves nothing that has a name.
    #[test]
    fn what_a_room_stores_is_erased_with_its_entity() {
        let kind = TypeName::new("note").expect("a name");
        let types = [EntityType::new(kind.clone(), Policy::Crdt)];
        let ledger = Ledger::load(types, Epoch(1), []).expect("nothing is stored");
        let key = EntityKey { kind, id: EntityId::new("n1").expect("an id") };
        let erased = Write::Erased(key.clone(), Erased { at: WallMs(1), through: AuditIndex(1) });
        let (name, document) = (room_of(&key), DocumentId([7; 16]));
        let mut batch = Batch::new();
        complete(&mut batch, TENANT, &ledger, &[erased], |batch| {
            records::put_edited(batch, TENANT, document, WallMs(1));
            records::put_name(batch, TENANT, &name, document);
        });
        let mut store = MemoryStore::new();
        store.commit(batch).expect("stored");
        assert_eq!(records::name(&store, TENANT, &name).expect("read"), None);
        assert_eq!(records::unnamed_documents(&store, TENANT).expect("read"), [document].into());
        finish_erasures(&mut store).expect("it works");
        assert!(store.live().is_empty(), "{:?}", store.live().keys());
    }
}
