//! What is erased is gone: from answers at once, from the audit soon, and from all files after the next start.

use std::{fs, path::Path, sync::Arc};

use data_encoding::BASE64;
use serde_json::{Value, json};
use syncline_core::entity::{EntityType, Policy, TypeName};
use syncline_protocol::ledger::{
    EventIndex, Write,
    stored::{EVENT, event_name},
};
use syncline_server::{Config, Server, finish_erasures, verify_audit};
use syncline_store::{
    mem::{Image, MemoryStore},
    records::ledger::{LedgerShelf, history},
    sled_store::SledStore,
    verify::verify,
};

use crate::{
    entities::{Caller, set},
    support::{
        bearers::{self, Bearers},
        client::{Client, Heard},
        disk::{Disk, TENANT, Watched},
        raw, start_with,
        updates::text,
        within,
    },
};

const CANARY: &str = "a canary in a mine";

/// The name of what says how far history was removed.
const SWEPT: u8 = 21;

fn types() -> Vec<EntityType> {
    let types = [("note", Policy::Lww), ("price", Policy::Manual), ("text", Policy::Crdt)];
    types.map(|(name, policy)| EntityType::new(TypeName::new(name).expect("a name"), policy)).into()
}

/// Starts a server on a data folder.
async fn start_in(folder: &Path) -> Server {
    let store = SledStore::open(folder).expect("it is nobody else's");
    let mut config = Config::default();
    config.types = types();
    Server::start(config, Box::new(store)).await.expect("loopback has a free port")
}

/// Returns whether any file of a folder holds a text, as it is or in base64.
pub(crate) fn is_in_files(folder: &Path, text: &str) -> bool {
    let entries = fs::read_dir(folder).expect("it is a folder").map(|entry| entry.expect("an entry").path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            return is_in_files(&path, text);
        }
        let bytes = fs::read(&path).expect("it is a file");
        let holds = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
        // By where it begins in a group of three bytes: but for what its neighbours have a say in.
        let packed = [0, 1, 2].map(|at: usize| {
            let packed = BASE64.encode(&[&b"  "[..at], text.as_bytes()].concat());
            packed[4..(at + text.len()) / 3 * 4].to_owned()
        });
        holds(text) || packed.iter().any(|part| holds(part))
    })
}

fn of(kind: &str) -> Value {
    json!({ "type": kind, "id": "secret" })
}

/// Writes the canary into a record, a conflict with all that is said of it, and a document.
async fn write(ann: &Caller, editor: &mut Client) {
    ann.bind("phone").await;
    ann.bind("till").await;
    let long = format!("{CANARY} {}", "x".repeat(20_000));
    let ops = [
        set("note", "secret", "create", json!({ "v": long })),
        set("price", "secret", "create", json!({ "v": CANARY })),
        set("note", "other", "create", json!({ "v": "stays" })),
    ];
    assert_eq!(ann.push("phone", 1, &ops).await, ["applied"; 3]);
    let ops = [set("price", "secret", "update", json!({ "v": format!("{CANARY} too") }))];
    assert_eq!(ann.push("till", 1, &ops).await, ["conflict"]);
    ann.ok("POST /sync/v1/conflicts/cnf_1/comment", json!({ "text": CANARY })).await;
    let typed = text(1, CANARY);
    editor.update(&typed).await;
    editor.hear_echo(&typed).await;
}

/// Pages that engines keep, documents, results, conflicts, the audit: after the next start no file holds the text. The audit is whole.
#[tokio::test]
async fn no_file_holds_what_was_erased() {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = start_in(folder.path()).await;
        let ann = Caller::of(&server, "ann");
        let mut editor = Client::connect(server.addr(), "text/secret").await;
        write(&ann, &mut editor).await;
        let before = ann.pull("till", "note", &Value::Null).await["scopes"][0]["cursor"].clone();
        assert!(is_in_files(folder.path(), CANARY));

        for kind in ["note", "price", "text"] {
            let answer = ann.ok("POST /sync/v1/erase", of(kind)).await;
            assert_eq!((&answer["purged"], &answer["vacuum"]), (&json!(true), &json!("pending")));
            assert_eq!(ann.ok("POST /sync/v1/erase", of(kind)).await, answer, "once more");
        }
        loop {
            match editor.hear().await {
                Heard::Closed(code, _) => break assert_eq!(code, 4410),
                Heard::Message(_) => {}
                Heard::Lost => panic!("nobody has said why"),
            }
        }
        let mut late = Client::connect(server.addr(), "text/secret").await;
        assert!(matches!(late.hear().await, Heard::Closed(4410, _)));
        let told = ann.pull("till", "note", &before).await;
        let told = &told["scopes"][0]["changes"];
        assert_eq!((&told[0]["op"], &told[0]["id"]), (&json!("delete"), &json!("secret")));
        let conflict = ann.ok("GET /sync/v1/conflicts/cnf_1", json!({})).await;
        assert_eq!(conflict["conflict"]["state"], "resolved");
        assert!(!conflict.to_string().contains(CANARY), "{conflict}");
        let late = set("note", "secret", "create", json!({ "v": CANARY }));
        assert_eq!(ann.push("phone", 4, &[late]).await, ["rejected"]);
        server.shutdown().await;

        let server = start_in(folder.path()).await;
        let ann = Caller::of(&server, "ann");
        assert!(!is_in_files(folder.path(), CANARY));
        assert_eq!(ann.ok("POST /sync/v1/erase", of("note")).await["vacuum"], "done");
        let stays = ann.pull("till", "note", &Value::Null).await;
        assert!(stays.to_string().contains("stays"), "{stays}");
        server.shutdown().await;
        let mut store = SledStore::open(folder.path()).expect("the server has let it go");
        assert!(verify_audit(&store, TENANT).expect("the chain is whole").end.index.0 > 8);
        let report = verify(&store).expect("the store is read");
        assert_eq!((report.unnamed_documents, report.garbage_chunks, &report.faults[..]), (0, 0, &[][..]));
        assert!(finish_erasures(&mut store).expect("it works").is_none(), "nothing is left to do");
    })
    .await;
}

/// What lies beside the audit goes while the server runs, of the erased entity alone.
#[tokio::test]
async fn values_beside_the_audit_are_removed() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.types = types()).await;
        let ann = Caller::of(&server, "ann");
        let mut editor = Client::connect(server.addr(), "text/secret").await;
        write(&ann, &mut editor).await;
        drop(editor);
        let payloads = || verify_audit(&*disk.memory(), TENANT).expect("the chain is whole").payloads;
        assert_eq!(payloads(), 3);
        ann.ok("POST /sync/v1/erase", of("note")).await;
        while payloads() > 2 {
            ann.ok("GET /sync/v1/devices", json!({})).await;
        }
        ann.ok("POST /sync/v1/erase", of("price")).await;
        while payloads() > 1 {
            ann.ok("GET /sync/v1/devices", json!({})).await;
        }
        server.shutdown().await;
        assert_eq!(payloads(), 1);
        assert_eq!(verify(&*disk.memory()).expect("the store is read").garbage_chunks, 0);
    })
    .await;
}

/// Who administers the type or the server may erase, and nobody else. Nothing is erased that can be nothing.
#[tokio::test]
async fn administrators_erase() {
    within(async {
        let disk = Disk::new();
        let bearers = Arc::new(Bearers::default());
        for (token, grant) in [
            ("of-writer", "type:*=write"),
            ("of-other", "type:price=admin"),
            ("of-type", "type:note=admin"),
            ("of-server", "server=admin"),
        ] {
            bearers.put(token, bearers::of("ann", &[grant]));
        }
        let server = start_with(&disk, |config| {
            config.types = types();
            config.authenticator = Some(bearers);
        })
        .await;
        let ask = async |token: &str, body: Value| {
            Caller::bearing(&server, token).refused("POST /sync/v1/erase", body).await
        };
        for token in ["of-writer", "of-other"] {
            assert_eq!(ask(token, of("note")).await, (403, "forbidden-op".into()), "{token}");
        }
        let user = json!({ "user": "bob" });
        assert_eq!(ask("of-type", user.clone()).await, (403, "forbidden-op".into()));
        assert_eq!(ask("of-server", user).await.0, 200);
        for token in ["of-type", "of-server"] {
            assert_eq!(ask(token, of("note")).await.0, 200, "{token}");
        }
        assert_eq!(ask("of-server", of("never")).await, (404, "unknown-type".into()));
        let temporary = json!({ "type": "note", "id": "tmp_1" });
        assert_eq!(ask("of-server", temporary).await, (404, "entity-unknown".into()));
        for body in [json!({}), json!({ "type": "note" }), json!({ "type": "note", "id": "a b" })] {
            assert_eq!(ask("of-server", body).await, (400, "malformed-request".into()));
        }
        server.shutdown().await;
    })
    .await;
}

/// How many events are stored.
fn events_stored(disk: &Disk) -> u64 {
    let memory = disk.memory();
    let events = history(&*memory, TENANT, EVENT, &event_name(EventIndex(0)));
    events.collect::<Result<Vec<_>, _>>().expect("the store is read").len() as u64
}

/// Returns up to which event there are none any more.
fn swept(disk: &Disk) -> Option<EventIndex> {
    let mut found = None;
    LedgerShelf::load(&*disk.memory(), TENANT, |name, bytes| {
        if name[..] == [SWEPT] {
            found = Some(Write::from_stored(&name, &bytes).expect("a ledger has written it"));
        }
    })
    .expect("the store is read");
    match found {
        Some(Write::Swept(swept)) => Some(swept.events),
        _ => None,
    }
}

/// A user's devices hear that they are shut out; nobody but an administrator of the server may do that.
#[tokio::test]
async fn a_user_is_erased() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.types = types()).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let mut live = raw::Events::open(
            server.addr(),
            "/sync/v1/live?device_id=phone&scope=note",
            "Sync-User: ann\r\n",
        )
        .await;
        let eve = Caller::of(&server, "eve");
        let answer = eve.ok("POST /sync/v1/erase", json!({ "user": "ann" })).await;
        let want =
            json!({ "purged": true, "known_as": "erased:1", "devices": ["phone"], "vacuum": "pending" });
        assert_eq!(answer, want);
        assert_eq!(live.next().await, None);
        let listed = eve.ok("GET /sync/v1/devices", json!({})).await;
        assert!(!listed.to_string().contains("ann"), "{listed}");
        let again = eve.ok("POST /sync/v1/erase", json!({ "user": "ann" })).await;
        let want = json!({ "purged": true, "known_as": "erased:1", "devices": [], "vacuum": "pending" });
        assert_eq!(again, want);
        server.shutdown().await;
        verify_audit(&*disk.memory(), TENANT).expect("the chain is whole");
    })
    .await;
}

/// Values and events that are too old go at the next tick; the chain stays, and whoever asks for older events is told so.
#[tokio::test]
async fn history_is_kept_as_long_as_it_is_to_be() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.types = types()).await;
        let mut editor = Client::connect(server.addr(), "text/secret").await;
        write(&Caller::of(&server, "ann"), &mut editor).await;
        drop(editor);
        server.shutdown().await;
        let report = || verify_audit(&*disk.memory(), TENANT).expect("the chain is whole");
        let before = report();
        assert_eq!(before.payloads, 3);
        let events = events_stored(&disk);

        let server = start_with(&disk, |config| {
            config.audit_retention_days = Some(0);
            config.event_retention_days = Some(0);
        })
        .await;
        let ann = Caller::of(&server, "ann");
        // The events go last, and that they are gone is noted behind that.
        while swept(&disk) < Some(EventIndex(events)) {
            ann.ok("GET /sync/v1/devices", json!({})).await;
        }
        let refused = ann.refused("GET /sync/v1/events?after=1", json!({})).await;
        assert_eq!(refused, (400, "cursor-invalid".into()));
        assert_eq!((report().payloads, report().end), (0, before.end));
        assert_eq!((report().users, before.users), (1, 1), "who did what is told for ever");
        assert_eq!(events_stored(&disk), 0);
        // Whoever names no place hears what comes.
        let mut events = raw::Events::open(server.addr(), "/sync/v1/events", "").await;
        ann.bind("desk").await;
        assert_eq!(events.next().await.expect("an event").0, "device_bound");
        server.shutdown().await;
    })
    .await;
}

/// Whom the tests erase.
const NAMED: &str = "canary-of-a-name";

const PLAN: &str = "/docs/v1/documents/plan";

const DRAFT: &str = "/docs/v1/documents/draft";

/// Has somebody leave their name wherever there is a place for it.
async fn leave_a_name(server: &Server) {
    let (named, ann) = (Caller::of(server, NAMED), Caller::of(server, "ann"));
    ann.bind("till").await;
    named.bind("phone").await;
    let ops = [set("price", "p", "create", json!({ "v": 1 })), set("note", "n", "create", json!({ "v": 1 }))];
    assert_eq!(named.push("phone", 1, &ops).await, ["applied"; 2]);
    let ops = [set("price", "p", "update", json!({ "v": 2 }))];
    assert_eq!(ann.push("till", 1, &ops).await, ["conflict"]);
    named.ok("POST /sync/v1/conflicts/cnf_1/comment", json!({ "text": "mine" })).await;
    ann.ok("POST /sync/v1/conflicts/cnf_1/assign", json!({ "assignee": NAMED })).await;
    named.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "one" } })).await;
    let edit = json!([{ "op": "splice", "path": "/text", "at": 3, "remove": 0, "insert": " two" }]);
    ann.ok(&format!("PATCH {PLAN}"), edit).await;
    named.ok(&format!("POST {PLAN}/versions"), json!({ "name": "good" })).await;
    ann.ok(&format!("POST {PLAN}/branches"), json!({ "name": "draft" })).await;
    let edit = json!([{ "op": "splice", "path": "/text", "at": 7, "remove": 0, "insert": " three" }]);
    named.ok(&format!("PATCH {DRAFT}"), edit).await;
    ann.ok(&format!("POST {PLAN}/merge"), json!({ "from": "draft" })).await;
}

/// Goal: who was erased is named in no file after the next start, and nothing that they have left is less readable for it. Method: a
/// name that is left in the audit, in events, conflicts, comments, devices, the log of a document, a version, and what was merged.
#[tokio::test]
async fn no_file_names_a_user_who_was_erased() {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = start_in(folder.path()).await;
        leave_a_name(&server).await;
        assert!(is_in_files(folder.path(), NAMED));
        let eve = Caller::of(&server, "eve");
        let answer = eve.ok("POST /sync/v1/erase", json!({ "user": NAMED })).await;
        let known_as = answer["known_as"].as_str().expect("a name").to_owned();
        // From the answer on nothing of /sync/v1 says the name.
        for path in ["devices", "conflicts", "conflicts/cnf_1"] {
            let told = eve.ok(&format!("GET /sync/v1/{path}"), json!({})).await;
            assert!(!told.to_string().contains(NAMED), "{path}: {told}");
        }
        let mut events = raw::Events::open(server.addr(), "/sync/v1/events?after=0", "").await;
        let mut bound = Vec::new();
        while bound.len() < 2 {
            let (kind, data) = events.next().await.expect("an event");
            if kind == "device_bound" {
                bound.push(serde_json::from_str::<Value>(&data).expect("JSON")["data"]["user"].clone());
            }
        }
        assert_eq!(bound, [json!("ann"), json!(known_as)]);
        drop(events);
        server.shutdown().await;

        let server = start_in(folder.path()).await;
        assert!(!is_in_files(folder.path(), NAMED));
        let ann = Caller::of(&server, "ann");
        let history = ann.ok(&format!("GET {PLAN}/history"), json!({})).await;
        let authors = json!([{ "user": "ann", "device": null }, { "user": known_as, "device": null }]);
        assert_eq!(history["sessions"][0]["authors"], authors);
        for path in [PLAN, DRAFT] {
            let written = ann.ok(&format!("GET {path}/authors"), json!({})).await;
            let by = |i: usize| written["ranges"][i]["written"]["by"]["user"].clone();
            assert_eq!([by(0), by(1), by(2)], [json!(known_as), json!("ann"), json!(known_as)], "{path}");
        }
        let versions = ann.ok(&format!("GET {PLAN}/versions"), json!({})).await;
        assert_eq!(versions["versions"][0]["named_by"], json!(known_as));
        let version = raw::get(server.addr(), &format!("{PLAN}?version=1&format=text&root=text"), "").await;
        assert_eq!(version.body, "one two");
        // Whoever comes with the name is somebody new.
        Caller::of(&server, NAMED).bind("desk").await;
        server.shutdown().await;
        let store = SledStore::open(folder.path()).expect("the server has let it go");
        let report = verify_audit(&store, TENANT).expect("the chain is whole");
        assert_eq!((report.users, report.payloads), (3, 2), "ann, eve, and the new one");
    })
    .await;
}

/// Goal: whenever the process is killed while the next start has names forgotten, the one after that carries on. Method: it is done
/// over what a crash would have left behind each of its commits.
#[tokio::test]
async fn names_are_forgotten_whenever_that_is_cut_off() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.types = types()).await;
        leave_a_name(&server).await;
        Caller::of(&server, "eve").ok("POST /sync/v1/erase", json!({ "user": NAMED })).await;
        server.shutdown().await;
        let names = |image: &Image| {
            image
                .values()
                .filter(|value| value.windows(NAMED.len()).any(|part| part == NAMED.as_bytes()))
                .count()
        };
        assert!(names(disk.memory().durable()) > 2);
        let first = disk.memory().durable().clone();
        let mut watched = Watched::over(&disk);
        finish_erasures(&mut watched).expect("it works");
        let images = watched.images().lock().expect("nobody panicked").clone();
        assert!(images.len() > 3, "it is done in steps");
        assert_eq!(images.last().map(names), Some(0));
        for (at, image) in [first].into_iter().chain(images).enumerate() {
            let mut store = MemoryStore::from_image(image);
            finish_erasures(&mut store).expect("it works");
            assert_eq!(names(store.durable()), 0, "after {at} commits");
            verify_audit(&store, TENANT).expect("the chain is whole");
            assert_eq!(verify(&store).expect("read").faults, [], "after {at} commits");
            assert!(finish_erasures(&mut store).expect("it works").is_none());
        }
    })
    .await;
}
