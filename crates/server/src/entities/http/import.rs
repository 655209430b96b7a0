//! `POST /sync/v1/import`: records that were exported, here or elsewhere, with the documents that they are.

use std::convert::Infallible;

use axum::{
    Extension,
    body::Body,
    extract::RawQuery,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use syncline_core::{
    entity::{EntityKey, TypeForm, TypeName},
    log::Author,
};
use syncline_protocol::{
    Absorbed,
    ledger::{Answer, Import, Imported, Input},
    wire::sync_v1::{Attached, Code, ImportError, ImportLine, ImportReader, ImportTally, Problem},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    ask::Asked,
    documents::absorb,
    export::{LINES, after},
    lines::Lines,
    refusal::Refusal,
    reply::{PieceByPiece, json, unexpected},
    types,
};
use crate::{
    access::EntityRights,
    limits::{IMPORT_BATCH_BYTES, IMPORT_BATCH_RECORDS, IMPORT_DOCUMENTS_MAX, IMPORT_REFUSED_MAX},
};

/// Who brings what documents hold, as their logs name it.
const IMPORT: &str = "srv:import";

pub(super) async fn import(
    asked: Asked,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Refusal> {
    asked.may(EntityRights::Admin)?;
    let query = query.unwrap_or_default();
    let after = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after = after.map(|(_, value)| self::after(&value)).transpose()?;
    let mut importer = Importer {
        _place: asked.bulk_place()?,
        asked,
        after,
        lines: Lines::of(body),
        reader: ImportReader::default(),
        batch: Batch::default(),
        through: None,
        tally: ImportTally::default(),
    };
    // What is no import, or not whole in its first lines, has the status of its problem.
    let mut has_more = importer.go_on().await?;
    if headers.get(header::ACCEPT).is_some_and(|kind| kind == LINES) {
        return Ok(tell(importer, has_more));
    }
    while has_more {
        has_more = importer.go_on().await?;
    }
    Ok(json(StatusCode::OK, importer.done().body()))
}

/// Tells how far an import is after each batch, and at the end what became of it, or why it ended.
fn tell(importer: Importer, has_more: bool) -> Response {
    let progress = Bytes::from(importer.progress());
    let lines = stream::unfold((Some(importer), has_more), async |(importer, has_more)| {
        let mut importer = importer?;
        let went_on = if has_more { importer.go_on().await } else { Ok(false) };
        let (line, importer) = match went_on {
            Ok(true) => (importer.progress(), Some(importer)),
            Ok(false) => (importer.done().body() + "\n", None),
            Err(refusal) => (refusal.body() + "\n", None),
        };
        Some((Bytes::from(line), (importer, true)))
    });
    let lines = stream::iter([progress]).chain(lines).map(Ok::<_, Infallible>);
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(LINES))];
    (kind, Extension(PieceByPiece), Body::from_stream(lines)).into_response()
}

/// Takes in the lines of an export, batch by batch.
struct Importer {
    asked: Asked,
    /// What is up to here is done and passed over.
    after: Option<EntityKey>,
    lines: Lines,
    reader: ImportReader,
    batch: Batch,
    /// The last record that was read.
    through: Option<EntityKey>,
    tally: ImportTally,
    _place: OwnedSemaphorePermit,
}

/// Records that take effect together, and documents that come behind them.
#[derive(Default)]
struct Batch {
    records: Vec<(Import, Option<Vec<u8>>)>,
    /// Those that are not taken, whatever is there.
    refused: Vec<(EntityKey, Problem)>,
    document: Document,
    bytes: usize,
}

/// What is to come of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Document {
    #[default]
    None,
    /// More bytes of that of the last record.
    Wanted,
    /// More bytes of one that is not taken.
    Unwanted,
}

impl Importer {
    /// Takes in the next batch. Returns whether there may be another.
    async fn go_on(&mut self) -> Result<bool, Refusal> {
        while let Some(line) = self.lines.next().await? {
            match self.reader.read(&line).map_err(|error| refused(&error))? {
                ImportLine::Types(types) => declare(&self.asked, types).await?,
                ImportLine::Record(record, attached) => {
                    self.through = Some(record.key.clone());
                    if self.after.as_ref().is_some_and(|after| record.key <= *after) {
                        self.batch.pass(attached);
                    } else {
                        let is_document = self.asked.ledger.has_documents(&record.key.kind);
                        self.batch.add(record, attached, is_document);
                        self.batch.bytes += line.len();
                    }
                }
                ImportLine::Piece { bytes, is_last } => self.batch.append(bytes, is_last),
                ImportLine::End => self.take().await?,
            }
            if self.batch.is_full() {
                self.take().await?;
                return Ok(true);
            }
        }
        self.reader.finish().map_err(|error| refused(&error))?;
        Ok(false)
    }

    /// Has the ledger create what is not there, and then rooms take in what the documents lack.
    async fn take(&mut self) -> Result<(), Refusal> {
        let Batch { records, refused, .. } = std::mem::take(&mut self.batch);
        refused.into_iter().for_each(|(key, problem)| self.refuse(key, problem));
        let (records, documents): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let keys: Vec<EntityKey> = records.iter().map(|record: &Import| record.key.clone()).collect();
        let answered = self.asked.ledger(|_, request| Input::Import { request, records }).await?;
        let Answer::Imported(imported) = answered.answer else { return Err(unexpected()) };
        let mut waiting = Vec::new();
        for ((key, document), imported) in keys.into_iter().zip(documents).zip(imported) {
            match (imported, document) {
                (Imported::Refused(refusal), _) => self.refuse(key, Problem::from(&refusal)),
                (Imported::Created, None) => self.tally.imported += 1,
                (Imported::Unchanged, None) => self.tally.unchanged += 1,
                (Imported::Created, Some(update)) => waiting.push((key, true, update)),
                (Imported::Unchanged, Some(update)) => waiting.push((key, false, update)),
            }
        }
        let asked = &self.asked;
        let absorbed = waiting.into_iter().map(|(key, is_new, update)| async move {
            let author = Author { user: Some(asked.user.as_str().into()), device: Some(IMPORT.into()) };
            let absorbed = absorb(asked, &key, author, update.into()).await;
            (key, is_new, absorbed)
        });
        let absorbed: Vec<_> = stream::iter(absorbed).buffered(IMPORT_DOCUMENTS_MAX).collect().await;
        for (key, is_new, absorbed) in absorbed {
            match absorbed? {
                Some(Absorbed::New | Absorbed::Known) if is_new => self.tally.imported += 1,
                Some(Absorbed::New) => self.tally.merged += 1,
                Some(Absorbed::Known) => self.tally.unchanged += 1,
                Some(Absorbed::Refused { reason }) => {
                    let why = format!("the document does not take the update: {reason}");
                    self.refuse(key, Problem::new(Code::ValidationFailed).because(why));
                }
                Some(Absorbed::Broke) | None => {
                    let why = "the document cannot be opened";
                    self.refuse(key, Problem::new(Code::HandlerUnavailable).because(why));
                }
            }
        }
        Ok(())
    }

    fn progress(&self) -> String {
        self.tally.progress(self.reader.lines(), self.through.as_ref())
    }

    fn refuse(&mut self, key: EntityKey, problem: Problem) {
        self.tally.refuse(key, problem, IMPORT_REFUSED_MAX);
    }

    /// Returns what became of all, once there is no other batch.
    fn done(self) -> ImportTally {
        let ImportTally { imported, unchanged, merged, .. } = self.tally;
        let (user, refused) = (&self.asked.user, !self.tally.refused.is_empty());
        // The audit knows the ops, but not who had them made.
        tracing::info!(%user, imported, unchanged, merged, refused, "an export was imported");
        self.tally
    }
}

impl Batch {
    /// Leaves out a record, and the document behind it.
    fn pass(&mut self, attached: Attached) {
        let is_document = matches!(attached, Attached::Document { .. });
        self.document = if is_document { Document::Unwanted } else { Document::None };
    }

    fn add(&mut self, record: Import, attached: Attached, is_document: bool) {
        let odd = match attached {
            Attached::Unreadable => Some("the document could not be read when it was exported"),
            Attached::Document { .. } if !is_document => Some("entities of the type are no documents here"),
            Attached::Document { .. } | Attached::Nothing => None,
        };
        let is_document = matches!(attached, Attached::Document { .. });
        self.document = match odd {
            _ if !is_document => Document::None,
            Some(_) => Document::Unwanted,
            None => Document::Wanted,
        };
        match odd {
            Some(why) => {
                self.refused.push((record.key, Problem::new(Code::ValidationFailed).because(why)));
            }
            None => self.records.push((record, is_document.then(Vec::new))),
        }
    }

    fn append(&mut self, mut bytes: Vec<u8>, is_last: bool) {
        if let (Document::Wanted, Some((_, Some(document)))) = (self.document, self.records.last_mut()) {
            self.bytes += bytes.len();
            document.append(&mut bytes);
        }
        if is_last {
            self.document = Document::None;
        }
    }

    fn is_full(&self) -> bool {
        let count = self.records.len() + self.refused.len();
        self.document == Document::None && (count >= IMPORT_BATCH_RECORDS || self.bytes >= IMPORT_BATCH_BYTES)
    }
}

fn refused(error: &ImportError) -> Refusal {
    let code = match error {
        ImportError::TooLong { .. } => Code::PayloadTooLarge,
        _ => Code::MalformedRequest,
    };
    Problem::new(code).because(error).into()
}

/// Declares the types that are not known. Those that are stay as they are.
async fn declare(asked: &Asked, forms: Vec<(TypeName, String)>) -> Result<(), Refusal> {
    for (name, form) in forms {
        let wanted = name.clone();
        if asked.look(move |ledger| ledger.entity_type(&wanted).is_some()).await? {
            continue;
        }
        let form: TypeForm = serde_json::from_str(&form).map_err(|error| {
            Problem::new(Code::MalformedRequest).because(format!("type `{name}`: {error}"))
        })?;
        let ty = Box::new(form.named(name).map_err(|error| types::refused(&error.into()))?);
        match asked.ledger(|_, request| Input::DefineType { request, ty }).await?.answer {
            Answer::TypeDefined { .. } => {}
            Answer::TypeRefused(error) => return Err(types::refused(&error).into()),
            _ => return Err(unexpected()),
        }
    }
    Ok(())
}
