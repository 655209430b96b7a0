//! As much of the protocols as a load generator needs, written apart from the code under test.
//!
//! A writer types one character after the other into the text `t`, so what a server delivered can be told by clocks: an update that it
//! merged from many covers them all.

use std::io;
use std::ops::Range;

/// What one frame carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// The server's state vector; it expects an answer.
    Step1,
    /// All that the server has.
    Step2(&'a [u8]),
    /// What changed since.
    Update(&'a [u8]),
    /// One more update of this client is confirmed; Hocuspocus only.
    Confirmed,
    /// Presence and the like.
    Other,
}

/// The first message of a client that has nothing.
pub(crate) const STEP1: [u8; 4] = [0, 0, 1, 0];
/// The answer of a client that has nothing to a server's first message.
pub(crate) const STEP2: [u8; 5] = [0, 1, 2, 0, 0];

/// `SyncStatus` of an update that was taken, in Hocuspocus.
const CONFIRMED: [u8; 2] = [8, 1];

const TEXT: &str = "t";

/// `ContentString`, the low five bits of a struct's first byte.
const STRING: u8 = 4;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_KEY: u8 = 0x20;

/// Returns the message with which `client` types its character number `clock`, after the one before it.
pub(crate) fn insertion(client: u64, clock: u64) -> Vec<u8> {
    let mut update = vec![1, 1];
    write_var_uint(&mut update, client);
    write_var_uint(&mut update, clock);
    match clock.checked_sub(1) {
        None => {
            update.extend([STRING, 1]);
            write_buf(&mut update, TEXT.as_bytes());
        }
        Some(previous) => {
            update.push(STRING | HAS_ORIGIN);
            write_var_uint(&mut update, client);
            write_var_uint(&mut update, previous);
        }
    }
    write_buf(&mut update, b"x");
    update.push(0);
    update_message(&update)
}

/// Returns what stands before each message of a Hocuspocus document.
pub(crate) fn address(document: &str) -> Vec<u8> {
    let mut address = Vec::new();
    write_buf(&mut address, document.as_bytes());
    address
}

/// Returns the message with which a Hocuspocus client of version 4 shows a token, which may be empty.
pub(crate) fn token(token: &str) -> Vec<u8> {
    let mut message = vec![2, 0];
    write_buf(&mut message, token.as_bytes());
    write_buf(&mut message, b"4.8.0");
    message
}

/// Returns the message that carries a whole update.
pub(crate) fn update_message(update: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 2];
    write_buf(&mut message, update);
    message
}

/// Tells what a message says.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] if it ends too early.
pub(crate) fn parse(message: &[u8]) -> io::Result<Message<'_>> {
    if message == CONFIRMED {
        return Ok(Message::Confirmed);
    }
    let mut rest = message;
    match (read_var_uint(&mut rest)?, rest.first().copied()) {
        (0, Some(0)) => Ok(Message::Step1),
        (0, Some(1)) => Ok(Message::Step2(read_buf(&mut &rest[1..])?)),
        (0, Some(2)) => Ok(Message::Update(read_buf(&mut &rest[1..])?)),
        _ => Ok(Message::Other),
    }
}

/// Returns the clocks of `client` that an update of typed characters covers; none if the client is not in it.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] if it holds anything but typed characters.
pub(crate) fn typed(update: &[u8], client: u64) -> io::Result<Option<Range<u64>>> {
    let mut rest = update;
    let mut found = None;
    for _ in 0..read_var_uint(&mut rest)? {
        let structs = read_var_uint(&mut rest)?;
        let author = read_var_uint(&mut rest)?;
        let start = read_var_uint(&mut rest)?;
        let mut end = start;
        for _ in 0..structs {
            end += string_len(&mut rest)?;
        }
        if author == client {
            found = Some(start..end);
        }
    }
    Ok(found)
}

/// Reads a struct and returns the length of its text; the text is ASCII, so bytes are characters.
fn string_len(rest: &mut &[u8]) -> io::Result<u64> {
    let info = read_byte(rest)?;
    if info & 0x1f != STRING {
        return Err(invalid("a struct that no writer of this bench makes"));
    }
    for origin in [HAS_ORIGIN, HAS_RIGHT_ORIGIN] {
        if info & origin != 0 {
            read_id(rest)?;
        }
    }
    if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
        match read_var_uint(rest)? {
            0 => read_id(rest)?,
            _ => drop(read_buf(rest)?),
        }
        if info & HAS_PARENT_KEY != 0 {
            read_buf(rest)?;
        }
    }
    Ok(read_buf(rest)?.len() as u64)
}

fn read_id(rest: &mut &[u8]) -> io::Result<()> {
    read_var_uint(rest)?;
    read_var_uint(rest)?;
    Ok(())
}

fn read_buf<'a>(rest: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let len = usize::try_from(read_var_uint(rest)?).map_err(|_| invalid("a length beyond memory"))?;
    let (bytes, tail) = rest.split_at_checked(len).ok_or_else(|| invalid("a length beyond the frame"))?;
    *rest = tail;
    Ok(bytes)
}

fn read_var_uint(rest: &mut &[u8]) -> io::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = read_byte(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(invalid("a number of more than 64 bits"))
}

fn read_byte(rest: &mut &[u8]) -> io::Result<u8> {
    let (&byte, tail) = rest.split_first().ok_or_else(|| invalid("a frame that ends too early"))?;
    *rest = tail;
    Ok(byte)
}

fn write_buf(out: &mut Vec<u8>, bytes: &[u8]) {
    write_var_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_var_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}
