//! One document and everyone in it.

mod automerge;
mod commits;
mod entity;
mod guests;
mod hosted;
mod machine;
mod quota;
mod recent;
mod requests;
mod returning;
mod stored;
#[cfg(test)]
mod tests;
mod ticks;

use std::sync::Arc;

use bytes::Bytes;
use syncline_core::{
    doc::CompactError,
    id::{CommitNumber, ConnectionId},
    limits,
    log::{Author, Credit, LogRecord, Snapshot},
};

pub use automerge::AutomergeRoom;
pub use entity::{AbsorbId, Absorbed, Content, ReadId, Revision};
pub use hosted::Hosted;
pub use machine::Room;

use crate::{
    Access, Batch, CloseReason, Dialect, Request,
    ledger::{MergeId, MergeOutcome},
};

/// What a store holds of a document.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The commits after it, in order, without gaps.
    pub log: Vec<LogRecord>,
}

impl Loaded {
    /// Returns the last commit that is stored.
    #[must_use]
    pub fn number(&self) -> CommitNumber {
        let logged = self.log.last().map(|record| record.number);
        logged.or(self.snapshot.as_ref().map(|snapshot| snapshot.number)).unwrap_or_default()
    }
}

/// The bounds of a room that may be set. The defaults are those of [`syncline_core::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomLimits {
    /// See [`limits::RECENT_BYTES_MAX`].
    pub recent_bytes_max: usize,
    /// See [`limits::RECENT_COMMITS_MAX`].
    pub recent_commits_max: usize,
    /// See [`limits::COMPACT_LOG_BYTES_MIN`].
    pub compact_log_bytes_min: usize,
    /// See [`limits::COMPACT_COMMITS_MIN`].
    pub compact_commits_min: u64,
    /// Longest that the snapshot and the log of the document may be together, in bytes: by default twice
    /// [`limits::DOCUMENT_BYTES_MAX`].
    pub document_bytes_max: usize,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            recent_bytes_max: limits::RECENT_BYTES_MAX,
            recent_commits_max: limits::RECENT_COMMITS_MAX,
            compact_log_bytes_min: limits::COMPACT_LOG_BYTES_MIN,
            compact_commits_min: limits::COMPACT_COMMITS_MIN,
            document_bytes_max: 2 * limits::DOCUMENT_BYTES_MAX,
        }
    }
}

/// Who joins a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guest {
    /// Who is behind the connection.
    pub author: Author,
    /// What it may do.
    pub access: Access,
    /// What it speaks.
    pub dialect: Dialect,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A connection joined.
    Join {
        /// Its number.
        connection: ConnectionId,
        /// Who is behind it, what it may do and what it speaks.
        guest: Guest,
    },
    /// What a connection may do has changed.
    Access {
        /// Its number.
        connection: ConnectionId,
        /// What it may do from now on.
        access: Access,
    },
    /// A connection left, or was closed.
    Leave {
        /// Its number.
        connection: ConnectionId,
    },
    /// A connection asks for something.
    Request {
        /// Its number.
        connection: ConnectionId,
        /// What it asks for.
        request: Request,
    },
    /// A connection's outbox dropped something and has been written empty.
    Resume {
        /// Its number.
        connection: ConnectionId,
        /// The last commit that it was brought up to.
        since: CommitNumber,
    },
    /// The ledger has an update for the document, which a device has sent that is not connected.
    Merge {
        /// What the ledger calls it.
        merge: MergeId,
        /// Who has sent it.
        author: Author,
        /// The update.
        update: Bytes,
    },
    /// Someone who is not connected has an update for the document that is no op: it was exported, or a program made it.
    Absorb {
        /// What they call it.
        absorb: AbsorbId,
        /// Who has sent it, and who wrote it.
        credit: Credit,
        /// The update.
        update: Bytes,
        /// What it was made for, if it is good for nothing else.
        made_for: Option<Revision>,
    },
    /// Someone who is not connected wants to know what the document holds.
    Read {
        /// What they call that.
        read: ReadId,
        /// The state vector of what they have of a Yjs document; without one they get it all.
        have: Option<Bytes>,
    },
    /// Nothing more is waiting: the tick ends.
    Flush,
    /// The commit under way, and all before it, is durable.
    Committed,
    /// The commit under way failed. The room answers nothing more and must be dropped.
    CommitFailed,
    /// A compaction that the room asked for ended.
    Compacted {
        /// The length of the snapshot that was written, in bytes; nothing if it was given up.
        snapshot_bytes: Option<usize>,
    },
    /// The store was read again, after [`Effect::Reload`].
    Reloaded(Loaded),
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store the record, atomically and durably, then report [`Input::Committed`] or [`Input::CommitFailed`].
    Commit(LogRecord),
    /// The [`Commit`](Self::Commit) that follows at once stores these: tell the ledger in the same batch.
    Carry(Vec<MergeId>),
    /// Tell the ledger how a merge has ended that is in no commit to come.
    Merged(MergeId, MergeOutcome),
    /// Tell whoever had it absorbed what became of it.
    Absorbed(AbsorbId, Absorbed),
    /// Tell whoever asked what the document holds; nothing if it broke.
    Read(ReadId, Option<Content>),
    /// Put this into the outbox of everyone who joined: [`crate::Outbox::publish`].
    Publish(Arc<Batch>),
    /// Put this into one outbox: [`crate::Outbox::answer`].
    Answer(ConnectionId, Arc<Batch>),
    /// Put this into one outbox: [`crate::Outbox::note`].
    Note(ConnectionId, Arc<Batch>),
    /// Put this into one outbox: [`crate::Outbox::text`].
    Text(ConnectionId, Arc<Batch>),
    /// Put this into one outbox: [`crate::Outbox::ask`].
    Ask(ConnectionId, Arc<Batch>),
    /// Put this into one outbox: [`crate::Outbox::step`].
    Step(ConnectionId, Arc<Batch>),
    /// So many of this connection's updates are durable: [`crate::Outbox::acknowledge`].
    Acknowledge(ConnectionId, u32),
    /// What this connection sent took as much work as so many bytes more: [`crate::Outbox::charge`].
    Charge(ConnectionId, u64),
    /// This connection's document is kept up to this version, as it counts: [`crate::Outbox::kept`].
    Kept(ConnectionId, u64),
    /// Put this into one outbox: [`crate::Outbox::resume`].
    Resume(ConnectionId, Arc<Batch>),
    /// Close this connection: [`crate::Outbox::close`]. The room has forgotten it already.
    Close(ConnectionId, CloseReason),
    /// Write a snapshot of the stored log up to this commit and delete what it covers, then report
    /// [`Input::Compacted`].
    Compact(CommitNumber),
    /// Read the document from the store and report [`Input::Reloaded`]; hand in nothing else but commits before it.
    Reload,
    /// Nobody is here and everything is stored: drop the room, unless someone has joined in the meantime.
    Unload,
}

/// What a room counts. The server exports every field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Updates that were integrated and committed.
    pub updates: u64,
    /// Updates that brought nothing new.
    pub duplicates: u64,
    /// Updates of which something had to wait for what it rests on.
    pub gaps: u64,
    /// Structs below the document's clock that were cut off.
    pub cut: u64,
    /// Updates refused.
    pub refused: u64,
    /// Updates and texts not taken from connections that may only read.
    pub unpermitted: u64,
    /// Awareness entries dropped because their id belongs to another connection or breaks a bound.
    pub presence_dropped: u64,
    /// Times that a lagging subscriber was brought up to date.
    pub resumed: u64,
    /// Times that the document was rebuilt from the store.
    pub rebuilt: u64,
}

/// Why a stored document could not be loaded. The store is at fault, or an older version of this engine.
pub type LoadError = CompactError;
