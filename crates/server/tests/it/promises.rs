//! What types promise across records, as clients see it.

use serde_json::{Value, json};

use crate::{
    entities::{Caller, set},
    support::{disk::Disk, start_with, within},
};

/// Pushes one op, and returns its result.
async fn told(ann: &Caller, device: &str, n: u64, mut op: Value) -> Value {
    op["n"] = n.to_string().into();
    let answer = ann.ok("POST /sync/v1/push", json!({ "device_id": device, "ops": [op] })).await;
    answer["results"][0].clone()
}

/// A refusal names what refers, a conflict what holds the value, and a type that cannot promise what stands against it.
#[tokio::test]
async fn whoever_breaks_a_promise_is_told_how() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |_| {}).await;
        let ann = Caller::of(&server, "ann");
        for device in ["phone", "till"] {
            ann.bind(device).await;
        }
        let refs = json!([{ "field": "product", "type": "product", "on_delete": "restrict" }]);
        ann.ok("PUT /sync/v1/types/product", json!({ "policy": "lww", "unique": [["sku"]] })).await;
        ann.ok("PUT /sync/v1/types/line", json!({ "policy": "lww", "refs": refs })).await;
        let product = |id: &str| set("product", id, "create", json!({ "sku": "B8", "v": 1 }));
        let line = set("line", "l", "create", json!({ "product": "p" }));
        assert_eq!(ann.push("phone", 1, &[product("p"), line]).await, ["applied", "applied"]);

        let deletion = json!({ "op": "delete", "type": "product", "id": "p" });
        let refused = told(&ann, "till", 1, deletion).await;
        assert_eq!((&refused["status"], &refused["kind"]), (&json!("rejected"), &json!("reference")));
        let wrong =
            json!({ "pointer": "/id", "code": "referred", "detail": "`line/l` refers to it by `product`" });
        let problem = &refused["problem"];
        assert_eq!((&problem["code"], &problem["errors"]), (&json!("validation-failed"), &json!([wrong])));

        let second = told(&ann, "till", 2, product("q")).await;
        assert_eq!((&second["status"], &second["kind"]), (&json!("conflict"), &json!("unique")));
        assert_eq!((&second["fields"], &second["server"]["data"]), (&json!(["sku"]), &json!({ "v": 1 })));
        let id = second["conflict_id"].as_str().expect("a name");
        let conflict = ann.ok(&format!("GET /sync/v1/conflicts/{id}"), json!({})).await["conflict"].clone();
        assert_eq!(conflict["others"], json!([{ "type": "product", "id": "p" }]));
        assert_eq!(conflict["candidates"][0]["values"], json!({ "sku": "B8" }));
        let resolve = json!({ "conflict_id": id, "resolution_id": "r", "choice": "client",
            "expect": { "conflict_rev": 1, "entity_ver": "1" } });
        let refused = ann.refused("POST /sync/v1/resolve-conflict", resolve).await;
        assert_eq!(refused, (422, "validation-failed".into()), "another has it still");

        let declare = ("PUT /sync/v1/types/product", json!({ "policy": "lww", "unique": [["sku"], ["v"]] }));
        let (status, problem) = ann.ask(declare.0, declare.1).await;
        assert_eq!((status, &problem["code"]), (409, &json!("type-incompatible")));
        assert_eq!(problem["detail"], "`p`, `q` hold the same in `v`");
        server.shutdown().await;
    })
    .await;
}
