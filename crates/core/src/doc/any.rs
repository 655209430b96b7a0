//! A document of whichever kind: what programs may ask of all of them.

use bytes::Bytes;
use serde_json::Value;

use super::{
    Authorship, AutomergeDocument, Broken, Change, CompactError, DocumentEdit, EditError, MarkdownError,
    MergeError, ReadError, ReplayError, WriteError, WrittenRange, YjsDocument,
};
use crate::{
    id::ClientId,
    log::{Engine, LogRecord, Snapshot},
    time::WallMs,
};

/// A document of whichever kind.
#[derive(Debug)]
#[non_exhaustive]
pub enum AnyDocument {
    /// On yrs.
    Yjs(YjsDocument),
    /// On automerge.
    Automerge(Box<AutomergeDocument>),
}

/// As whom a document is written in: nobody else may have written in it so.
#[derive(Clone, Copy, Debug)]
pub struct Hand {
    /// Random bytes that name the writer. Yjs takes the first 32 bits of them, Automerge all.
    pub drawn: [u8; 16],
    /// When it is written.
    pub at: WallMs,
}

impl Hand {
    fn client(self) -> ClientId {
        let [a, b, c, d, ..] = self.drawn;
        ClientId(u32::from_be_bytes([a, b, c, d]).max(1).into())
    }
}

impl AnyDocument {
    /// Returns a document with nothing in it.
    #[must_use]
    pub fn empty(engine: Engine) -> Self {
        match engine {
            Engine::Yjs => Self::Yjs(YjsDocument::default()),
            Engine::Automerge => Self::Automerge(Box::default()),
        }
    }

    /// Builds a document from what is stored of it: the newest snapshot and the commits after it.
    ///
    /// # Errors
    /// [`CompactError::Snapshot`] or [`CompactError::Commit`] names what could not be taken up.
    pub fn load(
        engine: Engine,
        snapshot: Option<&Snapshot>,
        log: &[LogRecord],
    ) -> Result<Self, CompactError> {
        Ok(match engine {
            Engine::Yjs => Self::Yjs(YjsDocument::load(snapshot, log)?),
            Engine::Automerge => Self::Automerge(Box::new(AutomergeDocument::load(snapshot, log)?)),
        })
    }

    /// Builds a document from the whole of it, as [`encode`](Self::encode) returns it.
    ///
    /// # Errors
    /// [`ReplayError`] says why it cannot be.
    pub fn decode(engine: Engine, whole: &Bytes) -> Result<Self, ReplayError> {
        let mut document = Self::empty(engine);
        match &mut document {
            Self::Yjs(document) => document.replay(whole)?,
            Self::Automerge(document) => document.replay(whole)?,
        }
        Ok(document)
    }

    /// Returns of which kind it is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Yjs(_) => Engine::Yjs,
            Self::Automerge(_) => Engine::Automerge,
        }
    }

    /// Returns the whole document in the bytes of its kind.
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn encode(&self) -> Result<Bytes, Broken> {
        match self {
            Self::Yjs(document) => document.encode(),
            Self::Automerge(document) => document.encode(),
        }
    }

    /// Returns the whole document in bytes that another server takes in, as one update of its kind. For an Automerge document that
    /// takes a load more than [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn portable(&self) -> Result<Bytes, Broken> {
        match self {
            Self::Yjs(document) => document.encode(),
            Self::Automerge(document) => document.portable(),
        }
    }

    /// Returns the document as JSON.
    ///
    /// # Errors
    /// [`ReadError`] says why it is not read.
    pub fn to_json(&self) -> Result<Value, ReadError> {
        match self {
            Self::Yjs(document) => document.to_json(),
            Self::Automerge(document) => document.to_json(),
        }
    }

    /// Returns the characters of a root type, or of the text at a path of an Automerge document, if there is one.
    ///
    /// # Errors
    /// [`ReadError`] says why it is not read.
    pub fn text(&self, root: &str) -> Result<Option<String>, ReadError> {
        match self {
            Self::Yjs(document) => document.text(root),
            Self::Automerge(document) => document.text(root),
        }
    }

    /// Returns a root type as Markdown, or the text at a path of an Automerge document; if none is named, the only one that is rich text.
    ///
    /// # Errors
    /// [`MarkdownError`] says why it is not written.
    pub fn markdown(&self, root: Option<&str>) -> Result<String, MarkdownError> {
        match self {
            Self::Yjs(document) => document.markdown(root),
            Self::Automerge(document) => document.markdown(root),
        }
    }

    /// Returns what has to change for this document to hold what `after` holds; nothing if they are of two kinds.
    ///
    /// # Errors
    /// [`ReadError`] says why one of them is not read.
    pub fn changes_to(&self, after: &Self) -> Result<Option<Vec<Change>>, ReadError> {
        match (self, after) {
            (Self::Yjs(before), Self::Yjs(after)) => before.changes_to(after).map(Some),
            (Self::Automerge(before), Self::Automerge(after)) => before.changes_to(after).map(Some),
            (Self::Yjs(_), Self::Automerge(_)) | (Self::Automerge(_), Self::Yjs(_)) => Ok(None),
        }
    }

    /// Makes edits one after the other, all or none, and returns them as one update; nothing if they change nothing. The document
    /// itself stays as it is.
    ///
    /// # Errors
    /// [`EditError`] says which edit is refused, and why.
    pub fn edit(&self, edits: &[DocumentEdit], hand: Hand) -> Result<Option<Bytes>, EditError> {
        match self {
            Self::Yjs(document) => document.edit(edits, hand.client()),
            Self::Automerge(document) => document.edit(edits, hand.drawn, hand.at),
        }
    }

    /// Returns an update after which this document holds what `target` holds; nothing if it does so already.
    ///
    /// # Errors
    /// [`WriteError`]; the document itself is never changed. [`WriteError::Unwritable`] if they are of two kinds.
    pub fn restore(&self, target: &Self, hand: Hand) -> Result<Option<Bytes>, WriteError> {
        match (self, target) {
            (Self::Yjs(document), Self::Yjs(target)) => document.restore(target, hand.client()),
            (Self::Automerge(document), Self::Automerge(target)) => {
                document.restore(target, hand.drawn, hand.at)
            }
            (Self::Yjs(_), Self::Automerge(_)) | (Self::Automerge(_), Self::Yjs(_)) => {
                Err(WriteError::Unwritable)
            }
        }
    }

    /// Returns the state vector of a Yjs document; nothing for a kind that has none.
    #[must_use]
    pub fn state_vector(&self) -> Option<Bytes> {
        match self {
            Self::Yjs(document) => Some(document.state_vector()),
            Self::Automerge(_) => None,
        }
    }

    /// Returns who wrote what stands in each text.
    ///
    /// # Errors
    /// [`WriteError`] if the document cannot be copied.
    pub fn written_by(&self, authorship: &Authorship) -> Result<Vec<WrittenRange>, WriteError> {
        match self {
            Self::Yjs(document) => document.written_by(authorship),
            Self::Automerge(document) => Ok(document.written_by(authorship)?),
        }
    }

    /// Returns what `branch` holds and this document lacks, as an update that it can take in; nothing if it lacks nothing.
    ///
    /// # Errors
    /// [`MergeError`].
    pub fn lacks_of(&self, branch: &Self) -> Result<Option<Bytes>, MergeError> {
        match (self, branch) {
            (Self::Yjs(document), Self::Yjs(branch)) => document.lacks_of(branch),
            (Self::Automerge(document), Self::Automerge(branch)) => document.lacks_of(branch),
            (Self::Yjs(_), Self::Automerge(_)) | (Self::Automerge(_), Self::Yjs(_)) => {
                Err(MergeError::OtherKind)
            }
        }
    }

    /// Returns what would change if the document took in such an update; it itself stays as it is.
    ///
    /// # Errors
    /// [`MergeError`].
    pub fn changes_with(&self, update: &Bytes) -> Result<Vec<Change>, MergeError> {
        Ok(match self {
            Self::Yjs(document) => document.changes_to(&document.merged_with(update)?)?,
            Self::Automerge(document) => document.changes_to(&document.merged_with(update)?)?,
        })
    }
}
