//! How many bytes a document has on disk for each character that was typed.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::load::process::Folder;
use crate::load::samples::{Better, Measure, Sample};
use crate::server::{FOLDER, Family, Kind, Server};
use crate::{Span, automerge, yjs};

const DISK: Measure = Measure { name: "disk a typed character", unit: "B", better: Better::Lower };
const TIME: Measure = Measure { name: "until all is confirmed", unit: "s", better: Better::Lower };

/// Types a paper key by key into a server that keeps history as `keep` says, and weighs its folder when it has ended.
pub(crate) async fn run(kind: Kind, family: Family, keep: &str, span: Span) -> io::Result<Vec<Sample>> {
    let folder = Folder::new(FOLDER)?;
    let server = Server::start(kind, family, &folder, keep)?;
    let start = Instant::now();
    let typed = match family {
        Family::Yjs => yjs::type_paper(&server, span.typed(family)).await?,
        Family::Automerge => automerge::type_paper(&server, span.typed(family)).await?,
    };
    let seconds = start.elapsed().as_secs_f64();
    server.stop()?;
    if kind == Kind::Syncline {
        rewrite(folder.path())?;
    }
    let bytes = weight(folder.path())? as f64;
    Ok(vec![Sample { measure: DISK, value: bytes / typed as f64 }, Sample { measure: TIME, value: seconds }])
}

/// Has our engine give back the space of what it holds no more, as an operator would.
fn rewrite(folder: &Path) -> io::Result<()> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_syncline")).arg("vacuum").arg("--data-dir").arg(folder).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Returns the bytes of all files in a folder.
fn weight(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { weight(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
