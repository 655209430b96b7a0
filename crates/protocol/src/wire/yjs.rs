//! The y-websocket dialect: y-protocols 1.0.7 over binary WebSocket frames.
//!
//! A message is a lib0 variable-length unsigned integer for its kind, and a body (`buf` is a length and bytes):
//!
//! | kind | body |
//! | --- | --- |
//! | 0 sync | 0 and `buf` state vector; or 1 and `buf` update, in answer to a state vector; or 2 and `buf` update |
//! | 1 awareness | `buf` awareness update |
//! | 2 auth | from the server only |
//! | 3 query awareness | nothing |
//! | 102 sync status | `buf` that holds a variable-length unsigned integer: how often the client has changed its document |
//!
//! y-sweet's clients send the last one, and take the same number in return as the word that all changes until then are kept.
//!
//! Clients read one message a frame, so the server writes one. Of clients it takes several.

use bytes::Bytes;
use syncline_core::guard::{Malformed, Reader, write_buf, write_string, write_var_uint};

use crate::{Frame, Request};

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;
const SYNC_STATUS: u64 = 102;

const PERMISSION_DENIED: u64 = 0;

const STEP1: u64 = 0;
const STEP2: u64 = 1;
const UPDATE: u64 = 2;

/// Parses a frame from a client. A message of an unknown kind ends the frame, for its length cannot be known.
///
/// # Errors
/// [`Malformed`] if the frame holds no message, or a message of a known kind is cut short.
pub fn decode(frame: &Bytes) -> Result<Vec<Request>, Malformed> {
    let mut reader = Reader::new(frame);
    let mut requests = Vec::with_capacity(1);
    while requests.is_empty() || reader.left() > 0 {
        let Some(request) = decode_next(&mut reader, frame)? else { break };
        requests.push(request);
    }
    Ok(requests)
}

fn decode_next<'a>(reader: &mut Reader<'a>, frame: &'a Bytes) -> Result<Option<Request>, Malformed> {
    let start = reader.position();
    if reader.var_uint()? != SYNC_STATUS {
        *reader = Reader::starting_at(frame, start);
        return decode_one(reader, frame);
    }
    let version = Reader::new(reader.buf()?).var_uint()?;
    Ok(Some(Request::SyncStatus { version }))
}

/// Parses the next message that all dialects of this family know; nothing if it is of another kind.
pub(super) fn decode_one(reader: &mut Reader<'_>, frame: &Bytes) -> Result<Option<Request>, Malformed> {
    match reader.var_uint()? {
        SYNC => sync(reader, frame),
        AWARENESS => Ok(Some(Request::Presence { entries: frame.slice_ref(reader.buf()?) })),
        QUERY_AWARENESS => Ok(Some(Request::QueryPresence)),
        _unknown => Ok(None),
    }
}

fn sync(reader: &mut Reader<'_>, frame: &Bytes) -> Result<Option<Request>, Malformed> {
    let step = reader.var_uint()?;
    if step > UPDATE {
        return Ok(None);
    }
    let body = frame.slice_ref(reader.buf()?);
    Ok(Some(match step {
        STEP1 => Request::Sync { state: body },
        step => Request::Update { update: body, answer: step == STEP2 },
    }))
}

/// Asks the client for what a document with this encoded state vector lacks.
#[must_use]
pub fn sync_step1(state: &[u8]) -> Frame {
    sync_frame(STEP1, state)
}

/// Answers a client's request for what it lacks.
#[must_use]
pub fn sync_step2(update: &[u8]) -> Frame {
    sync_frame(STEP2, update)
}

/// Tells a client of a change.
#[must_use]
pub fn update(update: &[u8]) -> Frame {
    sync_frame(UPDATE, update)
}

/// Tells a client of others' awareness; `entries` is an awareness update.
#[must_use]
pub fn presence(entries: &[u8]) -> Frame {
    let mut frame = Vec::with_capacity(entries.len() + 10);
    write_var_uint(&mut frame, AWARENESS);
    write_buf(&mut frame, entries);
    frame.into()
}

/// Tells a client that it may not do what it asked for. It says so in its log, and stays connected.
#[must_use]
pub fn denied(reason: &str) -> Frame {
    let mut frame = Vec::with_capacity(reason.len() + 4);
    write_var_uint(&mut frame, AUTH);
    write_var_uint(&mut frame, PERMISSION_DENIED);
    write_string(&mut frame, reason);
    frame.into()
}

/// Tells a client that its document is kept with all changes until this one, as it counts them.
#[must_use]
pub fn sync_status(version: u64) -> Frame {
    let (mut number, mut frame) = (Vec::new(), Vec::new());
    write_var_uint(&mut number, version);
    write_var_uint(&mut frame, SYNC_STATUS);
    write_buf(&mut frame, &number);
    frame.into()
}

/// An awareness message without entries: clients take it as a sign of life.
#[must_use]
pub fn empty_presence() -> Frame {
    Bytes::from_static(&[1, 1, 0])
}

fn sync_frame(step: u64, body: &[u8]) -> Frame {
    let mut frame = Vec::with_capacity(body.len() + 10);
    write_var_uint(&mut frame, SYNC);
    write_var_uint(&mut frame, step);
    write_buf(&mut frame, body);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames as unmodified clients put them on the wire.
    #[test]
    fn frames_of_real_clients_are_understood() {
        let check = |frame: &'static [u8], want: &[Request]| {
            assert_eq!(decode(&Bytes::from_static(frame)).as_deref(), Ok(want), "{frame:02x?}");
        };
        let bytes = Bytes::from_static;
        check(&[0, 0, 1, 0], &[Request::Sync { state: bytes(&[0]) }]);
        check(&[0, 1, 2, 0, 0], &[Request::Update { update: bytes(&[0, 0]), answer: true }]);
        let hi = b"\x00\x02\x0c\x01\x01\x01\x00\x04\x01\x01t\x02hi\x00";
        check(hi, &[Request::Update { update: bytes(&hi[3..]), answer: false }]);
        let presence = b"\x01\x0d\x01\x01\x01\x09{\"n\":\"A\"}";
        check(presence, &[Request::Presence { entries: bytes(&presence[2..]) }]);
        check(&[3], &[Request::QueryPresence]);
        check(&[3, 0, 0, 1, 0], &[Request::QueryPresence, Request::Sync { state: bytes(&[0]) }]);
        check(&[102, 1, 5], &[Request::SyncStatus { version: 5 }]);
        check(&[102, 2, 0x80, 1, 3], &[Request::SyncStatus { version: 128 }, Request::QueryPresence]);
        check(&[9, 9, 9], &[]);
    }

    #[test]
    fn a_cut_frame_is_malformed() {
        for frame in
            [&[][..], &[0], &[0, 0], &[0, 0, 5, 1], &[1, 0xff], &[0x80], &[102], &[102, 0], &[102, 1, 0x80]]
        {
            assert!(decode(&Bytes::copy_from_slice(frame)).is_err(), "{frame:02x?}");
        }
    }

    #[test]
    fn frames_to_clients_have_the_bytes_that_clients_read() {
        assert_eq!(&sync_step1(&[0])[..], [0, 0, 1, 0]);
        assert_eq!(&sync_step2(&[0, 0])[..], [0, 1, 2, 0, 0]);
        assert_eq!(&update(&[0, 0])[..], [0, 2, 2, 0, 0]);
        assert_eq!(presence(&[0]), empty_presence());
        assert_eq!(&sync_status(5)[..], [102, 1, 5]);
        assert_eq!(&sync_status(128)[..], [102, 2, 0x80, 1]);
        assert_eq!(&denied("no")[..], b"\x02\x00\x02no");
    }
}
