//! What is told of changes of documents as they come.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_core::{
    access::Identity,
    entity::{EntityType, Handler as Asked, Policy, TypeName},
    id::TenantName,
    limits::COMPACT_LOG_BYTES_MIN,
};
use syncline_server::{Server, WebhookSettings};
use syncline_store::key::Kind;

use super::{PLAN, splice};
use crate::{
    entities::Caller,
    support::{
        bearers::{Bearers, of},
        client::Client,
        disk::{Disk, count},
        handler::{Handler, Says},
        raw::{self, Events},
        start, start_with,
        updates::long_text,
        within,
    },
};

/// Returns the next event: its name, its number, and what it says.
async fn next(events: &mut Events) -> (String, String, Value) {
    let (name, data) = events.next().await.expect("an event");
    (name, events.id.clone(), serde_json::from_str(&data).expect("JSON"))
}

/// Returns of which document and which commit the next event tells.
async fn changed(events: &mut Events) -> (String, u64) {
    let (name, _, data) = next(events).await;
    assert_eq!(name, "changed", "{data}");
    (data["document"].as_str().expect("a name").to_owned(), data["commit"].as_u64().expect("a number"))
}

async fn write(server: &Server, user: &str, name: &str) {
    let ann = Caller::of(server, user);
    ann.ok(&format!("PUT /docs/v1/documents/{name}"), json!({ "json": { "text": "a" } })).await;
    ann.ok(&format!("PATCH /docs/v1/documents/{name}"), splice(0, 0, "b")).await;
}

#[tokio::test]
async fn a_document_tells_of_its_commits() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let addr = server.addr();
        let events = format!("{PLAN}/events");
        assert_eq!(raw::get(addr, &events, "").await.status, 404);
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "a" } })).await;

        let mut live = Events::open(addr, &events, "").await;
        bob.ok(&format!("PATCH {PLAN}"), splice(0, 0, "b")).await;
        let (name, id, told) = next(&mut live).await;
        assert_eq!((name.as_str(), id.as_str()), ("changed", "2"));
        assert_eq!((&told["document"], &told["commit"]), (&json!("team/plan"), &json!(2)));
        assert_eq!(told["authors"], json!([{ "user": "bob", "device": null }]));
        assert!(told["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{told}");

        // Who was away is told of all that they have missed as of one change, also by another life of the server.
        server.shutdown().await;
        assert_eq!(live.next().await, None);
        let server = start(&disk).await;
        let addr = server.addr();
        let mut again = Events::open(addr, &events, "Last-Event-ID: 0\r\n").await;
        let (_, id, told) = next(&mut again).await;
        let both = json!([{ "user": "ann", "device": null }, { "user": "bob", "device": null }]);
        assert_eq!((id.as_str(), &told["authors"]), ("2", &both));
        let mut newest = Events::open(addr, &format!("{events}?after=2"), "").await;
        // They know a commit of another document that had the name once.
        let mut strange = Events::open(addr, &format!("{events}?after=9"), "").await;
        assert_eq!(changed(&mut strange).await, ("team/plan".into(), 2));
        Caller::of(&server, "bob").ok(&format!("PATCH {PLAN}"), splice(0, 0, "c")).await;
        for events in [&mut again, &mut newest, &mut strange] {
            assert_eq!(changed(events).await, ("team/plan".into(), 3));
        }
        assert_eq!(raw::get(addr, &format!("{events}?after=x"), "").await.status, 400);
        server.shutdown().await;
    })
    .await;
}

/// Goal: authors of commits are told that a snapshot has folded away.
#[tokio::test]
async fn folded_commits_have_authors() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "long").await;
        client.update(&long_text(1, COMPACT_LOG_BYTES_MIN)).await;
        client.hear_update().await;
        let folded = || count(&disk, Kind::Snapshot) > 0 && count(&disk, Kind::Log) == 0;
        while !folded() {
            tokio::task::yield_now().await;
        }
        let mut events = Events::open(server.addr(), "/docs/v1/documents/long/events?after=0", "").await;
        let (_, _, told) = next(&mut events).await;
        assert_eq!((&told["commit"], told["authors"].as_array().map(Vec::len)), (&json!(1), Some(1)));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn many_documents_are_followed_by_their_names() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let addr = server.addr();
        let mut plans = Events::open(addr, "/docs/v1/events?prefix=plan", "").await;
        let (name, begin, _) = next(&mut plans).await;
        assert_eq!(name, "listening");
        write(&server, "ann", "note").await;
        write(&server, "ann", "plan1").await;
        assert_eq!(changed(&mut plans).await, ("plan1".into(), 1));
        assert_eq!(changed(&mut plans).await, ("plan1".into(), 2));
        let last = plans.id.clone();

        let again = async |id: &str| {
            let path = format!("/docs/v1/events?prefix=plan&after={id}");
            Events::open(addr, &path, "").await
        };
        let mut missed = again(&begin).await;
        assert_eq!(changed(&mut missed).await, ("plan1".into(), 2));
        let mut up_to_date = again(&last).await;
        let mut of_another_life = again("0a-7").await;
        assert_eq!(next(&mut of_another_life).await.0, "missed");
        write(&server, "ann", "plan2").await;
        for events in [&mut plans, &mut missed, &mut up_to_date, &mut of_another_life] {
            assert_eq!(changed(events).await.0, "plan2");
        }
        assert_eq!(raw::get(addr, "/docs/v1/events?after=7", "").await.status, 400);
        server.shutdown().await;
    })
    .await;
}

/// Each reader hears of what a grant of theirs names, until their token is good no longer.
#[tokio::test]
async fn readers_hear_of_what_they_may_read() {
    within(async {
        let disk = Disk::new();
        let bearers = Arc::new(Bearers::default());
        bearers.set("root", &["*=admin"]);
        bearers.set("ann", &["doc:open/*=read"]);
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let (addr, root) = (server.addr(), Caller::bearing(&server, "root"));
        let put = async |name: &str| {
            let request = format!("PUT /docs/v1/documents/{name}");
            root.ok(&request, json!({ "json": { "text": "a" } })).await;
        };
        let ann = "Authorization: Bearer ann\r\n";
        let mut events = Events::open(addr, "/docs/v1/events", ann).await;
        assert_eq!(next(&mut events).await.0, "listening");
        put("secret").await;
        put("open%2Fa").await;
        assert_eq!(changed(&mut events).await.0, "open/a");
        let mut one = Events::open(addr, "/docs/v1/documents/open%2Fa/events?after=0", ann).await;
        assert_eq!(changed(&mut one).await.0, "open/a");
        assert_eq!(raw::get(addr, "/docs/v1/documents/secret/events", ann).await.status, 404);
        root.ok("POST /auth/v1/revocations", json!({ "user": "ann" })).await;
        put("open%2Fb").await;
        assert_eq!((events.next().await, one.next().await), (None, None));
        server.shutdown().await;
    })
    .await;
}

/// Returns of which document the next event tells that it was deleted, and by whom.
async fn deleted(events: &mut Events) -> (String, Value) {
    let (name, _, data) = next(events).await;
    assert_eq!(name, "deleted", "{data}");
    assert!(data["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{data}");
    (data["document"].as_str().expect("a name").to_owned(), data["by"]["user"].clone())
}

/// Waits for the deletion of a document while the disk holds it up, and fails if it is told meanwhile.
async fn held_up(disk: &Disk, events: &mut Events) {
    let told = tokio::select! {
        biased;
        told = deleted(events) => Some(told),
        _ = disk.until(|disk| disk.commit_waits) => None,
    };
    assert_eq!(told, None, "it was told before it was durable");
    disk.tell(|disk| disk.hold_commits = false);
}

/// The stream of a document ends with it, whoever has it open or nobody, and tells nothing of the next one of its name.
#[tokio::test]
async fn a_deletion_is_told_once_it_is_durable() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let seed = json!({ "json": { "text": "a" } });
        Caller::of(&server, "ann").ok("PUT /docs/v1/documents/closed", seed.clone()).await;
        server.shutdown().await;
        let server = start(&disk).await;
        let addr = server.addr();
        let ann = Caller::of(&server, "ann");
        ann.ok("PUT /docs/v1/documents/open", seed.clone()).await;
        let mut many = Events::open(addr, "/docs/v1/events", "").await;
        let (_, begin, _) = next(&mut many).await;
        for name in ["open", "closed"] {
            let path = format!("/docs/v1/documents/{name}");
            let mut one = Events::open(addr, &format!("{path}/events"), "").await;
            let request = format!("DELETE {path}");
            let deleting = raw::send(addr, &request, "Sync-User: bob\r\n", "");
            // What opens a room that nobody has open is committed, too.
            if name == "open" {
                disk.tell(|disk| disk.hold_commits = true);
                let (answer, ()) = tokio::join!(deleting, held_up(&disk, &mut one));
                assert_eq!(answer.status, 204);
            } else {
                assert_eq!(deleting.await.status, 204);
            }
            assert_eq!(deleted(&mut one).await, (name.into(), json!("bob")));
            assert_eq!((one.id.clone(), one.next().await), ("0".into(), None));
            assert_eq!(raw::get(addr, &format!("{path}/events?after=0"), "").await.status, 404);
            ann.ok(&format!("PUT {path}"), seed.clone()).await;
            assert_eq!(deleted(&mut many).await.0, name);
            assert_eq!(changed(&mut many).await, (name.into(), 1));
        }
        let mut again = Events::open(addr, &format!("/docs/v1/events?after={begin}"), "").await;
        for name in ["open", "closed"] {
            assert_eq!(deleted(&mut again).await.0, name);
            assert_eq!(changed(&mut again).await, (name.into(), 1));
        }
        server.shutdown().await;
    })
    .await;
}

/// The document of an entity goes with it, also where nobody has it open, and comes back with it.
#[tokio::test]
async fn the_document_of_a_deleted_entity_is_told_of() {
    within(async {
        let disk = Disk::new();
        let note = EntityType::new(TypeName::new("note").expect("a name"), Policy::Crdt);
        let server = start_with(&disk, |config| config.types = vec![note]).await;
        let addr = server.addr();
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let path = |id: &str| format!("/docs/v1/documents/note%2F{id}");
        for id in ["open", "closed"] {
            ann.ok(&format!("PUT {}", path(id)), json!({ "json": { "text": "a" } })).await;
        }
        let mut editor = Client::connect(addr, "note/open").await;
        editor.whole_document().await;
        let mut many = Events::open(addr, "/docs/v1/events?prefix=note/", "").await;
        assert_eq!(next(&mut many).await.0, "listening");
        let delete =
            |id: &str, ver: &str| json!({ "type": "note", "id": id, "op": "delete", "ctx": { "ver": ver } });
        for (n, id) in (1..).zip(["open", "closed"]) {
            let mut one = Events::open(addr, &format!("{}/events", path(id)), "").await;
            assert_eq!(ann.push("phone", n, &[delete(id, "1")]).await, ["applied"]);
            assert_eq!(deleted(&mut one).await, (format!("note/{id}"), Value::Null));
            assert_eq!(one.next().await, None);
            assert_eq!(deleted(&mut many).await.0, format!("note/{id}"));
            for what in ["", "/events"] {
                let refused = raw::get(addr, &format!("{}{what}", path(id)), "").await;
                assert_eq!(refused.status, 404, "{refused:?}");
            }
        }
        assert_eq!(editor.hear_close().await.0, 4410);
        let restore =
            json!({ "type": "note", "id": "open", "op": "restore", "ctx": { "ver": "2" }, "set": {} });
        assert_eq!(ann.push("phone", 3, &[restore]).await, ["applied"]);
        let mut one = Events::open(addr, &format!("{}/events", path("open")), "").await;
        ann.ok(&format!("PATCH {}", path("open")), splice(0, 0, "b")).await;
        for events in [&mut one, &mut many] {
            assert_eq!(changed(events).await, ("note/open".into(), 2));
        }
        server.shutdown().await;
    })
    .await;
}

/// Rights that an application gives are asked for at each event.
#[tokio::test]
async fn rights_that_change_count_for_the_next_event() {
    within(async {
        let disk = Disk::new();
        let bearers = Arc::new(Bearers::default());
        bearers.set("root", &["*=admin"]);
        bearers.set("bob", &[]);
        let says = |allowed: bool| Says::This(200, json!({ "allowed": [allowed] }).to_string());
        let application = Handler::start(says(true)).await;
        let url = format!("http://{}/rights", application.addr);
        let asked = Asked { url, timeout_ms: None, secret: None };
        let webhook = WebhookSettings { asked, ttl_ms: Some(3_600_000), stale_ms: Some(0) };
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.webhook = Some(webhook);
        })
        .await;
        let root = Caller::bearing(&server, "root");
        root.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "a" } })).await;
        let bob = "Authorization: Bearer bob\r\n";
        let mut one = Events::open(server.addr(), &format!("{PLAN}/events"), bob).await;
        let mut many = Events::open(server.addr(), "/docs/v1/events", bob).await;
        assert_eq!(next(&mut many).await.0, "listening");
        root.ok(&format!("PATCH {PLAN}"), splice(0, 0, "b")).await;
        assert_eq!((changed(&mut one).await.1, changed(&mut many).await.1), (2, 2));
        application.says(says(false));
        root.ok("POST /auth/v1/forget", json!({})).await;
        root.ok(&format!("PATCH {PLAN}"), splice(0, 0, "c")).await;
        assert_eq!(one.next().await, None);
        application.says(says(true));
        root.ok("POST /auth/v1/forget", json!({})).await;
        root.ok(&format!("PATCH {PLAN}"), splice(0, 0, "d")).await;
        assert_eq!(changed(&mut many).await.1, 4);
        server.shutdown().await;
    })
    .await;
}

/// Each stream takes the place of a connection.
#[tokio::test]
async fn streams_are_bounded() {
    within(async {
        let disk = Disk::new();
        let bearers = Arc::new(Bearers::default());
        bearers.set("ann", &["*=read"]);
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.quota.user_connections = Some(1);
        })
        .await;
        let ann = "Authorization: Bearer ann\r\n";
        let _events = Events::open(server.addr(), "/docs/v1/events", ann).await;
        let refused = raw::get(server.addr(), "/docs/v1/events", ann).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        assert!(refused.body.contains("too-many-connections"), "{refused:?}");
        server.shutdown().await;
    })
    .await;
}

/// Goal: one tenant leaves places to others, however many users it has. Method: half of them, and one more of each of two tenants.
#[tokio::test]
async fn one_tenant_has_half_of_the_streams() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["doc:*=read"]);
        let acme = TenantName::new("acme").expect("a name");
        bearers.put("eve", Identity { tenant: acme, ..of("eve", &["doc:*=read"]) });
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.quota.user_connections = None;
        })
        .await;
        let addr = server.addr();
        let bearing = |user: &str| format!("Authorization: Bearer {user}\r\n");
        let mut open = Vec::new();
        for _ in 0..512 {
            open.push(Events::open(addr, "/docs/v1/events", &bearing("ann")).await);
        }
        let refused = raw::get(addr, "/docs/v1/events", &bearing("ann")).await;
        assert!(refused.status == 429 && refused.body.contains("of one tenant"), "{refused:?}");
        let mut eve = Events::open(addr, "/docs/v1/events", &bearing("eve")).await;
        assert_eq!(next(&mut eve).await.0, "listening");
        server.shutdown().await;
    })
    .await;
}
