//! A document that is deleted is gone: from answers at once, from what is stored soon, from all files after the next start. What
//! its editors still have comes back to no document of its name.

use bytes::Bytes;
use serde_json::{Value, json};
use syncline_core::{
    entity::{EntityType, Policy, TypeName},
    id::RoomName,
    limits::COMPACT_LOG_BYTES_MIN,
    log::{Engine, Former},
};
use syncline_server::{Config, DeleteError, Server, delete_document};
use syncline_store::{key::Kind, mem::Image, records, sled_store::SledStore, verify::verify};

use crate::{
    entities::Caller,
    erasing::is_in_files,
    support::{
        client::Client,
        disk::{Disk, TENANT, Watched, count},
        raw, start, start_with,
        updates::{letter, letters, text},
        within,
    },
};

const PLAN: &str = "/docs/v1/documents/plan";

const CANARY: &str = "a canary in a mine";

/// An update with so long a text that the log is folded, and the canary in it.
fn long() -> Bytes {
    text(1, &format!("{CANARY} {}", "x".repeat(COMPACT_LOG_BYTES_MIN)))
}

async fn status(server: &Server, request: &str) -> u16 {
    raw::send(server.addr(), request, "", "").await.status
}

/// Waits until a client is closed, and returns the code.
async fn closed_with(client: &mut Client) -> u16 {
    client.hear_close().await.0
}

/// What is sent under the name of a deleted document by somebody who has it.
async fn bring_back(server: &Server, update: &Bytes) -> u16 {
    let mut late = Client::connect(server.addr(), "plan").await;
    late.update(update).await;
    closed_with(&mut late).await
}

/// Leaves a document that has something of all that can be stored of one: a snapshot, a log, history and a version.
async fn write(server: &Server, folded: impl Fn() -> bool) -> Client {
    let ann = Caller::of(server, "ann");
    let mut editor = Client::connect(server.addr(), "plan").await;
    editor.update(&long()).await;
    editor.hear_update().await;
    while !folded() {
        tokio::task::yield_now().await;
    }
    editor.update(&letter(2, 'b')).await;
    editor.hear_echo(&letter(2, 'b')).await;
    let named = ann.ask(&format!("POST {PLAN}/versions"), json!({ "name": CANARY })).await;
    assert_eq!(named.0, 201, "{}", named.1);
    editor
}

/// Everyone who has it open is sent away, nobody finds it, and a new one of its name takes in nothing of it, also after a restart.
/// Then no file holds it.
#[tokio::test]
async fn a_deleted_document_is_gone_and_does_not_come_back() {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let start = async || {
            let store = SledStore::open(folder.path()).expect("it is nobody else's");
            Server::start(Config::default(), Box::new(store)).await.expect("loopback has a free port")
        };
        let server = start().await;
        let mut editor = write(&server, || true).await;
        assert!(is_in_files(folder.path(), CANARY));
        assert_eq!(status(&server, &format!("DELETE {PLAN}")).await, 204);
        assert_eq!(closed_with(&mut editor).await, 4410);
        for request in ["GET", "DELETE", "PATCH"] {
            let answer = raw::send(server.addr(), &format!("{request} {PLAN}"), "", "[]").await;
            assert_eq!(answer.status, 404, "{request}: {answer:?}");
        }
        assert_eq!(status(&server, &format!("GET {PLAN}/versions")).await, 404);
        let ann = Caller::of(&server, "ann");
        let listed = ann.ok("GET /docs/v1/documents", Value::Null).await;
        assert_eq!(listed["documents"], json!([]));
        assert_eq!(bring_back(&server, &long()).await, 4410);
        assert_eq!(bring_back(&server, &letter(2, 'b')).await, 4410);

        let mut newcomer = Client::connect(server.addr(), "plan").await;
        newcomer.update(&letter(3, 'n')).await;
        newcomer.hear_echo(&letter(3, 'n')).await;
        assert_eq!(bring_back(&server, &letter(2, 'b')).await, 4410);
        newcomer.leave().await;
        server.shutdown().await;

        let server = start().await;
        assert!(!is_in_files(folder.path(), CANARY));
        assert_eq!(bring_back(&server, &letter(2, 'b')).await, 4410);
        let mut reader = Client::connect(server.addr(), "plan").await;
        assert_eq!(letters([&reader.whole_document().await]), "n");
        reader.leave().await;
        // Who wrote in the second is known beside those who wrote in the first.
        assert_eq!(status(&server, &format!("DELETE {PLAN}")).await, 204);
        let seed = json!({ "json": { "text": "anew" } });
        assert_eq!(Caller::of(&server, "ann").ask(&format!("PUT {PLAN}"), seed).await.0, 201);
        for update in [long(), letter(2, 'b'), letter(3, 'n')] {
            assert_eq!(bring_back(&server, &update).await, 4410);
        }
        server.shutdown().await;
        let store = SledStore::open(folder.path()).expect("the server has let it go");
        assert_eq!(verify(&store).expect("read").faults, []);
    })
    .await;
}

/// Returns whether anything is stored of a document, by its id.
fn is_stored(image: &Image, document: &[u8]) -> bool {
    image.keys().any(|key| key.as_bytes().get(5..21) == Some(document))
}

/// Goal: whenever the process is killed, the document is whole, or the next start leaves nothing of it. Method: a server is started
/// on what a crash would have left behind each commit, up to the end of the removal.
#[tokio::test]
async fn a_deletion_that_is_cut_off_is_carried_on() {
    within(async {
        let disk = Disk::new();
        let watched = Watched::over(&disk);
        let images = watched.images();
        let server = Server::start(Config::default(), Box::new(watched)).await.expect("it starts");
        let folded = || count(&disk, Kind::HistoryPage) > 0 && count(&disk, Kind::Log) == 0;
        let mut editor = write(&server, folded).await;
        let plan = RoomName::new("plan").expect("a name");
        let named = records::named(&*disk.memory(), TENANT, &plan).expect("read").expect("it is there");
        let document = named.document.0;
        images.lock().expect("nobody panicked").clear();
        assert_eq!(status(&server, &format!("DELETE {PLAN}")).await, 204);
        assert_eq!(closed_with(&mut editor).await, 4410);
        while is_stored(disk.memory().live(), &document) {
            tokio::task::yield_now().await;
        }
        server.shutdown().await;

        let images = images.lock().expect("nobody panicked").clone();
        assert!(images.len() > 1, "the name goes first, and then the rest");
        for (at, image) in images.into_iter().enumerate() {
            let disk = Disk::holding(image);
            let server = start(&disk).await;
            assert!(!is_stored(disk.memory().live(), &document), "after commit {at}");
            assert_eq!(status(&server, &format!("GET {PLAN}")).await, 404, "after commit {at}");
            assert_eq!(bring_back(&server, &letter(2, 'b')).await, 4410, "after commit {at}");
            server.shutdown().await;
            let report = verify(&*disk.memory()).expect("read");
            assert_eq!((report.unnamed_documents, &report.faults[..]), (0, &[][..]), "after commit {at}");
        }
    })
    .await;
}

/// The room holds to the condition, so that nobody gets in between.
#[tokio::test]
async fn a_deletion_may_have_a_condition() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "1" } })).await;
        let tag = async || {
            let head = raw::get(server.addr(), PLAN, "").await.head;
            let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
            format!("If-Match: {tag}\r\n")
        };
        let before = tag().await;
        let edit = json!([{ "op": "splice", "path": "/text", "at": 0, "remove": 0, "insert": "a" }]);
        ann.ok(&format!("PATCH {PLAN}"), edit).await;
        let delete = format!("DELETE {PLAN}");
        let (status, refusal) = ann.ask_with(&before, &delete, Value::Null).await;
        assert_eq!((status, &refusal["error"]), (412, &json!("changed")));
        assert_eq!(raw::send(server.addr(), &delete, &tag().await, "").await.status, 204);
        assert_eq!(raw::send(server.addr(), &delete, "If-Match: *\r\n", "").await.status, 404);
        server.shutdown().await;
    })
    .await;
}

/// What cannot be read can be deleted. Nobody knows who wrote in it, so its name is not used again; nor is that of an Automerge
/// document, which is an id.
#[tokio::test]
async fn a_name_without_known_writers_is_not_used_again() {
    within(async {
        let disk = Disk::new();
        disk.put_document("plan", b"no update");
        disk.put_document_of(Engine::Automerge, "other", b"");
        let server = start(&disk).await;
        for name in ["plan", "other"] {
            let path = format!("/docs/v1/documents/{name}");
            assert_eq!(status(&server, &format!("DELETE {path}")).await, 204, "{name}");
            let seed = json!({ "json": { "text": "anew" } });
            let (status, refusal) = Caller::of(&server, "ann").ask(&format!("PUT {path}"), seed).await;
            assert_eq!((status, &refusal["error"]), (410, &json!("deleted")), "{name}");
            assert_eq!(Client::connect(server.addr(), name).await.hear_close().await.0, 4410, "{name}");
        }
        server.shutdown().await;
        assert_eq!((count(&disk, Kind::Name), count(&disk, Kind::Log)), (0, 0));
    })
    .await;
}

/// An entity has a record, and an audit, that are to say what became of it.
#[tokio::test]
async fn the_document_of_an_entity_is_not_deleted_alone() {
    within(async {
        let disk = Disk::new();
        let note = EntityType::new(TypeName::new("note").expect("a name"), Policy::Crdt);
        let server = start_with(&disk, |config| config.types = vec![note]).await;
        let mut editor = Client::connect(server.addr(), "note/n1").await;
        editor.update(&letter(1, 'a')).await;
        editor.hear_echo(&letter(1, 'a')).await;
        let ann = Caller::of(&server, "ann");
        let (status, refusal) = ann.ask("DELETE /docs/v1/documents/note%2Fn1", Value::Null).await;
        assert_eq!((status, &refusal["error"]), (409, &json!("is-entity")));
        editor.update(&letter(2, 'b')).await;
        editor.hear_echo(&letter(2, 'b')).await;
        editor.leave().await;
        server.shutdown().await;
        let name = RoomName::new("note/n1").expect("a name");
        let refused = delete_document(&mut *disk.memory(), TENANT, &name);
        assert!(matches!(refused, Err(DeleteError::Entity(_))), "{refused:?}");
    })
    .await;
}

/// What a server deletes, and what is deleted on a folder that no server has open, is the same.
#[tokio::test]
async fn a_document_is_deleted_without_a_server() {
    within(async {
        let disk = Disk::new();
        disk.put_document("plan", &letter(2, 'b'));
        disk.put_document("stays", &letter(1, 'a'));
        let plan = RoomName::new("plan").expect("a name");
        delete_document(&mut *disk.memory(), TENANT, &plan).expect("it is deleted");
        let again = delete_document(&mut *disk.memory(), TENANT, &plan);
        assert!(matches!(again, Err(DeleteError::NoDocument(_))), "{again:?}");
        assert_eq!(
            (count(&disk, Kind::Name), count(&disk, Kind::Log), count(&disk, Kind::Erased)),
            (1, 1, 0)
        );
        let former = records::former(&*disk.memory(), TENANT, &plan).expect("read");
        assert!(matches!(former, Former::Clients(clients) if clients.len() == 1));
        let server = start(&disk).await;
        assert_eq!(bring_back(&server, &letter(2, 'b')).await, 4410);
        server.shutdown().await;
    })
    .await;
}
