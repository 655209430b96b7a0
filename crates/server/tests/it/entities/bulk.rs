//! All records out of one server, and into another.

use serde_json::{Value, json};

use super::{Caller, serve, set};
use crate::support::{disk::Disk, raw, start, within};

pub(super) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

pub(super) async fn import(caller: &Caller, text: &str) -> (u16, Value) {
    import_bytes(caller, "", text.as_bytes()).await
}

async fn import_bytes(caller: &Caller, headers: &str, bytes: &[u8]) -> (u16, Value) {
    let answer = raw::send_bytes(caller.addr, "POST /sync/v1/import", headers, bytes).await;
    (answer.status, serde_json::from_str(&answer.body).expect("JSON"))
}

/// What one server exports another imports, once; then both hold the same.
#[tokio::test]
async fn what_is_exported_can_be_imported() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        // Together they are longer than one page.
        let long = "x".repeat(100_000);
        let create = |id: &str| set("note", id, "create", json!({ "text": long, "price": 24.50 }));
        ann.push("phone", 1, &["a", "b", "c", "d", "e"].map(create)).await;
        let delete = json!({ "type": "note", "id": "e", "op": "delete", "ctx": { "ver": "1" } });
        ann.push("phone", 6, &[delete, set("stock", "s", "create", json!({ "count": 20 }))]).await;

        let (head, body) = raw::fetch(server.addr(), "/sync/v1/export", "").await;
        assert!(head.contains("content-type: application/x-ndjson\r\n"), "{head}");
        let text = String::from_utf8(body).expect("text");
        let told = lines(&text);
        assert_eq!((&told[0]["format"], &told[0]["records"], told.len()), (&json!(1), &json!(6), 8));
        assert_eq!(told[0]["types"]["stock"]["policy"], "additive");
        assert_eq!((&told[5]["id"], &told[5]["deleted"]), (&json!("e"), &json!(true)));
        assert_eq!((&told[6]["data"], &told[6]["dot"]), (&json!({ "count": 20 }), &json!(["phone", "7"])));
        let (head, packed) =
            raw::fetch(server.addr(), "/sync/v1/export", "Accept-Encoding: br, gzip\r\n").await;
        assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
        let (_, rest) = raw::fetch(server.addr(), "/sync/v1/export?type=note&after=note/c", "").await;
        let rest = lines(std::str::from_utf8(&rest).expect("text"));
        assert_eq!((&rest[0]["records"], &rest[1]["id"], rest.len()), (&json!(2), &json!("d"), 4));
        let refused = ann.refused("GET /sync/v1/export?type=none", json!({})).await;
        assert_eq!(refused, (404, "unknown-type".into()));
        server.shutdown().await;

        let empty = start(&other).await;
        let eve = Caller::of(&empty, "eve");
        let cut = &text[..text.trim_end().rfind('\n').expect("many lines")];
        let (status, answer) = import(&eve, cut).await;
        assert_eq!((status, &answer["code"]), (400, &json!("malformed-request")), "{answer}");
        let whole = json!({ "imported": 5, "unchanged": 1, "merged": 0, "refused": [], "refused_beyond": 0 });
        let again = json!({ "imported": 0, "unchanged": 6, "merged": 0, "refused": [], "refused_beyond": 0 });
        assert_eq!(import(&eve, &text).await, (200, whole), "the one that was cut has left nothing");
        assert_eq!(import_bytes(&eve, "Content-Encoding: gzip\r\n", &packed).await, (200, again.clone()));
        assert_eq!(import(&eve, &text).await, (200, again));
        eve.bind("till").await;
        let mut update = set("note", "a", "update", json!({ "text": "y" }));
        update["ctx"] = json!({ "ver": "1" });
        assert_eq!(eve.push("till", 1, &[update]).await, ["applied"]);
        let (_, answer) = import(&eve, &text).await;
        assert_eq!(answer["refused"][0]["problem"]["code"], "already-written");
        let (_, copy) = raw::fetch(empty.addr(), "/sync/v1/export?type=stock", "").await;
        let copy = lines(std::str::from_utf8(&copy).expect("text"));
        assert_eq!((&copy[1]["data"], &copy[1]["dot"]), (&told[6]["data"], &json!(["srv:import", "5"])));
        empty.shutdown().await;
    })
    .await;
}
