//! Many documents on one connection: which are open, who must say who they are first, and what each may be sent.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use syncline_core::{
    id::RoomName,
    limits::{
        DOCUMENTS_PER_CONNECTION_MAX, PRE_AUTH_BYTES_MAX, PRE_AUTH_DOCUMENTS_MAX, PRE_AUTH_MESSAGES_MAX,
        PRE_AUTH_MS_MAX,
    },
    time::MonotonicMs,
};

use super::{Action, Slot};
use crate::{
    Access, CloseReason, Frame, Request,
    wire::{
        hocuspocus::{self as wire, Incoming, Message},
        yjs,
    },
};

/// The documents of one connection.
#[derive(Debug)]
pub(super) struct Hocuspocus {
    asks_token: bool,
    documents: BTreeMap<Bytes, Document>,
    addresses: BTreeMap<Slot, Bytes>,
    slots: u64,
    /// Requests that wait for a token to be found good.
    waiting: usize,
    waiting_bytes: usize,
    /// When the connection is given up unless a document was opened; nothing once one was.
    gives_up_at: Option<MonotonicMs>,
    /// Whether the client is of version 4 or later: it takes pings, and is told of a document's end.
    modern: bool,
}

#[derive(Debug)]
struct Document {
    slot: Slot,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nobody has found yet what the client may do. `asked` once a token is being looked at.
    Waiting {
        requests: VecDeque<Request>,
        asked: bool,
    },
    Open,
    /// It was closed by the room or for a bad token; only another token opens it again.
    Closed,
}

impl Hocuspocus {
    pub(super) fn new(now: MonotonicMs, asks_token: bool) -> Self {
        Self {
            asks_token,
            documents: BTreeMap::new(),
            addresses: BTreeMap::new(),
            slots: 0,
            waiting: 0,
            waiting_bytes: 0,
            gives_up_at: Some(now.after(PRE_AUTH_MS_MAX)),
            modern: false,
        }
    }

    pub(super) fn receive(&mut self, incoming: Incoming, actions: &mut VecDeque<Action>) {
        let Incoming::Message { address, message } = incoming else { return };
        match message {
            Message::Auth { token, modern } => {
                self.modern |= modern;
                self.auth(address, token, actions);
            }
            Message::Request(request) => self.request(address, request, actions),
            Message::Close => self.detach(&address, actions),
            Message::Forbidden => match self.documents.get(&address) {
                Some(Document { slot, state: State::Open }) => {
                    let slot = *slot;
                    actions.push_back(Action::Leave { slot });
                    self.closed(slot, CloseReason::Forbidden, actions);
                }
                Some(_) | None => actions.push_back(Action::Close(CloseReason::Forbidden)),
            },
            Message::Unknown => {}
        }
    }

    fn auth(&mut self, address: Bytes, token: Bytes, actions: &mut VecDeque<Action>) {
        let Some(room) = room_of(&address) else {
            return actions.push_back(Action::Write(wire::denied(&address, BAD_NAME)));
        };
        if token.len() > TOKEN_BYTES_MAX {
            return actions.push_back(Action::Close(CloseReason::TooManyPending));
        }
        let Some(document) = self.document(&address, actions) else { return };
        let slot = document.slot;
        match &mut document.state {
            State::Waiting { asked, .. } => *asked = true,
            State::Closed => document.state = State::Waiting { requests: VecDeque::new(), asked: true },
            // A fresh token for a document that is open.
            State::Open => {}
        }
        actions.push_back(Action::Authorize { slot, room, token });
    }

    fn request(&mut self, address: Bytes, request: Request, actions: &mut VecDeque<Action>) {
        let asks_token = self.asks_token;
        // A client that was told that there is no such document may have more under way.
        let Some(room) = room_of(&address) else { return };
        // Provider 2 clears its presence once more after it has closed a document.
        if !self.documents.contains_key(&address) && !opens(&request) {
            return;
        }
        let Some(document) = self.document(&address, actions) else { return };
        let slot = document.slot;
        match &mut document.state {
            State::Open => actions.push_back(Action::Request { slot, request }),
            State::Waiting { requests, asked: false } if !asks_token => {
                debug_assert!(requests.is_empty(), "nothing waits where no token is asked for");
                document.state = State::Open;
                self.gives_up_at = None;
                actions.push_back(Action::Open { slot, room, access: Access::ReadWrite });
                actions.push_back(Action::Request { slot, request });
            }
            State::Waiting { requests, .. } => {
                let bytes = request.bytes();
                requests.push_back(request);
                self.waiting_bytes += bytes;
                self.waiting += 1;
                if self.waiting > PRE_AUTH_MESSAGES_MAX || self.waiting_bytes > PRE_AUTH_BYTES_MAX {
                    actions.push_back(Action::Close(CloseReason::TooManyPending));
                }
            }
            // What was under way when the document was closed.
            State::Closed => {}
        }
    }

    /// Returns the document at an address, which begins to wait if it is new; nothing if there are too many.
    fn document(&mut self, address: &Bytes, actions: &mut VecDeque<Action>) -> Option<&mut Document> {
        if !self.documents.contains_key(address) {
            let pending =
                self.documents.values().filter(|document| matches!(document.state, State::Waiting { .. }));
            if pending.count() >= PRE_AUTH_DOCUMENTS_MAX
                || self.documents.len() >= DOCUMENTS_PER_CONNECTION_MAX
            {
                actions.push_back(Action::Close(CloseReason::TooManyPending));
                return None;
            }
            let slot = Slot(self.slots);
            self.slots += 1;
            self.addresses.insert(slot, address.clone());
            let state = State::Waiting { requests: VecDeque::new(), asked: false };
            self.documents.insert(address.clone(), Document { slot, state });
        }
        self.documents.get_mut(address)
    }

    pub(super) fn authorized(&mut self, slot: Slot, access: Option<Access>, actions: &mut VecDeque<Action>) {
        let Some(address) = self.addresses.get(&slot) else { return };
        let Some(document) = self.documents.get_mut(address) else { return };
        match (&mut document.state, access) {
            (State::Waiting { requests, .. }, access) => {
                let requests = std::mem::take(requests);
                self.waiting -= requests.len();
                self.waiting_bytes -= requests.iter().map(Request::bytes).sum::<usize>();
                let Some(access) = access else {
                    document.state = State::Closed;
                    return actions.push_back(Action::Write(wire::denied(address, PERMISSION_DENIED)));
                };
                document.state = State::Open;
                self.gives_up_at = None;
                actions.push_back(Action::Write(wire::authenticated(address, access)));
                if let Some(room) = room_of(address) {
                    actions.push_back(Action::Open { slot, room, access });
                }
                actions.extend(requests.into_iter().map(|request| Action::Request { slot, request }));
            }
            (State::Open, Some(access)) => actions.push_back(Action::Access { slot, access }),
            (State::Open, None) => self.withdrawn(slot, CloseReason::Unauthorized, actions),
            (State::Closed, _) => {}
        }
    }

    /// Takes it that the client may not use a document any more.
    pub(super) fn withdrawn(&mut self, slot: Slot, reason: CloseReason, actions: &mut VecDeque<Action>) {
        let Some(address) = self.addresses.get(&slot) else { return };
        match self.documents.get(address).map(|document| &document.state) {
            Some(State::Open) => {
                actions.push_back(Action::Leave { slot });
                self.closed(slot, reason, actions);
            }
            // It may be let in later, and this document alone cannot say so.
            Some(State::Waiting { .. }) if reason == CloseReason::Overloaded => {
                actions.push_back(Action::Close(reason));
            }
            Some(State::Waiting { .. }) => self.authorized(slot, None, actions),
            Some(State::Closed) | None => {}
        }
    }

    /// A document is closed for the client: what is wrong with one does not disturb the others, if the client can be told.
    /// One before version 4 cannot; and whatever only a new connection mends closes this one.
    pub(super) fn closed(&mut self, slot: Slot, reason: CloseReason, actions: &mut VecDeque<Action>) {
        let Some(document) = self.addresses.get(&slot).and_then(|address| self.documents.get_mut(address))
        else {
            return;
        };
        if !matches!(document.state, State::Open) {
            return;
        }
        document.state = State::Closed;
        if self.modern && is_of_one_document(reason) {
            let address = &self.addresses[&slot];
            actions.push_back(Action::Write(wire::close(address, &reason.text())));
        } else {
            actions.push_back(Action::Close(reason));
        }
    }

    fn detach(&mut self, address: &Bytes, actions: &mut VecDeque<Action>) {
        let Some(document) = self.documents.remove(address) else { return };
        self.addresses.remove(&document.slot);
        match document.state {
            State::Open => actions.push_back(Action::Leave { slot: document.slot }),
            State::Waiting { requests, .. } => {
                self.waiting -= requests.len();
                self.waiting_bytes -= requests.iter().map(Request::bytes).sum::<usize>();
            }
            State::Closed => {}
        }
    }

    pub(super) fn gives_up_at(&self) -> Option<MonotonicMs> {
        self.gives_up_at
    }

    /// Returns the address of a document that is open.
    pub(super) fn address(&self, slot: Slot) -> Option<&Bytes> {
        let address = self.addresses.get(&slot)?;
        matches!(self.documents.get(address)?.state, State::Open).then_some(address)
    }

    /// Returns a sign of life, if there is one that the client understands.
    pub(super) fn keepalive(&self) -> Option<Frame> {
        if self.modern {
            return Some(wire::ping());
        }
        let mut open = self.documents.iter().filter(|(_, document)| matches!(document.state, State::Open));
        open.next().map(|(address, _)| wire::addressed(address, &yjs::empty_presence()))
    }
}

/// Returns the room of the document at an address, if its name is one that a document may have.
fn room_of(address: &[u8]) -> Option<RoomName> {
    let name = wire::name_of(address);
    RoomName::new(name).ok().filter(|_| !name.trim().is_empty())
}

/// Returns whether a client may begin with the request.
fn opens(request: &Request) -> bool {
    match request {
        Request::Sync { .. } | Request::Update { .. } | Request::Stateless { .. } => true,
        Request::Presence { .. }
        | Request::QueryPresence
        | Request::SyncStatus { .. }
        | Request::Dialogue { .. }
        | Request::Broadcast { .. } => false,
    }
}

/// The reason that clients are told, whatever the document: who may not open it does not learn whether it is there.
const PERMISSION_DENIED: &str = "permission-denied";

/// The reason for a name that no document has.
const BAD_NAME: &str = "bad-document-name";

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Returns whether the reason concerns one document only, so that a new connection would not help.
const fn is_of_one_document(reason: CloseReason) -> bool {
    match reason {
        CloseReason::Malformed(_)
        | CloseReason::Unauthorized
        | CloseReason::Forbidden
        | CloseReason::TooLarge
        | CloseReason::OverQuota(_)
        | CloseReason::BadUpdate(_)
        | CloseReason::Deleted
        | CloseReason::OtherKind
        | CloseReason::Quarantined => true,
        CloseReason::TooManyPending
        | CloseReason::Busy(_)
        | CloseReason::Overloaded
        | CloseReason::Stalled
        | CloseReason::StoreDown
        | CloseReason::Shutdown
        | CloseReason::Internal => false,
    }
}
