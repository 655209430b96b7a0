//! Deletes documents that are no entities.
//!
//! One batch takes the name from the document, notes who has written in it, and marks that files are to be rewritten: from then on
//! nobody finds it, and what its editors still have is not taken in under the name. What is stored of it is removed behind that,
//! a portion at a time. Whatever is left of a document that no name means when the server stops, and what was written beside it by
//! a fold that was under way, the next start removes before it rewrites the files ([`finish_erasures`](crate::finish_erasures)).

use std::sync::Arc;

use syncline_core::{
    doc::YjsDocument,
    id::{DocumentId, RoomName, TenantId},
    limits::DELETE_BATCH_MAX,
    log::{Author, Engine, Former},
};
use syncline_protocol::ledger::entity_of;
use syncline_store::{
    Batch, CommitError, RecordTooLong, Store,
    records::{self, Named, RecordError},
};

use crate::{
    changes::{Gone, News},
    compaction::{GivenUp, still_running},
    entities::{ErasureError, OfflineError, OfflineLedger, finish_erasures},
    epoch::Epoch,
    loader::{self, OpenError},
    registry::RoomKey,
};

/// What became of a document that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It is there no more, durably.
    Deleted,
    /// It is not the revision that was to be deleted.
    Changed,
    /// The name means another document, or none.
    Absent,
}

/// Returns what deletes the document of a name. Nothing that a room stores of it may come behind.
pub(crate) fn batch_of(tenant: TenantId, name: &RoomName, former: &Former) -> Result<Batch, RecordTooLong> {
    let mut batch = Batch::new();
    records::clear_name(&mut batch, tenant, name);
    records::put_former(&mut batch, tenant, name, former)?;
    records::put_erased(&mut batch, tenant);
    Ok(batch)
}

/// Tells the list of rooms and whoever follows a document that it was deleted, and has what is stored of it removed.
pub(crate) fn deleted(epoch: &Arc<Epoch>, key: &RoomKey, document: DocumentId, by: Option<Author>) {
    let tenant = key.tenant.id();
    epoch.directories.of(tenant).deleted(&key.name);
    let at = epoch.clock.now().wall;
    let gone = Gone { name: key.name.clone(), document: Some(document), at, by };
    epoch.changes.tell(tenant, News::Deleted(gone));
    let task_epoch = Arc::clone(epoch);
    epoch.tasks.spawn(async move {
        match remove(&task_epoch, tenant, document).await {
            Ok(()) | Err(GivenUp::Stopped) => {}
            Err(error) => {
                tracing::warn!(%document, %error, "a deleted document is removed by the next start")
            }
        }
    });
}

/// Deletes a document that cannot be loaded any more, so that no room is asked. Returns whether it is such a one.
pub(crate) async fn delete_unreadable(
    epoch: &Arc<Epoch>,
    key: &RoomKey,
    document: DocumentId,
    by: Author,
) -> Result<bool, OpenError> {
    let tenant = key.tenant.id();
    if !loader::is_given_up(&epoch.storage, tenant, document).await? {
        return Ok(false);
    }
    // Nobody can tell who has written in it.
    let mut batch = batch_of(tenant, &key.name, &Former::Everyone).expect("a byte fits into a record");
    let end = epoch.hooks.end_of(key, document, epoch.clock.now().wall);
    epoch.hooks.put(&mut batch, &end);
    key.tenant.commit(&epoch.storage, batch).await?;
    epoch.hooks.tell(end);
    deleted(epoch, key, document, Some(by));
    Ok(true)
}

/// Removes all records of a document. No fold of it is under way meanwhile.
async fn remove(epoch: &Epoch, tenant: TenantId, document: DocumentId) -> Result<(), GivenUp> {
    let _turn = tokio::select! {
        biased;
        () = epoch.drain.cancelled() => return Err(GivenUp::Stopped),
        turn = epoch.compactions.acquire() => turn.expect("the semaphore is never closed"),
    };
    loop {
        still_running(epoch)?;
        let find =
            move |store: &dyn Store| records::document_records(store, tenant, document, DELETE_BATCH_MAX);
        let batch = epoch.storage.read(find).await??;
        if batch.is_empty() {
            return Ok(());
        }
        epoch.storage.commit(batch).await?;
    }
}

/// Why a document of a data folder was not deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// No document has this name.
    #[error("there is no room {:?}", .0.as_str())]
    NoDocument(RoomName),
    /// It is an entity, with a record and an audit.
    #[error("{0} is the document of an entity; `syncline entities erase {0}` erases both")]
    Entity(RoomName),
    /// A record is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The entities of the tenant cannot be loaded.
    #[error(transparent)]
    Entities(#[from] OfflineError),
    /// Too many clients have written in it.
    #[error(transparent)]
    TooLong(#[from] RecordTooLong),
    /// The store does not take the change.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// It is deleted, and files may still hold it until the next start.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
}

/// Deletes a document from a store that nobody else uses, and rewrites its files, so that none of them holds it.
///
/// # Errors
/// [`DeleteError`]; but for [`DeleteError::Erasure`] the document is as it was.
pub fn delete_document(store: &mut dyn Store, tenant: TenantId, name: &RoomName) -> Result<(), DeleteError> {
    let named = records::named(store, tenant, name)?;
    let named = named.ok_or_else(|| DeleteError::NoDocument(name.clone()))?;
    if let Some(key) = entity_of(name)
        && OfflineLedger::open(store, tenant)?.ledger().has_documents(&key.kind)
    {
        return Err(DeleteError::Entity(name.clone()));
    }
    let former = records::former(store, tenant, name)?.and(writers(store, tenant, named));
    store.commit(batch_of(tenant, name, &former)?)?;
    finish_erasures(store)?;
    Ok(())
}

/// Returns who has written in a document, as far as anybody can tell.
fn writers(store: &dyn Store, tenant: TenantId, Named { document, engine }: Named) -> Former {
    let clients = match engine {
        Engine::Automerge => None,
        Engine::Yjs => {
            let loaded = records::load(store, tenant, document).ok();
            let loaded =
                loaded.and_then(|loaded| YjsDocument::load(loaded.snapshot.as_ref(), &loaded.log).ok());
            loaded.map(|document| document.writers())
        }
    };
    clients.map_or(Former::Everyone, Former::Clients)
}
