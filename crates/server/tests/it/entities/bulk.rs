//! All records out of one server, and into another.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_core::{access::Identity, id::TenantName};

use super::{Caller, serve, set};
use crate::support::{
    bearers::{Bearers, of},
    disk::Disk,
    raw, start, start_with,
    told::Told,
    within,
};

const IMPORT: &str = "/sync/v1/import";

/// The headers of an import that is to tell how far it is.
const TELLING: &str = "Accept: application/x-ndjson\r\nAccept-Encoding: gzip, zstd\r\n";

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

/// Of the places for exports and imports one user has two and one tenant half: nobody keeps all others out.
#[tokio::test]
async fn one_user_and_one_tenant_have_a_share_of_the_places() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        for user in ["ann", "bob", "cleo"] {
            bearers.set(user, &["*=admin"]);
        }
        let acme = TenantName::new("acme").expect("a name");
        bearers.put("eve", Identity { tenant: acme, ..of("eve", &["*=admin"]) });
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let bearing = |user: &str| format!("Authorization: Bearer {user}\r\n");
        let export = async |user: &str| raw::get(server.addr(), "/sync/v1/export", &bearing(user)).await;
        let mut under_way = Vec::new();
        for user in ["ann", "bob"] {
            for _ in 0..2 {
                // It has its place while its first line comes.
                under_way.push(Told::begin(server.addr(), IMPORT, &bearing(user), b"{").await);
            }
            let refused = loop {
                let answer = export(user).await;
                if answer.status != 200 {
                    break answer;
                }
            };
            assert_eq!(
                (refused.status, refused.body.contains("\"rate-limited\"")),
                (429, true),
                "{refused:?}"
            );
            assert!(refused.body.contains("of one user"), "{refused:?}");
        }
        let refused = export("cleo").await;
        assert_eq!((refused.status, refused.body.contains("of one tenant")), (429, true), "{refused:?}");
        assert_eq!(export("eve").await.status, 200);
        drop(under_way);
        server.shutdown().await;
    })
    .await;
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

/// Progress is told while the body is still sent. What was told is done: who goes on behind it doubles nothing.
#[tokio::test]
async fn an_import_tells_how_far_it_is_and_can_go_on_there() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        for from in [0, 600] {
            let create = |id| set("note", &format!("n{id:04}"), "create", json!({ "v": id }));
            ann.push("phone", from + 1, &(from..from + 600).map(create).collect::<Vec<_>>()).await;
        }
        let (_, export) = raw::fetch(server.addr(), "/sync/v1/export?type=note", "").await;
        server.shutdown().await;
        let text = std::str::from_utf8(&export).expect("text");
        let (first, rest) = export.split_at(text.find("n0600").expect("that it is there"));

        let empty = start(&other).await;
        let mut told = Told::begin(empty.addr(), IMPORT, TELLING, first).await;
        let want = json!({ "lines": 501, "through": "note/n0499", "imported": 500, "unchanged": 0, "merged": 0, "refused": 0 });
        assert_eq!(told.line().await, want);
        // The connection ends, and with it the import.
        drop(told);

        let mut told =
            Told::begin(empty.addr(), "/sync/v1/import?after=note/n0499", TELLING, first).await;
        told.send(rest).await;
        told.finish().await;
        assert_eq!(told.line().await["through"], "note/n0999");
        assert_eq!(told.line().await["through"], "note/n1199");
        let last = json!({ "imported": 700, "unchanged": 0, "merged": 0, "refused": [], "refused_beyond": 0 });
        assert_eq!(told.line().await, last);

        // What is wrong behind the first batch is told in the last line.
        let mut told = Told::begin(empty.addr(), IMPORT, TELLING, &export).await;
        told.send(b"{}\n").await;
        assert_eq!(told.line().await["unchanged"], 500);
        assert_eq!(told.line().await["unchanged"], 1_000);
        assert_eq!(told.line().await["unchanged"], 1_200);
        assert_eq!(told.line().await["code"], "malformed-request");
        let eve = Caller::of(&empty, "eve");
        let handler = json!({ "policy": "lww", "handler": { "url": "ftp://judge.example" } });
        let odd = json!({ "format": 1, "epoch": "1", "as_of": "0", "types": { "odd": handler }, "records": 0 });
        assert_eq!(eve.refused("POST /sync/v1/import", odd).await, (422, "validation-failed".into()));
        let odd = eve.refused("POST /sync/v1/import?after=note", json!({})).await;
        assert_eq!(odd, (400, "malformed-request".into()));
        empty.shutdown().await;
    })
    .await;
}
