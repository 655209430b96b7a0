//! Automerge documents, as a peer of automerge-repo with a connection speaks of them. As much of its protocol as that takes.

use std::io;

use automerge::sync::{Message, State, SyncDoc};
use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, ObjId, ObjType, ROOT, ReadDoc};

use crate::client::Client;
use crate::dialect::Dialect;
use crate::paper::trace::{self, Edit};
use crate::server::Server;

/// The name of a document: base58check of 16 bytes that count up.
const DOCUMENT: &str = "pEbmSWqJdBuPadRGm8tDZXgWR6";
/// Keys that are typed between two messages of the dialogue.
const KEYS_A_MESSAGE: usize = 64;
const TEXT: &str = "t";

/// A peer that shares one document with the server.
struct Peer {
    client: Client,
    document: AutoCommit,
    state: State,
    has_asked: bool,
}

impl Peer {
    /// Connects and says who it is.
    async fn connect(server: &Server, document: AutoCommit) -> io::Result<Self> {
        let mut client = Client::connect(server.address(), &server.path(""), Dialect::YWebsocket).await?;
        let mut join = map(4);
        text(&mut join, "type", "join");
        text(&mut join, "senderId", "typist");
        key(&mut join, "peerMetadata");
        join.extend(map(1));
        key(&mut join, "isEphemeral");
        join.push(TRUE);
        key(&mut join, "supportedProtocolVersions");
        join.push(ARRAY | 1);
        string(&mut join, "1");
        client.send(&join).await?;
        // It says who it is.
        client.receive().await?;
        Ok(Self { client, document, state: State::new(), has_asked: false })
    }

    /// Sends the next message of the dialogue, if it is this peer's turn.
    async fn say(&mut self) -> io::Result<()> {
        let Some(message) = self.document.sync().generate_sync_message(&mut self.state) else {
            return Ok(());
        };
        let is_request = !self.has_asked && self.document.get_heads().is_empty();
        self.has_asked = true;
        let mut frame = map(5);
        text(&mut frame, "type", if is_request { "request" } else { "sync" });
        text(&mut frame, "senderId", "typist");
        text(&mut frame, "targetId", "server");
        text(&mut frame, "documentId", DOCUMENT);
        key(&mut frame, "data");
        head(&mut frame, BYTES, message.clone().encode().len());
        frame.extend(message.encode());
        self.client.send(&frame).await
    }

    /// Waits for the server's next message of the dialogue.
    async fn hear(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(data) = data(self.client.receive().await?) {
                return Ok(data.to_vec());
            }
        }
    }

    fn take(&mut self, message: &[u8]) -> io::Result<()> {
        let message = Message::decode(message).map_err(invalid)?;
        self.document.sync().receive_sync_message(&mut self.state, message).map_err(invalid)
    }

    /// Goes on until the server has all that this peer has.
    async fn settle(&mut self) -> io::Result<()> {
        self.say().await?;
        while self.state.their_heads.as_deref() != Some(&self.document.get_heads()) {
            let message = self.hear().await?;
            self.take(&message)?;
            self.say().await?;
        }
        Ok(())
    }
}

/// A document with an empty text.
fn begin() -> io::Result<(AutoCommit, ObjId)> {
    let mut document = AutoCommit::new().with_actor(ActorId::from([1; 16]));
    let text = document.put_object(ROOT, TEXT, ObjType::Text).map_err(invalid)?;
    document.commit();
    Ok((document, text))
}

/// Makes one key as a change of its own.
fn press(document: &mut AutoCommit, text: &ObjId, edit: Edit) -> io::Result<()> {
    match edit {
        Edit::Insert { at, character } => {
            document.splice_text(text, at as usize, 0, character.encode_utf8(&mut [0; 4]))
        }
        Edit::Remove { at } => document.splice_text(text, at as usize, 1, ""),
    }
    .map_err(invalid)?;
    document.commit();
    Ok(())
}

/// Stores the first keys of the paper, each a change, as a document that was made elsewhere.
pub(crate) async fn store(server: &Server, keys: usize) -> io::Result<()> {
    let (mut document, text) = begin()?;
    trace::edits().into_iter().take(keys).try_for_each(|edit| press(&mut document, &text, edit))?;
    Peer::connect(server, document).await?.settle().await
}

/// Types the first keys of the paper, each a change, a few between two messages, and returns how many characters were typed.
pub(crate) async fn type_paper(server: &Server, keys: usize) -> io::Result<u64> {
    let (document, text) = begin()?;
    let mut peer = Peer::connect(server, document).await?;
    let mut typed = 0;
    let edits: Vec<Edit> = trace::edits().into_iter().take(keys).collect();
    for edits in edits.chunks(KEYS_A_MESSAGE) {
        for &edit in edits {
            typed += u64::from(matches!(edit, Edit::Insert { .. }));
            press(&mut peer.document, &text, edit)?;
        }
        peer.settle().await?;
    }
    Ok(typed)
}

/// Asks for the document, and returns the message that brought it.
pub(crate) async fn open(server: &Server) -> io::Result<Vec<u8>> {
    let mut peer = Peer::connect(server, AutoCommit::new()).await?;
    peer.say().await?;
    loop {
        let message = peer.hear().await?;
        // Servers may say which heads they have before they send anything.
        if message.len() > HEADS_BYTES_MAX {
            return Ok(message);
        }
        peer.take(&message)?;
        peer.say().await?;
    }
}

/// A message that only says what its sender has is shorter, of a document with one head.
const HEADS_BYTES_MAX: usize = 512;

/// Checks that a message brings the text that the first keys of the paper make.
pub(crate) fn check(message: &[u8], keys: usize) -> io::Result<()> {
    let (mut document, mut state) = (AutoCommit::new(), State::new());
    let message = Message::decode(message).map_err(invalid)?;
    document.sync().receive_sync_message(&mut state, message).map_err(invalid)?;
    let found = match document.get(ROOT, TEXT).map_err(invalid)? {
        Some((_, text)) => document.text(&text).map_err(invalid)?,
        None => String::new(),
    };
    let mut expected: Vec<char> = Vec::new();
    for edit in trace::edits().into_iter().take(keys) {
        match edit {
            Edit::Insert { at, character } => expected.insert(at as usize, character),
            Edit::Remove { at } => drop(expected.remove(at as usize)),
        }
    }
    if found.chars().eq(expected) { Ok(()) } else { Err(invalid("the server sent another document")) }
}

fn invalid(problem: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.to_string())
}

// CBOR (RFC 8949), as far as it is spoken here.

const BYTES: u8 = 2 << 5;
const STRING: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
const TRUE: u8 = 0xf5;

fn head(out: &mut Vec<u8>, kind: u8, len: usize) {
    match len {
        0..24 => out.push(kind | len as u8),
        24..0x1_0000 => {
            out.push(kind | 25);
            out.extend((len as u16).to_be_bytes());
        }
        _ => {
            out.push(kind | 26);
            out.extend((len as u32).to_be_bytes());
        }
    }
}

fn map(members: u8) -> Vec<u8> {
    vec![MAP | members]
}

fn string(out: &mut Vec<u8>, text: &str) {
    head(out, STRING, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn key(out: &mut Vec<u8>, key: &str) {
    string(out, key);
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    string(out, value);
}

/// Returns the member `data` of a frame, if it has one; no other member holds these bytes.
fn data(frame: &[u8]) -> Option<&[u8]> {
    let at = frame.windows(5).position(|window| window == b"\x64data")? + 5;
    let (kind, rest) = frame[at..].split_first()?;
    let (len, head) = match kind & 0x1f {
        len @ 0..24 => (usize::from(len), 0),
        24 => (usize::from(*rest.first()?), 1),
        25 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        26 => (u32::from_be_bytes(*rest.first_chunk()?) as usize, 4),
        _ => return None,
    };
    rest.get(head..head + len)
}
