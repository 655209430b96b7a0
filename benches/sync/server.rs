//! The servers under test: each run starts one as a child process with a folder of its own, and stops it at its end.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::load::process::{Folder, Process};

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
    folder: Folder,
}

/// The name of the folder of data.
pub(crate) const FOLDER: &str = "sync-bench";

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

    fn command(self, folder: &Folder) -> io::Result<Command> {
        Ok(match self {
            Self::Syncline => {
                let settings = folder.write_settings("[types.order]\npolicy = 'lww'\n")?;
                let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
                command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(settings);
                command.arg("--data-dir").arg(folder.path()).env("SYNCLINE_LOG", "error");
                command
            }
            Self::Pouchdb => {
                let mut command = Command::new("node");
                command.arg(peer().join("server.mjs")).arg(folder.path()).env("NODE_ENV", "production");
                command
            }
        })
    }

    fn start(self, folder: &Folder) -> io::Result<Process> {
        Process::start(self.command(folder)?, self.name(), None)
    }
}

impl Server {
    /// Starts a server without records and waits until it listens.
    ///
    /// # Errors
    ///
    /// Any error of the process or its folder; [`io::ErrorKind::InvalidData`] if it does not say that it listens.
    pub(crate) fn start(kind: Kind) -> io::Result<Self> {
        let folder = Folder::new(FOLDER)?;
        Ok(Self { kind, process: kind.start(&folder)?, folder })
    }

    /// Kills the process and starts another on what it has stored.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.process.kill();
        self.process = self.kind.start(&self.folder)?;
        Ok(())
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// Returns the resident memory of the process in bytes, where the system has `/proc`.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.process.resident_bytes()
    }
}

/// Returns the folder that npm installs the peer into.
pub(crate) fn peer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/pouchdb")
}
