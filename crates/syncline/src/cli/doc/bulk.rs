//! `syncline doc export --all | --prefix` and `syncline doc import --from`: many documents as lines of JSON.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use serde_json::json;
use syncline::{
    core::{
        id::{RoomName, RoomNameError},
        log::Author,
    },
    server::{
        DocumentsExported, DocumentsImported, Existing, ImportedLine, OfflineDocuments, OfflineDocumentsError,
    },
};

use crate::cli::{Outcome, at, folder, settings::TenantArgs, table::plain, teller::Teller};

/// Who imports, as history tells it.
const OPERATOR: &str = "operator";

#[derive(Debug, Args)]
pub(crate) struct ExportManyArgs {
    /// Write all documents, one a line
    #[arg(long, requires = "to", conflicts_with_all = ["room", "prefix"], help_heading = "Many documents")]
    pub(super) all: bool,
    /// Write those whose names begin so
    #[arg(
        long,
        value_name = "TEXT",
        requires = "to",
        conflicts_with = "room",
        help_heading = "Many documents"
    )]
    prefix: Option<String>,
    /// Where to write them; the file is there when all of them are in it. - is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "room", help_heading = "Many documents")]
    to: Option<PathBuf>,
    /// Go on behind this name
    #[arg(
        long, value_name = "NAME", value_parser = name, requires = "to", help_heading = "Many documents"
    )]
    after: Option<RoomName>,
    #[command(flatten)]
    told: ToldArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportManyArgs {
    /// Take in all documents of these exports; - is stdin
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "room", help_heading = "Many documents")]
    from: Vec<PathBuf>,
    /// What becomes of documents that are there already
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value_t = OnExisting::Merge,
        conflicts_with = "room",
        help_heading = "Many documents"
    )]
    existing: OnExisting,
    #[command(flatten)]
    told: ToldArgs,
}

#[derive(Debug, Args)]
struct ToldArgs {
    /// Write what became of them to stdout, as JSON
    #[arg(long, conflicts_with = "room", help_heading = "Many documents")]
    json: bool,
    /// Tell on stderr how far it is, also if that is no terminal
    #[arg(long, conflicts_with = "room", help_heading = "Many documents")]
    progress: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnExisting {
    /// They take in what they lack; nothing is lost, and the second time nothing changes
    Merge,
    /// They stay as they are
    Skip,
    /// They stay as they are, and each is an error
    Fail,
}

impl From<OnExisting> for Existing {
    fn from(what: OnExisting) -> Self {
        match what {
            OnExisting::Merge => Self::Merge,
            OnExisting::Skip => Self::Skip,
            OnExisting::Fail => Self::Fail,
        }
    }
}

/// Two things are to be written to stdout.
#[derive(Debug, thiserror::Error)]
#[error("with --to - the documents are on stdout: there is no place for --json")]
struct NoPlace;

/// Why a file is not imported, or not all of it.
#[derive(Debug, thiserror::Error)]
#[error("{}", file.display())]
struct InFile {
    file: PathBuf,
    source: OfflineDocumentsError,
}

fn name(text: &str) -> Result<RoomName, RoomNameError> {
    RoomName::new(text)
}

fn operator() -> Author {
    Author { user: Some(OPERATOR.into()), device: None }
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl ExportManyArgs {
    /// Writes what is wanted; exit code 1 if some of it cannot be read.
    pub(super) fn run(self, data: &TenantArgs) -> Outcome {
        let Self { all, prefix, to, after, told } = self;
        let prefix = prefix.filter(|_| !all).unwrap_or_default();
        let to = to.unwrap_or_else(|| "-".into());
        if told.json && is_standard(&to) {
            return Err(NoPlace.into());
        }
        let (mut store, tenant) = folder::open_tenant(data)?;
        let documents = OfflineDocuments::open(&mut store, tenant, operator())?;
        let total = documents.count(&prefix, after.as_ref())?;
        let mut teller = Teller::new(told.progress);
        let write =
            |out: &mut dyn Write| -> Result<DocumentsExported, Box<dyn std::error::Error + Send + Sync>> {
                let (mut count, mut bytes) = (0_u64, 0_u64);
                let exported = documents.export(&prefix, after.as_ref(), out, |line| {
                    let name = plain(line.name.as_str());
                    count += 1;
                    match &line.outcome {
                        Ok(more) => bytes += more,
                        Err(why) => {
                            complain(&format!("{name}: {}; `syncline verify` says more", why.message))
                        }
                    }
                    teller.tell(|| format!("{count} of {total} documents, {bytes} bytes, through {name}"));
                });
                Ok(exported?)
            };
        let DocumentsExported { documents, bytes, unreadable } = if is_standard(&to) {
            write_and_flush(BufWriter::new(io::stdout().lock()), write)?.0
        } else {
            write_whole(&to, write)?
        };
        if told.json {
            writeln!(
                io::stdout(),
                "{}",
                json!({ "documents": documents, "bytes": bytes, "unreadable": unreadable })
            )?;
        } else {
            writeln!(io::stderr(), "{documents} documents, {bytes} bytes, {unreadable} cannot be read")?;
        }
        Ok(if unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Tells of one document or line for which something is wrong.
fn complain(what: &str) {
    // Whoever does not listen reads it in the sum.
    let _ = writeln!(io::stderr(), "{what}");
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn write_and_flush<W: Write, T>(
    mut out: W,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<(T, W), Failure> {
    let written = write(&mut out)?;
    out.flush()?;
    Ok((written, out))
}

/// Writes a file beside the one that is wanted, which takes its place when all of it is on disk: what looks whole is.
fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut part = OsString::from(path);
    part.push(".part");
    let part = PathBuf::from(part);
    let created = File::create(&part).map_err(|error| at(&part, &error))?;
    let written = write_and_flush(BufWriter::new(created), write).and_then(|(written, out)| {
        out.get_ref().sync_all()?;
        fs::rename(&part, path).map_err(|error| at(path, &error))?;
        Ok(written)
    });
    if written.is_err() {
        // It is of no use, and may be gone.
        let _ = fs::remove_file(&part);
    }
    let written = written?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every system lets a folder be written to disk; the file is there in any case.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(written)
}

impl ImportManyArgs {
    /// Takes in all files; exit code 1 if something was not taken, or a file is not whole.
    pub(super) fn run(self, data: &TenantArgs) -> Outcome {
        let Self { from, existing, told } = self;
        let mut store = folder::open(&data.data.data_dir()?)?;
        let tenant = folder::tenant(&store, &data.tenant)?;
        let mut documents = OfflineDocuments::open(&mut store, tenant, operator())?;
        let mut teller = Teller::new(told.progress);
        let mut sum = DocumentsImported { whole: true, ..DocumentsImported::default() };
        let (mut count, mut bytes) = (0_u64, 0_u64);
        for path in from {
            let shown = path.display();
            let mut lines = open(&path)?;
            let imported = documents.import(&mut *lines, existing.into(), |line| {
                count += 1;
                bytes += line.bytes;
                complain_of(&format!("{shown}:{}", line.line), line);
                teller.tell(|| format!("{count} documents, {bytes} bytes, line {} of {shown}", line.line));
            });
            let imported = imported.map_err(|source| InFile { file: path.clone(), source })?;
            if !imported.whole {
                complain(&format!("{shown}: {}", DocumentsImported::CUT_OFF));
            }
            add(&mut sum, imported);
        }
        let DocumentsImported { whole, created, merged, unchanged, skipped, failed } = sum;
        if told.json {
            writeln!(io::stdout(), "{}", serde_json::to_string(&sum)?)?;
        } else {
            writeln!(
                io::stderr(),
                "{created} created, {merged} merged, {unchanged} unchanged, {skipped} skipped, {failed} not taken"
            )?;
        }
        Ok(if whole && failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn complain_of(place: &str, line: &ImportedLine) {
    let Err(why) = &line.outcome else { return };
    let name = line.name.as_ref().map_or_else(String::new, |name| format!("{}: ", plain(name.as_str())));
    complain(&format!("{place}: {name}{} ({})", plain(&why.message), why.code));
}

fn add(sum: &mut DocumentsImported, more: DocumentsImported) {
    let DocumentsImported { whole, created, merged, unchanged, skipped, failed } = more;
    sum.whole &= whole;
    sum.created += created;
    sum.merged += merged;
    sum.unchanged += unchanged;
    sum.skipped += skipped;
    sum.failed += failed;
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if is_standard(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::new(File::open(path).map_err(|error| at(path, &error))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.ndjson");
        let write = |text: &'static str, is_good: bool| {
            write_whole(&file, |out| {
                out.write_all(text.as_bytes())?;
                if is_good { Ok(()) } else { Err("it broke".into()) }
            })
        };
        assert!(write("some", false).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of it");
        write("all", true).unwrap();
        assert!(write("some", false).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "all", "what was there stays");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
