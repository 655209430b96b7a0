//! Loads a document: the newest snapshot and every commit after it, checked.

use bytes::Bytes;
use syncline_core::{
    id::{CommitNumber, DocumentId, TenantId},
    log::{LogRecord, Snapshot},
};

use super::{RecordError, failed_loads, payload::decode_log};
use crate::{
    assembly::{Assembly, Finished, Outcome},
    envelope::RecordFault,
    key::{Key, Kind, Place, Slot, document_prefix},
    port::{ReadError, Store},
    walk::Walk,
};

/// What a store holds of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The newest state.
    pub snapshot: Option<Snapshot>,
    /// Every commit after it, without gaps.
    pub log: Vec<LogRecord>,
    /// How many loads failed in a row.
    pub failed_loads: u32,
    /// Whether an earlier load began and did not end.
    pub loading: bool,
}

/// Why a document was not loaded.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store does not hold what was written.
    #[error(
        "document {document} of tenant {tenant} is damaged; stop the server and restore the data folder from a \
         backup (other documents are not affected)"
    )]
    Corrupt {
        /// Whose document.
        tenant: TenantId,
        /// Which document.
        document: DocumentId,
        /// What is wrong.
        source: Corruption,
    },
}

/// What is wrong with a document in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corruption {
    /// A record is damaged.
    #[error("the {kind:?} record of commit {number} is damaged")]
    Record {
        /// What the record is.
        kind: Kind,
        /// The commit that it belongs to; 0 where a document has one such record.
        number: CommitNumber,
        /// What is wrong with it.
        source: RecordFault,
    },
    /// A commit is missing.
    #[error("commit {expected} is missing: commit {found} follows")]
    Gap {
        /// The commit that should come next.
        expected: CommitNumber,
        /// The commit that does.
        found: CommitNumber,
    },
}

/// Reads everything that a store holds of a document. A document that it does not know is an empty one.
///
/// # Errors
/// [`LoadError::Read`] if the store cannot be read; [`LoadError::Corrupt`] if a record is damaged or a commit missing.
pub fn load(store: &dyn Store, tenant: TenantId, document: DocumentId) -> Result<Loaded, LoadError> {
    let corrupt = |source| LoadError::Corrupt { tenant, document, source };
    let failed_loads = failed_loads(store, tenant, document).map_err(|error| match error {
        RecordError::Read(error) => LoadError::Read(error),
        RecordError::Damaged { source, .. } => {
            corrupt(Corruption::Record { kind: Kind::FailedLoads, number: CommitNumber(0), source })
        }
    })?;
    let loading = store.get(&Key::loading(tenant, document))?.is_some();
    let snapshot = match newest_snapshot(store, tenant, document)? {
        Some(number) => Some(read_snapshot(store, tenant, document, number)?),
        None => None,
    };
    let covered = snapshot.as_ref().map_or(CommitNumber(0), |snapshot| snapshot.number);
    let log = read_log(store, tenant, document, covered)?;
    Ok(Loaded { snapshot, log, failed_loads, loading })
}

/// Returns the commit up to which the newest snapshot of a document goes, reading one key a snapshot; nothing if there is none.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn newest_snapshot(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Option<CommitNumber>, ReadError> {
    let prefix = document_prefix(Kind::Snapshot, tenant, document);
    let mut newest = None;
    let mut from = prefix.clone();
    while let Some((key, _)) = store.scan(&prefix, &from, 1)?.pop() {
        from = match key.place() {
            Some(Place::Record(slot)) => {
                if slot.chunk == 0 {
                    newest = Some(slot.number);
                }
                // The successor of the last key there can be has the number's prefix still, and is greater.
                Key::snapshot(tenant, document, slot.number, u16::MAX).successor().as_bytes().to_vec()
            }
            _ => key.successor().as_bytes().to_vec(),
        };
    }
    Ok(newest)
}

/// Returns the commits behind `after` that are still in the log, and up to which commit the newest snapshot goes. Those in between are
/// history.
///
/// # Errors
/// [`LoadError`]: the store cannot be read, a record is damaged, or a commit missing.
pub fn log_behind(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    after: CommitNumber,
) -> Result<(CommitNumber, Vec<LogRecord>), LoadError> {
    let covered = newest_snapshot(store, tenant, document)?.unwrap_or_default();
    Ok((covered, read_log(store, tenant, document, covered.max(after))?))
}

fn read_snapshot(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    number: CommitNumber,
) -> Result<Snapshot, LoadError> {
    let slot = Slot { kind: Kind::Snapshot, tenant, document, number, chunk: 0 };
    match read_whole(store, slot)? {
        Some(state) => Ok(Snapshot { number, state }),
        // The head was there a moment ago, and one thread owns the store.
        None => {
            let source = RecordFault::ChunkMissing { chunk: 0 };
            let source = Corruption::Record { kind: Kind::Snapshot, number, source };
            Err(LoadError::Corrupt { tenant, document, source })
        }
    }
}

/// Reads what a record holds, put together from its chunks; nothing if it has no head.
pub(super) fn read_whole(store: &dyn Store, slot: Slot) -> Result<Option<Bytes>, LoadError> {
    let Slot { kind, tenant, document, number, .. } = slot;
    let from = Key::record(Slot { chunk: 0, ..slot });
    let mut assembly = Assembly::default();
    for found in Walk::from(store, document_prefix(kind, tenant, document), &from) {
        let (key, value) = found?;
        match key.place() {
            Some(Place::Record(slot)) if slot.number == number => {
                assembly.push(&key, slot.head(), slot.chunk, value)
            }
            // Chunks of a newer record that never got its head.
            _ => break,
        };
    }
    match assembly.finish().map(|finished| finished.outcome) {
        Some(Outcome::Whole { payload, .. }) => Ok(Some(payload)),
        Some(Outcome::Faulty(source)) => {
            let source = Corruption::Record { kind, number, source };
            Err(LoadError::Corrupt { tenant, document, source })
        }
        Some(Outcome::Garbage { .. }) | None => Ok(None),
    }
}

fn read_log(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    covered: CommitNumber,
) -> Result<Vec<LogRecord>, LoadError> {
    let corrupt = |source| LoadError::Corrupt { tenant, document, source };
    let Some(first) = covered.0.checked_add(1).map(CommitNumber) else { return Ok(Vec::new()) };
    let prefix = document_prefix(Kind::Log, tenant, document);
    let mut log = LogInOrder { expected: Some(first), records: Vec::new() };
    let mut assembly = Assembly::default();
    for found in Walk::from(store, prefix, &Key::log(tenant, document, first, 0)) {
        let (key, value) = found?;
        let Some(Place::Record(slot)) = key.place() else { continue };
        if let Some(finished) = assembly.push(&key, slot.head(), slot.chunk, value) {
            log.take(finished).map_err(corrupt)?;
        }
    }
    if let Some(finished) = assembly.finish() {
        log.take(finished).map_err(corrupt)?;
    }
    Ok(log.records)
}

struct LogInOrder {
    /// `None` after the last number there is.
    expected: Option<CommitNumber>,
    records: Vec<LogRecord>,
}

impl LogInOrder {
    fn take(&mut self, Finished { place, outcome }: Finished<Slot>) -> Result<(), Corruption> {
        let Slot { kind, number, .. } = place;
        let damaged = |source| Corruption::Record { kind, number, source };
        let payload = match outcome {
            Outcome::Whole { payload, .. } => payload,
            Outcome::Garbage { .. } => return Ok(()),
            Outcome::Faulty(fault) => return Err(damaged(fault)),
        };
        match self.expected {
            Some(expected) if expected != number => return Err(Corruption::Gap { expected, found: number }),
            _ => {}
        }
        self.records.push(decode_log(number, payload).map_err(damaged)?);
        self.expected = number.0.checked_add(1).map(CommitNumber);
        Ok(())
    }
}
