//! The server under test, which knows two users.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::machine::resident_bytes;

/// The tokens of those who type and of the one who abuses. Each is a user.
const HONEST: &str = "honest-token";
pub(crate) const ABUSER: &str = "abuser-token";

/// Memory for documents, in MiB, that the server is given.
const MEMORY_MB: u64 = 256;

/// What the server may hold in memory: documents, what was received and is not handled yet, and 256 MiB for everything else.
pub(crate) const RESIDENT_BYTES_MAX: u64 = (MEMORY_MB + 256 + 256) << 20;

/// A running server, as one of its users sees it; dropping the last of them ends the process and removes its data.
pub(crate) struct Server {
    process: Arc<Process>,
    dialect: Dialect,
    token: &'static str,
}

struct Process {
    child: Child,
    address: SocketAddr,
    /// Held so that what the server prints later does not meet a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a server with no documents and waits until it listens.
    ///
    /// # Errors
    ///
    /// Any error of the process; [`io::ErrorKind::InvalidData`] if it does not say that it listens.
    pub(crate) fn start(dialect: Dialect) -> io::Result<Self> {
        fs::create_dir_all(data_dir())?;
        let settings = data_dir().join("syncline.toml");
        let token = |secret: &str| {
            format!("[[token]]\nsecret = '{secret}'\nuser = '{secret}'\ngrants = ['*=admin']\n")
        };
        fs::write(&settings, token(HONEST) + &token(ABUSER) + "[quota]\nuser-messages-per-second = 4000\n")?;
        let mut command =
            Command::new(if Self::is_pinned() { "taskset" } else { env!("CARGO_BIN_EXE_syncline") });
        if Self::is_pinned() {
            command.args(["-c", "0", env!("CARGO_BIN_EXE_syncline")]);
        }
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log",
            "error",
            "--memory-mb",
            &MEMORY_MB.to_string(),
        ]);
        command.arg("--config").arg(settings).arg("--data-dir").arg(data_dir().join("data"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let said = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let Some(address) = said else {
            drop((child.kill(), child.wait()));
            let problem = format!("the server did not start; its first line was {line:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        };
        Ok(Self { process: Arc::new(Process { child, address, _stdout: stdout }), dialect, token: HONEST })
    }

    /// Returns whether servers run on one core.
    pub(crate) fn is_pinned() -> bool {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", "0", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        taskset.status().is_ok_and(|status| status.success())
    }

    /// Returns the same server as the bearer of this token sees it.
    pub(crate) fn as_user(&self, token: &'static str) -> Self {
        Self { process: Arc::clone(&self.process), dialect: self.dialect, token }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns what a client of Hocuspocus shows.
    pub(crate) fn token(&self) -> &'static str {
        self.token
    }

    /// Returns the path in the URL of a connection to a room.
    pub(crate) fn path(&self, room: &str) -> String {
        match self.dialect {
            Dialect::YWebsocket => format!("/yjs/{room}?token={}", self.token),
            Dialect::Hocuspocus => "/hocuspocus".into(),
        }
    }

    /// Returns the resident memory of the process in bytes, where the system has `/proc`.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        // taskset becomes what it starts.
        resident_bytes(self.process.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may be gone and the folder may never have been made: then there is nothing to do.
        drop((self.child.kill(), self.child.wait()));
        drop(fs::remove_dir_all(data_dir()));
    }
}

/// Returns the folder of the server's data: beside the build, since a temporary folder may be memory and not a disk.
pub(crate) fn data_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("abuse-bench")
}
