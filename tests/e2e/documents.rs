//! Many documents out of one data folder and into another, with a server and without one.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::entities::{Server, World};

/// A name that an Automerge document may have.
const AUTOMERGE: &str = "4NMNnkMhL8jXrdJ9jamS58PAVdXu";

/// Client 1 inserts "hi" into the root text "t".
const HI: &str = "AQEBAAQBAXQCaGkA";

/// Sends lines, or nothing, and returns those that are answered. Where HTTP is as old as that, a body ends with its connection.
fn lines_of(server: &Server, request: &str, lines: &str) -> String {
    let mut tcp = TcpStream::connect(&server.addr).expect("the server listens");
    let (addr, length) = (&server.addr, lines.len());
    let head = format!("{request} HTTP/1.0\r\nHost: {addr}\r\nContent-Length: {length}\r\n\r\n");
    tcp.write_all(head.as_bytes()).expect("the server reads");
    tcp.write_all(lines.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("the server answers in text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.contains(" 200 OK"), "{request}: {answer}");
    body.to_owned()
}

fn begin(world: &World) -> Server {
    let server = world.serve();
    let seed = json!({ "json": { "text": "one", "todo": ["a"] } });
    server.ask("PUT /docs/v1/documents/team%2Fplan", &seed);
    let splice = json!([{ "op": "splice", "path": "/text", "at": 3, "remove": 0, "insert": " two" }]);
    server.ask("PATCH /docs/v1/documents/team%2Fplan", &splice);
    server.ask("PUT /docs/v1/documents/shop", &seed);
    let seed = json!({ "kind": "automerge", "json": { "text": "one", "todo": ["a"] } });
    server.ask(&format!("PUT /docs/v1/documents/{AUTOMERGE}"), &seed);
    server
}

/// What a server and a command export is the same, and each takes in what the other has written.
#[test]
fn documents_come_over_with_a_server_and_without_one() {
    let world = World::new("documents");
    let server = begin(&world);
    let exported = lines_of(&server, "GET /docs/v1/export", "");
    assert!(world.error(&["doc", "export", "--all", "--to", "all"]).contains("stop it first"));
    assert!(!world.folder.join("all").exists());
    server.stop();
    let told = world.json(&["doc", "export", "--all", "--to", "all.ndjson", "--json", "--progress"]);
    assert_eq!((&told["documents"], &told["unreadable"]), (&json!(3), &json!(0)));
    let written = fs::read_to_string(world.folder.join("all.ndjson")).expect("it was written");
    assert_eq!(written, exported);
    assert_eq!(world.ok(&["doc", "export", "--all", "--to", "-"]), exported);
    let some = world.ok(&["doc", "export", "--prefix", "team/", "--to", "-"]);
    let names = |text: &str| -> Vec<Value> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line["name"].is_string()).map(|mut line| line["name"].take()).collect()
    };
    assert_eq!(names(&some), ["team/plan"]);
    assert_eq!(names(&world.ok(&["doc", "export", "--all", "--after", "shop", "--to", "-"])), ["team/plan"]);

    let to = |data: &str, more: &[&str]| {
        let line = [&["doc", "import", "--from", "all.ndjson", "--data-dir", data, "--json"], more].concat();
        world.json(&line)
    };
    let sum = |created: u64, unchanged: u64, skipped: u64| {
        json!({
            "whole": true, "created": created, "merged": 0, "unchanged": unchanged, "skipped": skipped, "failed": 0,
        })
    };
    assert_eq!(to("copy", &[]), sum(3, 0, 0));
    assert_eq!(to("copy", &["--progress"]), sum(0, 3, 0));
    assert_eq!(to("copy", &["--existing", "skip"]), sum(0, 0, 3));
    for name in ["team/plan", "shop", AUTOMERGE] {
        let shown = |data: &str| world.json(&["doc", "show", name, "--data-dir", data]);
        assert_eq!(shown("copy"), shown("data"), "{name}");
    }
    let history = world.json(&["doc", "history", "shop", "--data-dir", "copy", "--json"]);
    assert_eq!(history["sessions"][0]["authors"][0]["user"], "operator");

    let settings = fs::read_to_string(world.folder.join("syncline.toml")).expect("it is there");
    fs::write(world.folder.join("syncline.toml"), settings.replace("'data'", "'other'"))
        .expect("it is writable");
    let server = world.serve();
    let told = lines_of(&server, "POST /docs/v1/import", &written);
    assert_eq!(told.lines().count(), 4);
    let last: Value = serde_json::from_str(told.lines().last().expect("a sum")).expect("JSON");
    assert_eq!((&last["created"], &last["whole"]), (&json!(3), &json!(true)));
    assert_eq!(server.ask("GET /docs/v1/documents/team%2Fplan", &Value::Null)["text"], "one two");
    let exported = lines_of(&server, "GET /docs/v1/export", "");
    server.stop();
    fs::write(world.folder.join("all.ndjson"), exported).expect("the folder is writable");
    assert_eq!(to("copy", &[]), sum(0, 3, 0), "what came over twice is the same");
}

/// Each bad line is named by its number, and an export that was cut off is no whole one.
#[test]
fn bad_lines_are_named() {
    let world = World::new("bad-lines");
    let lines = [
        json!({ "format": "syncline-documents", "version": 1 }).to_string(),
        json!({ "name": "good", "kind": "yjs", "state": HI }).to_string(),
        "no JSON".to_owned(),
        json!({ "name": "bad\u{1b}", "kind": "yjs", "state": HI }).to_string(),
        json!({ "name": "odd", "kind": "yjs", "state": "AAECAw==" }).to_string(),
        json!({ "name": "better", "kind": "yjs", "state": HI }).to_string(),
    ];
    fs::write(world.folder.join("cut.ndjson"), lines.join("\n")).expect("the folder is writable");
    let output = world.run(&["doc", "import", "--from", "cut.ndjson"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).expect("text");
    let told: Vec<&str> = told.lines().collect();
    for (at, begin) in
        ["cut.ndjson:3: ", "cut.ndjson:4: ", "cut.ndjson:5: odd: ", "cut.ndjson: "].iter().enumerate()
    {
        assert!(told[at].starts_with(begin), "{told:?}");
    }
    assert!(told[2].ends_with("(refused-update)"), "{told:?}");
    assert!(told[3].contains("not whole"), "{told:?}");
    assert_eq!(told[4..], ["2 created, 0 merged, 0 unchanged, 0 skipped, 3 not taken"]);
    assert_eq!(world.ok(&["doc", "show", "better", "--text", "t"]), "hi\n");

    fs::write(world.folder.join("none"), "{}\n").expect("the folder is writable");
    assert!(world.error(&["doc", "import", "--from", "none"]).contains("no export of documents"));
    assert!(world.error(&["doc", "import", "--from", "absent"]).contains("absent"));
    for odd in [
        &["doc", "export", "--all"][..],
        &["doc", "export", "plan", "--all", "--to", "x"],
        &["doc", "export", "--to", "x"],
        &["doc", "export", "--all", "--prefix", "a", "--to", "x"],
        &["doc", "import", "plan", "--from", "x"],
        &["doc", "import", "plan"],
        &["doc", "import"],
    ] {
        assert_eq!(world.run(odd).status.code(), Some(2), "{odd:?}");
    }
    assert!(world.error(&["doc", "export", "--all", "--to", "-", "--json"]).contains("no place for --json"));
}
