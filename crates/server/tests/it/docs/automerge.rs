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
        let markdown = raw::get(server.addr(), &at("?format=markdown&root=text"), "").await.body;
        assert_eq!(markdown, "Hello world\n");
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

/// Returns who wrote what, with the text.
async fn written(caller: &Caller, path: &str) -> Vec<String> {
    let told = caller.ok(&format!("GET {path}/authors"), Value::Null).await;
    let ranges = told["ranges"].as_array().expect("a list").iter().map(|range| {
        let (text, by) = (&range["text"], &range["written"]["by"]["user"]);
        format!("{}: {}", by.as_str().unwrap_or("?"), text.as_str().expect("a text"))
    });
    ranges.collect()
}

/// A branch is a document that clients open by its id, and what is written in both comes together with who wrote it.
#[tokio::test]
async fn a_branch_of_an_automerge_document_is_merged() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let [ann, bob, carl] = ["ann", "bob", "carl"].map(|user| Caller::of(&server, user));
        ann.ok_created(
            &format!("PUT {}", at("")),
            json!({ "kind": "automerge", "json": { "text": "Hello" } }),
        )
        .await;
        let begun = carl.ok_created(&format!("POST {}", at("/branches")), json!({})).await;
        let draft = begun["name"].as_str().expect("a name that was drawn").to_owned();
        let branch = format!("/docs/v1/documents/{draft}");
        assert_eq!(written(&ann, &branch).await, ["ann: Hello"]);

        let mut reader = Repo::connect(server.addr(), "", 3).await;
        reader.say("request", DOCUMENT).await;
        reader.hear_until(DOCUMENT, |own, _| own.string("text").as_deref() == Some("Hello")).await;
        let mut editor = Repo::connect(server.addr(), "", 2).await;
        editor.say("request", &draft).await;
        editor.hear_until(&draft, |own, _| own.string("text").as_deref() == Some("Hello")).await;
        editor.put("by", "editor");
        editor.settle(&draft).await;
        bob.ok(&format!("PATCH {branch}"), splice("/text", 5, 0, " world")).await;
        ann.ok(&format!("PATCH {}", at("")), splice("/text", 0, 0, "> ")).await;

        let (merge, from) = (format!("POST {}", at("/merge")), json!({ "from": draft }));
        let dry = carl.ok(&format!("{merge}?dry_run=true"), from.clone()).await;
        assert_eq!((&dry["changed"], dry["changes"].as_array().map(Vec::len)), (&json!(true), Some(2)));
        assert_eq!(carl.ok(&merge, from.clone()).await, json!({ "changed": true }));
        reader.hear_until(DOCUMENT, |own, _| own.string("text").as_deref() == Some("> Hello world")).await;
        assert_eq!(reader.text("by").as_deref(), Some("editor"));
        assert_eq!(carl.ok(&merge, from).await, json!({ "changed": false }));
        let whole = ["ann: > ", "ann: Hello", "bob:  world"];
        assert_eq!(written(&ann, &at("")).await, whole, "in three commits");
        carl.ok(&format!("POST {branch}/merge"), json!({ "from": DOCUMENT })).await;
        let merged = carl.ok(&format!("GET {branch}"), Value::Null).await;
        assert_eq!(merged, json!({ "by": "editor", "text": "> Hello world" }));
        assert_eq!(written(&ann, &branch).await, whole);

        let kin = ann.ok(&format!("GET {branch}/branches"), Value::Null).await;
        assert_eq!(kin["origin"]["name"], DOCUMENT);
        let named =
            ann.ask(&format!("POST {}", at("/branches")), json!({ "name": OTHER, "commit": 1 })).await;
        assert_eq!((named.0, &named.1["name"]), (201, &json!(OTHER)));
        for (body, refused) in [
            (json!({ "name": "draft" }), (400, "bad-request")),
            (json!({ "name": OTHER }), (409, "name-taken")),
            (json!({ "commit": 0 }), (422, "impossible-edit")),
        ] {
            let refusal = ann.refused_plainly(&format!("POST {}", at("/branches")), body.clone()).await;
            assert_eq!(refusal, (refused.0, refused.1.to_owned()), "{body}");
        }
        ann.ok_created("PUT /docs/v1/documents/plan", json!({ "json": { "text": "a" } })).await;
        let unnamed = ann.refused_plainly("POST /docs/v1/documents/plan/branches", json!({})).await;
        assert_eq!(unnamed, (400, "bad-request".to_owned()), "a Yjs document is called something");
        let stranger = ann.refused_plainly(&merge, json!({ "from": "plan" })).await;
        assert_eq!(stranger, (409, "not-a-branch".to_owned()));
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
