//! Automerge documents over `/docs/v1`.

use automerge::{AutoCommit, ROOT, ReadDoc};
use serde_json::{Value, json};

use crate::{
    entities::Caller,
    support::{
        automerge::{DOCUMENT, OTHER, Repo},
        disk::Disk,
        raw, start, within,
    },
};

fn at(more: &str) -> String {
    format!("/docs/v1/documents/{DOCUMENT}{more}")
}

fn splice(path: &str, at: u32, remove: u32, insert: &str) -> Value {
    json!([{ "op": "splice", "path": path, "at": at, "remove": remove, "insert": insert }])
}

/// A program creates a document, people open it, and both write in it.
#[tokio::test]
async fn a_program_writes_where_automerge_clients_write() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        let seed =
            json!({ "kind": "automerge", "json": { "text": "Hello", "todo": ["a"], "meta": { "n": 1 } } });
        assert_eq!(ann.ask(&format!("PUT {}", at("")), seed.clone()).await.0, 201);
        let again = ann.ask(&format!("PUT {}", at("")), seed.clone()).await;
        assert_eq!(again, (200, json!({ "name": DOCUMENT, "created": false })));
        let mut bob = Repo::connect(server.addr(), "", 2).await;
        bob.say("request", DOCUMENT).await;
        bob.hear_until(DOCUMENT, |bob, _| bob.string("text").as_deref() == Some("Hello")).await;
        bob.put("by", "bob");
        bob.settle(DOCUMENT).await;
        ann.ok(&format!("PATCH {}", at("")), splice("/text", 5, 0, " world")).await;
        bob.hear_until(DOCUMENT, |bob, _| bob.string("text").as_deref() == Some("Hello world")).await;
        let mut want = seed["json"].clone();
        (want["text"], want["by"]) = (json!("Hello world"), json!("bob"));
        assert_eq!(ann.ok(&format!("GET {}", at("")), json!({})).await, want);
        let text = raw::get(server.addr(), &at("?format=text&root=text"), "").await.body;
        assert_eq!(text, "Hello world");
        let item = raw::get(server.addr(), &at("?format=text&root=/todo/0"), "").await.body;
        assert_eq!(item, "a");
        let (_, whole) = raw::fetch(server.addr(), &at("?format=automerge"), "").await;
        let loaded = AutoCommit::load(&whole).expect("a document");
        assert!(loaded.get(ROOT, "by").expect("a map").is_some());
        let listed = ann.ok("GET /docs/v1/documents", json!({})).await;
        assert_eq!(listed["documents"][0]["kind"], "automerge");
        server.shutdown().await;
    })
    .await;
}

/// What was is shown, named, compared and brought back, by the name of who did it.
#[tokio::test]
async fn what_an_automerge_document_was_comes_back() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        let seed = json!({ "kind": "automerge", "json": { "text": "one" } });
        ann.ok_created(&format!("PUT {}", at("")), seed).await;
        let version = ann.ok_created(&format!("POST {}", at("/versions")), json!({ "name": "first" })).await;
        assert_eq!((&version["version"], &version["commit"]), (&json!(1), &json!(1)));
        bob.ok(&format!("PATCH {}", at("")), splice("/text", 0, 3, "two")).await;
        let history = ann.ok(&format!("GET {}", at("/history")), json!({})).await;
        let authors = history["sessions"][0]["authors"].as_array().expect("a list").len();
        assert_eq!((&history["last"], authors), (&json!(2), 2), "{history}");
        for old in ["?commit=1", "?version=1"] {
            assert_eq!(
                ann.ok(&format!("GET {}", at(old)), json!({})).await,
                json!({ "text": "one" }),
                "{old}"
            );
        }
        let (_, bytes) = raw::fetch(server.addr(), &at("/versions/1"), "").await;
        assert!(AutoCommit::load(&bytes).is_ok(), "in the bytes of its kind");
        let diff = ann.ok(&format!("GET {}", at("/diff?from=1")), json!({})).await;
        assert_eq!(diff["changes"][0]["kind"], "text", "{diff}");
        let restored = bob.ok(&format!("POST {}", at("/restore")), json!({ "version": 1 })).await;
        assert_eq!(restored, json!({ "changed": true }));
        assert_eq!(ann.ok(&format!("GET {}", at("")), json!({})).await, json!({ "text": "one" }));
        assert_eq!(ann.ok(&format!("GET {}", at("?commit=2")), json!({})).await, json!({ "text": "two" }));
        let nothing = bob.ok(&format!("POST {}", at("/restore")), json!({ "commit": 1 })).await;
        assert_eq!(nothing, json!({ "changed": false }));
        server.shutdown().await;
    })
    .await;
}

/// What cannot be done with its kind is refused as that, and an edit that does not fit changes nothing.
#[tokio::test]
async fn what_is_of_the_other_kind_only_is_refused() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        let seed = json!({ "kind": "automerge", "json": { "text": "one" } });
        ann.ok_created(&format!("PUT {}", at("")), seed.clone()).await;
        let yjs = json!({ "kind": "yjs", "json": { "text": "one" } });
        ann.ok_created(&format!("PUT /docs/v1/documents/{OTHER}"), yjs.clone()).await;
        let other = |more: &str| format!("GET /docs/v1/documents/{OTHER}{more}");
        for (request, body) in [
            (format!("GET {}", at("?format=update")), json!({})),
            (format!("GET {}", at("?format=state-vector")), json!({})),
            (format!("GET {}", at("/authors")), json!({})),
            (format!("PUT {}", at("")), yjs),
            (other("?format=automerge"), json!({})),
            (format!("PUT /docs/v1/documents/{OTHER}"), seed.clone()),
        ] {
            assert_eq!(
                ann.refused_plainly(&request, body).await,
                (409, "other-kind".to_owned()),
                "{request}"
            );
        }
        let odd_name = ann.refused_plainly("PUT /docs/v1/documents/plan", seed).await;
        assert_eq!(odd_name, (400, "bad-request".to_owned()), "no client can open it");
        let tag = raw::get(server.addr(), &at(""), "").await;
        let tag = tag.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
        ann.ok(&format!("PATCH {}", at("")), splice("/text", 0, 0, "x")).await;
        let if_match = format!("If-Match: {tag}\r\n");
        let late = ann.ask_with(&if_match, &format!("PATCH {}", at("")), splice("/text", 0, 0, "y")).await;
        assert_eq!((late.0, &late.1["error"]), (412, &json!("changed")));
        let wrong = ann.refused_plainly(&format!("PATCH {}", at("")), splice("/nothing", 0, 0, "y")).await;
        assert_eq!(wrong, (422, "impossible-edit".to_owned()));
        assert_eq!(ann.ok(&format!("GET {}", at("")), json!({})).await, json!({ "text": "xone" }));
        server.shutdown().await;
    })
    .await;
}

impl Caller {
    async fn ok_created(&self, request: &str, body: Value) -> Value {
        let (status, answer) = self.ask(request, body).await;
        assert_eq!(status, 201, "{request}: {answer}");
        answer
    }

    async fn refused_plainly(&self, request: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask(request, body).await;
        (status, answer["error"].as_str().unwrap_or_default().to_owned())
    }
}
