//! From what the server says to CBOR.

use bytes::Bytes;
use minicbor::encode::{Encoder, Error};
use std::convert::Infallible;

use crate::Frame;

/// What a room says of a document, before it is known to whom: the receiver's connection adds who is who and which document it
/// is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inner {
    /// The next message of the dialogue.
    Sync(Bytes),
    /// There is no such document.
    Unavailable,
    /// A message from someone else.
    Ephemeral {
        /// Its author.
        sender: String,
        /// See [`Message::Ephemeral`](super::Message::Ephemeral).
        count: u64,
        /// The session.
        session: String,
        /// The message.
        data: Bytes,
    },
}

const SYNC: u8 = 0;
const UNAVAILABLE: u8 = 1;
const EPHEMERAL: u8 = 2;

type Writer<'a> = Encoder<&'a mut Vec<u8>>;

impl Inner {
    /// Writes it as rooms hand it on: a byte for its kind, and its own keys and values.
    #[must_use]
    pub fn encode(&self) -> Frame {
        let mut out = Vec::new();
        match self {
            Self::Sync(data) => {
                out.reserve(data.len() + 16);
                out.push(SYNC);
                write(&mut out, |to| to.str("data")?.bytes(data)?.ok());
            }
            Self::Unavailable => out.push(UNAVAILABLE),
            Self::Ephemeral { sender, count, session, data } => {
                out.push(EPHEMERAL);
                write(&mut out, |to| {
                    to.str("senderId")?.str(sender)?.str("count")?;
                    // Clients take larger integers for another type.
                    match u32::try_from(*count) {
                        Ok(count) => to.u32(count)?,
                        Err(_) => to.f64(*count as f64)?,
                    };
                    to.str("sessionId")?.str(session)?.str("data")?.bytes(data)?.ok()
                });
            }
        }
        out.into()
    }

    /// Writes what [`encode`](Self::encode) has written, as the frame for a receiver.
    #[must_use]
    pub fn address(inner: &[u8], server: &str, target: &str, document: &str) -> Frame {
        let (&kind, own) = inner.split_first().unwrap_or((&UNAVAILABLE, &[]));
        let mut out = Vec::with_capacity(own.len() + server.len() + target.len() + document.len() + 64);
        let (pairs, name) = match kind {
            SYNC => (5, "sync"),
            EPHEMERAL => (7, "ephemeral"),
            _unavailable => (4, "doc-unavailable"),
        };
        write(&mut out, |to| {
            to.map(pairs)?.str("type")?.str(name)?;
            if kind != EPHEMERAL {
                to.str("senderId")?.str(server)?;
            }
            to.str("targetId")?.str(target)?.str("documentId")?.str(document)?.ok()
        });
        out.extend_from_slice(own);
        out.into()
    }
}

/// Answers a join.
#[must_use]
pub fn welcome(server: &str, target: &str) -> Frame {
    let mut out = Vec::new();
    write(&mut out, |to| {
        to.map(5)?.str("type")?.str("peer")?.str("senderId")?.str(server)?;
        // Without the id of a storage clients keep nothing of us between connections.
        to.str("peerMetadata")?.map(1)?.str("isEphemeral")?.bool(true)?;
        to.str("selectedProtocolVersion")?.str("1")?.str("targetId")?.str(target)?.ok()
    });
    out.into()
}

/// Says what is wrong. Clients log it.
#[must_use]
pub fn refused(server: &str, target: &str, message: &str) -> Frame {
    let mut out = Vec::new();
    write(&mut out, |to| {
        to.map(4)?.str("type")?.str("error")?.str("senderId")?.str(server)?;
        to.str("targetId")?.str(target)?.str("message")?.str(message)?.ok()
    });
    out.into()
}

fn write(out: &mut Vec<u8>, what: impl FnOnce(&mut Writer<'_>) -> Result<(), Error<Infallible>>) {
    what(&mut Encoder::new(out)).expect("memory takes it");
}
