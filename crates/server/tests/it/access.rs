//! Who may do what with entities, and until when.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use syncline_core::{access::Identity, entity::ActorName, time::WallMs};
use syncline_server::Server;

use crate::{
    entities::{Caller, set},
    support::{
        bearers::{Bearers, of},
        client::Client,
        disk::Disk,
        hocuspocus::{Heard, Socket},
        raw, start_with,
        updates::letter,
        within,
    },
};

async fn serve(disk: &Disk, bearers: &Arc<Bearers>) -> Server {
    bearers.set("root", &["*=admin"]);
    let server = start_with(disk, |config| config.authenticator = Some(Arc::clone(bearers) as _)).await;
    let root = Caller::bearing(&server, "root");
    for kind in ["price", "salary", "rules"] {
        let policy = if kind == "rules" { "manual" } else { "lww" };
        let ty = json!({ "policy": policy, "buckets": ["area:{area}"] });
        root.ok(&format!("PUT /sync/v1/types/{kind}"), ty).await;
    }
    for (scope, bucket) in [("mine", "area:{claim.area}"), ("near", "area:{area}")] {
        let scope = format!("PUT /sync/v1/scopes/{scope}");
        root.ok(&scope, json!({ "types": ["price", "salary"], "bucket": bucket })).await;
    }
    root.bind("desk").await;
    server
}

fn price(id: &str, area: u8) -> Value {
    set("price", id, "create", json!({ "area": area }))
}

/// Returns the reset, if there is one, the ids that are told, and the cursor.
async fn pull(who: &Caller, device: &str, scope: &str, cursor: &Value) -> (Value, Vec<String>, Value) {
    let wanted = json!({ "device_id": device, "scopes": [{ "scope": scope, "cursor": cursor }] });
    let pulled = &who.ok("POST /sync/v1/pull", wanted).await["scopes"][0];
    let changes = pulled["changes"].as_array().expect("a list").iter();
    let ids = changes.map(|change| change["id"].as_str().expect("a text").to_owned());
    (pulled["reset"].clone(), ids.collect(), pulled["cursor"].clone())
}

/// What may not be done is refused op by op, and with a transaction all of it; whether there is anything is not told.
#[tokio::test]
async fn ops_and_reads_keep_to_the_grants() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["type:price=write", "type:rules=read"]);
        bearers.set("eve", &[]);
        let server = serve(&disk, &bearers).await;
        let [ann, eve] = ["ann", "eve"].map(|token| Caller::bearing(&server, token));
        ann.bind("phone").await;
        let salary = set("salary", "s", "create", json!({ "area": 1 }));
        let (mut first, mut second) = (price("b", 1), salary.clone());
        (first["tx"], second["tx"]) = (json!("t"), json!("t"));
        let ops = [price("a", 1), salary.clone(), first, second, json!({ "op": "noop" }), price("c", 2)];
        let became = ann.push("phone", 1, &ops).await;
        assert_eq!(became, ["applied", "rejected", "rejected", "rejected", "applied", "applied"]);
        let again = ann.push("phone", 1, &ops).await;
        assert_eq!(again, vec!["duplicate"; 6], "a refusal is as final as any result");

        for (scope, want) in
            [("salary", "forbidden-scope"), ("nothing", "forbidden-scope"), ("mine", "forbidden-scope")]
        {
            let wanted = json!({ "device_id": "phone", "scopes": [{ "scope": scope }] });
            assert_eq!(ann.refused("POST /sync/v1/pull", wanted).await, (403, want.into()), "{scope}");
        }
        let (_, ids, _) = pull(&ann, "phone", "price", &Value::Null).await;
        assert_eq!(ids, ["a", "c"]);
        for (who, request, want) in [
            (&ann, "GET /sync/v1/types/salary", (404, "unknown-type")),
            (&ann, "GET /sync/v1/types/nothing", (404, "unknown-type")),
            (&ann, "GET /sync/v1/status?device_id=phone&type=salary&id=s", (404, "entity-unknown")),
            (&ann, "GET /sync/v1/events", (403, "forbidden-op")),
            (&ann, "GET /sync/v1/export", (403, "forbidden-op")),
            (&ann, "DELETE /sync/v1/devices/desk", (409, "device-mismatch")),
            (&eve, "GET /sync/v1/live?device_id=desk&scope=price", (403, "forbidden-scope")),
        ] {
            let refused = who.refused(request, json!({})).await;
            assert_eq!((refused.0, refused.1.as_str()), want, "{request}");
        }
        assert_eq!(ann.refused("PUT /sync/v1/types/price", json!({ "policy": "lww" })).await.0, 403);
        let types = ann.ok("GET /sync/v1/types", json!({})).await;
        assert_eq!(types["types"].as_array().map(Vec::len), Some(2));
        assert_eq!(eve.ok("GET /sync/v1/types", json!({})).await["types"], json!([]));
        server.shutdown().await;
    })
    .await;
}

/// A conflict is of its type: who may not read that does not meet it, who may only read it does not settle it.
#[tokio::test]
async fn conflicts_keep_to_the_grants() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["type:rules=write"]);
        bearers.set("bob", &["conflict:rules=read"]);
        bearers.set("eve", &["type:price=admin"]);
        let server = serve(&disk, &bearers).await;
        let [ann, bob, eve] = ["ann", "bob", "eve"].map(|token| Caller::bearing(&server, token));
        ann.bind("phone").await;
        ann.bind("pad").await;
        let update = |text: &str| {
            let mut op = set("rules", "r", "update", json!({ "text": text }));
            op["ctx"] = json!({ "ver": "1" });
            op
        };
        ann.push("phone", 1, &[set("rules", "r", "create", json!({ "text": "a" })), update("b")]).await;
        assert_eq!(ann.push("pad", 1, &[update("c")]).await, ["conflict"]);
        let seen = async |who: &Caller| who.ok("GET /sync/v1/conflicts", json!({})).await["conflicts"].clone();
        let id = seen(&bob).await[0]["conflict_id"].as_str().expect("a word").to_owned();
        assert_eq!(seen(&eve).await, json!([]));
        let read = format!("GET /sync/v1/conflicts/{id}");
        assert_eq!(bob.ask(&read, json!({})).await.0, 200);
        assert_eq!(eve.refused(&read, json!({})).await, (404, "unknown-conflict".into()));
        let settle = json!({ "conflict_id": id, "resolution_id": "r1", "expect": { "conflict_rev": 1, "entity_ver": "2" }, "choice": "server" });
        let settled = async |who: &Caller| who.ask("POST /sync/v1/resolve-conflict", settle.clone()).await.0;
        assert_eq!((settled(&eve).await, settled(&bob).await), (404, 403));
        assert_eq!(bob.ask(&format!("POST /sync/v1/conflicts/{id}/escalate"), json!({})).await.0, 403);
        assert_eq!(settled(&ann).await, 200);
        server.shutdown().await;
    })
    .await;
}

/// Whoever may not read a scope any more is told that there is nothing in it, so that they forget what they have; nothing is
/// deleted, and who may read it again gets all of it.
#[tokio::test]
async fn a_revoked_grant_evicts() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["type:price=read"]);
        let server = serve(&disk, &bearers).await;
        let [root, ann] = ["root", "ann"].map(|token| Caller::bearing(&server, token));
        root.push("desk", 1, &[price("a", 1), price("b", 2)]).await;
        ann.bind("phone").await;
        let (reset, ids, cursor) = pull(&ann, "phone", "price", &Value::Null).await;
        assert_eq!((reset, ids.len()), (Value::Null, 2));

        bearers.set("ann", &["type:salary=read"]);
        let (reset, ids, gone) = pull(&ann, "phone", "price", &cursor).await;
        assert_eq!((&reset["reason"], ids.len()), (&json!("scope_changed"), 0));
        root.push("desk", 3, &[price("c", 1)]).await;
        let (reset, ids, gone) = pull(&ann, "phone", "price", &gone).await;
        assert_eq!((reset, ids.len()), (Value::Null, 0), "nothing more comes");
        let first = json!({ "device_id": "phone", "scopes": [{ "scope": "price" }] });
        assert_eq!(ann.refused("POST /sync/v1/pull", first).await, (403, "forbidden-scope".into()));

        bearers.set("ann", &["type:price=read"]);
        let (reset, ids, _) = pull(&ann, "phone", "price", &gone).await;
        assert_eq!(
            (&reset["reason"], ids),
            (&json!("scope_changed"), vec!["a".into(), "b".into(), "c".into()])
        );
        let (_, ids, _) = pull(&root, "desk", "price", &Value::Null).await;
        assert_eq!(ids.len(), 3, "others lost nothing");
        server.shutdown().await;
    })
    .await;
}

/// A claim of the token chooses the part of a scope, and a client cannot stand in for it.
#[tokio::test]
async fn a_claim_fills_a_scope() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let ann = |area: &[i64]| Identity {
            claims: area.iter().map(|&area| ("area".to_owned(), area.into())).collect(),
            ..of("ann", &["scope:mine=read"])
        };
        bearers.put("ann", ann(&[1]));
        let server = serve(&disk, &bearers).await;
        let [root, caller] = ["root", "ann"].map(|token| Caller::bearing(&server, token));
        root.push("desk", 1, &[price("a", 1), price("b", 2)]).await;
        caller.bind("phone").await;
        let (_, ids, cursor) = pull(&caller, "phone", "mine", &Value::Null).await;
        assert_eq!(ids, ["a"]);
        for scope in [json!({ "scope": "near", "params": { "area": "2" } }), json!({ "scope": "price" })] {
            let wanted = json!({ "device_id": "phone", "scopes": [scope] });
            assert_eq!(caller.refused("POST /sync/v1/pull", wanted).await, (403, "forbidden-scope".into()));
        }
        bearers.put("ann", ann(&[2]));
        let (reset, ids, cursor) = pull(&caller, "phone", "mine", &cursor).await;
        assert_eq!((&reset["reason"], ids), (&json!("scope_changed"), vec!["b".into()]));
        bearers.put("ann", ann(&[]));
        let (reset, ids, _) = pull(&caller, "phone", "mine", &cursor).await;
        assert_eq!((&reset["reason"], ids.len()), (&json!("scope_changed"), 0));
        server.shutdown().await;
    })
    .await;
}

/// Returns a bearer of whom nobody knows anything any more so many milliseconds from now.
fn short_lived(ms: u64) -> Identity {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_millis();
    let end = u64::try_from(now).expect("it is earlier than that") + ms;
    Identity { expires_at: Some(WallMs(end)), ..of("ann", &["doc:*=write", "type:*=read"]) }
}

/// Sockets and streams end with the token, though their clients never stop writing; nothing is taken in afterwards.
#[tokio::test]
async fn nothing_outlives_its_token() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.put("short", short_lived(60_000));
        let server = serve(&disk, &bearers).await;
        Caller::bearing(&server, "short").bind("phone").await;
        bearers.put("short", short_lived(700));
        let addr = server.addr();
        let mut yjs = Client::connect(addr, "d?token=short").await;
        let mut socket = Socket::connect(addr).await;
        socket.auth("e", "short", true).await;
        let live =
            raw::get(addr, "/sync/v1/live?device_id=phone&scope=price", "Authorization: Bearer short\r\n");
        let (closed, ended, live) = tokio::join!(
            yjs.hear_close(),
            socket.hear_until("e", |heard| matches!(heard, Heard::Ended(_))),
            live
        );
        assert_eq!(closed, (4401, "unauthorized".into()));
        assert_eq!(ended.last().map(|(_, heard)| heard), Some(&Heard::Ended("unauthorized".into())));
        assert_eq!(live.status, 200, "it was opened, and ended");
        let (code, refused) =
            Caller::bearing(&server, "short").refused("GET /sync/v1/types", json!({})).await;
        assert_eq!((code, refused.as_str()), (401, "token-expired"));

        bearers.put("short", short_lived(60_000));
        socket.auth("e", "short", true).await;
        socket.hear_until("e", |heard| *heard == Heard::Scope("read-write".into())).await;
        server.shutdown().await;
    })
    .await;
}

/// A fresh token in time keeps a document open past the end of the first.
#[tokio::test]
async fn a_token_is_renewed_in_band() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.put("first", short_lived(600));
        bearers.put("second", short_lived(60_000));
        let server = serve(&disk, &bearers).await;
        let mut socket = Socket::connect(server.addr()).await;
        socket.auth("d", "first", true).await;
        socket.auth("e", "first", true).await;
        socket.auth("d", "second", true).await;
        socket.hear_until("e", |heard| matches!(heard, Heard::Ended(_))).await;
        socket.update("d", &letter(1, 'a')).await;
        socket.hear_until("d", |heard| *heard == Heard::Saved).await;
        server.shutdown().await;
    })
    .await;
}

/// A token that was given to a device speaks for no other, not even of the same user.
#[tokio::test]
async fn a_token_of_a_device_is_good_for_no_other() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["type:*=write"]);
        let device = ActorName::device("phone").expect("a device");
        bearers.put("phone", Identity { device: Some(device), ..of("ann", &["type:*=write"]) });
        let server = serve(&disk, &bearers).await;
        let [ann, phone] = ["ann", "phone"].map(|token| Caller::bearing(&server, token));
        ann.bind("pad").await;
        phone.bind("phone").await;
        assert_eq!(phone.push("phone", 1, &[price("a", 1)]).await, ["applied"]);
        let mismatch = (409, "device-mismatch".to_owned());
        let pad = json!({ "device_id": "pad" });
        let with = |name: &str, value: Value| {
            let mut body = pad.clone();
            body[name] = value;
            body
        };
        for (request, body) in [
            ("POST /sync/v1/devices", pad.clone()),
            ("POST /sync/v1/push", with("ops", json!([]))),
            ("POST /sync/v1/pull", with("scopes", json!([]))),
            ("POST /sync/v1/ack", with("cursors", json!([]))),
            ("POST /sync/v1/reconcile", with("ops", json!([]))),
            ("POST /sync/v1/reconcile", with("mutations", json!([]))),
            ("GET /sync/v1/live?device_id=pad&scope=price", json!({})),
            ("DELETE /sync/v1/devices/pad", json!({})),
        ] {
            assert_eq!(phone.refused(request, body).await, mismatch, "{request}");
        }
        let status = "GET /sync/v1/status?device_id=pad";
        assert_eq!(phone.refused(status, json!({})).await, (404, "unknown-device".into()));
        assert_eq!(ann.ask(status, json!({})).await.0, 200);
        server.shutdown().await;
    })
    .await;
}
