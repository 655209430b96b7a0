//! An Automerge document on the crate of that name.

mod contain;
mod content;
mod merge;
mod newcomer;
mod peer;
mod stored;
#[cfg(test)]
mod tests;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change, ChangeHash, LoadOptions, OnPartialLoad, ReadDoc};
use bytes::Bytes;

use self::contain::{Contained, Failed, contained};
use self::newcomer::Encoded;
pub use self::peer::{AutomergePeer, Received};
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
    /// Changes that wait for others, with their lengths in bytes.
    orphans: BTreeMap<ChangeHash, usize>,
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
    /// The changes are by so many new actors that they take more memory than their length allows.
    #[error("the changes are by too many new actors for their length")]
    Actors,
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
        let changes = changes_of(&scan_chunks(chunks)?)?;
        let brought: BTreeSet<ChangeHash> = changes.iter().map(Change::hash).collect();
        let mut rests_on = changes.iter().flat_map(|change| change.deps()).filter(|on| !brought.contains(on));
        Ok(self.doc.read(|doc| rests_on.any(|on| doc.get_change_meta_by_hash(on).is_none()))?)
    }

    fn apply_scanned(&mut self, chunks: &[Chunk<'_>]) -> Result<Option<Bytes>, AutomergeError> {
        if let [Chunk { kind: ChunkKind::Document, bytes }] = chunks
            && self.is_empty()
            && self.orphans.is_empty()
        {
            let loaded = load_document(bytes)?;
            let fresh = !loaded.get_heads().is_empty();
            self.doc = Contained::of(loaded);
            return Ok(fresh.then(|| self.integrated(Bytes::copy_from_slice(bytes))));
        }
        let changes = changes_of(chunks)?;
        self.integrate(changes)
    }

    fn integrate(&mut self, changes: Vec<Change>) -> Result<Option<Bytes>, AutomergeError> {
        if !self.has_memory_for_actors_of(&changes)? {
            return Err(AutomergeError::Actors);
        }
        // To encode the whole document for each change would take too long; for the odd ones it is done.
        if changes.iter().any(is_odd) && !self.encodes_with(&changes) {
            return Err(AutomergeError::Refused);
        }
        let lengths: Vec<_> =
            changes.iter().map(|change| (change.hash(), change.raw_bytes().len())).collect();
        let before = self.heads();
        let new = self.doc.change(|doc| {
            doc.apply_changes(changes).map_err(|_| Failed)?;
            if doc.get_heads() == before {
                return Ok(Vec::new());
            }
            Ok(doc.get_changes(&before).iter().flat_map(|change| change.raw_bytes().to_vec()).collect())
        })?;
        self.note_orphans(lengths)?;
        Ok((!new.is_empty()).then(|| self.integrated(new.into())))
    }

    /// Returns whether the actors of whom the document holds nothing yet take no more memory than what they bring allows. In automerge
    /// 0.12 an actor with one change takes 2 KiB, and all of them a third of a byte times the square of their number.
    fn has_memory_for_actors_of(&self, changes: &[Change]) -> Result<bool, AutomergeError> {
        const ALLOWED_A_BYTE: usize = 64;
        const ALLOWED: usize = 1 << 20;
        const ACTOR_BYTES: usize = 2 << 10;
        let bytes: usize = changes.iter().map(|change| change.raw_bytes().len()).sum();
        let (known, new) = self.doc.read(|doc| {
            let new = changes.iter().filter(|change| doc.get_change_meta_by_hash(&change.hash()).is_none());
            let new = new.map(Change::actor_id).collect::<BTreeSet<_>>().len();
            (actors(doc), new)
        })?;
        let grown = known.saturating_add(new).saturating_pow(2) - known.saturating_pow(2);
        Ok(grown / 3 + new * ACTOR_BYTES <= bytes.saturating_mul(ALLOWED_A_BYTE).saturating_add(ALLOWED))
    }

    /// Returns whether the document could be encoded as a whole if it held these changes, too.
    fn encodes_with(&self, changes: &[Change]) -> bool {
        let encodes = self.doc.read(|doc| {
            let mut with = doc.clone();
            with.apply_changes(changes.iter().cloned()).ok()?;
            let (heads, whole) = (with.get_heads(), with.save_with_options(without_orphans()));
            Some(heads.is_empty() || loads_as(&whole, &heads))
        });
        encodes.is_ok_and(|encodes| encodes == Some(true))
    }

    fn integrated(&mut self, update: Bytes) -> Bytes {
        self.integrated_bytes += update.len();
        self.encoded = None;
        update
    }

    /// Notes which of these changes wait for others; so many that it is too much are all dropped.
    fn note_orphans(&mut self, brought: Vec<(ChangeHash, usize)>) -> Result<(), AutomergeError> {
        self.orphans.extend(brought);
        let orphans = &mut self.orphans;
        self.doc.read(|doc| orphans.retain(|hash, _| doc.get_change_meta_by_hash(hash).is_none()))?;
        if self.orphans.values().sum::<usize>() <= AUTOMERGE_ORPHAN_BYTES_MAX {
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
    /// changes and what is indexed several times that; what is known of all actors grows with the square of their number.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let actors = self.doc.read(actors).unwrap_or_default();
        let encoded = self.encoded.as_ref().map_or(0, Encoded::memory_bytes);
        self.integrated_bytes.saturating_mul(6) + actors.saturating_pow(2) / 3 + encoded
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

fn without_orphans() -> automerge::SaveOptions {
    automerge::SaveOptions { retain_orphans: false, ..Default::default() }
}

/// Returns whether a change is written in another way than automerge would write it. A whole document holds of its changes only what
/// they do, so one that is written otherwise comes back with another hash, and the document is refused by whoever loads it.
fn is_odd(change: &Change) -> bool {
    contained(|| Change::from(change.decode()).hash()) != Ok(change.hash())
}

/// Returns whether these are the bytes of a document with these heads.
fn loads_as(whole: &[u8], heads: &[ChangeHash]) -> bool {
    load_document(whole).is_ok_and(|loaded| loaded.get_heads() == heads)
}

/// Returns how many actors have written.
fn actors(document: &Automerge) -> usize {
    usize::try_from(document.stats().num_actors).unwrap_or(usize::MAX)
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
    let changes = changes_of(&stored_chunks(update)?)?;
    let made = changes.iter().map(|change| Made {
        maker: Maker::Actor(change.actor_id().to_bytes().into()),
        start: change.start_op().get(),
        end: change.max_op().saturating_add(1),
    });
    Ok(made.filter(|made| made.start < made.end).collect())
}

/// Returns the changes in chunks, in their order.
fn changes_of(chunks: &[Chunk<'_>]) -> Result<Vec<Change>, AutomergeError> {
    let mut changes = Vec::new();
    for Chunk { kind, bytes } in chunks {
        match kind {
            ChunkKind::Document => {
                let loaded = load_document(bytes)?;
                let of_it = contained(|| loaded.get_changes(&[]));
                changes.extend(of_it.map_err(|Failed| AutomergeError::Refused)?);
            }
            ChunkKind::Change => {
                let change = contained(|| Change::from_bytes(bytes.to_vec()));
                let change = change.map_err(|Failed| AutomergeError::Refused)?;
                changes.push(change.map_err(|_| AutomergeError::Refused)?);
            }
        }
    }
    Ok(changes)
}
