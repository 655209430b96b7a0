//! Documents out of one server, with the records that they are, and into another.

use data_encoding::BASE64;
use serde_json::{Value, json};
use syncline_core::{
    clock::{Dot, HybridTime, ReplicaId},
    entity::{
        ActorName, Actors, Change, EntityId, EntityKey, EntityType, Epoch, Life, Policy, Sequence, Stamp,
        TypeName,
    },
};
use syncline_protocol::wire::sync_v1::{Attached, Export, Manifest};
use syncline_server::{OfflineLedger, Server, Wanted};
use syncline_store::mem::{Failure, MemoryStore};

use super::{
    Caller,
    bulk::{import, lines},
    set,
};
use crate::support::{
    client::Client,
    disk::{Disk, TENANT},
    raw, start, start_with,
    updates::{letter, letters, long_text},
    within,
};

async fn serve(disk: &Disk) -> Server {
    let types = [("note", Policy::Crdt), ("plain", Policy::Lww)];
    let types = types.map(|(name, policy)| EntityType::new(TypeName::new(name).expect("a name"), policy));
    start_with(disk, |config| config.types = types.into()).await
}

async fn export(server: &Server) -> String {
    let (_, body) = raw::fetch(server.addr(), "/sync/v1/export", "Accept-Encoding: identity\r\n").await;
    String::from_utf8(body).expect("text")
}

/// Types something into a document, and waits until it is durable.
async fn write(server: &Server, id: &str, update: &bytes::Bytes) {
    let mut editor = Client::connect(server.addr(), &format!("note/{id}")).await;
    editor.update(update).await;
    editor.hear_update().await;
    editor.leave().await;
}

/// Returns what a device reads, without what depends on when it was written.
async fn read(caller: &Caller) -> Vec<Value> {
    caller.bind("reader").await;
    let scopes = json!([{ "scope": "note", "limit": 100 }]);
    let pulled = caller.ok("POST /sync/v1/pull", json!({ "device_id": "reader", "scopes": scopes })).await;
    let changes = pulled["scopes"][0]["changes"].as_array().expect("a list").iter();
    let told = changes.map(|change| {
        let members = ["op", "type", "id", "data", "update", "state_vector"];
        members.iter().map(|name| change[*name].clone()).collect()
    });
    let mut told: Vec<Value> = told.collect();
    told.sort_by_key(|change| change[2].to_string());
    told
}

/// A server with documents, short, long, empty, deleted and with fields, becomes another with the same, once.
#[tokio::test]
async fn documents_are_exported_and_imported() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        write(&server, "a", &letter(1, 'a')).await;
        write(&server, "a", &letter(2, 'b')).await;
        write(&server, "long", &long_text(7, 5 << 19)).await;
        let update = BASE64.encode(&letter(3, 'c'));
        let crdt = |id: &str| json!({ "type": "note", "id": id, "op": "crdt", "update": update });
        let delete = json!({ "type": "note", "id": "gone", "op": "delete" });
        let with_fields = set("note", "fields", "create", json!({ "title": "minutes" }));
        let plain = set("plain", "p", "create", json!({ "v": 1 }));
        let ops = [
            with_fields,
            crdt("fields"),
            crdt("gone"),
            delete,
            plain,
            set("note", "none", "create", json!({})),
        ];
        assert_eq!(ann.push("phone", 1, &ops).await.len(), 6);

        let text = export(&server).await;
        let told = lines(&text);
        let ids: Vec<&str> = told.iter().filter_map(|line| line["id"].as_str()).collect();
        assert_eq!(ids, ["a", "fields", "gone", "long", "none", "p"]);
        let long = told.iter().position(|line| line["id"] == "long").expect("it is there");
        assert!(told[long]["document"]["bytes"].as_u64().expect("a number") > 5 << 19);
        assert!(told[long + 1..long + 4].iter().all(|line| line["update"].is_string()), "in three pieces");
        assert_eq!((&told[long - 1]["deleted"], &told[long - 1]["document"]), (&json!(true), &Value::Null));
        let there = read(&ann).await;

        let empty = start(&other).await;
        let eve = Caller::of(&empty, "eve");
        let (status, answer) = import(&eve, &text).await;
        assert_eq!(
            (status, &answer["imported"], &answer["unchanged"]),
            (200, &json!(5), &json!(1)),
            "{answer}"
        );
        let here = read(&eve).await;
        let alive: Vec<Value> = there.into_iter().filter(|change| change[0] != "delete").collect();
        assert_eq!(here, alive);
        for (id, text) in [("a", "ab"), ("fields", "c"), ("none", "")] {
            let mut editor = Client::connect(empty.addr(), &format!("note/{id}")).await;
            assert_eq!(letters([&editor.whole_document().await]), text);
            editor.leave().await;
        }
        // Nothing changes the second time; the document is what it was and what it lacked.
        let before = export(&empty).await;
        let (_, answer) = import(&eve, &text).await;
        assert_eq!((&answer["unchanged"], &answer["merged"]), (&json!(6), &json!(0)), "{answer}");
        assert_eq!(export(&empty).await, before);
        write(&empty, "a", &letter(4, 'd')).await;
        write(&server, "a", &letter(5, 'e')).await;
        let (_, answer) = import(&eve, &export(&server).await).await;
        assert_eq!((&answer["unchanged"], &answer["merged"]), (&json!(5), &json!(1)), "{answer}");
        server.shutdown().await;
        empty.shutdown().await;

        let again = start(&other).await;
        let mut editor = Client::connect(again.addr(), "note/a").await;
        assert_eq!(letters([&editor.whole_document().await]), "abde");
        editor.leave().await;
        again.shutdown().await;
    })
    .await;
}

/// What is answered is durable. An import that the store cut short is sent again as it was.
#[tokio::test]
async fn an_import_that_was_cut_short_is_sent_again() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        let server = serve(&disk).await;
        let ids: Vec<String> = (0..9).map(|id| format!("n{id}")).collect();
        for (id, client) in ids.iter().zip(1..) {
            write(&server, id, &letter(client, 'a')).await;
        }
        let text = export(&server).await;
        for (id, client) in ids.iter().zip(11..) {
            write(&server, id, &letter(client, 'b')).await;
        }
        let longer = export(&server).await;
        let there = read(&Caller::of(&server, "ann")).await;
        server.shutdown().await;

        let empty = serve(&other).await;
        let eve = Caller::of(&empty, "eve");
        // Of the first the records are not stored, of the second the documents.
        for (text, imported, merged) in [(&text, 9, 0), (&longer, 0, 9)] {
            other.fail_next_commit(Failure::BeforeSync);
            let (status, answer) = import(&eve, text).await;
            assert!(
                status == 503 || answer["refused"][8]["problem"]["code"] == "handler-unavailable",
                "{answer}"
            );
            raw::until_status(empty.addr(), "/readyz", 200).await;
            let (status, answer) = import(&eve, text).await;
            let told = (status, &answer["imported"], &answer["merged"], &answer["refused"]);
            assert_eq!(told, (200, &json!(imported), &json!(merged), &json!([])));
        }
        assert_eq!(read(&eve).await, there);
        empty.shutdown().await;
    })
    .await;
}

/// What cannot be taken is named, and what is beside it is taken.
#[tokio::test]
async fn documents_that_cannot_be_taken_are_named() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let eve = Caller::of(&server, "eve");
        let (mut export, mut actors, mut text) = (Export::default(), Actors::new(), String::new());
        actors.number(&ActorName::new("till").expect("a name"));
        export.begin(Manifest { epoch: Epoch(1), as_of: Sequence(9), types: &[], records: 4 }, &mut text);
        let stamp = Stamp { hlc: HybridTime::from_bits(7), dot: Dot::new(ReplicaId(0), 4) };
        let record = Change::new(stamp, Life::Begins).applied_to(None);
        let documents = [
            ("note", "bad", Some(&b"no update"[..])),
            ("note", "broken", None),
            ("note", "good", Some(&letter(1, 'a')[..])),
            ("plain", "p", Some(&letter(1, 'b')[..])),
        ];
        for (kind, id, update) in documents {
            let kind = TypeName::new(kind).expect("a name");
            let key = EntityKey { kind, id: EntityId::new(id).expect("an id") };
            let attached =
                update.map_or(Attached::Unreadable, |it| Attached::Document { bytes: it.len() as u64 });
            export.record(&key, &record, &actors, attached, &mut text);
            update.unwrap_or_default().chunks(5).for_each(|piece| export.piece(piece, &mut text));
        }
        export.end(&mut text);
        let (status, answer) = import(&eve, &text).await;
        assert_eq!((status, &answer["imported"]), (200, &json!(1)), "{answer}");
        let mut refused: Vec<_> = answer["refused"].as_array().expect("a list").iter().collect();
        refused.sort_by_key(|it| it["id"].to_string());
        let told = refused.iter().map(|it| (it["id"].as_str(), it["problem"]["code"].as_str()));
        let odd = Some("validation-failed");
        assert_eq!(told.collect::<Vec<_>>(), [(Some("bad"), odd), (Some("broken"), odd), (Some("p"), odd)]);
        let ids: Vec<Value> = read(&eve).await.into_iter().map(|change| change[2].clone()).collect();
        assert_eq!(ids, [json!("bad"), json!("good")], "the first is there, and empty");
        server.shutdown().await;
    })
    .await;
}

/// A server and a command write the same lines. What a document that cannot be read was is not lost in silence.
#[tokio::test]
async fn a_document_that_cannot_be_read_is_told() {
    within(async {
        let disk = Disk::new();
        disk.put_document("note/broken", b"no update");
        disk.put_document("note/sound", &letter(1, 'a'));
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let create = |id| set("note", id, "create", json!({}));
        ann.push("phone", 1, &["broken", "new", "sound"].map(create)).await;
        let text = export(&server).await;
        let told = lines(&text);
        assert_eq!(told[1]["document"], json!({ "unreadable": true }));
        assert_eq!((&told[2]["id"], &told[4]["id"], told.len()), (&json!("new"), &json!("sound"), 7));
        server.shutdown().await;

        let mut memory = disk.memory();
        let entities = OfflineLedger::open(&mut *memory, TENANT).expect("a server has written it");
        let (mut out, mut heard) = (Vec::new(), 0);
        let exported =
            entities.export(&Wanted::default(), &mut out, |_, _| heard += 1).expect("memory is written");
        assert_eq!((exported.records, exported.documents, exported.unreadable.len(), heard), (3, 2, 1, 3));
        assert_eq!(String::from_utf8(out).expect("text"), text);

        let mut empty = MemoryStore::new();
        let mut entities = OfflineLedger::open(&mut empty, TENANT).expect("it is empty");
        for (imported, unchanged) in [(2, 0), (0, 2)] {
            let tally = entities.import(&mut text.as_bytes(), None, |_| {}).expect("it was exported");
            assert_eq!((tally.imported, tally.unchanged, tally.refused.len()), (imported, unchanged, 1));
        }
    })
    .await;
}
