//! `syncline import`: documents of other servers into a data folder.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use syncline::{
    core::{
        doc::{AutomergeDocument, AutomergeError, CompactError},
        id::{ConnectionId, RoomName, TenantId},
        log::{Author, Engine, Former, LogEntry, LogRecord},
        time::WallMs,
    },
    protocol::{Loaded, wire::automerge::is_document_name},
    server::new_document_id,
    store::{
        Batch, CommitError, RecordTooLong, Store,
        records::{self, Named, RecordError},
    },
};

use super::{Outcome, at, folder, settings::TenantArgs, wall_now};

pub(crate) const EXAMPLES: &str = "\
Example:
  syncline import automerge-repo ./automerge-repo-data --data-dir /var/lib/syncline";

/// What is stored of a document as a whole, and as single changes.
const KINDS: [&str; 2] = ["snapshot", "incremental"];

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Adds every document in a folder of automerge-repo's NodeFSStorageAdapter.
    AutomergeRepo {
        /// The folder
        folder: PathBuf,
        #[command(flatten)]
        data: TenantArgs,
    },
}

/// Why a document was not imported.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("a Yjs document has its name")]
    OtherKind,
    #[error("a document of its name was deleted, and the name is not used again")]
    Deleted,
    #[error("its changes are refused: {}", .0.reason())]
    Refused(#[from] AutomergeError),
    #[error("the document that is here cannot be loaded")]
    Unloadable(#[from] CompactError),
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Stored(#[from] records::LoadError),
    #[error(transparent)]
    TooLongRecord(#[from] RecordTooLong),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl ImportCommand {
    pub(crate) fn run(self) -> Outcome {
        let Self::AutomergeRepo { folder, data } = self;
        let mut store = folder::open(&data.data.data_dir()?)?;
        let tenant = folder::tenant(&store, &data.tenant)?;
        let (mut added, mut known, mut failed) = (0, 0, 0);
        for (name, path) in documents(&folder)? {
            match import(&mut store, (tenant, &name), &path, wall_now()) {
                Ok(true) => added += 1,
                Ok(false) => known += 1,
                Err(error) => {
                    failed += 1;
                    writeln!(io::stderr(), "{name}: {error}")?;
                }
            }
        }
        writeln!(
            io::stderr(),
            "{added} documents added to, {known} with nothing new, {failed} not imported"
        )?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Returns the documents in a folder with where each is, in order: the first two letters of its name are a folder, and the rest one in that.
fn documents(folder: &Path) -> io::Result<Vec<(RoomName, PathBuf)>> {
    let mut found = Vec::new();
    for head in entries(folder)? {
        if !head.is_dir() {
            continue;
        }
        for tail in entries(&head)? {
            let name =
                [&head, &tail].map(|path| path.file_name().unwrap_or_default().to_string_lossy()).concat();
            if let Ok(room) = RoomName::new(&name)
                && is_document_name(&name)
                && tail.is_dir()
            {
                found.push((room, tail));
            }
        }
    }
    Ok(found)
}

/// Returns what is in a folder, in order; nothing if there is no such.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).map_err(|error| at(folder, &error))?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Adds what is new in the files of a document, as one commit. Returns whether anything was.
fn import(
    store: &mut dyn Store,
    (tenant, name): (TenantId, &RoomName),
    path: &Path,
    at: WallMs,
) -> Result<bool, ImportError> {
    let known = records::named(store, tenant, name)?;
    if known.is_some_and(|named| named.engine != Engine::Automerge) {
        return Err(ImportError::OtherKind);
    }
    if records::former(store, tenant, name)? == Former::Everyone {
        return Err(ImportError::Deleted);
    }
    let named = known.unwrap_or_else(|| Named { document: new_document_id(), engine: Engine::Automerge });
    let records::Loaded { snapshot, log, .. } = records::load(store, tenant, named.document)?;
    let loaded = Loaded { snapshot, log };
    let mut document = AutomergeDocument::load(loaded.snapshot.as_ref(), &loaded.log)?;
    let mut entries = Vec::new();
    for bytes in stored_parts(path)? {
        entries.extend(document.apply(&bytes)?.map(|update| LogEntry {
            author: Author::default(),
            connection: ConnectionId(0),
            at,
            update,
            origins: None,
        }));
    }
    if entries.is_empty() {
        return Ok(false);
    }
    let record = LogRecord { number: loaded.number().next(), entries };
    let mut batch = Batch::new();
    records::put_log(&mut batch, tenant, named.document, &record)?;
    if known.is_none() {
        records::put_named(&mut batch, tenant, name, named);
    }
    store.commit(batch)?;
    Ok(true)
}

/// Returns each snapshot, and all single changes together: they may rest on each other in any order.
fn stored_parts(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    for kind in KINDS {
        let folder = path.join(kind);
        let files = if folder.is_dir() { entries(&folder)? } else { Vec::new() };
        let read = files.iter().map(|file| fs::read(file).map_err(|error| at(file, &error)));
        let read = read.collect::<io::Result<Vec<_>>>()?;
        if kind == KINDS[0] { parts.extend(read) } else { parts.push(read.concat()) }
    }
    Ok(parts)
}
