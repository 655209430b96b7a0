//! The automerge-repo dialect: `@automerge/automerge-repo` 2.5 over binary WebSocket frames, many documents a socket.
//!
//! A frame is one CBOR map with text keys. `documentId` is Base58Check of 1 to 64 bytes, `data` an Automerge sync message.
//!
//! | `type` | from | beside `senderId` and, but in `join`, `targetId` |
//! | --- | --- | --- |
//! | `join` | client, first | `peerMetadata`, `supportedProtocolVersions` (`["1"]`) |
//! | `peer` | server, answer | `peerMetadata`, `selectedProtocolVersion` |
//! | `request` | client | `documentId`, `data`: it wants a document that it does not have |
//! | `sync` | both | `documentId`, `data` |
//! | `doc-unavailable` | both | `documentId` |
//! | `ephemeral` | both | `documentId`, `count`, `sessionId`, `data`; `senderId` is the author |
//! | `error` | server | `message` |
//!
//! Clients write lengths longer than need be, `undefined` where a value is missing, and integers from 2^32 on as floats. Keys
//! and types that are not known are left out. After the sources of automerge-repo 2.5.6.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::base58;

pub use self::decode::{FrameError, decode};
pub use self::encode::{Inner, refused, welcome};

/// Longest payload of a document's name, in bytes. Names are UUIDs unless an application draws them.
const DOCUMENT_BYTES_MAX: usize = 64;

/// Returns whether a document can have the name: Base58Check of 1 to 64 bytes.
#[must_use]
pub fn is_document_name(name: &str) -> bool {
    base58::decode(name, DOCUMENT_BYTES_MAX).is_some_and(|bytes| !bytes.is_empty())
}

/// Returns the name of a document of 16 bytes, which are drawn as clients draw them.
#[must_use]
pub fn document_name(drawn: [u8; 16]) -> String {
    base58::encode(&drawn)
}

/// A frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// It says who it is.
    Join {
        /// Its name.
        sender: String,
        /// Whether it speaks version 1 of the protocol.
        speaks_ours: bool,
    },
    /// A message about a document.
    Message {
        /// Whose message it is.
        sender: String,
        /// The document's name, checked; nothing if no document can have it.
        document: Result<String, String>,
        /// What it says.
        message: Message,
    },
    /// It says something that this version does not know, or does not need.
    Other,
}

/// What a client says of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It continues the dialogue.
    Sync {
        /// An Automerge sync message, not looked at.
        data: Bytes,
        /// Whether the client does not have the document, and waits for it.
        wants: bool,
    },
    /// It does not have the document.
    Unavailable,
    /// It has something for everyone else.
    Ephemeral {
        /// How many messages its author has sent in the session, this one included.
        count: u64,
        /// The session.
        session: String,
        /// The message.
        data: Bytes,
    },
}
