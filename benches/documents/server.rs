//! The servers under test: child processes on a folder that outlives them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dialect::Dialect;
use crate::load::machine;
use crate::load::process::{Folder, Process};

/// A kind of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Yjs,
    Automerge,
}

impl Family {
    pub(crate) const ALL: [Self; 2] = [Self::Yjs, Self::Automerge];

    /// Returns the name of its rows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Yjs => "yjs",
            Self::Automerge => "automerge",
        }
    }

    /// Returns the package of the peer, and the folder that npm installs it into.
    fn peer(self) -> (&'static str, PathBuf) {
        let (package, folder) = match self {
            Self::Yjs => ("@hocuspocus/server", "hocuspocus"),
            Self::Automerge => ("@automerge/automerge-repo", "automerge-repo"),
        };
        (package, Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers").join(folder))
    }
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// This repository's own; an update is on disk before it is shown.
    Syncline,
    /// What people use for documents of the kind, on node: Hocuspocus with SQLite, automerge-repo with files.
    Peer,
}

impl Kind {
    /// Both, ours first: the order of the columns in the report.
    pub(crate) const ALL: [Self; 2] = [Self::Syncline, Self::Peer];

    /// Returns the name of the column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Syncline => "syncline",
            Self::Peer => "peer",
        }
    }

    /// Returns what to do about a server that cannot be started.
    pub(crate) fn missing(self, family: Family) -> Option<String> {
        let (_, folder) = family.peer();
        (self == Self::Peer && !folder.join("node_modules").is_dir())
            .then(|| format!("`npm ci --prefix {} --ignore-scripts` installs it", folder.display()))
    }
}

/// Says which peer there is for documents of a kind.
pub(crate) fn peer_line(family: Family) -> String {
    let (package, folder) = family.peer();
    let version = machine::package_version(&folder, package);
    let node = machine::said(node(&folder), &["--version"]);
    let stored = match family {
        Family::Yjs => "with SQLite",
        Family::Automerge => "with files",
    };
    format!("peer of {}: {package} {version} {stored} on node {node}", family.name())
}

/// The name of the folder of data.
pub(crate) const FOLDER: &str = "documents-bench";

/// A running server; dropping it kills the process.
pub(crate) struct Server {
    kind: Kind,
    family: Family,
    process: Process,
}

impl Server {
    /// Starts a server on a folder and waits until it listens. `keep` says how long ours keeps history.
    ///
    /// # Errors
    ///
    /// Any error of the process; [`io::ErrorKind::InvalidData`] if it does not say that it listens.
    pub(crate) fn start(kind: Kind, family: Family, folder: &Folder, keep: &str) -> io::Result<Self> {
        let command = match kind {
            Kind::Syncline => ours(folder, keep)?,
            Kind::Peer => theirs(family, folder),
        };
        Ok(Self { kind, family, process: Process::start(command, kind.name(), None)? })
    }

    /// Ends the server in order: what it holds in memory goes to disk.
    ///
    /// # Errors
    ///
    /// Any error of the process; [`io::ErrorKind::Other`] if it ends badly.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        match self.kind {
            // Dropping the input is how the peers are told.
            Kind::Peer => drop(self.process.child.stdin.take()),
            Kind::Syncline => drop(Command::new("kill").arg(self.process.child.id().to_string()).status()?),
        }
        let status = self.process.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("the server ended with {status}")))
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// What clients of Yjs documents speak.
    pub(crate) fn dialect(&self) -> Dialect {
        Dialect::Hocuspocus
    }

    /// Returns what a client of Hocuspocus shows: nobody asks for it.
    pub(crate) fn token(&self) -> &'static str {
        ""
    }

    /// Returns the path in the URL of a connection.
    pub(crate) fn path(&self, _room: &str) -> String {
        let path = match (self.kind, self.family) {
            (Kind::Syncline, Family::Yjs) => "/hocuspocus",
            (Kind::Syncline, Family::Automerge) => "/automerge",
            (Kind::Peer, _) => "/",
        };
        path.into()
    }
}

fn ours(folder: &Folder, keep: &str) -> io::Result<Command> {
    let settings = format!(
        "[quota]\nconnection-messages-per-second = 0\nuser-messages-per-second = 0\n[history]\nkeep = \"{keep}\"\n"
    );
    let settings = folder.write_settings(&settings)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    command.arg("--config").arg(settings).env("RUST_LOG", "error");
    Ok(command)
}

fn theirs(family: Family, folder: &Folder) -> Command {
    let (_, peer) = family.peer();
    let script = match family {
        Family::Yjs => "stored.mjs",
        Family::Automerge => "server.mjs",
    };
    let mut command = Command::new(node(&peer));
    command.arg(peer.join(script)).arg(folder.path()).env("NODE_ENV", "production");
    command
}

/// Returns the node that was installed with a peer, or else that of the path.
fn node(peer: &Path) -> PathBuf {
    let own = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"]
        .map(|system| peer.join(format!("node_modules/node-{system}/bin/node")));
    own.into_iter().find(|node| node.is_file()).unwrap_or_else(|| "node".into())
}
