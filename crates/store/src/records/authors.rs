//! Takes names of users out of what documents keep: their logs, pages of history and versions.
//!
//! A record is put in place of itself, whole, with the same commits and another name. So it may be done again, and whoever stops in
//! between goes on from the beginning.

use std::sync::Arc;

use bytes::Bytes;
use syncline_core::{
    id::{CommitNumber, TenantId},
    limits::BATCH_BYTES_MAX,
    log::{Author, LogEntry, LogRecord},
    time::WallMs,
};

use super::{
    history::{decode_page, decode_version, encode_page, encode_version},
    load::{Corruption, LoadError},
    payload::{decode_log, encode_log},
};
use crate::{
    assembly::{Assembly, Finished, Outcome},
    batch::Batch,
    envelope::{self, RecordFault, RecordTooLong},
    key::{Key, Kind, Place, Slot, tenant_prefix},
    port::{ReadError, Store},
    walk::Walk,
};

/// What names those who wrote.
const KINDS: [Kind; 3] = [Kind::Log, Kind::HistoryPage, Kind::Version];

/// Why names were not taken out of documents.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenameError {
    /// A record cannot be read, so nobody knows whether it has the name.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A record is too long with the other name.
    #[error(transparent)]
    TooLong(#[from] RecordTooLong),
}

/// What is to be put in place of some records.
#[derive(Debug)]
pub struct Renamed {
    /// The records that name somebody else now.
    pub batch: Batch,
    /// Where to go on; none if that was all.
    pub next: Option<RenameFrom>,
}

/// Where to go on with the records of a tenant.
#[derive(Clone, Debug)]
pub struct RenameFrom {
    kind: usize,
    from: Key,
}

/// Finds records of a tenant, `from` somewhere on, in which `called` says what who wrote something at a time is called from now on, and
/// returns them with that name. The caller commits the batch and goes on.
///
/// # Errors
/// [`RenameError`]: a record is damaged, or the store cannot be read.
pub fn rename_authors(
    store: &dyn Store,
    tenant: TenantId,
    from: Option<RenameFrom>,
    called: &impl Fn(&Author, WallMs) -> Option<Arc<str>>,
) -> Result<Renamed, RenameError> {
    let mut batch = Batch::new();
    let mut at = from;
    let done = at.as_ref().map_or(0, |from| from.kind);
    for (kind, of) in KINDS.into_iter().enumerate().skip(done) {
        let prefix = tenant_prefix(of, tenant);
        let walk = match at.take() {
            Some(from) => Walk::from(store, prefix, &from.from),
            None => Walk::new(store, prefix),
        };
        let mut records = Records { walk, assembly: Assembly::default(), keys: Vec::new() };
        while let Some(stored) = records.next()? {
            rename(&mut batch, &stored, called)?;
            if batch.bytes() >= BATCH_BYTES_MAX
                && let Some(last) = stored.keys.last()
            {
                return Ok(Renamed { batch, next: Some(RenameFrom { kind, from: last.successor() }) });
            }
        }
    }
    Ok(Renamed { batch, next: None })
}

/// The records of one kind, each with its keys.
struct Records<'a> {
    walk: Walk<'a>,
    assembly: Assembly<Slot>,
    keys: Vec<Key>,
}

/// A record with its keys.
struct StoredRecord {
    place: Slot,
    outcome: Outcome,
    keys: Vec<Key>,
}

impl Records<'_> {
    fn next(&mut self) -> Result<Option<StoredRecord>, LoadError> {
        loop {
            let Some(found) = self.walk.next() else {
                let finished = self.assembly.finish();
                return Ok(finished.map(|finished| self.with_keys(finished)));
            };
            let (key, value) = found?;
            let Some(Place::Record(slot)) = key.place() else { continue };
            let finished = self.assembly.push(&key, slot.head(), slot.chunk, value);
            let stored = finished.map(|finished| self.with_keys(finished));
            self.keys.push(key);
            if stored.is_some() {
                return Ok(stored);
            }
        }
    }

    fn with_keys(&mut self, Finished { place, outcome }: Finished<Slot>) -> StoredRecord {
        StoredRecord { place, outcome, keys: std::mem::take(&mut self.keys) }
    }
}

fn rename(
    batch: &mut Batch,
    StoredRecord { place, outcome, keys }: &StoredRecord,
    called: &impl Fn(&Author, WallMs) -> Option<Arc<str>>,
) -> Result<(), RenameError> {
    let Slot { kind, tenant, document, number, .. } = *place;
    let corrupt = |source| {
        let source = Corruption::Record { kind, number, source };
        LoadError::Corrupt { tenant, document, source }
    };
    let payload = match outcome {
        Outcome::Whole { payload, .. } => payload.clone(),
        // Nobody reads chunks that no head claims, but they may hold the name.
        Outcome::Garbage { .. } => {
            keys.iter().for_each(|key| batch.delete(key.clone()));
            return Ok(());
        }
        Outcome::Faulty(fault) => return Err(corrupt(*fault).into()),
    };
    let Some(renamed) = renamed(kind, number, payload, called).map_err(|error| match error {
        Unrenamed::Fault(fault) => corrupt(fault).into(),
        Unrenamed::TooLong(too_long) => RenameError::TooLong(too_long),
    })?
    else {
        return Ok(());
    };
    let values = envelope::seal(|chunk| Key::record(Slot { chunk, ..*place }), &renamed)?;
    let stale = keys.iter().filter(|key| values.iter().all(|(put, _)| put != *key));
    stale.for_each(|key| batch.delete(key.clone()));
    values.into_iter().for_each(|(key, value)| batch.put(key, value));
    Ok(())
}

enum Unrenamed {
    Fault(RecordFault),
    TooLong(RecordTooLong),
}

/// Returns what a record is with other names; nothing if it has none of those.
fn renamed(
    kind: Kind,
    number: CommitNumber,
    payload: Bytes,
    called: &impl Fn(&Author, WallMs) -> Option<Arc<str>>,
) -> Result<Option<Vec<u8>>, Unrenamed> {
    let renamed = match kind {
        Kind::Log => {
            let mut record = decode_log(number, payload)?;
            in_record(&mut record, called).then(|| encode_log(&record.entries))
        }
        Kind::HistoryPage => {
            let mut page = decode_page(number, payload)?;
            let renamed =
                page.records.iter_mut().filter_map(|record| in_record(record, called).then_some(()));
            (renamed.count() > 0).then(|| encode_page(&page.records))
        }
        Kind::Version => {
            let mut version = decode_version(number.0, payload)?;
            in_entry(&mut version.entry, called).then(|| encode_version(&version))
        }
        _ => None,
    };
    Ok(renamed.transpose()?)
}

fn in_record(record: &mut LogRecord, called: &impl Fn(&Author, WallMs) -> Option<Arc<str>>) -> bool {
    record.entries.iter_mut().fold(false, |renamed, entry| in_entry(entry, called) | renamed)
}

/// Who brought it is named, and who wrote it where it comes from.
fn in_entry(entry: &mut LogEntry, called: &impl Fn(&Author, WallMs) -> Option<Arc<str>>) -> bool {
    let in_author = |author: &mut Author, at| {
        let name = called(author, at);
        let is_renamed = name.is_some();
        if is_renamed {
            author.user = name;
        }
        is_renamed
    };
    let mut is_renamed = in_author(&mut entry.author, entry.at);
    if let Some(origins) = &mut entry.origins {
        let mut others = origins.to_vec();
        let renamed = others.iter_mut().filter_map(|it| in_author(&mut it.author, it.at).then_some(()));
        if renamed.count() > 0 {
            *origins = others.into();
            is_renamed = true;
        }
    }
    is_renamed
}

impl From<RecordFault> for Unrenamed {
    fn from(fault: RecordFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<RecordTooLong> for Unrenamed {
    fn from(error: RecordTooLong) -> Self {
        Self::TooLong(error)
    }
}

impl From<ReadError> for RenameError {
    fn from(error: ReadError) -> Self {
        Self::Load(error.into())
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::{
        id::{ClientId, ConnectionId, DocumentId},
        log::{Maker, Origin},
    };

    use super::*;
    use crate::{
        mem::MemoryStore,
        records::{self, Version, load::read_whole},
        verify::verify,
    };

    const TENANT: TenantId = TenantId(3);
    const OTHER: TenantId = TenantId(4);

    fn entry(user: &str, at: u64, bytes: usize) -> LogEntry {
        let author = Author { user: Some(user.into()), device: Some("phone".into()) };
        let (connection, update) = (ConnectionId(1), vec![7; bytes].into());
        LogEntry { author, connection, at: WallMs(at), update, origins: None }
    }

    /// A document of each number with a log, a page of history and a version; what is long is in chunks.
    fn filled(documents: u8) -> MemoryStore {
        let mut store = MemoryStore::new();
        for tenant in [TENANT, OTHER] {
            let mut batch = Batch::new();
            records::put_tenant(&mut batch, tenant, &tenant.to_string().parse().expect("a name"));
            for number in 1..=documents {
                let document = DocumentId([number; 16]);
                let record = |commit, bytes| LogRecord {
                    number: CommitNumber(commit),
                    entries: vec![entry("ann", 1, bytes), entry("bob", 2, 9), entry("ann", 8, 9)],
                };
                records::put_log(&mut batch, tenant, document, &record(2, 20_000)).expect("it fits");
                for pages in records::history_batches(tenant, document, &[record(1, 30)]).expect("it fits") {
                    batch.append(pages);
                }
                let (commit, name) = (CommitNumber(1), "good".to_owned());
                let version = Version { number: 1, commit, name, entry: entry("ann", 3, 50) };
                for versions in records::version_batches(tenant, document, &version).expect("it fits") {
                    batch.append(versions);
                }
            }
            store.commit(batch).expect("stored");
        }
        store
    }

    fn called(author: &Author, at: WallMs) -> Option<Arc<str>> {
        let is_theirs = author.user.as_deref() == Some("ann") && at < WallMs(5);
        is_theirs.then(|| Arc::from("erased:1, which is longer"))
    }

    fn users(entries: &[LogEntry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.author.user.as_deref().unwrap_or_default()).collect()
    }

    /// Of what a user wrote until then the name goes, and nothing else of this or another tenant.
    #[test]
    fn names_go_from_all_that_documents_keep() {
        const DOCUMENTS: u8 = 30;
        let mut store = filled(DOCUMENTS);
        let others = |store: &MemoryStore| {
            let is_other = |key: &&Key| key.tenant() == Some(OTHER);
            store
                .live()
                .iter()
                .filter(|(key, _)| is_other(key))
                .map(|(key, value)| (key.clone(), value.to_vec()))
                .collect::<Vec<_>>()
        };
        let before = others(&store);
        let (mut from, mut portions) = (None, 0);
        loop {
            let Renamed { batch, next } = rename_authors(&store, TENANT, from, &called).expect("read");
            store.commit(batch).expect("stored");
            portions += 1;
            from = next;
            if from.is_none() {
                break;
            }
        }
        assert!(portions > 1, "it is done in portions");
        let renamed = ["erased:1, which is longer", "bob", "ann"];
        for number in 1..=DOCUMENTS {
            let document = DocumentId([number; 16]);
            let page = records::history_page(&store, TENANT, document, CommitNumber(0), CommitNumber(1));
            let page = page.expect("read").expect("it is there");
            assert_eq!(users(&page.records[0].entries), renamed);
            let version = records::version(&store, TENANT, document, 1).expect("read").expect("it is there");
            assert_eq!(
                (version.entry.author.user.as_deref(), version.entry.update.len()),
                (Some(renamed[0]), 50)
            );
            let slot = Slot { kind: Kind::Log, tenant: TENANT, document, number: CommitNumber(2), chunk: 0 };
            let payload = read_whole(&store, slot).expect("read").expect("it is there");
            let log = decode_log(CommitNumber(2), payload).expect("it was written");
            assert_eq!(users(&log.entries), renamed);
        }
        assert_eq!(others(&store), before);
        let Renamed { batch, next } = rename_authors(&store, TENANT, None, &called).expect("read");
        assert!(batch.is_empty() && next.is_none(), "nothing is left to do");
        assert_eq!(verify(&store).expect("read").garbage_chunks, 0);
    }

    /// A shorter name takes fewer chunks, and no bytes of the longer record stay.
    #[test]
    fn no_chunk_of_the_record_before_stays() {
        let mut store = MemoryStore::new();
        let mut batch = Batch::new();
        let entries = vec![entry(&"a".repeat(9_000), 1, 9)];
        let record = LogRecord { number: CommitNumber(1), entries };
        records::put_log(&mut batch, TENANT, DocumentId([1; 16]), &record).expect("it fits");
        store.commit(batch).expect("stored");
        let called = |author: &Author, _| {
            let is_long = author.user.as_deref().is_some_and(|user| user.len() > 9);
            is_long.then(|| Arc::from("erased:1"))
        };
        let Renamed { batch, .. } = rename_authors(&store, TENANT, None, &called).expect("read");
        store.commit(batch).expect("stored");
        assert_eq!(store.live().len(), 1);
        let loaded = records::load(&store, TENANT, DocumentId([1; 16])).expect("read");
        assert_eq!(users(&loaded.log[0].entries), ["erased:1"]);
    }

    /// What somebody has written in a branch names them where it was merged.
    #[test]
    fn names_go_from_what_was_merged() {
        let mut store = MemoryStore::new();
        let mut batch = Batch::new();
        let origin = |user: &str, at: u64| {
            let author = Author { user: Some(user.into()), device: None };
            Origin { maker: Maker::Client(ClientId(at)), start: 0, len: 1, author, at: WallMs(at) }
        };
        let origins = ["ann", "bob", "ann"].into_iter().zip([1, 2, 8]).map(|(user, at)| origin(user, at));
        let merged = LogEntry { origins: Some(origins.collect()), ..entry("bob", 9, 9) };
        let record = LogRecord { number: CommitNumber(1), entries: vec![merged] };
        records::put_log(&mut batch, TENANT, DocumentId([1; 16]), &record).expect("it fits");
        store.commit(batch).expect("stored");
        let Renamed { batch, .. } = rename_authors(&store, TENANT, None, &called).expect("read");
        store.commit(batch).expect("stored");
        let loaded = records::load(&store, TENANT, DocumentId([1; 16])).expect("read");
        let merged = &loaded.log[0].entries[0];
        let origins = merged.origins.as_deref().expect("they are kept").iter();
        let users: Vec<_> = origins.map(|origin| origin.author.user.as_deref()).collect();
        assert_eq!(users, [Some("erased:1, which is longer"), Some("bob"), Some("ann")]);
        assert_eq!(merged.author.user.as_deref(), Some("bob"));
    }
}
