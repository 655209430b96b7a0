//! Scan of Automerge sync messages.
//!
//! ```text
//! message   0x42 (changes one by one) or 0x43 (chunks), hashes heads, hashes need,
//!           uleb n, n x have, uleb n, n x (uleb length, chunks), flags (absent, or uleb length, bytes)
//! hashes    uleb n, n x 32 bytes, in order
//! have      hashes last_sync, uleb length, Bloom filter
//! filter    empty, or uleb entries, uleb bits an entry (10), uleb probes (7), ceil(10 x entries / 8) bytes
//! ```
//!
//! After `sync.rs` and `sync/bloom.rs` of automerge 0.12.

use alloc::vec::Vec;

use super::{Chunk, chunk::Budget, leb128::Leb128};
use crate::{
    guard::Malformed,
    limits::{AUTOMERGE_HASHES_MAX, AUTOMERGE_HAVES_MAX},
};

const CHANGES_ONE_BY_ONE: u8 = 0x42;
const CHUNKS: u8 = 0x43;
const BITS_PER_ENTRY: u64 = 10;
const PROBES: u64 = 7;

/// A sync message that was accepted.
#[derive(Clone, Debug)]
pub struct ScannedMessage<'a> {
    /// What it brings, in order.
    pub chunks: Vec<Chunk<'a>>,
    /// Whether its sender has any change.
    pub has_heads: bool,
    /// How many ops it brings, at most.
    pub ops: u64,
}

/// Scans a sync message.
///
/// # Errors
/// [`Malformed`] says what is wrong, and where.
pub fn scan_sync_message(bytes: &[u8]) -> Result<ScannedMessage<'_>, Malformed> {
    let mut reader = Leb128::new(bytes, 0);
    match reader.u8()? {
        CHANGES_ONE_BY_ONE | CHUNKS => {}
        kind => return Err(Malformed::Kind { at: 0, kind }),
    }
    let has_heads = sorted(&mut reader)?;
    sorted(&mut reader)?;
    for _ in 0..reader.count(2, AUTOMERGE_HAVES_MAX)? {
        sorted(&mut reader)?;
        let filter = reader.prefixed()?;
        scan_bloom_filter(Leb128::new(filter, reader.at() - filter.len()))?;
    }
    let mut budget = Budget::default();
    let mut chunks = Vec::new();
    for _ in 0..reader.count(1, u64::MAX)? {
        let part = reader.prefixed()?;
        budget.chunks(Leb128::new(part, reader.at() - part.len()), &mut chunks)?;
    }
    if !reader.is_empty() {
        reader.prefixed()?;
    }
    reader.finish()?;
    Ok(ScannedMessage { chunks, has_heads, ops: budget.ops_scanned() })
}

/// Reads hashes that must be in order. Returns whether there are any.
fn sorted(reader: &mut Leb128<'_>) -> Result<bool, Malformed> {
    let at = reader.at();
    let hashes = reader.hashes(AUTOMERGE_HASHES_MAX)?;
    if hashes.is_sorted() { Ok(!hashes.is_empty()) } else { Err(Malformed::HashOrder { at }) }
}

fn scan_bloom_filter(mut reader: Leb128<'_>) -> Result<(), Malformed> {
    if reader.is_empty() {
        return Ok(());
    }
    let at = reader.at();
    let (entries, bits, probes) = (reader.uleb()?, reader.uleb()?, reader.uleb()?);
    if bits != BITS_PER_ENTRY || probes != PROBES {
        return Err(Malformed::Bloom { at, bits, probes });
    }
    reader.take(entries.saturating_mul(BITS_PER_ENTRY).div_ceil(8))?;
    // A filter of no bits would be divided by.
    if entries == 0 {
        return Err(Malformed::Bloom { at, bits: 0, probes });
    }
    reader.finish()
}
