//! What is inside the envelope of a log record, byte by byte.
//!
//! | bytes | of a log record |
//! | --- | --- |
//! | 4 | entries, u32 |
//! | then for each: 1 | flags: 1 the user is known, 2 the device is known, 4 it comes from another document |
//! | 4 + n | the user, if known: length in bytes, u32, then UTF-8 |
//! | 4 + n | the device, if known: likewise |
//! | 8 | connection, u64 |
//! | 8 | when, milliseconds since the Unix epoch, u64 |
//! | 4 + n | the update: length in bytes, u32, then the bytes |
//! | 4 | if it comes from another document: how many stretches of it somebody is known to have written, u32 |
//! | then for each: 1 | flags: 1 the user is known, 2 the device is known, 8 an actor of Automerge made it, and no client of Yjs |
//! | n | the user and the device, if known, as above |
//! | 8, or 4 + n | the client, u64; or the actor: length in bytes, u32, then the bytes |
//! | 8 | the number of the first element, u64 |
//! | 8 | how many elements, u64 |
//! | 8 | when the first was taken in there, milliseconds since the Unix epoch, u64 |
//!
//! Integers are big-endian. A snapshot's payload is its state, a name's the 16 bytes of the document id (and one of the value 1 behind them if it is an Automerge document), a count of
//! failed loads 4 bytes, u32, that of a load's marker is empty, and the time of the last commit that the snapshot covers
//! 8 bytes, milliseconds since the Unix epoch, u64. Those of a revocation are two such times: when it was made, and until when it is
//! in force.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use syncline_core::{
    id::{ClientId, CommitNumber, ConnectionId, DocumentId},
    log::{Author, Engine, LogEntry, LogRecord, Maker, Origin},
    time::WallMs,
};

use super::Named;
use crate::envelope::{RecordFault, RecordTooLong};

/// What follows the id of an Automerge document.
const AUTOMERGE: u8 = 1;

const USER_KNOWN: u8 = 1;
const DEVICE_KNOWN: u8 = 2;
const FROM_ELSEWHERE: u8 = 4;
const MADE_BY_ACTOR: u8 = 8;

/// Least bytes of an entry: flags, connection, time and the length of the update.
const ENTRY_BYTES_MIN: usize = 1 + 8 + 8 + 4;

/// Least bytes of an origin: flags, maker, number, length and time.
const ORIGIN_BYTES_MIN: usize = 1 + 4 + 8 + 8 + 8;

/// Encodes what the key of a log record does not say.
pub(crate) fn encode_log(entries: &[LogEntry]) -> Result<Vec<u8>, RecordTooLong> {
    let bytes = 4 + entries.iter().map(entry_bytes).sum::<usize>();
    // Then no length in it exceeds 32 bits either.
    if u32::try_from(bytes).is_err() {
        return Err(RecordTooLong { bytes });
    }
    let mut payload = Vec::with_capacity(bytes);
    payload.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    for LogEntry { author, connection, at, update, origins } in entries {
        put_author(&mut payload, author, if origins.is_some() { FROM_ELSEWHERE } else { 0 });
        payload.extend_from_slice(&connection.0.to_be_bytes());
        payload.extend_from_slice(&at.0.to_be_bytes());
        put_bytes(&mut payload, update);
        if let Some(origins) = origins {
            payload.extend_from_slice(&(origins.len() as u32).to_be_bytes());
            origins.iter().for_each(|origin| put_origin(&mut payload, origin));
        }
    }
    debug_assert_eq!(payload.len(), bytes);
    Ok(payload)
}

/// Decodes a log record; the updates share the payload's memory.
pub(crate) fn decode_log(number: CommitNumber, mut payload: Bytes) -> Result<LogRecord, RecordFault> {
    const COUNT: RecordFault = RecordFault::Malformed { what: "count of entries" };
    let count = payload.try_get_u32().map_err(|_| COUNT)? as usize;
    if count > payload.len() / ENTRY_BYTES_MIN {
        return Err(COUNT);
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(take_entry(&mut payload)?);
    }
    if !payload.is_empty() {
        return Err(RecordFault::Malformed { what: "end of a log record" });
    }
    Ok(LogRecord { number, entries })
}

/// Encodes what a name means: 16 bytes of the document's id, and a 1 behind them if it is an Automerge document.
pub(crate) fn encode_named(named: Named) -> Vec<u8> {
    let kind: &[u8] = match named.engine {
        Engine::Yjs => &[],
        Engine::Automerge => &[AUTOMERGE],
    };
    [&named.document.0, kind].concat()
}

/// Decodes what a name means.
pub(crate) fn decode_named(payload: &[u8]) -> Result<Named, RecordFault> {
    let malformed = RecordFault::Malformed { what: "document id" };
    let (id, kind) = payload.split_first_chunk().ok_or(malformed)?;
    let engine = match kind {
        [] => Engine::Yjs,
        [AUTOMERGE] => Engine::Automerge,
        _ => return Err(malformed),
    };
    Ok(Named { document: DocumentId(*id), engine })
}

/// Decodes a count of failed loads.
pub(crate) fn decode_count(payload: &[u8]) -> Result<u32, RecordFault> {
    payload
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| RecordFault::Malformed { what: "count of failed loads" })
}

/// Decodes a time.
pub(crate) fn decode_time(payload: &[u8]) -> Result<WallMs, RecordFault> {
    let bytes = payload.try_into().map_err(|_| RecordFault::Malformed { what: "time" })?;
    Ok(WallMs(u64::from_be_bytes(bytes)))
}

/// Decodes when a revocation was made, and until when it is in force.
pub(crate) fn decode_revocation(payload: &[u8]) -> Result<(WallMs, WallMs), RecordFault> {
    let (at, until) =
        payload.split_first_chunk::<8>().ok_or(RecordFault::Malformed { what: "times of a revocation" })?;
    Ok((WallMs(u64::from_be_bytes(*at)), decode_time(until)?))
}

/// Decodes when the first update of a log record was taken in, from the beginning of the record's payload.
pub(crate) fn decode_log_time(mut payload: Bytes) -> Result<WallMs, RecordFault> {
    payload.try_get_u32().map_err(|_| RecordFault::Malformed { what: "count of entries" })?;
    let flags = payload.try_get_u8().map_err(|_| RecordFault::Malformed { what: "flags of an entry" })?;
    Ok(take_author_and_time(&mut payload, flags)?.2)
}

fn entry_bytes(entry: &LogEntry) -> usize {
    let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| 4 + text.len());
    let author = |author: &Author| text(&author.user) + text(&author.device);
    let maker = |maker: &Maker| match maker {
        Maker::Client(_) => 8,
        Maker::Actor(actor) => 4 + actor.len(),
    };
    let origin = |origin: &Origin| 1 + author(&origin.author) + maker(&origin.maker) + 8 + 8 + 8;
    let origins = entry.origins.as_ref().map_or(0, |origins| 4 + origins.iter().map(origin).sum::<usize>());
    ENTRY_BYTES_MIN + author(&entry.author) + entry.update.len() + origins
}

/// Puts flags, and what is known of an author.
fn put_author(payload: &mut Vec<u8>, Author { user, device }: &Author, flags: u8) {
    let known = |text: &Option<_>, flag| if text.is_some() { flag } else { 0 };
    payload.push(flags | known(user, USER_KNOWN) | known(device, DEVICE_KNOWN));
    for text in [user, device].into_iter().flatten() {
        put_bytes(payload, text.as_bytes());
    }
}

fn put_origin(payload: &mut Vec<u8>, Origin { maker, start, len, author, at }: &Origin) {
    match maker {
        Maker::Client(client) => {
            put_author(payload, author, 0);
            payload.extend_from_slice(&client.0.to_be_bytes());
        }
        Maker::Actor(actor) => {
            put_author(payload, author, MADE_BY_ACTOR);
            put_bytes(payload, actor);
        }
    }
    for number in [*start, *len, at.0] {
        payload.extend_from_slice(&number.to_be_bytes());
    }
}

fn put_bytes(payload: &mut Vec<u8>, bytes: &[u8]) {
    payload.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    payload.extend_from_slice(bytes);
}

fn take_entry(payload: &mut Bytes) -> Result<LogEntry, RecordFault> {
    let malformed = |what| RecordFault::Malformed { what };
    let flags = payload.try_get_u8().map_err(|_| malformed("flags of an entry"))?;
    if flags & !(USER_KNOWN | DEVICE_KNOWN | FROM_ELSEWHERE) != 0 {
        return Err(malformed("flags of an entry"));
    }
    let (author, connection, at) = take_author_and_time(payload, flags)?;
    let update = take_bytes(payload).ok_or(malformed("update"))?;
    let origins = if flags & FROM_ELSEWHERE == 0 { None } else { Some(take_origins(payload)?) };
    Ok(LogEntry { author, connection, at, update, origins })
}

fn take_origins(payload: &mut Bytes) -> Result<Arc<[Origin]>, RecordFault> {
    const COUNT: RecordFault = RecordFault::Malformed { what: "count of origins" };
    let count = payload.try_get_u32().map_err(|_| COUNT)? as usize;
    if count > payload.len() / ORIGIN_BYTES_MIN {
        return Err(COUNT);
    }
    (0..count).map(|_| take_origin(payload)).collect()
}

fn take_origin(payload: &mut Bytes) -> Result<Origin, RecordFault> {
    const ORIGIN: RecordFault = RecordFault::Malformed { what: "origin" };
    let flags = payload.try_get_u8().map_err(|_| ORIGIN)?;
    if flags & !(USER_KNOWN | DEVICE_KNOWN | MADE_BY_ACTOR) != 0 {
        return Err(ORIGIN);
    }
    let author = take_author(payload, flags)?;
    let maker = if flags & MADE_BY_ACTOR == 0 {
        Maker::Client(ClientId(payload.try_get_u64().map_err(|_| ORIGIN)?))
    } else {
        Maker::Actor(take_bytes(payload).ok_or(ORIGIN)?.as_ref().into())
    };
    let mut number = || payload.try_get_u64().map_err(|_| ORIGIN);
    Ok(Origin { maker, start: number()?, len: number()?, author, at: WallMs(number()?) })
}

fn take_author_and_time(
    payload: &mut Bytes,
    flags: u8,
) -> Result<(Author, ConnectionId, WallMs), RecordFault> {
    let malformed = |what| RecordFault::Malformed { what };
    let author = take_author(payload, flags)?;
    let connection = payload.try_get_u64().map(ConnectionId).map_err(|_| malformed("connection"))?;
    let at = payload.try_get_u64().map(WallMs).map_err(|_| malformed("time of an entry"))?;
    Ok((author, connection, at))
}

fn take_author(payload: &mut Bytes, flags: u8) -> Result<Author, RecordFault> {
    let malformed = |what| RecordFault::Malformed { what };
    let mut text = |flag, what| {
        if flags & flag == 0 {
            return Ok(None);
        }
        let bytes = take_bytes(payload).ok_or(malformed(what))?;
        std::str::from_utf8(&bytes).map(|text| Some(Arc::from(text))).map_err(|_| malformed(what))
    };
    Ok(Author { user: text(USER_KNOWN, "user")?, device: text(DEVICE_KNOWN, "device")? })
}

fn take_bytes(payload: &mut Bytes) -> Option<Bytes> {
    let length = payload.try_get_u32().ok()? as usize;
    (length <= payload.len()).then(|| payload.split_to(length))
}
