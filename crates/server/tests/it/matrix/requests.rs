//! The cells of requests.

use std::{collections::BTreeSet, net::SocketAddr, path::Path};

use data_encoding::BASE64;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use syncline_server::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    AT_ONCE, INTRUDER, OWN, Role, cells, holds,
    rows::{Row, rows},
    sockets::word,
    world::{World, token},
};
use crate::{
    entities::Caller,
    support::{disk::Disk, raw, start, within},
};

/// What the owner's things are called, and what nothing is called.
const ABSENT: [(&str, &str); 11] = [
    ("<draft>", "nodraft"),
    ("<plan>", "nowhere"),
    ("<new>", "nowhere"),
    ("<1>", "77"),
    ("<note>", "nothing"),
    ("<n1>", "n77"),
    ("<cnf_1>", "cnf_77"),
    ("<mine>", "nothing"),
    ("<search>", "nothing"),
    ("<desk>", "desk"),
    ("<user:gone>", "user:nobody"),
];

/// One who asks: who they are, and whose.
struct Cell<'a> {
    row: &'a Row,
    role: Role,
    tenant: &'static str,
    token: String,
}

impl Cell<'_> {
    fn may(&self, from: Option<Role>) -> bool {
        from.is_some_and(|from| self.role >= from)
    }

    fn name(&self) -> String {
        format!("{:?} of {}: {} {}", self.role, self.tenant, self.row.request, self.row.body)
    }

    /// Returns the head and the body of a request about what is there, or about what is not.
    fn request(&self, world: &World, cursor: &str, is_there: bool) -> Vec<u8> {
        let (mut request, mut body) = (self.row.request.to_owned(), self.row.body.to_string());
        if self.row.body == json!("EXPORT") {
            body.clone_from(&world.exported);
        }
        if self.row.body == json!("DOCUMENTS") {
            body = documents(is_there);
        }
        if self.row.body == json!("UPDATE") {
            body = String::from_utf8(word(77, INTRUDER)).expect("short, so all of it is ASCII");
        }
        for text in [&mut request, &mut body] {
            if !is_there {
                ABSENT.iter().for_each(|(name, absent)| *text = text.replace(name, absent));
            }
            *text = text.replace(['<', '>'], "").replace("CURSOR", cursor);
        }
        let shown = match &*self.token {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let carried = if self.row.status == 101 { raw::WEBSOCKET } else { "Connection: close\r\n" };
        let (addr, length) = (world.server.addr(), body.len());
        let head = format!("{request} HTTP/1.1\r\nHost: {addr}\r\n{shown}{carried}");
        format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into()
    }

    async fn ask(&self, world: &mut World, cursor: &str, is_there: bool) -> (u16, Vec<u8>) {
        let request = self.request(world, cursor, is_there);
        let mut answer = Answer::of(world.server.addr(), &request).await;
        if self.row.streams && answer.status < 300 {
            // What is told of the tenant comes behind what would be told of the other.
            world.stir(self.tenant).await;
            let is_told = self.may(self.row.shows);
            while is_told && !holds(&answer.body, self.tenant) {
                assert!(answer.more().await, "{}: the stream ended", self.name());
            }
            if !is_told {
                // Nothing is to come. That is known when the stream has ended.
                world.end_streams().await;
                while answer.more().await {}
            }
        } else {
            while answer.more().await {}
        }
        (answer.status, answer.body)
    }

    /// Returns whether things are to be as they were before the next cell.
    fn is_done_with(&self) -> bool {
        let is_kept = self.row.may_show.is_some() || self.row.request.contains("/erase");
        self.may(self.row.changes) || (self.role.is_known() && is_kept)
    }

    async fn check(&self, world: &mut World) {
        let name = self.name();
        let cursor = cursor_of(self, world).await;
        let stored = world.stored();
        let (status, mut body) = self.ask(world, &cursor, true).await;
        if self.row.may_show.is_some() {
            // What was answered once is answered again from what was kept.
            body.extend(self.ask(world, &cursor, true).await.1);
        }
        if self.role >= self.row.answers {
            assert_eq!(status, self.row.status, "{name}: {}", String::from_utf8_lossy(&body));
        } else if self.role.is_known() {
            assert!(matches!(status, 401 | 403 | 404 | 409), "{name}: {status}");
            self.check_looks_absent(world, &cursor, (status, &body)).await;
        } else {
            assert_eq!(status, 401, "{name}");
        }
        let is_own = self.tenant == OWN;
        let must_show = self.row.shows == Some(Role::Nobody) || is_own && self.may(self.row.shows);
        let may_show = must_show || is_own && self.may(self.row.may_show);
        let shows = holds(&body, OWN);
        let is_right = if shows { may_show } else { !must_show };
        assert!(is_right, "{name}: is shown {shows}: {}", String::from_utf8_lossy(&body));
        if self.row.streams || (!self.may(self.row.changes) && world.stored() == stored) {
            return;
        }
        let changed = world.seen_by_owner().await != world.seen;
        assert_eq!(changed, is_own && self.may(self.row.changes), "{name}: what the owner sees");
    }

    /// Whoever may not even read is told what they are told of what is not there.
    async fn check_looks_absent(&self, world: &mut World, cursor: &str, refused: (u16, &[u8])) {
        if self.role >= Role::Reader {
            return;
        }
        let plain = |body: &[u8], at: usize| {
            let text = String::from_utf8_lossy(body).into_owned();
            let name = |row: &(&'static str, &'static str)| {
                if at == 0 { row.0.replace(['<', '>'], "") } else { row.1.into() }
            };
            ABSENT
                .iter()
                .filter(|row| row.0.len() > 3)
                .fold(text, |text, row| text.replace(&name(row), "NAME"))
        };
        let (status, body) = self.ask(world, cursor, false).await;
        assert_eq!(
            (status, plain(&body, 1)),
            (refused.0, plain(refused.1, 0)),
            "{}: looks as absent",
            self.name()
        );
    }
}

/// Returns an export of a document that is there, or of one that is not.
fn documents(is_there: bool) -> String {
    let name = if is_there { "plan" } else { "nowhere" };
    let state = BASE64.encode(&word(77, INTRUDER));
    let document = json!({ "name": name, "kind": "yjs", "state": state });
    let (first, last) =
        (json!({ "format": "syncline-documents", "version": 1 }), json!({ "end": true, "documents": 1 }));
    format!("{first}\n{document}\n{last}\n")
}

/// Returns where the asker is in the scope, if they may read it; binds the device that they speak of.
async fn cursor_of(cell: &Cell<'_>, world: &World) -> String {
    if !cell.role.is_known() {
        return String::new();
    }
    let caller = Caller::bearing(&world.server, &cell.token);
    caller.bind("phone").await;
    if cell.role < Role::Reader || !cell.row.streams {
        return String::new();
    }
    let mut cursor = Value::Null;
    loop {
        let told = caller.pull("phone", "note", &cursor).await["scopes"][0].clone();
        cursor = told["cursor"].clone();
        if told["has_more"] == json!(false) {
            return cursor.as_str().expect("a word").to_owned();
        }
    }
}

/// An answer, as far as it was read.
struct Answer {
    tcp: TcpStream,
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    async fn of(addr: SocketAddr, request: &[u8]) -> Self {
        let mut tcp = TcpStream::connect(addr).await.expect("the server listens");
        tcp.write_all(request).await.expect("the server reads");
        let mut answer = Self { tcp, status: 0, body: Vec::new() };
        while !holds(&answer.body, "\r\n\r\n") {
            assert!(answer.more().await, "an answer has a head");
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let (head, _) = text.split_once("\r\n\r\n").expect("it was read");
        answer.status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        answer.body.drain(..head.len() + 4);
        answer
    }

    /// Reads some more. Returns whether there was any.
    async fn more(&mut self) -> bool {
        self.tcp.read_buf(&mut self.body).await.expect("the server answers") > 0
    }
}

/// Checks a row, in a world of its own, which begins anew where somebody has changed it.
async fn check_row(row: &Row) {
    let mut world = within(World::start()).await;
    for (role, tenant) in cells() {
        let cell = Cell { row, role, tenant, token: token(role, tenant) };
        within(cell.check(&mut world)).await;
        if cell.is_done_with() {
            world = within(world.anew()).await;
        }
    }
    within(world.server.shutdown()).await;
}

/// Each role may with each request what its row says, and nothing else.
#[tokio::test]
async fn every_role_may_what_its_row_says_and_nothing_else() {
    stream::iter(&rows()).for_each_concurrent(AT_ONCE, check_row).await;
}

/// Returns the paths that the sources give to the router, `{}` where a name is.
fn routed() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("a source");
                let routes =
                    text.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
                found.extend(routes.filter_map(|rest| rest.split('"').next()).map(plain));
            }
        }
    }
    found
}

fn plain(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Returns the requests that a description names, and that for the description.
async fn described(server: &Server, base: &str) -> BTreeSet<String> {
    let own = format!("{base}/openapi.json");
    let text = raw::get(server.addr(), &own, "").await.body;
    let description: Value = serde_json::from_str(&text).expect("JSON");
    let mut taken = BTreeSet::from([format!("GET {own}")]);
    for (path, methods) in description["paths"].as_object().expect("an object") {
        let path = if path.starts_with(base) { plain(path) } else { plain(&format!("{base}{path}")) };
        let methods = methods.as_object().expect("an object").keys().filter(|key| *key != "parameters");
        taken.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    taken
}

/// Every route has a row: those of APIs are read from their descriptions, of others each method is tried.
#[tokio::test]
async fn every_request_has_a_row() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut taken = BTreeSet::new();
        for base in ["/sync/v1", "/auth/v1", "/docs/v1"] {
            taken.extend(described(&server, base).await);
        }
        assert!(taken.len() > 20, "the description says what there is: {taken:?}");
        let sockets = [
            "/yjs/{}",
            "/d/{}/ws/{}",
            "/doc/ws/{}",
            "/hocuspocus",
            "/hocuspocus/",
            "/automerge",
            "/automerge/",
        ];
        for path in routed().into_iter().filter(|path| !sockets.contains(&&**path)) {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let request = format!("{method} {}", path.replace("{}", "1"));
                let body = b"{}".as_slice();
                let head = format!(
                    "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
                    server.addr()
                );
                let answer = Answer::of(server.addr(), &[head.as_bytes(), body].concat()).await;
                if answer.status != 405 {
                    taken.insert(format!("{method} {path}"));
                }
            }
        }
        let rows: BTreeSet<String> = rows().iter().map(Row::route).collect();
        assert_eq!(taken, rows, "what is taken, and what has a row");
        server.shutdown().await;
    })
    .await;
}
