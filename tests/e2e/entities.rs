//! Commands for entities on a data folder: a server makes what there is to see, and stops; each command then sees it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use syncline::core::id::TenantId;
use syncline::protocol::ledger::audit::AuditIndex;
use syncline::protocol::ledger::{Write, stored};
use syncline::store::key::ledger_prefix;
use syncline::store::records::ledger::{history, put_history};
use syncline::store::sled_store::SledStore;
use syncline::store::{Batch, Store as _};

const TENANT: TenantId = TenantId(0);

/// A folder with settings and data, gone when the test ends.
pub(super) struct World {
    pub(super) folder: PathBuf,
}

/// A server, ended with the test.
pub(super) struct Server {
    child: Child,
    pub(super) addr: String,
}

impl World {
    pub(super) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // What an earlier run has left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("cargo gives tests a folder");
        let settings = "listen = '127.0.0.1:0'\ndata-dir = 'data'\n[types.price]\npolicy = 'manual'\n";
        fs::write(folder.join("syncline.toml"), settings).expect("the folder is writable");
        Self { folder }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.current_dir(&self.folder).args(line);
        command
    }

    pub(super) fn serve(&self) -> Server {
        let mut command = self.command(&["serve", "--log", "error"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut first = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut first).expect("the server says where it listens");
        let addr = first.trim().rsplit('/').next().expect("an address").to_owned();
        Server { child, addr }
    }

    pub(super) fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().expect("the binary runs")
    }

    /// Returns what a command that does what it is asked to writes.
    pub(super) fn ok(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    pub(super) fn json(&self, line: &[&str]) -> Value {
        serde_json::from_str(&self.ok(line)).expect("JSON")
    }

    /// Returns the one line that a command writes that cannot.
    pub(super) fn error(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {output:?}");
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    pub(super) fn ask(&self, request: &str, body: &Value) -> Value {
        let mut tcp = TcpStream::connect(&self.addr).expect("the server listens");
        let (addr, body) = (&self.addr, body.to_string());
        let head = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nSync-User: ann\r\n");
        write!(tcp, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).expect("the server answers in text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        assert!(head.starts_with("HTTP/1.1 2"), "{request}: {answer}");
        serde_json::from_str(body).expect("the body is JSON")
    }

    pub(super) fn push(&self, device: &str, op: Value) -> Value {
        let answer = self.ask("POST /sync/v1/push", &json!({ "device_id": device, "ops": [op] }));
        answer["results"][0]["status"].clone()
    }

    fn pull(&self, cursor: &Value) -> Value {
        let scopes = json!([{ "scope": "price", "cursor": cursor }]);
        let answer = self.ask("POST /sync/v1/pull", &json!({ "device_id": "till", "scopes": scopes }));
        answer["scopes"][0].clone()
    }

    /// Returns the most memory that the server has had.
    #[cfg(target_os = "linux")]
    pub(super) fn peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line says it");
        let kib = peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kib << 10
    }

    /// Ends the server in order.
    pub(super) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().expect("there is a kill").success());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has two devices change one price without seeing each other, and returns a cursor of the second.
fn quarrel(server: &Server) -> Value {
    for device in ["phone", "till"] {
        server.ask("POST /sync/v1/devices", &json!({ "device_id": device, "name": "\u{1b}[2J" }));
    }
    let op = |n: &str, op: &str, amount: f64| json!({ "n": n, "type": "price", "id": "p", "op": op, "set": { "amount": amount } });
    let raise = |n: &str, amount: f64| {
        let mut op = op(n, "update", amount);
        op["ctx"] = json!({ "ver": "1" });
        op
    };
    assert_eq!(server.push("phone", op("1", "create", 24.5)), "applied");
    assert_eq!(server.push("phone", raise("2", 25.5)), "applied");
    assert_eq!(server.push("till", raise("1", 22.5)), "conflict");
    server.pull(&Value::Null)["cursor"].clone()
}

#[test]
fn entities_are_seen_and_settled_without_a_server() {
    let world = World::new("entities");
    let server = world.serve();
    let cursor = quarrel(&server);
    assert!(world.error(&["types"]).contains("stop it first"));
    server.stop();

    assert_eq!(world.ok(&["types"]), "TYPE   POLICY  RECORDS  DELETED\nprice  manual  1        0\n");
    assert_eq!(world.json(&["types", "--json"])["types"][0]["policy"], "manual");
    assert_eq!(world.json(&["types", "show", "price"])["policy"], "manual");
    assert!(world.error(&["types", "show", "cost"]).contains("`syncline types` lists"));

    settle(&world);

    let devices = world.ok(&["devices", "list"]);
    assert_eq!(devices.lines().count(), 3);
    assert!(devices.contains("\\u{1b}[2J") && !devices.contains('\u{1b}'), "{devices}");
    assert!(world.ok(&["devices", "revoke", "phone"]).starts_with("phone of ann is revoked since 2"));
    assert!(world.error(&["devices", "revoke", "phone"]).contains("was revoked before"));
    assert!(world.error(&["devices", "revoke", "tablet"]).contains("`syncline devices list` lists"));
    let devices = world.json(&["devices", "list", "--json"]);
    assert_eq!(
        (&devices["devices"][0]["id"], &devices["devices"][0]["health"]),
        (&json!("phone"), &json!("blocked"))
    );

    let renewed = world.ok(&["epoch", "renew"]);
    let epoch = renewed.strip_prefix("epoch ").and_then(|rest| rest.strip_suffix(", 1 before\n"));
    let server = world.serve();
    let page = server.pull(&cursor);
    assert_eq!(page["reset"]["reason"], "epoch");
    assert_eq!(page["changes"][0]["data"], json!({ "amount": 23.25 }));
    let pushed = server.ask("POST /sync/v1/push", &json!({ "device_id": "till", "ops": [] }));
    assert_eq!(pushed["epoch"].as_str(), epoch);
    server.stop();
}

/// Looks at the conflict, and settles it.
fn settle(world: &World) {
    let listed = world.ok(&["conflicts", "list", "--state", "open", "--type", "price"]);
    let line = listed.lines().nth(1).expect("there is one");
    assert!(line.starts_with("cnf_1     open   price  p       concurrent_update  amount  2"), "{listed}");
    assert_eq!(world.ok(&["conflicts", "list", "--type", "cost"]).lines().count(), 1);
    let listed = world.json(&["conflicts", "list", "--json"]);
    assert_eq!(listed["conflicts"][0]["conflict_id"], "cnf_1");
    let shown = world.ok(&["conflicts", "show", "cnf_1"]);
    for line in ["server       {\"amount\":25.5}", "candidate:0  {\"values\":{\"amount\":22.5}} by till at 2"]
    {
        assert!(shown.lines().any(|shown| shown.starts_with(line)), "{shown}");
    }

    assert!(world.error(&resolve(&["candidate:7"])).contains("`syncline conflicts show cnf_1` shows"));
    assert!(world.error(&resolve(&["merged", "--value", "{} {}"])).contains("no JSON"));
    assert!(world.error(&resolve(&["merged", "--value", "7"])).contains("expected an object"));
    assert!(world.error(&resolve(&["server", "--value", "{}"])).contains("--choice merged"));
    assert!(world.error(&["conflicts", "show", "cnf_2"]).contains("`syncline conflicts list` lists"));
    let merged =
        resolve(&["merged", "--value", r#"{"amount":23.25}"#, "--by", "eve", "--rationale", "a deal"]);
    assert_eq!(world.ok(&merged), "cnf_1 is resolved; price p is now at version 3\n");
    assert!(world.error(&merged).contains("the conflict is closed"));
    let shown = world.json(&["conflicts", "show", "cnf_1", "--json"]);
    let resolution = &shown["conflict"]["resolution"];
    assert_eq!((&resolution["by"], &resolution["rationale"]), (&json!("eve"), &json!("a deal")));
}

fn resolve<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["conflicts", "resolve", "cnf_1", "--choice"], rest].concat()
}

#[test]
fn whoever_changes_the_audit_is_found_out() {
    let world = World::new("audit");
    let server = world.serve();
    quarrel(&server);
    server.stop();

    let verified = world.ok(&["audit", "verify"]);
    let count: usize = verified.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
    assert!(verified.ends_with("the chain is whole\n") && count >= 6, "{verified}");
    let parse = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    };
    world.ok(&["audit", "export", "--out", "audit.ndjson"]);
    let all = parse(&fs::read_to_string(world.folder.join("audit.ndjson")).expect("it was written"));
    assert_eq!(all.len(), count);
    assert!(all.windows(2).all(|pair| pair[0]["hash"] == pair[1]["previous"]));
    let told = |at: usize| (&all[at]["event"]["kind"], &all[at]["event"]["user"]);
    assert_eq!(told(0), (&json!("known"), &all[0]["payload"]["user"]));
    assert_eq!(told(3), (&json!("op"), &all[0]["payload"]["user"]));
    assert_eq!(all[3]["payload"]["values"], json!({ "amount": 24.5 }));
    assert_eq!(parse(&world.ok(&["audit", "export", "--from", "3"])), all[2..]);

    flip(&world.folder.join("data"), 4);
    let output = world.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.starts_with(b"broken at 4: "), "{output:?}");
}

/// A command erases what a server has stored: no file holds it, the audit is whole, and the next server knows that it was erased.
#[test]
fn an_entity_is_erased_without_a_server() {
    let world = World::new("erased");
    let server = world.serve();
    server.ask("POST /sync/v1/devices", &json!({ "device_id": "phone" }));
    let op = |n: &str| json!({ "n": n, "type": "price", "id": "p", "op": "create", "set": { "of": "a canary in a mine" } });
    assert_eq!(server.push("phone", op("1")), "applied");
    server.stop();
    let holds = || {
        let out = Command::new("grep")
            .args(["-rl", "a canary in a mine", "data"])
            .current_dir(&world.folder)
            .output();
        !out.expect("there is a grep").stdout.is_empty()
    };
    assert!(holds());
    assert!(world.error(&["entities", "erase", "cost/p"]).contains("`syncline types` lists"));
    for want in ["is erased; the data folder was rewritten", "was erased before"] {
        let output = world.run(&["entities", "erase", "price/p", "--by", "eve"]);
        let told = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success() && told.contains(want), "{told}");
        assert!(!holds());
    }
    assert!(world.ok(&["audit", "verify"]).ends_with("the chain is whole\n"));
    let last: Value = world
        .ok(&["audit", "export"])
        .lines()
        .last()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .expect("a line");
    assert_eq!(last["event"], json!({ "kind": "erased", "type": "price", "id": "p", "by": "eve" }));
    let server = world.serve();
    assert_eq!(server.push("phone", op("2")), "rejected");
    server.stop();
}

/// Changes a byte of an event in a data folder, under checksums of the store that are right.
fn flip(folder: &Path, index: u64) {
    let mut store = SledStore::open(folder).expect("no server has it open");
    let name = stored::audit_name(AuditIndex(index));
    let first = stored::audit_name(AuditIndex(0));
    let all = history(&store, TENANT, stored::AUDIT, &first).map(|thing| thing.expect("it is read"));
    let mut things: Vec<_> = all.map(|(name, bytes)| (name.to_vec(), bytes.to_vec())).collect();
    let (_, found) = things.iter_mut().find(|(at, _)| *at == name).expect("it is there");
    let mut write = Write::from_stored(&name, found).expect("it was written");
    let Write::Audit(_, entry) = &mut write else { panic!("{write:?}") };
    entry.event[20] ^= 1;
    *found = write.to_stored().bytes.expect("it is there");
    // All of it as one page, over the last of those that hold it.
    let mut batch = Batch::new();
    let prefix = [&ledger_prefix(TENANT)[..], &[stored::AUDIT]].concat();
    for (key, _) in store.scan(&prefix, &prefix, 1_000).expect("the folder is read") {
        batch.delete(key);
    }
    let (last, _) = things.iter().rev().find(|(name, _)| name[0] == stored::AUDIT).expect("it is not empty");
    let last = last.clone();
    let things = things.iter().map(|(name, bytes)| (&name[..], &bytes[..]));
    put_history(&mut batch, TENANT, &last, things).expect("it is short");
    store.commit(batch).expect("the disk works");
}
