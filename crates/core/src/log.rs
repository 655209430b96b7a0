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
