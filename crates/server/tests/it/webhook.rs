//! An application that keeps rights itself: what it says opens and closes.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_core::entity::{EntityType, Handler as Asked, Policy, TypeName};
use syncline_server::{Server, WebhookSettings};

use crate::{
    entities::{Caller, set},
    support::{
        automerge::{self, Repo},
        bearers::Bearers,
        client::Client,
        disk::Disk,
        handler::{Handler, Says},
        hocuspocus::{Heard, Socket},
        raw, start_with,
        updates::letter,
        within,
    },
};

/// Starts a server whose users have no grants but that `ann` may read documents that begin with `open`.
async fn serve(disk: &Disk, application: &Handler, ttl_ms: u64, stale_ms: u64) -> Server {
    let bearers = Arc::new(Bearers::default());
    bearers.set("admin", &["*=admin"]);
    bearers.set("ann", &["doc:open/*=write"]);
    bearers.set("bob", &[]);
    bearers.set("cleo", &["doc:*=write"]);
    let url = format!("http://{}/rights", application.addr);
    let asked = Asked { url, timeout_ms: None, secret: None };
    let settings = WebhookSettings { asked, ttl_ms: Some(ttl_ms), stale_ms: Some(stale_ms) };
    start_with(disk, |config| {
        config.authenticator = Some(bearers);
        config.types = vec![EntityType::new(TypeName::new("note").expect("a name"), Policy::Lww)];
        config.webhook = Some(settings);
    })
    .await
}

/// What an application answers to a question about so many things.
fn says(allowed: &[bool]) -> Says {
    Says::This(200, json!({ "allowed": allowed }).to_string())
}

const HOUR: u64 = 3_600_000;

/// Has a server forget what was decided, as an application does that has changed a right.
async fn forget(server: &Server, what: Value) -> Value {
    Caller::bearing(server, "admin").ok("POST /auth/v1/forget", what).await
}

#[tokio::test]
async fn what_no_grant_allows_an_application_may() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(says(&[true, true, false])).await;
        let server = serve(&disk, &application, HOUR, 0).await;
        let addr = server.addr();
        let mut granted = Client::connect(addr, "open/a?token=ann").await;
        granted.update(&letter(1, 'a')).await;
        granted.hear_echo(&letter(1, 'a')).await;
        assert_eq!(application.more(), 0, "nobody is asked what a grant allows");

        let mut reader = Client::connect(addr, "plan?token=ann").await;
        assert!(!reader.is_closed_at_once().await);
        let question = application.asked().await.json();
        let check = |action: &str| json!({ "resource": "doc:plan", "action": action });
        assert_eq!(question["checks"], json!([check("read"), check("comment"), check("write")]));
        assert_eq!((&question["user"], &question["device"]), (&json!("ann"), &json!(null)));
        let again = Client::connect(addr, "plan?token=ann").await;
        assert_eq!(application.more(), 0, "it was answered before");
        drop(again);

        // The application changes its mind: who writes may, and then nobody comes in any more.
        application.says(says(&[true, true, true]));
        let told = forget(&server, json!({ "user": "ann", "resource": "doc:plan" })).await;
        assert_eq!(told, json!({ "forgotten": 3 }));
        application.asked().await;
        let mut writer = Client::connect(addr, "plan?token=ann").await;
        writer.update(&letter(2, 'b')).await;
        writer.hear_echo(&letter(2, 'b')).await;
        application.says(says(&[false, false, false]));
        forget(&server, json!({ "resource": "doc:plan" })).await;
        assert_eq!(writer.hear_close().await.0, 4403);
        assert_eq!(reader.hear_close().await.0, 4403);
        assert!(Client::connect(addr, "plan?token=ann").await.is_closed_at_once().await);
        granted.update(&letter(3, 'c')).await;
        granted.hear_echo(&letter(3, 'c')).await;
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_decision_that_ends_is_asked_for_again() {
    within(async {
        let disk = Disk::new();
        let application = Handler::start(says(&[true, true, true])).await;
        let server = serve(&disk, &application, 50, HOUR).await;
        let mut socket = Socket::connect(server.addr()).await;
        socket.auth("plan", "bob", true).await;
        socket.auth("open/a", "ann", true).await;
        socket.hear_until("plan", |heard| matches!(heard, Heard::Scope(_))).await;
        socket.update("plan", &letter(1, 'a')).await;
        socket.hear_until("plan", |heard| *heard == Heard::Saved).await;
        application.says(says(&[false, false, false]));
        socket.hear_until("plan", |heard| *heard == Heard::Ended("forbidden".into())).await;
        socket.update("open/a", &letter(2, 'b')).await;
        socket.hear_until("open/a", |heard| *heard == Heard::Saved).await;
        server.shutdown().await;
    })
    .await;
}

/// While the application cannot be reached nobody new comes in, and who is in stays for no longer than was said.
#[tokio::test]
async fn without_the_application_nobody_is_let_in_for_long() {
    within(async {
        let disk = Disk::new();
        let application = Handler::start(says(&[true, true, true])).await;
        let server = serve(&disk, &application, 50, 1_000).await;
        let addr = server.addr();
        let mut client = Client::connect(addr, "plan?token=bob").await;
        client.update(&letter(1, 'a')).await;
        client.hear_echo(&letter(1, 'a')).await;
        application.says(Says::Gone);
        assert_eq!(Client::connect(addr, "other?token=bob").await.hear_close().await.0, 1013);
        assert_eq!(client.hear_close().await.0, 1013, "it comes back, and is let in when somebody says so");
        let pull = json!({ "device_id": "d", "scopes": [{ "scope": "note" }] });
        let bob = Caller::bearing(&server, "bob");
        assert_eq!(bob.refused("POST /sync/v1/pull", pull).await, (503, "handler-unavailable".to_owned()));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn entities_keep_to_what_the_application_says() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(says(&[true])).await;
        let server = serve(&disk, &application, HOUR, 0).await;
        let bob = Caller::bearing(&server, "bob");
        bob.bind("till").await;
        assert_eq!(application.more(), 0);
        let note = |id: &str| set("note", id, "create", json!({ "text": "hello" }));
        assert_eq!(bob.push("till", 1, &[note("a")]).await, ["applied"]);
        let question = application.asked().await.json();
        assert_eq!(question["checks"], json!([{ "resource": "type:note", "action": "write" }]));
        assert_eq!(bob.push("till", 2, &[note("b")]).await, ["applied"]);
        assert_eq!(application.more(), 0, "it was answered before");

        application.says(says(&[false, true]));
        let read = bob.pull("till", "note", &Value::Null).await;
        assert_eq!(read["scopes"][0]["changes"].as_array().map(Vec::len), Some(2));
        let question = application.asked().await.json();
        assert_eq!(question["checks"][0]["resource"], "scope:note");
        let mut live = raw::Events::open(
            server.addr(),
            "/sync/v1/live?device_id=till&scope=note",
            "Authorization: Bearer bob\r\n",
        )
        .await;

        // What is taken away ends streams, is refused, and is as if it were not there.
        application.says(says(&[false, false]));
        forget(&server, json!({ "user": "bob" })).await;
        while live.next().await.is_some() {}
        let pull = json!({ "device_id": "till", "scopes": [{ "scope": "note" }] });
        assert_eq!(bob.refused("POST /sync/v1/pull", pull).await, (403, "forbidden-scope".to_owned()));
        application.says(says(&[false]));
        forget(&server, json!({})).await;
        assert_eq!(bob.push("till", 3, &[note("c")]).await, ["rejected"]);
        let types = "GET /sync/v1/types/";
        let hidden = bob.refused(&format!("{types}note"), json!({})).await;
        assert_eq!(hidden, bob.refused(&format!("{types}nothing"), json!({})).await);
        let refused = Caller::bearing(&server, "bob").ask("POST /auth/v1/forget", json!({})).await;
        assert_eq!(refused.0, 403);
        server.shutdown().await;
    })
    .await;
}

/// Each document of an Automerge client is asked about by itself, and one that is taken away leaves the others.
#[tokio::test]
async fn automerge_documents_keep_to_what_the_application_says() {
    use automerge::{DOCUMENT, Heard, OTHER};
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(says(&[true, true, false])).await;
        let server = serve(&disk, &application, HOUR, 0).await;
        let mut cleo = Repo::connect(server.addr(), "?token=cleo", 1).await;
        cleo.put("of cleo", "one");
        cleo.settle(DOCUMENT).await;
        assert_eq!(application.more(), 0, "nobody is asked what a grant allows");

        let mut bob = Repo::connect(server.addr(), "?token=bob", 2).await;
        bob.say("request", DOCUMENT).await;
        let question = application.asked().await.json();
        let check = |action: &str| json!({ "resource": format!("doc:{DOCUMENT}"), "action": action });
        assert_eq!(question["checks"], json!([check("read"), check("comment"), check("write")]));
        bob.hear_until(DOCUMENT, |bob, _| bob.text("of cleo").is_some()).await;
        bob.put("of bob", "two");
        bob.say("sync", DOCUMENT).await;
        cleo.put("of cleo", "three");
        cleo.settle(DOCUMENT).await;
        bob.hear_until(DOCUMENT, |bob, _| bob.text("of cleo").as_deref() == Some("three")).await;
        assert_eq!(cleo.text("of bob"), None, "he may only read");

        // The application changes its mind: he may write.
        application.says(says(&[true, true, true]));
        let told = forget(&server, json!({ "user": "bob" })).await;
        assert_eq!(told, json!({ "forgotten": 3 }));
        bob.settle(DOCUMENT).await;
        cleo.hear_until(DOCUMENT, |cleo, _| cleo.text("of bob").is_some()).await;

        // And then not even read, this one document.
        bob.ask(OTHER).await;
        bob.hear_until(DOCUMENT, |_, heard| *heard == Heard::Unavailable(OTHER.into())).await;
        application.says(says(&[false, false, false]));
        forget(&server, json!({ "resource": format!("doc:{DOCUMENT}") })).await;
        bob.hear_until(DOCUMENT, |_, heard| *heard == Heard::Unavailable(DOCUMENT.into())).await;
        cleo.put("of cleo", "secret");
        cleo.settle(DOCUMENT).await;
        bob.ask(DOCUMENT).await;
        bob.ask(OTHER).await;
        bob.hear_until(DOCUMENT, |_, heard| *heard == Heard::Unavailable(DOCUMENT.into())).await;
        assert_eq!(bob.text("of cleo").as_deref(), Some("three"));

        // What nobody decides is not opened, and the client comes again.
        application.says(Says::Gone);
        forget(&server, json!({})).await;
        assert_eq!(closed(&mut bob).await, 1013);
        let mut again = Repo::connect(server.addr(), "?token=bob", 3).await;
        again.say("request", DOCUMENT).await;
        assert_eq!(closed(&mut again).await, 1013);
        server.shutdown().await;
    })
    .await;
}

async fn closed(repo: &mut Repo) -> u16 {
    loop {
        if let automerge::Heard::Closed(code) = repo.hear().await {
            return code;
        }
    }
}
