//! Documents as entities: devices over HTTP and editors over WebSocket meet in one.

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::{Value, json};
use syncline_core::entity::{EntityType, Policy, TypeName};
use syncline_protocol::{Request, wire::yjs};
use syncline_server::Server;
use syncline_store::mem::Failure;

use crate::{
    entities::Caller,
    support::{
        client::{Client, Heard},
        disk::Disk,
        raw, start_with,
        updates::{letter, letters, long_text},
        within,
    },
};

async fn serve(disk: &Disk) -> Server {
    let ty = EntityType::new(TypeName::new("note").expect("a name"), Policy::Crdt);
    start_with(disk, |config| config.types = vec![ty]).await
}

fn crdt(id: &str, update: &[u8]) -> Value {
    json!({ "type": "note", "id": id, "op": "crdt", "update": BASE64.encode(update) })
}

/// Pulls all notes and returns the page. `have` says what the device has.
async fn page(caller: &Caller, cursor: &Value, have: &Value) -> Value {
    let scopes = json!([{ "scope": "note", "cursor": cursor, "have": have }]);
    let pulled = caller.ok("POST /sync/v1/pull", json!({ "device_id": "phone", "scopes": scopes })).await;
    pulled["scopes"][0].clone()
}

async fn notes(caller: &Caller) -> Value {
    page(caller, &Value::Null, &json!({})).await["changes"].clone()
}

fn bytes(change: &Value, member: &str) -> Bytes {
    let text = change[member].as_str().unwrap_or_else(|| panic!("{change} has no {member}"));
    BASE64.decode(text.as_bytes()).expect("base64").into()
}

#[tokio::test]
async fn an_op_and_a_keystroke_meet_in_one_document() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let mut editor = Client::connect(server.addr(), "note/n1").await;
        let typed = letter(1, 'a');
        editor.update(&typed).await;
        editor.hear_echo(&typed).await;
        let first = notes(&ann).await;
        let told = (&first[0]["op"], &first[0]["id"], &first[0]["ver"], &first[0]["dot"]);
        assert_eq!(told, (&json!("crdt"), &json!("n1"), &json!("1"), &json!(["srv:local", "1"])));
        assert_eq!(letters([&bytes(&first[0], "update")]), "a");

        let sent = letter(2, 'b');
        assert_eq!(ann.push("phone", 1, &[crdt("n1", &sent)]).await, ["merged"]);
        editor.hear_echo(&sent).await;
        assert_eq!(ann.push("phone", 1, &[crdt("n1", &sent)]).await, ["duplicate"]);
        assert_eq!(ann.push("phone", 2, &[crdt("n1", &sent)]).await, ["merged"], "it holds that already");
        // Nobody has this one open.
        assert_eq!(ann.push("phone", 3, &[crdt("n2", &letter(3, 'c'))]).await, ["applied"]);
        let both = notes(&ann).await;
        assert_eq!((&both[0]["ver"], letters([&bytes(&both[0], "update")])), (&json!("3"), "ab".into()));
        assert_eq!((&both[1]["dot"], &both[1]["id"]), (&json!(["phone", "3"]), &json!("n2")));
        let have = json!({ "n1": first[0]["state_vector"] });
        let lacks = page(&ann, &Value::Null, &have).await["changes"][0].clone();
        let (whole, lacks) = (bytes(&both[0], "update"), bytes(&lacks, "update"));
        assert!(lacks.len() < whole.len());
        assert_eq!(letters([&typed, &lacks]), "ab");
        drop(editor);
        server.shutdown().await;

        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        let again = notes(&ann).await;
        assert_eq!(letters([&bytes(&again[0], "update")]), "ab");
        assert_eq!(letters([&bytes(&again[1], "update")]), "c");
        let mut editor = Client::connect(server.addr(), "note/n2").await;
        assert_eq!(letters([&editor.whole_document().await]), "c");
        editor.leave().await;
        server.shutdown().await;
    })
    .await;
}

/// What is typed while a commit is under way goes into the next one, and there the record changes once.
#[tokio::test]
async fn a_burst_of_keystrokes_changes_the_record_once_a_commit() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let mut editor = Client::connect(server.addr(), "note/n1").await;
        editor.whole_document().await;
        disk.tell(|disk| disk.hold_commits = true);
        let typed: Vec<Bytes> = (1..).zip('a'..='j').map(|(id, text)| letter(id, text)).collect();
        editor.update(&typed[0]).await;
        disk.until(|disk| disk.commit_waits).await;
        for update in &typed[1..] {
            editor.update(update).await;
        }
        // Presence rests on no commit. It comes after the updates: once it is heard, the room has them all.
        editor.send(yjs::presence(&[1, 1, 1, 2, b'{', b'}'])).await;
        while !matches!(editor.hear().await, Heard::Message(Request::Presence { entries }) if entries.len() > 1) {}
        disk.tell(|disk| disk.hold_commits = false);
        let mut heard = Vec::new();
        while letters(&heard).len() < typed.len() {
            heard.push(editor.hear_update().await);
        }
        let told = notes(&ann).await;
        assert_eq!((&told[0]["ver"], letters([&bytes(&told[0], "update")])), (&json!("2"), "abcdefghij".into()));
        drop(editor);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_fails_shows_nothing_on_either_side() {
    within(async {
        for is_typed in [true, false] {
            let disk = Disk::new();
            let server = serve(&disk).await;
            let ann = Caller::of(&server, "ann");
            ann.bind("phone").await;
            let mut editor = Client::connect(server.addr(), "note/n1").await;
            editor.whole_document().await;
            let update = letter(1, 'a');
            disk.fail_next_commit(Failure::BeforeSync);
            if is_typed {
                editor.update(&update).await;
            } else {
                let mut op = crdt("n1", &update);
                op["n"] = json!("1");
                let push = json!({ "device_id": "phone", "ops": [op] });
                assert_eq!(ann.refused("POST /sync/v1/push", push).await, (503, "read-only".into()));
            }
            assert_eq!(editor.hear_close().await, (1013, "store-down".into()));
            raw::until_status(server.addr(), "/readyz", 200).await;
            assert_eq!(notes(&ann).await, json!([]));
            let mut editor = Client::connect(server.addr(), "note/n1").await;
            assert_eq!(letters([&editor.whole_document().await]), "");
            assert_eq!(ann.push("phone", 1, &[crdt("n1", &update)]).await, ["applied"]);
            editor.hear_echo(&update).await;
            editor.leave().await;
            server.shutdown().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_update_that_does_not_fit_is_refused() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        // A struct of client 9 at clock 5, which rests on the five before it.
        let gap = [1, 1, 9, 5, 4, 1, 1, b't', 1, b'x', 0];
        let in_tx = json!({ "type": "note", "id": "n1", "op": "crdt", "update": "AAA=", "tx": "t" });
        let told = ann.push("phone", 1, &[crdt("n1", b"what"), crdt("n1", &gap), in_tx]).await;
        assert_eq!(told, ["rejected"; 3]);
        assert_eq!(notes(&ann).await, json!([]));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_edits_what_was_deleted() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let mut editor = Client::connect(server.addr(), "note/n1").await;
        assert_eq!(ann.push("phone", 1, &[crdt("n1", &letter(1, 'a'))]).await, ["applied"]);
        let delete = json!({ "type": "note", "id": "n1", "op": "delete" });
        assert_eq!(ann.push("phone", 2, &[delete]).await, ["applied"]);
        assert_eq!(editor.hear_close().await, (4410, "deleted".into()));
        let closed = Client::connect(server.addr(), "note/n1").await.hear_close().await;
        assert_eq!(closed, (4410, "deleted".into()));
        let lost = crdt("n1", &letter(2, 'b'));
        assert_eq!(ann.push("phone", 3, std::slice::from_ref(&lost)).await, ["superseded"]);
        let kept = &ann.ok("GET /sync/v1/conflicts?state=auto", json!({})).await["conflicts"][0];
        assert_eq!((&kept["entity_id"], &kept["kind"]), (&json!("n1"), &json!("update_delete")));
        assert_eq!(kept["candidates"][0]["update"], lost["update"], "whoever wants the text has it");
        server.shutdown().await;
    })
    .await;
}

/// The client pulls then; what comes next follows from where that has led it.
#[tokio::test]
async fn a_live_stream_says_that_a_document_has_changed() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        ann.bind("till").await;
        let cursor = page(&ann, &Value::Null, &json!({})).await["cursor"].clone();
        let path =
            format!("/sync/v1/live?device_id=phone&scope=note&cursor={}", cursor.as_str().expect("a word"));
        let mut live = raw::Events::open(server.addr(), &path, "Sync-User: ann\r\n").await;
        assert_eq!(ann.push("till", 1, &[crdt("n1", &letter(1, 'a'))]).await, ["applied"]);
        let (name, poke) = live.next().await.expect("that there is something");
        assert_eq!((name.as_str(), poke.as_str()), ("poke", r#"{"scope":"note","head":"1"}"#));
        let cursor = page(&ann, &cursor, &json!({})).await["cursor"].clone();
        let delete = json!({ "type": "note", "id": "n1", "op": "delete" });
        assert_eq!(ann.push("till", 2, &[delete]).await, ["applied"]);
        let (name, delta) = live.next().await.expect("what comes");
        let delta: Value = serde_json::from_str(&delta).expect("JSON");
        assert_eq!(
            (name.as_str(), &delta["from"], &delta["changes"][0]["op"]),
            ("delta", &cursor, &json!("delete"))
        );
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn documents_that_are_too_long_for_one_page_come_on_the_next() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        for id in 1..4_u64 {
            let mut editor = Client::connect(server.addr(), &format!("note/n{id}")).await;
            editor.update(&long_text(id, 5 << 20)).await;
            editor.hear_update().await;
            editor.leave().await;
        }
        let (mut cursor, mut seen) = (Value::Null, Vec::new());
        loop {
            let page = page(&ann, &cursor, &json!({})).await;
            let changes = page["changes"].as_array().expect("a list");
            assert_eq!(changes.len(), 1);
            seen.push(changes[0]["id"].clone());
            cursor = page["cursor"].clone();
            if page["has_more"] == json!(false) {
                break;
            }
        }
        assert_eq!(seen, ["n1", "n2", "n3"]);
        server.shutdown().await;
    })
    .await;
}
