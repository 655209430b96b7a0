//! Branches over HTTP: what is written in one, and in its document meanwhile, comes together.

use serde_json::{Value, json};

use super::{PLAN, splice, text};
use crate::{
    entities::Caller,
    support::{client::Client, disk::Disk, raw, start, updates::letter, within},
};

const DRAFT: &str = "/docs/v1/documents/team%2Fdraft";

async fn draft_text(ann: &Caller) -> Value {
    ann.ok(&format!("GET {DRAFT}"), Value::Null).await["text"].take()
}

#[tokio::test]
async fn a_branch_is_merged_and_loses_nothing() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "one" } })).await;
        ann.ok(&format!("PATCH {PLAN}"), splice(3, 0, " two")).await;
        let told =
            ann.ok(&format!("POST {PLAN}/branches"), json!({ "name": "team/draft", "commit": 1 })).await;
        assert_eq!((&told["name"], &told["commit"]), (&json!("team/draft"), &json!(1)));
        assert_eq!(draft_text(&ann).await, "one");

        let mut reader = Client::connect(server.addr(), "team/plan").await;
        ann.ok(&format!("PATCH {DRAFT}"), splice(0, 0, "the ")).await;
        ann.ok(&format!("PATCH {PLAN}"), splice(7, 0, " three")).await;
        let merge = json!({ "from": "team/draft" });
        let dry = ann.ok(&format!("POST {PLAN}/merge?dry_run=true"), merge.clone()).await;
        assert_eq!(
            (&dry["changed"], &dry["changes"][0]["inserted"]),
            (&json!(true), &json!("the ")),
            "{dry}"
        );
        assert_eq!(text(&server, "").await, "one two three", "it was only told");
        let merged = ann.ok(&format!("POST {PLAN}/merge"), merge.clone()).await;
        assert_eq!(merged, json!({ "changed": true }));
        assert_eq!(text(&server, "").await, "the one two three");
        assert_eq!(ann.ok(&format!("POST {PLAN}/merge"), merge).await, json!({ "changed": false }));
        // Whoever has it open hears of it.
        reader.hear_update().await;

        // A branch takes in what its document holds, and what is typed in it is seen there.
        let mut writer = Client::connect(server.addr(), "team/draft").await;
        ann.ok(&format!("POST {DRAFT}/merge"), json!({ "from": "team/plan" })).await;
        assert_eq!(draft_text(&ann).await, "the one two three");
        writer.update(&letter(9, 'z')).await;
        // An answer behind it says that it is durable.
        writer.whole_document().await;
        ann.ok(&format!("POST {PLAN}/merge"), json!({ "from": "team/draft" })).await;
        assert_eq!(ann.ok(&format!("GET {PLAN}"), Value::Null).await["t"], "z");
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn where_a_branch_comes_from_is_told_after_a_restart() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "one" } })).await;
        ann.ok(&format!("PUT {DRAFT}"), json!({ "json": { "text": "other" } })).await;
        let refused = |status, error: &str| (status, json!(error));
        let ask = async |ann: &Caller, request: String, body: Value| {
            let (status, answer) = ann.ask(&request, body).await;
            (status, answer["error"].clone())
        };
        let taken = ask(&ann, format!("POST {PLAN}/branches"), json!({ "name": "team/draft" })).await;
        assert_eq!(taken, refused(409, "name-taken"));
        let stranger = ask(&ann, format!("POST {PLAN}/merge"), json!({ "from": "team/draft" })).await;
        assert_eq!(stranger, refused(409, "not-a-branch"));
        let empty = ask(&ann, format!("POST {PLAN}/branches"), json!({ "name": "none", "commit": 0 })).await;
        assert_eq!(empty, refused(422, "impossible-edit"));
        ann.ok(&format!("POST {PLAN}/branches"), json!({ "name": "b" })).await;
        ann.ok(&format!("POST {PLAN}/branches"), json!({ "name": "c" })).await;
        assert_eq!(raw::send(server.addr(), "DELETE /docs/v1/documents/c", "", "").await.status, 204);
        server.shutdown().await;
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        let listed = ann.ok(&format!("GET {PLAN}/branches"), Value::Null).await;
        assert_eq!((&listed["origin"], listed["branches"].as_array().map(Vec::len)), (&Value::Null, Some(1)));
        assert_eq!(listed["branches"][0]["name"], "b");
        let listed = ann.ok("GET /docs/v1/documents/b/branches", Value::Null).await;
        assert_eq!(
            (&listed["origin"]["name"], &listed["origin"]["commit"]),
            (&json!("team/plan"), &json!(1))
        );
        server.shutdown().await;
    })
    .await;
}

/// Who wrote what is told of a branch from its beginning on, and of its document after a merge, when the branch is there no more, too. What
/// is restored is by whoever restores it.
#[tokio::test]
async fn a_merge_keeps_who_wrote_what() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let [ann, bob, carl] = ["ann", "bob", "carl"].map(|user| Caller::of(&server, user));
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "one" } })).await;
        carl.ok(&format!("POST {PLAN}/branches"), json!({ "name": "team/draft" })).await;
        bob.ok(&format!("PATCH {DRAFT}"), splice(3, 0, " two")).await;
        let written = async |who: &Caller, path: &str| {
            let told = who.ok(&format!("GET {path}/authors"), Value::Null).await;
            let ranges = told["ranges"].as_array().expect("a list").iter();
            let ranges = ranges.map(|range| {
                let (text, by) = (&range["text"], &range["written"]["by"]["user"]);
                format!("{}: {}", by.as_str().unwrap_or("?"), text.as_str().expect("a text"))
            });
            ranges.collect::<Vec<_>>()
        };
        assert_eq!(written(&ann, DRAFT).await, ["ann: one", "bob:  two"]);
        carl.ok(&format!("POST {PLAN}/merge"), json!({ "from": "team/draft" })).await;
        assert_eq!(raw::send(server.addr(), &format!("DELETE {DRAFT}"), "", "").await.status, 204);
        carl.ok(&format!("PATCH {PLAN}"), splice(7, 0, "!")).await;
        let whole = ["ann: one", "bob:  two", "carl: !"];
        assert_eq!(written(&ann, PLAN).await, whole);
        let history = ann.ok(&format!("GET {PLAN}/history"), Value::Null).await;
        assert_eq!(
            history["sessions"][0]["authors"],
            json!([{ "user": "ann", "device": null }, { "user": "carl", "device": null }]),
            "the history says who merged"
        );
        server.shutdown().await;
        let server = start(&disk).await;
        assert_eq!(written(&Caller::of(&server, "ann"), PLAN).await, whole);
        server.shutdown().await;
    })
    .await;
}
