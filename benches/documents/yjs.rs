//! Yjs documents, in the dialect of Hocuspocus: each update is confirmed, so it is known when all is stored.

use std::io;

use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, OffsetKind, Options, Transact, Update};

use crate::client::Client;
use crate::paper;
use crate::server::Server;
use crate::wire;

const ROOM: &str = "paper";
/// Updates that are on the way to their confirmation at a time.
const AHEAD: u64 = 64;

/// Stores the first keys of the paper as one update.
pub(crate) async fn store(server: &Server, keys: usize) -> io::Result<()> {
    let mut client = Client::join(server, ROOM).await?;
    client.send(&wire::update_message(&paper::replay(keys, |_| ()))).await?;
    client.confirmed_beyond(0, 0).await.map(drop)
}

/// Types the first keys of the paper, each as an update of its own, and returns how many characters were typed.
pub(crate) async fn type_paper(server: &Server, keys: usize) -> io::Result<u64> {
    let mut client = Client::join(server, ROOM).await?;
    let (mut updates, mut typed) = (Vec::new(), 0);
    paper::replay(keys, |txn| {
        typed += u64::from(txn.before_state() != txn.after_state());
        updates.push(txn.encode_update_v1());
    });
    let mut sent = 0;
    for update in &updates {
        client.send(&wire::update_message(update)).await?;
        sent += 1;
        if sent > AHEAD {
            client.confirmed_beyond(0, sent - AHEAD - 1).await?;
        }
    }
    client.confirmed_beyond(0, sent - 1).await?;
    Ok(typed)
}

/// Joins, and returns the update that brought the document.
pub(crate) async fn open(server: &Server) -> io::Result<Vec<u8>> {
    let (_client, state) = Client::join_with_state(server, ROOM).await?;
    Ok(state)
}

/// Checks that an update has the text that the first keys of the paper make.
pub(crate) fn check(update: &[u8], keys: usize) -> io::Result<()> {
    if text(update)? == text(&paper::replay(keys, |_| ()))? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the server sent another document"))
}

fn text(update: &[u8]) -> io::Result<String> {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let text = doc.get_or_insert_text("t");
    let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
    let update = Update::decode_v1(update).map_err(|problem| invalid(problem.to_string()))?;
    doc.transact_mut().apply_update(update).map_err(|problem| invalid(problem.to_string()))?;
    Ok(text.get_string(&doc.transact()))
}
