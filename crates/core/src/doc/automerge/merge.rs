//! Brings what a branch of a document holds into it: the merge of Automerge, in which no change that either has is lost.

use bytes::Bytes;

use super::AutomergeDocument;
use crate::doc::{Broken, MergeError};

impl AutomergeDocument {
    /// Returns the changes that `branch` holds and this document lacks, as an update that it can take in; nothing if it lacks none.
    ///
    /// # Errors
    /// [`MergeError::Broken`] if one of them is of no further use.
    pub fn lacks_of(&self, branch: &Self) -> Result<Option<Bytes>, MergeError> {
        let lacks = self.doc.read(|doc| branch.doc.read(|branch| doc.get_changes_added(branch)));
        let changes = lacks.flatten().map_err(Broken::from)?;
        let update: Vec<u8> = changes.iter().flat_map(|change| change.raw_bytes().iter().copied()).collect();
        Ok((!update.is_empty()).then(|| update.into()))
    }

    /// Returns the document as it is with such an update; it itself stays as it is.
    ///
    /// # Errors
    /// [`MergeError`].
    pub fn merged_with(&self, update: &Bytes) -> Result<Self, MergeError> {
        let mut merged = Self::default();
        if !self.is_empty() {
            merged.replay(&self.encode()?)?;
        }
        merged.replay(update)?;
        Ok(merged)
    }
}
