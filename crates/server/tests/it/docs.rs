//! `/docs/v1`: programs read, write and look back, beside people who type.

mod automerge;
mod branches;
mod bulk;
mod described;
mod events;
mod strict;

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_server::Server;

use crate::{
    entities::Caller,
    support::{
        bearers::Bearers,
        client::Client,
        disk::Disk,
        raw, start, start_with,
        updates::{formats, letter},
        within,
    },
};

const PLAN: &str = "/docs/v1/documents/team%2Fplan";

fn splice(at: u32, remove: u32, insert: &str) -> Value {
    json!([{ "op": "splice", "path": "/text", "at": at, "remove": remove, "insert": insert }])
}

async fn text(server: &Server, more: &str) -> String {
    raw::get(server.addr(), &format!("{PLAN}?format=text&root=text{more}"), "").await.body
}

/// What the head of an answer says of one header.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[tokio::test]
async fn a_document_is_created_once() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        assert_eq!(ann.ask(&format!("GET {PLAN}"), json!({})).await.0, 404);
        let seed = json!({ "json": { "text": "Hello", "todo": ["a", { "done": false }] } });
        let created = ann.ask(&format!("PUT {PLAN}"), seed.clone()).await;
        assert_eq!(created, (201, json!({ "name": "team/plan", "created": true })));
        let again = ann.ask(&format!("PUT {PLAN}"), seed.clone()).await;
        assert_eq!(again, (200, json!({ "name": "team/plan", "created": false })));
        server.shutdown().await;
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        assert_eq!(ann.ask(&format!("PUT {PLAN}"), seed.clone()).await.0, 200);
        assert_eq!(ann.ok(&format!("GET {PLAN}"), json!({})).await, seed["json"]);
        let listed = ann.ok("GET /docs/v1/documents?prefix=team/", json!({})).await;
        assert_eq!(listed["documents"][0]["name"], "team/plan");
        assert_eq!(listed["next"], Value::Null);
    })
    .await;
}

/// Goal: a document whose formats would take the server's memory where they are told again for each run is kept and passed on.
#[tokio::test]
async fn a_document_with_too_many_formats_is_passed_on_but_not_read() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut person = Client::connect(server.addr(), "team/plan").await;
        let mut other = Client::connect(server.addr(), "team/plan").await;
        person.update(&formats(2_000)).await;
        assert!(!other.hear_update().await.is_empty(), "others have it");
        let bot = Caller::of(&server, "bot");
        for form in ["json", "text&root=t", "markdown"] {
            let (status, answer) = bot.ask(&format!("GET {PLAN}?format={form}"), Value::Null).await;
            assert_eq!((status, &answer["error"]), (413, &json!("too-large")), "{form}: {answer}");
        }
        assert_eq!(bot.ask(&format!("GET {PLAN}/diff?from=0"), Value::Null).await.0, 413);
        assert_eq!(bot.ask(&format!("PATCH {PLAN}"), splice(0, 0, "x")).await.0, 413);
        assert_eq!(bot.ask(&format!("POST {PLAN}/restore"), json!({ "commit": 0 })).await.0, 413);
        bot.ok(&format!("GET {PLAN}/authors"), Value::Null).await;
        let mut late = Client::connect(server.addr(), "team/plan").await;
        assert!(!late.whole_document().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn people_see_what_a_program_writes() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let bot = Caller::of(&server, "bot");
        bot.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "ab" } })).await;
        let mut person = Client::connect(server.addr(), "team/plan").await;
        let changed = bot.ok(&format!("PATCH {PLAN}"), splice(1, 0, "🙂")).await;
        assert_eq!(changed, json!({ "changed": true }));
        let seen = person.hear_update().await;
        assert!(!seen.is_empty());
        person.update(&letter(7, 'z')).await;
        person.hear_echo(&letter(7, 'z')).await;
        assert_eq!(text(&server, "").await, "a🙂b");
        let same = json!([{ "op": "test", "path": "/text", "value": "a🙂b" }]);
        assert_eq!(bot.ok(&format!("PATCH {PLAN}"), same).await, json!({ "changed": false }));
        let (status, _) = bot.ask(&format!("PATCH {PLAN}"), splice(2, 0, "x")).await;
        assert_eq!(status, 422, "half of a surrogate pair is no place");
        let (status, _) = bot.ask(&format!("PATCH {PLAN}"), json!([{ "op": "sing", "path": "/text" }])).await;
        assert_eq!(status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_condition_is_held() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let bot = Caller::of(&server, "bot");
        bot.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "1" } })).await;
        let answer = raw::get(server.addr(), PLAN, "").await;
        let tag = header(&answer.head, "etag").to_owned();
        let not_modified = raw::get(server.addr(), PLAN, &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!(not_modified.status, 304);
        let only_if = format!("If-Match: {tag}\r\n");
        let patch = format!("PATCH {PLAN}");
        assert_eq!(bot.ask_with(&only_if, &patch, splice(0, 1, "2")).await.0, 200);
        let (status, refusal) = bot.ask_with(&only_if, &patch, splice(0, 1, "3")).await;
        assert_eq!((status, &refusal["error"]), (412, &json!("changed")));
        assert_eq!(bot.ask_with("If-Match: \"other\"\r\n", &patch, splice(0, 1, "3")).await.0, 412);
        assert_eq!(text(&server, "").await, "2");
        let modified = raw::get(server.addr(), PLAN, &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!(modified.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_was_comes_back() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "one" } })).await;
        bob.ok(&format!("PATCH {PLAN}"), splice(3, 0, " two")).await;
        let kept = ann.ask(&format!("POST {PLAN}/versions"), json!({ "name": "good" })).await;
        assert_eq!((kept.0, &kept.1["commit"], &kept.1["named_by"]), (201, &json!(2), &json!("ann")));
        bob.ok(&format!("PATCH {PLAN}"), splice(0, 3, "six")).await;

        let history = ann.ok(&format!("GET {PLAN}/history"), json!({})).await;
        let session = &history["sessions"][0];
        assert_eq!((&session["updates"], &history["last"]), (&json!(3), &json!(3)));
        assert_eq!(
            session["authors"],
            json!([{ "user": "ann", "device": null }, { "user": "bob", "device": null }])
        );
        assert_eq!(text(&server, "&commit=1").await, "one");
        assert_eq!(text(&server, "&version=1").await, "one two");
        assert!(text(&server, "&commit=0").await.contains("unknown-document"), "nothing was there");
        assert_eq!(ann.ask(&format!("GET {PLAN}?commit=9"), json!({})).await.0, 410);

        let written = ann.ok(&format!("GET {PLAN}/authors"), json!({})).await;
        let by = |i: usize| {
            (written["ranges"][i]["text"].clone(), written["ranges"][i]["written"]["by"]["user"].clone())
        };
        assert_eq!(by(0), (json!("six"), json!("bob")));
        let diff = ann.ok(&format!("GET {PLAN}/diff?from=1&to_version=1"), json!({})).await;
        let change = json!({ "kind": "text", "path": "/text", "at": 3, "removed": "", "inserted": " two" });
        assert_eq!(diff["changes"], json!([change]));

        let restored = bob.ok(&format!("POST {PLAN}/restore"), json!({ "version": 1 })).await;
        assert_eq!(restored, json!({ "changed": true }));
        assert_eq!(text(&server, "").await, "one two");
        assert_eq!(text(&server, "&commit=3").await, "six two", "nothing is rewound");
        let versions = ann.ok(&format!("GET {PLAN}/versions"), json!({})).await;
        assert_eq!(versions["versions"][0]["name"], "good");
        assert_eq!(raw::send(server.addr(), &format!("DELETE {PLAN}/versions/1"), "", "").await.status, 204);
        assert_eq!(ann.ask(&format!("GET {PLAN}?version=1"), json!({})).await.0, 404);
    })
    .await;
}

/// What was is copied as what is, once, and by whoever may read the one and write the other.
#[tokio::test]
async fn a_document_is_copied_once() {
    within(async {
        let disk = Disk::new();
        let bearers = Arc::new(Bearers::default());
        bearers.set("ann", &["doc:team/plan=write", "doc:copies/*=write"]);
        bearers.set("bob", &["doc:team/plan=read", "doc:copies/*=read"]);
        bearers.set("eve", &["doc:copies/*=write"]);
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let [ann, bob, eve] = ["ann", "bob", "eve"].map(|token| Caller::bearing(&server, token));
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "one" } })).await;
        ann.ok(&format!("PATCH {PLAN}"), splice(3, 0, " two")).await;
        let copy = format!("POST {PLAN}/copy");
        let made = ann.ask(&copy, json!({ "to": "copies/a" })).await;
        assert_eq!(made, (201, json!({ "name": "copies/a", "created": true })));
        let again = ann.ask(&copy, json!({ "to": "copies/a", "commit": 1 })).await;
        assert_eq!(again, (200, json!({ "name": "copies/a", "created": false })));
        assert_eq!(ann.ask(&copy, json!({ "to": "copies/b", "commit": 1 })).await.0, 201);
        let read = async |name: &str| bob.ok(&format!("GET /docs/v1/documents/{name}"), json!({})).await;
        assert_eq!(read("copies%2Fa").await, json!({ "text": "one two" }));
        assert_eq!(read("copies%2Fb").await, json!({ "text": "one" }));
        // The copy is a document of its own.
        ann.ok(&format!("PATCH {PLAN}"), splice(0, 3, "six")).await;
        assert_eq!(read("copies%2Fa").await, json!({ "text": "one two" }));
        let history = bob.ok("GET /docs/v1/documents/copies%2Fa/history", json!({})).await;
        assert_eq!(
            (&history["last"], &history["sessions"][0]["authors"][0]["user"]),
            (&json!(1), &json!("ann"))
        );
        for (who, to) in [(&bob, "copies/c"), (&eve, "copies/c"), (&ann, "elsewhere")] {
            let (status, refused) = who.ask(&copy, json!({ "to": to })).await;
            assert_eq!((status, &refused["error"]), (404, &json!("unknown-document")), "{to}");
        }
        let metrics = raw::get(server.addr(), "/metrics", "").await.body;
        for line in [
            "syncline_docs_requests_total{operation=\"copyDocument\",status=\"201\"} 2",
            "syncline_docs_latency_seconds_count{operation=\"copyDocument\"} 6",
        ] {
            assert!(metrics.lines().any(|found| found == line), "no {line} in\n{metrics}");
        }
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn who_may_not_read_finds_nothing() {
    within(async {
        let disk = Disk::new();
        let bearers = Arc::new(Bearers::default());
        bearers.set("admin.token", &["*=admin"]);
        bearers.set("reader.token", &["doc:team/plan=read"]);
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let admin = Caller::bearing(&server, "admin.token");
        for name in ["team%2Fplan", "other"] {
            admin.ok(&format!("PUT /docs/v1/documents/{name}"), json!({ "json": { "text": "a" } })).await;
        }
        let reader = Caller::bearing(&server, "reader.token");
        reader.ok(&format!("GET {PLAN}"), json!({})).await;
        let absent = reader.ask("GET /docs/v1/documents/nowhere", json!({})).await;
        for request in [
            "GET /docs/v1/documents/other".to_owned(),
            "GET /docs/v1/documents/other/history".to_owned(),
            "GET /docs/v1/documents/other/versions".to_owned(),
            format!("PATCH {PLAN}"),
            format!("PUT {PLAN}"),
            format!("POST {PLAN}/restore"),
            format!("POST {PLAN}/versions"),
            format!("DELETE {PLAN}/versions/1"),
        ] {
            assert_eq!(reader.ask(&request, json!({})).await, absent, "{request}");
        }
        let listed = reader.ok("GET /docs/v1/documents", json!({})).await;
        let names: Vec<_> = listed["documents"].as_array().expect("a list").iter().collect();
        assert_eq!((names.len(), &names[0]["name"]), (1, &json!("team/plan")));
        let nobody = Caller::bearing(&server, "forged");
        assert_eq!(nobody.ask(&format!("GET {PLAN}"), json!({})).await.0, 401);
    })
    .await;
}
