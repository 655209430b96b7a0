//! The engine on disk: sled, in a data folder that one process owns.
//!
//! # After a failed commit
//! The engine may then hold any part of the batch, in memory, in the page cache and on the disk, and not all three the
//! same. The argument why [`reopen`](Store::reopen) is right nevertheless:
//!
//! 1. Everything before the batch was synced before its commit was reported, and the batch is all that was written
//!    since. So whatever the failure left is something that power loss might have left, and recovery from it, which is
//!    what opening the folder again does, yields all that was synced.
//! 2. What it yields differs from what was acknowledged only in the keys of the batch, whether recovery finds all of
//!    it, none of it, or the half that a failed `apply_batch` had logged: no other key was written.
//! 3. What those keys held is known, because it was read before the batch was applied ([`Batch::put_new`] says of a
//!    key that it held nothing). It goes into the copy in place of what recovery found.
//! 4. The copy is made in a new folder, through files that never saw a failure, and every write of it is synced before
//!    CURRENT names it. Nothing rests on what the page cache shows of the old one.
//!
//! sled flushes when it is dropped. While the store is latched that can only move the old folder from one of the
//! states of (1) to another, so it is let to, in `reopen`; but a process that ends latched leaves the folder as the
//! failure left it. Such an end is a crash: the batch, never acknowledged, may then show at the next start.

mod counters;
mod engine;
mod folder;
mod handle;

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::engine::{EngineError, Step};
use self::{
    counters::Undo,
    engine::Engine,
    folder::{DataFolder, EngineNumber},
};
use crate::{
    batch::Batch,
    key::Key,
    port::{Cause, CommitError, ReadError, Stats, Store, VacuumError, Vacuumed},
};

/// Files larger than this many times what lives are rewritten when the store is opened.
pub const VACUUM_RATIO: u64 = 4;

/// Files smaller than this are left alone, in bytes: sled needs a few segments of 512 KiB to begin with.
pub const VACUUM_DISK_BYTES_MIN: u64 = 16 << 20;

/// A store in a data folder.
pub struct SledStore {
    folder: DataFolder,
    /// `None` only if the store is latched and a reopening got no further.
    engine: Option<Engine>,
    /// What to put back, after a commit has failed.
    latched: Option<Undo>,
    vacuum_at_open: Option<Result<Vacuumed, VacuumError>>,
}

impl SledStore {
    /// Opens the store in the data folder `path`, which is created if it is absent, and takes it for this process.
    ///
    /// Engine folders that do not count are removed. Files that hold more than [`VACUUM_RATIO`] times what lives are
    /// rewritten; see [`vacuum_at_open`](Self::vacuum_at_open).
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the folder and what to do; nothing was removed then.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let mut folder = DataFolder::open(path)?;
        let engine = match folder.current() {
            Some(number) => {
                let engine = Engine::open(&folder.engine(number))?;
                folder.sweep()?;
                engine
            }
            None => {
                folder.sweep()?;
                let number = folder.unused()?;
                let engine = Engine::create(&folder.engine(number))?;
                folder.switch(number).map_err(|source| OpenError::io(path, source))?;
                engine
            }
        };
        let mut store = Self { folder, engine: Some(engine), latched: None, vacuum_at_open: None };
        if let Ok(Stats { live_bytes, disk_bytes, .. }) = store.stats()
            && disk_bytes >= VACUUM_DISK_BYTES_MIN
            && disk_bytes / VACUUM_RATIO > live_bytes
        {
            store.vacuum_at_open = Some(store.vacuum());
        }
        Ok(store)
    }

    /// Makes the next commit fail at `step`; for tests.
    #[cfg(any(test, feature = "testing"))]
    pub fn fail_next_commit(&mut self, step: Step) {
        if let Some(engine) = &mut self.engine {
            engine.fail_next(step);
        }
    }

    /// Returns what the vacuum of [`open`](Self::open) did, if one was due. If it failed the store works all the same,
    /// or is latched.
    #[must_use]
    pub fn vacuum_at_open(&self) -> Option<&Result<Vacuumed, VacuumError>> {
        self.vacuum_at_open.as_ref()
    }

    /// Returns the data folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies what lives in `source` into a new engine folder, all of it on disk, but does not yet make it count.
    fn rewrite(
        folder: &DataFolder,
        source: &Engine,
        undo: &Undo,
    ) -> Result<(EngineNumber, Engine), OpenError> {
        let number = folder.unused()?;
        let path = folder.engine(number);
        let written = Engine::create(&path).and_then(|mut engine| {
            engine.copy(source, undo).map_err(|source| OpenError::engine(&path, source))?;
            Ok(engine)
        });
        if written.is_err() {
            // Garbage: if this fails too, the next start removes it.
            let _ = fs::remove_dir_all(&path);
        }
        Ok((number, written?))
    }

    fn engine(&self) -> Result<&Engine, ReadError> {
        match (&self.engine, &self.latched) {
            (Some(engine), None) => Ok(engine),
            _ => Err(ReadError::Latched),
        }
    }
}

impl Store for SledStore {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        let (Some(engine), None) = (&mut self.engine, &self.latched) else {
            return Err(CommitError::Latched);
        };
        if batch.is_empty() {
            return Ok(());
        }
        let (undo, result) = match engine.undo(&batch) {
            Ok(undo) => {
                let result = engine.commit(&batch, &undo);
                (undo, result)
            }
            Err(error) => (Undo::new(), Err(error)),
        };
        result.map_err(|error| {
            self.latched = Some(undo);
            CommitError::Engine { source: Arc::new(error) }
        })
    }

    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        let (Some(engine), None) = (&self.engine, &self.latched) else { return Err(VacuumError::Latched) };
        let before = engine.stats().map_err(not_rewritten)?;
        let (number, fresh) = Self::rewrite(&self.folder, engine, &Undo::new()).map_err(not_rewritten)?;
        if let Err(error) = self.folder.switch(number) {
            // Either folder may be the one that counts after a crash. Both hold the same, until the next commit.
            self.latched = Some(Undo::new());
            return Err(not_rewritten(error));
        }
        let after = fresh.stats().map_err(not_rewritten);
        self.engine = Some(fresh);
        // What stays is garbage, and goes at the next start.
        let _ = self.folder.sweep();
        Ok(Vacuumed { before, after: after? })
    }

    fn reopen(&mut self) -> Result<(), VacuumError> {
        let Some(undo) = &self.latched else { return Ok(()) };
        self.engine = None;
        let Some(current) = self.folder.current() else { return Err(VacuumError::Latched) };
        let source = Engine::open(&self.folder.engine(current)).map_err(not_rewritten)?;
        let (number, fresh) = Self::rewrite(&self.folder, &source, undo).map_err(not_rewritten)?;
        self.folder.switch(number).map_err(not_rewritten)?;
        drop(source);
        self.engine = Some(fresh);
        self.latched = None;
        let _ = self.folder.sweep();
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        self.engine()?.get(key.as_bytes()).map_err(not_read)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        self.engine()?.scan(prefix, from, limit).map_err(not_read)
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.engine()?.stats().map_err(not_read)
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if self.latched.is_some()
            && let Some(engine) = self.engine.take()
        {
            engine.abandon();
        }
    }
}

/// Why a data folder was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The operating system refused something.
    #[error("{} could not be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Another process has the data folder open.
    #[error("{} is locked: another process has this data folder open", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// There are engine folders, and nothing says which one counts.
    #[error(
        "{} is missing although {engine} exists; restore the data folder from a backup, or, if {engine} is known to \
         be whole, write its name into that file",
        path.display()
    )]
    CurrentMissing {
        /// The file that is missing.
        path: PathBuf,
        /// The engine folder with the greatest number.
        engine: String,
    },
    /// CURRENT does not hold the name of an engine folder.
    #[error("{} names no engine folder (found {found:?}); restore the data folder from a backup", path.display())]
    CurrentMalformed {
        /// CURRENT.
        path: PathBuf,
        /// Its first characters.
        found: String,
    },
    /// A part of the engine folder that counts is not there. It is not created, since that would hide the loss.
    #[error("{} is missing; restore the data folder from a backup", path.display())]
    Missing {
        /// The part.
        path: PathBuf,
    },
    /// The engine recognised nothing in its files, where there must be something.
    #[error("{} holds no database that can be recognised; restore the data folder from a backup", path.display())]
    Blank {
        /// The engine folder.
        path: PathBuf,
    },
    /// The engine found its files damaged.
    #[error("{} is damaged; keep a copy of it, and restore the data folder from a backup", path.display())]
    Corrupt {
        /// The engine folder.
        path: PathBuf,
        /// What the engine says.
        source: EngineError,
    },
    /// The engine could not be started, and does not say that its files are damaged.
    #[error("{} could not be opened", path.display())]
    Engine {
        /// The engine folder.
        path: PathBuf,
        /// What the engine says.
        source: EngineError,
    },
}

impl OpenError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    fn engine(path: &Path, source: EngineError) -> Self {
        let path = path.to_owned();
        match source {
            // sled panics over some of what it finds damaged.
            EngineError::Sled(sled::Error::Corruption { .. } | sled::Error::ReportableBug(_))
            | EngineError::Panicked { .. }
            | EngineError::Foreign { .. } => Self::Corrupt { path, source },
            EngineError::Sled(
                sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_) | sled::Error::Io(_),
            )
            | EngineError::Io(_)
            | EngineError::Injected => Self::Engine { path, source },
        }
    }
}

fn not_read(error: EngineError) -> ReadError {
    ReadError::Engine { source: Arc::new(error) }
}

fn not_rewritten(error: impl std::error::Error + Send + Sync + 'static) -> VacuumError {
    let source: Cause = Arc::new(error);
    VacuumError::Engine { source }
}
