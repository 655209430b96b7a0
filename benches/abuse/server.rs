//! The server under test, which knows two users.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::Place;
use crate::cores::seconds_at_work;
use crate::dialect::Dialect;
use crate::load::process::{Folder, Process};

/// The tokens of those who type and of the one who abuses. Each is a user.
const HONEST: &str = "honest-token";
pub(crate) const ABUSER: &str = "abuser-token";

/// Memory for documents, in MiB, that the server is given.
const MEMORY_MB: u64 = 256;

/// What the server may hold in memory: documents, what was received and is not handled yet, and 256 MiB for everything else.
pub(crate) const RESIDENT_BYTES_MAX: u64 = (MEMORY_MB + 256 + 256) << 20;

/// A running server, as one of its users sees it; dropping the last of them ends the process and removes its data.
pub(crate) struct Server {
    process: Arc<(Process, Folder)>,
    dialect: Dialect,
    token: &'static str,
}

/// The name of the folder of data.
pub(crate) const FOLDER: &str = "abuse-bench";

impl Server {
    /// Starts a server with no documents and waits until it listens.
    ///
    /// # Errors
    ///
    /// Any error of the process; [`io::ErrorKind::InvalidData`] if it does not say that it listens.
    pub(crate) fn start(dialect: Dialect, place: &Place) -> io::Result<Self> {
        let folder = Folder::at(place.data.clone())?;
        let token = |secret: &str| {
            format!("[[token]]\nsecret = '{secret}'\nuser = '{secret}'\ngrants = ['*=admin']\n")
        };
        let settings = token(HONEST) + &token(ABUSER) + "[quota]\nuser-messages-per-second = 4000\n";
        let settings = folder.write_settings(&settings)?;
        let mut command = place.cores.server(env!("CARGO_BIN_EXE_syncline"));
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log",
            "error",
            "--memory-mb",
            &MEMORY_MB.to_string(),
        ]);
        command.arg("--config").arg(settings).arg("--data-dir").arg(folder.path());
        let process = Process::start(command, "the server", None)?;
        Ok(Self { process: Arc::new((process, folder)), dialect, token: HONEST })
    }

    /// Returns the same server as the bearer of this token sees it.
    pub(crate) fn as_user(&self, token: &'static str) -> Self {
        Self { process: Arc::clone(&self.process), dialect: self.dialect, token }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.0.address()
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

    /// Returns for how many seconds the process has been at work, where the system has `/proc`.
    pub(crate) fn seconds_at_work(&self) -> Option<f64> {
        seconds_at_work(self.process.0.child.id())
    }

    /// Returns the resident memory of the process in bytes, where the system has `/proc`.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        // taskset becomes what it starts.
        self.process.0.resident_bytes()
    }
}
