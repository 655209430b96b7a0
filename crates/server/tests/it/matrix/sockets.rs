//! The rules for messages on WebSockets, and their cells.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use syncline_core::guard::{Reader, write_buf, write_string, write_var_uint};
use syncline_protocol::{
    Request,
    wire::{
        hocuspocus::{self, Incoming, Message, addressed},
        yjs,
    },
};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

use super::{
    AT_ONCE, INTRUDER, OWN, Role, cells, holds,
    world::{World, token},
};
use crate::support::within;

const ROOM: &str = "plan";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Yjs,
    /// The same, at the URL of y-sweet.
    YSweet,
    Hocuspocus,
}

/// A message, and who is heard with it.
struct Row {
    name: &'static str,
    message: Vec<u8>,
    /// Whose message others hear, or find in the document. Beside that nothing changes.
    heard: Option<Role>,
    /// Whether it stays in the document.
    stays: bool,
    /// Only in this dialect; in the other it means nothing.
    only: Option<Dialect>,
}

fn with_buf(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut message = head.to_vec();
    write_buf(&mut message, body);
    message
}

fn with_text(head: &[u8], text: &str) -> Vec<u8> {
    let mut message = head.to_vec();
    write_string(&mut message, text);
    message
}

/// Returns the first update of a client: it inserts a word into the root text "t".
pub(super) fn word(client: u8, word: &str) -> Vec<u8> {
    with_text(&[1, 1, client, 0, 4, 1, 1, b't'], word).into_iter().chain([0]).collect()
}

/// Returns what a client says of itself.
fn presence(client: u8, mark: &str) -> Vec<u8> {
    let mut entries = vec![1, client, 1];
    write_string(&mut entries, &format!("{{\"mark\":\"{mark}\"}}"));
    with_buf(&[1], &entries)
}

/// Returns the rules. What is in none of them nobody is heard with.
fn rows() -> Vec<Row> {
    let quiet =
        |name, message: &[u8]| Row { name, message: message.to_vec(), heard: None, stays: false, only: None };
    let stays = |name, step| Row {
        heard: Some(Role::Writer),
        stays: true,
        ..quiet(name, &with_buf(&[0, step], &word(77, INTRUDER)))
    };
    let comment = |name, message: &[u8]| Row { heard: Some(Role::Commenter), ..quiet(name, message) };
    vec![
        quiet("step 1", &yjs::sync_step1(&[0])),
        stays("step 2", 1),
        stays("update", 2),
        comment("awareness", &presence(77, INTRUDER)),
        quiet("auth", &with_text(&[2, 0], INTRUDER)),
        quiet("query awareness", &[3]),
        Row { only: Some(Dialect::Hocuspocus), ..comment("stateless", &with_text(&[5], INTRUDER)) },
        quiet("broadcast between servers", &with_text(&[6], INTRUDER)),
        quiet("close", &[7]),
        quiet("sync status", &[8, 1]),
        quiet("sync status of y-sweet", &with_text(&[102], "\u{7}")),
        quiet("unknown", &with_text(&[99], INTRUDER)),
    ]
}

/// One WebSocket in the room, and all that came on it.
struct Peer {
    ws: WebSocketStream<TcpStream>,
    dialect: Dialect,
    token: String,
    heard: Vec<u8>,
}

/// How listening ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With the answer to the question that was asked last.
    Answered,
    /// With a refusal.
    Denied,
    Closed,
}

impl Peer {
    async fn connect(addr: SocketAddr, dialect: Dialect, token: String) -> Self {
        let tcp = TcpStream::connect(addr).await.expect("the server listens");
        let url = match dialect {
            Dialect::Yjs => format!("ws://{addr}/yjs/{ROOM}?token={token}"),
            Dialect::YSweet => format!("ws://{addr}/d/{ROOM}/ws/{ROOM}?token={token}"),
            Dialect::Hocuspocus => format!("ws://{addr}/hocuspocus"),
        };
        let (ws, _response) = client_async(url, tcp).await.expect("the server accepts it");
        Self { ws, dialect, token, heard: Vec::new() }
    }

    /// Sends a message. Whoever was shut out is not listened to any more.
    async fn send(&mut self, message: &[u8]) {
        let frame = match self.dialect {
            Dialect::Yjs | Dialect::YSweet => Bytes::copy_from_slice(message),
            Dialect::Hocuspocus => addressed(ROOM.as_bytes(), message),
        };
        let _is_shut_out = self.ws.send(tungstenite::Message::Binary(frame)).await;
    }

    /// Asks for the whole document, and listens until it is there; where a token comes first it is shown first.
    async fn settle(&mut self) -> End {
        if self.dialect == Dialect::Hocuspocus {
            let auth = with_text(&with_text(&[2, 0], &self.token), "4.8.0");
            self.send(&auth).await;
        }
        self.send(&yjs::sync_step1(&[0])).await;
        loop {
            match self.ws.next().await {
                Some(Ok(tungstenite::Message::Binary(frame))) => {
                    self.heard.extend(&frame);
                    let mut reader = Reader::new(&frame);
                    if self.dialect == Dialect::Hocuspocus && reader.left() > 1 {
                        reader.var_string().expect("an address");
                    }
                    match (reader.var_uint(), reader.var_uint()) {
                        (Ok(0), Ok(1)) => return End::Answered,
                        (Ok(2), Ok(1)) => return End::Denied,
                        _ => {}
                    }
                }
                Some(Ok(tungstenite::Message::Close(_)) | Err(_)) | None => return End::Closed,
                Some(Ok(_)) => {}
            }
        }
    }
}

async fn check(world: &World, row: &Row, dialect: Dialect, role: Role, tenant: &'static str) {
    let name = format!("{role:?} of {tenant}: {} on {dialect:?}", row.name);
    let addr = world.server.addr();
    let mut witness = Peer::connect(addr, Dialect::Hocuspocus, format!("owner.{OWN}")).await;
    assert_eq!(witness.settle().await, End::Answered);
    witness.send(&presence(7, OWN)).await;
    assert_eq!(witness.settle().await, End::Answered);
    let stored = world.stored();

    let mut peer = Peer::connect(addr, dialect, token(role, tenant)).await;
    let mut ends = vec![peer.settle().await];
    peer.send(&row.message).await;
    if ends[0] != End::Closed {
        ends.push(peer.settle().await);
        // A second question is behind whatever the message made of the first.
        if ends[1] != End::Closed {
            ends.push(peer.settle().await);
        }
    }
    witness.send(&[3]).await;
    assert_eq!(witness.settle().await, End::Answered);

    let (is_own, may_read) = (tenant == OWN, role >= Role::Reader);
    assert_eq!(ends[0] == End::Answered, may_read, "{name}: {ends:?}");
    assert!(may_read || !ends.contains(&End::Answered), "{name}: {ends:?}");
    assert_eq!(holds(&peer.heard, OWN), is_own && may_read, "{name}: what the owner wrote");
    let counts = row.only.is_none_or(|only| only == dialect);
    let is_heard = is_own && counts && row.heard.is_some_and(|from| role >= from);
    assert_eq!(holds(&witness.heard, INTRUDER), is_heard, "{name}: what the owner hears");
    assert_eq!(world.stored() != stored, is_heard && row.stays, "{name}: what is stored");
}

/// Checks a row, in a world of its own, which begins anew where somebody was heard.
async fn check_row(row: Row) {
    let mut world = within(World::start()).await;
    for dialect in [Dialect::Yjs, Dialect::YSweet, Dialect::Hocuspocus] {
        for (role, tenant) in cells() {
            within(check(&world, &row, dialect, role, tenant)).await;
            if row.heard.is_some_and(|from| role >= from) {
                world = within(world.anew()).await;
            }
        }
    }
    within(world.server.shutdown()).await;
}

/// Each role is heard with what its row says, and with nothing else; and hears what it may read.
#[tokio::test]
async fn every_role_is_heard_with_what_its_row_says_and_nothing_else() {
    stream::iter(rows()).for_each_concurrent(AT_ONCE, check_row).await;
}

/// Every message that a decoder knows has a row: each kind is tried, and each step of those that have some.
#[test]
fn every_message_has_a_row() {
    // Whatever joins these gets a row.
    let is_known = |message: Message| match message {
        Message::Request(
            Request::Sync { .. }
            | Request::Update { .. }
            | Request::Presence { .. }
            | Request::QueryPresence
            | Request::SyncStatus { .. }
            | Request::Stateless { .. }
            // Only `/automerge` speaks so: its rows are in `automerge`.
            | Request::Dialogue { .. }
            | Request::Broadcast { .. },
        )
        | Message::Auth { .. }
        | Message::Close
        | Message::Forbidden => true,
        Message::Unknown => false,
    };
    let rows = rows();
    for (kind, step) in (0..=255).flat_map(|kind| (0..=255).map(move |step| (kind, step))) {
        let mut message = Vec::new();
        write_var_uint(&mut message, kind);
        write_var_uint(&mut message, step);
        let head = message.len();
        message.resize(head + 4, 0);
        let by_yjs = yjs::decode(&message.clone().into());
        let by_hocuspocus = hocuspocus::decode(&addressed(b"d", &message));
        // A message that is cut short is one of a known kind.
        let is_taken = by_yjs.is_ok_and(|requests| !requests.is_empty())
            || match by_hocuspocus {
                Ok(Incoming::Message { message, .. }) => is_known(message),
                Ok(Incoming::Pong) => panic!("it has an address"),
                Err(_) => true,
            };
        let has_row = rows.iter().any(|row| {
            let mut reader = Reader::new(&row.message);
            reader.var_uint() == Ok(kind) && (kind != 0 || reader.var_uint() == Ok(step))
        });
        assert!(has_row || !is_taken, "no row has kind {kind} with {step}");
    }
}
