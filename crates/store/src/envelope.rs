//! The envelope around every value: version, length and checksum, and the cutting of long payloads into chunks.
//!
//! | bytes | of every value |
//! | --- | --- |
//! | 0 | version, 1 |
//! | 1..5 | payload, in bytes, u32: of the whole record in a head, of this chunk in a chunk |
//! | 5..7 | chunks that follow the head, u16; 0 if the payload is inline, and in every chunk |
//! | 7..11 | CRC-32 (IEEE) of the key, of bytes 0..7 and of the payload, u32 |
//! | 11.. | the payload; nothing in a head with chunks |
//!
//! Integers are big-endian. A payload of at most [`BODY_BYTES_MAX`] bytes is inline in its head, chunk 0. A longer
//! one is cut into chunks 1, 2 and so on, all but the last of them full, and the head's checksum is of all of it.
//! The checksum covers the key, so that a value under a foreign key is found out.
//!
//! A head is written with the last of its chunks or after them, so a chunk without a head is what an interrupted
//! write left, or an interrupted deletion: garbage, and no fault.

use syncline_core::limits::VALUE_BYTES_MAX;

use crate::{batch::Value, key::Key};

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 11;

/// Payload that fits into one value, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = VALUE_BYTES_MAX - HEADER_BYTES;

/// Longest payload of a record, in bytes: chunks are numbered with 16 bits, from 1 on.
pub const PAYLOAD_BYTES_MAX: usize = BODY_BYTES_MAX * u16::MAX as usize;

const VERSION: u8 = 1;
const CHECKED_BYTES: usize = 7;

/// What is wrong with the bytes of one record. The disk is at fault, or whoever wrote to the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// The value is shorter than its header.
    #[error("a value of {bytes} bytes has no header")]
    Short {
        /// Its length.
        bytes: usize,
    },
    /// The value was written by another version of this program, or not by it.
    #[error("unknown record version {found}")]
    Version {
        /// The version it states.
        found: u8,
    },
    /// The value does not have the length that it states.
    #[error("a record of {stated} bytes holds {found}")]
    Length {
        /// The length it states, in bytes.
        stated: u64,
        /// What is there, in bytes.
        found: u64,
    },
    /// A head states a count of chunks that its length does not need, or a chunk states any.
    #[error("a record of {bytes} bytes cannot have {chunks} chunks")]
    ChunkCount {
        /// The length it states, in bytes.
        bytes: u32,
        /// The count it states.
        chunks: u16,
    },
    /// A chunk is not there.
    #[error("chunk {chunk} is missing")]
    ChunkMissing {
        /// Its number.
        chunk: u16,
    },
    /// The bytes are not those that were written.
    #[error("the checksum does not match")]
    Checksum,
    /// The bytes are those that were written, and mean nothing.
    #[error("malformed {what}")]
    Malformed {
        /// The part that cannot be read.
        what: &'static str,
    },
}

/// A payload is longer than [`PAYLOAD_BYTES_MAX`]. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record has at most {PAYLOAD_BYTES_MAX} bytes (got {bytes})")]
pub struct RecordTooLong {
    /// Its length.
    pub bytes: usize,
}

/// The header of a value whose own bytes have been checked as far as they go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    length: u32,
    chunks: u16,
    checksum: u32,
}

/// Returns how many chunks follow the head of a record; nothing if there are more than can be.
pub(crate) fn chunk_count(bytes: usize) -> Option<u16> {
    if bytes <= BODY_BYTES_MAX { Some(0) } else { u16::try_from(bytes.div_ceil(BODY_BYTES_MAX)).ok() }
}

/// Cuts `payload` into the values of a record, the head last. `key` gives the keys of its chunks.
pub(crate) fn seal(key: impl Fn(u16) -> Key, payload: &[u8]) -> Result<Vec<(Key, Value)>, RecordTooLong> {
    let too_long = RecordTooLong { bytes: payload.len() };
    let length = u32::try_from(payload.len()).map_err(|_| too_long)?;
    let head = key(0);
    if payload.len() <= BODY_BYTES_MAX {
        let value = seal_one(&head, payload);
        return Ok(vec![(head, value)]);
    }
    let chunks = u16::try_from(payload.len().div_ceil(BODY_BYTES_MAX)).map_err(|_| too_long)?;
    let mut values: Vec<_> = (1..=chunks)
        .zip(payload.chunks(BODY_BYTES_MAX))
        .map(|(chunk, body)| {
            let key = key(chunk);
            let value = seal_one(&key, body);
            (key, value)
        })
        .collect();
    let value = value(&head, length, chunks, payload, &[]);
    values.push((head, value));
    Ok(values)
}

/// Puts a payload that is known to fit into one value.
pub(crate) fn seal_one(key: &Key, payload: &[u8]) -> Value {
    assert!(payload.len() <= BODY_BYTES_MAX, "the caller cuts longer payloads");
    value(key, payload.len() as u32, 0, payload, payload)
}

/// Opens a value that has its whole payload inline, as every record of a fixed size does.
pub(crate) fn open_one<'a>(key: &Key, value: &'a [u8]) -> Result<&'a [u8], RecordFault> {
    let (header, body) = open(key, value)?;
    if header.chunks != 0 {
        return Err(RecordFault::ChunkCount { bytes: header.length, chunks: header.chunks });
    }
    Ok(body)
}

/// Opens a head or a chunk. Of a head with chunks the checksum is still to be checked, by [`Header::check_whole`].
pub(crate) fn open<'a>(key: &Key, value: &'a [u8]) -> Result<(Header, &'a [u8]), RecordFault> {
    let Some((bytes, body)) = value.split_first_chunk::<HEADER_BYTES>() else {
        return Err(RecordFault::Short { bytes: value.len() });
    };
    let [version, l0, l1, l2, l3, n0, n1, c0, c1, c2, c3] = *bytes;
    if version != VERSION {
        return Err(RecordFault::Version { found: version });
    }
    let header = Header {
        length: u32::from_be_bytes([l0, l1, l2, l3]),
        chunks: u16::from_be_bytes([n0, n1]),
        checksum: u32::from_be_bytes([c0, c1, c2, c3]),
    };
    if header.chunks == 0 {
        if header.length as usize != body.len() {
            return Err(RecordFault::Length { stated: header.length.into(), found: body.len() as u64 });
        }
        header.check_whole(key, body)?;
    } else {
        if !body.is_empty() {
            return Err(RecordFault::Length { stated: 0, found: body.len() as u64 });
        }
        let needed = (header.length as usize).div_ceil(BODY_BYTES_MAX);
        if header.length as usize <= BODY_BYTES_MAX || needed != usize::from(header.chunks) {
            return Err(RecordFault::ChunkCount { bytes: header.length, chunks: header.chunks });
        }
    }
    Ok((header, body))
}

impl Header {
    /// Returns the length of the whole payload, in bytes.
    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    /// Returns how many chunks follow.
    pub(crate) fn chunks(&self) -> u16 {
        self.chunks
    }

    /// Compares the checksum with the whole payload.
    pub(crate) fn check_whole(&self, key: &Key, payload: &[u8]) -> Result<(), RecordFault> {
        if self.length as usize != payload.len() {
            return Err(RecordFault::Length { stated: self.length.into(), found: payload.len() as u64 });
        }
        let checked = checked_header(self.length, self.chunks);
        if checksum(key, &checked, payload) == self.checksum { Ok(()) } else { Err(RecordFault::Checksum) }
    }
}

fn value(key: &Key, length: u32, chunks: u16, payload: &[u8], body: &[u8]) -> Value {
    let checked = checked_header(length, chunks);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&checked);
    bytes.extend_from_slice(&checksum(key, &checked, payload).to_be_bytes());
    bytes.extend_from_slice(body);
    Value::new(bytes).expect("a header and a body of at most BODY_BYTES_MAX fit into a value")
}

fn checked_header(length: u32, chunks: u16) -> [u8; CHECKED_BYTES] {
    let [l0, l1, l2, l3] = length.to_be_bytes();
    let [n0, n1] = chunks.to_be_bytes();
    [VERSION, l0, l1, l2, l3, n0, n1]
}

fn checksum(key: &Key, header: &[u8; CHECKED_BYTES], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}
