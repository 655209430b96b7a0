//! A misspelled member says something else than was meant, so it is refused and named, and not passed over.

use serde_json::{Map, Value, json};

use super::PLAN;
use crate::{
    entities::Caller,
    support::{disk::Disk, start, within},
};

/// What `commit` becomes.
const MISSPELLED: &str = "comit";

/// Returns each operation of a description: its method, its path with names in it, and what is described of it.
fn operations(described: &Value) -> Vec<(String, &Value)> {
    let paths = described["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, operations)| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let operations = operations.as_object().expect("operations").iter();
        operations.map(move |(method, told)| (format!("{} {path}", method.to_uppercase()), told))
    });
    each.collect()
}

/// Returns a body of a schema with all that has to be there, and a member more.
fn misspelled(described: &Value, operation: &Value) -> Option<Value> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let name = schema.as_str()?.rsplit('/').next()?;
    let schema = &described["components"]["schemas"][name];
    // Of several forms one will do.
    let schema = schema["oneOf"].get(0).unwrap_or(schema);
    if schema["type"] != "object" {
        return None;
    }
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    let members = required.iter().filter_map(Value::as_str).map(|name| {
        let is_object = schema["properties"][name]["type"] == "object";
        (name.to_owned(), if is_object { json!({}) } else { json!("a") })
    });
    Some(Value::Object(members.chain([(MISSPELLED.to_owned(), json!(1))]).collect::<Map<_, _>>()))
}

/// Goal: it holds for operations to come, too. Method: all that is described is asked for with one member more in the query, and in the
/// body.
#[tokio::test]
async fn a_misspelled_member_is_refused_and_named() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        let mut bodies = 0;
        for (base, code) in [("/docs/v1", "bad-request"), ("/sync/v1", "malformed-request")] {
            let described = ann.ok(&format!("GET {base}/openapi.json"), Value::Null).await;
            for (request, operation) in operations(&described) {
                let (status, answer) = ann.ask(&format!("{request}?{MISSPELLED}=1"), json!({})).await;
                let told = answer.to_string();
                assert!(
                    status == 400 && told.contains(code) && told.contains(MISSPELLED),
                    "{request}: {told}"
                );
                // What a later version of `/sync/v1` has in a body an older one passes over: so the contract says.
                let Some(body) = misspelled(&described, operation).filter(|_| base == "/docs/v1") else {
                    continue;
                };
                bodies += 1;
                let (status, answer) = ann.ask(&request, body.clone()).await;
                assert_eq!((status, &answer["error"]), (400, &json!(code)), "{request} {body}: {answer}");
                let message = answer["message"].as_str().unwrap_or_default();
                assert!(message.contains(&format!("`{MISSPELLED}`")), "{request}: {message}");
            }
        }
        assert!(bodies >= 6, "{bodies} bodies are described");
        server.shutdown().await;
    })
    .await;
}

/// What was meant to be of a commit was of the newest state.
#[tokio::test]
async fn nothing_is_done_with_a_misspelled_commit() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "one" } })).await;
        for what in ["branches", "versions"] {
            let odd = json!({ "name": "draft", "comit": 1 });
            assert_eq!(ann.ask(&format!("POST {PLAN}/{what}"), odd).await.0, 400, "{what}");
            let listed = ann.ok(&format!("GET {PLAN}/{what}"), Value::Null).await;
            assert_eq!(listed[what], json!([]), "{what}");
        }
        assert_eq!(ann.ask(&format!("POST {PLAN}/restore"), json!({ "commit": 1, "by": "x" })).await.0, 400);
        server.shutdown().await;
    })
    .await;
}
