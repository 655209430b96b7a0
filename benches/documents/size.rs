//! How many bytes a document has on disk for each character that was typed.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::load::process::Folder;
use crate::load::samples::{Better, Measure, Sample};
use crate::server::{FOLDER, Family, Kind, Server};
use crate::{Span, automerge, yjs};

const DISK: Measure = Measure { name: "disk a typed character", unit: "B", better: Better::Lower };
const TIME: Measure = Measure { name: "until all is confirmed", unit: "s", better: Better::Lower };

/// How often ours is asked whether it has let go of the document, and how many times at most.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASKS_MAX: u32 = 180;

/// Types a paper key by key into a server that keeps history as `keep` says. Weighs its folder if it is to: when nobody has the document
/// open any more and the server has ended, which takes ours a minute.
pub(crate) async fn run(
    kind: Kind,
    family: Family,
    keep: &str,
    span: Span,
    weighs: bool,
) -> io::Result<Vec<Sample>> {
    let folder = Folder::new(FOLDER)?;
    let server = Server::start(kind, family, &folder, keep)?;
    let start = Instant::now();
    let typed = match family {
        Family::Yjs => yjs::type_paper(&server, span.typed(family)).await?,
        Family::Automerge => automerge::type_paper(&server, span.typed(family)).await?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let time = Sample { measure: TIME, value: seconds };
    if !weighs {
        return Ok(vec![time]);
    }
    if kind == Kind::Syncline {
        come_to_rest(server.address()).await?;
    }
    server.stop()?;
    if kind == Kind::Syncline {
        rewrite(folder.path())?;
    }
    let bytes = weight(folder.path())? as f64;
    Ok(vec![Sample { measure: DISK, value: bytes / typed as f64 }, time])
}

/// Waits until no document is open on our server.
async fn come_to_rest(address: SocketAddr) -> io::Result<()> {
    for _ in 0..ASKS_MAX {
        let mut tcp = TcpStream::connect(address).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await?;
        if answer.lines().any(|line| line == "syncline_rooms 0") {
            return Ok(());
        }
        sleep(ASK_EVERY).await;
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the document stays open"))
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
