//! What a list of documents shows of each, without reading the documents.

use bytes::Bytes;
use syncline_core::{
    id::{CommitNumber, DocumentId, TenantId},
    time::WallMs,
};

use super::{
    RecordError,
    load::newest_snapshot,
    payload::{decode_log_time, decode_time},
    read_one,
};
use crate::{
    batch::Batch,
    envelope,
    key::{Key, Kind, Place, document_prefix},
    port::{ReadError, Store},
};

/// Records of a log whose lengths are read. With all values as long as they may be that is less than 1 MiB.
const LOG_SAMPLE: u64 = 128;

/// How large a document is about, and when it was last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Snapshot and log, in bytes. Exact while the log has few records; a longer one is judged by its first ones.
    pub bytes: u64,
    /// When the last commit was made, if that is known.
    pub edited: Option<WallMs>,
    /// The last commit.
    pub commit: CommitNumber,
}

/// Puts when the last commit was made that the document's snapshot covers, to be known when the log is gone.
pub fn put_edited(batch: &mut Batch, tenant: TenantId, document: DocumentId, at: WallMs) {
    let key = Key::edited(tenant, document);
    let value = envelope::seal_one(&key, &at.0.to_be_bytes());
    batch.put(key, value);
}

/// Returns when the last commit was made that the document's snapshot covers.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or the record is damaged.
pub fn edited(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Option<WallMs>, RecordError> {
    read_one(store, Key::edited(tenant, document), decode_time)
}

/// Sums up a document. However long it is, few records are read: a log has no gaps, so its end is found by bisection.
///
/// # Errors
/// [`ReadError`] if the store cannot be read. Damaged records count as empty, and their time as unknown.
pub fn summary(store: &dyn Store, tenant: TenantId, document: DocumentId) -> Result<Summary, ReadError> {
    let snapshot = newest_snapshot(store, tenant, document)?;
    let snapshot_bytes = match snapshot {
        Some(number) => stated_bytes(store, &Key::snapshot(tenant, document, number, 0))?.unwrap_or(0),
        None => 0,
    };
    let Some(log) = Log::of(store, tenant, document, snapshot.unwrap_or_default())? else {
        let edited = match edited(store, tenant, document) {
            Ok(edited) => edited,
            Err(RecordError::Read(error)) => return Err(error),
            Err(RecordError::Damaged { .. }) => None,
        };
        return Ok(Summary { bytes: snapshot_bytes, edited, commit: snapshot.unwrap_or_default() });
    };
    let (sampled, sampled_bytes) = log.sample(store)?;
    let mean = sampled_bytes / sampled.max(1);
    let log_bytes = sampled_bytes + mean.saturating_mul(log.records() - sampled);
    let bytes = snapshot_bytes.saturating_add(log_bytes);
    Ok(Summary { bytes, edited: log.edited(store)?, commit: log.last })
}

/// The commits of a document that its snapshot does not cover: there is at least one.
struct Log {
    tenant: TenantId,
    document: DocumentId,
    first: CommitNumber,
    last: CommitNumber,
}

impl Log {
    fn of(
        store: &dyn Store,
        tenant: TenantId,
        document: DocumentId,
        covered: CommitNumber,
    ) -> Result<Option<Self>, ReadError> {
        let prefix = document_prefix(Kind::Log, tenant, document);
        let from = Key::log(tenant, document, covered.next(), 0);
        let found = store.scan(&prefix, from.as_bytes(), 1)?;
        let Some(Place::Record(slot)) = found.first().and_then(|(key, _)| key.place()) else {
            return Ok(None);
        };
        let mut log = Self { tenant, document, first: slot.number, last: slot.number };
        let mut step = 1;
        while log.has(store, log.last.0.saturating_add(step))? {
            log.last.0 += step;
            step *= 2;
        }
        while step > 1 {
            step /= 2;
            if log.has(store, log.last.0.saturating_add(step))? {
                log.last.0 += step;
            }
        }
        Ok(Some(log))
    }

    fn has(&self, store: &dyn Store, number: u64) -> Result<bool, ReadError> {
        Ok(store.get(&self.head(CommitNumber(number)))?.is_some())
    }

    fn head(&self, number: CommitNumber) -> Key {
        Key::log(self.tenant, self.document, number, 0)
    }

    fn records(&self) -> u64 {
        self.last.0 - self.first.0 + 1
    }

    /// Returns how many records were looked at, and what they hold together, in bytes.
    fn sample(&self, store: &dyn Store) -> Result<(u64, u64), ReadError> {
        let sampled = self.records().min(LOG_SAMPLE);
        let mut bytes = 0;
        for offset in 0..sampled {
            bytes += stated_bytes(store, &self.head(CommitNumber(self.first.0 + offset)))?.unwrap_or(0);
        }
        Ok((sampled, bytes))
    }

    fn edited(&self, store: &dyn Store) -> Result<Option<WallMs>, ReadError> {
        let head = self.head(self.last);
        let Some(value) = store.get(&head)? else { return Ok(None) };
        let Ok((header, inline)) = envelope::open(&head, &value) else { return Ok(None) };
        if header.chunks() == 0 {
            return Ok(decode_log_time(Bytes::copy_from_slice(inline)).ok());
        }
        let chunk = Key::log(self.tenant, self.document, self.last, 1);
        let Some(value) = store.get(&chunk)? else { return Ok(None) };
        let payload = envelope::open_one(&chunk, &value).ok();
        Ok(payload.and_then(|payload| decode_log_time(Bytes::copy_from_slice(payload)).ok()))
    }
}

fn stated_bytes(store: &dyn Store, head: &Key) -> Result<Option<u64>, ReadError> {
    let value = store.get(head)?;
    let header = value.as_ref().and_then(|value| envelope::open(head, value).ok());
    Ok(header.map(|(header, _)| header.length().into()))
}

#[cfg(test)]
mod tests {
    use syncline_core::{
        id::ConnectionId,
        log::{Author, LogEntry, LogRecord, Snapshot},
    };

    use super::*;
    use crate::{
        mem::MemoryStore,
        records::{document_sizes, put_log, put_snapshot},
    };

    const TENANT: TenantId = TenantId(0);
    const DOCUMENT: DocumentId = DocumentId([7; 16]);

    fn add_log(store: &mut MemoryStore, number: u64, update_bytes: usize) {
        let entry = LogEntry {
            author: Author { user: Some("ada".into()), device: None },
            connection: ConnectionId(1),
            at: WallMs(1_000 + number),
            update: vec![0; update_bytes].into(),
            origins: None,
        };
        let record = LogRecord { number: CommitNumber(number), entries: vec![entry] };
        let mut batch = Batch::new();
        put_log(&mut batch, TENANT, DOCUMENT, &record).unwrap();
        store.commit(batch).unwrap();
    }

    fn check(store: &MemoryStore, edited: Option<u64>) {
        let sizes = document_sizes(store, TENANT, DOCUMENT).unwrap();
        let bytes = sizes.snapshot_bytes + sizes.log_bytes;
        let want = Summary { bytes, edited: edited.map(WallMs), commit: sizes.commits };
        assert_eq!(summary(store, TENANT, DOCUMENT).unwrap(), want);
    }

    #[test]
    fn a_document_is_summed_up_without_reading_it() {
        let mut store = MemoryStore::new();
        check(&store, None);
        for number in 1..=300 {
            add_log(&mut store, number, 40);
            check(&store, Some(1_000 + number));
        }
        // Its first entry is in a chunk of its own.
        add_log(&mut store, 301, 20_000);
        let long = summary(&store, TENANT, DOCUMENT).unwrap();
        assert_eq!(long.edited, Some(WallMs(1_301)));
        assert!(long.bytes > 300 * 40, "{long:?}");
    }

    #[test]
    fn a_log_that_was_folded_away_leaves_its_time() {
        let mut store = MemoryStore::new();
        let snapshot = Snapshot { number: CommitNumber(300), state: vec![0; 30_000].into() };
        let mut batch = Batch::new();
        put_snapshot(&mut batch, TENANT, DOCUMENT, &snapshot).unwrap();
        put_edited(&mut batch, TENANT, DOCUMENT, WallMs(1_300));
        store.commit(batch).unwrap();
        check(&store, Some(1_300));
        assert_eq!(edited(&store, TENANT, DOCUMENT).unwrap(), Some(WallMs(1_300)));
        add_log(&mut store, 301, 50);
        check(&store, Some(1_301));
    }
}
