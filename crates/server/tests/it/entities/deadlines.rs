//! Conflicts that someone has until a deadline.

use serde_json::{Value, json};
use syncline_core::entity::{EntityType, Fallback, Policy, TypeName};

use super::{Caller, set};
use crate::support::{disk::Disk, start_with, within};

/// A pull that waits hears of it long before the look that the ledger takes once a minute.
#[tokio::test]
async fn a_deadline_is_kept_when_it_passes() {
    within(async {
        let disk = Disk::new();
        let mut ty = EntityType::new(TypeName::new("price").expect("a name"), Policy::Manual);
        ty.fallback = Some(Fallback::Client);
        let server = start_with(&disk, |config| config.types = vec![ty]).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.bind("phone").await;
        bob.bind("till").await;
        ann.push("phone", 1, &[set("price", "p", "create", json!({ "amount": 1 }))]).await;
        let raise = |amount: u8| {
            let mut op = set("price", "p", "update", json!({ "amount": amount }));
            op["ctx"] = json!({ "ver": "1" });
            op
        };
        assert_eq!(ann.push("phone", 2, &[raise(2)]).await, ["applied"]);
        assert_eq!(bob.push("till", 1, &[raise(3)]).await, ["conflict"]);
        let open = ann.ok("GET /sync/v1/conflicts?state=open", json!({})).await;
        let id = open["conflicts"][0]["conflict_id"].as_str().expect("a word");
        let told = bob.pull("till", "price", &Value::Null).await;

        let assign = json!({ "assignee": "eve", "deadline": "2020-01-01T00:00:00Z" });
        ann.ok(&format!("POST /sync/v1/conflicts/{id}/assign"), assign).await;
        let scopes = json!([{ "scope": "price", "cursor": told["scopes"][0]["cursor"] }]);
        let wait = json!({ "device_id": "till", "wait_ms": 40_000, "scopes": scopes });
        let pulled = bob.ok("POST /sync/v1/pull", wait).await;
        assert_eq!(pulled["scopes"][0]["changes"][0]["data"], json!({ "amount": 3 }));
        let conflict = ann.ok(&format!("GET /sync/v1/conflicts/{id}"), json!({})).await;
        assert_eq!(conflict["conflict"]["state"], "expired");
        server.shutdown().await;
    })
    .await;
}
