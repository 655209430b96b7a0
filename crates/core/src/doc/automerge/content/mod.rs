//! What an Automerge document holds, as a tree: read as JSON and text, compared, and changed.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use automerge::{ActorId, Automerge, ROOT, ReadDoc, transaction::CommitOptions};
use bytes::Bytes;
use serde_json::Value;

use self::read::Blocks;
use super::{AutomergeDocument, Broken, Failed};
use crate::{
    doc::{
        Change, DocumentEdit, EditError, ReadError, WriteError,
        content::{Content, Delta, Named, chars_of, delta, is_same, report},
        edit::{Top, entry_at, make_all},
    },
    limits::AUTOMERGE_OPS_MAX,
    time::WallMs,
};

impl AutomergeDocument {
    /// Returns the document as JSON. Texts become strings, counters and times (milliseconds since the Unix epoch) numbers, bytes arrays
    /// of numbers. Of values that were written at once the one that automerge shows is there.
    ///
    /// # Errors
    /// [`ReadError`] says why it is not read.
    pub fn to_json(&self) -> Result<Value, ReadError> {
        Ok(Content::Map(self.entries()?).plain())
    }

    /// Returns the characters of the text at a path, if there is one: the name of an entry, or a JSON pointer (RFC 6901).
    ///
    /// # Errors
    /// [`ReadError`] says why it is not read.
    pub fn text(&self, path: &str) -> Result<Option<String>, ReadError> {
        Ok(match entry_at(&self.entries()?, path) {
            Some(Content::Text(runs)) => Some(chars_of(runs)),
            _ => None,
        })
    }

    /// Returns what has to change for this document to hold what `after` holds.
    ///
    /// # Errors
    /// [`ReadError`] says why it is not read.
    pub fn changes_to(&self, after: &Self) -> Result<Vec<Change>, ReadError> {
        let (before, after) = (Content::Map(self.entries()?), Content::Map(after.entries()?));
        let mut changes = Vec::new();
        report("", &delta(&before, &after), Some(&before), Some(&after), &mut changes);
        Ok(changes)
    }

    /// Makes edits one after the other, all or none, as the actor `author` at `now`, and returns them as one change; nothing if they
    /// change nothing. The document itself stays as it is. Strings become texts; a counter that is replaced by a number is added to.
    ///
    /// # Errors
    /// [`EditError`] says which edit is refused, and why.
    pub fn edit(
        &self,
        edits: &[DocumentEdit],
        author: [u8; 16],
        now: WallMs,
    ) -> Result<Option<Bytes>, EditError> {
        let before = self.entries()?;
        let mut after = before.clone();
        make_all(Top::Entries, &mut after, edits)?;
        Ok(self.write(before, after, author, now)?)
    }

    /// Returns a change by the actor `author` at `now`, after which this document holds what `target` holds; nothing if it does so
    /// already. What both hold stays as it is: only what differs is removed or written anew.
    ///
    /// # Errors
    /// [`WriteError`]; the document itself is never changed.
    pub fn restore(&self, target: &Self, author: [u8; 16], now: WallMs) -> Result<Option<Bytes>, WriteError> {
        self.write(self.entries()?, target.entries()?, author, now)
    }

    fn entries(&self) -> Result<Named, ReadError> {
        self.entries_of(Blocks::Seen, AUTOMERGE_OPS_MAX)
    }

    /// Returns the entries, and in their texts what begins each block.
    pub(in crate::doc) fn rich_entries(&self) -> Result<Named, ReadError> {
        self.entries_of(Blocks::Read, AUTOMERGE_OPS_MAX)
    }

    /// Returns the entries of a document of at most so many ops.
    fn entries_of(&self, blocks: Blocks, ops_max: u64) -> Result<Named, ReadError> {
        if self.doc.read(|doc| doc.stats().num_ops).map_err(Broken::from)? > ops_max {
            return Err(ReadError::Ops);
        }
        Ok(self.doc.read(|doc| read::entries_of(doc, blocks)).map_err(Broken::from)?)
    }

    /// Writes in a copy of the document what turns its entries into others, and looks whether it did.
    fn write(
        &self,
        before: Named,
        after: Named,
        author: [u8; 16],
        now: WallMs,
    ) -> Result<Option<Bytes>, WriteError> {
        let (before, after) = (Content::Map(before), Content::Map(after));
        let entries = match (delta(&before, &after), &after) {
            (Delta::Named(entries), Content::Map(after)) => (entries, after),
            _ => return Ok(None),
        };
        let written = self.doc.read(|doc| write_in_copy(doc, entries, author, now));
        let (change, held) = written.map_err(Broken::from)?.ok_or(WriteError::Unwritable)?;
        if !is_same(&held, &after) {
            return Err(WriteError::Unwritable);
        }
        Ok(change)
    }
}

/// Returns the change, and what the copy then holds.
fn write_in_copy(
    doc: &Automerge,
    (delta, after): (BTreeMap<String, Delta>, &Named),
    author: [u8; 16],
    now: WallMs,
) -> Option<(Option<Bytes>, Content)> {
    let mut copy = doc.clone();
    copy.set_actor(ActorId::from(author));
    let mut txn = copy.transaction();
    write::write_entries(&mut txn, &ROOT, &delta, after).ok()?;
    // Automerge's clients give it in seconds.
    let time = i64::try_from(now.0 / 1_000).unwrap_or(i64::MAX);
    let (hash, _) = txn.commit_with(CommitOptions::default().with_time(time));
    let change = hash.and_then(|_| copy.get_last_local_change());
    let bytes = change.map(|change| Bytes::copy_from_slice(change.raw_bytes()));
    Some((bytes, Content::Map(read::entries_of(&copy, Blocks::Seen))))
}

impl From<Failed> for WriteError {
    fn from(failed: Failed) -> Self {
        Self::Broken(failed.into())
    }
}
