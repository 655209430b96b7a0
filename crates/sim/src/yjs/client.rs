//! A client as y-websocket, Hocuspocus or y-sweet makes one: it edits, offline too, and syncs whenever it is connected.

use bytes::Bytes;
use syncline_core::{
    doc::YjsDocument,
    guard::{Reader, scan_update},
};
use syncline_protocol::{Dialect, Guest, wire::yjs};
use yrs::{
    Any, Array, ClientID, Doc, GetString, Map, OffsetKind, Options, ReadTxn, StateVector, Text, Transact,
    Update, WriteTxn,
    updates::{decoder::Decode, encoder::Encode},
};

use crate::{family::Edit, trace::Rng};

/// How a client finds out what of its document is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saving {
    /// It sees its edits again, as y-websocket does.
    Echoed,
    /// It counts its updates that are not acknowledged, as Hocuspocus does.
    Counted {
        /// How many these are.
        unsaved: u32,
    },
    /// It asks about the version that it holds, as y-sweet does.
    Asked {
        /// How often it has changed its document.
        version: u64,
        /// The newest version that was called kept.
        kept: Option<u64>,
    },
}

impl Saving {
    pub(crate) const COUNTED: Self = Self::Counted { unsaved: 0 };
    pub(crate) const ASKED: Self = Self::Asked { version: 0, kept: None };
}

/// One editor with its document.
pub(crate) struct Client {
    doc: Doc,
    /// The same once more, to tell what of an update can be taken in now.
    known: YjsDocument,
    /// Updates that overtook what they rest on. yrs 0.28 would hold them too, but when what they rest on comes together with
    /// them again, it joins the two to characters that nobody typed.
    waiting: Vec<Bytes>,
    /// Whether the server has answered since the client connected.
    synced: bool,
    saving: Saving,
    /// What a client that counts did offline: it goes out edit by edit when the server is first heard of. Deletions do not,
    /// for the server cannot tell when they were made, and calls them saved too soon.
    offline: Vec<Bytes>,
    heard: bool,
}

impl Client {
    pub(crate) fn new(id: u64, saving: Saving) -> Self {
        let mut options = Options::with_client_id(ClientID::new(id));
        options.offset_kind = OffsetKind::Utf16;
        options.cleanup_formatting = false;
        options.guid = "".into();
        Self {
            doc: Doc::with_options(options),
            known: YjsDocument::default(),
            waiting: Vec::new(),
            synced: false,
            saving,
            offline: Vec::new(),
            heard: false,
        }
    }

    /// Returns the question about the version that the client holds, if it asks such.
    fn asks(&self) -> Option<Bytes> {
        let Saving::Asked { version, .. } = self.saving else { return None };
        Some(yjs::sync_status(version))
    }

    /// Makes a random edit and returns its update.
    fn change(&mut self, rng: &mut Rng) -> Bytes {
        let mut txn = self.doc.transact_mut();
        let (text, map, array) =
            (txn.get_or_insert_text("text"), txn.get_or_insert_map("map"), txn.get_or_insert_array("array"));
        let len = text.len(&txn) as usize;
        match rng.below(10) {
            0..5 => {
                let words = ["a", "word ", "two words "];
                text.insert(&mut txn, rng.below(len + 1) as u32, words[rng.below(words.len())]);
            }
            5 | 6 if len > 0 => {
                let at = rng.below(len);
                text.remove_range(&mut txn, at as u32, (1 + rng.below(3)).min(len - at) as u32);
            }
            7 => {
                map.insert(&mut txn, rng.below(3).to_string(), Any::from(rng.below(100) as f64));
            }
            8 => {
                array.push_back(&mut txn, Any::from(rng.below(100) as f64));
            }
            9 if array.len(&txn) > 0 => {
                let at = rng.below(array.len(&txn) as usize);
                array.remove(&mut txn, at as u32);
            }
            _ => text.insert(&mut txn, 0, "x"),
        }
        let update = Bytes::from(txn.encode_update_v1());
        drop(txn);
        self.known.replay(&update).expect("an edit rests on what is there");
        match &mut self.saving {
            Saving::Echoed => {}
            Saving::Counted { unsaved } => *unsaved += 1,
            Saving::Asked { version, .. } => *version += 1,
        }
        update
    }

    /// Keeps an edit that was made offline.
    fn keep(&mut self, update: &Bytes) {
        let inserts = scan_update(update).is_ok_and(|scanned| !scanned.sections().is_empty());
        if inserts && matches!(self.saving, Saving::Counted { .. }) {
            self.offline.push(yjs::update(update));
        }
    }

    fn answer(&mut self, frame: &Bytes) -> Option<Bytes> {
        match Message::read(frame)? {
            Message::Step1(state) => {
                let state = StateVector::decode_v1(state).ok()?;
                let diff = self.doc.transact().encode_state_as_update_v1(&state);
                Some(yjs::sync_step2(&diff))
            }
            Message::Step2(update) | Message::Update(update) => {
                self.synced |= matches!(Message::read(frame), Some(Message::Step2(_)));
                self.waiting.push(Bytes::copy_from_slice(update));
                self.take_in();
                None
            }
            Message::Durable => {
                if let Saving::Counted { unsaved } = &mut self.saving {
                    *unsaved = unsaved.saturating_sub(1);
                }
                None
            }
            Message::Kept(version) => {
                if let Saving::Asked { kept, .. } = &mut self.saving {
                    *kept = (*kept).max(Some(version));
                }
                None
            }
        }
    }

    /// Takes in what waits, as far as that is possible by now.
    fn take_in(&mut self) {
        let mut progress = true;
        while std::mem::take(&mut progress) {
            for update in std::mem::take(&mut self.waiting) {
                let applied = self.known.apply(&update).expect("the server sends honest updates");
                if let Some(new) = applied.update {
                    progress = true;
                    let new = Update::decode_v1(&new).expect("an update");
                    self.doc.transact_mut().apply_update(new).expect("it rests on what is there");
                }
                if applied.gap {
                    self.waiting.push(update);
                }
            }
        }
    }
}

impl Edit<Bytes> for Client {
    fn guest(&self) -> Guest {
        let dialect = match self.saving {
            Saving::Counted { .. } => Dialect::Hocuspocus,
            Saving::Echoed | Saving::Asked { .. } => Dialect::Yjs,
        };
        Guest { dialect, ..Guest::default() }
    }

    fn connect(&mut self) -> Vec<Bytes> {
        self.synced = false;
        self.heard = false;
        // What it was told holds for the document of then: that may have been deleted.
        match &mut self.saving {
            Saving::Echoed => {}
            Saving::Counted { unsaved } => *unsaved = 1,
            Saving::Asked { kept, .. } => *kept = None,
        }
        let step1 = yjs::sync_step1(&self.doc.transact().state_vector().encode_v1());
        [step1].into_iter().chain(self.asks()).collect()
    }

    fn edit(&mut self, rng: &mut Rng, connected: bool) -> Vec<Bytes> {
        let update = self.change(rng);
        if !connected {
            self.keep(&update);
            return Vec::new();
        }
        [yjs::update(&update)].into_iter().chain(self.asks()).collect()
    }

    fn receive(&mut self, frame: &Bytes) -> Vec<Bytes> {
        let mut sent = Vec::new();
        if !std::mem::replace(&mut self.heard, true) {
            sent.append(&mut self.offline);
        }
        sent.extend(self.answer(frame));
        sent
    }

    fn is_synced(&self) -> bool {
        self.synced
    }

    fn is_saved(&self) -> Option<bool> {
        match self.saving {
            Saving::Echoed => None,
            Saving::Counted { unsaved } => Some(unsaved == 0),
            Saving::Asked { version, kept } => Some(kept == Some(version)),
        }
    }

    fn held(&mut self) -> (Bytes, String) {
        let txn = self.doc.transact();
        let text = txn.get_text("text").map_or_else(String::new, |text| text.get_string(&txn));
        (txn.encode_state_as_update_v1(&StateVector::default()).into(), text)
    }
}

/// A sync message as the bytes of a frame.
pub(crate) enum Message<'a> {
    Step1(&'a [u8]),
    Step2(&'a [u8]),
    Update(&'a [u8]),
    /// One more update is durable.
    Durable,
    /// The client's document is kept up to this version.
    Kept(u64),
}

impl<'a> Message<'a> {
    /// Reads a frame; `None` if it holds something else.
    pub(crate) fn read(frame: &'a Bytes) -> Option<Self> {
        let mut reader = Reader::new(frame);
        match reader.var_uint().ok()? {
            0 => {}
            8 => return Some(Self::Durable),
            102 => return Reader::new(reader.buf().ok()?).var_uint().ok().map(Self::Kept),
            _ => return None,
        }
        let step = reader.var_uint().ok()?;
        let body = reader.buf().ok()?;
        match step {
            0 => Some(Self::Step1(body)),
            1 => Some(Self::Step2(body)),
            2 => Some(Self::Update(body)),
            _ => None,
        }
    }
}

/// Describes a frame in a few characters, for the trace.
pub(crate) fn describe(frame: &Bytes) -> String {
    let structs = |update: &[u8]| scan_update(update).map_or(0, |scanned| scanned.sections().len());
    match Message::read(frame) {
        Some(Message::Step1(state)) => format!("step1 {}", state.len()),
        Some(Message::Step2(update)) => format!("step2 {} of {}", update.len(), structs(update)),
        Some(Message::Update(update)) => format!("update {} of {}", update.len(), structs(update)),
        Some(Message::Durable) => "durable".into(),
        Some(Message::Kept(version)) => format!("status {version}"),
        None => format!("other {}", frame.len()),
    }
}
