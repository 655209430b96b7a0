//! The servers under test: each run starts one as a child process with a folder of its own, and stops it at its end.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::load::machine::resident_bytes;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// This repository's own; a change is on disk before it is answered.
    Syncline,
    /// PouchDB behind CouchDB's protocol, on node; LevelDB leaves it to the system when a change is on disk.
    Pouchdb,
}

/// A running server; dropping it ends the process and removes its data.
pub(crate) struct Server {
    kind: Kind,
    process: Process,
}

struct Process {
    child: Child,
    address: SocketAddr,
    /// Held so that what the server prints later does not meet a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Kind {
    /// Both, ours first: the order of the columns in the report.
    pub(crate) const ALL: [Self; 2] = [Self::Syncline, Self::Pouchdb];

    /// Returns the name of the column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Syncline => "syncline",
            Self::Pouchdb => "pouchdb",
        }
    }

    /// Returns whether it can be started.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::Syncline => true,
            Self::Pouchdb => peer().join("node_modules").is_dir(),
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Syncline => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
                command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config());
                command.arg("--data-dir").arg(data_dir()).env("SYNCLINE_LOG", "error");
                command
            }
            Self::Pouchdb => {
                let mut command = Command::new("node");
                command.arg(peer().join("server.mjs")).arg(data_dir()).env("NODE_ENV", "production");
                command
            }
        }
    }
}

impl Server {
    /// Starts a server without records and waits until it listens.
    ///
    /// # Errors
    ///
    /// Any error of the process or its folder; [`io::ErrorKind::InvalidData`] if it does not say that it listens.
    pub(crate) fn start(kind: Kind) -> io::Result<Self> {
        remove_data();
        fs::create_dir_all(data_dir())?;
        fs::write(config(), "[types.order]\npolicy = 'lww'\n")?;
        Ok(Self { kind, process: Process::start(kind)? })
    }

    /// Kills the process and starts another on what it has stored.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.process.kill();
        self.process = Process::start(self.kind)?;
        Ok(())
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// Returns the resident memory of the process in bytes, where the system has `/proc`.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        resident_bytes(self.process.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill();
        remove_data();
    }
}

impl Process {
    fn start(kind: Kind) -> io::Result<Self> {
        let mut child = kind.command().stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let said = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let Some(address) = said else {
            drop((child.kill(), child.wait()));
            let problem = format!("{} did not start; its first line was {line:?}", kind.name());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        };
        Ok(Self { child, address, _stdout: stdout })
    }

    /// Ends the process at once, as a crash does. It may be gone already.
    fn kill(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

/// Returns the folder of the server's data: beside the build, since a temporary folder may be memory and not a disk.
pub(crate) fn data_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("sync-bench")
}

/// Returns the folder that npm installs the peer into.
pub(crate) fn peer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/pouchdb")
}

fn config() -> PathBuf {
    data_dir().with_extension("toml")
}

/// What was never there need not be removed.
fn remove_data() {
    drop((fs::remove_dir_all(data_dir()), fs::remove_file(config())));
}
