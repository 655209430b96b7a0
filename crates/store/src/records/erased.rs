//! That something was erased, and what of documents is then to go, too.
//!
//! Engines may keep what was deleted in their files until they are rewritten. So the batch that erases something leaves a marker,
//! and whoever opens the store next removes what nobody can reach any more, rewrites the files, and then removes the marker.

use std::collections::BTreeSet;

use syncline_core::id::{CommitNumber, DocumentId, TenantId};

use super::{RecordError, names};
use crate::{
    batch::Batch,
    envelope,
    key::{Key, Kind, Place, Slot, document_prefix, tenant_prefix},
    port::{ReadError, Store},
    walk::Walk,
};

/// Names that are read at once.
const NAMES_PAGE: usize = 512;

/// The records that documents have.
const KINDS: [Kind; 9] = [
    Kind::Snapshot,
    Kind::Log,
    Kind::Loading,
    Kind::FailedLoads,
    Kind::Edited,
    Kind::HistoryPage,
    Kind::HistoryBase,
    Kind::Version,
    Kind::Branch,
];

/// Puts the marker that something was erased.
pub fn put_erased(batch: &mut Batch, tenant: TenantId) {
    let key = Key::erased(tenant);
    let value = envelope::seal_one(&key, &[]);
    batch.put(key, value);
}

/// Removes the marker that something was erased: no file holds it any more.
pub fn clear_erased(batch: &mut Batch, tenant: TenantId) {
    batch.delete(Key::erased(tenant));
}

/// Returns whether something was erased that the files may still hold.
///
/// # Errors
/// [`ReadError`] if the store cannot be read. A damaged marker is a marker.
pub fn is_erased(store: &dyn Store, tenant: TenantId) -> Result<bool, ReadError> {
    Ok(store.get(&Key::erased(tenant))?.is_some())
}

/// Returns the tenants of which something was erased that the files may still hold.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn erased_tenants(store: &dyn Store) -> Result<Vec<TenantId>, ReadError> {
    let places = Walk::new(store, vec![Kind::Erased as u8]).map(|stored| Ok(stored?.0.place()));
    let places = places.collect::<Result<Vec<_>, ReadError>>()?;
    Ok(places.into_iter().flatten().map(|place| place.tenant()).collect())
}

/// Returns the documents that no name means. No room that is open may have begun one meanwhile.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or a name is damaged: then nobody knows which documents have names.
pub fn unnamed_documents(store: &dyn Store, tenant: TenantId) -> Result<BTreeSet<DocumentId>, RecordError> {
    let mut named = BTreeSet::new();
    let mut last = None;
    loop {
        let page = names(store, tenant, "", last.as_ref(), NAMES_PAGE)?;
        let is_last = page.len() < NAMES_PAGE;
        for (name, document) in page {
            named.insert(document);
            last = Some(name);
        }
        if is_last {
            break;
        }
    }
    let mut unnamed = BTreeSet::new();
    for kind in KINDS {
        let prefix = tenant_prefix(kind, tenant);
        let mut from = prefix.clone();
        while let Some((key, _)) = store.scan(&prefix, &from, 1)?.pop() {
            let Some(Place::Record(slot)) = key.place() else {
                from = key.successor().as_bytes().to_vec();
                continue;
            };
            if !named.contains(&slot.document) {
                unnamed.insert(slot.document);
            }
            let last = Slot { number: CommitNumber(u64::MAX), chunk: u16::MAX, ..slot };
            from = Key::record(last).successor().as_bytes().to_vec();
        }
    }
    Ok(unnamed)
}

/// Returns deletions of all that is stored of a document: at most `limit`. The caller commits them and asks again until the batch
/// is empty.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn document_records(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    limit: usize,
) -> Result<Batch, ReadError> {
    let mut batch = Batch::new();
    for kind in KINDS {
        let prefix = document_prefix(kind, tenant, document);
        for (key, _) in store.scan(&prefix, &prefix, limit - batch.len())? {
            batch.delete(key);
        }
        if batch.len() == limit {
            break;
        }
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use syncline_core::{
        id::{ConnectionId, RoomName, TenantName},
        log::{Author, LogEntry, LogRecord, Snapshot},
        time::WallMs,
    };

    use super::*;
    use crate::{mem::MemoryStore, records, verify::verify};

    const TENANT: TenantId = TenantId(3);

    fn put(store: &mut MemoryStore, tenant: TenantId, name: Option<&str>, document: u8) -> DocumentId {
        let document = DocumentId([document; 16]);
        let update = vec![7; 20_000].into();
        let (author, connection, origins) = (Author::default(), ConnectionId(1), None);
        let entry = LogEntry { author, connection, at: WallMs(0), update, origins };
        let mut batch = Batch::new();
        records::put_tenant(&mut batch, tenant, &TenantName::new(&tenant.to_string()).expect("a name"));
        if let Some(name) = name {
            records::put_name(&mut batch, tenant, &RoomName::new(name).expect("a name"), document);
        }
        let record = LogRecord { number: CommitNumber(3), entries: vec![entry] };
        let snapshot = Snapshot { number: CommitNumber(2), state: vec![0, 0].into() };
        records::put_log(&mut batch, tenant, document, &record).expect("it fits");
        records::put_snapshot(&mut batch, tenant, document, &snapshot).expect("it fits");
        records::put_edited(&mut batch, tenant, document, WallMs(5));
        store.commit(batch).expect("stored");
        document
    }

    /// What no name means goes, in portions, and nothing else of this or another tenant.
    #[test]
    fn documents_without_a_name_go() {
        let mut store = MemoryStore::new();
        put(&mut store, TENANT, Some("a"), 1);
        let gone = [2, 9].map(|document| put(&mut store, TENANT, None, document));
        put(&mut store, TenantId(4), None, 2);
        assert_eq!(unnamed_documents(&store, TENANT).expect("read"), gone.into());
        for document in gone {
            loop {
                let batch = document_records(&store, TENANT, document, 2).expect("read");
                assert!(batch.len() <= 2);
                if batch.is_empty() {
                    break;
                }
                store.commit(batch).expect("stored");
            }
        }
        assert_eq!(unnamed_documents(&store, TENANT).expect("read"), BTreeSet::new());
        let report = verify(&store).expect("read");
        assert_eq!((report.documents, report.unnamed_documents, &report.faults[..]), (2, 1, &[][..]));
    }

    #[test]
    fn an_erasure_is_marked() {
        let mut store = MemoryStore::new();
        let mut batch = Batch::new();
        records::put_tenant(&mut batch, TENANT, &TenantName::new("three").expect("a name"));
        put_erased(&mut batch, TENANT);
        store.commit(batch).expect("stored");
        assert!(is_erased(&store, TENANT).expect("read") && !is_erased(&store, TenantId(4)).expect("read"));
        assert_eq!(erased_tenants(&store).expect("read"), [TENANT]);
        assert_eq!(verify(&store).expect("read").faults, []);
        let mut batch = Batch::new();
        clear_erased(&mut batch, TENANT);
        store.commit(batch).expect("stored");
        assert!(!is_erased(&store, TENANT).expect("read"));
    }
}
