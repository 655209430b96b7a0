//! Many documents out of one server, and into another.

mod faults;

use std::sync::Arc;

use data_encoding::BASE64;
use serde_json::{Value, json};
use syncline_server::Server;

use super::splice;
use crate::{
    entities::Caller,
    support::{
        automerge::{DOCUMENT, OTHER},
        bearers::Bearers,
        client::Client,
        disk::Disk,
        raw, start, start_with,
        told::Told,
        updates::{letter, letters, long_text},
        within,
    },
};

const IMPORT: &str = "/docs/v1/import";

const FIRST: &str = "{\"format\":\"syncline-documents\",\"version\":1}\n";

async fn export(server: &Server, query: &str, headers: &str) -> String {
    let (head, body) = raw::fetch(server.addr(), &format!("/docs/v1/export{query}"), headers).await;
    assert!(head.contains("content-type: application/x-ndjson\r\n"), "{head}");
    String::from_utf8(body).expect("lines are text")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn names(text: &str) -> Vec<String> {
    lines(text).iter().filter_map(|line| line["name"].as_str().map(str::to_owned)).collect()
}

/// Returns what is answered: the results of lines, and the sum.
async fn import(server: &Server, query: &str, headers: &str, text: &[u8]) -> (Vec<Value>, Value) {
    let request = format!("POST /docs/v1/import{query}");
    let (status, answer) = raw::send_lines(server.addr(), &request, headers, text).await;
    assert_eq!(status, 200, "{answer}");
    let mut told = lines(&answer);
    let sum = told.pop().expect("the last line is the sum");
    assert_eq!(sum["end"], true, "{answer}");
    (told, sum)
}

/// Returns a sum of so many created, merged, unchanged, skipped and failed documents of a whole export.
fn sum(counts: [u64; 5]) -> Value {
    let [created, merged, unchanged, skipped, failed] = counts;
    json!({
        "end": true, "whole": true, "created": created, "merged": merged, "unchanged": unchanged,
        "skipped": skipped, "failed": failed,
    })
}

/// Returns the line of a Yjs document.
fn document(name: &str, update: &[u8]) -> String {
    let line = json!({ "name": name, "kind": "yjs", "state": BASE64.encode(update) });
    format!("{line}\n")
}

fn end(documents: u64) -> String {
    format!("{{\"end\":true,\"documents\":{documents},\"unreadable\":0}}\n")
}

/// Returns an export of Yjs documents.
fn exported(documents: &[(&str, &[u8])]) -> String {
    let lines: String = documents.iter().map(|(name, update)| document(name, update)).collect();
    format!("{FIRST}{lines}{}", end(documents.len() as u64))
}

async fn holds(server: &Server, name: &str) -> Value {
    let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("GET /docs/v1/documents/{name}");
    Caller::of(server, "ann").ask(&path, Value::Null).await.1
}

/// What one server exports another imports: both then hold the same, and the second time nothing changes.
#[tokio::test]
async fn what_is_exported_is_imported_once() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        // In base64 it comes in several pieces.
        disk.put_document("long", &long_text(1, 400_000));
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok("PUT /docs/v1/documents/team%2Fplan", json!({ "json": { "text": "one", "todo": ["a", 1] } }))
            .await;
        ann.ok("PATCH /docs/v1/documents/team%2Fplan", splice(3, 0, " 🙂")).await;
        ann.ok(
            "PUT /docs/v1/documents/a%20%22b%22",
            json!({ "json": { "map": { "x": [true, null, 2.5] } } }),
        )
        .await;
        for (name, text) in [(DOCUMENT, "first"), (OTHER, "second")] {
            let seed = json!({ "kind": "automerge", "json": { "text": text, "todo": [{ "n": 1 }] } });
            ann.ok(&format!("PUT /docs/v1/documents/{name}"), seed).await;
        }
        ann.ok(&format!("PATCH /docs/v1/documents/{DOCUMENT}"), splice(0, 5, "third")).await;
        let text = export(&server, "", "").await;
        let told = lines(&text);
        assert_eq!(told[0], json!({ "format": "syncline-documents", "version": 1, "documents": 5 }));
        assert_eq!(names(&text), [OTHER, DOCUMENT, "a \"b\"", "long", "team/plan"]);
        let told_of = |at: usize| (&told[at]["kind"], &told[at]["commit"]);
        assert_eq!([told_of(2), told_of(5)], [(&json!("automerge"), &json!(2)), (&json!("yjs"), &json!(2))]);
        let state = told[4]["state"].as_str().expect("a text");
        assert!(!state.trim_end_matches('=').contains('='), "the pieces are one text");
        let state = BASE64.decode(state.as_bytes()).expect("base64");
        assert_eq!(told[4]["bytes"], state.len());
        assert_eq!(told[6], json!({ "end": true, "documents": 5, "unreadable": 0 }));

        let empty = start(&other).await;
        let (results, told) = import(&empty, "", "Sync-User: eve\r\n", text.as_bytes()).await;
        assert_eq!(told, sum([5, 0, 0, 0, 0]));
        assert_eq!(results[4], json!({ "line": 6, "name": "team/plan", "result": "created" }));
        assert_eq!(import(&empty, "", "", text.as_bytes()).await.1, sum([0, 0, 5, 0, 0]));
        empty.shutdown().await;
        let empty = start(&other).await;
        for name in names(&text) {
            assert_eq!(holds(&empty, &name).await, holds(&server, &name).await, "{name}");
        }
        let history =
            Caller::of(&empty, "ann").ok("GET /docs/v1/documents/team%2Fplan/history", json!({})).await;
        assert_eq!(history["sessions"][0]["authors"], json!([{ "user": "eve", "device": null }]));
        // What was written meanwhile stays, and what was lacking comes.
        ann.ok("PATCH /docs/v1/documents/team%2Fplan", splice(0, 0, "A")).await;
        let eve = Caller::of(&empty, "eve");
        eve.ok("PATCH /docs/v1/documents/team%2Fplan", splice(3, 0, "E")).await;
        let (_, told) = import(&empty, "", "", export(&server, "", "").await.as_bytes()).await;
        assert_eq!(told, sum([0, 1, 4, 0, 0]));
        assert_eq!(holds(&empty, "team/plan").await["text"], "AoneE 🙂");
        server.shutdown().await;
        empty.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn an_export_begins_where_it_is_told() {
    within(async {
        let disk = Disk::new();
        for name in ["a", "team/a", "team/b", "team/c", "z"] {
            disk.put_document(name, &letter(1, 'a'));
        }
        for at in 0..300 {
            disk.put_document(&format!("many/{at:03}"), &letter(1, 'a'));
        }
        let server = start(&disk).await;
        assert_eq!(names(&export(&server, "?prefix=team/", "").await), ["team/a", "team/b", "team/c"]);
        let rest = export(&server, "?prefix=team/&after=team/a", "").await;
        assert_eq!(
            (names(&rest), &lines(&rest)[0]["documents"]),
            (vec!["team/b".into(), "team/c".into()], &json!(2))
        );
        assert_eq!(names(&export(&server, "?after=team/b", "").await), ["team/c", "z"]);
        assert_eq!(lines(&export(&server, "?after=z", "").await).len(), 2, "the first line and the last");
        let many = export(&server, "?prefix=many/", "").await;
        assert_eq!(
            (names(&many).len(), &lines(&many)[0]["documents"]),
            (300, &json!(300)),
            "of more than a page"
        );
        for odd in ["?after=", "?after=a%0A", "?limit=3"] {
            assert_eq!(
                raw::get(server.addr(), &format!("/docs/v1/export{odd}"), "").await.status,
                400,
                "{odd}"
            );
        }
        server.shutdown().await;
    })
    .await;
}

/// Each gets what they may read, and nobody writes what they may not, in the middle of what they may.
#[tokio::test]
async fn exports_and_imports_keep_to_the_grants() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["doc:*=write"]);
        bearers.set("bob", &["doc:team/*=read", "doc:own/*=write"]);
        bearers.set("eve", &[]);
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let bearing = |token: &str| format!("Authorization: Bearer {token}\r\n");
        let text =
            exported(&[("other", &letter(1, 'o')), ("own/a", &letter(1, 'a')), ("team/a", &letter(1, 't'))]);
        let (_, told) = import(&server, "", &bearing("ann"), text.as_bytes()).await;
        assert_eq!(told, sum([3, 0, 0, 0, 0]));
        assert_eq!(names(&export(&server, "", &bearing("ann")).await), ["other", "own/a", "team/a"]);
        let bobs = export(&server, "", &bearing("bob")).await;
        assert_eq!(
            (names(&bobs), &lines(&bobs)[0]["documents"]),
            (vec!["own/a".into(), "team/a".into()], &json!(2))
        );
        assert_eq!(lines(&export(&server, "", &bearing("eve")).await)[1]["documents"], 0);

        let text =
            exported(&[("new", &letter(2, 'n')), ("own/b", &letter(2, 'b')), ("team/a", &letter(2, 'x'))]);
        let (results, told) = import(&server, "", &bearing("bob"), text.as_bytes()).await;
        assert_eq!(told, sum([1, 0, 0, 0, 2]));
        let codes: Vec<_> = results.iter().map(|result| result["error"].as_str()).collect();
        assert_eq!(codes, [Some("unknown-document"), None, Some("unknown-document")]);
        assert_eq!(names(&export(&server, "", &bearing("ann")).await), ["other", "own/a", "own/b", "team/a"]);
        let nobody = raw::send_lines(server.addr(), "POST /docs/v1/import", "", text.as_bytes()).await;
        assert_eq!(nobody.0, 401);
        server.shutdown().await;
    })
    .await;
}

/// People write in a document while it is imported: they see what comes, and nothing of theirs is lost.
#[tokio::test]
async fn who_writes_meanwhile_loses_nothing() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut writer = Client::connect(server.addr(), "plan").await;
        writer.update(&letter(7, 'w')).await;
        writer.hear_echo(&letter(7, 'w')).await;
        let mut told = Told::begin(server.addr(), IMPORT, "", FIRST.as_bytes()).await;
        writer.update(&letter(8, 'x')).await;
        told.send(document("plan", &letter(9, 'i')).as_bytes()).await;
        assert_eq!(told.line().await, json!({ "line": 2, "name": "plan", "result": "merged" }));
        writer.hear_echo(&letter(9, 'i')).await;
        // Nobody has written in this one, but somebody has it open.
        let mut reader = Client::connect(server.addr(), "new").await;
        reader.whole_document().await;
        told.send(document("new", &letter(9, 'n')).as_bytes()).await;
        assert_eq!(told.line().await["result"], "created", "while the body is still sent");
        assert_eq!(letters([&reader.hear_update().await]), "n");
        let both = document("new", &letter(9, 'n')) + &document("new", &letter(10, 'm'));
        told.send(both.as_bytes()).await;
        assert_eq!(
            [told.line().await["result"].take(), told.line().await["result"].take()],
            ["unchanged", "merged"]
        );
        drop(told);
        assert_eq!(letters([&writer.whole_document().await]), "iwx");
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_there_may_be_left_as_it_is() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        import(&server, "", "", exported(&[("a", &letter(1, 'a'))]).as_bytes()).await;
        let text = exported(&[("a", &letter(2, 'b')), ("b", &letter(2, 'b'))]);
        let (results, told) = import(&server, "?existing=fail", "", text.as_bytes()).await;
        assert_eq!((&results[0]["error"], told), (&json!("name-taken"), sum([1, 0, 0, 0, 1])));
        let (_, told) = import(&server, "?existing=skip", "", text.as_bytes()).await;
        assert_eq!(told, sum([0, 0, 0, 2, 0]));
        assert_eq!(holds(&server, "a").await, json!({ "t": "a" }));
        let (_, told) = import(&server, "?existing=merge", "", text.as_bytes()).await;
        assert_eq!(told, sum([0, 1, 1, 0, 0]));
        let odd =
            raw::send_lines(server.addr(), "POST /docs/v1/import?existing=ask", "", text.as_bytes()).await;
        assert_eq!(odd.0, 400);

        // What was deleted does not come back under its name.
        assert_eq!(raw::send(server.addr(), "DELETE /docs/v1/documents/a", "", "").await.status, 204);
        let (results, _) = import(&server, "", "", text.as_bytes()).await;
        assert_eq!(results[0]["error"], "refused-update");
        server.shutdown().await;
    })
    .await;
}

/// Documents of entities go the same way, and what was deleted of them is in no export.
#[tokio::test]
async fn entities_that_are_documents_come_along() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok("PUT /sync/v1/types/note", json!({ "policy": "crdt" })).await;
        ann.bind("phone").await;
        let update = BASE64.encode(&letter(3, 'c'));
        let crdt = |id: &str| json!({ "type": "note", "id": id, "op": "crdt", "update": update });
        let delete = json!({ "type": "note", "id": "b", "op": "delete" });
        assert_eq!(ann.push("phone", 1, &[crdt("a"), crdt("b"), delete]).await, ["applied"; 3]);
        let text = export(&server, "", "").await;
        assert_eq!(names(&text), ["note/a"]);
        server.shutdown().await;

        let empty = start(&other).await;
        let eve = Caller::of(&empty, "eve");
        eve.ok("PUT /sync/v1/types/note", json!({ "policy": "crdt" })).await;
        assert_eq!(import(&empty, "", "", text.as_bytes()).await.1, sum([1, 0, 0, 0, 0]));
        eve.bind("phone").await;
        let pulled = eve.pull("phone", "note", &Value::Null).await;
        assert_eq!(pulled["scopes"][0]["changes"][0]["id"], "a", "{pulled}");
        empty.shutdown().await;
    })
    .await;
}

/// What may be answered is described, and whatever comes is told in lines that are.
#[tokio::test]
async fn lines_are_described() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let described = Caller::of(&server, "ann").ok("GET /docs/v1/openapi.json", Value::Null).await;
        let text = exported(&[("a", &letter(1, 'a')), ("bad", b"no update")]);
        let (results, told) = import(&server, "", "", text.as_bytes()).await;
        let exported = lines(&export(&server, "", "").await);
        for (schema, lines) in [("ImportedLine", [results, vec![told]].concat()), ("ExportedLine", exported)]
        {
            let forms = described["components"]["schemas"][schema]["anyOf"].as_array().expect("forms");
            for line in lines {
                let members = line.as_object().expect("an object");
                let fits = |form: &Value| {
                    let needed = form["required"].as_array().expect("some members");
                    needed.iter().all(|name| members.contains_key(name.as_str().expect("a name")))
                        && members.keys().all(|name| form["properties"][name].is_object())
                };
                assert!(forms.iter().any(fits), "{line} is no {schema}");
            }
        }
        for (path, method, statuses) in
            [("export", "get", [200, 400, 401, 503]), ("import", "post", [200, 400, 401, 503])]
        {
            let told = &described["paths"][format!("/docs/v1/{path}")][method]["responses"];
            assert!(statuses.iter().all(|status| told[status.to_string()].is_object()), "{told}");
            assert!(told["200"]["content"]["application/x-ndjson"].is_object(), "{told}");
        }
        server.shutdown().await;
    })
    .await;
}
