//! Which versions of a schema clients may use.

use serde_json::{Value, json};
use syncline_core::entity::{EntityType, Policy, TypeName};
use syncline_server::Server;

use super::{Caller, set};
use crate::support::{disk::Disk, start_with, within};

/// A server with a type that takes the versions 2 and 3, and one that takes each.
async fn serve(disk: &Disk) -> Server {
    let named = |name: &str| EntityType::new(TypeName::new(name).expect("a name"), Policy::Lww);
    let order = EntityType { schema_v: 3, min_schema: Some(2), max_schema: Some(3), ..named("order") };
    start_with(disk, |config| config.types = [order, named("note")].into()).await
}

fn push(ops: &[Value]) -> Value {
    json!({ "device_id": "phone", "ops": ops })
}

fn create(n: u64, kind: &str, schema_v: Option<u32>) -> Value {
    let mut op = set(kind, &format!("e{n}"), "create", json!({ "a": n }));
    op["n"] = n.into();
    op["schema_v"] = schema_v.into();
    op
}

fn pull(scope: &str) -> Value {
    json!({ "device_id": "phone", "scopes": [{ "scope": scope }] })
}

/// Goal: a client that is too old or too new is stopped before anything happens, wherever a type is named that is not for it.
#[tokio::test]
async fn a_client_of_another_schema_is_refused_whole() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let live = "GET /sync/v1/live?device_id=phone&scope=order";
        let both = push(&[create(1, "note", None), create(2, "order", None)]);
        let three = json!({ "device_id": "phone", "ops": both["ops"], "scopes": [{ "scope": "note" }] });
        let short = json!({ "device_id": "phone", "mutations": [] });
        for version in ["1", "4"] {
            let header = format!("Sync-Schema: {version}\r\n");
            for (request, body) in [
                ("POST /sync/v1/push", &both),
                ("POST /sync/v1/pull", &pull("order")),
                ("POST /sync/v1/reconcile", &three),
                ("POST /sync/v1/reconcile", &short),
                (live, &Value::Null),
            ] {
                let (status, problem) = ann.ask_with(&header, request, body.clone()).await;
                assert_eq!(
                    (status, &problem["code"]),
                    (426, &json!("schema-unsupported")),
                    "{request} {problem}"
                );
                assert_eq!((&problem["min"], &problem["max"]), (&json!(2), &json!(3)), "{request}");
                assert_eq!(problem["retry"], "upgrade");
            }
            let (status, _) = ann.ask_with(&header, "POST /sync/v1/pull", pull("note")).await;
            assert_eq!(status, 200, "the other type takes each");
        }
        let header = "Sync-Schema: 3\r\n";
        let (status, answer) = ann.ask_with(header, "POST /sync/v1/push", both).await;
        assert_eq!((status, &answer["last_n"]), (200, &json!("2")), "no number was used up: {answer}");
        let (_, pulled) = ann.ask_with(header, "POST /sync/v1/pull", pull("order")).await;
        let schema_v = &pulled["scopes"][0]["changes"][0]["schema_v"];
        assert_eq!(*schema_v, json!(3), "ops without a version have that of the request");
        let (status, _) = ann.ask("POST /sync/v1/pull", pull("order")).await;
        assert_eq!(status, 200, "who says nothing may read");
        let (status, problem) =
            ann.ask_with("Sync-Schema: three\r\n", "POST /sync/v1/pull", pull("note")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("malformed-request")));
        server.shutdown().await;
    })
    .await;
}

/// Goal: an op of another schema never holds up the queue that it is in: it has its result, and its neighbours theirs.
#[tokio::test]
async fn an_op_of_another_schema_has_a_result() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let ops = [
            create(1, "order", Some(1)),
            create(2, "order", Some(2)),
            create(3, "order", Some(4)),
            create(4, "order", None),
            create(5, "note", Some(9)),
        ];
        let answer = ann.ok("POST /sync/v1/push", push(&ops)).await;
        let results = answer["results"].as_array().expect("a list").iter();
        let statuses: Vec<_> = results.map(|result| result["status"].as_str().unwrap_or_default()).collect();
        assert_eq!(statuses, ["rejected", "applied", "rejected", "rejected", "applied"]);
        let problem = json!({ "code": "schema-unsupported", "retry": "upgrade", "min": 2, "max": 3 });
        assert_eq!(answer["results"][0]["problem"], problem);
        let again = ann.ok("POST /sync/v1/push", push(&ops[..1])).await;
        assert_eq!(again["results"][0]["of"]["problem"], problem, "it is kept as any result");
        server.shutdown().await;
    })
    .await;
}
