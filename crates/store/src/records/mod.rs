//! Records: what the keys and values of a store mean.
//!
//! Everything here builds a batch or decodes what a store returns; it decides nothing about documents. No bytes make
//! it panic, and lengths are checked before anything is allocated by them.

mod authors;
mod branch;
mod changes;
mod cover;
mod erased;
mod former;
mod history;
mod hook;
pub mod ledger;
mod load;
mod payload;
mod revocation;
mod summary;
mod tenants;

#[cfg(test)]
mod tests;

use syncline_core::{
    id::{DocumentId, RoomName, TenantId},
    limits::BATCH_BYTES_MAX,
    log::{Engine, LogRecord, Snapshot},
};

pub(crate) use self::branch::decode_branch;
pub(crate) use self::former::decode_former;
pub(crate) use self::history::{decode_page, decode_version};
pub(crate) use self::hook::decode_mark;
pub(crate) use self::payload::{decode_count, decode_log, decode_named, decode_revocation, decode_time};
pub(crate) use self::tenants::decode as decode_tenant;
pub use self::{
    authors::{RenameError, RenameFrom, Renamed, rename_authors},
    branch::{Branch, branch, branches, put_branch},
    cover::{DocumentSizes, covered, document_sizes},
    erased::{clear_erased, document_records, erased_tenants, is_erased, put_erased, unnamed_documents},
    former::{former, put_former},
    history::{
        HistoryPage, Version, all_history, base_batches, dropped_history, history_base, history_batches,
        history_page, stale_history, version, version_batches, version_numbers, version_records,
    },
    hook::{Marks, MarksOf, clear_mark, marks, put_mark},
    load::{Corruption, LoadError, Loaded, load, log_behind, newest_snapshot},
    revocation::{clear_revocation, put_revocation, revocations},
    summary::{Summary, edited, put_edited, summary},
    tenants::{Tenants, put_tenant},
};
use crate::{
    batch::Batch,
    envelope::{self, RecordFault, RecordTooLong},
    key::{Key, Kind, Place, Slot, names_prefix},
    port::{ReadError, Store},
    walk::Walk,
};

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The document.
    pub document: DocumentId,
    /// What kind of document it is.
    pub engine: Engine,
}

/// Puts `name` to mean `document`, a Yjs document, from now on.
pub fn put_name(batch: &mut Batch, tenant: TenantId, name: &RoomName, document: DocumentId) {
    put_named(batch, tenant, name, Named { document, engine: Engine::Yjs });
}

/// Puts `name` to mean a document from now on.
pub fn put_named(batch: &mut Batch, tenant: TenantId, name: &RoomName, named: Named) {
    let key = Key::name(tenant, name);
    let value = envelope::seal_one(&key, &payload::encode_named(named));
    batch.put(key, value);
}

/// Has `name` mean no document any more. What is stored of the document stays.
pub fn clear_name(batch: &mut Batch, tenant: TenantId, name: &RoomName) {
    batch.delete(Key::name(tenant, name));
}

/// Puts one commit of a document. Its number must not be in the log yet.
///
/// # Errors
/// [`RecordTooLong`] if the entries do not fit into one record; nothing is put then.
pub fn put_log(
    batch: &mut Batch,
    tenant: TenantId,
    document: DocumentId,
    record: &LogRecord,
) -> Result<(), RecordTooLong> {
    debug_assert!(!record.entries.is_empty(), "a commit has updates");
    let slot = Slot { kind: Kind::Log, tenant, document, number: record.number, chunk: 0 };
    for (key, value) in
        envelope::seal(|chunk| Key::record(Slot { chunk, ..slot }), &payload::encode_log(&record.entries)?)?
    {
        batch.put_new(key, value);
    }
    Ok(())
}

/// Puts a document's state. Older snapshots, and the commits that it covers, stay until [`covered`] deletes them.
///
/// # Errors
/// [`RecordTooLong`] if the state does not fit into one record; nothing is put then.
pub fn put_snapshot(
    batch: &mut Batch,
    tenant: TenantId,
    document: DocumentId,
    snapshot: &Snapshot,
) -> Result<(), RecordTooLong> {
    for (key, value) in seal_snapshot(tenant, document, snapshot)? {
        batch.put(key, value);
    }
    Ok(())
}

/// Returns what [`put_snapshot`] puts, in batches of about [`BATCH_BYTES_MAX`] to commit one after the other, so that
/// a large snapshot does not hold up the commits of other documents. The last one makes it count.
///
/// There must be no snapshot of that number yet: between two of the batches it would be neither the old nor the new.
///
/// # Errors
/// [`RecordTooLong`] if the state does not fit into one record.
pub fn snapshot_batches(
    tenant: TenantId,
    document: DocumentId,
    snapshot: &Snapshot,
) -> Result<Vec<Batch>, RecordTooLong> {
    let mut batches = vec![Batch::new()];
    for (key, value) in seal_snapshot(tenant, document, snapshot)? {
        if batches.last().is_some_and(|batch| batch.bytes() >= BATCH_BYTES_MAX) {
            batches.push(Batch::new());
        }
        if let Some(batch) = batches.last_mut() {
            batch.put(key, value);
        }
    }
    Ok(batches)
}

/// Puts the marker that a load of the document has begun. Found at start-up it means that the load ended the process.
pub fn put_loading(batch: &mut Batch, tenant: TenantId, document: DocumentId) {
    let key = Key::loading(tenant, document);
    let value = envelope::seal_one(&key, &[]);
    batch.put(key, value);
}

/// Removes the marker that a load of the document has begun.
pub fn clear_loading(batch: &mut Batch, tenant: TenantId, document: DocumentId) {
    batch.delete(Key::loading(tenant, document));
}

/// Puts how many loads of the document failed in a row; 0 removes the record.
pub fn put_failed_loads(batch: &mut Batch, tenant: TenantId, document: DocumentId, failed_loads: u32) {
    let key = Key::failed_loads(tenant, document);
    if failed_loads == 0 {
        batch.delete(key);
    } else {
        let value = envelope::seal_one(&key, &failed_loads.to_be_bytes());
        batch.put(key, value);
    }
}

/// Returns which document `name` means.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or the record is damaged.
pub fn name(store: &dyn Store, tenant: TenantId, name: &RoomName) -> Result<Option<DocumentId>, RecordError> {
    Ok(named(store, tenant, name)?.map(|named| named.document))
}

/// Returns which document `name` means, and of what kind that is.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or the record is damaged.
pub fn named(store: &dyn Store, tenant: TenantId, name: &RoomName) -> Result<Option<Named>, RecordError> {
    let key = Key::name(tenant, name);
    read_one(store, key, decode_named)
}

/// Returns the names of `tenant` that begin with `prefix` and come after `after`, in byte order, at most `limit`.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or a record is damaged.
pub fn names(
    store: &dyn Store,
    tenant: TenantId,
    prefix: &str,
    after: Option<&RoomName>,
    limit: usize,
) -> Result<Vec<(RoomName, DocumentId)>, RecordError> {
    let found = names_with_kinds(store, tenant, prefix, after, limit)?;
    found.into_iter().map(|(name, named)| Ok((name, named?.document))).collect()
}

/// A name, and what it means, unless the record that says so is damaged.
pub type FoundName = (RoomName, Result<Named, RecordError>);

/// Returns the same as [`names`] with the kind of each document, and with the names of which nobody knows what they mean.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or holds a key that is none.
pub fn names_with_kinds(
    store: &dyn Store,
    tenant: TenantId,
    prefix: &str,
    after: Option<&RoomName>,
    limit: usize,
) -> Result<Vec<FoundName>, RecordError> {
    let mut key_prefix = names_prefix(tenant);
    key_prefix.extend_from_slice(prefix.as_bytes());
    let from = after.map(|name| Key::name(tenant, name).successor());
    let from = from.as_ref().map_or(&[][..], Key::as_bytes);
    let found = store.scan(&key_prefix, from, limit)?;
    found
        .into_iter()
        .map(|(key, value)| {
            let Some(Place::Name { name, .. }) = key.place() else {
                return Err(damaged(key, RecordFault::Malformed { what: "room name" }));
            };
            let named = envelope::open_one(&key, &value).and_then(decode_named);
            Ok((name, named.map_err(|fault| damaged(key, fault))))
        })
        .collect()
}

/// Returns the documents whose load began and did not end.
///
/// # Errors
/// [`ReadError`] if the store cannot be read. A damaged marker is a marker.
pub fn loading_documents(store: &dyn Store) -> Result<Vec<(TenantId, DocumentId)>, ReadError> {
    let mut documents = Vec::new();
    for found in Walk::new(store, vec![Kind::Loading as u8]) {
        if let Some(Place::Record(slot)) = found?.0.place() {
            documents.push((slot.tenant, slot.document));
        }
    }
    Ok(documents)
}

/// Returns how many loads of the document failed in a row.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or the record is damaged.
pub fn failed_loads(store: &dyn Store, tenant: TenantId, document: DocumentId) -> Result<u32, RecordError> {
    Ok(read_one(store, Key::failed_loads(tenant, document), decode_count)?.unwrap_or(0))
}

/// Why a small record was not read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The record's bytes are not those that were written.
    #[error("the record {key:?} is damaged; stop the server and restore the data folder from a backup")]
    Damaged {
        /// Its key.
        key: Key,
        /// What is wrong with it.
        source: RecordFault,
    },
}

fn seal_snapshot(
    tenant: TenantId,
    document: DocumentId,
    snapshot: &Snapshot,
) -> Result<Vec<(Key, crate::batch::Value)>, RecordTooLong> {
    let slot = Slot { kind: Kind::Snapshot, tenant, document, number: snapshot.number, chunk: 0 };
    envelope::seal(|chunk| Key::record(Slot { chunk, ..slot }), &snapshot.state)
}

fn read_one<T>(
    store: &dyn Store,
    key: Key,
    decode: impl FnOnce(&[u8]) -> Result<T, RecordFault>,
) -> Result<Option<T>, RecordError> {
    let Some(value) = store.get(&key)? else { return Ok(None) };
    envelope::open_one(&key, &value).and_then(decode).map(Some).map_err(|fault| damaged(key, fault))
}

fn damaged(key: Key, source: RecordFault) -> RecordError {
    RecordError::Damaged { key, source }
}
