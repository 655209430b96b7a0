//! A client of automerge's own: its document, and its side of the dialogue.

use automerge::{
    ActorId, AutoCommit, ChangeHash, ObjType, ROOT, ReadDoc,
    sync::{Message, State, SyncDoc},
    transaction::Transactable,
};
use bytes::Bytes;
use syncline_protocol::{Dialect, Guest};

use crate::{Rng, family::Edit};

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

    /// Makes a random edit.
    fn change(&mut self, rng: &mut Rng) {
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
    fn say(&mut self) -> Option<Bytes> {
        let message = self.doc.sync().generate_sync_message(&mut self.state)?;
        Some(message.encode().into())
    }
}

impl Edit<Vec<ChangeHash>> for Client {
    fn guest(&self) -> Guest {
        Guest { dialect: Dialect::Automerge, ..Guest::default() }
    }

    /// Begins the dialogue anew: a connection that broke may have lost anything.
    fn connect(&mut self) -> Vec<Bytes> {
        self.state = State::new();
        self.say().into_iter().collect()
    }

    fn edit(&mut self, rng: &mut Rng, connected: bool) -> Vec<Bytes> {
        self.change(rng);
        if connected { self.say().into_iter().collect() } else { Vec::new() }
    }

    fn receive(&mut self, message: &Bytes) -> Vec<Bytes> {
        let message = Message::decode(message).expect("the server writes messages");
        self.doc.sync().receive_sync_message(&mut self.state, message).expect("the server is honest");
        self.say().into_iter().collect()
    }

    /// Whoever has nothing to say and nothing to hear is in sync.
    fn is_synced(&self) -> bool {
        true
    }

    fn is_saved(&self) -> Option<bool> {
        None
    }

    fn held(&mut self) -> (Vec<ChangeHash>, String) {
        let heads = self.doc.get_heads();
        let words = format!("{heads:?}");
        (heads, words)
    }
}

/// Describes a message in a few characters, for the trace.
pub(crate) fn describe(message: &[u8]) -> String {
    match Message::decode(message) {
        Ok(decoded) => format!("{} heads, {} bytes", decoded.heads.len(), message.len()),
        Err(_) => "nonsense".to_owned(),
    }
}
