//! One bucket of the log.

use std::collections::BTreeMap;
use std::ops::Bound;

use sha2::{Digest, Sha256};
use syncline_core::entity::{EntityKey, RecordVersion, Sequence};

use super::scope::ShortHash;

/// What a place of a bucket says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the bucket.
    Live,
    /// It was deleted when it was in the bucket.
    Deleted,
    /// It left the bucket, and is elsewhere or was deleted since.
    Evicted,
}

/// How many records are alive, and which versions they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// How many.
    pub count: u64,
    /// The sum modulo 2^64 of the first 8 bytes, big endian, of the SHA-256 of each one's type, 0, id, 0, and version as a
    /// decimal text.
    pub sum: u64,
}

/// The records of one bucket in the order of their last changes, and marks where records left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shelf {
    entries: BTreeMap<Sequence, (EntityKey, Standing)>,
    checksum: Checksum,
    /// How many of them are alive, by blocks of places: whoever asks how much lies before a place counts blocks, not entries.
    blocks: BTreeMap<u64, u64>,
}

/// The places of a block. Tests have small logs, and shall see many blocks.
const BLOCK: u64 = if cfg!(test) { 4 } else { 1 << 10 };

impl Checksum {
    /// Returns the share of one record.
    pub(super) fn of(key: &EntityKey, ver: RecordVersion) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(key.kind.as_str());
        hasher.update([0]);
        hasher.update(key.id.as_str());
        hasher.update([0]);
        hasher.update(ver.to_string());
        Self { count: 1, sum: u64::from_be_bytes(ShortHash::first_of(hasher).0) }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self { count: self.count.wrapping_add(other.count), sum: self.sum.wrapping_add(other.sum) }
    }

    const fn minus(self, other: Self) -> Self {
        Self { count: self.count.wrapping_sub(other.count), sum: self.sum.wrapping_sub(other.sum) }
    }
}

impl Shelf {
    /// Puts a record to its place. `share` is its part of the checksum if it is alive.
    pub(super) fn put(&mut self, seq: Sequence, key: EntityKey, share: Option<Checksum>) {
        let standing = if share.is_some() { Standing::Live } else { Standing::Deleted };
        if let Some(share) = share {
            self.checksum = self.checksum.plus(share);
            *self.blocks.entry(seq.0 / BLOCK).or_default() += 1;
        }
        self.entries.insert(seq, (key, standing));
    }

    /// Takes a record from its place.
    pub(super) fn take(&mut self, seq: Sequence, share: Option<Checksum>) {
        if let Some(share) = share {
            self.checksum = self.checksum.minus(share);
            self.leave_block(seq.0 / BLOCK);
        }
        self.entries.remove(&seq);
    }

    /// Marks that a record left.
    pub(super) fn evict(&mut self, seq: Sequence, key: EntityKey) {
        self.entries.insert(seq, (key, Standing::Evicted));
    }

    pub(super) fn behind(&self, pos: Sequence) -> impl Iterator<Item = (Sequence, &EntityKey, Standing)> {
        let behind = self.entries.range((Bound::Excluded(pos), Bound::Unbounded));
        behind.map(|(&seq, (key, standing))| (seq, key, *standing))
    }

    pub(super) fn head(&self) -> Sequence {
        self.entries.last_key_value().map_or(Sequence(0), |(&seq, _)| seq)
    }

    pub(super) const fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Returns how many records are alive up to a place.
    pub(super) fn live_up_to(&self, pos: Sequence) -> u64 {
        let block = pos.0 / BLOCK;
        let before: u64 = self.blocks.range(..block).map(|(_, count)| count).sum();
        let begun = self.entries.range(Sequence(block * BLOCK)..=pos);
        before + begun.filter(|(_, (_, standing))| *standing == Standing::Live).count() as u64
    }

    fn leave_block(&mut self, block: u64) {
        let Some(count) = self.blocks.get_mut(&block) else { return };
        *count -= 1;
        if *count == 0 {
            self.blocks.remove(&block);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
