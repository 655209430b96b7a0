//! What lives in an engine, counted in each batch, so that nobody has to read everything to know.
//!
//! | bytes | |
//! | --- | --- |
//! | 0 | version, 1 |
//! | 1..9 | keys that hold something, u64 big-endian |
//! | 9..17 | bytes of those keys and their values, u64 big-endian |
//! | 17..21 | CRC-32 (IEEE) of bytes 0..17, u32 big-endian |

use std::collections::BTreeMap;

use crate::{batch::Operation, key::Key, port::Stats};

/// The one key of kind 0.
pub(super) const COUNTERS_KEY: &[u8] = &[0];

const VERSION: u8 = 1;

/// What lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    keys: u64,
    bytes: u64,
}

/// What the keys of a batch held before it; `None` where there was nothing.
pub(super) type Undo = BTreeMap<Key, Option<Vec<u8>>>;

impl Counters {
    pub(super) fn add(&mut self, key_bytes: usize, value_bytes: usize) {
        self.keys = self.keys.saturating_add(1);
        self.bytes = self.bytes.saturating_add((key_bytes + value_bytes) as u64);
    }

    fn subtract(&mut self, key_bytes: usize, value_bytes: usize) {
        self.keys = self.keys.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub((key_bytes + value_bytes) as u64);
    }

    /// Returns what lives after `operations`.
    pub(super) fn after(mut self, operations: &[Operation], undo: &Undo) -> Self {
        for (key, held) in undo {
            if let Some(value) = held {
                self.subtract(key.as_bytes().len(), value.len());
            }
        }
        let last: BTreeMap<_, _> =
            operations.iter().map(|operation| (operation.key(), operation.value())).collect();
        for (key, value) in last {
            if let Some(value) = value {
                self.add(key.as_bytes().len(), value.as_bytes().len());
            }
        }
        self
    }

    pub(super) fn stats(self, disk_bytes: u64) -> Stats {
        Stats { live_keys: self.keys, live_bytes: self.bytes, disk_bytes }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut value = vec![VERSION];
        value.extend_from_slice(&self.keys.to_be_bytes());
        value.extend_from_slice(&self.bytes.to_be_bytes());
        value.extend_from_slice(&crc32fast::hash(&value).to_be_bytes());
        value
    }

    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (checked, checksum) = value.split_last_chunk::<4>()?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(checked) {
            return None;
        }
        let (&[VERSION], rest) = checked.split_first_chunk::<1>()? else { return None };
        let (keys, bytes) = rest.split_first_chunk::<8>()?;
        Some(Self { keys: u64::from_be_bytes(*keys), bytes: u64::from_be_bytes(bytes.try_into().ok()?) })
    }
}
