//! The data folder: who owns it, and which engine folder in it counts.
//!
//! ```text
//! data/
//!   LOCK            held with flock by whoever has the store open
//!   CURRENT         "none\n", or the name of the engine folder that counts: "db-000001\n"
//!   CURRENT.new     what CURRENT is about to be; garbage
//!   db-000001/      sled's files: db, conf, blobs/, snap.*
//!   db-000002/      not named by CURRENT: garbage
//! ```
//!
//! CURRENT is there before the first engine folder, and changes only by an atomic rename after everything that it is
//! going to name is on disk. So a folder that it does not name is always garbage, and engine folders without a CURRENT
//! mean that somebody removed it: nothing is touched then.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::OpenError;

const LOCK: &str = "LOCK";
const CURRENT: &str = "CURRENT";
const CURRENT_NEW: &str = "CURRENT.new";
const NONE: &str = "none";
const ENGINE_PREFIX: &str = "db-";

/// The number of an engine folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EngineNumber(u32);

/// A data folder that this process owns.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    current: Option<EngineNumber>,
    /// Held, never read: closing the file gives the folder up.
    _lock: File,
}

impl DataFolder {
    /// Creates the folder if it is absent, takes its lock, and reads CURRENT.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        create_durably(path).map_err(|source| OpenError::io(path, source))?;
        let lock = take_lock(path)?;
        let current = match read_current(path)? {
            Some(current) => current,
            None => {
                if let Some(number) = engines(path)?.into_iter().max() {
                    return Err(OpenError::CurrentMissing {
                        path: path.join(CURRENT),
                        engine: engine_name(number),
                    });
                }
                write_current(path, NONE).map_err(|source| OpenError::io(&path.join(CURRENT), source))?;
                None
            }
        };
        Ok(Self { path: path.to_owned(), current, _lock: lock })
    }

    /// Makes `number` the engine folder that counts; everything in it must be on disk.
    ///
    /// After an error either folder may count.
    pub(super) fn switch(&mut self, number: EngineNumber) -> io::Result<()> {
        write_current(&self.path, &engine_name(number))?;
        self.current = Some(number);
        Ok(())
    }

    /// Removes every engine folder but the one that counts.
    pub(super) fn sweep(&self) -> Result<(), OpenError> {
        for number in engines(&self.path)? {
            if Some(number) != self.current {
                let engine = self.engine(number);
                fs::remove_dir_all(&engine).map_err(|source| OpenError::io(&engine, source))?;
            }
        }
        Ok(())
    }

    /// Returns the number of the engine folder that counts; `None` before there is any.
    pub(super) fn current(&self) -> Option<EngineNumber> {
        self.current
    }

    /// Returns a number that no engine folder has.
    pub(super) fn unused(&self) -> Result<EngineNumber, OpenError> {
        let greatest = engines(&self.path)?.into_iter().chain(self.current).max();
        Ok(EngineNumber(greatest.map_or(1, |number| number.0.saturating_add(1))))
    }

    /// Returns the path of an engine folder.
    pub(super) fn engine(&self, number: EngineNumber) -> PathBuf {
        self.path.join(engine_name(number))
    }

    /// Returns the path of the data folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a file's bytes and length durable.
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the names in a folder durable. Where folders cannot be opened as files, the file system sees to it.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Makes every file in a folder durable, those of its folders, and the names of them all.
pub(super) fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            sync_file(&entry.path())?;
        }
    }
    sync_folder(path)
}

/// Returns the bytes of every file in a folder and its folders.
pub(super) fn tree_bytes(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // sled removes old checkpoints by itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        bytes += if metadata.is_dir() { tree_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn create_durably(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let absent: Vec<_> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    fs::create_dir_all(&path)?;
    for parent in absent.into_iter().filter_map(Path::parent) {
        sync_folder(parent)?;
    }
    Ok(())
}

fn take_lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = path.join(LOCK);
    let open = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let lock = open.map_err(|source| OpenError::io(&lock_path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: lock_path }),
        Err(TryLockError::Error(source)) => Err(OpenError::io(&lock_path, source)),
    }
}

/// Returns `None` if there is no CURRENT, and `Some(None)` if it says that there is no engine folder.
fn read_current(path: &Path) -> Result<Option<Option<EngineNumber>>, OpenError> {
    let path = path.join(CURRENT);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::io(&path, source)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let name = text.trim_end();
    if name == NONE {
        return Ok(Some(None));
    }
    match engine_number(name) {
        Some(number) => Ok(Some(Some(number))),
        None => Err(OpenError::CurrentMalformed { path, found: name.chars().take(64).collect() }),
    }
}

fn write_current(path: &Path, name: &str) -> io::Result<()> {
    let new = path.join(CURRENT_NEW);
    let mut file = File::create(&new)?;
    file.write_all(format!("{name}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path.join(CURRENT))?;
    sync_folder(path)
}

fn engines(path: &Path) -> Result<Vec<EngineNumber>, OpenError> {
    let entries = fs::read_dir(path).map_err(|source| OpenError::io(path, source))?;
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| OpenError::io(path, source))?;
        numbers.extend(entry.file_name().to_str().and_then(engine_number));
    }
    Ok(numbers)
}

fn engine_name(EngineNumber(number): EngineNumber) -> String {
    format!("{ENGINE_PREFIX}{number:06}")
}

/// Only a name that [`engine_name`] makes is one: other folders are not ours to remove.
fn engine_number(name: &str) -> Option<EngineNumber> {
    let number = EngineNumber(name.strip_prefix(ENGINE_PREFIX)?.parse().ok()?);
    (engine_name(number) == name).then_some(number)
}
