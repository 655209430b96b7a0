//! Scanners of what Automerge reads: sync messages, and the chunks in them and in files.
//!
//! What automerge 0.12 does with bytes that nobody has looked at: it allocates 17 GB for a Bloom filter of 16 bytes that
//! declares 2^32 probes, divides by zero for one with 0 bits an entry, and unpacks a chunk of a megabyte to a gigabyte
//! before it looks at its checksum. A column of three bytes stands for any number of rows.

mod chunk;
mod columns;
mod leb128;
mod marks;
mod message;
#[cfg(test)]
mod tests;

pub(crate) use chunk::{MAGIC, memory_bytes_max};
pub(crate) use leb128::Leb128;
pub(crate) use marks::{Marks, marks_in};

pub use chunk::{Chunk, ChunkKind, first_document, may_unpack, ops_in, scan_chunks, stored_chunks};
pub use message::{ScannedMessage, scan_sync_message};
