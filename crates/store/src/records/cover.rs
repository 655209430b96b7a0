//! Deletes what a snapshot covers, and sums up what is left.

use syncline_core::id::{CommitNumber, DocumentId, TenantId};

use super::load::newest_snapshot;
use crate::{
    batch::Batch,
    envelope,
    key::{Key, Kind, Place, document_prefix},
    port::{ReadError, Store},
};

/// How much of a store one document takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DocumentSizes {
    /// The newest snapshot, in bytes.
    pub snapshot_bytes: u64,
    /// Every log record there is, in bytes; those that the snapshot covers too, until they are deleted.
    pub log_bytes: u64,
    /// How many log records there are.
    pub log_records: u64,
    /// The newest commit; 0 if there is none.
    pub commits: CommitNumber,
}

/// Returns deletions of older snapshots, and of log records up to `upto`, that the newest snapshot covers: at most
/// `limit`, see [`DELETE_BATCH_MAX`](syncline_core::limits::DELETE_BATCH_MAX). The caller commits them and asks again
/// until the batch is empty. Without a snapshot it is empty at once.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn covered(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    upto: CommitNumber,
    limit: usize,
) -> Result<Batch, ReadError> {
    let mut batch = Batch::new();
    let Some(newest) = newest_snapshot(store, tenant, document)? else { return Ok(batch) };
    // Keys are deleted in order, so a head goes before its chunks, and an interrupted deletion leaves garbage, not
    // damaged records.
    let ends = [
        (Kind::Snapshot, Key::snapshot(tenant, document, newest, 0)),
        (Kind::Log, Key::log(tenant, document, upto.min(newest), u16::MAX).successor()),
    ];
    for (kind, end) in ends {
        let prefix = document_prefix(kind, tenant, document);
        let room = limit - batch.len();
        for (key, _) in store.scan(&prefix, &prefix, room)? {
            if key >= end {
                break;
            }
            batch.delete(key);
        }
    }
    Ok(batch)
}

/// Returns how much of the store a document takes, from the heads of its records.
///
/// # Errors
/// [`ReadError`] if the store cannot be read. Damaged records count as empty.
pub fn document_sizes(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
) -> Result<DocumentSizes, ReadError> {
    let mut sizes = DocumentSizes::default();
    heads(store, Kind::Snapshot, tenant, document, |number, bytes| {
        sizes.snapshot_bytes = bytes;
        sizes.commits = number;
    })?;
    heads(store, Kind::Log, tenant, document, |number, bytes| {
        sizes.log_bytes += bytes;
        sizes.log_records += 1;
        sizes.commits = sizes.commits.max(number);
    })?;
    Ok(sizes)
}

/// Visits the heads of all records of one kind, with the bytes they state, and skips the chunks of long records.
fn heads(
    store: &dyn Store,
    kind: Kind,
    tenant: TenantId,
    document: DocumentId,
    mut visit: impl FnMut(CommitNumber, u64),
) -> Result<(), ReadError> {
    const PAGE_KEYS: usize = 128;
    let prefix = document_prefix(kind, tenant, document);
    let mut from = prefix.clone();
    loop {
        let page = store.scan(&prefix, &from, PAGE_KEYS)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        from = match last.place() {
            Some(Place::Record(slot)) if slot.chunk > 0 => {
                let end = crate::key::Slot { chunk: u16::MAX, ..slot };
                Key::record(end).successor().as_bytes().to_vec()
            }
            _ => last.successor().as_bytes().to_vec(),
        };
        for (key, value) in &page {
            if let Some(Place::Record(slot)) = key.place()
                && slot.chunk == 0
            {
                let bytes = envelope::open(key, value).map_or(0, |(header, _)| header.length());
                visit(slot.number, bytes.into());
            }
        }
    }
}
