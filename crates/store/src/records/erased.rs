//! That something was erased, and what of documents is then to go, too.
//!
//! Engines may keep what was deleted in their files until they are rewritten. So the batch that erases something leaves a marker,
//! and whoever opens the store next removes what nobody can reach any more, rewrites the files, and then removes the marker.

use std::collections::BTreeSet;

use syncline_core::id::{DocumentId, TenantId};

use super::{RecordError, names};
use crate::{
    batch::Batch,
    envelope,
    key::{Key, Kind, Place, document_prefix, tenant_prefix},
    port::{ReadError, Store},
    walk::Walk,
};

/// Names that are read at once.
const NAMES_PAGE: usize = 512;

/// The records that documents have.
const KINDS: [Kind; 10] = [
    Kind::Snapshot,
    Kind::Log,
    Kind::Loading,
    Kind::FailedLoads,
    Kind::Edited,
    Kind::HistoryPage,
    Kind::HistoryBase,
    Kind::Version,
    Kind::Branch,
    Kind::Hook,
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
            let document = match key.place() {
                Some(Place::Record(slot)) => slot.document,
                Some(Place::Hook { id, .. }) => id.document,
                _ => {
                    from = key.successor().as_bytes().to_vec();
                    continue;
                }
            };
            if !named.contains(&document) {
                unnamed.insert(document);
            }
            // No place of the document is as great, so what comes behind this is another one's.
            from = document_prefix(kind, tenant, document);
            from.extend_from_slice(&[u8::MAX; 12]);
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
        hook::{HookEvent, HookMark, HookMarkId, HookName},
        id::{CommitNumber, ConnectionId, RoomName, TenantName},
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
        put_mark(&mut batch, tenant, document, HookEvent::Changed);
        store.commit(batch).expect("stored");
        document
    }

    fn put_mark(batch: &mut Batch, tenant: TenantId, document: DocumentId, event: HookEvent) {
        let id = HookMarkId { tenant, document, commit: CommitNumber(3), event };
        let name = RoomName::new("of the document").expect("a name");
        let mark = HookMark { id, name, at: WallMs(5), attempts: 0, dead: None };
        records::put_mark(batch, &HookName::new("search").expect("a name"), &mark);
    }

    /// What a hook is to be told of a document goes with it, also if it is all that is left; not that it was deleted.
    #[test]
    fn nothing_is_told_of_what_is_gone_but_that_it_is() {
        let mut store = MemoryStore::new();
        let mut batch = Batch::new();
        records::put_tenant(&mut batch, TENANT, &TenantName::new("three").expect("a name"));
        for event in HookEvent::ALL {
            put_mark(&mut batch, TENANT, DocumentId([2; 16]), event);
        }
        store.commit(batch).expect("stored");
        let unnamed = unnamed_documents(&store, TENANT).expect("read");
        assert_eq!(unnamed, [DocumentId([2; 16])].into());
        let gone = document_records(&store, TENANT, DocumentId([2; 16]), 9).expect("read");
        store.commit(gone).expect("stored");
        let left = |of| records::marks(&store, of, None, 9).expect("read").marks.len();
        assert_eq!((left(records::MarksOf::Alive), left(records::MarksOf::Ended)), (0, 1));
        assert_eq!(verify(&store).expect("read").faults, []);
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
