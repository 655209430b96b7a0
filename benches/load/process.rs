//! A server under test: a child process, and a folder for its data.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::machine;

/// Returns where the folder of a bench is: beside the build, since a temporary folder may be memory and not a disk.
pub(crate) fn data_dir(bench: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(bench)
}

/// A folder of data, empty when made; dropping it removes it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder of a bench, without what a run left in it that was broken off.
    ///
    /// # Errors
    ///
    /// Any error of the file system.
    pub(crate) fn new(bench: &str) -> io::Result<Self> {
        Self::at(data_dir(bench))
    }

    /// Makes this folder, without what a run left in it that was broken off.
    ///
    /// # Errors
    ///
    /// Any error of the file system.
    pub(crate) fn at(path: PathBuf) -> io::Result<Self> {
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes the settings of a server beside the folder, and returns where they are.
    ///
    /// # Errors
    ///
    /// Any error of the file system.
    pub(crate) fn write_settings(&self, settings: &str) -> io::Result<PathBuf> {
        let path = self.settings();
        fs::write(&path, settings)?;
        Ok(path)
    }

    fn settings(&self) -> PathBuf {
        self.0.with_extension("toml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It lies in a folder of the benches' own: what cannot be removed is in nobody's way.
        drop((fs::remove_dir_all(&self.0), fs::remove_file(self.settings())));
    }
}

/// A server that listens; dropping it kills the process.
pub(crate) struct Process {
    pub(crate) child: Child,
    address: SocketAddr,
    /// Held so that what the server prints later does not meet a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a server, and waits until it says where it listens, or that it listens where it was told to.
    ///
    /// # Errors
    ///
    /// Any error of the process; [`io::ErrorKind::InvalidData`] if it does not say that it listens.
    pub(crate) fn start(mut command: Command, name: &str, told: Option<SocketAddr>) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let said = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let Some(address) = told.filter(|_| !line.is_empty()).or(said) else {
            drop((child.kill(), child.wait()));
            let problem = format!("{name} did not start; its first line was {line:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        };
        Ok(Self { child, address, _stdout: stdout })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the process at once, as a crash does. It may be gone already.
    pub(crate) fn kill(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }

    /// Returns its resident memory in bytes, where the system has `/proc`.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        machine::resident_bytes(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
