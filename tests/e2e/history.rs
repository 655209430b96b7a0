//! What documents were, looked at and brought back without a server.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::entities::World;

const PLAN: &str = "/docs/v1/documents/plan";

/// Client 1 inserts "hi" into the root text "t".
const HI: &str = "AQEBAAQBAXQCaGkA";

fn splice(at: u32, remove: u32, insert: &str) -> Value {
    json!([{ "op": "splice", "path": "/text", "at": at, "remove": remove, "insert": insert }])
}

#[test]
fn a_document_is_looked_back_on_and_restored_without_a_server() {
    let world = World::new("history");
    let server = world.serve();
    server.ask(&format!("PUT {PLAN}"), &json!({ "json": { "text": "one" } }));
    server.ask(&format!("PATCH {PLAN}"), &splice(3, 0, " two"));
    server.ask(&format!("POST {PLAN}/versions"), &json!({ "name": "good" }));
    server.ask(&format!("PATCH {PLAN}"), &splice(0, 3, "six"));
    let history = server.ask(&format!("GET {PLAN}/history"), &Value::Null);
    let authors = server.ask(&format!("GET {PLAN}/authors"), &Value::Null);
    let diff = server.ask(&format!("GET {PLAN}/diff?from=1"), &Value::Null);
    let versions = server.ask(&format!("GET {PLAN}/versions"), &Value::Null);
    assert!(world.error(&["doc", "history", "plan"]).contains("stop it first"));
    server.stop();

    assert_eq!(world.json(&["doc", "history", "plan", "--json"]), history);
    assert_eq!(world.json(&["doc", "blame", "plan", "--json"]), authors);
    assert_eq!(world.json(&["doc", "diff", "plan", "--from", "1", "--json"]), diff);
    assert_eq!(world.json(&["doc", "versions", "plan", "--json"]), versions);
    let table = world.ok(&["doc", "history", "plan"]);
    assert!(
        table.lines().nth(1).is_some_and(|line| line.starts_with("1-3 ") && line.ends_with(" ann")),
        "{table}"
    );
    let table = world.ok(&["doc", "diff", "plan", "--from-version", "1"]);
    assert!(table.lines().nth(1).is_some_and(|line| line.ends_with("one      six")), "{table}");
    assert!(world.error(&["doc", "history", "none"]).contains("there is no room \"none\""));
    assert!(world.error(&["doc", "restore", "plan", "--commit", "9"]).contains("commits 0 to 3"));
    assert!(world.error(&["doc", "restore", "plan", "--version", "2"]).contains("no version 2"));
    assert_eq!(world.run(&["doc", "restore", "plan"]).status.code(), Some(2), "to what?");

    let text = || world.ok(&["doc", "show", "plan", "--text", "text"]);
    let restore = |more: &[&str]| world.json(&[&["doc", "restore", "plan", "--json"], more].concat());
    assert_eq!(restore(&["--version", "1"]), json!({ "changed": true, "commit": 4 }));
    assert_eq!(text(), "one two\n");
    assert_eq!(restore(&["--commit", "2"]), json!({ "changed": false, "commit": 4 }), "it is so already");
    let at = history["sessions"][0]["from"].as_str().expect("a time");
    assert_eq!(restore(&["--at", at, "--by", "bob"]), json!({ "changed": true, "commit": 5 }));
    assert_eq!(text(), "one\n");
    assert_eq!(restore(&["--commit", "3"])["commit"], 6, "nothing was rewound");
    let authors = world.json(&["doc", "history", "plan", "--json"])["sessions"][0]["authors"].take();
    let users: Vec<&Value> =
        authors.as_array().expect("a list").iter().map(|author| &author["user"]).collect();
    assert_eq!(users, ["ann", "bob", "operator"]);

    let server = world.serve();
    assert_eq!(server.ask(&format!("GET {PLAN}"), &Value::Null), json!({ "text": "six two" }));
    server.stop();
    assert!(world.ok(&["verify"]).contains("nothing is damaged"));
}

/// Goal: whoever syncs an entity hears of a document that was restored beside the server.
#[test]
fn a_document_that_is_an_entity_is_restored_with_its_record() {
    let world = World::new("history-entity");
    let settings = "listen = '127.0.0.1:0'\ndata-dir = 'data'\n[types.note]\npolicy = 'crdt'\n";
    fs::write(world.folder.join("syncline.toml"), settings).expect("the folder is writable");
    let server = world.serve();
    server.ask("POST /sync/v1/devices", &json!({ "device_id": "phone" }));
    let pull = json!({ "device_id": "phone", "scopes": [{ "scope": "note" }] });
    let note = json!({ "op": "crdt", "type": "note", "id": "a", "n": "1", "update": HI });
    assert_eq!(server.push("phone", note), "applied");
    let before = server.ask("POST /sync/v1/pull", &pull)["scopes"][0]["changes"][0]["ver"].take();
    server.stop();
    world.ok(&["doc", "restore", "note/a", "--commit", "0"]);
    assert_eq!(world.ok(&["doc", "show", "note/a", "--text", "t"]), "\n");
    let server = world.serve();
    let after = server.ask("POST /sync/v1/pull", &pull)["scopes"][0]["changes"][0]["ver"].take();
    assert_ne!(before, after);
    server.stop();
}

/// A command deletes what a server has stored: no file holds it, and an old copy cannot be imported under the name.
#[test]
fn a_document_is_deleted_without_a_server() {
    let world = World::new("deleted");
    let server = world.serve();
    server.ask(&format!("PUT {PLAN}"), &json!({ "json": { "text": "a canary in a mine" } }));
    server.ask(&format!("POST {PLAN}/versions"), &json!({ "name": "a canary in a mine" }));
    server.stop();
    let holds = || {
        let mut grep = Command::new("grep");
        let found = grep.args(["-rl", "a canary in a mine", "data"]).current_dir(&world.folder).output();
        !found.expect("there is a grep").stdout.is_empty()
    };
    assert!(holds());
    world.ok(&["doc", "export", "plan", "plan.yjs"]);
    assert!(world.error(&["doc", "delete", "none"]).contains("there is no room \"none\""));
    world.ok(&["doc", "delete", "plan"]);
    assert!(!holds());
    assert_eq!(world.json(&["doc", "list", "--json"]), json!([]));
    assert!(world.error(&["doc", "import", "plan", "plan.yjs"]).contains("under another name"));
    world.ok(&["doc", "import", "copy", "plan.yjs"]);
    assert_eq!(world.ok(&["doc", "show", "copy", "--text", "text"]), "a canary in a mine\n");
}

#[test]
fn a_branch_is_begun_and_merged_without_a_server() {
    let world = World::new("branches");
    let server = world.serve();
    server.ask(&format!("PUT {PLAN}"), &json!({ "json": { "text": "one" } }));
    server.ask(&format!("PATCH {PLAN}"), &splice(3, 0, " two"));
    server.stop();

    let branch =
        world.json(&["doc", "branch", "plan", "--to", "draft", "--commit", "1", "--by", "bob", "--json"]);
    assert_eq!((&branch["name"], &branch["commit"]), (&json!("draft"), &json!(1)));
    let text = |name: &str| world.ok(&["doc", "show", name, "--text", "text"]);
    assert_eq!(text("draft"), "one\n");
    let again = world.error(&["doc", "branch", "plan", "--to", "draft"]);
    assert!(again.contains("there is a room \"draft\" already"), "{again}");
    let kin = world.json(&["doc", "branches", "plan", "--json"]);
    assert_eq!((&kin["origin"], &kin["branches"][0]), (&Value::Null, &branch));

    let server = world.serve();
    assert_eq!(server.ask(&format!("GET {PLAN}/branches"), &Value::Null), kin, "a server tells the same");
    // Between letters that both have, so that the order of two who write at one place does not count.
    server.ask("PATCH /docs/v1/documents/draft", &splice(0, 1, "1"));
    server.ask("PUT /docs/v1/documents/other", &json!({ "json": { "text": "stranger" } }));
    server.stop();

    let merge =
        |more: &[&str]| world.json(&[&["doc", "merge", "plan", "--from", "draft", "--json"], more].concat());
    let dry = merge(&["--dry-run"]);
    assert_eq!((&dry["changed"], &dry["changes"][0]["inserted"]), (&json!(true), &json!("1")), "{dry}");
    assert_eq!(text("plan"), "one two\n", "it was only told");
    assert_eq!(merge(&[]), json!({ "changed": true, "commit": 3 }));
    assert_eq!(text("plan"), "1ne two\n", "what was written meanwhile stays");
    assert_eq!(merge(&[]), json!({ "changed": false, "commit": 3 }), "once is enough");
    assert_eq!(merge(&["--dry-run"]), json!({ "changed": false, "changes": [] }));
    world.ok(&["doc", "merge", "draft", "--from", "plan"]);
    assert_eq!(text("draft"), "1ne two\n", "it goes both ways");
    let stranger = world.error(&["doc", "merge", "plan", "--from", "other"]);
    assert!(stranger.contains("neither is a branch of the other"), "{stranger}");
    let origin = world.json(&["doc", "branches", "draft", "--json"])["origin"].take();
    assert_eq!(origin["name"], "plan");
    assert!(world.ok(&["verify"]).contains("nothing is damaged"));
}

#[test]
fn a_branch_of_an_automerge_document_gets_a_name_that_is_drawn() {
    const NAME: &str = "4NMNnkMhL8jXrdJ9jamS58PAVdXu";
    let world = World::new("automerge-branches");
    let server = world.serve();
    let path = format!("/docs/v1/documents/{NAME}");
    server.ask(&format!("PUT {path}"), &json!({ "kind": "automerge", "json": { "text": "one" } }));
    server.ask(&format!("PATCH {path}"), &splice(3, 0, " two"));
    let authors = server.ask(&format!("GET {path}/authors"), &Value::Null);
    server.stop();
    assert_eq!(world.json(&["doc", "blame", NAME, "--json"]), authors);
    let odd = world.error(&["doc", "branch", NAME, "--to", "draft"]);
    assert!(odd.contains("no Automerge document is called \"draft\""), "{odd}");
    let branch = world.json(&["doc", "branch", NAME, "--commit", "1", "--json"]);
    let draft = branch["name"].as_str().expect("a name");
    let merge = |into: &str, from: &str| world.json(&["doc", "merge", into, "--from", from, "--json"]);
    assert_eq!(merge(draft, NAME), json!({ "changed": true, "commit": 2 }));
    assert_eq!(world.ok(&["doc", "show", draft, "--text", "text"]), "one two\n");
    assert_eq!(merge(NAME, draft), json!({ "changed": false, "commit": 2 }));
    assert!(world.ok(&["verify"]).contains("nothing is damaged"));
}
