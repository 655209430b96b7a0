//! A document from what is stored of it.

use std::collections::BTreeMap;

use automerge::{Automerge, ReadDoc, Stats};

use super::{AutomergeDocument, AutomergeError, accepted_changes_of, load_document, take_in};
use crate::{
    doc::{CompactError, ReplayError},
    guard::automerge::{Chunk, ChunkKind, stored_chunks},
    id::CommitNumber,
    log::{LogRecord, Snapshot},
};

impl AutomergeDocument {
    /// Builds a document from what is stored of it: the newest snapshot and the commits after it. What was once accepted is
    /// not bounded again: together it may unpack to more than a message may.
    ///
    /// # Errors
    /// [`CompactError::Snapshot`] or [`CompactError::Commit`] names what could not be taken up.
    pub fn load(snapshot: Option<&Snapshot>, log: &[LogRecord]) -> Result<Self, CompactError> {
        let mut document = Self::default();
        if let Some(Snapshot { number, state }) = snapshot {
            let taken = document.replay(state);
            taken.map_err(|source| CompactError::Snapshot { number: *number, source })?;
        }
        // One by one, changes would take time in the square of their number.
        let mut changes = Vec::new();
        let mut last = CommitNumber(0);
        for LogRecord { number, entries } in log {
            last = *number;
            for entry in entries {
                let at = |source| CompactError::Commit { number: *number, source };
                let chunks = document.take_document(&entry.update).map_err(at)?;
                changes.extend(accepted_changes_of(&chunks).map_err(ReplayError::from).map_err(at)?);
            }
        }
        document.replay_changes(changes).map_err(|source| CompactError::Commit { number: last, source })?;
        Ok(document)
    }

    /// Takes in an update that this engine stored before.
    ///
    /// # Errors
    /// [`ReplayError`] says why it cannot be. The document is then of no further use.
    pub fn replay(&mut self, update: &[u8]) -> Result<(), ReplayError> {
        let chunks = self.take_document(update)?;
        let changes = accepted_changes_of(&chunks)?;
        self.replay_changes(changes)
    }

    /// Takes the document at the beginning of an update as a whole, if nothing is here yet. Returns what is left.
    fn take_document<'a>(&mut self, update: &'a [u8]) -> Result<Vec<Chunk<'a>>, ReplayError> {
        let mut chunks = stored_chunks(update).map_err(AutomergeError::from)?;
        if let Some(Chunk { kind: ChunkKind::Document, bytes }) = chunks.first()
            && self.is_empty()
        {
            let loaded = load_document(bytes)?;
            self.integrated_bytes += bytes.len().max(bytes_as_changes(&loaded));
            self.hold(loaded);
            chunks.remove(0);
        }
        Ok(chunks)
    }

    fn replay_changes(&mut self, changes: Vec<automerge::Change>) -> Result<(), ReplayError> {
        if changes.is_empty() {
            return Ok(());
        }
        let bytes: usize = changes.iter().map(|change| change.raw_bytes().len()).sum();
        self.marks.forget();
        let graph = &mut self.graph;
        let missing = self.doc.change(|doc| {
            let new: BTreeMap<_, _> = changes
                .iter()
                .filter(|change| doc.get_change_meta_by_hash(&change.hash()).is_none())
                .map(|change| (change.hash(), change))
                .collect();
            for (hash, change) in new {
                graph.note(&hash, change.actor_id(), change.start_op().get()..=change.max_op());
            }
            take_in(doc, changes)?;
            Ok(doc.get_missing_deps(&[]))
        });
        if !missing.map_err(AutomergeError::from)?.is_empty() {
            return Err(ReplayError::Gap);
        }
        self.encoded = None;
        self.integrated_bytes += bytes;
        Ok(())
    }
}

/// Returns about how many bytes the changes of a document take apart from each other, where nothing is packed: a change of one op
/// takes about a hundred.
fn bytes_as_changes(document: &Automerge) -> usize {
    const CHANGE_BYTES: u64 = 90;
    const OP_BYTES: u64 = 10;
    let Stats { num_ops, num_changes, .. } = document.stats();
    usize::try_from(num_changes * CHANGE_BYTES + num_ops * OP_BYTES).unwrap_or(usize::MAX)
}
