//! One document and everyone in it.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use syncline_core::{
    id::{CommitNumber, ConnectionId},
    log::{Author, LogRecord, Snapshot},
    time::{MonotonicMs, Now},
};

use crate::{Batch, CloseReason, Request};

/// What a store holds of a document.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The commits after it, in order, without gaps.
    pub log: Vec<LogRecord>,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A connection joined.
    Join {
        /// Its number.
        connection: ConnectionId,
        /// Who is behind it.
        author: Author,
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
    /// Nothing more is waiting: the tick ends.
    Flush,
    /// The commit under way, and all before it, is durable.
    Committed,
    /// The commit under way failed. The room answers nothing more and must be dropped.
    CommitFailed,
    /// A compaction that the room asked for ended.
    Compacted {
        /// The snapshot that was written, or nothing if it was given up.
        snapshot: Option<(CommitNumber, usize)>,
    },
    /// The store was read again, after [`Effect::Reload`].
    Reloaded(Loaded),
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store the record, atomically and durably, then report [`Input::Committed`] or [`Input::CommitFailed`].
    Commit(LogRecord),
    /// Put this into the outbox of everyone who joined: [`crate::Outbox::publish`].
    Publish(Arc<Batch>),
    /// Put this into one outbox: [`crate::Outbox::answer`].
    Answer(ConnectionId, Arc<Batch>),
    /// Put this into one outbox: [`crate::Outbox::note`].
    Note(ConnectionId, Arc<Batch>),
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
    /// Awareness entries dropped because their id belongs to another connection or breaks a bound.
    pub presence_dropped: u64,
    /// Times that a lagging subscriber was brought up to date.
    pub resumed: u64,
    /// Times that the document was rebuilt from the store.
    pub rebuilt: u64,
}

/// One document and everyone in it: a machine that takes inputs and queues effects.
#[derive(Debug)]
pub struct Room {
    effects: VecDeque<Effect>,
    stats: Stats,
}

impl Room {
    /// Loads a room from what the store holds of its document.
    ///
    /// # Errors
    /// [`LoadError`] if what is stored does not make a document.
    pub fn load(_now: Now, _loaded: Loaded) -> Result<Self, LoadError> {
        Ok(Self { effects: VecDeque::new(), stats: Stats::default() })
    }

    /// Takes one input and queues its effects.
    pub fn handle(&mut self, _now: Now, _input: Input) {}

    /// Returns the next effect; the order is the order in which they must happen.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when [`Room::handle_timeout`] wants to be called. It may change with every call of the other methods.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonotonicMs> {
        None
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// Returns whether so much waits for the commit under way that the shell must hold back joins and requests.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        false
    }

    /// Returns whether the room has no subscribers and nothing that is not stored.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        true
    }

    /// Estimates what the document holds in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        0
    }

    /// Returns the number of connections in the room.
    #[must_use]
    pub fn connections(&self) -> usize {
        0
    }

    /// Returns what the room has counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Returns the whole state of the document as one update, durable or not.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        Bytes::new()
    }
}

/// Why a stored document could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A stored update is not one.
    #[error("commit {number} of the stored log does not decode")]
    Undecodable {
        /// The commit that holds it.
        number: CommitNumber,
    },
}
