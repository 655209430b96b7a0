//! The servers under test: each run starts one as a child process, and stops it at its end.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dialect::Dialect;
use crate::load::process::{Folder, Process};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// This repository's own; an update is on disk before it is shown.
    Syncline,
    /// The reference server of the protocol, on node; it keeps documents in memory only.
    Reference,
}

/// A running server; dropping it ends the process and removes its data.
pub(crate) struct Server {
    kind: Kind,
    dialect: Dialect,
    process: Process,
    _folder: Folder,
}

/// The name of the folder of data.
pub(crate) const FOLDER: &str = "relay-bench";

impl Kind {
    /// Both, ours first: the order of the columns in the report.
    pub(crate) const ALL: [Self; 2] = [Self::Syncline, Self::Reference];

    /// Returns the name of the column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Syncline => "syncline",
            Self::Reference => "reference",
        }
    }

    /// Returns what to do about a server that cannot be started.
    pub(crate) fn missing(self, dialect: Dialect) -> Option<String> {
        let is_there = match self {
            Self::Syncline => true,
            Self::Reference => peer(dialect).join("node_modules").is_dir(),
        };
        (!is_there).then(|| {
            format!("`npm ci --prefix benches/peers/{} --ignore-scripts` installs it", dialect.name())
        })
    }
}

impl Server {
    /// Starts a server with no documents and waits until it listens.
    ///
    /// # Errors
    ///
    /// Any error of the process; [`io::ErrorKind::InvalidData`] if it does not say that it listens.
    pub(crate) fn start(kind: Kind, dialect: Dialect) -> io::Result<Self> {
        let folder = Folder::new(FOLDER)?;
        let (command, told) = match (kind, dialect) {
            (Kind::Syncline, _) => (syncline(&folder)?, None),
            (Kind::Reference, Dialect::YWebsocket) => {
                let address = free_address()?;
                (y_websocket(address), Some(address))
            }
            (Kind::Reference, Dialect::Hocuspocus) => (hocuspocus(), None),
        };
        let process = Process::start(command, kind.name(), told)?;
        Ok(Self { kind, dialect, process, _folder: folder })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns what a client of Hocuspocus shows: nobody asks for it.
    pub(crate) fn token(&self) -> &'static str {
        ""
    }

    /// Returns the path in the URL of a connection to a room.
    pub(crate) fn path(&self, room: &str) -> String {
        match (self.kind, self.dialect) {
            (Kind::Syncline, Dialect::YWebsocket) => format!("/yjs/{room}"),
            (Kind::Syncline, Dialect::Hocuspocus) => "/hocuspocus".into(),
            (Kind::Reference, Dialect::YWebsocket) => format!("/{room}"),
            (Kind::Reference, Dialect::Hocuspocus) => "/".into(),
        }
    }

    /// Returns the resident memory of the process in bytes, where the system has `/proc`.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.process.resident_bytes()
    }
}

/// Returns the folder that npm installs the reference server of a protocol into.
pub(crate) fn peer(dialect: Dialect) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers").join(dialect.name())
}

/// Returns the node that runs the reference server of a protocol: the one that was installed with it, or else that of the path.
pub(crate) fn node(dialect: Dialect) -> PathBuf {
    let system = match env::consts::OS {
        "macos" => "darwin",
        "windows" => "win",
        other => other,
    };
    let processor = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let own = peer(dialect).join(format!("node_modules/node-{system}-{processor}/bin/node"));
    if own.is_file() { own } else { "node".into() }
}

fn syncline(folder: &Folder) -> io::Result<Command> {
    // One writer stands for many, and types faster than anyone may.
    let settings = folder.write_settings("[quota]\nconnection-messages-per-second = 0\n")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    command.arg("--config").arg(settings).env("RUST_LOG", "error");
    Ok(command)
}

fn y_websocket(address: SocketAddr) -> Command {
    let mut command = Command::new(node(Dialect::YWebsocket));
    command.arg(peer(Dialect::YWebsocket).join("node_modules/@y/websocket-server/src/server.js"));
    command.env("HOST", address.ip().to_string()).env("PORT", address.port().to_string());
    command.env("NODE_ENV", "production");
    command
}

fn hocuspocus() -> Command {
    let mut command = Command::new(node(Dialect::Hocuspocus));
    command.arg(peer(Dialect::Hocuspocus).join("server.mjs")).env("NODE_ENV", "production");
    command
}

/// The reference server of y-websocket cannot say which port it was given, so it is told one that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
