//! One of two tenants: what it has written, and what it asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD};
use futures_util::{SinkExt, StreamExt};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use syncline_core::id::{TenantId, TenantName};
use syncline_protocol::wire::yjs;
use tokio::{
    io::{DuplexStream, duplex},
    time::Instant,
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use super::{LETTERS_MAX, Random, World};
use crate::{edge::Peer, listener};

/// Bytes that a pipe holds.
const PIPE: usize = 1 << 20;

/// Events that are read of a stream: the first conflict is among them.
const EVENTS: usize = 8;

/// Cursors that are remembered.
const CURSORS_MAX: usize = 64;

pub(super) struct Side {
    name: TenantName,
    token: String,
    /// What all that it writes carries.
    mark: String,
    /// What the other's mark looks like: as it is, and in base64, wherever it begins.
    foreign: Vec<Vec<u8>>,
    wire: SendRequest<Body>,
    numbers: BTreeMap<&'static str, u64>,
    notes: BTreeSet<u64>,
    /// Those that were imported.
    documents: BTreeSet<String>,
    conflicts: u64,
    cursors: Vec<String>,
    /// Before anything was written.
    first: String,
    letters: u64,
    revoked: bool,
    case: String,
    met: Mutex<BTreeSet<&'static str>>,
}

/// Opens a connection to a server without sockets.
fn connect(world: &World) -> DuplexStream {
    let (here, there) = duplex(PIPE);
    let peer = Peer { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), tls: false };
    let head_by = Instant::now() + Duration::from_secs(60);
    let (router, stopping) = (world.router.clone(), world.shared.stopping.clone());
    tokio::spawn(listener::serve(listener::unhurried(there), peer, head_by, router, stopping));
    here
}

async fn wire(world: &World) -> SendRequest<Body> {
    let (wire, carried) =
        http1::handshake(TokioIo::new(connect(world))).await.expect("the server speaks HTTP");
    tokio::spawn(carried);
    wire
}

fn mark_of(tenant: &str) -> String {
    format!("<only {tenant} may see this>")
}

impl Side {
    pub(super) async fn open(world: &World, tenant: &str) -> Self {
        let other = if tenant == "acme" { "globex" } else { "acme" };
        let mark = mark_of(other);
        let in_base64 = (0..3).map(|at| {
            let text = BASE64_NOPAD.encode(&[&b"xx"[..at], mark.as_bytes()].concat());
            // The first and the last letters stand for other bytes, too.
            text.as_bytes()[4..text.len() - 4].to_vec()
        });
        let mut side = Self {
            name: TenantName::new(tenant).expect("a name"),
            token: format!("ann.{tenant}"),
            mark: mark_of(tenant),
            foreign: in_base64.chain([mark.clone().into_bytes(), other.as_bytes().to_vec()]).collect(),
            wire: wire(world).await,
            numbers: BTreeMap::new(),
            notes: BTreeSet::new(),
            documents: BTreeSet::new(),
            conflicts: 0,
            cursors: Vec::new(),
            first: String::new(),
            letters: 0,
            revoked: false,
            case: "at first".into(),
            met: Mutex::default(),
        };
        for device in ["phone", "till", "desk"] {
            let about = json!({ "device_id": device, "name": side.mark });
            side.ok("POST", "/sync/v1/devices", about).await;
        }
        side.first = side.cursor(&Value::Null).await;
        // Events say little more than names, so one of them is a mark.
        side.push("phone", "price", tenant, "create").await;
        side.push("till", "price", tenant, "update").await;
        for name in 0..super::NAMES {
            side.push("phone", "price", &format!("e{name}"), "create").await;
        }
        side
    }

    pub(super) fn tenant(&self, world: &World) -> TenantId {
        world.epoch.tenants.known_as(&self.name).expect("it has written").id()
    }

    pub(super) fn begin(&mut self, case: String) {
        self.case = case;
    }

    pub(super) fn has_met_all(&self) -> bool {
        let met = self.met.lock().expect("no probe panics with it");
        ["delivered", "refused", "stream", "room", "exported", "imported"]
            .iter()
            .all(|kind| met.contains(kind))
    }

    /// Checks that no byte of this side is in something of the other's.
    pub(super) fn check_absent(&self, bytes: &[u8], place: &str) {
        let mark = self.mark.as_bytes();
        assert!(!bytes.windows(mark.len()).any(|window| window == mark), "{place} holds {}", self.mark);
    }

    /// Checks that nothing of the other side was delivered.
    fn check(&self, what: &str, bytes: &[u8]) {
        for foreign in &self.foreign {
            let found = bytes.windows(foreign.len()).any(|window| window == foreign);
            assert!(!found, "{}: {what}: {}", self.case, String::from_utf8_lossy(bytes));
        }
    }

    fn note(&self, kind: &'static str) {
        self.met.lock().expect("no probe panics with it").insert(kind);
    }

    fn request(&self, method: &str, path: &str, token: &str, body: Body) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("a good request")
    }

    async fn ask_as(&mut self, token: &str, method: &str, path: &str, body: Value) -> (StatusCode, Bytes) {
        self.send_as(token, method, path, body.to_string()).await
    }

    async fn send_as(&mut self, token: &str, method: &str, path: &str, body: String) -> (StatusCode, Bytes) {
        let request = self.request(method, path, token, Body::from(body));
        self.wire.ready().await.expect("the connection stays");
        let answer = self.wire.send_request(request).await.expect("the server answers");
        let status = answer.status();
        let bytes = to_bytes(Body::new(answer.into_body()), usize::MAX).await.expect("a whole answer");
        self.check(path, &bytes);
        self.note(if status.is_success() { "delivered" } else { "refused" });
        (status, bytes)
    }

    async fn ask(&mut self, method: &str, path: &str, body: Value) -> (StatusCode, Bytes) {
        let token = self.token.clone();
        self.ask_as(&token, method, path, body).await
    }

    async fn ok(&mut self, method: &str, path: &str, body: Value) -> Value {
        let (status, bytes) = self.ask(method, path, body).await;
        assert!(status.is_success(), "{}: {path}: {}", self.case, String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Checks that a cursor of the other side is none here.
    async fn refuses_cursor(&mut self, path: &str, body: Value) {
        let (status, bytes) = self.ask("POST", path, body).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(status == 400 && text.contains("\"cursor-invalid\""), "{}: {status} {text}", self.case);
    }

    pub(super) async fn read(&mut self, path: &str) {
        let (status, bytes) = self.ask("GET", path, Value::Null).await;
        assert!(status.is_success(), "{}: {path}: {}", self.case, String::from_utf8_lossy(&bytes));
    }

    async fn push(&mut self, device: &'static str, kind: &str, id: &str, op: &str) {
        let number = self.numbers.entry(device).or_default();
        *number += 1;
        let n = number.to_string();
        let set = json!({ "text": self.mark, "by": format!("{device}:{n}") });
        let op = json!({ "n": n, "type": kind, "id": id, "op": op, "set": set });
        let answer = self.ok("POST", "/sync/v1/push", json!({ "device_id": device, "ops": [op] })).await;
        let met = answer["results"][0]["conflict_id"].as_str().and_then(|id| id.strip_prefix("cnf_"));
        let met = met.and_then(|number| number.parse().ok()).unwrap_or_default();
        self.conflicts = self.conflicts.max(met);
    }

    pub(super) async fn write_note(&mut self, name: u64) {
        let op = if self.notes.insert(name) { "create" } else { "update" };
        self.push("phone", "note", &format!("e{name}"), op).await;
    }

    /// Has a device write that has not seen what there is.
    pub(super) async fn write_price(&mut self, name: u64) {
        self.push("till", "price", &format!("e{name}"), "update").await;
    }

    async fn cursor(&mut self, from: &Value) -> String {
        let scopes = json!([{ "scope": "price", "cursor": from }]);
        let body = json!({ "device_id": "desk", "scopes": scopes });
        let pulled = self.ok("POST", "/sync/v1/pull", body).await;
        pulled["scopes"][0]["cursor"].as_str().expect("a word").to_owned()
    }

    pub(super) async fn pull(&mut self, random: &mut Random) {
        let from = match self.cursors.len() as u64 {
            0 => Value::Null,
            known => self.cursors[random.below(known) as usize].clone().into(),
        };
        let cursor = self.cursor(&from).await;
        let at = random.below(CURSORS_MAX as u64) as usize;
        if at < self.cursors.len() {
            self.cursors[at] = cursor;
        } else {
            self.cursors.push(cursor);
        }
    }

    pub(super) async fn pull_from(&mut self, other: &Self, random: &mut Random) {
        let cursor = match other.cursors.len() as u64 {
            0 => &other.first,
            known => &other.cursors[random.below(known) as usize],
        };
        let (path, member) = if random.below(2) == 0 { ("pull", "scopes") } else { ("ack", "cursors") };
        let body = json!({ "device_id": "desk", member: [{ "scope": "price", "cursor": cursor }] });
        self.refuses_cursor(&format!("/sync/v1/{path}"), body).await;
    }

    pub(super) async fn reconcile(&mut self, other: &Self) {
        let scopes = json!([{ "scope": "price", "cursor": other.first }]);
        let body = json!({ "device_id": "desk", "ops": [], "scopes": scopes });
        self.refuses_cursor("/sync/v1/reconcile", body).await;
    }

    /// Exports all documents: each that this side has imported is in it, as it is, and no other.
    pub(super) async fn export_documents(&mut self, other: &Self) {
        let (status, text) = self.ask("GET", "/docs/v1/export", Value::Null).await;
        assert!(status.is_success(), "{}: {status}", self.case);
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Value> = lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect();
        let is_whole = lines.last().is_some_and(|last| last["end"] == true && last["unreadable"] == 0);
        assert!(is_whole, "{}: {lines:?}", self.case);
        for name in self.documents.union(&other.documents) {
            let line = lines.iter().find(|line| line["name"] == **name);
            assert_eq!(line.is_some(), self.documents.contains(name), "{}: {name}", self.case);
            let Some(line) = line else { continue };
            let state = BASE64.decode(line["state"].as_str().unwrap_or_default().as_bytes());
            let state = state.expect("a state is in base64");
            self.check(name, &state);
            let own = self.mark.as_bytes();
            assert!(state.windows(own.len()).any(|window| window == own), "{}: {name}", self.case);
        }
        self.note("exported");
    }

    /// Imports a document of which the other side may have one of the same name.
    pub(super) async fn import_documents(&mut self, name: u64) {
        // One of them has a name that the other's never has.
        let name =
            format!("bulk/{}", if name == 0 { self.name.as_str().to_owned() } else { name.to_string() });
        let text = self.mark.as_bytes();
        let head = [1, 1, 1, 0, 4, 1, 1, b't', u8::try_from(text.len()).expect("it is short")];
        let state = BASE64.encode(&[&head[..], text, &[0]].concat());
        let line = json!({ "name": name, "kind": "yjs", "state": state });
        let first = json!({ "format": "syncline-documents", "version": 1 });
        let lines = format!("{first}\n{line}\n{}\n", json!({ "end": true, "documents": 1 }));
        let token = self.token.clone();
        let (status, told) = self.send_as(&token, "POST", "/docs/v1/import", lines).await;
        let told = String::from_utf8_lossy(&told);
        let known = if self.documents.insert(name) { "created" } else { "unchanged" };
        let is_done = status.is_success() && told.contains(&format!("\"result\":\"{known}\""));
        assert!(is_done, "{}: {status}: {told}", self.case);
        self.note("imported");
    }

    /// A record is there if this side has written it.
    pub(super) async fn status(&mut self, name: u64) {
        let path = format!("/sync/v1/status?device_id=phone&type=note&id=e{name}");
        let (status, _) = self.ask("GET", &path, Value::Null).await;
        assert_eq!(status.is_success(), self.notes.contains(&name), "{}: {path}", self.case);
    }

    /// A conflict is there if this side has met it.
    pub(super) async fn conflict(&mut self, number: u64) {
        let path = format!("/sync/v1/conflicts/cnf_{}", number + 1);
        let (status, _) = self.ask("GET", &path, Value::Null).await;
        assert_eq!(status.is_success(), number < self.conflicts, "{}: {path}", self.case);
    }

    pub(super) async fn settle(&mut self, number: u64) {
        let body = json!({ "conflict_id": format!("cnf_{}", number + 1), "resolution_id": self.case,
            "choice": "client", "expect": { "conflict_rev": 1, "entity_ver": "1" } });
        self.ask("POST", "/sync/v1/resolve-conflict", body).await;
    }

    pub(super) async fn set_revoked(&mut self, revoked: bool) {
        if revoked {
            self.ok("POST", "/auth/v1/revocations", json!({ "user": "zoe" })).await;
        } else {
            self.ask("DELETE", "/auth/v1/revocations/user%3Azoe", Value::Null).await;
        }
        self.revoked = revoked;
    }

    /// A token is good unless this side has revoked it.
    pub(super) async fn is_revoked(&mut self) {
        let token = format!("zoe.{}", self.name);
        let (status, _) = self.ask_as(&token, "GET", "/sync/v1/types", Value::Null).await;
        assert_eq!(status == StatusCode::UNAUTHORIZED, self.revoked, "{}: {status}", self.case);
    }

    /// Reads the first events of a stream; none if it is refused.
    async fn first_events(&mut self, world: &World, path: &str, count: usize) -> Option<Vec<u8>> {
        let mut wire = wire(world).await;
        let request = self.request("GET", path, &self.token, Body::empty());
        let answer = wire.send_request(request).await.expect("the server answers");
        let status = answer.status();
        let (mut pieces, mut heard) = (Body::new(answer.into_body()).into_data_stream(), Vec::new());
        let told = |heard: &[u8]| heard.windows(6).filter(|window| window == b"data: ").count();
        while told(&heard) < count || !heard.ends_with(b"\n\n") {
            let Some(piece) = pieces.next().await else { break };
            heard.extend(piece.expect("a whole piece"));
        }
        self.check(path, &heard);
        status.is_success().then_some(heard)
    }

    /// Reads what has happened first.
    pub(super) async fn stream(&mut self, world: &World, path: &str) {
        self.note("stream");
        let heard = self.first_events(world, path, EVENTS).await.unwrap_or_default();
        let (own, heard) = (self.name.as_str(), String::from_utf8_lossy(&heard));
        assert!(heard.contains(&format!("\"entity_id\":\"{own}\"")), "{}: {heard}", self.case);
    }

    /// Listens from the beginning, to what all devices but its own have written; or from a place of the other side.
    pub(super) async fn live(&mut self, world: &World, is_socket: bool, other: Option<&Self>) {
        let cursor = other.map_or(&self.first, |other| &other.first);
        let path = format!("device_id=desk&scope=price&cursor={cursor}");
        let told = if is_socket {
            let url = format!("ws://localhost/sync/v1/ws?{path}&token={}", self.token);
            match client_async(url, connect(world)).await {
                Ok((mut ws, _)) => match ws.next().await {
                    Some(Ok(Message::Text(text))) => Some(text.as_bytes().to_vec()),
                    end => panic!("{}: {end:?}", self.case),
                },
                Err(_refused) => None,
            }
        } else {
            self.first_events(world, &format!("/sync/v1/live?{path}"), 1).await
        };
        assert_eq!(told.is_some(), other.is_none(), "{}: {path}", self.case);
        self.check(&path, &told.unwrap_or_default());
    }

    /// Reads a room, with the token or a ticket, and adds to it for a while.
    pub(super) async fn room(&mut self, world: &World, rooms: &[&str], random: &mut Random) {
        let mut shown = format!("token={}", self.token);
        if random.below(2) == 0 {
            // There are only so many in half a minute.
            let (_, bought) = self.ask("POST", "/auth/v1/tickets", Value::Null).await;
            let bought: Value = serde_json::from_slice(&bought).expect("JSON");
            shown = bought["ticket"].as_str().map_or(shown, |ticket| format!("ticket={ticket}"));
        }
        let url = format!("ws://localhost/yjs/{}?{shown}", rooms[0]);
        let (mut ws, _) = client_async(url, connect(world)).await.expect("it is let in");
        if self.letters < LETTERS_MAX {
            self.letters += 1;
            let client = u8::try_from(self.letters).expect("they are few");
            let text = self.mark.as_bytes();
            let head = [1, 1, client, 0, 4, 1, 1, b't', u8::try_from(text.len()).expect("it is short")];
            let update = [&head[..], text, &[0]].concat();
            ws.send(Message::Binary(yjs::update(&update))).await.expect("the server reads");
        }
        ws.send(Message::Binary(yjs::sync_step1(&[0]))).await.expect("the server reads");
        // Step 2 has the kind 0 and the step 1.
        loop {
            let heard = ws.next().await.expect("the room answers").expect("good frames");
            let Message::Binary(frame) = heard else { panic!("{}: {heard:?}", self.case) };
            self.check(rooms[0], &frame);
            if frame.starts_with(&[0, 1]) {
                break;
            }
        }
        self.note("room");
    }
}
