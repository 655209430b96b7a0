//! The `syncline` process, and the lives that it leads on one data folder.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http;

/// Who administers in these stories.
const ADMIN: &str = "admin";

/// The keys that tokens are signed with, in the folder of a server that asks for them.
const KEYS: &str = "keys.json";

/// Where it logs to, in its folder.
const LOG: &str = "server.log";

/// A server; it ends with its owner.
pub(crate) struct Server {
    folder: TempDir,
    child: Mutex<Child>,
    /// Who administers.
    admin: String,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Starts a server on an empty folder, with these types.
    pub(crate) fn start(types: &[(&str, Value)]) -> Self {
        let folder = TempDir::new().expect("a folder for the data");
        let (child, addr) = launch(folder.path());
        let server = Self { folder, child: Mutex::new(child), admin: ADMIN.into(), addr };
        server.declare(types);
        server
    }

    /// Starts one that asks for tokens.
    pub(crate) fn start_guarded(types: &[(&str, Value)]) -> Self {
        Self::guarded(types, "error")
    }

    /// Starts one that asks for tokens, and logs all there is.
    pub(crate) fn start_guarded_logging(types: &[(&str, Value)]) -> Self {
        Self::guarded(types, "trace")
    }

    /// Returns the file that it logs to.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join(LOG)
    }

    fn guarded(types: &[(&str, Value)], level: &str) -> Self {
        let folder = TempDir::new().expect("a folder for the data");
        let keys = run(folder.path(), &["keys", "generate"]);
        fs::write(folder.path().join(KEYS), keys).expect("it is written");
        fs::write(folder.path().join("syncline.toml"), format!("[auth]\nkeys = '{KEYS}'\n"))
            .expect("so is this");
        let admin = token(folder.path(), &["--user", ADMIN], &["*=admin"]);
        let (child, addr) = launch_logging(folder.path(), level);
        let server = Self { folder, child: Mutex::new(child), admin, addr };
        server.declare(types);
        server
    }

    /// Returns a token, as a request shows it.
    pub(crate) fn token(&self, user: &str, grants: &[&str]) -> String {
        token(self.folder.path(), &["--user", user], grants)
    }

    /// Returns a token of a tenant.
    pub(crate) fn token_of(&self, tenant: &str, user: &str, grants: &[&str]) -> String {
        token(self.folder.path(), &["--user", user, "--tenant", tenant], grants)
    }

    fn declare(&self, types: &[(&str, Value)]) {
        for (name, form) in types {
            self.put(&format!("types/{name}"), form);
        }
    }

    /// Ends the process at once, as a power cut of its own would.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().expect("nobody panics with it");
        child.kill().expect("the process was started here");
        child.wait().expect("a killed process ends");
    }

    /// Starts the process again.
    pub(crate) fn restart(&mut self) {
        let (child, addr) = launch(self.folder.path());
        (self.child, self.addr) = (Mutex::new(child), addr);
    }

    /// Copies the data of a server that does not run.
    pub(crate) fn back_up(&self) -> TempDir {
        let backup = TempDir::new().expect("a folder for the backup");
        copy(&self.data(), backup.path());
        backup
    }

    /// Puts a copy in the place of the data of a server that does not run.
    pub(crate) fn restore(&self, backup: &TempDir) {
        fs::remove_dir_all(self.data()).expect("the data can be removed");
        copy(backup.path(), &self.data());
    }

    /// Runs another command on the data of a server that does not run, and returns what it prints.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        run(self.folder.path(), words)
    }

    /// Runs another command that is refused, and returns what it says.
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        let output = command.args(words).current_dir(self.folder.path()).output().expect("the command runs");
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).expect("it prints text")
    }

    /// Declares something.
    pub(crate) fn put(&self, path: &str, form: &Value) {
        self.ok(&format!("PUT /sync/v1/{path}"), form);
    }

    /// Asks for what must be granted.
    pub(crate) fn ok(&self, request: &str, body: &Value) -> Value {
        let (status, answer) =
            http::ask(self.addr, &self.admin, request, &body.to_string()).expect("the server answers");
        assert!(status < 300, "{request} {body}: {status} {answer}");
        answer
    }

    /// Returns all conflicts, oldest first.
    pub(crate) fn conflicts(&self) -> Vec<Value> {
        let answer = self.ok("GET /sync/v1/conflicts", &json!({}));
        answer["conflicts"].as_array().expect("a list").clone()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("syncline-data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command in a folder, and returns what it prints.
fn run(folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    let output = command.args(words).current_dir(folder).output().expect("the command runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

fn token(folder: &Path, who: &[&str], grants: &[&str]) -> String {
    let grants = grants.iter().flat_map(|grant| ["--grant", *grant]);
    let words = ["token", "mint", "--keys", KEYS].into_iter().chain(who.iter().copied()).chain(grants);
    format!("Bearer {}", run(folder, &words.collect::<Vec<_>>()).trim())
}

fn launch(folder: &Path) -> (Child, SocketAddr) {
    launch_logging(folder, "error")
}

fn launch_logging(folder: &Path, level: &str) -> (Child, SocketAddr) {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join(LOG));
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", level]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.expect("a file for the log"));
    let child = command.spawn();
    let mut child = child.expect("the binary is built");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("the first line of output");
    let addr = line.trim().strip_prefix("listening on http://").and_then(|addr| addr.parse().ok());
    (child, addr.unwrap_or_else(|| panic!("the server says {line:?} first")))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder exists") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a file can be copied");
        }
    }
}
