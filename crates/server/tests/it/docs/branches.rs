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
