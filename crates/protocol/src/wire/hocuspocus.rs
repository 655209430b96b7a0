//! The Hocuspocus dialect: `@hocuspocus/provider` 2.15 to 4.8 over binary WebSocket frames, many documents a socket.
//!
//! A message is a lib0 string, the *address*, then a variable-length unsigned integer for its kind, and a body. The
//! address is the document's name, or with "session awareness" the name, a NUL and a word that the client drew; answers
//! bear the same address.
//!
//! | kind | body |
//! | --- | --- |
//! | 0 sync, 1 awareness, 3 query awareness | as in [`super::yjs`] |
//! | 2 auth | from a client 0, a token and, from version 4 on, the client's version; to it 0 (send a token), 1 and a reason (denied), or 2 and a scope |
//! | 5 stateless | a string for everyone who has the document open |
//! | 6 broadcast | between servers only |
//! | 7 close | from a client nothing (it closes the document); to one of version 4 or later a reason |
//! | 8 sync status | to a client: 1 if an update is durable, 0 if it was refused |
//!
//! Beside these, `09` (ping) goes to clients of version 4 or later, which answer `0a`.

use bytes::Bytes;
use syncline_core::guard::{Malformed, Reader, write_string, write_var_uint};

use super::yjs;
use crate::{Access, Frame, Request};

const AUTH: u64 = 2;
const STATELESS: u64 = 5;
const BROADCAST_STATELESS: u64 = 6;
const CLOSE: u64 = 7;
const PONG: &[u8] = &[10];

const TOKEN: u64 = 0;
const DENIED: u64 = 1;
const AUTHENTICATED: u64 = 2;

/// A frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// It has seen a ping.
    Pong,
    /// A message for the document at this address.
    Message {
        /// The address, as the client wrote it.
        address: Bytes,
        /// What it says.
        message: Message,
    },
}

/// What a client says of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It asks something of the document.
    Request(Request),
    /// It says who it is.
    Auth {
        /// The token, which may be empty.
        token: Bytes,
        /// Whether it is version 4 or later: it takes pings, and is told of a document's end.
        modern: bool,
    },
    /// It closes the document.
    Close,
    /// It says what only servers may say.
    Forbidden,
    /// It says something that this version does not know.
    Unknown,
}

/// Parses a frame from a client.
///
/// # Errors
/// [`Malformed`] if the frame holds no message, or one of a known kind is cut short.
pub fn decode(frame: &Bytes) -> Result<Incoming, Malformed> {
    if &frame[..] == PONG {
        return Ok(Incoming::Pong);
    }
    let mut reader = Reader::new(frame);
    let address = frame.slice_ref(reader.var_string()?.as_bytes());
    let body = reader.position();
    let message = match reader.var_uint()? {
        AUTH => auth(&mut reader, frame)?,
        STATELESS => {
            Message::Request(Request::Stateless { payload: frame.slice_ref(reader.var_string()?.as_bytes()) })
        }
        BROADCAST_STATELESS => Message::Forbidden,
        CLOSE => Message::Close,
        _sync_or_awareness => match yjs::decode_one(&mut Reader::starting_at(frame, body), frame)? {
            Some(request) => Message::Request(request),
            None => Message::Unknown,
        },
    };
    Ok(Incoming::Message { address, message })
}

fn auth(reader: &mut Reader<'_>, frame: &Bytes) -> Result<Message, Malformed> {
    if reader.var_uint()? != TOKEN {
        return Ok(Message::Unknown);
    }
    let token = frame.slice_ref(reader.var_string()?.as_bytes());
    let version = if reader.left() > 0 { Some(reader.var_string()?) } else { None };
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    Ok(Message::Auth { token, modern: major.is_some_and(|major| major >= 4) })
}

/// Returns the document's name in an address.
#[must_use]
pub fn name_of(address: &[u8]) -> &str {
    let name = address.split(|byte| *byte == 0).next().unwrap_or_default();
    // It was proved to be text when the frame was parsed.
    std::str::from_utf8(name).unwrap_or_default()
}

/// Asks whether a client of version 4 or later is there.
#[must_use]
pub fn ping() -> Frame {
    Bytes::from_static(&[9])
}

/// Tells a client what it may do with the document.
#[must_use]
pub fn authenticated(address: &[u8], access: Access) -> Frame {
    let scope = match access {
        Access::ReadWrite => "read-write",
        Access::Comment | Access::ReadOnly => "readonly",
    };
    auth_frame(address, AUTHENTICATED, scope)
}

/// Tells a client that it may not open the document.
#[must_use]
pub fn denied(address: &[u8], reason: &str) -> Frame {
    auth_frame(address, DENIED, reason)
}

fn auth_frame(address: &[u8], sub: u64, text: &str) -> Frame {
    let mut frame = begin(address, AUTH, text.len() + 2);
    write_var_uint(&mut frame, sub);
    write_string(&mut frame, text);
    frame.into()
}

/// Tells a client of version 4 or later that the document is closed for it.
#[must_use]
pub fn close(address: &[u8], reason: &str) -> Frame {
    let mut frame = begin(address, CLOSE, reason.len() + 1);
    write_string(&mut frame, reason);
    frame.into()
}

/// The message that brings `payload`, without an address.
#[must_use]
pub fn stateless(payload: &str) -> Frame {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    write_var_uint(&mut frame, STATELESS);
    write_string(&mut frame, payload);
    frame.into()
}

/// The message that says of one update whether it is durable (or else refused), without an address.
#[must_use]
pub fn sync_status(applied: bool) -> Frame {
    Bytes::from_static(if applied { &[8, 1] } else { &[8, 0] })
}

/// Puts the address before a message.
#[must_use]
pub fn addressed(address: &[u8], message: &[u8]) -> Frame {
    let mut frame = Vec::with_capacity(address.len() + message.len() + 4);
    write_address(&mut frame, address);
    frame.extend_from_slice(message);
    frame.into()
}

fn begin(address: &[u8], kind: u64, more: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(address.len() + more + 8);
    write_address(&mut frame, address);
    write_var_uint(&mut frame, kind);
    frame
}

fn write_address(frame: &mut Vec<u8>, address: &[u8]) {
    write_var_uint(frame, address.len() as u64);
    frame.extend_from_slice(address);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames as provider 4.8 puts them on the wire for the document "d".
    #[test]
    fn frames_of_real_clients_are_understood() {
        let check = |frame: &'static [u8], want: Message| {
            let want = Incoming::Message { address: Bytes::from_static(b"d"), message: want };
            assert_eq!(decode(&Bytes::from_static(frame)), Ok(want), "{frame:02x?}");
        };
        let bytes = Bytes::from_static;
        check(b"\x01d\x02\x00\x02tk\x054.8.0", Message::Auth { token: bytes(b"tk"), modern: true });
        check(b"\x01d\x02\x00\x02tk", Message::Auth { token: bytes(b"tk"), modern: false });
        check(b"\x01d\x02\x00\x00\x063.15.0", Message::Auth { token: bytes(b""), modern: false });
        check(b"\x01d\x00\x00\x01\x00", Message::Request(Request::Sync { state: bytes(&[0]) }));
        let answer = Request::Update { update: bytes(&[0, 0]), answer: true };
        check(b"\x01d\x00\x01\x02\x00\x00", Message::Request(answer));
        let presence = Request::Presence { entries: bytes(b"\x01\x05\x00\x02{}") };
        check(b"\x01d\x01\x06\x01\x05\x00\x02{}", Message::Request(presence));
        check(b"\x01d\x05\x02hi", Message::Request(Request::Stateless { payload: bytes(b"hi") }));
        check(b"\x01d\x06\x02hi", Message::Forbidden);
        check(b"\x01d\x07", Message::Close);
        check(b"\x01d\x63", Message::Unknown);
        assert_eq!(decode(&Bytes::from_static(&[10])), Ok(Incoming::Pong));
    }

    #[test]
    fn a_cut_frame_is_malformed() {
        let cut: [&[u8]; 9] = [
            b"",
            b"\x01",
            b"\x01d",
            b"\x02d\xff\x00",
            b"\x01d\x02",
            b"\x01d\x02\x00\x05t",
            b"\x01d\x05\x05t",
            b"\x01d\x00\x00\x05\x01",
            b"\x01d\x01\xff",
        ];
        for frame in cut {
            assert!(decode(&Bytes::copy_from_slice(frame)).is_err(), "{frame:02x?}");
        }
    }

    #[test]
    fn frames_to_clients_have_the_bytes_that_clients_read() {
        assert_eq!(&authenticated(b"d", Access::ReadWrite)[..], b"\x01d\x02\x02\x0aread-write");
        assert_eq!(&authenticated(b"d", Access::ReadOnly)[..], b"\x01d\x02\x02\x08readonly");
        assert_eq!(&denied(b"d", "no")[..], b"\x01d\x02\x01\x02no");
        assert_eq!(&close(b"d", "bye")[..], b"\x01d\x07\x03bye");
        assert_eq!(&addressed(b"d", &sync_status(true))[..], b"\x01d\x08\x01");
        assert_eq!(&addressed(b"d", &stateless("hi"))[..], b"\x01d\x05\x02hi");
        assert_eq!(&ping()[..], b"\x09");
    }

    #[test]
    fn the_name_ends_at_the_first_nul() {
        assert_eq!(name_of(b"notes"), "notes");
        assert_eq!(name_of(b"notes\0word\0x"), "notes");
        assert_eq!(name_of(b"\0word"), "");
    }
}
