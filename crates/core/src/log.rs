//! What a document's log keeps: every update with who sent it and when.

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use bytes::Bytes;

use crate::{
    id::{ClientId, CommitNumber, ConnectionId},
    time::WallMs,
};

/// What kind of document it is. Each has its own updates, and its own protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// A Yjs document.
    #[default]
    Yjs,
    /// An Automerge document.
    Automerge,
}

/// Who made a change, as far as the server knows. Both are absent while no authentication is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Author {
    /// The user, as the credential names them.
    pub user: Option<Arc<str>>,
    /// The user's device.
    pub device: Option<Arc<str>>,
}

/// Who made elements of a document, as the document itself says it. Which user that was only its log knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// A client of a Yjs document.
    Client(ClientId),
    /// An actor of an Automerge document.
    Actor(Arc<[u8]>),
}

/// Who wrote some elements in the document that they were brought from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who made them.
    pub maker: Maker,
    /// The number of the first one: a clock of Yjs, or the counter of an op of Automerge.
    pub start: u64,
    /// How many; at least 1.
    pub len: u64,
    /// Who that was.
    pub author: Author,
    /// When the server took the first of them in.
    pub at: WallMs,
}

impl Origin {
    /// Returns the number behind the last element.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// Who wrote what an update brings from another document, in order of makers and numbers, at most
/// [`ORIGINS_MAX`](crate::limits::ORIGINS_MAX). Who wrote what is in none of them nobody knows. Without any it was written by whoever
/// brings it.
pub type Origins = Option<Arc<[Origin]>>;

/// Whose an update is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// Who brings it.
    pub author: Author,
    /// Who wrote it.
    pub origins: Origins,
}

impl From<Author> for Credit {
    /// Who brings it has written it.
    fn from(author: Author) -> Self {
        Self { author, origins: None }
    }
}

/// One update as it was integrated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Who sent it.
    pub author: Author,
    /// The connection it came in on.
    pub connection: ConnectionId,
    /// When the server took it in.
    pub at: WallMs,
    /// The update (Yjs: V1; Automerge: chunks), holding only what the document did not have before.
    pub update: Bytes,
    /// Who wrote it, if it comes from a branch, or from the document that this is a branch of.
    pub origins: Origins,
}

/// One commit of one document: the updates of one tick, in the order in which they were integrated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Position in the document's log.
    pub number: CommitNumber,
    /// The updates; never empty.
    pub entries: Vec<LogEntry>,
}

/// A document's whole state up to a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last commit that the state covers.
    pub number: CommitNumber,
    /// The state as one update (Yjs: V1; Automerge: a document).
    pub state: Bytes,
}

/// Who wrote in the documents that had a name before and were deleted. None of what they wrote there comes back under the name,
/// whoever still has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Former {
    /// These clients of Yjs documents. A client id is drawn anew for each life of a document in an editor, so who has one of
    /// these has a document that was deleted.
    Clients(BTreeSet<ClientId>),
    /// Nobody knows who: the name is not used again.
    Everyone,
}

impl Default for Former {
    fn default() -> Self {
        Self::Clients(BTreeSet::new())
    }
}

impl Former {
    /// Returns those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Clients(mut clients), Self::Clients(others)) => {
                clients.extend(others);
                Self::Clients(clients)
            }
            (Self::Everyone, _) | (_, Self::Everyone) => Self::Everyone,
        }
    }
}
