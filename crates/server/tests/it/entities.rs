//! `/sync/v1` over HTTP, by a plain client.

mod bulk;
mod bulk_documents;
mod deadlines;
mod events;
mod live;
mod packed;
mod rules;
mod schemas;
mod wear;
mod ws;

use std::net::SocketAddr;

use serde_json::{Value, json};
use syncline_core::entity::{EntityType, Policy, TypeName};
use syncline_server::Server;

use crate::support::{disk::Disk, raw, start_with, within};

/// Who asks, and how.
pub(crate) struct Caller {
    addr: SocketAddr,
    headers: String,
}

impl Caller {
    pub(crate) fn of(server: &Server, user: &str) -> Self {
        Self { addr: server.addr(), headers: format!("Sync-User: {user}\r\n") }
    }

    /// Returns who shows a token.
    pub(crate) fn bearing(server: &Server, token: &str) -> Self {
        Self { addr: server.addr(), headers: format!("Authorization: Bearer {token}\r\n") }
    }

    pub(crate) async fn ask(&self, request: &str, body: Value) -> (u16, Value) {
        self.ask_with("", request, body).await
    }

    /// Asks with more headers, each of which ends its line.
    pub(crate) async fn ask_with(&self, more: &str, request: &str, body: Value) -> (u16, Value) {
        let headers = format!("{}{more}", self.headers);
        let answer = raw::send(self.addr, request, &headers, &body.to_string()).await;
        let body = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?} is no JSON"));
        (answer.status, body)
    }

    pub(crate) async fn ok(&self, request: &str, body: Value) -> Value {
        let (status, answer) = self.ask(request, body).await;
        assert!(status < 300, "{request}: {status} {answer}");
        answer
    }

    pub(crate) async fn refused(&self, request: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask(request, body).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn bind(&self, device: &str) {
        self.ok("POST /sync/v1/devices", json!({ "device_id": device })).await;
    }

    /// Sends ops from number `n` on, and returns what became of them.
    pub(crate) async fn push(&self, device: &str, n: u64, ops: &[Value]) -> Vec<String> {
        let numbered = (n..).zip(ops).map(|(n, op)| {
            let mut op = op.clone();
            op["n"] = n.to_string().into();
            op
        });
        let body = json!({ "device_id": device, "ops": numbered.collect::<Vec<_>>() });
        let answer = self.ok("POST /sync/v1/push", body).await;
        let results = answer["results"].as_array().expect("a list").iter();
        results.map(|result| result["status"].as_str().expect("a word").to_owned()).collect()
    }

    pub(crate) async fn pull(&self, device: &str, scope: &str, cursor: &Value) -> Value {
        let scopes = json!([{ "scope": scope, "cursor": cursor, "limit": 2 }]);
        self.ok("POST /sync/v1/pull", json!({ "device_id": device, "scopes": scopes })).await
    }
}

async fn serve(disk: &Disk) -> Server {
    let types = [("note", Policy::Lww), ("stock", Policy::Additive), ("price", Policy::Manual)];
    let types = types.map(|(name, policy)| EntityType::new(TypeName::new(name).expect("a name"), policy));
    start_with(disk, |config| config.types = types.into()).await
}

pub(crate) fn set(kind: &str, id: &str, op: &str, values: Value) -> Value {
    json!({ "type": kind, "id": id, "op": op, "set": values })
}

#[tokio::test]
async fn what_one_device_sends_another_reads() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.bind("phone").await;
        bob.bind("till").await;
        let create = |id: &str| set("note", id, "create", json!({ "text": "hello", "price": 24.50 }));
        assert_eq!(ann.push("phone", 1, &[create("a"), create("b"), create("c")]).await, ["applied"; 3]);
        assert_eq!(ann.push("phone", 1, &[create("a")]).await, ["duplicate"]);
        let first = bob.pull("till", "note", &Value::Null).await;
        let page = &first["scopes"][0];
        assert_eq!(
            (page["has_more"].as_bool(), page["changes"].as_array().map(Vec::len)),
            (Some(true), Some(2))
        );
        assert_eq!(page["changes"][0]["data"], json!({ "price": 24.5, "text": "hello" }));
        assert_eq!(page["progress"], json!({ "done": 2, "total": 3 }));
        let second = bob.pull("till", "note", &page["cursor"]).await;
        let page = &second["scopes"][0];
        assert_eq!((page["up_to_date"].as_bool(), &page["changes"][0]["id"]), (Some(true), &json!("c")));
        assert_eq!(page["checksum"]["count"], "3");
        let cursor = page["cursor"].clone();
        let acked = bob
            .ok(
                "POST /sync/v1/ack",
                json!({ "device_id": "till", "cursors": [{ "scope": "note", "cursor": cursor }] }),
            )
            .await;
        assert_eq!(acked["acked"], json!([{ "scope": "note", "pos": "3" }]));
        server.shutdown().await;

        let again = serve(&disk).await;
        let bob = Caller::of(&again, "bob");
        let nothing = bob.pull("till", "note", &cursor).await;
        assert_eq!(nothing["scopes"][0]["changes"], json!([]));
        again.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_pull_waits_for_a_change() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.bind("phone").await;
        bob.bind("till").await;
        let up_to_date = bob.pull("till", "stock", &Value::Null).await;
        let scopes = json!([{ "scope": "stock", "cursor": up_to_date["scopes"][0]["cursor"] }]);
        let waiting =
            bob.ok("POST /sync/v1/pull", json!({ "device_id": "till", "wait_ms": 40_000, "scopes": scopes }));
        let ops = [set("stock", "s", "create", json!({ "count": 20 }))];
        let sending = ann.push("phone", 1, &ops);
        let (pulled, sent) = tokio::join!(waiting, sending);
        assert_eq!(sent, ["applied"]);
        assert_eq!(pulled["scopes"][0]["changes"][0]["data"], json!({ "count": 20 }));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_live_stream_tells_what_is_new_until_its_device_is_revoked() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.bind("phone").await;
        bob.bind("till").await;
        let create = |id: &str| set("note", id, "create", json!({ "text": id }));
        ann.push("phone", 1, &[create("a")]).await;
        let cursor = bob.pull("till", "note", &Value::Null).await["scopes"][0]["cursor"].clone();
        ann.push("phone", 2, &[create("b")]).await;
        let path = format!(
            "/sync/v1/live?device_id=till&scope=note&scope=stock&cursor={}",
            cursor.as_str().expect("a word")
        );
        let mut live = raw::Events::open(server.addr(), &path, "Sync-User: bob\r\n").await;
        let (name, delta) = live.next().await.expect("what the client lacks");
        let delta: Value = serde_json::from_str(&delta).expect("JSON");
        assert_eq!(
            (name.as_str(), &delta["from"], &delta["changes"][0]["id"]),
            ("delta", &cursor, &json!("b"))
        );
        ann.push("phone", 3, &[create("c")]).await;
        let (_, next) = live.next().await.expect("what comes");
        let next: Value = serde_json::from_str(&next).expect("JSON");
        assert_eq!((&next["from"], &next["changes"][0]["id"]), (&delta["cursor"], &json!("c")));
        ann.push("phone", 4, &[set("stock", "s", "create", json!({ "count": 1 }))]).await;
        let (name, poke) = live.next().await.expect("that there is something");
        assert_eq!((name.as_str(), poke.as_str()), ("poke", r#"{"scope":"stock","head":"4"}"#));
        bob.ok("DELETE /sync/v1/devices/till", json!({})).await;
        assert_eq!(live.next().await, None);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn people_settle_what_devices_cannot() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.bind("phone").await;
        bob.bind("till").await;
        ann.push("phone", 1, &[set("price", "p", "create", json!({ "amount": 24.50 }))]).await;
        let seen = json!({ "ver": "1" });
        let raise = |amount: f64| {
            let mut op = set("price", "p", "update", json!({ "amount": amount }));
            op["ctx"] = seen.clone();
            op
        };
        assert_eq!(ann.push("phone", 2, &[raise(25.50)]).await, ["applied"]);
        assert_eq!(bob.push("till", 1, &[raise(22.50)]).await, ["conflict"]);
        let open = ann.ok("GET /sync/v1/conflicts?state=open", json!({})).await;
        let conflict = &open["conflicts"][0];
        assert_eq!(
            (&conflict["kind"], &conflict["fields"]),
            (&json!("concurrent_update"), &json!(["amount"]))
        );
        let id = conflict["conflict_id"].as_str().expect("a word");
        ann.ok(&format!("POST /sync/v1/conflicts/{id}/assign"), json!({ "assignee": "eve" })).await;
        ann.ok(&format!("POST /sync/v1/conflicts/{id}/comment"), json!({ "text": "the promotion is over" }))
            .await;
        let choose = |rev: u64| {
            json!({ "conflict_id": id, "resolution_id": format!("r{rev}"), "choice": "client",
                    "expect": { "conflict_rev": rev, "entity_ver": "2" } })
        };
        let resolve = "POST /sync/v1/resolve-conflict";
        assert_eq!(ann.refused(resolve, choose(1)).await, (409, "conflict-stale".into()));
        let resolved = ann.ok(resolve, choose(2)).await;
        assert_eq!(
            (&resolved["conflict"]["state"], &resolved["result"]["ver"]),
            (&json!("resolved"), &json!("3"))
        );
        assert_eq!(ann.refused(resolve, choose(9)).await, (409, "conflict-already-resolved".into()));
        let again = ann.ok(resolve, choose(2)).await;
        assert_eq!(again["conflict"], resolved["conflict"]);
        let pulled = bob.pull("till", "price", &Value::Null).await;
        assert_eq!(pulled["scopes"][0]["changes"][0]["data"], json!({ "amount": 22.5 }));
        assert_eq!(pulled["conflicts_open"], 0);
        let metrics = raw::get(server.addr(), "/metrics", "").await.body;
        for line in [
            "syncline_sync_ops_total{status=\"conflict\"} 1",
            "syncline_sync_reconciliations_total 3",
            "syncline_sync_reconciliation_failures_total 0",
            "syncline_sync_conflicts_total{kind=\"concurrent_update\"} 1",
            "syncline_sync_devices{tenant=\"default\",health=\"blocked\"} 0",
            "syncline_sync_requests_total{operation=\"push\",status=\"200\"} 3",
        ] {
            assert!(metrics.lines().any(|found| found == line), "no {line:?} in\n{metrics}");
        }
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn types_and_scopes_are_declared_while_the_server_runs() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let order = "PUT /sync/v1/types/order";
        let form = json!({ "policy": "lww", "buckets": ["territory:{territory}"] });
        assert_eq!(ann.ask(order, form.clone()).await.0, 201);
        assert_eq!(ann.ask(order, form.clone()).await.0, 200);
        assert_eq!(ann.ok("GET /sync/v1/types/order", json!({})).await["buckets"], form["buckets"]);
        assert_eq!(ann.refused(order, json!({ "policy": "max" })).await, (409, "type-incompatible".into()));
        assert_eq!(
            ann.refused(order, json!({ "policy": "lww", "feilds": {} })).await,
            (400, "malformed-request".into())
        );
        let near = "PUT /sync/v1/scopes/near";
        let scope = json!({ "types": ["order"], "bucket": "territory:{territory}" });
        assert_eq!(ann.ask(near, scope.clone()).await.0, 201);
        assert_eq!(ann.refused("PUT /sync/v1/scopes/note", scope).await, (422, "validation-failed".into()));
        let created =
            |id: &str, territory: &str| set("order", id, "create", json!({ "territory": territory }));
        ann.push("phone", 1, &[created("a", "7"), created("b", "8")]).await;
        let pull = async |params: Value, cursor: &Value| {
            let scopes = json!([{ "scope": "near", "params": params, "cursor": cursor }]);
            ann.ok("POST /sync/v1/pull", json!({ "device_id": "phone", "scopes": scopes })).await["scopes"][0]
                .clone()
        };
        let first = pull(json!({ "territory": "7" }), &Value::Null).await;
        assert_eq!(
            (first["changes"].as_array().map(Vec::len), &first["changes"][0]["id"]),
            (Some(1), &json!("a"))
        );
        ann.push("phone", 3, &[set("order", "a", "update", json!({ "territory": "8" }))]).await;
        let second = pull(json!({ "territory": "7" }), &first["cursor"]).await;
        assert_eq!(
            second["changes"],
            json!([{ "op": "evict", "type": "order", "id": "a", "reason": "scope" }])
        );
        let moved = pull(json!({ "territory": "8" }), &second["cursor"]).await;
        assert_eq!(moved["reset"]["reason"], "scope_changed");
        server.shutdown().await;

        let again = serve(&disk).await;
        let types = Caller::of(&again, "ann").ok("GET /sync/v1/types", json!({})).await;
        assert_eq!(types["types"].as_array().map(Vec::len), Some(4));
        again.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn one_request_does_three() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let body = json!({
            "device_id": "phone", "results_through": "0",
            "ops": [{ "n": "1", "op": "create", "type": "note", "id": "a", "set": { "text": "x" } }],
            "scopes": [{ "scope": "note" }],
        });
        let answer = ann.ok("POST /sync/v1/reconcile", body).await;
        assert_eq!(answer["applied"][0]["n"], "1");
        assert_eq!(answer["pull"]["scopes"][0]["changes"][0]["id"], "a");
        assert_eq!(answer["checkpoint"], answer["pull"]["scopes"][0]["cursor"]);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_without_numbers_syncs_everything() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let mutation = |temp: &str, id: &str, operation: &str, payload: Value| {
            json!({ "temp_id": temp, "entity_id": id, "type": "note", "operation": operation, "payload": payload })
        };
        let reconcile = async |last: &Value, mutations: Vec<Value>| {
            let body = json!({ "device_id": "phone", "last_ack_version": last, "mutations": mutations });
            ann.ok("POST /sync/v1/reconcile", body).await
        };
        let create = mutation("m1", "a", "create", json!({ "text": "x" }));
        let wrong = mutation("m2", "no id", "create", json!({}));
        let first = reconcile(&json!(0), vec![create.clone(), wrong, create.clone()]).await;
        let told = |answer: &Value, group: &str| {
            let told = answer[group].as_array().expect("a list").iter();
            told.map(|told| format!("{} {}", told["temp_id"], told["status"])).collect::<Vec<_>>()
        };
        assert_eq!(told(&first, "applied"), [r#""m1" "applied""#, r#""m1" "applied""#]);
        assert_eq!(told(&first, "rejected"), [r#""m2" "rejected""#]);
        assert_eq!(first["changes"][0]["data"], json!({ "text": "x" }));
        // The answer was lost: the same again, and something new in front of it.
        let update = mutation("m3", "a", "update", json!({ "text": "y" }));
        let second = reconcile(&json!("0"), vec![update, create]).await;
        assert_eq!(told(&second, "applied"), [r#""m3" "applied""#, r#""m1" "duplicate""#]);
        assert_eq!(second["changes"][0]["ver"], "2");
        let third = reconcile(&second["checkpoint"], Vec::new()).await;
        assert_eq!((&third["changes"], &third["has_more"]), (&json!([]), &json!(false)));
        // Everything is something else now, and what is not told any more is to be dropped.
        ann.ok("PUT /sync/v1/types/task", json!({ "policy": "lww" })).await;
        let anew = reconcile(&third["checkpoint"], Vec::new()).await;
        assert_eq!((&anew["reset"]["reason"], &anew["changes"][0]["id"]), (&json!("scope_changed"), &json!("a")));
        assert_eq!(reconcile(&anew["checkpoint"], Vec::new()).await["reset"], Value::Null);
        // The queue of the device itself has not moved.
        assert_eq!(ann.push("phone", 1, &[set("note", "b", "create", json!({}))]).await, ["applied"]);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn pages_of_this_machine_may_ask_and_strangers_may_not() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let addr = server.addr();
        let asked = async |origin: &str, path: &str| {
            let origin = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
            raw::head(addr, &format!("OPTIONS {path} HTTP/1.1\r\nHost: {addr}\r\n{origin}\r\n")).await
        };
        for path in ["/sync/v1/push", "/sync/v1/devices", "/sync/v1/types/note"] {
            let (status, head) = asked("http://localhost:5173", path).await;
            let allowed = "access-control-allow-origin: http://localhost:5173";
            assert!(
                status == 204 && head.contains(allowed) && head.contains("access-control-allow-headers"),
                "{head}"
            );
            let (status, head) = asked("https://evil.example", path).await;
            assert!(status == 403 && !head.contains("access-control-allow-origin"), "{head}");
        }
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn answers_are_compressed_for_who_takes_that() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let addr = server.addr();
        let ask = |encoding: &str| {
            format!(
                "GET /sync/v1/openapi.json HTTP/1.1\r\nHost: {addr}\r\nAccept-Encoding: {encoding}\r\n\r\n"
            )
        };
        let (status, head) = raw::head(addr, &ask("gzip")).await;
        assert!(status == 200 && head.contains("content-encoding: gzip"), "{head}");
        let (status, head) = raw::head(addr, &ask("identity")).await;
        assert!(status == 200 && !head.contains("content-encoding"), "{head}");
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (ann, bob) = (Caller::of(&server, "ann"), Caller::of(&server, "bob"));
        ann.bind("phone").await;
        let refused = async |caller: &Caller, request: &str, body: Value, status: u16, code: &str| {
            assert_eq!(
                caller.refused(request, body.clone()).await,
                (status, code.to_owned()),
                "{request} {body}"
            );
        };
        let push = "POST /sync/v1/push";
        refused(&ann, push, json!({}), 400, "malformed-request").await;
        refused(&bob, push, json!({ "device_id": "phone" }), 409, "device-mismatch").await;
        refused(&ann, push, json!({ "device_id": "other" }), 403, "device-not-bound").await;
        let late = json!({ "device_id": "phone", "ops": [{ "n": "7", "op": "noop" }] });
        refused(&ann, push, late, 409, "sequence-gap").await;
        let odd = json!({ "device_id": "phone", "scopes": [{ "scope": "note", "cursor": "s1.AAAA" }] });
        refused(&ann, "POST /sync/v1/pull", odd, 400, "cursor-invalid").await;
        let unknown = json!({ "device_id": "phone", "scopes": [{ "scope": "nothing" }] });
        refused(&ann, "POST /sync/v1/pull", unknown, 404, "unknown-scope").await;
        refused(&ann, "GET /sync/v1/conflicts/cnf_9", json!({}), 404, "unknown-conflict").await;
        assert_eq!(ann.push("phone", 1, &[set("note", "no id", "create", json!({}))]).await, ["rejected"]);
        assert_eq!(ann.push("phone", 2, &[set("nothing", "x", "create", json!({}))]).await, ["rejected"]);
        ann.ok("DELETE /sync/v1/devices/phone", json!({})).await;
        refused(&ann, push, json!({ "device_id": "phone" }), 403, "device-revoked").await;
        refused(&ann, "GET /sync/v1/live?device_id=phone&scope=note", json!({}), 403, "device-revoked").await;
        refused(&ann, "GET /sync/v1/live?device_id=phone", json!({}), 400, "malformed-request").await;
        refused(&ann, "GET /sync/v1/status", json!({}), 400, "malformed-request").await;
        let strange = raw::send(server.addr(), push, "Origin: https://evil.example\r\n", "{}").await;
        assert_eq!(strange.status, 403);
        let newer = raw::send(server.addr(), push, "Sync-Protocol: 2\r\n", "{}").await;
        assert_eq!(newer.status, 426);
        server.shutdown().await;
    })
    .await;
}
