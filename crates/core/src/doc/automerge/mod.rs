//! An Automerge document on the crate of that name.

mod contain;
mod content;
mod foreign;
mod graph;
mod marks;
mod merge;
mod newcomer;
mod peer;
mod stored;
#[cfg(test)]
mod tests;
mod writing;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change, ChangeHash, LoadOptions, OnPartialLoad};
use bytes::Bytes;

use self::contain::{Contained, Failed, contained};
use self::foreign::changes_in;
use self::graph::{Graph, Needs};
use self::marks::MarkBound;
use self::newcomer::Encoded;
pub use self::peer::{AutomergePeer, Received};
use self::writing::Writing;
use super::{Broken, authorship::Made};
use crate::{
    guard::{
        Malformed,
        automerge::{Chunk, ChunkKind, scan_chunks, stored_chunks},
    },
    limits::AUTOMERGE_ORPHAN_BYTES_MAX,
    log::Maker,
};

/// An Automerge document.
///
/// Changes that overtook what they rest on are held by automerge, within a bound, but are not part of the document: they are
/// neither reported as integrated nor sent on nor encoded.
#[derive(Debug, Default)]
pub struct AutomergeDocument {
    doc: Contained,
    graph: Graph,
    marks: MarkBound,
    /// Changes that wait for others.
    orphans: BTreeMap<ChangeHash, Needs>,
    /// What newcomers are sent, as long as it is the whole document.
    encoded: Option<Encoded>,
    /// Bytes of all changes that were integrated.
    integrated_bytes: usize,
}

/// Why bytes were refused. But for `Broken`, their sender is at fault and the document is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AutomergeError {
    /// The bytes are no message, or no chunks.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// automerge refuses them, or panics on them: a checksum is wrong, or columns do not belong together.
    #[error("automerge refuses the bytes")]
    Refused,
    /// Too many changes rest on others that nobody brings.
    #[error("too many changes rest on missing ones")]
    Orphans,
    /// The changes, or their actors, are so many that what is kept about them takes more memory than their length allows.
    #[error("the changes are too many, or by too many actors, for their length")]
    Actors,
    /// The document would have more than [`crate::limits::AUTOMERGE_DOCUMENT_OPS_MAX`] ops.
    #[error("the ops are too many")]
    Ops,
    /// The marks of the document's texts would overlap too much: see [`crate::limits::AUTOMERGE_MARK_ENTRIES_MAX`].
    #[error("the marks overlap too much")]
    Marks,
    /// automerge failed on the document. It is of no further use and has to be built anew.
    #[error("the document broke on the message")]
    Broken,
}

impl AutomergeError {
    /// Returns a short stable word for close reasons and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.reason(),
            Self::Refused => "refused",
            Self::Orphans => "orphans",
            Self::Actors => "actors",
            Self::Ops => "ops",
            Self::Marks => "marks",
            Self::Broken => "broken",
        }
    }
}

impl From<Failed> for AutomergeError {
    fn from(Failed: Failed) -> Self {
        Self::Broken
    }
}

impl AutomergeDocument {
    /// Takes in changes and documents from outside. Returns what was new and can be stored: changes one after the other, or
    /// a document.
    ///
    /// # Errors
    /// [`AutomergeError`] says why they are refused. After [`AutomergeError::Broken`] the document is of no further use.
    pub fn apply(&mut self, chunks: &[u8]) -> Result<Option<Bytes>, AutomergeError> {
        let scanned = scan_chunks(chunks)?;
        self.apply_scanned(&scanned)
    }

    /// Returns whether changes rest on others that neither the document holds nor they bring.
    ///
    /// # Errors
    /// [`AutomergeError`] says why [`apply`](Self::apply) would refuse them.
    pub fn has_gap(&self, chunks: &[u8]) -> Result<bool, AutomergeError> {
        let Brought { changes, .. } = changes_of(&scan_chunks(chunks)?)?;
        let brought: BTreeSet<ChangeHash> = changes.iter().map(Change::hash).collect();
        let mut rests_on = changes.iter().flat_map(|change| change.deps()).filter(|on| !brought.contains(on));
        Ok(self.doc.read(|doc| rests_on.any(|on| doc.get_change_meta_by_hash(on).is_none()))?)
    }

    fn apply_scanned(&mut self, chunks: &[Chunk<'_>]) -> Result<Option<Bytes>, AutomergeError> {
        let is_whole = matches!(chunks, [Chunk { kind: ChunkKind::Document, .. }]) && self.is_empty();
        let update = self.integrate(changes_of(chunks)?)?;
        match update {
            // It is much shorter than its changes are.
            Some(_) if is_whole => Ok(Some(self.portable().map_err(|Broken| AutomergeError::Broken)?)),
            update => Ok(update),
        }
    }

    fn integrate(&mut self, brought: Brought) -> Result<Option<Bytes>, AutomergeError> {
        let has_odd = brought.has_odd()?;
        let Brought { changes, .. } = brought;
        let needs: Vec<_> = changes.iter().map(|change| (change.hash(), Needs::from(change))).collect();
        self.check_room_for(&changes, &needs)?;
        // To encode the whole document for each change would take too long; for the odd ones it is done.
        if has_odd && !self.encodes_with(&changes) {
            return Err(AutomergeError::Refused);
        }
        let (before, graph) = (self.heads(), &mut self.graph);
        let new = self.doc.change(|doc| {
            take_in(doc, changes)?;
            if doc.get_heads() == before {
                return Ok(Vec::new());
            }
            let mut hashes = BTreeSet::new();
            for change in doc.get_changes_meta(&before) {
                if !graph.is_in_order(doc, &change) {
                    return Err(Failed);
                }
                graph.note(&change.hash, &change.actor, change.start_op..=change.max_op);
                hashes.insert(change.hash);
            }
            let mut new = Vec::new();
            for change in doc.get_changes(&before) {
                // What it holds under one hash and would hand on under another nobody else could ever have. automerge asserts it, but not
                // in builds that are released.
                if !hashes.contains(&change.hash()) {
                    return Err(Failed);
                }
                new.extend_from_slice(change.raw_bytes());
            }
            Ok(new)
        })?;
        self.note_orphans(needs)?;
        Ok((!new.is_empty()).then(|| self.integrated(new.into())))
    }

    /// Says whether there is room for these changes, and those that they may release: for what is kept about them, as much as their
    /// length allows, for their ops, and for their marks.
    fn check_room_for(
        &mut self,
        changes: &[Change],
        needs: &[(ChangeHash, Needs)],
    ) -> Result<(), AutomergeError> {
        let new: BTreeMap<ChangeHash, Needs> = self.doc.read(|doc| {
            let new = needs.iter().filter(|(hash, _)| doc.get_change_meta_by_hash(hash).is_none());
            new.cloned().chain(self.orphans.clone()).collect()
        })?;
        if !self.graph.has_room_for(new.values().map(|needs| needs.ops).sum()) {
            return Err(AutomergeError::Ops);
        }
        let bytes: usize = needs.iter().map(|(_, needs)| needs.bytes).sum();
        if !self.graph.has_memory_for(&new, bytes + self.orphan_bytes()) {
            return Err(AutomergeError::Actors);
        }
        self.check_marks(changes, &new)
    }

    fn orphan_bytes(&self) -> usize {
        self.orphans.values().map(|orphan| orphan.bytes).sum()
    }

    /// Returns whether the document could be encoded as a whole if it held these changes, too.
    fn encodes_with(&self, changes: &[Change]) -> bool {
        let encodes = self.doc.read(|doc| {
            let mut with = doc.clone();
            take_in(&mut with, changes.to_vec()).ok()?;
            let (heads, whole) = (with.get_heads(), with.save_with_options(without_orphans()));
            Some(heads.is_empty() || loads_as(&whole, &heads))
        });
        encodes.is_ok_and(|encodes| encodes == Some(true))
    }

    /// Holds a document that was loaded.
    fn hold(&mut self, loaded: Automerge) {
        self.graph = contained(|| Graph::of(&loaded)).unwrap_or_default();
        self.marks.forget();
        self.doc = Contained::of(loaded);
    }

    fn integrated(&mut self, update: Bytes) -> Bytes {
        self.integrated_bytes += update.len();
        self.encoded = None;
        update
    }

    /// Notes which of these changes wait for others; so many that it is too much are all dropped.
    fn note_orphans(&mut self, brought: Vec<(ChangeHash, Needs)>) -> Result<(), AutomergeError> {
        self.orphans.extend(brought);
        let orphans = &mut self.orphans;
        self.doc.read(|doc| orphans.retain(|hash, _| doc.get_change_meta_by_hash(hash).is_none()))?;
        if self.orphan_bytes() <= AUTOMERGE_ORPHAN_BYTES_MAX {
            return Ok(());
        }
        self.orphans.clear();
        let encoded = self.encode().map_err(|Broken| AutomergeError::Broken)?;
        let without = if self.is_empty() { Automerge::new() } else { load_document(&encoded)? };
        self.doc = Contained::of(without);
        Err(AutomergeError::Orphans)
    }

    /// Returns the hashes of the changes that no other rests on, in order; they name the state of the document.
    #[must_use]
    pub fn heads(&self) -> Vec<ChangeHash> {
        self.doc.read(Automerge::get_heads).unwrap_or_default()
    }

    /// Returns whether the document holds no change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads().is_empty()
    }

    /// Returns the whole document.
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn encode(&self) -> Result<Bytes, Broken> {
        Ok(self.doc.read(|doc| doc.save_with_options(without_orphans()))?.into())
    }

    /// Estimates what the document holds in memory, in bytes: columns take about what the changes took, and the graph of
    /// changes and what is indexed several times that; beside it are the clocks of the graph.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let encoded = self.encoded.as_ref().map_or(0, Encoded::memory_bytes);
        self.integrated_bytes.saturating_mul(6) + self.graph.memory_bytes() + encoded
    }

    /// Returns the bytes of all changes that were integrated, each as it is alone; about, of those that came as a document.
    #[must_use]
    pub fn integrated_bytes(&self) -> usize {
        self.integrated_bytes
    }

    /// Makes the document break, as a panic inside automerge would.
    #[cfg(any(test, feature = "testing"))]
    pub fn break_for_test(&mut self) {
        self.doc.give_up();
    }
}

/// Has automerge take changes in, some at a time: until it is done it keeps what it would tell of each op, 600 bytes.
fn take_in(doc: &mut Automerge, changes: Vec<Change>) -> Result<(), Failed> {
    const OPS_AT_ONCE: usize = 100_000;
    let (mut some, mut ops) = (Vec::new(), 0);
    for change in changes {
        if ops > 0 && ops + change.len() > OPS_AT_ONCE {
            doc.apply_changes(std::mem::take(&mut some)).map_err(|_| Failed)?;
            ops = 0;
        }
        ops += change.len();
        some.push(change);
    }
    doc.apply_changes(some).map_err(|_| Failed)
}

fn without_orphans() -> automerge::SaveOptions {
    automerge::SaveOptions { retain_orphans: false, ..Default::default() }
}

/// Returns whether these are the bytes of a document with these heads.
fn loads_as(whole: &[u8], heads: &[ChangeHash]) -> bool {
    load_document(whole).is_ok_and(|loaded| loaded.get_heads() == heads)
}

/// Loads a document of its own.
fn load_document(chunk: &[u8]) -> Result<Automerge, AutomergeError> {
    let options = LoadOptions::new().on_partial_load(OnPartialLoad::Error);
    contained(|| Automerge::load_with_options(chunk, options))
        .map_err(|Failed| AutomergeError::Refused)?
        .map_err(|_| AutomergeError::Refused)
}

/// Returns the elements that an update brings that was stored: each op of a change makes one at most.
pub(super) fn made_in(update: &[u8]) -> Result<Vec<Made>, AutomergeError> {
    let changes = accepted_changes_of(&stored_chunks(update)?)?;
    let made = changes.iter().map(|change| Made {
        maker: Maker::Actor(change.actor_id().to_bytes().into()),
        start: change.start_op().get(),
        end: change.max_op().saturating_add(1),
    });
    Ok(made.filter(|made| made.start < made.end).collect())
}

/// Changes from outside, in their order.
#[derive(Default)]
struct Brought {
    changes: Vec<Change>,
    /// The places of those that came alone, and not in a document.
    alone: Vec<usize>,
}

impl Brought {
    /// Returns whether one is written in another way than automerge would write it. Those of a document it has written itself.
    fn has_odd(&self) -> Result<bool, AutomergeError> {
        let mut has_odd = false;
        for at in &self.alone {
            match Writing::of(&self.changes[*at]) {
                Writing::Usual => {}
                Writing::Odd => has_odd = true,
                Writing::Impossible => return Err(AutomergeError::Refused),
            }
        }
        Ok(has_odd)
    }
}

/// Returns the changes in chunks from outside.
fn changes_of(chunks: &[Chunk<'_>]) -> Result<Brought, AutomergeError> {
    let mut brought = Brought::default();
    for Chunk { kind, bytes } in chunks {
        match kind {
            ChunkKind::Document => brought.changes.extend(changes_in(bytes)?),
            ChunkKind::Change => {
                brought.alone.push(brought.changes.len());
                brought.changes.push(change_of(bytes)?);
            }
        }
    }
    Ok(brought)
}

/// Returns the changes in chunks that were accepted before.
fn accepted_changes_of(chunks: &[Chunk<'_>]) -> Result<Vec<Change>, AutomergeError> {
    let mut changes = Vec::new();
    for Chunk { kind, bytes } in chunks {
        match kind {
            ChunkKind::Document => {
                let loaded = load_document(bytes)?;
                changes
                    .extend(contained(|| loaded.get_changes(&[])).map_err(|Failed| AutomergeError::Refused)?);
            }
            ChunkKind::Change => changes.push(change_of(bytes)?),
        }
    }
    Ok(changes)
}

fn change_of(bytes: &[u8]) -> Result<Change, AutomergeError> {
    contained(|| Change::from_bytes(bytes.to_vec()))
        .map_err(|Failed| AutomergeError::Refused)?
        .map_err(|_| AutomergeError::Refused)
}
