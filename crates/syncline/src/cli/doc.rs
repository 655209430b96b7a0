//! `syncline doc`: documents of a data folder.

mod branches;
mod bulk;
mod past;

use std::{
    fs,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::json;
use syncline::{
    core::{
        doc::{AnyDocument, ApplyError, Broken, CompactError, YjsDocument},
        guard::scan_update,
        id::{ConnectionId, DocumentId, RoomName, TenantId},
        limits::DOCUMENT_BYTES_MAX,
        log::{Author, Engine, Former, LogEntry, LogRecord},
        time::WallMs,
    },
    protocol::Loaded,
    server::{delete_document, new_document_id},
    store::{
        Batch, CommitError, ReadError, RecordTooLong, Store,
        records::{self, Named, RecordError},
    },
};

use super::{Outcome, at, folder, settings::TenantArgs, wall_now};

pub(crate) const EXAMPLES: &str = "\
Examples:
  syncline doc list --json
  syncline doc show my-room
  syncline doc show my-room --text content
  syncline doc export my-room my-room.yjs
  syncline doc import copy-of-my-room my-room.yjs
  syncline doc export --all --to all.ndjson
  syncline doc export --prefix team/ --to - | gzip > team.ndjson.gz
  syncline doc import --from all.ndjson --existing skip
  syncline doc delete my-room
  syncline doc history my-room
  syncline doc diff my-room --from 12
  syncline doc restore my-room --at 2027-01-31T00:00:00.000Z
  syncline doc branch my-room --to draft
  syncline doc merge my-room --from draft --dry-run";

/// What is to be known of exports of many documents.
const MANY: &str = "\
The lines are those of a server: what one of both exports the other imports.
  curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:8080/docs/v1/export -o all.ndjson
  curl -H 'Authorization: Bearer TOKEN' --no-buffer -X POST -T all.ndjson http://127.0.0.1:8080/docs/v1/import";

#[derive(Debug, Subcommand)]
pub(crate) enum DocCommand {
    /// Lists every room with its size and the number of its commits.
    List {
        /// Write an array of objects instead
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Shows a document as JSON, one member for each root type, or one root as text.
    Show {
        #[command(flatten)]
        room: RoomArg,
        /// Show this root type as plain text
        #[arg(long, value_name = "ROOT")]
        text: Option<String>,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Writes a document in the bytes of its kind: a Yjs update (V1), or what Automerge saves; or many as JSON, one a line.
    #[command(
        override_usage = "syncline doc export [OPTIONS] ROOM [FILE]\n       \
                          syncline doc export [OPTIONS] --all | --prefix TEXT --to FILE",
        after_help = MANY
    )]
    Export {
        /// Name of the room
        #[arg(required_unless_present_any = ["all", "prefix"])]
        room: Option<String>,
        /// Where to write it [default: stdout]
        file: Option<PathBuf>,
        #[command(flatten)]
        many: bulk::ExportManyArgs,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Adds a Yjs update (V1) to a document, which is created if it is absent; or takes in many documents that were exported.
    #[command(
        override_usage = "syncline doc import [OPTIONS] ROOM FILE\n       \
                          syncline doc import [OPTIONS] --from FILE...",
        after_help = MANY
    )]
    Import {
        /// Name of the room
        #[arg(required_unless_present = "from")]
        room: Option<String>,
        /// Where to read it; - is stdin
        #[arg(required_unless_present = "from")]
        file: Option<PathBuf>,
        #[command(flatten)]
        many: bulk::ImportManyArgs,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Deletes a document for good, and rewrites the data folder so that no file holds it.
    Delete {
        #[command(flatten)]
        room: RoomArg,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Tells who worked on a document when.
    History(past::HistoryArgs),
    /// Tells what differs between two states of a document.
    Diff(past::DiffArgs),
    /// Brings a document to what it was, by a new commit: nothing is rewound.
    Restore(past::RestoreArgs),
    /// Creates a document that begins with a state of another, the newest if none is named, and can be merged into it later.
    Branch(branches::BranchArgs),
    /// Brings what a branch holds into its document, or the other way round.
    Merge(branches::MergeArgs),
    /// Lists the branches of a document, and where it comes from.
    Branches(past::LookArgs),
    /// Lists the states of a document that were given a name.
    Versions(past::LookArgs),
    /// Tells who wrote what stands in the texts of a document.
    Blame(past::LookArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RoomArg {
    /// Name of the room
    room: String,
}

/// Why a document was not read or changed.
#[derive(Debug, thiserror::Error)]
enum DocError {
    #[error("there is no room {name:?}")]
    NoRoom { name: String },
    #[error(
        "it is an Automerge document: `syncline doc import --from` and `syncline import automerge-repo` take such in"
    )]
    OtherKind,
    #[error(
        "a document of this name was deleted, and this holds something of it: import it under another name"
    )]
    Deleted,
    #[error("there is no root type {root:?}")]
    NoRoot { root: String },
    #[error("the file has more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    #[error("the update rests on changes that neither it nor the document holds")]
    Gap,
    #[error("the file is not an update that can be added")]
    Refused(#[from] ApplyError),
    #[error("the document cannot be loaded")]
    Unloadable(#[from] CompactError),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Stored(#[from] records::LoadError),
    #[error(transparent)]
    TooLongRecord(#[from] RecordTooLong),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl DocCommand {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::List { json, data } => {
                let (store, tenant) = folder::open_tenant(&data)?;
                list(&store, tenant, json)
            }
            Self::Show { room, text, data } => {
                let (store, tenant) = folder::open_tenant(&data)?;
                let document = open(&store, tenant, &room)?;
                show(&document, text)
            }
            Self::Export { room: None, file: _, many, data } => many.run(&data),
            Self::Export { room: Some(room), file, many: _, data } => {
                let (store, tenant) = folder::open_tenant(&data)?;
                let update = open(&store, tenant, &RoomArg { room })?.encode()?;
                match file {
                    Some(path) => fs::write(&path, &update).map_err(|error| at(&path, &error))?,
                    None => io::stdout().write_all(&update)?,
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Import { room: Some(room), file: Some(file), many: _, data } => {
                let name = RoomName::new(&room)?;
                let update = read(&file)?;
                let mut store = folder::open(&data.data.data_dir()?)?;
                let tenant = folder::tenant(&store, &data.tenant)?;
                let added = import(&mut store, (tenant, &name), update, wall_now())?;
                let text = if added == 0 { "nothing new".into() } else { format!("{added} bytes added") };
                writeln!(io::stderr(), "{text}")?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Import { room: _, file: _, many, data } => many.run(&data),
            Self::Delete { room: RoomArg { room }, data } => {
                let (mut store, tenant) = folder::open_tenant(&data)?;
                delete_document(&mut store, tenant, &RoomName::new(&room)?)?;
                writeln!(io::stderr(), "{room} is deleted; the data folder was rewritten without it")?;
                Ok(ExitCode::SUCCESS)
            }
            Self::History(args) => past::history(&args),
            Self::Diff(args) => past::diff(&args),
            Self::Restore(args) => past::restore(&args),
            Self::Branch(args) => branches::branch(args),
            Self::Merge(args) => branches::merge(&args),
            Self::Branches(args) => branches::branches(&args),
            Self::Versions(args) => past::versions(&args),
            Self::Blame(args) => past::blame(&args),
        }
    }
}

fn list(store: &dyn Store, tenant: TenantId, as_json: bool) -> Outcome {
    const PAGE: usize = 256;
    let mut out = io::stdout().lock();
    let mut rooms = Vec::new();
    let mut after: Option<RoomName> = None;
    loop {
        let page = records::names(store, tenant, "", after.as_ref(), PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (name, document) in page {
            let sizes = records::document_sizes(store, tenant, document)?;
            let bytes = sizes.snapshot_bytes + sizes.log_bytes;
            if as_json {
                rooms.push(json!({
                    "name": name.as_str(),
                    "document": document.to_string(),
                    "bytes": bytes,
                    "commits": sizes.commits.0,
                }));
            } else {
                writeln!(out, "{:>12} bytes {:>9} commits  {name}", bytes, sizes.commits.0)?;
            }
        }
    }
    if as_json {
        serde_json::to_writer_pretty(&mut out, &rooms)?;
        writeln!(out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(document: &AnyDocument, root: Option<String>) -> Outcome {
    let mut out = io::stdout().lock();
    match root {
        Some(root) => {
            let text = document.text(&root)?.ok_or(DocError::NoRoot { root })?;
            writeln!(out, "{text}")?;
        }
        None => {
            serde_json::to_writer_pretty(&mut out, &document.to_json()?)?;
            writeln!(out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the document of a room that must exist.
fn open(store: &dyn Store, tenant: TenantId, RoomArg { room }: &RoomArg) -> Result<AnyDocument, DocError> {
    let absent = || DocError::NoRoom { name: room.clone() };
    let name = RoomName::new(room).map_err(|_| absent())?;
    let named = records::named(store, tenant, &name)?.ok_or_else(absent)?;
    let loaded = load(store, tenant, named.document)?;
    Ok(AnyDocument::load(named.engine, loaded.snapshot.as_ref(), &loaded.log)?)
}

/// Returns the id of a Yjs document, of which updates are taken in.
fn yjs(named: Named) -> Result<DocumentId, DocError> {
    match named.engine {
        Engine::Yjs => Ok(named.document),
        Engine::Automerge => Err(DocError::OtherKind),
    }
}

fn load(store: &dyn Store, tenant: TenantId, document: DocumentId) -> Result<Loaded, DocError> {
    let records::Loaded { snapshot, log, .. } = records::load(store, tenant, document)?;
    Ok(Loaded { snapshot, log })
}

/// Adds what is new in `update` to the document of a room, as one commit. Returns its length in bytes.
fn import(
    store: &mut dyn Store,
    (tenant, name): (TenantId, &RoomName),
    update: Vec<u8>,
    at: WallMs,
) -> Result<usize, DocError> {
    let known = records::named(store, tenant, name)?.map(yjs).transpose()?;
    let former = records::former(store, tenant, name)?;
    let id = known.unwrap_or_else(new_document_id);
    let loaded = load(store, tenant, id)?;
    let mut document = YjsDocument::load(loaded.snapshot.as_ref(), &loaded.log)?;
    let is_former = match former {
        Former::Everyone => true,
        Former::Clients(clients) => scan_update(&update).is_ok_and(|scanned| scanned.is_by_any_of(&clients)),
    };
    if is_former {
        return Err(DocError::Deleted);
    }
    let applied = document.apply(&update.into())?;
    if applied.gap {
        return Err(DocError::Gap);
    }
    let Some(update) = applied.update else { return Ok(0) };
    let added = update.len();
    let entry =
        LogEntry { author: Author::default(), connection: ConnectionId(0), at, update, origins: None };
    let record = LogRecord { number: loaded.number().next(), entries: vec![entry] };
    let mut batch = Batch::new();
    records::put_log(&mut batch, tenant, id, &record)?;
    if known.is_none() {
        records::put_name(&mut batch, tenant, name, id);
    }
    store.commit(batch)?;
    Ok(added)
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path).map_err(|error| at(path, &error))?)
    };
    let mut bytes = Vec::new();
    input.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| at(path, &error))?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(DocError::TooLong.into());
    }
    Ok(bytes)
}

impl From<ReadError> for DocError {
    fn from(error: ReadError) -> Self {
        Self::Record(RecordError::Read(error))
    }
}

#[cfg(test)]
mod tests {
    use syncline::store::mem::MemoryStore;

    use super::*;

    const TENANT: TenantId = TenantId::DEFAULT;

    /// Client 1 inserts "hi" into the root text "t".
    const HI: [u8; 12] = [1, 1, 1, 0, 4, 1, 1, b't', 2, b'h', b'i', 0];

    #[test]
    fn what_is_imported_can_be_exported_and_imported_again() {
        let mut store = MemoryStore::new();
        let (first, second) = (RoomName::new("first").unwrap(), RoomName::new("second").unwrap());
        let hi = HI.to_vec();
        assert_eq!(import(&mut store, (TENANT, &first), hi.clone(), WallMs(5)).unwrap(), hi.len());
        assert_eq!(import(&mut store, (TENANT, &first), hi, WallMs(6)).unwrap(), 0, "it is there already");

        let exported = open(&store, TENANT, &RoomArg { room: "first".into() }).unwrap().encode().unwrap();
        import(&mut store, (TENANT, &second), exported.to_vec(), WallMs(7)).unwrap();
        let copy = open(&store, TENANT, &RoomArg { room: "second".into() }).unwrap();
        assert_eq!(copy.text("t").unwrap().as_deref(), Some("hi"));
    }

    #[test]
    fn what_is_no_update_changes_nothing() {
        let mut store = MemoryStore::new();
        let name = RoomName::new("room").unwrap();
        assert!(matches!(import(&mut store, (TENANT, &name), vec![9], WallMs(0)), Err(DocError::Refused(_))));
        assert!(store.live().is_empty());
    }
}
