//! The rules for messages on `/automerge`, and their cells.

use automerge::{
    ActorId, AutoCommit, ROOT,
    sync::{Message as SyncMessage, MessageFlags, MessageVersion},
    transaction::Transactable,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use syncline_protocol::wire::automerge::{Incoming, Message, decode};

use super::{
    AT_ONCE, INTRUDER, OWN, Role, TENANTS, cells, holds,
    world::{World, token},
};
use crate::support::{
    automerge::{DOCUMENT, EMPTY, Heard, OTHER, Repo, Value, about, frame},
    within,
};

/// What whoever tries a row calls itself.
const PEER: u8 = 77;
const NAME: &str = "peer-77";

/// Every type of message of the protocol.
const TYPES: [&str; 11] = [
    "join",
    "peer",
    "error",
    "leave",
    "request",
    "sync",
    "doc-unavailable",
    "ephemeral",
    "remote-subscription-change",
    "remote-heads-changed",
    "unknown",
];

/// A message, and who is heard with it.
struct Row {
    name: &'static str,
    kind: &'static str,
    message: Bytes,
    /// The document that it is about.
    document: &'static str,
    /// Whose message others in the owner's document hear.
    heard: Option<Role>,
    /// Whose message stays in a document. Beside that nothing changes.
    stays: Option<Role>,
}

/// A message of the dialogue that brings a change nobody has yet.
fn change() -> Vec<u8> {
    let mut doc = AutoCommit::new().with_actor(ActorId::from([PEER; 16]));
    doc.put(ROOT, INTRUDER, INTRUDER).expect("a map");
    let changes: Vec<Vec<u8>> = vec![doc.save_after(&[])];
    let mut flags = MessageFlags::new();
    flags.set(MessageFlags::SUPPORTS_SYNC_RESET);
    let (heads, need, have) = (doc.get_heads(), Vec::new(), Vec::new());
    let flags = Some(flags);
    SyncMessage { heads, need, have, changes: changes.into(), flags, version: MessageVersion::V2 }.encode()
}

/// Returns the rules. What is in none of them nobody is heard with.
fn rows() -> Vec<Row> {
    let quiet = |name, kind: &'static str, pairs: &[(&str, Value<'_>)]| Row {
        name,
        kind,
        message: frame(kind, pairs),
        document: DOCUMENT,
        heard: None,
        stays: None,
    };
    let text = |name| ("senderId", Value::Text(name));
    let brings = |name, kind, document| Row {
        document,
        stays: Some(Role::Writer),
        ..quiet(name, kind, &about(NAME, document, &change()))
    };
    let own = |sender| {
        let mut pairs = about(sender, DOCUMENT, INTRUDER.as_bytes()).to_vec();
        pairs.extend([("count", Value::Number(1)), ("sessionId", Value::Text("s"))]);
        pairs
    };
    let bare = |kind| quiet(kind, kind, &about(NAME, DOCUMENT, INTRUDER.as_bytes()));
    vec![
        quiet("join again", "join", &[text(NAME)]),
        quiet("join as someone else", "join", &[text(INTRUDER)]),
        quiet("a question", "request", &about(NAME, DOCUMENT, &EMPTY)),
        Row { heard: Some(Role::Writer), ..brings("a change with a question", "request", DOCUMENT) },
        Row { heard: Some(Role::Writer), ..brings("a change", "sync", DOCUMENT) },
        brings("a new document", "sync", OTHER),
        Row { heard: Some(Role::Commenter), ..quiet("for others", "ephemeral", &own(NAME)) },
        quiet("for others, by someone else", "ephemeral", &own("peer-1")),
        bare("doc-unavailable"),
        bare("peer"),
        bare("error"),
        bare("leave"),
        bare("remote-subscription-change"),
        bare("remote-heads-changed"),
        bare("unknown"),
    ]
}

/// How listening ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With what the server says of the document.
    Answered,
    /// It says that there is none.
    Denied,
    Closed,
}

/// A client, and all that came to it.
struct Peer {
    repo: Repo,
    heard: Vec<u8>,
}

impl Peer {
    async fn connect(world: &World, token: &str, actor: u8) -> Self {
        let query = if token.is_empty() { String::new() } else { format!("?token={token}") };
        Self { repo: Repo::connect(world.server.addr(), &query, actor).await, heard: Vec::new() }
    }

    /// Asks for a document as who has nothing, and listens until something is said of it.
    async fn settle(&mut self, document: &str) -> End {
        self.repo.ask(document).await;
        loop {
            match self.repo.hear().await {
                Heard::Sync(of, data) => {
                    self.heard.extend(&data);
                    if of == document {
                        return End::Answered;
                    }
                }
                Heard::Unavailable(of) if of == document => return End::Denied,
                Heard::Ephemeral(_, data) => self.heard.extend(&data),
                Heard::Unavailable(_) => {}
                Heard::Other(frame) => self.heard.extend(&frame),
                Heard::Closed(_) => return End::Closed,
            }
        }
    }
}

/// Starts a world where both owners have written a document of one name.
async fn start() -> World {
    let world = World::start().await;
    for tenant in TENANTS {
        let query = format!("?token=owner.{tenant}");
        let mut owner = Repo::connect(world.server.addr(), &query, 1).await;
        owner.put("mark", tenant);
        owner.settle(DOCUMENT).await;
    }
    world
}

async fn check(world: &World, row: &Row, role: Role, tenant: &'static str) {
    let name = format!("{role:?} of {tenant}: {}", row.name);
    let mut witness = Peer::connect(world, &format!("owner.{OWN}"), 2).await;
    assert_eq!(witness.settle(DOCUMENT).await, End::Answered);
    let stored = world.stored();

    let mut peer = Peer::connect(world, &token(role, tenant), PEER).await;
    let mut ends = vec![peer.settle(DOCUMENT).await];
    if ends[0] != End::Closed {
        peer.repo.send(row.message.clone()).await;
        // A second question is behind whatever the message made of the first.
        for document in [row.document, DOCUMENT] {
            if ends.last() != Some(&End::Closed) {
                let end = peer.settle(document).await;
                ends.extend((document == DOCUMENT || end == End::Closed).then_some(end));
            }
        }
    }
    for _ in 0..2 {
        assert_eq!(witness.settle(DOCUMENT).await, End::Answered);
    }

    let (is_own, may_read) = (tenant == OWN, role >= Role::Reader);
    assert_eq!(ends[0] == End::Answered, may_read, "{name}: {ends:?}");
    assert!(may_read || !ends.contains(&End::Answered), "{name}: {ends:?}");
    assert_eq!(ends[0] == End::Closed, !role.is_known(), "{name}: {ends:?}");
    assert_eq!(holds(&peer.heard, OWN), is_own && may_read, "{name}: what the owner wrote");
    assert!(holds(&peer.heard, tenant) == may_read, "{name}: what the own tenant wrote");
    let is = |from: Option<Role>| is_own && from.is_some_and(|from| role >= from);
    assert_eq!(holds(&witness.heard, INTRUDER), is(row.heard), "{name}: what the owner hears");
    assert_eq!(world.stored() != stored, is(row.stays), "{name}: what is stored");
}

/// Checks a row, in a world of its own, which begins anew where somebody has changed it.
async fn check_row(row: Row) {
    let mut world = within(start()).await;
    for (role, tenant) in cells() {
        within(check(&world, &row, role, tenant)).await;
        if row.stays.is_some_and(|from| role >= from) {
            within(world.server.shutdown()).await;
            world = within(start()).await;
        }
    }
    within(world.server.shutdown()).await;
}

/// Each role is heard with what its row says, and with nothing else; and hears what it may read.
#[tokio::test]
async fn every_role_is_heard_on_automerge_with_what_its_row_says_and_nothing_else() {
    stream::iter(rows()).for_each_concurrent(AT_ONCE, check_row).await;
}

/// Every type of message has a row, and so has everything that the decoder knows.
#[test]
fn every_message_of_automerge_has_a_row() {
    let rows = rows();
    for kind in TYPES {
        assert!(rows.iter().any(|row| row.kind == kind), "no row has the type {kind}");
    }
    let mut known = [false; 5];
    for row in &rows {
        // Whatever joins these gets a row.
        let number = match decode(&row.message).expect("a frame") {
            Incoming::Join { .. } => 0,
            Incoming::Message { message: Message::Sync { .. }, .. } => 1,
            Incoming::Message { message: Message::Unavailable, .. } => 2,
            Incoming::Message { message: Message::Ephemeral { .. }, .. } => 3,
            Incoming::Other => 4,
        };
        known[number] = true;
    }
    assert_eq!(known, [true; 5]);
}
