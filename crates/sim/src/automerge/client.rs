//! A client of automerge's own: its document, and its side of the dialogue.

use automerge::{
    ActorId, AutoCommit, ChangeHash, ObjType, ROOT, ReadDoc,
    sync::{Message, State, SyncDoc},
    transaction::Transactable,
};
use bytes::Bytes;

use crate::Rng;

/// One tab.
pub(crate) struct Client {
    doc: AutoCommit,
    state: State,
}

impl Client {
    pub(crate) fn new(id: u64) -> Self {
        let doc = AutoCommit::new().with_actor(ActorId::from(id.to_be_bytes()));
        Self { doc, state: State::new() }
    }

    /// Begins the dialogue anew: a connection that broke may have lost anything.
    pub(crate) fn connect(&mut self) -> Option<Bytes> {
        self.state = State::new();
        self.say()
    }

    /// Makes a random edit.
    pub(crate) fn edit(&mut self, rng: &mut Rng) {
        let text = match self.doc.get(ROOT, "text") {
            Ok(Some((automerge::Value::Object(ObjType::Text), text))) => Some(text),
            _ => None,
        };
        let key = ["a", "b", "c"][rng.below(3)];
        match (rng.below(10), text) {
            (0..5, Some(text)) => {
                let len = self.doc.length(&text);
                let word = ["a", "word ", "two words "][rng.below(3)];
                self.doc.splice_text(&text, rng.below(len + 1), 0, word).expect("a text");
            }
            (5 | 6, Some(text)) if self.doc.length(&text) > 0 => {
                let at = rng.below(self.doc.length(&text));
                self.doc.splice_text(&text, at, 1, "").expect("a text");
            }
            (7, _) => _ = self.doc.delete(ROOT, key),
            (_, None) => _ = self.doc.put_object(ROOT, "text", ObjType::Text).expect("a map"),
            _ => self.doc.put(ROOT, key, rng.below(100) as i64).expect("a map"),
        }
        self.doc.commit();
    }

    /// Returns what there is to say.
    pub(crate) fn say(&mut self) -> Option<Bytes> {
        let message = self.doc.sync().generate_sync_message(&mut self.state)?;
        Some(message.encode().into())
    }

    pub(crate) fn receive(&mut self, message: &[u8]) {
        let message = Message::decode(message).expect("the server writes messages");
        self.doc.sync().receive_sync_message(&mut self.state, message).expect("the server is honest");
    }

    pub(crate) fn heads(&mut self) -> Vec<ChangeHash> {
        self.doc.get_heads()
    }
}

/// Describes a message in a few characters, for the trace.
pub(crate) fn describe(message: &[u8]) -> String {
    match Message::decode(message) {
        Ok(decoded) => format!("{} heads, {} bytes", decoded.heads.len(), message.len()),
        Err(_) => "nonsense".to_owned(),
    }
}
