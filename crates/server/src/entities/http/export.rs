//! `GET /sync/v1/export`: all records of some types, as lines of JSON.

use std::io;

use axum::{
    body::Body,
    extract::RawQuery,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use syncline_core::entity::{EntityId, EntityKey, TypeName};
use syncline_protocol::{
    ledger::Ledger,
    wire::sync_v1::{Code, Export, Manifest, Problem},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{ask::Asked, refusal::Refusal, types::shown};
use crate::{access::EntityRights, limits::EXPORT_PAGE_BYTES};

/// What is sent as the type of the lines.
pub(super) const LINES: &str = "application/x-ndjson";

pub(super) async fn export(asked: Asked, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    asked.may(EntityRights::Admin)?;
    let wanted = Wanted::parse(query.as_deref().unwrap_or_default())?;
    let place = asked.live_place()?;
    let (lines, first) = asked.look(move |ledger| wanted.begin(ledger)).await??;
    let sender = Sender { asked, lines: Some(lines), first: Some(first), _place: place };
    let pages = stream::unfold(sender, async |mut sender| Some((sender.next().await?, sender)));
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(LINES))];
    // Whoever packs the pages asks once more behind the last one.
    Ok((kind, Body::from_stream(pages.fuse())).into_response())
}

/// What is to be exported.
struct Wanted {
    /// All, if none is named.
    types: Vec<TypeName>,
    after: Option<EntityKey>,
}

/// The lines that are still to be written.
struct Lines {
    export: Export,
    keys: std::vec::IntoIter<EntityKey>,
}

/// Sends lines page by page.
struct Sender {
    asked: Asked,
    /// None once the last line is written, or one could not be.
    lines: Option<Lines>,
    first: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let odd = |what: &str| Problem::new(Code::MalformedRequest).because(what);
        let mut wanted = Self { types: Vec::new(), after: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "type" => {
                    let kind = TypeName::new(&value).map_err(|_| odd("a type has the name of none"))?;
                    wanted.types.push(kind);
                }
                "after" => {
                    let key = key_of(&value).ok_or_else(|| odd("`after` is a type and an id: TYPE/ID"))?;
                    wanted.after = Some(key);
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// Notes what there is, and writes the first line.
    fn begin(self, ledger: &Ledger) -> Result<(Lines, String), Refusal> {
        if self.types.iter().any(|kind| ledger.entity_type(kind).is_none()) {
            return Err(Problem::new(Code::UnknownType).into());
        }
        let is_wanted = |kind: &TypeName| self.types.is_empty() || self.types.contains(kind);
        let types: Vec<_> = ledger.types().filter(|ty| is_wanted(&ty.name)).map(shown).collect();
        let keys = ledger.entities(self.after.as_ref()).filter(|key| is_wanted(&key.kind));
        let keys: Vec<EntityKey> = keys.cloned().collect();
        let (mut export, mut first) = (Export::default(), String::new());
        let (epoch, as_of, records) = (ledger.epoch(), ledger.head(), keys.len() as u64);
        export.begin(Manifest { epoch, as_of, types: &types, records }, &mut first);
        Ok((Lines { export, keys: keys.into_iter() }, first))
    }
}

impl Lines {
    /// Writes the next lines; whoever was forgotten meanwhile has none. Returns nothing but the text behind the last one.
    fn page(mut self, ledger: &Ledger) -> (Option<Self>, String) {
        let mut text = String::new();
        while text.len() < EXPORT_PAGE_BYTES {
            let Some(key) = self.keys.next() else {
                self.export.end(&mut text);
                return (None, text);
            };
            if let Some(record) = ledger.record(&key) {
                self.export.record(&key, &record, ledger.actors(), &mut text);
            }
        }
        (Some(self), text)
    }
}

impl Sender {
    /// Returns the next bytes. Behind an error there are no more, and the last line is missing.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first.into()));
        }
        let lines = self.lines.take()?;
        let page = self.asked.ledger.look(move |ledger| lines.page(ledger)).await;
        Some(page.map_err(io::Error::other).map(|(lines, text)| {
            self.lines = lines;
            text.into()
        }))
    }
}

fn key_of(text: &str) -> Option<EntityKey> {
    let (kind, id) = text.split_once('/')?;
    Some(EntityKey { kind: TypeName::new(kind).ok()?, id: EntityId::new(id).ok()? })
}
