//! Brings what a branch of a document holds into it: the merge of the CRDT, in which nothing that either has written is lost.

use bytes::Bytes;

use super::{
    read::ReadError,
    yjs::{Broken, DiffError, ReplayError, YjsDocument},
};

/// Why a branch is not merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// One of the documents is of no further use.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// What one of them says of itself is not understood.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// One is of Yjs and the other of Automerge.
    #[error("the two documents are of two kinds")]
    OtherKind,
    /// What they hold together is not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What they hold together cannot be taken up.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl YjsDocument {
    /// Returns what `branch` holds and this document lacks, as an update that it can take in; nothing if it lacks nothing. What was
    /// removed in one of them is removed.
    ///
    /// # Errors
    /// [`MergeError`].
    pub fn lacks_of(&self, branch: &Self) -> Result<Option<Bytes>, MergeError> {
        let update = branch.diff(&self.state_vector())?;
        Ok((!self.contains(&update)?).then_some(update))
    }

    /// Returns the document as it is with such an update; it itself stays as it is.
    ///
    /// # Errors
    /// [`MergeError`].
    pub fn merged_with(&self, update: &Bytes) -> Result<Self, MergeError> {
        let mut merged = Self::default();
        merged.replay(&self.encode()?)?;
        let applied = merged.apply(update).map_err(ReplayError::from)?;
        if applied.gap {
            return Err(ReplayError::Gap.into());
        }
        Ok(merged)
    }
}
