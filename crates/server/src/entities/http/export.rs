//! `GET /sync/v1/export`: all records of some types, as lines of JSON, with the documents that they are.

use std::io;

use axum::{body::Body, extract::RawQuery, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use syncline_core::{
    access::{Action, Resource},
    entity::{EntityKey, TypeName},
    id::RoomName,
};
use syncline_protocol::{
    ledger::{Ledger, entity_of},
    wire::sync_v1::{Attached, Code, Export, Problem},
};

use super::{ask::Asked, documents, refusal::Refusal};
use crate::{
    entities::bulk::Wanted,
    http::lines,
    limits::{EXPORT_PAGE_BYTES, EXPORT_PIECE_BYTES},
    memory::Held,
    quota::Place,
};

pub(super) async fn export(asked: Asked, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    asked.may(Action::Admin, Resource::Server)?;
    let wanted = wanted(query.as_deref().unwrap_or_default())?;
    let place = asked.bulk_place()?;
    let next = asked.look(move |ledger| begin(&wanted, ledger)).await??;
    let sender = Sender { asked, next, _place: place };
    let pages = stream::unfold(sender, async |mut sender| Some((sender.next().await?, sender)));
    // Whoever packs the pages asks once more behind the last one.
    Ok(lines(Body::from_stream(pages.fuse())))
}

/// The lines that are still to be written.
struct Lines {
    export: Export,
    keys: std::vec::IntoIter<EntityKey>,
    /// The next document, and what it holds if it can be read.
    read: Option<(EntityKey, Option<Held>)>,
}

/// What is to be sent next.
enum Next {
    /// The first line.
    First(Lines, String),
    /// Records.
    Page(Lines),
    /// The record of a document, which is read first: whoever holds up the ledger waits for no room.
    Document(Lines, EntityKey),
    /// What a document holds.
    Pieces(Lines, Held),
    /// Nothing: the last line is written, or one could not be.
    End,
}

/// Sends lines page by page.
struct Sender {
    asked: Asked,
    next: Next,
    _place: Place,
}

fn wanted(query: &str) -> Result<Wanted, Refusal> {
    let mut wanted = Wanted::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "type" => {
                wanted.types.push(TypeName::new(&value).map_err(|_| {
                    Problem::new(Code::MalformedRequest).because("a type has the name of none")
                })?)
            }
            "after" => wanted.after = Some(after(&value)?),
            _ => {}
        }
    }
    Ok(wanted)
}

/// Notes what there is, and writes the first line.
fn begin(wanted: &Wanted, ledger: &Ledger) -> Result<Next, Refusal> {
    let mut first = String::new();
    let begun = wanted.begin(ledger, &mut first);
    let (export, keys) = begun.map_err(|_unknown| Problem::new(Code::UnknownType))?;
    Ok(Next::First(Lines { export, keys: keys.into_iter(), read: None }, first))
}

impl Lines {
    /// Writes the next lines; whoever was forgotten meanwhile has none.
    fn page(mut self, ledger: &Ledger) -> (Next, String) {
        let mut text = String::new();
        while text.len() < EXPORT_PAGE_BYTES {
            let (key, read) = match self.read.take() {
                Some((key, content)) => (key, Some(content)),
                None => match self.keys.next() {
                    Some(key) => (key, None),
                    None => {
                        self.export.end(&mut text);
                        return (Next::End, text);
                    }
                },
            };
            let Some(record) = ledger.record(&key) else { continue };
            let is_document = !record.deleted && ledger.is_document(&key);
            let attached = match &read {
                None if is_document => return (Next::Document(self, key), text),
                Some(Some(held)) if is_document => Attached::Document { bytes: held.bytes.len() as u64 },
                Some(None) if is_document => Attached::Unreadable,
                // It may have been deleted while it was read.
                None | Some(_) => Attached::Nothing,
            };
            self.export.record(&key, &record, ledger.actors(), attached, &mut text);
            if let (Some(Some(held)), true) = (read, is_document) {
                return (Next::Pieces(self, held), text);
            }
        }
        (Next::Page(self), text)
    }
}

impl Sender {
    /// Returns the next bytes. Behind an error there are no more, and the last line is missing.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Err(refusal) = self.asked.check_lease() {
                return Some(Err(io::Error::other(refusal.body())));
            }
            let (next, text) = match std::mem::replace(&mut self.next, Next::End) {
                Next::First(lines, first) => (Next::Page(lines), first),
                Next::Page(lines) => match self.asked.ledger.look(move |ledger| lines.page(ledger)).await {
                    Ok(page) => page,
                    Err(down) => return Some(Err(io::Error::other(down))),
                },
                Next::Document(mut lines, key) => {
                    match documents::content(&self.asked, &key, documents::Quota::Waived, None).await {
                        Ok(content) => {
                            let memory = &self.asked.shared.memory;
                            lines.read =
                                Some((key, content.map(|content| Held::new(memory, content.update))));
                            (Next::Page(lines), String::new())
                        }
                        Err(down) => return Some(Err(io::Error::other(down))),
                    }
                }
                Next::Pieces(mut lines, mut held) => {
                    let update = &mut held.bytes;
                    let piece = update.split_to(update.len().min(EXPORT_PIECE_BYTES));
                    let mut text = String::new();
                    lines.export.piece(&piece, &mut text);
                    let is_whole = update.is_empty();
                    (if is_whole { Next::Page(lines) } else { Next::Pieces(lines, held) }, text)
                }
                Next::End => return None,
            };
            self.next = next;
            if !text.is_empty() {
                return Some(Ok(text.into()));
            }
        }
    }
}

/// Reads the entity behind which an export or an import goes on.
pub(super) fn after(text: &str) -> Result<EntityKey, Refusal> {
    // It is named as its room would be.
    let key = RoomName::new(text).ok().and_then(|name| entity_of(&name));
    key.ok_or_else(|| {
        Problem::new(Code::MalformedRequest).because("`after` is a type and an id: TYPE/ID").into()
    })
}
