//! Many Automerge documents on one connection: who the client says it is, which documents it has open, and what of its
//! messages for others is new.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use syncline_core::{
    id::RoomName,
    limits::{
        AUTOMERGE_DOCUMENTS_PER_CONNECTION_MAX, AUTOMERGE_EPHEMERAL_BYTES_MAX, AUTOMERGE_SESSIONS_MAX,
        PRE_AUTH_BYTES_MAX, PRE_AUTH_MESSAGES_MAX, PRE_AUTH_MS_MAX,
    },
    time::MonotonicMs,
};

use super::{Action, Slot};
use crate::{
    Access, Batch, CloseReason, Frame, Request,
    wire::automerge::{Incoming, Inner, Message, refused, welcome},
};

/// The documents of one connection.
#[derive(Debug)]
pub(super) struct Automerge {
    /// What the server calls itself.
    server: Arc<str>,
    /// What the client calls itself; nothing before it has joined.
    client: Option<String>,
    documents: BTreeMap<String, Document>,
    names: BTreeMap<Slot, String>,
    slots: u64,
    /// Requests that wait until it is known what the client may do.
    waiting: usize,
    waiting_bytes: usize,
    /// How many messages for others came in each session.
    sessions: BTreeMap<String, u64>,
    /// When the connection is given up unless the client has joined.
    gives_up_at: Option<MonotonicMs>,
}

#[derive(Debug)]
struct Document {
    slot: Slot,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is being found out what the client may do. It was asked for these meanwhile.
    Waiting(VecDeque<Request>),
    Open,
    /// The client may not have it, or the room has closed it.
    Closed,
}

impl Automerge {
    pub(super) fn new(now: MonotonicMs, server: Arc<str>) -> Self {
        Self {
            server,
            client: None,
            documents: BTreeMap::new(),
            names: BTreeMap::new(),
            // The first slot is the connection's own.
            slots: 1,
            waiting: 0,
            waiting_bytes: 0,
            sessions: BTreeMap::new(),
            gives_up_at: Some(now.after(PRE_AUTH_MS_MAX)),
        }
    }

    pub(super) fn receive(&mut self, incoming: Incoming, actions: &mut VecDeque<Action>) {
        match incoming {
            Incoming::Join { sender, speaks_ours } => self.join(sender, speaks_ours, actions),
            Incoming::Message { sender, document, message } => {
                if self.client.is_none() {
                    actions.push_back(Action::Write(refused(
                        &self.server,
                        &sender,
                        "expected a join message",
                    )));
                    return actions.push_back(Action::Close(CloseReason::Malformed("join")));
                }
                match document {
                    Ok(document) => self.message(&sender, document, message, actions),
                    Err(document) => self.unavailable(&document, actions),
                }
            }
            Incoming::Other => {}
        }
    }

    /// A client may say again who it is, but not that it is someone else.
    fn join(&mut self, sender: String, speaks_ours: bool, actions: &mut VecDeque<Action>) {
        if self.client.as_ref().is_some_and(|client| *client != sender) {
            return actions.push_back(Action::Close(CloseReason::Malformed("join")));
        }
        if !speaks_ours {
            let answer = refused(&self.server, &sender, "unsupported protocol version");
            actions.push_back(Action::Write(answer));
            return actions.push_back(Action::Close(CloseReason::Malformed("version")));
        }
        self.gives_up_at = None;
        actions.push_back(Action::Write(welcome(&self.server, &sender)));
        self.client = Some(sender);
    }

    fn message(&mut self, sender: &str, name: String, message: Message, actions: &mut VecDeque<Action>) {
        let request = match message {
            Message::Sync { data, wants } => Request::Dialogue { message: data, wants },
            Message::Ephemeral { count, session, data } => {
                // Clients send back what others have sent.
                if self.client.as_deref() != Some(sender) || !self.is_new(&session, count) {
                    return;
                }
                if data.len() > AUTOMERGE_EPHEMERAL_BYTES_MAX {
                    return;
                }
                let sender = sender.to_owned();
                Request::Broadcast { inner: Inner::Ephemeral { sender, count, session, data }.encode() }
            }
            // It was not asked.
            Message::Unavailable => return,
        };
        match self.documents.get_mut(&name) {
            Some(Document { slot, state: State::Open }) => {
                let slot = *slot;
                actions.push_back(Action::Request { slot, request });
            }
            Some(Document { state: State::Waiting(requests), .. }) => {
                self.waiting += 1;
                self.waiting_bytes += request.bytes();
                requests.push_back(request);
                if self.waiting > PRE_AUTH_MESSAGES_MAX || self.waiting_bytes > PRE_AUTH_BYTES_MAX {
                    actions.push_back(Action::Close(CloseReason::TooManyPending));
                }
            }
            // Nothing is opened for what is for others only.
            Some(Document { state: State::Closed, .. }) | None
                if matches!(request, Request::Broadcast { .. }) => {}
            Some(Document { state: State::Closed, .. }) | None => self.open(name, request, actions),
        }
    }

    /// Has it found out whether the client may open a document; if it may, this is the first that it asks.
    fn open(&mut self, name: String, request: Request, actions: &mut VecDeque<Action>) {
        let is_known = self.documents.contains_key(&name);
        let room = RoomName::new(&name).ok();
        let room = room.filter(|_| is_known || self.documents.len() < AUTOMERGE_DOCUMENTS_PER_CONNECTION_MAX);
        let Some(room) = room else { return self.unavailable(&name, actions) };
        let slot = Slot(self.slots);
        self.slots += 1;
        // The shell keeps the first request in its accounts until it says what the client may do.
        let state = State::Waiting(VecDeque::from([request]));
        if let Some(before) = self.documents.insert(name.clone(), Document { slot, state }) {
            self.names.remove(&before.slot);
        }
        self.names.insert(slot, name);
        actions.push_back(Action::Admit { slot, room });
    }

    /// Opens a document that the client may have, or tells it that there is none.
    pub(super) fn authorized(&mut self, slot: Slot, access: Option<Access>, actions: &mut VecDeque<Action>) {
        let Some(name) = self.names.get(&slot) else { return };
        let Some(document) = self.documents.get_mut(name) else { return };
        match (&mut document.state, access) {
            (State::Waiting(requests), access) => {
                let requests = std::mem::take(requests);
                // The first is not among those that wait behind it.
                self.waiting -= requests.len() - 1;
                self.waiting_bytes -= requests.iter().skip(1).map(Request::bytes).sum::<usize>();
                let room = RoomName::new(name).ok();
                let Some((access, room)) = access.zip(room) else {
                    document.state = State::Closed;
                    let name = name.clone();
                    return self.unavailable(&name, actions);
                };
                document.state = State::Open;
                actions.push_back(Action::Open { slot, room, access });
                actions.extend(requests.into_iter().map(|request| Action::Request { slot, request }));
            }
            (State::Open, Some(access)) => actions.push_back(Action::Access { slot, access }),
            (State::Open, None) => self.withdrawn(slot, CloseReason::Forbidden, actions),
            (State::Closed, _) => {}
        }
    }

    /// Takes it that the client may not use a document any more, or the connection.
    pub(super) fn withdrawn(&mut self, slot: Slot, reason: CloseReason, actions: &mut VecDeque<Action>) {
        let document = self.names.get(&slot).and_then(|name| self.documents.get(name));
        match (document.map(|document| &document.state), reason) {
            (Some(State::Open), CloseReason::Forbidden) => {
                actions.push_back(Action::Leave { slot });
                self.closed(slot, reason, actions);
            }
            (Some(State::Waiting(_)), CloseReason::Forbidden) => self.authorized(slot, None, actions),
            (Some(State::Closed), CloseReason::Forbidden) => {}
            // It may be let in later, and only a new connection asks again for all that it has open.
            _ => actions.push_back(Action::Close(reason)),
        }
    }

    fn unavailable(&self, name: &str, actions: &mut VecDeque<Action>) {
        let client = self.client.as_deref().unwrap_or_default();
        let frame = Inner::address(&Inner::Unavailable.encode(), &self.server, client, name);
        actions.push_back(Action::Write(frame));
    }

    /// Returns whether a message for others did not come before.
    fn is_new(&mut self, session: &str, count: u64) -> bool {
        if let Some(last) = self.sessions.get_mut(session) {
            let new = count > *last;
            *last = count.max(*last);
            return new;
        }
        if self.sessions.len() >= AUTOMERGE_SESSIONS_MAX {
            return false;
        }
        self.sessions.insert(session.to_owned(), count);
        true
    }

    /// The room has closed a document. The client can only be told that there is none, and why in its log; what concerns more than
    /// the document closes the connection.
    pub(super) fn closed(&mut self, slot: Slot, reason: CloseReason, actions: &mut VecDeque<Action>) {
        let Some(name) = self.names.get(&slot) else { return };
        let Some(document) = self.documents.get_mut(name) else { return };
        match reason {
            CloseReason::Forbidden
            | CloseReason::Deleted
            | CloseReason::OtherKind
            | CloseReason::TooLarge
            | CloseReason::OverQuota(_)
            | CloseReason::Quarantined => {
                document.state = State::Closed;
                let client = self.client.as_deref().unwrap_or_default();
                let text = format!("{name}: {}", reason.text());
                actions.push_back(Action::Write(refused(&self.server, client, &text)));
                let name = name.clone();
                self.unavailable(&name, actions);
            }
            _ => actions.push_back(Action::Close(reason)),
        }
    }

    pub(super) fn gives_up_at(&self) -> Option<MonotonicMs> {
        self.gives_up_at
    }

    /// Returns what a room says of a document as frames for the client; nothing if the document is not open.
    pub(super) fn dress(&self, slot: Slot, batch: &Batch) -> Option<Arc<Batch>> {
        let name = self.names.get(&slot)?;
        matches!(self.documents.get(name)?.state, State::Open).then_some(())?;
        let client = self.client.as_deref()?;
        let address = |inner: &Bytes| -> Frame { Inner::address(inner, &self.server, client, name) };
        Some(Batch::new(batch.upto(), batch.frames().iter().map(address).collect()))
    }
}
