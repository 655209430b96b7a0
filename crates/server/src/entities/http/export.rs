//! `GET /sync/v1/export`: all records of some types, as lines of JSON.

use std::{io, io::Write as _};

use axum::{
    body::Body,
    extract::RawQuery,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
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

pub(super) async fn export(
    asked: Asked,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    asked.may(EntityRights::Admin)?;
    let wanted = Wanted::parse(query.as_deref().unwrap_or_default())?;
    let place = asked.live_place()?;
    let (lines, first) = asked.look(move |ledger| wanted.begin(ledger)).await??;
    let is_gzip = takes_gzip(&headers);
    let sender = Sender {
        asked,
        lines: Some(lines),
        first: Some(first),
        gzip: is_gzip.then(|| GzEncoder::new(Vec::new(), Compression::default())),
        _place: place,
    };
    let pages = stream::unfold(sender, async |mut sender| Some((sender.next().await?, sender)));
    let mut response = Body::from_stream(pages).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(LINES));
    if is_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
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
    gzip: Option<GzEncoder<Vec<u8>>>,
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
                self.export.record(&key, record, ledger.actors(), &mut text);
            }
        }
        (Some(self), text)
    }
}

impl Sender {
    /// Returns the next bytes. Behind an error there are no more, and the last line is missing.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let text = match self.first.take() {
            Some(first) => first,
            None => {
                let lines = self.lines.take()?;
                match self.asked.ledger.look(move |ledger| lines.page(ledger)).await {
                    Ok((lines, text)) => {
                        self.lines = lines;
                        text
                    }
                    Err(down) => return Some(Err(io::Error::other(down))),
                }
            }
        };
        Some(self.packed(text))
    }

    fn packed(&mut self, text: String) -> io::Result<Bytes> {
        let Some(gzip) = &mut self.gzip else { return Ok(text.into()) };
        gzip.write_all(text.as_bytes())?;
        if self.lines.is_none() {
            gzip.try_finish()?;
        } else {
            gzip.flush()?;
        }
        Ok(std::mem::take(gzip.get_mut()).into())
    }
}

fn key_of(text: &str) -> Option<EntityKey> {
    let (kind, id) = text.split_once('/')?;
    Some(EntityKey { kind: TypeName::new(kind).ok()?, id: EntityId::new(id).ok()? })
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    })
}
