//! What y-sweet's clients and programs ask for, line by line. `tests/clients/scenarios/y-sweet.mjs` has the unmodified ones ask.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde_json::{Value, json};
use syncline_core::{access::Identity, entity::Handler as Asked, log::Engine, time::WallMs};
use syncline_protocol::{Request, wire::yjs};
use syncline_server::{Server, WebhookSettings};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;

use crate::{
    entities::Caller,
    support::{
        bearers::{Bearers, of},
        client::{Client, Heard},
        disk::Disk,
        handler::{Handler, Says},
        raw, start, start_with,
        updates::letter,
        within,
    },
};

const EMPTY: &[u8] = &[0, 0];

/// Tokens by their bearers: an application, somebody who writes in a team's documents, and somebody who reads and comments there.
fn bearers() -> Arc<Bearers> {
    let bearers = Arc::new(Bearers::default());
    bearers.set("app", &["*=admin"]);
    bearers.set("ann", &["doc:team*=write"]);
    bearers.set("bob", &["doc:team*=comment"]);
    bearers
}

async fn serve(disk: &Disk, bearers: &Arc<Bearers>) -> Server {
    let authenticator = Arc::clone(bearers);
    start_with(disk, |config| config.authenticator = Some(authenticator)).await
}

/// What a client is given to open a document.
async fn ticket(server: &Server, bearer: &str, name: &str, wanted: Value) -> Value {
    Caller::bearing(server, bearer).ok(&format!("POST /doc/{name}/auth"), wanted).await
}

/// Connects as y-sweet's client does with what it was given: it appends the name to the URL.
async fn connect(ticket: &Value) -> Client {
    let word = |member: &str| ticket[member].as_str().map(str::to_owned);
    let shown = word("token").map_or(String::new(), |token| format!("?token={token}"));
    let url = format!("{}/{}{shown}", word("url").expect("a URL"), word("docId").expect("a name"));
    let addr: SocketAddr =
        url["ws://".len()..].split('/').next().and_then(|at| at.parse().ok()).expect("an address");
    let tcp = TcpStream::connect(addr).await.expect("the server listens");
    let (ws, _response) = client_async(url, tcp).await.expect("the server accepts it");
    Client { ws }
}

/// Answers the question with which the server receives a client, with nothing.
async fn answer_nothing(client: &mut Client) {
    client.send(Bytes::from_static(&[0, 1, 2, 0, 0])).await;
}

async fn ask_kept(client: &mut Client, version: u64) {
    client.send(yjs::sync_status(version)).await;
}

/// Waits until the document is called kept, and returns the version.
async fn hear_kept(client: &mut Client) -> u64 {
    loop {
        match client.hear().await {
            Heard::Message(Request::SyncStatus { version }) => return version,
            Heard::Message(_) => {}
            end => panic!("{end:?} instead of a status"),
        }
    }
}

/// Reads a document with a token, as bytes.
async fn as_update(addr: SocketAddr, path: &str, token: &str) -> (u16, Vec<u8>) {
    let shown = format!("Authorization: Bearer {token}\r\n");
    let answer = raw::get(addr, path, &shown).await;
    (answer.status, answer.body.into_bytes())
}

#[tokio::test]
async fn without_authentication_a_client_gets_no_token() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let addr = server.addr();
        let anybody = Caller::of(&server, "ann");
        assert_eq!(anybody.ok("POST /check_store", json!({})).await, json!({ "ok": true }));
        let created = anybody.ok("POST /doc/new", json!({})).await;
        let name = created["docId"].as_str().expect("a name");
        assert!(
            name.len() == 22 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "{name}"
        );
        assert_eq!(anybody.ok("POST /doc/new", json!({ "docId": "plan" })).await, json!({ "docId": "plan" }));
        let ticket = ticket(&server, "", "plan", json!({ "authorization": "full" })).await;
        assert_eq!(
            ticket,
            json!({
                "url": format!("ws://{addr}/d/plan/ws"),
                "baseUrl": format!("http://{addr}/d/plan"),
                "docId": "plan",
                "authorization": "full",
            })
        );
        assert_eq!(
            as_update(addr, "/d/plan/as-update?z=1", "").await,
            (200, EMPTY.to_vec()),
            "nothing is there"
        );

        let mut client = connect(&ticket).await;
        answer_nothing(&mut client).await;
        client.update(&letter(1, 'a')).await;
        ask_kept(&mut client, 1).await;
        assert_eq!(hear_kept(&mut client).await, 1);
        for path in ["/d/plan/as-update", "/doc/plan/as-update"] {
            assert_eq!(as_update(addr, path, "").await, (200, letter(1, 'a').to_vec()));
        }
        for (path, letter) in [("/d/plan/update", letter(2, 'b')), ("/doc/plan/update", letter(3, 'c'))] {
            let updated = raw::send_bytes(addr, &format!("POST {path}"), "", &letter).await;
            assert_eq!((updated.status, updated.body.as_str()), (200, ""));
            client.hear_echo(&letter).await;
        }
        let bad = raw::send_bytes(addr, "POST /d/plan/update", "", b"nonsense").await;
        assert_eq!(bad.status, 422, "{}", bad.body);
        server.shutdown().await;
    })
    .await;
}

/// Goal: "saved" is a promise. Method: the disk holds a commit back, and a client is asked what it was told.
#[tokio::test]
async fn nothing_is_called_kept_before_it_is_durable() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut client = connect(&ticket(&server, "", "plan", json!({})).await).await;
        ask_kept(&mut client, 7).await;
        disk.tell(|control| control.hold_commits = true);
        // What it wrote offline comes with its answer.
        let offline = letter(1, 'a');
        client.send(Bytes::from([&[0, 1, offline.len() as u8], &offline[..]].concat())).await;
        disk.until(|control| control.commit_waits).await;
        ask_kept(&mut client, 7).await;
        // The line is kept alive meanwhile, and nothing else is said on it but what was asked for.
        loop {
            match client.hear().await {
                Heard::Message(Request::Presence { entries }) if entries[..] == [0] => break,
                Heard::Message(Request::Sync { .. }) => {}
                heard => panic!("{heard:?} before anything is durable"),
            }
        }
        disk.tell(|control| control.hold_commits = false);
        assert_eq!(hear_kept(&mut client).await, 7);
        server.shutdown().await;
    })
    .await;
}

/// A token allows what its issuer may do and what it was asked for, at one document, and nothing anywhere else.
#[tokio::test]
async fn a_token_for_a_document_is_good_for_nothing_else() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &bearers()).await;
        let addr = server.addr();
        let full = ticket(&server, "ann", "team%2Fplan", json!({})).await;
        assert_eq!(full["url"], json!(format!("ws://{addr}/d/team%2Fplan/ws")));
        assert_eq!(full["authorization"], "full");
        let mut writer = connect(&full).await;
        answer_nothing(&mut writer).await;
        writer.update(&letter(1, 'a')).await;
        writer.hear_echo(&letter(1, 'a')).await;

        let token = full["token"].as_str().expect("a token");
        assert_eq!(as_update(addr, "/d/team%2Fplan/as-update", token).await.0, 200);
        assert_eq!(as_update(addr, "/d/team%2Fother/as-update", token).await.0, 404);
        let as_bearer = Caller::bearing(&server, token);
        for request in [
            "POST /doc/new",
            "POST /doc/team%2Fplan/auth",
            "GET /docs/v1/documents/team%2Fplan",
            "PATCH /docs/v1/documents/team%2Fplan",
            "GET /sync/v1/types",
            "POST /auth/v1/tickets",
            "POST /check_store",
        ] {
            assert_eq!(as_bearer.ask(request, json!({})).await.0, 401, "{request}");
        }
        let other = json!({ "url": format!("ws://{addr}/d/team/ws"), "docId": "team", "token": token });
        assert!(connect(&other).await.is_closed_at_once().await);
        let mut again = connect(&full).await;
        assert!(!again.is_closed_at_once().await, "it is good more than once");
        assert_eq!(Caller::bearing(&server, "ann").ask("POST /doc/secret/auth", json!({})).await.0, 404);
        assert_eq!(
            Caller::bearing(&server, "bob").ask("POST /doc/new", json!({ "docId": "team" })).await.0,
            404
        );
        server.shutdown().await;
    })
    .await;
}

/// Whoever has a read-only token is seen, and changes nothing; nor is what they write called kept.
#[tokio::test]
async fn a_read_only_token_changes_nothing() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &bearers()).await;
        let addr = server.addr();
        for (bearer, wanted) in
            [("ann", json!({ "authorization": "read-only" })), ("bob", json!({ "authorization": "full" }))]
        {
            let given = ticket(&server, bearer, "team", wanted).await;
            assert_eq!(given["authorization"], "read-only", "{bearer}");
            let mut reader = connect(&given).await;
            answer_nothing(&mut reader).await;
            ask_kept(&mut reader, 0).await;
            assert_eq!(hear_kept(&mut reader).await, 0, "{bearer} has written nothing");
            reader.update(&letter(9, 'x')).await;
            ask_kept(&mut reader, 1).await;
            assert_eq!(reader.whole_document().await, EMPTY, "{bearer}");
            let token = given["token"].as_str().expect("a token");
            let shown = format!("Authorization: Bearer {token}\r\n");
            let update = raw::send_bytes(addr, "POST /d/team/update", &shown, &letter(9, 'x')).await;
            assert_eq!(update.status, 404);
            assert_eq!(as_update(addr, "/d/team/as-update", token).await, (200, EMPTY.to_vec()));
            // An answer that comes behind the question says that the question was not answered.
            assert_eq!(
                reader.whole_document().await,
                EMPTY,
                "{bearer} is told nothing of what was not taken"
            );
        }
        server.shutdown().await;
    })
    .await;
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_millis();
    u64::try_from(now).expect("it is earlier than that")
}

/// A token ends with its time, with that of its issuer, and with what is revoked of its issuer or of whom it names.
#[tokio::test]
async fn a_token_ends() {
    within(async {
        let (disk, bearers) = (Disk::new(), bearers());
        bearers.set("root", &["*=admin"]);
        let dora = of("dora", &["doc:team*=write"]);
        bearers.put("dora", Identity { expires_at: Some(WallMs(now_ms() + 1_500)), ..dora });
        let server = serve(&disk, &bearers).await;
        let by_time = ticket(&server, "ann", "team", json!({ "validForSeconds": 1 })).await;
        let by_issuer = ticket(&server, "dora", "team", json!({})).await;
        for given in [&by_time, &by_issuer] {
            let mut client = connect(given).await;
            assert_eq!(client.hear_close().await, (4401, "unauthorized".into()));
            assert!(connect(given).await.is_closed_at_once().await);
        }
        for (issuer, revoked) in [("app", "app"), ("root", "eve")] {
            let given = ticket(&server, issuer, "team", json!({ "userId": "eve" })).await;
            let mut client = connect(&given).await;
            assert!(!client.is_closed_at_once().await, "a token was issued before {revoked} was revoked");
            Caller::bearing(&server, "root")
                .ok("POST /auth/v1/revocations", json!({ "user": revoked }))
                .await;
            assert_eq!(client.hear_close().await, (4401, "unauthorized".into()), "{revoked}");
            assert!(connect(&given).await.is_closed_at_once().await);
        }
        server.shutdown().await;
    })
    .await;
}

/// An application says whose token it is, and nobody else does.
#[tokio::test]
async fn an_application_says_who_writes() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &bearers()).await;
        let (code, refused) =
            Caller::bearing(&server, "ann").ask("POST /doc/team/auth", json!({ "userId": "eve" })).await;
        assert_eq!((code, &refused["error"]), (400, &json!("bad-request")));
        let own = json!({ "userId": "ann", "unknown": 1 });
        assert_eq!(ticket(&server, "ann", "team", own).await["authorization"], "full");
        let given = ticket(&server, "app", "team", json!({ "userId": "eve" })).await;
        let mut eve = connect(&given).await;
        answer_nothing(&mut eve).await;
        eve.update(&letter(1, 'a')).await;
        eve.hear_echo(&letter(1, 'a')).await;
        let history =
            Caller::bearing(&server, "app").ok("GET /docs/v1/documents/team/history", json!({})).await;
        assert_eq!(history["sessions"][0]["authors"][0]["user"], "eve");
        server.shutdown().await;
    })
    .await;
}

/// What an application allows that keeps rights itself is not more than a token is for.
#[tokio::test]
async fn an_application_that_keeps_rights_allows_no_more_than_the_token() {
    within(async {
        let disk = Disk::new();
        // Whether somebody may read, comment or write is asked one by one.
        let application = Handler::start(Says::This(200, json!({ "allowed": [true] }).to_string())).await;
        let bearers = bearers();
        bearers.set("eve", &[]);
        let url = format!("http://{}/rights", application.addr);
        let asked = Asked { url, timeout_ms: None, secret: None };
        let settings = WebhookSettings { asked, ttl_ms: Some(3_600_000), stale_ms: None };
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.webhook = Some(settings);
        })
        .await;
        let given = ticket(&server, "eve", "plan", json!({ "authorization": "read-only" })).await;
        let full = ticket(&server, "eve", "plan", json!({})).await;
        assert_eq!((&given["authorization"], &full["authorization"]), (&json!("read-only"), &json!("full")));
        let mut reader = connect(&given).await;
        reader.update(&letter(1, 'a')).await;
        assert_eq!(reader.whole_document().await, EMPTY);
        let mut writer = connect(&full).await;
        writer.update(&letter(2, 'b')).await;
        writer.hear_echo(&letter(2, 'b')).await;
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn what_names_no_document_is_refused() {
    within(async {
        let disk = Disk::new();
        disk.put_document_of(Engine::Automerge, "other", b"");
        let server = start(&disk).await;
        let addr = server.addr();
        for (path, status) in [("/d/a/ws/b", 400), ("/d/a/ws/", 404), ("/d/a/ws/a", 101), ("/doc/ws/a", 101)]
        {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n{}\r\n", raw::WEBSOCKET);
            assert_eq!(raw::head(addr, &head).await.0, status, "{path}");
        }
        let strange = format!(
            "GET /d/a/ws/a HTTP/1.1\r\nHost: {addr}\r\nOrigin: https://evil.example\r\n{}\r\n",
            raw::WEBSOCKET
        );
        assert_eq!(raw::head(addr, &strange).await.0, 403);
        let anybody = Caller::of(&server, "ann");
        assert_eq!(anybody.ask("POST /doc/new", json!({ "docId": "a\u{7}" })).await.0, 400);
        assert_eq!(anybody.ask("POST /doc/new", json!({ "docId": "other" })).await.0, 409);
        assert_eq!(anybody.ask("GET /d/other/as-update", json!({})).await.0, 409);
        assert_eq!(anybody.ask("POST /doc/a/auth", json!({ "authorization": "all" })).await.0, 400);
        server.shutdown().await;
    })
    .await;
}
