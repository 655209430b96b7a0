//! Scan of chunks: changes and documents.
//!
//! ```text
//! chunk     85 6f 4a 83, 4 bytes of a SHA-256, u8 kind, uleb length, body
//! kind 0    document: actors, hashes heads, columns of changes, columns of ops, the data of both in this order,
//!           and the place of each head, uleb
//! kind 1    change: hashes deps, actor, uleb seq, uleb first op, sleb time, text message, actors, columns, data,
//!           and bytes that nobody reads
//! kind 2    a change, packed with deflate
//! kind 3    a bundle; nobody sends any
//! actor     uleb length, bytes
//! ```
//!
//! After `storage/{chunk,change,document}.rs` of automerge 0.12. Checksums are left to automerge.

use std::io::Read as _;

use alloc::vec::Vec;

use flate2::read::DeflateDecoder;

use super::{columns::Columns, leb128::Leb128};
use crate::{
    guard::Malformed,
    limits::{
        AUTOMERGE_ACTOR_BYTES_MAX, AUTOMERGE_DOCUMENT_CHANGES_MAX, AUTOMERGE_DOCUMENT_OPS_MAX,
        AUTOMERGE_ROWS_MAX, AUTOMERGE_UNPACKED_BYTES_FREE, AUTOMERGE_UNPACKED_BYTES_MAX,
        AUTOMERGE_UNPACKED_RATIO_MAX,
    },
};

/// What each chunk begins with.
pub(crate) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];

/// Automerge keeps a clock of all actors, 4 bytes each, for every sixteenth change of a document.
const CHANGES_A_CLOCK_BYTE: u64 = 4;

/// Returns how many bytes of memory a message of so many bytes may take.
pub(crate) fn memory_bytes_max(input_bytes: usize) -> usize {
    const ALLOWED_A_BYTE: usize = 64;
    const ALLOWED: usize = 1 << 20;
    input_bytes.saturating_mul(ALLOWED_A_BYTE).saturating_add(ALLOWED)
}

/// A chunk that was accepted, with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// What it is.
    pub kind: ChunkKind,
    /// The chunk.
    pub bytes: &'a [u8],
}

/// What a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkKind {
    /// A whole document.
    Document,
    /// One change, packed or not.
    Change,
}

/// Scans chunks one after the other.
///
/// # Errors
/// [`Malformed`] says what is wrong, and where.
pub fn scan_chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Malformed> {
    let mut chunks = Vec::new();
    Budget::default().chunks(Leb128::new(bytes, 0), &mut chunks)?;
    Ok(chunks)
}

/// Returns how many ops there are in chunks, at most: each takes time and memory, with or without bytes of its own.
///
/// # Errors
/// [`Malformed`] says why they are refused.
pub fn ops_in(bytes: &[u8]) -> Result<u64, Malformed> {
    let mut budget = Budget::default();
    budget.chunks(Leb128::new(bytes, 0), &mut Vec::new())?;
    Ok(budget.ops_scanned())
}

/// Tells chunks apart that were accepted before, without another look at what is in them.
///
/// # Errors
/// [`Malformed`] if they are no chunks after all.
pub fn stored_chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Malformed> {
    let mut reader = Leb128::new(bytes, 0);
    let mut chunks = Vec::new();
    while !reader.is_empty() {
        let Header { kind, chunk, .. } = header(&mut reader)?;
        chunks.push(Chunk { kind: kind.into(), bytes: chunk });
    }
    Ok(chunks)
}

/// Returns the length of the document that bytes begin with, in bytes, if they do.
#[must_use]
pub fn first_document(bytes: &[u8]) -> Option<usize> {
    let Header { kind, chunk, .. } = header(&mut Leb128::new(bytes, 0)).ok()?;
    (kind == Kind::Document).then_some(chunk.len())
}

/// Returns whether there may be a whole document somewhere in the bytes, or a packed change, or what looks like the beginning of one: what may
/// hold more than it is long.
#[must_use]
pub fn may_unpack(bytes: &[u8]) -> bool {
    let is_beginning = |at: &[u8; 9]| at[..4] == MAGIC && (at[8] == 0 || at[8] == 2);
    bytes.array_windows().any(is_beginning)
}

/// Returns the columns of the ops of a chunk that was accepted before: what each is, and its data. A change must not be packed.
pub(super) fn columns_of_ops(kind: ChunkKind, chunk: &[u8]) -> Result<Vec<(u64, Leb128<'_>)>, Malformed> {
    let Header { body, .. } = header(&mut Leb128::new(chunk, 0))?;
    let mut reader = Leb128::new(body, 0);
    let ops = match kind {
        ChunkKind::Change => change_head(&mut reader)?,
        ChunkKind::Document => {
            let DocumentHead { changes, ops, .. } = document_head(&mut reader)?;
            for column in changes.iter() {
                reader.take(column.len)?;
            }
            ops
        }
    };
    ops.iter().map(|column| Ok((column.spec, Leb128::new(reader.take(column.len)?, 0)))).collect()
}

/// Reads a change up to the data of its columns, which are of its ops.
fn change_head(reader: &mut Leb128<'_>) -> Result<Columns, Malformed> {
    reader.hashes(u64::MAX)?;
    actor(reader)?;
    numbers_of_ops(reader)?;
    reader.sleb()?;
    let message = reader.prefixed()?;
    if core::str::from_utf8(message).is_err() {
        return Err(Malformed::Utf8 { at: reader.at() - message.len() });
    }
    actors(reader)?;
    Columns::announced(reader, false)
}

/// What a document says before the data of its columns.
#[derive(Debug)]
struct DocumentHead {
    actors: u64,
    heads: usize,
    changes: Columns,
    ops: Columns,
}

fn document_head(reader: &mut Leb128<'_>) -> Result<DocumentHead, Malformed> {
    Ok(DocumentHead {
        actors: actors(reader)?,
        heads: reader.hashes(u64::MAX)?.len(),
        changes: Columns::announced(reader, true)?,
        ops: Columns::announced(reader, true)?,
    })
}

/// What a chunk is, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Document,
    Change,
    Packed,
}

impl From<Kind> for ChunkKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Document => Self::Document,
            Kind::Change | Kind::Packed => Self::Change,
        }
    }
}

#[derive(Debug)]
struct Header<'a> {
    kind: Kind,
    /// All of the chunk.
    chunk: &'a [u8],
    body: &'a [u8],
    body_at: usize,
}

/// Reads a chunk up to its end, without a look at its body.
fn header<'a>(reader: &mut Leb128<'a>) -> Result<Header<'a>, Malformed> {
    let whole = reader.rest();
    let at = reader.at();
    let magic = reader.take(4)?;
    if magic != MAGIC {
        return Err(Malformed::Kind { at, kind: magic[0] });
    }
    reader.take(4)?;
    let kind_at = reader.at();
    let kind = match reader.u8()? {
        0 => Kind::Document,
        1 => Kind::Change,
        2 => Kind::Packed,
        kind => return Err(Malformed::Kind { at: kind_at, kind }),
    };
    let body = reader.prefixed()?;
    Ok(Header { kind, chunk: &whole[..reader.at() - at], body, body_at: reader.at() - body.len() })
}

/// What the chunks of one message may still cost.
#[derive(Debug)]
pub(super) struct Budget {
    unpacked: usize,
    ops: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { unpacked: AUTOMERGE_UNPACKED_BYTES_MAX, ops: AUTOMERGE_DOCUMENT_OPS_MAX }
    }
}

impl Budget {
    /// Scans chunks up to the end of the reader.
    pub(super) fn chunks<'a>(
        &mut self,
        mut reader: Leb128<'a>,
        chunks: &mut Vec<Chunk<'a>>,
    ) -> Result<(), Malformed> {
        while !reader.is_empty() {
            let Header { kind, chunk, body, body_at } = header(&mut reader)?;
            let inside = Leb128::new(body, body_at);
            match kind {
                Kind::Document => self.document(inside)?,
                Kind::Change => self.change(inside)?,
                Kind::Packed => {
                    let unpacked = self.unpack(body, body_at)?;
                    self.change(Leb128::new(&unpacked, 0))?;
                }
            }
            chunks.push(Chunk { kind: kind.into(), bytes: chunk });
        }
        Ok(())
    }

    fn change(&mut self, mut reader: Leb128<'_>) -> Result<(), Malformed> {
        let columns = change_head(&mut reader)?;
        self.ops(&columns, &mut reader)
    }

    fn document(&mut self, mut reader: Leb128<'_>) -> Result<(), Malformed> {
        let (at, bytes) = (reader.at(), reader.rest().len());
        let DocumentHead { actors, heads, changes, ops } = document_head(&mut reader)?;
        let changes = self.data(&changes, &mut reader)?;
        if changes.saturating_mul(actors) / CHANGES_A_CLOCK_BYTE > memory_bytes_max(bytes) as u64 {
            return Err(Malformed::Clocks { at, changes, actors });
        }
        if changes > AUTOMERGE_DOCUMENT_CHANGES_MAX {
            return Err(Malformed::Rows { at, rows: changes });
        }
        self.ops(&ops, &mut reader)?;
        // Old writers left the places of the heads out.
        if !reader.is_empty() {
            for _ in 0..heads {
                reader.uleb()?;
            }
        }
        reader.finish()
    }

    /// Scans the data of columns of ops.
    fn ops(&mut self, columns: &Columns, reader: &mut Leb128<'_>) -> Result<(), Malformed> {
        let rows = self.data(columns, reader)?;
        let left = self.ops.checked_sub(rows);
        self.ops = left.ok_or(Malformed::Rows { at: reader.at(), rows })?;
        Ok(())
    }

    /// Returns how many ops were scanned, at most.
    pub(super) fn ops_scanned(&self) -> u64 {
        AUTOMERGE_DOCUMENT_OPS_MAX - self.ops
    }

    /// Scans the data of columns. Returns how many rows the longest has.
    fn data(&mut self, columns: &Columns, reader: &mut Leb128<'_>) -> Result<u64, Malformed> {
        let (mut longest, mut bytes) = (0_u64, 0);
        for column in columns.iter() {
            let data = reader.take(column.len)?;
            let at = reader.at() - data.len();
            let rows = if column.is_packed() {
                let unpacked = self.unpack(data, at)?;
                bytes += unpacked.len() as u64;
                column.rows(&mut Leb128::new(&unpacked, 0))?
            } else {
                bytes += data.len() as u64;
                column.rows(&mut Leb128::new(data, at))?
            };
            longest = longest.max(rows);
        }
        // What stands for no more rows than it has bytes costs nothing beyond them.
        if longest.saturating_sub(bytes) > AUTOMERGE_ROWS_MAX {
            return Err(Malformed::Rows { at: reader.at(), rows: longest });
        }
        Ok(longest)
    }

    fn unpack(&mut self, packed: &[u8], at: usize) -> Result<Vec<u8>, Malformed> {
        let by_ratio = packed.len().saturating_mul(AUTOMERGE_UNPACKED_RATIO_MAX);
        let max = by_ratio.max(AUTOMERGE_UNPACKED_BYTES_FREE).min(self.unpacked);
        let mut unpacked = Vec::new();
        let read = DeflateDecoder::new(packed).take(max as u64 + 1).read_to_end(&mut unpacked);
        if read.is_err() || unpacked.len() > max {
            return Err(Malformed::Packed { at });
        }
        self.unpacked -= unpacked.len();
        Ok(unpacked)
    }
}

fn actor(reader: &mut Leb128<'_>) -> Result<(), Malformed> {
    let at = reader.at();
    let bytes = reader.prefixed()?.len() as u64;
    if bytes > AUTOMERGE_ACTOR_BYTES_MAX { Err(Malformed::ActorId { at, bytes }) } else { Ok(()) }
}

/// Returns how many there are.
fn actors(reader: &mut Leb128<'_>) -> Result<u64, Malformed> {
    let count = reader.count(1, u64::MAX)?;
    for _ in 0..count {
        actor(reader)?;
    }
    Ok(count)
}

/// Reads a change's number and that of its first op. Automerge counts both in 32 bits, here and there without looking.
fn numbers_of_ops(reader: &mut Leb128<'_>) -> Result<(), Malformed> {
    for _ in 0..2 {
        let at = reader.at();
        let number = reader.uleb()?;
        if number == 0 || number > u64::from(u32::MAX / 2) {
            return Err(Malformed::Number { at });
        }
    }
    Ok(())
}
