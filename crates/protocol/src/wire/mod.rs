//! The dialects: one module each, from bytes to [`Request`]s and from what a room says to bytes.

pub mod automerge;
mod base58;
pub mod hocuspocus;
pub mod hook;
pub mod signature;
pub mod sync_v1;
pub mod yjs;

use bytes::Bytes;
use syncline_core::log::Engine;

/// What a client asks of a document, whatever dialect it speaks. The bytes inside are not proved yet: documents and
/// presence tables prove them where they take them in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Asks for what the sender lacks.
    Sync {
        /// The sender's state vector.
        state: Bytes,
    },
    /// Brings an update.
    Update {
        /// The update, V1.
        update: Bytes,
        /// Whether it answers a request of the server's for what the server lacks.
        answer: bool,
    },
    /// Brings awareness entries.
    Presence {
        /// An awareness update.
        entries: Bytes,
    },
    /// Asks for everyone's awareness.
    QueryPresence,
    /// Asks to be told when the document is kept with all that its sender has changed.
    SyncStatus {
        /// How often the sender has changed it.
        version: u64,
    },
    /// Continues the dialogue about an Automerge document.
    Dialogue {
        /// An Automerge sync message.
        message: Bytes,
        /// Whether the sender does not have the document, and waits for it.
        wants: bool,
    },
    /// Brings a message for everyone else who has an Automerge document open.
    Broadcast {
        /// The message, as [`automerge::Inner::encode`] has written it.
        inner: Bytes,
    },
    /// Brings a text for everyone else who speaks a dialect that knows such.
    Stateless {
        /// The text, UTF-8.
        payload: Bytes,
    },
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// [`yjs`]: it takes the echo of an update as its acknowledgement.
    #[default]
    Yjs,
    /// [`hocuspocus`]: it counts the updates that are not acknowledged, and is asked for what it has whenever it asks.
    Hocuspocus,
    /// [`automerge`]: each has a dialogue of its own with the document, in which heads acknowledge changes.
    Automerge,
}

impl Dialect {
    /// Returns what kind of documents it is about.
    #[must_use]
    pub const fn engine(self) -> Engine {
        match self {
            Self::Yjs | Self::Hocuspocus => Engine::Yjs,
            Self::Automerge => Engine::Automerge,
        }
    }
}

impl Request {
    /// Returns the bytes that the request carries.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Sync { state: bytes }
            | Self::Update { update: bytes, .. }
            | Self::Presence { entries: bytes }
            | Self::Dialogue { message: bytes, .. }
            | Self::Broadcast { inner: bytes }
            | Self::Stateless { payload: bytes } => bytes.len(),
            Self::QueryPresence | Self::SyncStatus { .. } => 0,
        }
    }
}
