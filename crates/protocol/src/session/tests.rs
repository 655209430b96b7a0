//! What a client's frames make of its documents.

use syncline_core::limits::{
    DOCUMENTS_PER_CONNECTION_MAX, PRE_AUTH_BYTES_MAX, PRE_AUTH_DOCUMENTS_MAX, PRE_AUTH_MESSAGES_MAX,
    PRE_AUTH_MS_MAX,
};

use super::*;

const START: MonotonicMs = MonotonicMs(1_000);
const BAD: CloseReason = CloseReason::BadUpdate("depth");

/// A client, and all that its session wants done.
struct Client {
    session: Session,
}

impl Client {
    fn new(asks_token: bool) -> Self {
        Self { session: Session::hocuspocus(START, asks_token) }
    }

    fn send(&mut self, address: &str, body: &[u8]) -> Vec<Action> {
        self.session.receive(&wire::hocuspocus::addressed(address.as_bytes(), body));
        self.actions()
    }

    /// As provider 4.8 says who it is, or 3.4.
    fn auth(&mut self, address: &str, modern: bool) -> Vec<Action> {
        self.send(address, if modern { b"\x02\x00\x02tk\x054.8.0" } else { b"\x02\x00\x02tk" })
    }

    /// Asks for what it lacks.
    fn sync(&mut self, address: &str) -> Vec<Action> {
        self.send(address, b"\x00\x00\x01\x00")
    }

    fn authorized(&mut self, slot: u64, access: Option<Access>) -> Vec<Action> {
        self.session.authorized(Slot(slot), access);
        self.actions()
    }

    fn closed(&mut self, slot: u64, reason: CloseReason) -> Vec<Action> {
        self.session.closed(Slot(slot), reason);
        self.actions()
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    /// Opens a document.
    fn open(modern: bool) -> Self {
        let mut client = Self::new(false);
        client.auth("d", modern);
        client.authorized(0, Some(Access::ReadWrite));
        client
    }
}

fn open(slot: u64, room: &str, access: Access) -> Action {
    Action::Open { slot: Slot(slot), room: RoomName::new(room).expect("a name"), access }
}

fn authorize(slot: u64, room: &str) -> Action {
    let (slot, room) = (Slot(slot), RoomName::new(room).expect("a name"));
    Action::Authorize { slot, room, token: Bytes::from_static(b"tk") }
}

fn sync(slot: u64) -> Action {
    Action::Request { slot: Slot(slot), request: Request::Sync { state: Bytes::from_static(&[0]) } }
}

fn text(body: &'static str) -> Action {
    Action::Write(Bytes::from_static(body.as_bytes()))
}

/// A client of y-sweet closes unless it reads something while it waits; nothing else keeps the line busy while the disk is slow.
#[test]
fn a_client_that_waits_to_be_told_what_is_kept_hears_something_meanwhile() {
    let room = RoomName::new("d").expect("a name");
    let mut session = Session::yjs(START, room, Access::ReadWrite);
    session.poll_action();
    assert_eq!(session.poll_timeout(), START.after(KEEPALIVE_MS));
    session.receive(&Bytes::from_static(&[102, 1, 7]));
    let asked = Request::SyncStatus { version: 7 };
    assert_eq!(session.poll_action(), Some(Action::Request { slot: Slot(0), request: asked }));
    let due = START.after(KEPT_WAIT_MS);
    assert_eq!(session.poll_timeout(), due);
    session.handle_timeout(MonotonicMs(due.0 - 1));
    assert_eq!(session.poll_action(), None);
    session.handle_timeout(due);
    assert_eq!(session.poll_action(), Some(Action::Write(yjs::empty_presence())));
    assert_eq!(session.poll_timeout(), due.after(KEEPALIVE_MS), "until it asks again");
    session.receive(&Bytes::from_static(&[102, 1, 8]));
    session.wrote(due.after(1));
    assert_eq!(session.poll_timeout(), due.after(1 + KEEPALIVE_MS), "it was answered");
    assert_eq!(session.kept(Slot(0), 8).expect("open").frames(), [&[102, 1, 8][..]]);
    assert_eq!(session.kept(Slot(1), 8), None);
    assert_eq!(Client::open(true).session.kept(Slot(0), 8), None, "others are told in another way");
}

#[test]
fn a_y_websocket_session_has_one_document() {
    let room = RoomName::new("d").expect("a name");
    let mut session = Session::yjs(START, room, Access::ReadOnly);
    assert_eq!(session.poll_action(), Some(open(0, "d", Access::ReadOnly)));
    session.receive(&Bytes::from_static(&[0, 0, 1, 0]));
    assert_eq!(session.poll_action(), Some(sync(0)));
    session.receive(&Bytes::from_static(&[0]));
    let malformed = session.poll_action();
    assert!(matches!(malformed, Some(Action::Close(CloseReason::Malformed(_)))), "{malformed:?}");
    session.closed(Slot(0), BAD);
    assert_eq!(session.poll_action(), Some(Action::Close(BAD)));
    assert_eq!(session.poll_timeout(), START.after(KEEPALIVE_MS));
    session.handle_timeout(session.poll_timeout());
    assert_eq!(session.poll_action(), Some(Action::Write(yjs::empty_presence())));
}

#[test]
fn without_a_configuration_the_first_frame_opens_a_document() {
    let mut client = Client::new(false);
    assert_eq!(client.sync("d"), [open(0, "d", Access::ReadWrite), sync(0)]);
    assert_eq!(client.sync("d"), [sync(0)]);
    assert_eq!(client.sync("e\0word"), [open(1, "e", Access::ReadWrite), sync(1)]);
    let mut session = client.session;
    assert_eq!(session.acknowledge(Slot(1), 2).expect("open").frames(), [&b"\x06e\0word\x08\x01"[..]; 2]);
    let batch = Batch::new(CommitNumber(7), vec![yjs::sync_step1(&[0])]);
    let dressed = session.dress(Slot(1), batch).expect("open");
    assert_eq!(
        (dressed.upto(), dressed.frames()),
        (CommitNumber(7), &[Bytes::from(&b"\x06e\0word\0\0\x01\0"[..])][..])
    );
    session.handle_timeout(START.after(PRE_AUTH_MS_MAX));
    assert!(!matches!(session.poll_action(), Some(Action::Close(_))), "a document is open");
}

#[test]
fn frames_wait_until_the_token_is_found_good() {
    for asks_token in [true, false] {
        let mut client = Client::new(asks_token);
        if asks_token {
            assert_eq!(client.sync("d"), [], "nobody knows who asks");
        }
        assert_eq!(client.auth("d", true), [authorize(0, "d")]);
        assert_eq!(client.sync("d"), []);
        let mut want = vec![text("\u{1}d\u{2}\u{2}\u{8}readonly"), open(0, "d", Access::ReadOnly), sync(0)];
        want.extend(asks_token.then(|| sync(0)));
        assert_eq!(client.authorized(0, Some(Access::ReadOnly)), want);
        assert_eq!(client.auth("d", true), [authorize(0, "d")], "a fresh token");
        let access = Access::ReadWrite;
        assert_eq!(client.authorized(0, Some(access)), [Action::Access { slot: Slot(0), access }]);
    }
}

#[test]
fn a_bad_token_closes_its_document_only() {
    let mut client = Client::new(true);
    client.auth("d", true);
    client.sync("d");
    client.auth("e", true);
    assert_eq!(client.authorized(0, None), [text("\u{1}d\u{2}\u{1}\u{11}permission-denied")]);
    assert_eq!(client.sync("d"), [], "what was under way");
    assert_eq!(client.authorized(1, Some(Access::ReadWrite)).len(), 2);
    assert_eq!(client.auth("d", true), [authorize(0, "d")], "it may try again");
    assert_eq!(client.authorized(0, None).len(), 1);
    assert_eq!(client.sync("e"), [sync(1)]);
}

#[test]
fn what_is_wrong_with_a_document_is_told_to_who_understands_it() {
    let mut modern = Client::open(true);
    assert_eq!(modern.closed(0, BAD), [text("\u{1}d\u{7}\u{11}bad-update: depth")]);
    assert_eq!(modern.closed(0, BAD), [], "once");
    assert_eq!(modern.sync("d"), [], "it has to say who it is again");
    assert_eq!(modern.session.dress(Slot(0), Batch::new(CommitNumber(0), Vec::new())), None);
    let mut older = Client::open(false);
    assert_eq!(older.closed(0, BAD), [Action::Close(BAD)]);
    for reason in [CloseReason::StoreDown, CloseReason::Shutdown, CloseReason::Internal] {
        assert_eq!(Client::open(true).closed(0, reason), [Action::Close(reason)]);
    }
}

#[test]
fn a_broadcast_of_servers_ends_the_document() {
    let mut modern = Client::open(true);
    let leave = Action::Leave { slot: Slot(0) };
    assert_eq!(modern.send("d", b"\x06\x02hi"), [leave, text("\u{1}d\u{7}\u{9}forbidden")]);
    let mut other = Client::open(false);
    assert_eq!(other.send("d", b"\x06\x02hi").last(), Some(&Action::Close(CloseReason::Forbidden)));
}

#[test]
fn a_document_that_the_client_closes_can_be_opened_again() {
    let mut client = Client::open(true);
    assert_eq!(client.send("d", &[7]), [Action::Leave { slot: Slot(0) }]);
    assert_eq!(client.send("d", &[7]), []);
    assert_eq!(client.sync("d"), [open(1, "d", Access::ReadWrite), sync(1)]);
    assert_eq!(client.authorized(0, Some(Access::ReadWrite)), [], "an answer that comes late");
}

/// Provider 2 clears its presence once more after it has closed a document.
#[test]
fn presence_opens_no_document() {
    let mut client = Client::open(false);
    assert_eq!(client.send("d", &[7]), [Action::Leave { slot: Slot(0) }]);
    assert_eq!(client.send("d", b"\x01\x08\x01\x05\x02\x04null"), []);
    assert_eq!(client.send("d", &[3]), []);
    assert_eq!(client.sync("d"), [open(1, "d", Access::ReadWrite), sync(1)]);
}

#[test]
fn no_document_has_a_bad_name() {
    let mut client = Client::new(false);
    for name in ["", " ", "\0word", "a\nb"] {
        let denied = client.auth(name, true);
        assert!(matches!(&denied[..], [Action::Write(_)]), "{name:?}: {denied:?}");
        assert_eq!(client.sync(name), [], "{name:?}");
    }
}

#[test]
fn what_comes_before_a_good_token_is_bounded() {
    let given_up = [Action::Close(CloseReason::TooManyPending)];
    let mut client = Client::new(true);
    for _ in 0..PRE_AUTH_MESSAGES_MAX {
        assert_eq!(client.sync("d"), []);
    }
    assert_eq!(client.sync("d"), given_up);

    let mut long = vec![0, 0];
    syncline_core::guard::write_buf(&mut long, &vec![0; PRE_AUTH_BYTES_MAX / 2]);
    let mut client = Client::new(true);
    assert_eq!(client.send("d", &long), []);
    client.send("d", &[7]);
    assert_eq!(client.send("d", &long), [], "what waited for the closed document counts no more");
    assert_eq!(client.send("e", &long), []);
    assert_eq!(client.send("f", &long), given_up);

    let mut client = Client::new(true);
    for document in 0..PRE_AUTH_DOCUMENTS_MAX {
        assert_eq!(client.sync(&document.to_string()), []);
    }
    assert_eq!(client.sync("one more"), given_up);
}

#[test]
fn a_connection_has_so_many_documents() {
    let mut client = Client::new(false);
    for document in 0..DOCUMENTS_PER_CONNECTION_MAX {
        assert_eq!(client.sync(&document.to_string()).len(), 2);
    }
    assert_eq!(client.sync("one more"), [Action::Close(CloseReason::TooManyPending)]);
}

#[test]
fn a_connection_that_opens_nothing_is_given_up() {
    let mut client = Client::new(true);
    client.auth("d", true);
    client.authorized(0, None);
    client.session.wrote(START.after(PRE_AUTH_MS_MAX - 1));
    assert_eq!(client.session.poll_timeout(), START.after(PRE_AUTH_MS_MAX));
    client.session.handle_timeout(START.after(PRE_AUTH_MS_MAX));
    assert_eq!(client.actions(), [Action::Close(CloseReason::Unauthorized)]);
}

#[test]
fn each_generation_is_sent_a_sign_of_life_that_it_knows() {
    let check = |client: &mut Client, want: &[Action]| {
        client.session.handle_timeout(client.session.poll_timeout());
        assert_eq!(client.actions(), want);
    };
    check(&mut Client::open(true), &[Action::Write(wire::hocuspocus::ping())]);
    check(&mut Client::open(false), &[text("\u{1}d\u{1}\u{1}\u{0}")]);
    check(&mut Client::new(false), &[]);
    let mut client = Client::open(true);
    client.session.receive(&Bytes::from_static(&[10]));
    assert_eq!(client.actions(), []);
}
