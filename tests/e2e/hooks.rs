//! The binary beside the receiver of `docs/webhooks.md`, which runs as it stands there.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Lines, Read, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A process that says first where it listens, and ends with the test.
struct Process {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    addr: String,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs; node 20 or later is needed");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let first = said.next().expect("it says something").expect("text");
        let addr = first.strip_prefix("listening on http://").expect("it listens").to_owned();
        Self { child, said, addr }
    }

    fn next(&mut self) -> String {
        self.said.next().expect("it says something").expect("text")
    }

    fn kill(mut self) {
        self.child.kill().expect("it was started here");
        self.child.wait().expect("it ends");
    }
}

/// Returns the one program that a page of documentation has.
fn program(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    let (_, behind) = text.split_once("```js\n").expect("it has a program");
    behind.split_once("```").expect("it ends").0.to_owned()
}

fn receiver(folder: &Path) -> Process {
    let file = folder.join("receiver.mjs");
    fs::write(&file, program("webhooks.md")).expect("the folder is writable");
    Process::start(Command::new("node").arg(file).env("SECRET", SECRET).env("PORT", "0"))
}

fn serve(folder: &Path) -> Process {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let log: File = log.expect("the folder is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    Process::start(command.current_dir(folder).args(["serve", "--log", "trace"]).stderr(log))
}

/// Returns the status of an answer.
fn ask(addr: &str, request: &str, body: &str) -> u16 {
    let mut tcp = TcpStream::connect(addr).expect("it listens");
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n");
    let head = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    tcp.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it reads");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("it answers");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn settings(url: &str, more: &str) -> String {
    let hook =
        format!("[[hooks]]\nname = 'search'\nurl = '{url}'\nsecret = '{SECRET}'\nallow-private = true\n");
    format!("listen = '127.0.0.1:0'\ndata-dir = 'data'\n{hook}{more}")
}

/// Goal: whoever does as the documentation says is told, genuinely, also of what was written right before a kill; and the secret is in no
/// log. Method: the second hook waits for an hour, so that it is told by the next process alone.
#[test]
fn the_receiver_of_the_documentation_is_told() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    let mut receiver = receiver(folder);
    let url = format!("http://{}/", receiver.addr);
    assert_eq!(ask(&receiver.addr, "POST /", "{}"), 401, "it is not the server's");
    let late =
        format!("debounce-ms = 3600000\n[[hooks]]\nname = 'quick'\nurl = '{url}'\nsecret = '{SECRET}'\n");
    let quick = "allow-private = true\ndebounce-ms = 1\nevents = ['document.created', 'document.deleted']\n";
    fs::write(folder.join("syncline.toml"), settings(&url, &format!("{late}{quick}"))).expect("written");
    let server = serve(folder);
    assert_eq!(ask(&server.addr, "PUT /docs/v1/documents/plan", "{\"json\":{\"text\":\"a\"}}"), 201);
    assert_eq!(receiver.next(), "document.created plan 1");
    let edits = "[{\"op\":\"splice\",\"path\":\"/text\",\"at\":0,\"insert\":\"b\"}]";
    assert_eq!(ask(&server.addr, "PATCH /docs/v1/documents/plan", edits), 200);
    server.kill();
    let server = serve(folder);
    assert_eq!(receiver.next(), "document.changed plan 2");
    assert_eq!(ask(&server.addr, "DELETE /docs/v1/documents/plan", ""), 204);
    assert_eq!(receiver.next().trim_end(), "document.deleted plan");
    server.kill();
    receiver.kill();
    let log = fs::read_to_string(folder.join("log")).expect("it has logged");
    assert!(!log.is_empty() && !log.contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
}

/// What makes no sense ends the start with an error that names the hook, or the line where that cannot be read, and not its secret.
#[test]
fn a_hook_that_makes_no_sense_is_named() {
    let folder = TempDir::new().expect("a folder");
    for (more, place, want) in [
        ("events = ['changed']\n", "`search`", "an event is document.created"),
        ("debounce-max-ms = 99999999\n", "`search`", "`debounce-ms` is at most"),
        ("events = ['document.changed']\nattempts = 'often'\n", "line 9", "`attempts`"),
        ("[[hooks]]\nname = 'other'\nsecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\n", "line 8", "`url`"),
        ("event = ['document.changed']\n", "line 8", "`event`"),
        (
            "[[hooks]]\nname = 'search'\nurl = 'http://a'\nsecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\n",
            "`search`",
            "another of this name",
        ),
    ] {
        let text = settings("http://app.example/", more);
        fs::write(folder.path().join("syncline.toml"), text).expect("the folder is writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        let output = command.current_dir(folder.path()).arg("serve").output().expect("it runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success() && said.contains(place) && said.contains(want), "{said}");
        assert!(!said.contains("MfKQ"), "{said}");
    }
}
