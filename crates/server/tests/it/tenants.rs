//! Two tenants with the same names everywhere: rooms, types, entities, users, devices, conflicts.

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Value, json};
use syncline_core::{
    access::Identity,
    entity::{EntityType, Fallback, Policy, TypeName, conflict::ConflictState},
    id::{TenantId, TenantName},
    time::WallMs,
};
use syncline_protocol::ledger::{Answer, ConflictWish, Input};
use syncline_server::{Config, OfflineLedger, Server};
use syncline_store::{
    Batch, Key, Store, Value as StoredValue,
    key::{Kind, Place},
    verify::verify,
};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;

use crate::{
    entities::{Caller, set},
    support::{
        bearers::{Bearers, of},
        client::Client,
        disk::Disk,
        hocuspocus::{Heard, Socket},
        raw, start_with,
        updates::{letter, letters},
        within,
    },
};

/// Returns a user called `ann` of a tenant, who may do all.
fn ann_of(tenant: &str) -> Identity {
    Identity { tenant: TenantName::new(tenant).expect("a name"), ..of("ann", &["*=admin"]) }
}

/// Everyone's token is the name of their tenant.
async fn serve(disk: &Disk, tenants: &[&str], set: impl FnOnce(&mut Config)) -> Server {
    let bearers = Arc::new(Bearers::default());
    tenants.iter().for_each(|tenant| bearers.put(tenant, ann_of(tenant)));
    let types = [("price", Policy::Manual), ("note", Policy::Crdt)];
    let types = types.map(|(name, policy)| EntityType::new(TypeName::new(name).expect("a name"), policy));
    start_with(disk, |config| {
        config.authenticator = Some(bearers);
        config.types = types.into();
        set(config);
    })
    .await
}

fn shown(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Has a tenant store a record, and a conflict about it, all by the same names; returns its cursor.
async fn fill(who: &Caller, price: f64) -> Value {
    who.bind("phone").await;
    who.bind("till").await;
    let write = |op: &str, price: f64| set("price", "p", op, json!({ "price": price }));
    assert_eq!(who.push("phone", 1, &[write("create", price)]).await, ["applied"]);
    assert_eq!(who.push("till", 1, &[write("update", price + 1.0)]).await, ["conflict"]);
    who.pull("phone", "price", &Value::Null).await["scopes"][0]["cursor"].clone()
}

/// Returns all that a tenant reads over HTTP, as text.
async fn everything(server: &Server, token: &str) -> String {
    let who = Caller::bearing(server, token);
    let mut all = who.pull("phone", "price", &Value::Null).await.to_string();
    for path in ["status?device_id=phone&type=price&id=p", "conflicts", "conflicts/cnf_1", "devices", "types"]
    {
        all += &who.ok(&format!("GET /sync/v1/{path}"), json!({})).await.to_string();
    }
    let (_, exported) = raw::fetch(server.addr(), "/sync/v1/export", &shown(token)).await;
    all += &String::from_utf8(exported).expect("text");
    let mut events = raw::Events::open(server.addr(), "/sync/v1/events", &shown(token)).await;
    let (_, first) = events.next().await.expect("a conflict was detected");
    assert_eq!(serde_json::from_str::<Value>(&first).expect("JSON")["tenant"], token);
    all + &first
}

/// What one tenant has stored is in nothing that the other reads, and the other way round, also after a restart.
#[tokio::test]
async fn two_tenants_with_the_same_names_meet_nowhere() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &["a", "b"], |_| {}).await;
        let (a, b) = (Caller::bearing(&server, "a"), Caller::bearing(&server, "b"));
        let cursor = fill(&a, 1_111.0).await;
        assert_eq!(
            b.refused("GET /sync/v1/conflicts/cnf_1", json!({})).await,
            (404, "unknown-conflict".into())
        );
        let status = "GET /sync/v1/status?device_id=phone";
        assert_eq!(b.refused(status, json!({})).await.0, 404, "the device is another's");
        fill(&b, 7_777.0).await;
        let wanted = json!({ "device_id": "phone", "scopes": [{ "scope": "price", "cursor": cursor }] });
        let refused = b.refused("POST /sync/v1/pull", wanted.clone()).await;
        assert_eq!(refused, (400, "cursor-invalid".into()));
        a.ok("POST /sync/v1/pull", wanted).await;

        // Whoever settles the conflict of that name settles their own.
        let settle = json!({ "conflict_id": "cnf_1", "resolution_id": "r", "choice": "client",
            "expect": { "conflict_rev": 1, "entity_ver": "1" } });
        b.ok("POST /sync/v1/resolve-conflict", settle).await;
        let conflict = a.ok("GET /sync/v1/conflicts/cnf_1", json!({})).await;
        assert_eq!(conflict["conflict"]["state"], "open");
        // Whoever shuts out the device of that name shuts out their own.
        b.bind("pad").await;
        b.ok("DELETE /sync/v1/devices/pad", json!({})).await;
        a.bind("pad").await;
        for _ in 0..2 {
            let (of_a, of_b) = (everything(&server, "a").await, everything(&server, "b").await);
            assert!(of_a.contains("1111") && !of_a.contains("7777") && !of_a.contains("7778"), "{of_a}");
            assert!(of_b.contains("7778") && !of_b.contains("1111") && !of_b.contains("1112"), "{of_b}");
        }
        server.shutdown().await;
        let again = serve(&disk, &["a", "b"], |_| {}).await;
        let (of_a, of_b) = (everything(&again, "a").await, everything(&again, "b").await);
        assert!(of_a.contains("1111") && !of_a.contains("7777"), "{of_a}");
        assert!(of_b.contains("7778") && !of_b.contains("1111"), "{of_b}");
        again.shutdown().await;
        assert_eq!(verify(&*disk.memory()).expect("read").faults, []);
    })
    .await;
}

/// Returns the letters of a room, for whoever shows a token.
async fn written(addr: SocketAddr, room: &str, token: &str) -> String {
    letters([&Client::connect(addr, &format!("{room}?token={token}")).await.whole_document().await])
}

/// Rooms of one name are different documents, whatever they are reached by, and so are those that are entities.
#[tokio::test]
async fn rooms_of_one_name_are_of_one_tenant_each() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &["a", "b", "default"], |_| {}).await;
        let addr = server.addr();
        for room in ["plan", "note/n"] {
            for (token, client, sign) in [("a", 1, 'a'), ("b", 2, 'b'), ("default", 3, 'd')] {
                let mut yjs = Client::connect(addr, &format!("{room}?token={token}")).await;
                yjs.update(&letter(client, sign)).await;
                yjs.hear_echo(&letter(client, sign)).await;
            }
            for (token, want) in [("a", "a"), ("b", "b"), ("default", "d")] {
                assert_eq!(written(addr, room, token).await, want, "{room}");
            }
        }
        // The first good token of a socket says whose documents it opens.
        let mut socket = Socket::connect(addr).await;
        socket.auth("plan", "a", true).await;
        socket.auth("other", "b", true).await;
        socket.hear_until("other", |heard| *heard == Heard::Denied).await;
        assert_eq!(letters([&socket.whole_document("plan").await]), "a");
        socket.auth("plan", "b", true).await;
        socket.hear_until("plan", |heard| *heard == Heard::Ended("unauthorized".into())).await;

        let listed = async |token: &str| {
            let list = Caller::bearing(&server, token).ok("GET /rooms", json!({})).await;
            let rooms = list["rooms"].as_array().expect("a list").iter();
            let names = rooms.map(|room| room["name"].as_str().expect("a name").to_owned());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let mut only = Client::connect(addr, "only?token=b").await;
        only.update(&letter(4, 'o')).await;
        only.hear_echo(&letter(4, 'o')).await;
        let both = ["note/n", "plan"].map(String::from);
        assert_eq!(listed("a").await, both.clone().into());
        let mut with_only = std::collections::BTreeSet::from(both);
        with_only.insert("only".into());
        assert_eq!(listed("b").await, with_only);
        drop((only, socket));
        server.shutdown().await;
    })
    .await;
}

/// News of one tenant wake nobody of another, and what one revokes or closes the other keeps.
#[tokio::test]
async fn what_one_tenant_hears_and_revokes_is_its_own() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &["a", "b"], |_| {}).await;
        let addr = server.addr();
        let (a, b) = (Caller::bearing(&server, "a"), Caller::bearing(&server, "b"));
        let cursors = [fill(&a, 1.0).await, fill(&b, 2.0).await];
        let path = |n: usize| {
            let cursor = cursors[n].as_str().expect("a word");
            format!("/sync/v1/live?device_id=phone&scope=price&cursor={cursor}")
        };
        let mut live = raw::Events::open(addr, &path(0), &shown("a")).await;
        let foreign = raw::get(addr, &path(1), &shown("a")).await;
        assert_eq!(foreign.status, 400, "the cursor is another's");
        let tcp = TcpStream::connect(addr).await.expect("the server listens");
        let ws = format!("ws://{addr}{}&token=b", path(0).replace("/live?", "/ws?"));
        assert!(client_async(ws, tcp).await.is_err(), "here, too");
        // Had news of the other come it would have come first.
        for (who, id) in [(&b, "of b"), (&a, "of a")] {
            let id = id.replace(' ', "-");
            who.push("till", 2, &[set("price", &id, "create", json!({ "price": 3 }))]).await;
        }
        let (_, told) = live.next().await.expect("news");
        assert!(told.contains("of-a") && !told.contains("of-b"), "{told}");

        let mut here = Client::connect(addr, "plan?token=a").await;
        let revoke = "POST /auth/v1/revocations";
        assert_eq!(b.ok(revoke, json!({ "room": "plan" })).await["closed"], 0, "nobody of b is in it");
        b.ok(revoke, json!({ "user": "ann" })).await;
        assert_eq!(b.refused("GET /sync/v1/types", json!({})).await.0, 401);
        assert_eq!(a.ok("GET /auth/v1/revocations", json!({})).await["revocations"], json!([]));
        here.update(&letter(1, 'a')).await;
        here.hear_echo(&letter(1, 'a')).await;
        drop((here, live));
        server.shutdown().await;
        let again = serve(&disk, &["a", "b"], |_| {}).await;
        assert_eq!(Caller::bearing(&again, "b").refused("GET /sync/v1/types", json!({})).await.0, 401);
        Caller::bearing(&again, "a").ok("GET /sync/v1/types", json!({})).await;
        again.shutdown().await;
    })
    .await;
}

/// Whoever only reads leaves no trace of a tenant; whoever writes does; and beyond as many as there may be nobody is let in.
#[tokio::test]
async fn a_tenant_begins_with_its_first_write() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &["a", "b", "c"], |config| config.tenants_max = 2).await;
        let addr = server.addr();
        let [a, b, c] = ["a", "b", "c"].map(|token| Caller::bearing(&server, token));
        let stored =
            || disk.memory().live().keys().filter(|key| key.as_bytes()[0] == Kind::Tenant as u8).count();
        a.ok("GET /sync/v1/types", json!({})).await;
        a.ok("GET /sync/v1/conflicts", json!({})).await;
        assert_eq!(written(addr, "plan", "a").await, "");
        assert_eq!(stored(), 0, "a has read");
        a.bind("phone").await;
        assert_eq!(stored(), 1, "a has bound a device");
        let mut room = Client::connect(addr, "plan?token=b").await;
        room.update(&letter(1, 'b')).await;
        room.hear_echo(&letter(1, 'b')).await;
        assert_eq!(stored(), 2, "b has written a room");
        assert_eq!(c.refused("GET /sync/v1/types", json!({})).await, (507, "storage-full".into()));
        let closed = Client::connect(addr, "plan?token=c").await.hear_close().await;
        assert_eq!(closed, (1013, "overloaded".into()));
        assert_eq!(c.ask("POST /auth/v1/revocations", json!({ "user": "bob" })).await.0, 507);
        b.ok("GET /sync/v1/types", json!({})).await;
        drop(room);
        server.shutdown().await;
        // Whoever was there stays, however few there may be now.
        let again = serve(&disk, &["a", "b", "c"], |config| config.tenants_max = 0).await;
        assert_eq!(written(again.addr(), "plan", "b").await, "b");
        assert_eq!(Caller::bearing(&again, "c").ask("GET /sync/v1/types", json!({})).await.0, 507);
        again.shutdown().await;
    })
    .await;
}

/// Each tenant erases its own, and the next start removes of each what pages still hold.
#[tokio::test]
async fn what_tenants_erase_is_gone_and_nothing_else() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &["a", "b", "c"], |_| {}).await;
        let write = |id: &str, text: String| set("price", id, "create", json!({ "v": text }));
        for token in ["a", "b", "c"] {
            let who = Caller::bearing(&server, token);
            who.bind("phone").await;
            let secret = write("secret", format!("secret of {token}"));
            who.push("phone", 1, &[secret, write("other", format!("stays of {token}"))]).await;
        }
        let metrics = raw::get(server.addr(), "/metrics", "").await.body;
        for tenant in ["a", "default"] {
            let count = usize::from(tenant == "a");
            let line = format!("syncline_sync_devices{{tenant=\"{tenant}\",health=\"healthy\"}} {count}");
            assert!(metrics.contains(&line), "{metrics}");
        }
        let holds = |text: &str| {
            let memory = disk.memory();
            memory.live().values().any(|value| value.windows(text.len()).any(|at| at == text.as_bytes()))
        };
        let erase = json!({ "type": "price", "id": "secret" });
        for token in ["a", "b"] {
            Caller::bearing(&server, token).ok("POST /sync/v1/erase", erase.clone()).await;
        }
        server.shutdown().await;
        serve(&disk, &[], |_| {}).await.shutdown().await;
        for (text, is_there) in [
            ("secret of a", false),
            ("secret of b", false),
            ("secret of c", true),
            ("stays of a", true),
            ("stays of b", true),
        ] {
            assert_eq!(holds(text), is_there, "{text}");
        }
        assert_eq!(syncline_store::records::erased_tenants(&*disk.memory()).expect("read"), []);
        assert_eq!(verify(&*disk.memory()).expect("read").faults, []);
    })
    .await;
}

/// Goal: what is due of a tenant waits for nobody who asks for it. Method: a deadline passes while no server runs. The next one is asked
/// nothing of that tenant, and what it has stored is looked at.
#[tokio::test]
async fn a_deadline_that_has_passed_waits_for_no_request() {
    within(async {
        let disk = Disk::new();
        let fall_back = |config: &mut Config| {
            let manual = config.types.iter_mut().filter(|ty| ty.policy == Policy::Manual);
            manual.for_each(|ty| ty.fallback = Some(Fallback::Client));
        };
        let server = serve(&disk, &["a"], fall_back).await;
        fill(&Caller::bearing(&server, "a"), 1.0).await;
        server.shutdown().await;
        let a = TenantId(1);
        let assign = ConflictWish::Assign { assignee: "eve".to_owned(), deadline: Some(WallMs(1)) };
        let (id, asked) = {
            let mut memory = disk.memory();
            let mut ledger = OfflineLedger::open(&mut *memory, a).expect("it is whole");
            let (id, _) = ledger.ledger().conflicts().next().expect("there is one");
            let input = |request| Input::Conflict { request, conflict: id, wish: assign };
            (id, ledger.ask(input))
        };
        assert!(matches!(asked, Ok(Answer::Conflict { .. })), "{asked:?}");
        let state = || {
            let mut image = disk.memory().clone();
            let ledger = OfflineLedger::open(&mut image, a).expect("it is whole");
            ledger.ledger().conflict(id).expect("it is there").state()
        };
        assert_eq!(state(), ConflictState::Assigned);

        let again = serve(&disk, &["a", "b"], fall_back).await;
        while state() != ConflictState::Expired {
            tokio::task::yield_now().await;
        }
        let conflict = Caller::bearing(&again, "a").ok("GET /sync/v1/conflicts/cnf_1", json!({})).await;
        assert_eq!(conflict["conflict"]["state"], "expired");
        again.shutdown().await;
    })
    .await;
}

/// What is damaged of one tenant shuts out nobody else.
#[tokio::test]
async fn a_damaged_tenant_disturbs_no_other() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk, &["a", "b"], |_| {}).await;
        fill(&Caller::bearing(&server, "a"), 1.0).await;
        fill(&Caller::bearing(&server, "b"), 2.0).await;
        server.shutdown().await;
        let of_a = |key: &&Key| matches!(key.place(), Some(Place::Ledger { tenant: TenantId(1), .. }));
        let page = disk.memory().live().keys().find(of_a).expect("a page").clone();
        let mut damage = Batch::new();
        damage.put(page, StoredValue::new(vec![0; 20]).expect("it is short"));
        disk.memory().commit(damage).expect("no failure is set");

        let again = serve(&disk, &["a", "b"], |_| {}).await;
        let types = "GET /sync/v1/types";
        for _ in 0..2 {
            let refused = Caller::bearing(&again, "a").refused(types, json!({})).await;
            assert_eq!(refused, (503, "read-only".into()));
            Caller::bearing(&again, "b").ok(types, json!({})).await;
        }
        again.shutdown().await;
    })
    .await;
}
