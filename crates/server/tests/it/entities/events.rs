//! What is told of all that happens.

use serde_json::{Value, json};

use super::{Caller, serve, set};
use crate::support::{disk::Disk, raw, within};

async fn next(events: &mut raw::Events) -> (String, String, Value) {
    let (name, data) = events.next().await.expect("an event");
    (events.id.clone(), name, serde_json::from_str(&data).expect("JSON"))
}

/// The history is told from any place, what comes follows it, and it is all the same after a restart.
#[tokio::test]
async fn events_are_told_from_any_place_on() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let missing = json!({ "type": "note", "id": "b", "op": "update", "set": { "text": "x" } });
        ann.push("phone", 1, &[set("note", "a", "create", json!({ "text": "x" })), missing]).await;

        let mut all = raw::Events::open(server.addr(), "/sync/v1/events", "").await;
        let (id, name, bound) = next(&mut all).await;
        assert_eq!((id.as_str(), name.as_str()), ("1", "device_bound"));
        assert_eq!(
            (&bound["event_id"], &bound["tenant"], &bound["data"]),
            (&json!("evt_1"), &json!("default"), &json!({ "device_id": "phone", "user": "ann" }))
        );
        let (_, name, failed) = next(&mut all).await;
        assert_eq!((name.as_str(), &failed["causation_id"]), ("sync_failed", &json!("phone:2")));
        assert_eq!(failed["data"], json!({ "type": "note", "entity_id": "b", "code": "entity-unknown" }));
        assert_eq!(next(&mut all).await.1, "data_synchronized");
        let revoked = ann.ok("DELETE /sync/v1/devices/phone", json!({}));
        let ((id, name, _), _) = tokio::join!(next(&mut all), revoked);
        assert_eq!((id.as_str(), name.as_str()), ("4", "device_revoked"));
        server.shutdown().await;
        assert_eq!(all.next().await, None);

        let again = serve(&disk).await;
        let mut some = raw::Events::open(again.addr(), "/sync/v1/events?after=2", "").await;
        assert_eq!(next(&mut some).await.1, "data_synchronized");
        // Browsers come again with the same path, and say in a header how far they have come.
        let mut last =
            raw::Events::open(again.addr(), "/sync/v1/events?after=1", "Last-Event-ID: 3\r\n").await;
        assert_eq!(next(&mut last).await.1, "device_revoked");
        let ann = Caller::of(&again, "ann");
        let refused =
            async |after: &str| ann.refused(&format!("GET /sync/v1/events?after={after}"), json!({})).await;
        for after in ["5", "x", "-1"] {
            assert_eq!(refused(after).await, (400, "cursor-invalid".into()), "{after}");
        }
        again.shutdown().await;
    })
    .await;
}
