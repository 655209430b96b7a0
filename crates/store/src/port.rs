//! The port: what the engine of a store does, and how it fails.

use std::{error::Error, sync::Arc};

use crate::{batch::Batch, key::Key};

/// What went wrong below the port. Shared, since one failed commit is reported to everyone who was part of it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// An ordered map of bytes that is atomic and durable by batch.
///
/// One thread owns it; that is the committer's, see [`crate::committer`]. The suite in `conformance` says what
/// an engine must do.
///
/// After an error of [`commit`](Self::commit) the store is *latched*: it can no longer tell what the disk holds, so
/// every call but [`reopen`](Self::reopen) is refused.
pub trait Store: Send {
    /// Writes `batch`. It is atomic, and durable when this returns.
    ///
    /// # Errors
    /// [`CommitError::Latched`] if an earlier commit failed; [`CommitError::Engine`] if this one did. The store is
    /// latched then, and the batch shows only if the process ends before [`reopen`](Self::reopen) succeeds.
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError>;

    /// Rewrites what lives into fresh files and removes the old ones.
    ///
    /// # Errors
    /// [`VacuumError::Latched`] if a commit failed; [`VacuumError::Engine`] if this did, after which the store is
    /// what it was, or latched if even that is not certain.
    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError>;

    /// Brings a latched store back to what it held before the commit that failed, whatever of it reached the disk.
    /// On a store that is not latched it does nothing.
    ///
    /// # Errors
    /// [`VacuumError::Engine`] if it cannot yet; the store stays latched and the caller tries again later.
    fn reopen(&mut self) -> Result<(), VacuumError>;

    /// Returns what `key` holds.
    ///
    /// # Errors
    /// [`ReadError`]: latched, or the engine cannot read.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError>;

    /// Returns at most `limit` keys that begin with `prefix`, from `from` on and with it, in order, and what they
    /// hold. To go on, pass the [`successor`](Key::successor) of the last one.
    ///
    /// # Errors
    /// [`ReadError`]: latched, or the engine cannot read.
    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError>;

    /// Returns how much there is.
    ///
    /// # Errors
    /// [`ReadError`]: latched, or the engine cannot read.
    fn stats(&self) -> Result<Stats, ReadError>;
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys that hold something.
    pub live_keys: u64,
    /// Bytes of those keys and their values.
    pub live_bytes: u64,
    /// Bytes of the files.
    pub disk_bytes: u64,
}

/// What a vacuum achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// How much there was.
    pub before: Stats,
    /// How much there is.
    pub after: Stats,
}

/// Why a commit failed. Ours is the fault, or the disk's.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// An earlier commit failed and the store was not reopened.
    #[error("the store refuses everything since a commit failed")]
    Latched,
    /// The engine could not make the batch durable.
    #[error("the store could not make a batch durable")]
    Engine {
        /// What it says.
        source: Cause,
    },
}

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// An earlier commit failed and the store was not reopened.
    #[error("the store refuses everything since a commit failed")]
    Latched,
    /// The engine could not read.
    #[error("the store could not be read")]
    Engine {
        /// What it says.
        source: Cause,
    },
}

/// Why what lives was not rewritten.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VacuumError {
    /// An earlier commit failed and the store was not reopened.
    #[error("the store refuses everything since a commit failed")]
    Latched,
    /// The engine could not read the old files or write the new ones.
    #[error("the store could not be rewritten")]
    Engine {
        /// What it says.
        source: Cause,
    },
}
