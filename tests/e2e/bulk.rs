//! Entities out of one data folder and into another, without a server.

use std::fs;
#[cfg(target_os = "linux")]
use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::entities::World;

const SETTINGS: &str =
    "listen = '127.0.0.1:0'\n[types.note]\npolicy = 'crdt'\n[types.stock]\npolicy = 'additive'\n";

/// Client 1 inserts "hi" into the root text "t".
const HI: &str = "AQEBAAQBAXQCaGkA";

fn settle_in(world: &World, data: &str) {
    let settings = format!("data-dir = '{data}'\n{SETTINGS}");
    fs::write(world.folder.join("syncline.toml"), settings).expect("the folder is writable");
}

/// Returns what a device reads of the notes.
fn notes(world: &World) -> Value {
    let server = world.serve();
    server.ask("POST /sync/v1/devices", &json!({ "device_id": "reader" }));
    let body = json!({ "device_id": "reader", "scopes": [{ "scope": "note" }] });
    let mut changes = server.ask("POST /sync/v1/pull", &body)["scopes"][0]["changes"].take();
    for change in changes.as_array_mut().expect("a list") {
        let members = ["op", "id", "data", "update", "state_vector"];
        *change = members.iter().map(|name| change[*name].clone()).collect();
    }
    server.stop();
    changes
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn entities_are_copied_without_a_server() {
    let world = World::new("bulk");
    settle_in(&world, "data");
    let server = world.serve();
    server.ask("POST /sync/v1/devices", &json!({ "device_id": "phone" }));
    let crdt = |n: &str, id: &str| json!({ "n": n, "type": "note", "id": id, "op": "crdt", "update": HI });
    assert_eq!(server.push("phone", crdt("1", "a")), "applied");
    assert_eq!(server.push("phone", crdt("2", "b")), "applied");
    let stock = json!({ "n": "3", "type": "stock", "id": "s", "op": "create", "set": { "count": 20 } });
    assert_eq!(server.push("phone", stock), "applied");
    assert!(world.error(&["entities", "export"]).contains("stop it first"));
    server.stop();

    let told = lines(&world.ok(&["entities", "export"]));
    assert_eq!((&told[0]["records"], told.len()), (&json!(3), 7));
    assert_eq!((&told[1]["document"]["bytes"], &told[2]["update"]), (&json!(12), &json!(HI)));
    let rest = lines(&world.ok(&["entities", "export", "--type", "note", "--after", "note/a"]));
    assert_eq!((&rest[1]["id"], rest.len()), (&json!("b"), 4));
    world.ok(&["entities", "export", "all.ndjson.zst"]);
    let packed = fs::read(world.folder.join("all.ndjson.zst")).expect("it was written");
    assert!(packed.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    assert!(world.error(&["entities", "export", "--type", "none"]).contains("`syncline types` lists"));
    assert!(world.error(&["entities", "export", "--after", "note"]).contains("TYPE/ID"));

    let import = |file: &str| {
        let output = world.run(&["entities", "import", file, "--data-dir", "copy"]);
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    fs::write(world.folder.join("cut.zst"), &packed[..packed.len() - 1]).expect("the folder is writable");
    let (code, text) = import("cut.zst");
    assert!(code == Some(1) && text.starts_with("error: "), "{text}");
    let whole = |text: &str| (Some(0), format!("{text}, 0 refused\n"));
    assert_eq!(import("all.ndjson.zst").0, Some(0));
    assert_eq!(import("all.ndjson.zst"), whole("0 imported, 0 merged, 3 unchanged"));
    let copied = lines(&world.ok(&["entities", "export", "--data-dir", "copy"]));
    assert_eq!((&copied[2], &copied[4], &copied[5]["data"]), (&told[2], &told[4], &told[5]["data"]));

    let there = notes(&world);
    settle_in(&world, "copy");
    assert_eq!(notes(&world), there);
    let text = world.ok(&["entities", "export"]).replace("\"count\":20", "\"count\":21");
    fs::write(world.folder.join("changed"), text).expect("the folder is writable");
    let (code, text) = import("changed");
    assert!(code == Some(1) && text.contains("its last line does not fit"), "{text}");
}

/// What becomes much when it is unpacked is refused before the server holds more than a few times what a body may be.
#[test]
#[cfg(target_os = "linux")]
fn what_is_packed_too_well_takes_little_memory() {
    const UNPACKED_BYTES: u64 = 512 << 20;
    const MORE_BYTES_MAX: u64 = 48 << 20;
    let world = World::new("bomb");
    settle_in(&world, "data");
    let server = world.serve();
    server.ask("POST /sync/v1/devices", &json!({ "device_id": "phone" }));
    let bomb = zstd::encode_all(io::repeat(b' ').take(UNPACKED_BYTES), 0).expect("memory is written");
    assert!(bomb.len() < 64 << 10, "{} bytes", bomb.len());
    let before = server.peak_bytes();
    for path in ["push", "import"] {
        let mut tcp = TcpStream::connect(&server.addr).expect("the server listens");
        let length = bomb.len();
        let head = format!("POST /sync/v1/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.addr);
        write!(tcp, "{head}Content-Encoding: zstd\r\nContent-Length: {length}\r\n\r\n")
            .expect("the server reads");
        tcp.write_all(&bomb).expect("the server reads");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).expect("the server answers in text");
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
    }
    let more = server.peak_bytes() - before;
    assert!(more < MORE_BYTES_MAX, "{more} bytes more");
    server.stop();
}
