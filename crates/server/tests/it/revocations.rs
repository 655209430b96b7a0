//! Credentials that are taken back while they are in use.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use syncline_core::{access::Identity, entity::ActorName, time::WallMs};
use syncline_protocol::wire::yjs;
use syncline_server::Server;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{
    entities::{Caller, set},
    support::{
        bearers::{Bearers, of},
        client::Client,
        disk::Disk,
        hocuspocus::{Heard, Socket},
        raw, start_with,
        updates::{letter, letters},
        within,
    },
};

const ANN: &str = "Authorization: Bearer ann\r\n";

async fn serve(disk: &Disk) -> (Server, Arc<Bearers>) {
    let bearers = Arc::new(Bearers::default());
    bearers.set("root", &["*=admin"]);
    bearers.set("ann", &["doc:*=write", "type:*=write", "server=read"]);
    let authenticator = Arc::clone(&bearers);
    (start_with(disk, |config| config.authenticator = Some(authenticator)).await, bearers)
}

async fn revoke(server: &Server, what: Value) -> Value {
    let (status, answer) = Caller::bearing(server, "root").ask("POST /auth/v1/revocations", what).await;
    assert!(status == 201 || status == 200, "{status} {answer}");
    answer
}

/// Returns the status of a request that needs no grant.
async fn status(server: &Server, token: &str) -> u16 {
    Caller::bearing(server, token).ask("GET /sync/v1/types", json!({})).await.0
}

/// Has everything open that a user may have open, with a client that never stops writing, and revokes them. When the answer
/// comes nothing more is taken in, and everything ends.
#[tokio::test]
async fn nothing_outlives_a_revocation() {
    within(async {
        let disk = Disk::new();
        let (server, _) = serve(&disk).await;
        let addr = server.addr();
        let [root, ann] = ["root", "ann"].map(|token| Caller::bearing(&server, token));
        root.ok("PUT /sync/v1/types/price", json!({ "policy": "lww" })).await;
        ann.bind("phone").await;
        let mut other = Client::connect(addr, "d?token=root").await;
        let mut yjs = Client::connect(addr, "d?token=ann").await;
        yjs.update(&letter(1, 'a')).await;
        yjs.hear_echo(&letter(1, 'a')).await;
        let mut socket = Socket::connect(addr).await;
        socket.auth("e", "ann", true).await;
        socket.hear_until("e", |heard| *heard == Heard::Scope("read-write".into())).await;
        let mut live = raw::Events::open(addr, "/sync/v1/live?device_id=phone&scope=price", ANN).await;
        let mut rooms = raw::Events::open(addr, "/rooms/events", ANN).await;
        rooms.next().await.expect("the first list");
        let tcp = TcpStream::connect(addr).await.expect("the server listens");
        let ws = format!("ws://{addr}/sync/v1/ws?device_id=phone&scope=price&token=ann");
        let (mut ws, _) = client_async(ws, tcp).await.expect("it is let in");
        let waits = json!({ "device_id": "phone", "scopes": [{ "scope": "price" }], "wait_ms": 50_000 });
        let ticket = ann.ok("POST /auth/v1/tickets", json!({})).await["ticket"].clone();

        let write = async |yjs: &mut Client| {
            for client in 2..2_000 {
                let frame = yjs::update(&letter(client, 'a'));
                if yjs.ws.send(Message::Binary(frame)).await.is_err() {
                    break;
                }
            }
        };
        let revoked = async {
            revoke(&server, json!({ "user": "ann" })).await;
            // What the room is asked from now on comes after all that it took in from others before.
            letters([&other.whole_document().await])
        };
        let (waited, (), written) =
            tokio::join!(ann.refused("POST /sync/v1/pull", waits), write(&mut yjs), revoked);
        assert_eq!(waited, (401, "unauthenticated".into()));
        assert_eq!(yjs.hear_end().await, Some((4401, "unauthorized".into())));
        let ended = socket.hear_until("e", |heard| matches!(heard, Heard::Ended(_))).await;
        assert_eq!(ended.last().map(|(_, heard)| heard), Some(&Heard::Ended("unauthorized".into())));
        assert_eq!(live.next().await, None);
        while rooms.next().await.is_some() {}
        let closed = loop {
            if let Message::Close(frame) = ws.next().await.expect("it is told why").expect("good frames") {
                break frame.expect("the server says why").code;
            }
        };
        assert_eq!(u16::from(closed), 4401);
        assert_eq!(letters([&other.whole_document().await]), written, "nothing came in afterwards");
        let push = json!({ "device_id": "phone", "ops": [set("price", "a", "create", json!({}))] });
        assert_eq!(ann.refused("POST /sync/v1/push", push).await, (401, "unauthenticated".into()));
        assert!(is_shut_out(addr, "token=ann").await);
        let ticket = ticket.as_str().expect("a word");
        assert!(is_shut_out(addr, &format!("ticket={ticket}")).await, "it stood for the token");
        server.shutdown().await;
    })
    .await;
}

/// What is revoked stays so over a restart, until it is taken back, which stays so, too.
#[tokio::test]
async fn a_revocation_outlives_a_restart() {
    within(async {
        let disk = Disk::new();
        let (server, _) = serve(&disk).await;
        assert_eq!(status(&server, "ann").await, 200);
        revoke(&server, json!({ "user": "ann" })).await;
        server.shutdown().await;

        let (again, _) = serve(&disk).await;
        assert_eq!((status(&again, "ann").await, status(&again, "root").await), (401, 200));
        let root = Caller::bearing(&again, "root");
        let listed = root.ok("GET /auth/v1/revocations", json!({})).await;
        let id = listed["revocations"][0]["id"].as_str().expect("an id");
        assert_eq!((id, &listed["revocations"][0]["user"]), ("user:ann", &json!("ann")));
        let gone = raw::send(
            again.addr(),
            "DELETE /auth/v1/revocations/user%3Aann",
            "Authorization: Bearer root\r\n",
            "",
        );
        assert_eq!(gone.await.status, 204);
        assert_eq!(status(&again, "ann").await, 200);
        again.shutdown().await;
        let (third, _) = serve(&disk).await;
        assert_eq!(status(&third, "ann").await, 200, "it was taken back for good");
        third.shutdown().await;
    })
    .await;
}

async fn is_shut_out(addr: SocketAddr, query: &str) -> bool {
    Client::connect(addr, &format!("d?{query}")).await.is_closed_at_once().await
}

/// A device, one token, and what a user was given before: no more is revoked than was named.
#[tokio::test]
async fn a_revocation_is_of_what_it_names() {
    within(async {
        let disk = Disk::new();
        let (server, bearers) = serve(&disk).await;
        let device = Some(ActorName::device("phone").expect("a name"));
        bearers.put("phone", Identity { device, ..of("bob", &[]) });
        bearers.put("named", Identity { token_id: Some("t/1".into()), ..of("bob", &[]) });
        bearers.put("late", Identity { issued_at: Some(WallMs(u64::MAX)), ..of("bob", &[]) });
        bearers.put("early", Identity { issued_at: Some(WallMs(1)), ..of("bob", &[]) });
        let statuses = async || {
            let mut statuses = Vec::new();
            for token in ["phone", "named", "late", "early"] {
                statuses.push(status(&server, token).await);
            }
            statuses
        };
        revoke(&server, json!({ "device": "phone" })).await;
        assert_eq!(statuses().await, [401, 200, 200, 200]);
        let made = revoke(&server, json!({ "token_id": "t/1", "until": "2999-01-01T00:00:00.000Z" })).await;
        assert_eq!((&made["id"], &made["until"]), (&json!("token:t/1"), &json!("2999-01-01T00:00:00.000Z")));
        assert_eq!(statuses().await, [401, 401, 200, 200]);
        revoke(&server, json!({ "user": "bob" })).await;
        assert_eq!(statuses().await, [401, 401, 200, 401]);

        let root = Caller::bearing(&server, "root");
        for (what, error) in [
            (json!({}), "bad-request"),
            (json!({ "user": "a", "device": "b" }), "bad-request"),
            (json!({ "user": "a", "why": "b" }), "bad-request"),
            (json!({ "room": "a", "until": "2999-01-01T00:00:00.000Z" }), "bad-request"),
            (json!({ "device": "a b" }), "bad-name"),
            (json!({ "user": "a", "until": "1999-01-01T00:00:00.000Z" }), "bad-until"),
        ] {
            let (status, answer) = root.ask("POST /auth/v1/revocations", what).await;
            assert_eq!((status, &answer["error"]), (400, &json!(error)));
        }
        for request in ["POST /auth/v1/revocations", "POST /auth/v1/forget"] {
            let (status, answer) = root.ask(request, json!({ "usr": "a" })).await;
            assert_eq!((status, &answer["error"]), (400, &json!("bad-request")));
            assert!(answer["message"].as_str().is_some_and(|why| why.contains("`usr`")), "{answer}");
        }
        for id in ["user:eve", "eve"] {
            assert_eq!(root.ask(&format!("DELETE /auth/v1/revocations/{id}"), json!({})).await.0, 404);
        }
        let ann = Caller::bearing(&server, "ann");
        for request in
            ["POST /auth/v1/revocations", "GET /auth/v1/revocations", "DELETE /auth/v1/revocations/user:bob"]
        {
            let (status, answer) = ann.ask(request, json!({ "user": "root" })).await;
            assert_eq!((status, &answer["error"]), (403, &json!("forbidden")), "{request}");
        }
        server.shutdown().await;
    })
    .await;
}

/// Whoever is in a room is closed once, and comes back.
#[tokio::test]
async fn a_room_is_closed_once() {
    within(async {
        let disk = Disk::new();
        let (server, _) = serve(&disk).await;
        let addr = server.addr();
        let mut ann = Client::connect(addr, "d?token=ann").await;
        let mut root = Client::connect(addr, "d?token=root").await;
        let mut other = Client::connect(addr, "e?token=ann").await;
        for (client, number) in [(&mut ann, 1), (&mut root, 2), (&mut other, 3)] {
            client.update(&letter(number, 'a')).await;
            client.hear_echo(&letter(number, 'a')).await;
        }
        assert_eq!(revoke(&server, json!({ "room": "d" })).await, json!({ "room": "d", "closed": 2 }));
        assert_eq!(revoke(&server, json!({ "room": "nothing" })).await["closed"], 0);
        for client in [&mut ann, &mut root] {
            assert_eq!(client.hear_close().await, (4403, "forbidden".into()));
        }
        let mut back = Client::connect(addr, "d?token=ann").await;
        for client in [&mut back, &mut other] {
            client.update(&letter(4, 'b')).await;
            client.hear_echo(&letter(4, 'b')).await;
        }
        let listed = Caller::bearing(&server, "root").ok("GET /auth/v1/revocations", json!({})).await;
        assert_eq!(listed["revocations"], json!([]));
        server.shutdown().await;
    })
    .await;
}

/// Goal: a request whose sender was let in is not done once they are revoked. Method: the body of a push comes after that.
#[tokio::test]
async fn a_request_that_is_under_way_is_not_done() {
    within(async {
        let disk = Disk::new();
        let (server, _) = serve(&disk).await;
        let addr = server.addr();
        let [root, ann] = ["root", "ann"].map(|token| Caller::bearing(&server, token));
        root.ok("PUT /sync/v1/types/price", json!({ "policy": "lww" })).await;
        ann.bind("phone").await;
        let create = set("price", "a", "create", json!({ "area": 1 }));
        let mut op = create.clone();
        op["n"] = json!("1");
        let body = json!({ "device_id": "phone", "ops": [op] }).to_string();
        let length = body.len();
        let head =
            format!("POST /sync/v1/push HTTP/1.1\r\nHost: {addr}\r\nContent-Type: application/json\r\n");
        let head = format!("{head}{ANN}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n");
        let mut tcp = BufReader::new(TcpStream::connect(addr).await.expect("the server listens"));
        tcp.write_all(head.as_bytes()).await.expect("the server reads");
        let mut line = String::new();
        tcp.read_line(&mut line).await.expect("a line");
        assert_eq!(line.trim_end(), "HTTP/1.1 100 Continue", "the sender was let in");
        revoke(&server, json!({ "user": "ann" })).await;
        tcp.write_all(body.as_bytes()).await.expect("the server reads");
        while !line.starts_with("HTTP/1.1 401") {
            line.clear();
            assert!(tcp.read_line(&mut line).await.expect("a line") > 0, "there is an answer");
            assert!(!line.starts_with("HTTP/1.1 2"), "{line}");
        }
        let id = "DELETE /auth/v1/revocations/user:ann";
        assert_eq!(raw::send(addr, id, "Authorization: Bearer root\r\n", "").await.status, 204);
        assert_eq!(ann.push("phone", 1, &[create]).await, ["applied"], "nothing was done of it before");
        server.shutdown().await;
    })
    .await;
}

/// Goal: whoever reads the description knows what may be answered, and in which form. Method: what is at the edge is asked for, and looked up.
#[tokio::test]
async fn answers_about_credentials_are_described() {
    within(async {
        let disk = Disk::new();
        let (server, _) = serve(&disk).await;
        let description = raw::get(server.addr(), "/auth/v1/openapi.json", "").await.body;
        let description: Value = serde_json::from_str(&description).expect("JSON");
        let one = "/auth/v1/revocations/{id}";
        let long = json!({ "user": "u".repeat(256) }).to_string();
        for (request, described, body, status) in [
            ("POST /auth/v1/tickets", "/auth/v1/tickets", "", 201),
            ("POST /auth/v1/revocations", "/auth/v1/revocations", long.as_str(), 201),
            ("POST /auth/v1/revocations", "/auth/v1/revocations", r#"{"room":"d"}"#, 200),
            ("GET /auth/v1/revocations", "/auth/v1/revocations", "", 200),
            ("POST /auth/v1/forget", "/auth/v1/forget", "{}", 200),
            ("POST /auth/v1/forget", "/auth/v1/forget", "[]", 400),
            ("DELETE /auth/v1/revocations/user:nobody", one, "", 404),
            ("DELETE /auth/v1/revocations/%ff", one, "", 404),
        ] {
            let answer = raw::send(server.addr(), request, "Authorization: Bearer root\r\n", body).await;
            assert_eq!(answer.status, status, "{request}: {answer:?}");
            let method = request.split(' ').next().expect("a method").to_ascii_lowercase();
            let told = &description["paths"][described][method]["responses"][status.to_string()];
            let kind = answer.head.lines().find_map(|line| line.strip_prefix("content-type: "));
            assert!(told["content"][kind.expect("a kind")].is_object(), "{request}: {kind:?} of {told}");
        }
        let id = &description["components"]["schemas"]["Revocation"]["properties"]["id"];
        assert!(id.get("maxLength").is_none(), "an id is longer than the name in it: {id}");
        let operations = description["paths"].as_object().expect("paths").values().flat_map(Value::as_object);
        for operation in operations.flat_map(|methods| methods.values()) {
            let told = &operation["responses"]["429"]["content"];
            assert!(told["application/problem+json"].is_object(), "{operation}");
        }
        server.shutdown().await;
    })
    .await;
}
