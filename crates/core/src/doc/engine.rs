//! What all kinds of documents can do.

use bytes::Bytes;

#[cfg(feature = "automerge")]
use super::AutomergeDocument;
use super::{Broken, CompactError, YjsDocument};
use crate::log::{LogRecord, Snapshot};

/// A document that is stored as a log of updates and, from time to time, as a whole.
pub trait Document: Sized {
    /// Builds a document from what is stored of it: the newest snapshot and the commits after it.
    ///
    /// # Errors
    /// [`CompactError::Snapshot`] or [`CompactError::Commit`] names what could not be taken up.
    fn load(snapshot: Option<&Snapshot>, log: &[LogRecord]) -> Result<Self, CompactError>;

    /// Returns the whole document in bytes that [`load`](Self::load) takes as a snapshot.
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    fn encode(&self) -> Result<Bytes, Broken>;

    /// Returns whether two documents hold the same.
    ///
    /// # Errors
    /// [`Broken`] if one of them is of no further use.
    fn is_same(&self, other: &Self) -> Result<bool, Broken>;

    /// Estimates what the document holds in memory, in bytes.
    fn memory_bytes(&self) -> usize;
}

impl Document for YjsDocument {
    fn load(snapshot: Option<&Snapshot>, log: &[LogRecord]) -> Result<Self, CompactError> {
        Self::load(snapshot, log)
    }

    fn encode(&self) -> Result<Bytes, Broken> {
        self.encode()
    }

    fn is_same(&self, other: &Self) -> Result<bool, Broken> {
        self.same_document(other)
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }
}

#[cfg(feature = "automerge")]
impl Document for AutomergeDocument {
    fn load(snapshot: Option<&Snapshot>, log: &[LogRecord]) -> Result<Self, CompactError> {
        Self::load(snapshot, log)
    }

    fn encode(&self) -> Result<Bytes, Broken> {
        self.encode()
    }

    /// Its heads are hashes of all that it holds, and were computed when it was loaded.
    fn is_same(&self, other: &Self) -> Result<bool, Broken> {
        Ok(self.heads() == other.heads())
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }
}
