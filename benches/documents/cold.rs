//! Opening a document that nobody has open: from the first packet until all of it has arrived.

use std::io;
use std::time::Instant;

use crate::load::process::Folder;
use crate::load::samples::{Better, Measure, Sample, median, milliseconds};
use crate::server::{FOLDER, Family, Kind, Server};
use crate::{Span, automerge, yjs};

const JOIN: Measure = Measure { name: "time to state", unit: "ms", better: Better::Lower };

/// How often the server is started and the document opened.
const JOINS: u32 = 5;

/// Stores a paper, and opens it on servers that have just started. What the client does with it is not timed.
pub(crate) async fn run(kind: Kind, family: Family, span: Span) -> io::Result<Vec<Sample>> {
    let folder = Folder::new(FOLDER)?;
    let server = Server::start(kind, family, &folder, "all")?;
    match family {
        Family::Yjs => yjs::store(&server, span.keys).await?,
        Family::Automerge => automerge::store(&server, span.keys).await?,
    }
    server.stop()?;
    let mut times = Vec::new();
    for _ in 0..JOINS {
        let server = Server::start(kind, family, &folder, "all")?;
        let start = Instant::now();
        let arrived = match family {
            Family::Yjs => yjs::open(&server).await?,
            Family::Automerge => automerge::open(&server).await?,
        };
        times.push(milliseconds(start.elapsed()));
        match family {
            Family::Yjs => yjs::check(&arrived, span.keys)?,
            Family::Automerge => automerge::check(&arrived, span.keys)?,
        }
        server.stop()?;
    }
    Ok(vec![Sample { measure: JOIN, value: median(&times) }])
}
