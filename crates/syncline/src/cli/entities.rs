//! `syncline entities`: all records of a data folder, and the documents that they are, out of it and into it; and some erased.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use syncline::{
    core::{
        entity::{EntityId, EntityKey, NameError as NameFault, TypeName, UserName},
        id::RoomName,
    },
    protocol::ledger::{Answer, Erasure, Input, entity_of},
    server::{OfflineLedger, Wanted, finish_erasures},
};

use super::{Outcome, at, folder, settings::TenantArgs, table::plain, teller::Teller};

pub(crate) const EXAMPLES: &str = "\
Examples:
  syncline entities export all.ndjson.zst
  syncline entities export --type note --type stock | jq .id
  syncline entities import all.ndjson.zst --data-dir copy
  syncline entities erase note/n1

A server that runs exports and imports the same lines:
  curl -H 'Authorization: Bearer TOKEN' -H 'Accept-Encoding: zstd' http://127.0.0.1:8080/sync/v1/export -o all.ndjson.zst
  curl -H 'Authorization: Bearer TOKEN' -H 'Content-Encoding: zstd' -H 'Accept: application/x-ndjson' \\
    -T all.ndjson.zst -X POST http://127.0.0.1:8080/sync/v1/import";

/// What a file begins with that is packed with zstd.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Refused records that are shown one by one.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Subcommand)]
pub(crate) enum EntitiesCommand {
    /// Writes all records with their documents as JSON, one a line, with a hash; exit code 1 if a document cannot be read.
    Export {
        /// Where to write them; packed with zstd if it ends in .zst [default: stdout]
        file: Option<PathBuf>,
        /// Only those of this type; may be given several times
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        #[command(flatten)]
        after: AfterArg,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Creates the records of an export that are not there, and adds to documents what they lack.
    ///
    /// What is there stays as it is, so an import that was broken off is started again. Exit code 1 if anything was refused.
    Import {
        /// What to read, packed with zstd or not; - is stdin
        file: PathBuf,
        #[command(flatten)]
        after: AfterArg,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Removes for good what is known of an entity, and rewrites the data folder so that no file holds it.
    Erase {
        /// The entity, named TYPE/ID
        #[arg(value_name = "TYPE/ID")]
        name: String,
        /// Who wants that, as the audit is to say
        #[arg(long, value_name = "USER", default_value = "local")]
        by: String,
        #[command(flatten)]
        data: TenantArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AfterArg {
    /// Go on behind this record, named TYPE/ID
    #[arg(long, value_name = "TYPE/ID")]
    after: Option<String>,
}

/// What was asked for has the name of nothing.
#[derive(Debug, thiserror::Error)]
enum NameError {
    #[error("{name:?} is no entity; name it TYPE/ID")]
    Entity { name: String },
    #[error("there is no type {name:?}; `syncline types` lists those that there are")]
    Type { name: String },
}

/// Why an entity is not erased.
#[derive(Debug, thiserror::Error)]
enum EraseError {
    #[error("{by:?} is no name of a user")]
    User { by: String, source: NameFault },
    #[error("{name} has not got its own id yet; nothing is known by this one")]
    Temporary { name: EntityId },
    #[error("the ledger answers another question")]
    Unexpected,
}

impl EntitiesCommand {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Export { file, types, after, data } => {
                let types =
                    types.into_iter().map(|name| TypeName::new(&name).map_err(|_| NameError::Type { name }));
                let wanted = Wanted { types: types.collect::<Result<_, _>>()?, after: after.key()? };
                export(&data, &wanted, file.as_deref())
            }
            Self::Import { file, after, data } => import(&data, &file, after.key()?),
            Self::Erase { name, by, data } => erase(&data, key_of(name)?, &by),
        }
    }
}

impl AfterArg {
    fn key(self) -> Result<Option<EntityKey>, NameError> {
        self.after.map(key_of).transpose()
    }
}

fn key_of(name: String) -> Result<EntityKey, NameError> {
    // It is named as its room would be.
    let key = RoomName::new(&name).ok().and_then(|name| entity_of(&name));
    key.ok_or(NameError::Entity { name })
}

fn export(data: &TenantArgs, wanted: &Wanted, file: Option<&Path>) -> Outcome {
    let (mut store, tenant) = folder::open_tenant(data)?;
    let entities = OfflineLedger::open(&mut store, tenant)?;
    let known = |kind: &&TypeName| entities.ledger().entity_type(kind).is_none();
    if let Some(unknown) = wanted.types.iter().find(known) {
        return Err(NameError::Type { name: unknown.to_string() }.into());
    }
    let mut teller = Teller::new(true);
    let mut write = |out: &mut dyn Write| {
        entities.export(wanted, out, |done, key| {
            teller.tell(|| format!("{} records, through {}/{}", done.records, key.kind, key.id));
        })
    };
    let exported = match file {
        None => write(&mut BufWriter::new(io::stdout().lock()))?,
        Some(path) => {
            let created = File::create(path).map_err(|error| at(path, &error))?;
            if path.extension().is_some_and(|extension| extension == "zst") {
                let mut packer = zstd::Encoder::new(created, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                let exported = write(&mut packer)?;
                packer.finish()?.sync_all()?;
                exported
            } else {
                let mut out = BufWriter::new(created);
                let exported = write(&mut out)?;
                out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                exported
            }
        }
    };
    let mut errors = io::stderr().lock();
    for EntityKey { kind, id } in exported.unreadable.iter().take(SHOWN_MAX) {
        writeln!(errors, "{kind}/{id}: the document cannot be read; `syncline verify` says more")?;
    }
    let unreadable = exported.unreadable.len();
    let (records, documents) = (exported.records, exported.documents);
    writeln!(errors, "{records} records, {documents} with documents, {unreadable} documents cannot be read")?;
    Ok(if unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn import(data: &TenantArgs, file: &Path, after: Option<EntityKey>) -> Outcome {
    let mut lines = open(file)?;
    let mut store = folder::open(&data.data.data_dir()?)?;
    let tenant = folder::tenant(&store, &data.tenant)?;
    let mut entities = OfflineLedger::open(&mut store, tenant)?;
    let mut teller = Teller::new(true);
    let tally = entities.import(&mut *lines, after, |progress| teller.tell(|| progress.to_owned()))?;
    let mut errors = io::stderr().lock();
    for (EntityKey { kind, id }, problem) in tally.refused.iter().take(SHOWN_MAX) {
        let why = problem.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", plain(detail)));
        writeln!(errors, "refused {kind}/{id}: {}{why}", problem.code.as_str())?;
    }
    let refused = tally.refused_beyond + tally.refused.len() as u64;
    let (imported, merged, unchanged) = (tally.imported, tally.merged, tally.unchanged);
    writeln!(errors, "{imported} imported, {merged} merged, {unchanged} unchanged, {refused} refused")?;
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn erase(data: &TenantArgs, key: EntityKey, by: &str) -> Outcome {
    let by = UserName::new(by).map_err(|source| EraseError::User { by: by.to_owned(), source })?;
    if key.id.is_temporary() {
        return Err(EraseError::Temporary { name: key.id }.into());
    }
    let (mut store, tenant) = folder::open_tenant(data)?;
    let mut entities = OfflineLedger::open(&mut store, tenant)?;
    if entities.ledger().entity_type(&key.kind).is_none() {
        return Err(NameError::Type { name: key.kind.to_string() }.into());
    }
    let named = key.clone();
    let Answer::Erased { is_new, .. } =
        entities.ask(|request| Input::Erase { request, what: Erasure::Entity { key: named, by } })?
    else {
        return Err(EraseError::Unexpected.into());
    };
    let rewritten = finish_erasures(&mut store)?.is_some();
    let EntityKey { kind, id } = key;
    let when = if is_new { "is erased" } else { "was erased before" };
    let files = if rewritten { "; the data folder was rewritten without it" } else { "" };
    writeln!(io::stderr(), "{kind}/{id} {when}{files}")?;
    Ok(ExitCode::SUCCESS)
}

/// Opens what is to be imported, unpacked.
fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut input: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|error| at(path, &error))?))
    };
    // A pipe may have less at first, but never none.
    if input.fill_buf()?.starts_with(&ZSTD) {
        return Ok(Box::new(BufReader::new(zstd::Decoder::with_buffer(input)?)));
    }
    Ok(input)
}
