//! What was: pages of commits that a snapshot covers, the state that they begin with, and named versions.
//!
//! A page is numbered by its last commit. It holds what [`payload`](super::payload) says of each of its log records:
//!
//! | bytes | of a page |
//! | --- | --- |
//! | 8 | the first commit, u64 |
//! | 8 | when its first update was taken in, milliseconds since the Unix epoch, u64 |
//! | 8 | when its last one was |
//! | 4 | length of what follows before it was compressed, u32; the highest bit says that it was [shortened](super::changes) |
//! | n | zstd: for each commit its length in bytes, u32, and its log record |
//!
//! Pages count from the commit behind the base to that of the newest snapshot: what lies before has been dropped, what lies behind
//! was left by a compaction that did not end. The base is a state, numbered by its last commit: the length, u32, and zstd. A
//! version is numbered by itself:
//!
//! | bytes | of a version |
//! | --- | --- |
//! | 8 | the commit that it shows, u64 |
//! | 4 + n | its name: length in bytes, u32, then UTF-8 |
//! | m | a log record of one entry: who named it, when, and the state, zstd, as its update |
//! | | before the state stands its length, u32 |
//!
//! Integers are big-endian.

use std::io::Read;

use bytes::{Buf, Bytes};
use syncline_core::{
    id::{CommitNumber, DocumentId, TenantId},
    limits::{BATCH_BYTES_MAX, HISTORY_PAGE_BYTES},
    log::{LogEntry, LogRecord, Snapshot},
    time::WallMs,
};

use super::{
    changes,
    load::{Corruption, LoadError, read_whole},
    payload::{decode_log, encode_log},
};
use crate::{
    batch::Batch,
    envelope::{self, PAYLOAD_BYTES_MAX, RecordFault, RecordTooLong},
    key::{Key, Kind, Place, Slot, document_prefix},
    port::{ReadError, Store},
};

/// Higher levels take longer and save little: updates of one letter are mostly ids.
const ZSTD_LEVEL: i32 = 3;

/// Set in the length of pages that were shortened.
const SHORTENED: u32 = 1 << 31;

/// Commits that belong together, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// The commits; at least one.
    pub records: Vec<LogRecord>,
}

/// A state of a document that was given a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number among the versions of the document.
    pub number: u64,
    /// The commit that it shows.
    pub commit: CommitNumber,
    /// What it is called.
    pub name: String,
    /// Who named it, when, and the state.
    pub entry: LogEntry,
}

/// Returns batches to commit one after the other, which keep commits behind the base as pages. None of them counts before the
/// snapshot that covers them is there.
///
/// # Errors
/// [`RecordTooLong`] if a commit does not fit into one record.
pub fn history_batches(
    tenant: TenantId,
    document: DocumentId,
    log: &[LogRecord],
) -> Result<Vec<Batch>, RecordTooLong> {
    let mut batches = vec![Batch::new()];
    let mut page = Page::default();
    for record in log {
        page.take(record)?;
        if page.raw.len() >= HISTORY_PAGE_BYTES {
            put_record(&mut batches, tenant, document, &std::mem::take(&mut page))?;
        }
    }
    put_record(&mut batches, tenant, document, &page)?;
    Ok(batches)
}

#[derive(Default)]
struct Page {
    first: u64,
    last: u64,
    times: Option<(WallMs, WallMs)>,
    raw: Vec<u8>,
}

impl Page {
    fn take(&mut self, record: &LogRecord) -> Result<(), RecordTooLong> {
        let encoded = encode_log(&record.entries)?;
        let Some((from, to)) = times(record) else { return Ok(()) };
        if self.raw.is_empty() {
            self.first = record.number.0;
        }
        self.last = record.number.0;
        let (first, last) = self.times.unwrap_or((from, to));
        self.times = Some((first.min(from), last.max(to)));
        self.raw.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
        self.raw.extend_from_slice(&encoded);
        Ok(())
    }

    /// Returns what is stored of the page; nothing if it is empty.
    fn encode(&self) -> Result<Option<Vec<u8>>, RecordTooLong> {
        let Some((from, to)) = self.times else { return Ok(None) };
        let mut payload = Vec::new();
        for number in [self.first, from.0, to.0] {
            payload.extend_from_slice(&number.to_be_bytes());
        }
        let kept = match changes::shortened(&self.raw) {
            Some(short) => packed(&short, SHORTENED)?,
            None => packed(&self.raw, 0)?,
        };
        payload.extend_from_slice(&kept);
        Ok(Some(payload))
    }
}

/// Encodes what the number of a page does not say. There is at least one commit in it.
pub(super) fn encode_page(records: &[LogRecord]) -> Result<Vec<u8>, RecordTooLong> {
    let mut page = Page::default();
    for record in records {
        page.take(record)?;
    }
    Ok(page.encode()?.unwrap_or_default())
}

fn times(record: &LogRecord) -> Option<(WallMs, WallMs)> {
    let times = || record.entries.iter().map(|entry| entry.at);
    Some((times().min()?, times().max()?))
}

fn put_record(
    batches: &mut Vec<Batch>,
    tenant: TenantId,
    document: DocumentId,
    page: &Page,
) -> Result<(), RecordTooLong> {
    let Some(payload) = page.encode()? else { return Ok(()) };
    let number = CommitNumber(page.last);
    let slot = Slot { kind: Kind::HistoryPage, tenant, document, number, chunk: 0 };
    spread(batches, envelope::seal(|chunk| Key::record(Slot { chunk, ..slot }), &payload)?);
    Ok(())
}

fn spread(batches: &mut Vec<Batch>, values: Vec<(Key, crate::batch::Value)>) {
    for (key, value) in values {
        if batches.last().is_none_or(|batch| batch.bytes() >= BATCH_BYTES_MAX) {
            batches.push(Batch::new());
        }
        if let Some(batch) = batches.last_mut() {
            batch.put(key, value);
        }
    }
}

/// The length, with a flag, and zstd.
fn packed(raw: &[u8], flag: u32) -> Result<Vec<u8>, RecordTooLong> {
    let too_long = RecordTooLong { bytes: raw.len() };
    let length = u32::try_from(raw.len()).ok().filter(|length| length & SHORTENED == 0).ok_or(too_long)?;
    let mut packed = (length | flag).to_be_bytes().to_vec();
    packed.extend_from_slice(&zstd::bulk::compress(raw, ZSTD_LEVEL).map_err(|_| too_long)?);
    Ok(packed)
}

fn unpacked(mut payload: Bytes) -> Result<Bytes, RecordFault> {
    const PACKED: RecordFault = RecordFault::Malformed { what: "compressed bytes" };
    let stated = payload.try_get_u32().map_err(|_| PACKED)?;
    let length = (stated & !SHORTENED) as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Err(PACKED);
    }
    // What is read grows with what is there, never with what the length claims.
    let mut raw = Vec::new();
    let reader = zstd::stream::read::Decoder::with_buffer(&payload[..]).map_err(|_| PACKED)?;
    reader.take(length as u64 + 1).read_to_end(&mut raw).map_err(|_| PACKED)?;
    if raw.len() != length {
        return Err(PACKED);
    }
    if stated & SHORTENED == 0 {
        Ok(raw.into())
    } else {
        Ok(changes::whole(&raw).map_err(|_| PACKED)?.into())
    }
}

/// Decodes a page; `last` is what it is numbered by.
pub(crate) fn decode_page(last: CommitNumber, mut payload: Bytes) -> Result<HistoryPage, RecordFault> {
    const PAGE: RecordFault = RecordFault::Malformed { what: "page of commits" };
    let first = payload.try_get_u64().map_err(|_| PAGE)?;
    for _ in 0..2 {
        payload.try_get_u64().map_err(|_| PAGE)?;
    }
    let mut raw = unpacked(payload)?;
    let mut records = Vec::new();
    for number in first..=last.0 {
        let length = raw.try_get_u32().map_err(|_| PAGE)? as usize;
        if length > raw.len() {
            return Err(PAGE);
        }
        records.push(decode_log(CommitNumber(number), raw.split_to(length))?);
    }
    if raw.is_empty() && !records.is_empty() { Ok(HistoryPage { records }) } else { Err(PAGE) }
}

/// Returns deletions of pages behind the commit `covered`, which a compaction has left that did not end; at most `limit`.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn stale_history(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    covered: CommitNumber,
    limit: usize,
) -> Result<Batch, ReadError> {
    let prefix = document_prefix(Kind::HistoryPage, tenant, document);
    let last = Slot { kind: Kind::HistoryPage, tenant, document, number: covered, chunk: u16::MAX };
    let mut batch = Batch::new();
    for (key, _) in store.scan(&prefix, Key::record(last).successor().as_bytes(), limit)? {
        batch.delete(key);
    }
    Ok(batch)
}

/// Returns deletions of what the newest base covers: older bases, and pages up to it; at most `limit`. Without a base there is
/// none.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn dropped_history(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    limit: usize,
) -> Result<Batch, ReadError> {
    let mut batch = Batch::new();
    let Some(base) = newest(store, Kind::HistoryBase, tenant, document)? else { return Ok(batch) };
    for (kind, upto) in [(Kind::HistoryBase, base.0.checked_sub(1)), (Kind::HistoryPage, Some(base.0))] {
        let Some(upto) = upto else { continue };
        let last = Slot { kind, tenant, document, number: CommitNumber(upto), chunk: u16::MAX };
        let (prefix, end) = (document_prefix(kind, tenant, document), Key::record(last));
        for (key, _) in store.scan(&prefix, &prefix, limit - batch.len())? {
            if key > end {
                break;
            }
            batch.delete(key);
        }
    }
    Ok(batch)
}

/// Returns deletions of all pages and of the base; at most `limit`. Versions stay.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn all_history(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    limit: usize,
) -> Result<Batch, ReadError> {
    let mut batch = Batch::new();
    for kind in [Kind::HistoryPage, Kind::HistoryBase] {
        let prefix = document_prefix(kind, tenant, document);
        for (key, _) in store.scan(&prefix, &prefix, limit - batch.len())? {
            batch.delete(key);
        }
    }
    Ok(batch)
}

/// Returns the first page behind the commit `after`, up to the commit `upto`; nothing if there is none.
///
/// # Errors
/// [`LoadError`]: the store cannot be read, or the page is damaged.
pub fn history_page(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    after: CommitNumber,
    upto: CommitNumber,
) -> Result<Option<HistoryPage>, LoadError> {
    let prefix = document_prefix(Kind::HistoryPage, tenant, document);
    let behind = Slot { kind: Kind::HistoryPage, tenant, document, number: after, chunk: u16::MAX };
    let mut from = Key::record(behind).successor();
    // Chunks come first in time and behind their head in order: those of a page without a head are no page.
    while let Some((key, _)) = store.scan(&prefix, from.as_bytes(), 1)?.pop() {
        let Some(Place::Record(slot)) = key.place().filter(|place| is_upto(place, upto)) else { break };
        if slot.chunk == 0 {
            let Some(payload) = read_whole(store, slot)? else { break };
            let corrupt = |source| corrupt(slot, source);
            return decode_page(slot.number, payload).map(Some).map_err(corrupt);
        }
        from = Key::record(Slot { chunk: u16::MAX, ..slot }).successor();
    }
    Ok(None)
}

fn is_upto(place: &Place, upto: CommitNumber) -> bool {
    matches!(place, Place::Record(slot) if slot.number <= upto)
}

fn corrupt(slot: Slot, source: RecordFault) -> LoadError {
    let Slot { kind, tenant, document, number, .. } = slot;
    LoadError::Corrupt { tenant, document, source: Corruption::Record { kind, number, source } }
}

/// Returns batches that put the state with which the history begins from now on; see [`dropped_history`].
///
/// # Errors
/// [`RecordTooLong`] if the state does not fit into one record.
pub fn base_batches(
    tenant: TenantId,
    document: DocumentId,
    base: &Snapshot,
) -> Result<Vec<Batch>, RecordTooLong> {
    let slot = Slot { kind: Kind::HistoryBase, tenant, document, number: base.number, chunk: 0 };
    let mut batches = vec![Batch::new()];
    let payload = packed(&base.state, 0)?;
    spread(&mut batches, envelope::seal(|chunk| Key::record(Slot { chunk, ..slot }), &payload)?);
    Ok(batches)
}

/// Returns the state with which the history begins; nothing if it begins with the document, or there is no history.
///
/// # Errors
/// [`LoadError`]: the store cannot be read, or the base is damaged.
pub fn history_base(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Option<Snapshot>, LoadError> {
    let Some(number) = newest(store, Kind::HistoryBase, tenant, document)? else { return Ok(None) };
    let slot = Slot { kind: Kind::HistoryBase, tenant, document, number, chunk: 0 };
    let Some(payload) = read_whole(store, slot)? else { return Ok(None) };
    let state = unpacked(payload).map_err(|source| corrupt(slot, source))?;
    Ok(Some(Snapshot { number, state }))
}

/// Returns the greatest number of records of one kind that have a head.
fn newest(
    store: &dyn Store,
    kind: Kind,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Option<CommitNumber>, ReadError> {
    Ok(numbers(store, kind, tenant, document)?.pop())
}

/// Returns the numbers of all records of one kind that have a head, in order, reading one key a record.
fn numbers(
    store: &dyn Store,
    kind: Kind,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Vec<CommitNumber>, ReadError> {
    let prefix = document_prefix(kind, tenant, document);
    let (mut numbers, mut from) = (Vec::new(), prefix.clone());
    while let Some((key, _)) = store.scan(&prefix, &from, 1)?.pop() {
        let Some(Place::Record(slot)) = key.place() else { break };
        if slot.chunk == 0 {
            numbers.push(slot.number);
        }
        from = Key::record(Slot { chunk: u16::MAX, ..slot }).successor().as_bytes().to_vec();
    }
    Ok(numbers)
}

/// Returns batches that put a version; the last one makes it count.
///
/// # Errors
/// [`RecordTooLong`] if its state does not fit into one record.
pub fn version_batches(
    tenant: TenantId,
    document: DocumentId,
    version: &Version,
) -> Result<Vec<Batch>, RecordTooLong> {
    let payload = encode_version(version)?;
    let number = CommitNumber(version.number);
    let slot = Slot { kind: Kind::Version, tenant, document, number, chunk: 0 };
    let mut batches = vec![Batch::new()];
    spread(&mut batches, envelope::seal(|chunk| Key::record(Slot { chunk, ..slot }), &payload)?);
    Ok(batches)
}

/// Encodes what the number of a version does not say.
pub(super) fn encode_version(version: &Version) -> Result<Vec<u8>, RecordTooLong> {
    let Version { number: _, commit, name, entry } = version;
    let mut payload = commit.0.to_be_bytes().to_vec();
    payload.extend_from_slice(&(name.len() as u32).to_be_bytes());
    payload.extend_from_slice(name.as_bytes());
    let entry = LogEntry { update: packed(&entry.update, 0)?.into(), ..entry.clone() };
    payload.extend_from_slice(&encode_log(&[entry])?);
    Ok(payload)
}

/// Returns the numbers of a document's versions, in order.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn version_numbers(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Vec<u64>, ReadError> {
    let numbers = numbers(store, Kind::Version, tenant, document)?;
    Ok(numbers.into_iter().map(|CommitNumber(number)| number).collect())
}

/// Returns a version; nothing if there is none of this number.
///
/// # Errors
/// [`LoadError`]: the store cannot be read, or the version is damaged.
pub fn version(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    number: u64,
) -> Result<Option<Version>, LoadError> {
    let slot = Slot { kind: Kind::Version, tenant, document, number: CommitNumber(number), chunk: 0 };
    let Some(payload) = read_whole(store, slot)? else { return Ok(None) };
    decode_version(number, payload).map(Some).map_err(|source| corrupt(slot, source))
}

/// Decodes a version; `number` is what it is numbered by.
pub(crate) fn decode_version(number: u64, mut payload: Bytes) -> Result<Version, RecordFault> {
    const VERSION: RecordFault = RecordFault::Malformed { what: "version" };
    let commit = payload.try_get_u64().map(CommitNumber).map_err(|_| VERSION)?;
    let length = payload.try_get_u32().map_err(|_| VERSION)? as usize;
    if length > payload.len() {
        return Err(VERSION);
    }
    let name = String::from_utf8(payload.split_to(length).to_vec()).map_err(|_| VERSION)?;
    let mut record = decode_log(commit, payload)?;
    let entry = record.entries.pop().filter(|_| record.entries.is_empty()).ok_or(VERSION)?;
    let entry = LogEntry { update: unpacked(entry.update)?, ..entry };
    Ok(Version { number, commit, name, entry })
}

/// Returns deletions of a version: at most `limit`. The caller commits them and asks again until the batch is empty.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn version_records(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
    number: u64,
    limit: usize,
) -> Result<Batch, ReadError> {
    let slot = Slot { kind: Kind::Version, tenant, document, number: CommitNumber(number), chunk: 0 };
    let (from, end) = (Key::record(slot), Key::record(Slot { chunk: u16::MAX, ..slot }));
    let mut batch = Batch::new();
    let prefix = document_prefix(Kind::Version, tenant, document);
    for (key, _) in store.scan(&prefix, from.as_bytes(), limit)? {
        if key > end {
            break;
        }
        batch.delete(key);
    }
    Ok(batch)
}
