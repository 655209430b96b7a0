//! The `syncline` process, and the lives that it leads on one data folder.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http;

/// Who administers in these stories.
const ADMIN: &str = "admin";

/// A server; it ends with its owner.
pub(crate) struct Server {
    folder: TempDir,
    child: Mutex<Child>,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Starts a server on an empty folder, with these types.
    pub(crate) fn start(types: &[(&str, Value)]) -> Self {
        let folder = TempDir::new().expect("a folder for the data");
        let (child, addr) = launch(folder.path());
        let server = Self { folder, child: Mutex::new(child), addr };
        for (name, form) in types {
            server.put(&format!("types/{name}"), form);
        }
        server
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

    /// Declares something.
    pub(crate) fn put(&self, path: &str, form: &Value) {
        self.ok(&format!("PUT /sync/v1/{path}"), form);
    }

    /// Asks for what must be granted.
    pub(crate) fn ok(&self, request: &str, body: &Value) -> Value {
        let (status, answer) =
            http::ask(self.addr, ADMIN, request, &body.to_string()).expect("the server answers");
        assert!(status < 300, "{request} {body}: {status} {answer}");
        answer
    }

    /// Returns all conflicts, oldest first.
    pub(crate) fn conflicts(&self) -> Vec<Value> {
        let answer = self.ok("GET /sync/v1/conflicts", &json!({}));
        answer["conflicts"].as_array().expect("a list").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(folder: &Path) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error"]);
    let child = command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("the binary is built");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("the first line of output");
    let addr = line.trim().strip_prefix("listening on http://").and_then(|addr| addr.parse().ok());
    (child, addr.unwrap_or_else(|| panic!("the server says {line:?} first")))
}
