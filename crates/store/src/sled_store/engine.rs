//! One engine folder: sled, and what must be done around it for a batch to be durable.
//!
//! sled's `flush` ends in `sync_file_range`, which is not fsync (spacejam/sled#1452), so every flush is followed by
//! fdatasync on a second descriptor of the same file, opened before the first write so that no write error escapes it.
//! Power loss is survived only if exactly one `apply_batch` lies between two of these, and nothing else is written:
//! with eight batches a sync, 8 of 100 images of what a disk may hold after power loss could not be recovered.
//!
//! So [`write_durably`] is the only way in which anything is written, copies into new folders included, and of sled's
//! API nothing that writes on its own is used: no single puts, no further trees, no ids, no transactions. Nor is
//! `flush_async`, which deadlocks. Reads run between commits, on the thread that commits; what they write, such as the
//! split of a page, is flushed and synced on its own before the next batch.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use syncline_core::limits::BATCH_BYTES_MAX;

use super::{
    OpenError,
    counters::{COUNTERS_KEY, Counters, Undo},
    folder::{sync_folder, sync_tree, tree_bytes},
    handle::{Handle, guarded},
};
use crate::{
    batch::{Batch, Operation, Value},
    key::Key,
    port::Stats,
};

/// Pages that sled keeps in memory, in bytes.
const CACHE_BYTES: u64 = 8 << 20;

/// The database file in an engine folder, by sled's naming.
const DATABASE: &str = "db";

/// The least key that is not the engine's own.
const FIRST_KEY: &[u8] = &[1];

/// How often, and how far apart, sled's lock is tried: for 5 s in all.
const LOCK_TRIES: u32 = 2_500;
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// What failed in an engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// sled says so.
    #[error("sled reports an error")]
    Sled(#[from] sled::Error),
    /// The file could not be synced, or its folder not read.
    #[error("the database file could not be made durable")]
    Io(#[from] io::Error),
    /// sled panicked instead of saying so.
    #[error("sled panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// A value that no batch can have put.
    #[error("a value of {bytes} bytes was not written by this program")]
    Foreign {
        /// Its length.
        bytes: usize,
    },
    /// A test asked for it.
    #[error("a failure was injected")]
    Injected,
}

/// Where a commit can fail; for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// With half of the batch applied in memory.
    Apply,
    /// With all of it applied in memory.
    Flush,
    /// With all of it written, perhaps not to the disk.
    Sync,
}

/// The calls of a commit.
pub(super) trait Disk {
    /// Makes durable what reads have written, such as the split of a page; mostly there is nothing.
    fn settle(&mut self) -> Result<(), EngineError>;
    fn apply(&mut self, batch: &Batch, counters: Counters) -> Result<(), EngineError>;
    fn flush(&mut self) -> Result<(), EngineError>;
    fn sync(&mut self) -> Result<(), EngineError>;
}

/// Writes a batch so that it survives power loss: one `apply`, one `flush`, one `sync`, and nothing in between or
/// unsynced before.
pub(super) fn write_durably(
    disk: &mut impl Disk,
    batch: &Batch,
    counters: Counters,
) -> Result<(), EngineError> {
    disk.settle()?;
    disk.apply(batch, counters)?;
    disk.flush()?;
    disk.sync()
}

/// An open engine folder.
pub(super) struct Engine {
    db: Handle,
    synced: File,
    path: PathBuf,
    counters: Counters,
    fail_next: Option<Step>,
}

impl Engine {
    /// Makes a new engine folder, all of it on disk.
    pub(super) fn create(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::io(path, source);
        fs::create_dir(path).map_err(io)?;
        File::options().create_new(true).write(true).open(path.join(DATABASE)).map_err(io)?;
        Self::start(path)
    }

    /// Opens an engine folder that CURRENT names. It is never created here: that would be an empty store where a full
    /// one is expected.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        for needed in [path.to_owned(), path.join(DATABASE), path.join("conf")] {
            if !needed.exists() {
                return Err(OpenError::Missing { path: needed });
            }
        }
        let engine = Self::start(path)?;
        // sled takes a file in which it recognises nothing for a new one.
        if !engine.db.was_recovered() {
            return Err(OpenError::Blank { path: path.to_owned() });
        }
        Ok(engine)
    }

    fn start(path: &Path) -> Result<Self, OpenError> {
        let database = path.join(DATABASE);
        let synced = File::options().read(true).write(true).open(&database);
        let synced = synced.map_err(|source| OpenError::io(&database, source))?;
        wait_for_lock(&synced).map_err(|source| OpenError::io(&database, source))?;
        remove_unfinished_checkpoints(path).map_err(|source| OpenError::io(path, source))?;
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = Handle::open(&config).map_err(|source| OpenError::engine(path, source))?;
        let counters = Counters::default();
        let mut engine = Self { db, synced, path: path.to_owned(), counters, fail_next: None };
        engine.begin().map_err(|source| OpenError::engine(path, source))?;
        Ok(engine)
    }

    /// Syncs what opening wrote, and the names of the files, which sled never does; reads the counters.
    fn begin(&mut self) -> Result<(), EngineError> {
        guarded(|| Ok(self.db.flush()?))?;
        self.synced.sync_data()?;
        sync_tree(&self.path)?;
        if let Some(parent) = self.path.parent() {
            sync_folder(parent)?;
        }
        let counted = guarded(|| Ok(self.db.get(COUNTERS_KEY)?))?;
        self.counters = match counted.and_then(|value| Counters::decode(&value)) {
            Some(counters) => counters,
            None => self.count()?,
        };
        Ok(())
    }

    /// Makes a batch durable. `undo` is what its keys held, see [`Engine::undo`].
    ///
    /// After an error the engine's memory, and its disk, may hold any part of the batch, and nothing else that they
    /// should not.
    pub(super) fn commit(&mut self, batch: &Batch, undo: &Undo) -> Result<(), EngineError> {
        let counters = self.counters.after(batch.operations(), undo);
        guarded(|| write_durably(self, batch, counters))?;
        self.counters = counters;
        Ok(())
    }

    /// Writes into this empty engine whatever lives in `source`, with what is in `undo` put back.
    pub(super) fn copy(&mut self, source: &Self, undo: &Undo) -> Result<(), EngineError> {
        const PAGE_KEYS: usize = 128;
        let mut batch = Batch::new();
        let mut from = FIRST_KEY.to_vec();
        loop {
            let page = source.scan(&[], &from, PAGE_KEYS)?;
            let Some((last, _)) = page.last() else { break };
            from = last.successor().as_bytes().to_vec();
            for (key, value) in page {
                if !undo.contains_key(&key) {
                    self.copy_one(&mut batch, key, value)?;
                }
            }
        }
        for (key, held) in undo {
            if let Some(value) = held {
                self.copy_one(&mut batch, key.clone(), value.clone())?;
            }
        }
        self.commit(&batch, &Undo::new())
    }

    fn copy_one(&mut self, batch: &mut Batch, key: Key, value: Vec<u8>) -> Result<(), EngineError> {
        let value = Value::new(value).map_err(|error| EngineError::Foreign { bytes: error.bytes })?;
        batch.put_new(key, value);
        if batch.bytes() >= BATCH_BYTES_MAX {
            self.commit(&std::mem::take(batch), &Undo::new())?;
        }
        Ok(())
    }

    /// Makes the next commit fail at `step`.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn fail_next(&mut self, step: Step) {
        self.fail_next = Some(step);
    }

    /// Lets go of the folder without writing anything more into it.
    pub(super) fn abandon(self) {
        self.db.abandon();
    }

    /// Reads what the keys of a batch hold before it. Keys that it says are new are not read: in the path of every
    /// edit no page is visited but by the batch itself.
    pub(super) fn undo(&self, batch: &Batch) -> Result<Undo, EngineError> {
        let mut undo = Undo::new();
        for operation in batch.operations() {
            if undo.contains_key(operation.key()) {
                continue;
            }
            let held = match operation {
                Operation::PutNew(..) => None,
                Operation::Put(key, _) | Operation::Delete(key) => self.get(key.as_bytes())?,
            };
            undo.insert(operation.key().clone(), held);
        }
        Ok(undo)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        guarded(|| Ok(self.db.get(key)?.map(|value| value.to_vec())))
    }

    pub(super) fn scan(
        &self,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, EngineError> {
        let from = from.max(prefix).max(FIRST_KEY);
        guarded(|| {
            let mut page = Vec::new();
            for found in self.db.range(from..).take(limit) {
                let (key, value) = found?;
                if !key.starts_with(prefix) {
                    break;
                }
                page.push((Key::from_stored(&key), value.to_vec()));
            }
            Ok(page)
        })
    }

    pub(super) fn stats(&self) -> Result<Stats, EngineError> {
        Ok(self.counters.stats(tree_bytes(&self.path)?))
    }

    fn count(&self) -> Result<Counters, EngineError> {
        guarded(|| {
            let mut counters = Counters::default();
            for found in self.db.range(FIRST_KEY..) {
                let (key, value) = found?;
                counters.add(key.len(), value.len());
            }
            Ok(counters)
        })
    }

    /// Fails here if a test asked for it.
    fn fail_at(&mut self, step: Step) -> Result<(), EngineError> {
        match self.fail_next.take_if(|next| *next == step) {
            Some(_) => Err(EngineError::Injected),
            None => Ok(()),
        }
    }
}

/// Waits until nobody holds sled's lock on the database file, or long enough; sled then says that it is locked.
///
/// The data folder is ours, so nobody is to be feared but ourselves: when sled is dropped, a thread of its pool may
/// still be on its way out and hold the file for a moment.
fn wait_for_lock(database: &File) -> io::Result<()> {
    for _ in 0..LOCK_TRIES {
        match database.try_lock() {
            Ok(()) => return database.unlock(),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Removes checkpoints that sled was writing when the process ended or the disk was full.
///
/// It writes `snap.N.generating`, renames that to `snap.N`, and only then removes older ones. But when it looks for the
/// newest it skips names that end in another suffix than the one it writes, takes the unfinished file for the newest,
/// and calls the database corrupt. Without that file it goes on from the one before.
fn remove_unfinished_checkpoints(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating")) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Disk for Engine {
    fn settle(&mut self) -> Result<(), EngineError> {
        if self.db.flush()? > 0 {
            self.synced.sync_data()?;
        }
        Ok(())
    }

    fn apply(&mut self, batch: &Batch, counters: Counters) -> Result<(), EngineError> {
        let failure = self.fail_at(Step::Apply);
        let operations = match failure {
            Ok(()) => batch.operations(),
            Err(_) => &batch.operations()[..batch.len() / 2],
        };
        let mut writes = sled::Batch::default();
        for operation in operations {
            match operation.value() {
                Some(value) => writes.insert(operation.key().as_bytes(), value.as_bytes()),
                None => writes.remove(operation.key().as_bytes()),
            }
        }
        writes.insert(COUNTERS_KEY, counters.encode());
        self.db.apply_batch(writes)?;
        failure
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        self.fail_at(Step::Flush)?;
        self.db.flush()?;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.fail_at(Step::Sync)?;
        Ok(self.synced.sync_data()?)
    }
}
