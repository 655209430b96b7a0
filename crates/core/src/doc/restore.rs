//! Brings a document to what another holds, by a new change: nothing is rewound.

use std::collections::BTreeMap;

use bytes::Bytes;
use yrs::{
    TransactionMut, WriteTxn,
    branch::{Branch, BranchPtr},
};

use super::{
    content::{
        self, Budget, Change, Comparison, Content, Delta, Items, Unwritable, Writer, escaped, report,
        roots_of,
    },
    read::ReadError,
    yjs::{Broken, ReplayError, YjsDocument},
};
use crate::{guard::scan_update, id::ClientId};

/// Why a change could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The client has written in the document already: draw another.
    #[error("client {0} has written in the document already")]
    ClientTaken(ClientId),
    /// Something that was removed since cannot be written anew.
    #[error(
        "there was something that cannot be written anew: a subdocument, or a type that the engine only passes on"
    )]
    Unwritable,
    /// What it holds, or would, is not read.
    #[error(transparent)]
    Read(ReadError),
    /// So much changes in arrays so long that it would take too much time.
    #[error("too much changes in long arrays to be written at once")]
    Long,
    /// The document is of no further use.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The document cannot be read back from its own bytes.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl From<Unwritable> for WriteError {
    fn from(error: Unwritable) -> Self {
        match error {
            Unwritable::Content => Self::Unwritable,
            Unwritable::Formats => Self::Read(ReadError::Formats),
            Unwritable::Long => Self::Long,
        }
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Broken(broken) => Self::Broken(broken),
            unread => Self::Read(unread),
        }
    }
}

impl YjsDocument {
    /// Returns what has to change for this document to hold what `after` holds.
    ///
    /// # Errors
    /// [`ReadError`] says why one of them is not read.
    pub fn changes_to(&self, after: &Self) -> Result<Vec<Change>, ReadError> {
        let (before, after) = (self.roots()?, after.roots()?);
        let mut changes = Vec::new();
        for (name, delta) in differing(&before, &after) {
            report(&format!("/{}", escaped(name)), &delta, before.get(name), after.get(name), &mut changes);
        }
        Ok(changes)
    }

    /// Returns an update by the client `author`, which makes this document hold what `target` holds; nothing if it does
    /// so already. What both hold stays as it is: only what differs is removed or written anew. A root type cannot be
    /// taken away, it becomes empty.
    ///
    /// # Errors
    /// [`WriteError`]; the document itself is never changed.
    pub fn restore(&self, target: &Self, author: ClientId) -> Result<Option<Bytes>, WriteError> {
        self.write_roots(&self.roots()?, &target.roots()?, author)
    }

    /// Writes what turns the roots of this document into others.
    pub(super) fn write_roots(
        &self,
        before: &BTreeMap<String, Content>,
        after: &BTreeMap<String, Content>,
        author: ClientId,
    ) -> Result<Option<Bytes>, WriteError> {
        let changes = differing(before, after);
        if changes.is_empty() {
            return Ok(None);
        }
        self.write_as(author, |writer| {
            changes.iter().try_for_each(|(name, delta)| {
                write_root(writer, name, delta, before.get(*name), after.get(*name))
            })
        })
    }

    /// Writes in a copy of the document as a client of its own, and returns what was written.
    pub(super) fn write_as(
        &self,
        author: ClientId,
        write: impl FnOnce(&mut Writer<'_, '_>) -> Result<(), Unwritable>,
    ) -> Result<Option<Bytes>, WriteError> {
        if self.clock(author) > 0 || author == ClientId(0) {
            return Err(WriteError::ClientTaken(author));
        }
        let mut copy = Self::of(author);
        copy.replay(&self.encode()?)?;
        let budget = Budget::new(self.index().formats().most_at_once());
        let (written, update) =
            copy.contained_mut().write(|txn| write(&mut Writer::new(txn, &budget))).map_err(Broken::from)?;
        written?;
        let scanned = scan_update(&update).map_err(|_| Broken)?;
        Ok((!scanned.is_empty()).then_some(update))
    }

    /// Reads what each root type holds.
    pub(super) fn roots(&self) -> Result<BTreeMap<String, Content>, ReadError> {
        self.check_formats()?;
        Ok(self.contained().read(|txn| roots_of(txn)).map_err(Broken::from)?)
    }
}

/// Returns what differs, by root. A root that is not there is as one that is empty.
fn differing<'a>(
    before: &'a BTreeMap<String, Content>,
    after: &'a BTreeMap<String, Content>,
) -> Vec<(&'a str, Delta)> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let mut comparison = Comparison::default();
    let differing = names.filter_map(|name| {
        let delta = match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) if before.is_empty() && after.is_empty() => Delta::Same,
            (Some(before), Some(after)) if before == after => Delta::Same,
            (Some(before), Some(after)) => comparison.delta(before, after),
            (Some(one), None) | (None, Some(one)) if one.is_empty() => Delta::Same,
            _ => Delta::Other,
        };
        (delta != Delta::Same).then_some((name.as_str(), delta))
    });
    differing.collect()
}

fn write_root(
    writer: &mut Writer<'_, '_>,
    name: &str,
    delta: &Delta,
    before: Option<&Content>,
    after: Option<&Content>,
) -> Result<(), Unwritable> {
    match (delta, before, after) {
        (Delta::Other, before, after) => {
            if let Some(before) = before {
                let branch = root(writer.txn(), name, before)?;
                let nothing = before.emptied();
                content::write(writer, branch, &content::delta(before, &nothing), &nothing)?;
            }
            let Some(after) = after else { return Ok(()) };
            let branch = root(writer.txn(), name, after)?;
            content::append(writer, branch, after)
        }
        (delta, Some(before), Some(after)) => {
            let branch = root(writer.txn(), name, before)?;
            content::write(writer, branch, delta, after)
        }
        _ => Err(Unwritable::Content),
    }
}

/// Opens a root as the type that its content has.
pub(super) fn root(
    txn: &mut TransactionMut<'_>,
    name: &str,
    content: &Content,
) -> Result<BranchPtr, Unwritable> {
    fn branch(shared: &impl AsRef<Branch>) -> BranchPtr {
        BranchPtr::from(shared.as_ref())
    }
    Ok(match content {
        Content::Text(_) => branch(&txn.get_or_insert_text(name)),
        Content::Items(Items::Array, _) => branch(&txn.get_or_insert_array(name)),
        Content::Items(Items::Fragment, _) => branch(&txn.get_or_insert_xml_fragment(name)),
        Content::Map(_) => branch(&txn.get_or_insert_map(name)),
        _ => return Err(Unwritable::Content),
    })
}
