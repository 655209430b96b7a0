//! Folds a document's log into one snapshot.

use crate::{
    doc::{Broken, Document, ReplayError, YjsDocument},
    id::CommitNumber,
    log::{LogRecord, Snapshot},
};

/// Why a log could not be folded. Whatever the reason, the log stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The snapshot does not decode.
    #[error("the snapshot of commit {number} cannot be taken up: {source}")]
    Snapshot {
        /// The last commit that it covers.
        number: CommitNumber,
        /// Why.
        source: ReplayError,
    },
    /// A commit of the log does not decode, or rests on one that is missing.
    #[error("commit {number} cannot be taken up: {source}")]
    Commit {
        /// Its number.
        number: CommitNumber,
        /// Why.
        source: ReplayError,
    },
    /// yrs or automerge failed on the document as a whole.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// There is nothing to fold.
    #[error("there is neither a snapshot nor a log")]
    Empty,
    /// The new snapshot does not decode to the document that it was made from.
    #[error("the new snapshot differs from the document that it was made from")]
    Differs,
}

impl YjsDocument {
    /// Builds a document from what is stored of it: the newest snapshot and the commits after it.
    ///
    /// Each update goes in in a transaction of its own: one transaction over a long backlog takes time in the square of
    /// its length.
    ///
    /// # Errors
    /// [`CompactError::Snapshot`] or [`CompactError::Commit`] names what could not be taken up.
    pub fn load(snapshot: Option<&Snapshot>, log: &[LogRecord]) -> Result<Self, CompactError> {
        let mut document = Self::default();
        if let Some(Snapshot { number, state }) = snapshot {
            let taken = document.replay(state);
            taken.map_err(|source| CompactError::Snapshot { number: *number, source })?;
        }
        for record in log {
            for entry in &record.entries {
                let taken = document.replay(&entry.update);
                taken.map_err(|source| CompactError::Commit { number: record.number, source })?;
            }
        }
        Ok(document)
    }
}

/// Folds a snapshot and the commits after it into a new snapshot, and checks that it holds the same document. Of a
/// Yjs document that is: the same state vector, the same deletions and the same content; of an Automerge document: the same heads.
///
/// # Errors
/// [`CompactError`]; nothing that is stored may then be deleted.
pub fn compact<D: Document>(
    snapshot: Option<&Snapshot>,
    log: &[LogRecord],
) -> Result<Snapshot, CompactError> {
    let number = log.last().map(|record| record.number).or(snapshot.map(|snapshot| snapshot.number));
    let number = number.ok_or(CompactError::Empty)?;
    let document = D::load(snapshot, log)?;
    let folded = Snapshot { number, state: document.encode()? };
    let again = D::load(Some(&folded), &[])?;
    if !document.is_same(&again)? {
        return Err(CompactError::Differs);
    }
    Ok(folded)
}
