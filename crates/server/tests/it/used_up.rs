//! Whoever has as much open or stored as they may is told so, and by which setting, on every way in.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::{Value, json};
use syncline_core::entity::{EntityType, Policy, TypeName};
use syncline_server::{Quota, Server};

use crate::{
    entities::{Caller, set},
    support::{
        bearers::Bearers,
        client::Client,
        disk::Disk,
        hocuspocus::{Heard, Socket},
        raw, start_with,
        updates::{letter, long_text},
        within,
    },
};

async fn serve(disk: &Disk, bearers: &Arc<Bearers>, set: impl FnOnce(&mut Quota)) -> Server {
    for user in ["ann", "bob"] {
        bearers.set(user, &["*=admin"]);
    }
    let of = |name: &str, policy| EntityType::new(TypeName::new(name).expect("a name"), policy);
    start_with(disk, |config| {
        config.authenticator = Some(Arc::clone(bearers) as _);
        config.types = vec![of("note", Policy::Crdt), of("stock", Policy::Lww)];
        set(&mut config.quota);
    })
    .await
}

async fn limited(server: &Server, limit: &str) -> u64 {
    metric(server, &format!("limited_total{{limit=\"{limit}\"}}")).await
}

async fn metric(server: &Server, name: &str) -> u64 {
    let line = format!("syncline_{name} ");
    let text = raw::get(server.addr(), "/metrics", "").await.body;
    let count = text.lines().find_map(|found| found.strip_prefix(&line));
    count.map_or(0, |count| count.parse().expect("it is a number"))
}

fn used_up(setting: &str) -> (u16, String) {
    (1013, format!("quota-used-up: {setting}"))
}

fn over(setting: &str) -> (u16, String) {
    (4413, format!("over-quota: {setting}"))
}

/// Sockets and streams of one user are counted together; one that ends makes room for another.
#[tokio::test]
async fn a_user_has_so_many_connections() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let server = serve(&disk, &bearers, |quota| quota.user_connections = Some(1)).await;
        let addr = server.addr();
        let [ann, bob] = ["ann", "bob"].map(|token| Caller::bearing(&server, token));
        ann.bind("phone").await;
        let mut first = Client::connect(addr, "room?token=ann").await;
        first.whole_document().await;
        let mut second = Client::connect(addr, "room?token=ann").await;
        assert_eq!(second.hear_close().await, used_up("user-connections"));
        let mut third = Socket::connect(addr).await;
        third.auth("room", "ann", true).await;
        let heard = third.hear_until("", |heard| matches!(heard, Heard::Closed(_))).await;
        assert_eq!(heard.last().map(|(_, heard)| heard), Some(&Heard::Closed(1013)));
        let live = "/sync/v1/live?device_id=phone&scope=stock";
        let refused = raw::get(addr, live, "Authorization: Bearer ann\r\n").await;
        assert_eq!((refused.status, refused.body.contains("`user-connections`")), (429, true), "{refused:?}");
        assert_eq!(limited(&server, "user-connections").await, 3);

        let mut other = Client::connect(addr, "room?token=bob").await;
        other.whole_document().await;
        assert_eq!(bob.ask("GET /sync/v1/types", json!({})).await.0, 200, "a request is no connection");
        first.leave().await;
        while raw::get(addr, live, "Authorization: Bearer ann\r\n").await.status != 200 {}
        drop(other);
        server.shutdown().await;
    })
    .await;
}

/// Whoever would open one room too many is sent away for now; a room that is open may be joined.
#[tokio::test]
async fn a_tenant_has_so_many_rooms() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let server = serve(&disk, &bearers, |quota| quota.tenant_rooms = Some(1)).await;
        let mut first = Client::connect(server.addr(), "one?token=ann").await;
        first.whole_document().await;
        let mut second = Client::connect(server.addr(), "two?token=bob").await;
        assert_eq!(second.hear_close().await, used_up("tenant-rooms"));
        let mut third = Client::connect(server.addr(), "one?token=bob").await;
        third.whole_document().await;
        assert_eq!(limited(&server, "tenant-rooms").await, 1);
        drop((first, third));
        server.shutdown().await;
    })
    .await;
}

/// Goal: rooms are bounded on whichever way they are opened, and those that nobody uses are in nobody's way. Method: one room is all
/// there may be. Alone requests get on, one room after the other; when people have it they are told to come again, unless they
/// make less of what there is.
#[tokio::test]
async fn requests_open_no_more_rooms() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        disk.put_document("other", &letter(1, 'o'));
        disk.put_document("old", &letter(1, 'o'));
        let server = serve(&disk, &bearers, |quota| quota.tenant_rooms = Some(1)).await;
        let ann = Caller::bearing(&server, "ann");
        ann.bind("phone").await;
        let note = |id: &str, client: u64| {
            let update = BASE64.encode(&letter(client, 'n'));
            json!({ "type": "note", "id": id, "op": "crdt", "update": update })
        };
        assert_eq!(ann.push("phone", 1, &[note("a", 1), note("b", 1), note("c", 1)]).await, ["applied"; 3]);
        let pulled = ann.pull("phone", "note", &Value::Null).await;
        assert_eq!(pulled["scopes"][0]["changes"].as_array().map(Vec::len), Some(2), "{pulled}");
        let token = "Authorization: Bearer ann\r\n";
        let (_, exported) = raw::fetch(server.addr(), "/sync/v1/export", token).await;
        ann.ok("PUT /docs/v1/documents/one", json!({ "json": { "t": "x" } })).await;
        assert_eq!(limited(&server, "tenant-rooms").await, 0, "rooms that nobody uses end");

        let mut writer = Client::connect(server.addr(), "one?token=bob").await;
        writer.whole_document().await;
        all_rooms_are_shut(&server, &ann, &note("a", 2), &exported).await;
        assert!(limited(&server, "tenant-rooms").await >= 8);
        ann.ok("GET /docs/v1/documents/one", Value::Null).await;
        assert_eq!(raw::send(server.addr(), "DELETE /docs/v1/documents/old", token, "").await.status, 204);
        writer.leave().await;
        let other = "GET /docs/v1/documents/other";
        while ann.ask(other, Value::Null).await.0 != 200 {}
        assert_eq!(ann.push("phone", 4, &[note("a", 2)]).await, ["merged"], "it comes again");
        server.shutdown().await;
    })
    .await;
}

/// Goal: rooms that are left go from one request to the next, however many wait for them. Method: of three rooms people have one; many
/// documents are written, imported and read.
#[tokio::test]
async fn requests_share_the_rooms_that_are_left() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let server = serve(&disk, &bearers, |quota| quota.tenant_rooms = Some(3)).await;
        let ann = Caller::bearing(&server, "ann");
        ann.bind("phone").await;
        let mut writer = Client::connect(server.addr(), "one?token=bob").await;
        writer.whole_document().await;
        let ids: Vec<_> = (10..30).map(|at| format!("n{at}")).collect();
        let notes = ids.iter().map(|id| {
            let update = BASE64.encode(&letter(1, 'n'));
            json!({ "type": "note", "id": id, "op": "crdt", "update": update })
        });
        let notes: Vec<_> = notes.collect();
        assert_eq!(ann.push("phone", 1, &notes).await, ["applied"; 20]);
        let wanted = json!({ "device_id": "phone", "scopes": [{ "scope": "note" }] });
        let pulled = ann.ok("POST /sync/v1/pull", wanted).await;
        assert_eq!(pulled["scopes"][0]["changes"].as_array().map(Vec::len), Some(20), "{pulled}");
        let token = "Authorization: Bearer ann\r\n";
        let (_, exported) = raw::fetch(server.addr(), "/sync/v1/export", token).await;
        let imported = raw::send_bytes(server.addr(), "POST /sync/v1/import", token, &exported).await;
        assert_eq!(imported.status, 200, "{imported:?}");
        assert_eq!(limited(&server, "tenant-rooms").await, 0);
        drop(writer);
        server.shutdown().await;
    })
    .await;
}

/// Goal: what is done beyond the quota leaves no room open. Method: people have the only room; a deletion on a condition that does not
/// hold opens another. Nobody waits for as long as rooms are kept that nobody uses.
#[tokio::test]
async fn what_is_opened_beyond_the_quota_ends_at_once() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        disk.put_document("old", &letter(1, 'o'));
        let server = serve(&disk, &bearers, |quota| quota.tenant_rooms = Some(1)).await;
        let addr = server.addr();
        let token = "Authorization: Bearer ann\r\n";
        let old = "/docs/v1/documents/old";
        let head = raw::get(addr, old, token).await.head;
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("it has one").to_owned();
        Caller::bearing(&server, "ann")
            .ok("PUT /docs/v1/documents/one", json!({ "json": { "t": "x" } }))
            .await;
        let mut writer = Client::connect(addr, "one?token=bob").await;
        writer.whole_document().await;
        let other = format!("{token}If-Match: {}\r\n", tag.replacen('-', "-9", 1));
        let ended = async {
            assert_eq!(raw::send(addr, &format!("DELETE {old}"), &other, "").await.status, 412);
            while metric(&server, "rooms").await > 1 {}
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the room ends");
        drop(writer);
        server.shutdown().await;
    })
    .await;
}

async fn all_rooms_are_shut(server: &Server, ann: &Caller, op: &Value, exported: &[u8]) {
    let (addr, token) = (server.addr(), "Authorization: Bearer ann\r\n");
    let docs = async |request: &str, body: &str| {
        let refused = raw::send(addr, request, token, body).await;
        assert_eq!(refused.status, 429, "{request}: {refused:?}");
        assert!(refused.body.contains("\"tenant-rooms\""), "{request}: {refused:?}");
        assert!(refused.body.contains("`tenant-rooms` in `[quota]`"), "{request}: {refused:?}");
        assert!(refused.head.contains("\r\nretry-after: 30\r\n"), "{request}: {refused:?}");
    };
    let sync = |status: u16, answer: &Value| {
        assert_eq!((status, answer["code"].as_str()), (429, Some("rate-limited")), "{answer}");
        assert_eq!(answer["retry_after_ms"], 30_000, "{answer}");
    };
    let edit = r#"[{"op":"splice","path":"/t","at":0,"insert":"x"}]"#;
    let import = async {
        let line = json!({ "name": "new", "kind": "yjs", "state": BASE64.encode(&letter(1, 'x')) });
        let text = format!("{{\"format\":\"syncline-documents\",\"version\":1}}\n{line}\n");
        let (_, told) = raw::send_lines(addr, "POST /docs/v1/import", token, text.as_bytes()).await;
        assert!(told.contains("\"tenant-rooms\""), "{told}");
    };
    let pull = async {
        let scopes = json!([{ "scope": "note" }]);
        let body = json!({ "device_id": "phone", "scopes": scopes });
        let (status, answer) = ann.ask("POST /sync/v1/pull", body).await;
        sync(status, &answer);
    };
    let reconcile = async {
        assert_eq!(ann.push("phone", 4, std::slice::from_ref(op)).await, ["deferred"]);
        let ops = [json!({ "n": "5", "type": "stock", "id": "s", "op": "create", "set": { "text": "x" } })];
        let scopes = json!([{ "scope": "note" }]);
        let body = json!({ "device_id": "phone", "results_through": "0", "ops": ops, "scopes": scopes });
        let told = ann.ok("POST /sync/v1/reconcile", body).await;
        assert_eq!(told["applied"][0]["n"], "5", "what became of ops is told: {told}");
        assert_eq!(told["pull"]["scopes"][0]["changes"], json!([]), "{told}");
    };
    let export = async {
        let (_, again) = raw::fetch(addr, "/sync/v1/export?type=note", token).await;
        assert_eq!(
            again.iter().filter(|byte| **byte == b'\n').count(),
            3 + 2 + 3,
            "records, their bytes, and ends"
        );
    };
    let restore = async {
        let imported = raw::send_bytes(addr, "POST /sync/v1/import", token, exported).await;
        sync(imported.status, &serde_json::from_str(&imported.body).expect("JSON"));
    };
    let all = [
        ("GET /docs/v1/documents/other", ""),
        ("PATCH /docs/v1/documents/other", edit),
        ("PUT /docs/v1/documents/new", r#"{"json":{"t":"x"}}"#),
        ("POST /docs/v1/documents/other/branches", r#"{"name":"draft"}"#),
    ];
    let all = futures_util::future::join_all(all.map(|(request, body)| docs(request, body)));
    tokio::join!(all, import, pull, reconcile, restore, export);
}

/// The same document has the same bound over both protocols and for ops; whoever has it open and writes nothing stays.
#[tokio::test]
async fn a_document_has_so_many_bytes() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let server = serve(&disk, &bearers, |quota| quota.document_bytes = Some(1_000)).await;
        let ann = Caller::bearing(&server, "ann");
        ann.bind("phone").await;
        let mut writer = Client::connect(server.addr(), "note/n?token=ann").await;
        let first = letter(1, 'a');
        writer.update(&first).await;
        writer.hear_echo(&first).await;
        let long = long_text(2, 1_000);
        let mut editor = Client::connect(server.addr(), "note/n?token=bob").await;
        editor.update(&long).await;
        assert_eq!(editor.hear_close().await, over("document-bytes"));
        let mut socket = Socket::connect(server.addr()).await;
        socket.auth("note/n", "bob", true).await;
        socket.update("note/n", &long).await;
        let heard = socket.hear_until("note/n", |heard| matches!(heard, Heard::Ended(_))).await;
        assert_eq!(
            heard.last().map(|(_, heard)| heard),
            Some(&Heard::Ended("over-quota: document-bytes".into()))
        );
        assert_eq!(ann.push("phone", 1, &[crdt(&long)]).await, ["rejected"]);
        assert_eq!(limited(&server, "document-bytes").await, 2);
        let second = letter(3, 'b');
        writer.update(&second).await;
        writer.hear_echo(&second).await;
        drop((writer, socket));
        server.shutdown().await;
    })
    .await;
}

fn crdt(update: &Bytes) -> Value {
    json!({ "type": "note", "id": "n", "op": "crdt", "update": BASE64.encode(update) })
}

/// Goal: a tenant that has as much stored as it may gets no more in, on whichever way, and reads on; a restart does not forget how
/// much that is. Method: what is stored grows until the first refusal; then all ways are tried.
#[tokio::test]
async fn a_tenant_has_so_many_bytes_stored() {
    const BYTES: u64 = 20_000;
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let server = serve(&disk, &bearers, |quota| quota.tenant_stored_bytes = Some(BYTES)).await;
        let ann = Caller::bearing(&server, "ann");
        ann.bind("phone").await;
        let first = letter(1, 'a');
        let mut writer = Client::connect(server.addr(), "note/n?token=ann").await;
        writer.update(&first).await;
        writer.hear_echo(&first).await;
        let push = |n: u64| {
            let mut op = set("stock", &format!("s{n}"), "create", json!({ "text": "x".repeat(1_000) }));
            op["n"] = n.to_string().into();
            json!({ "device_id": "phone", "ops": [op] })
        };
        let mut n = 1;
        let refused = loop {
            let (status, answer) = ann.ask("POST /sync/v1/push", push(n)).await;
            if status != 200 {
                break (status, answer);
            }
            n += 1;
            assert!(n < BYTES / 1_000 + 2, "there is no end to it");
        };
        assert!(n > 3, "{refused:?}");
        let full = |(status, answer): &(u16, Value)| {
            assert_eq!((*status, answer["code"].as_str()), (507, Some("storage-full")), "{answer}");
            assert!(answer.to_string().contains("tenant-stored-bytes"), "{answer}");
        };
        full(&refused);
        all_ways_are_shut(&server, &ann, n, &full).await;
        ann.pull("phone", "stock", &Value::Null).await;
        let nothing = json!({ "device_id": "phone", "ops": [] });
        assert_eq!(ann.ask("POST /sync/v1/push", nothing).await.0, 200, "nothing is stored for it");
        writer.update(&first).await;
        writer.hear_echo(&first).await;
        drop(writer);
        server.shutdown().await;

        let server = serve(&disk, &bearers, |quota| quota.tenant_stored_bytes = Some(BYTES)).await;
        full(&Caller::bearing(&server, "ann").ask("POST /sync/v1/push", push(n)).await);
        server.shutdown().await;
        let server = serve(&disk, &bearers, |quota| quota.tenant_stored_bytes = Some(2 * BYTES)).await;
        assert_eq!(Caller::bearing(&server, "ann").ask("POST /sync/v1/push", push(n)).await.0, 200);
        server.shutdown().await;
    })
    .await;
}

async fn all_ways_are_shut(server: &Server, ann: &Caller, n: u64, full: &impl Fn(&(u16, Value))) {
    let second = letter(2, 'b');
    let mut op = crdt(&second);
    op["n"] = n.to_string().into();
    let union = json!({ "device_id": "phone", "ops": [op], "scopes": [] });
    full(&ann.ask("POST /sync/v1/push", union.clone()).await);
    full(&ann.ask("POST /sync/v1/reconcile", union).await);
    full(&ann.ask("POST /sync/v1/devices", json!({ "device_id": "pad" })).await);
    full(&ann.ask("PUT /sync/v1/types/more", json!({ "policy": "lww" })).await);
    full(&ann.ask("PUT /sync/v1/scopes/some", json!({ "types": ["stock"] })).await);
    let token = "Authorization: Bearer ann\r\n";
    let (_, exported) = raw::fetch(server.addr(), "/sync/v1/export", token).await;
    let imported = raw::send_bytes(server.addr(), "POST /sync/v1/import", token, &exported).await;
    full(&(imported.status, serde_json::from_str(&imported.body).expect("JSON")));
    let mut editor = Client::connect(server.addr(), "note/n?token=bob").await;
    editor.update(&second).await;
    assert_eq!(editor.hear_close().await, over("tenant-stored-bytes"));
    let mut socket = Socket::connect(server.addr()).await;
    socket.auth("d", "bob", true).await;
    socket.update("d", &second).await;
    let heard = socket.hear_until("d", |heard| matches!(heard, Heard::Ended(_))).await;
    let ended = Heard::Ended("over-quota: tenant-stored-bytes".into());
    assert_eq!(heard.last().map(|(_, heard)| heard), Some(&ended));
    assert!(limited(server, "tenant-stored-bytes").await > 0);
}
