//! What a device is told that listens and writes.

use serde_json::{Value, json};

use super::{Caller, serve, set};
use crate::support::{disk::Disk, raw, within};

async fn delta(live: &mut raw::Events) -> Value {
    let (name, data) = live.next().await.expect("an event");
    assert_eq!(name, "delta");
    serde_json::from_str(&data).expect("JSON")
}

/// Goal: no device hears its own voice, and its cursors lead from one delta to the next all the same. It follows two scopes; what
/// happens in one leaves the cursor of the other where it was.
#[tokio::test]
async fn a_device_is_not_told_what_it_wrote() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        ann.bind("till").await;
        let cursor = async |scope| {
            let pulled = ann.pull("phone", scope, &Value::Null).await;
            pulled["scopes"][0]["cursor"].as_str().expect("a word").to_owned()
        };
        let (note, stock) = (cursor("note").await, cursor("stock").await);
        let path =
            format!("/sync/v1/live?device_id=phone&scope=note&scope=stock&cursor={note}&cursor={stock}");
        let mut live = raw::Events::open(server.addr(), &path, "Sync-User: ann\r\n").await;
        let create = |id: &str| set("note", id, "create", json!({ "text": id }));

        ann.push("phone", 1, &[create("a"), create("b")]).await;
        let own = delta(&mut live).await;
        assert_eq!((&own["from"], &own["changes"]), (&json!(note), &json!([])));
        assert_ne!(own["cursor"], own["from"]);

        ann.push("till", 1, &[set("stock", "s", "create", json!({ "count": 1 }))]).await;
        let others = delta(&mut live).await;
        assert_eq!((&others["scope"], &others["from"]), (&json!("stock"), &json!(stock)));

        let text = json!({ "type": "note", "id": "b", "op": "update", "ctx": { "ver": "1" }, "set": { "text": "c" } });
        ann.push("till", 2, &[text]).await;
        let changed = delta(&mut live).await;
        assert_eq!((&changed["from"], &changed["changes"][0]["id"]), (&own["cursor"], &json!("b")));
        server.shutdown().await;
    })
    .await;
}
