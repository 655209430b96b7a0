//! `POST /sync/v1/import`: records that were exported, here or elsewhere, with the documents that they are.

use std::convert::Infallible;

use axum::{
    Extension,
    body::Body,
    extract::RawQuery,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use syncline_core::{
    access::{Action, Resource},
    entity::{TypeForm, TypeName},
    log::Author,
};
use syncline_protocol::{
    ledger::{Answer, Input},
    wire::sync_v1::{Code, ImportError, ImportTally, Problem},
};

use super::{
    ask::Asked,
    documents::absorb,
    export::after,
    refusal::Refusal,
    reply::{PieceByPiece, json, unexpected},
    types,
    unpack::broken_off,
};
use crate::{
    entities::bulk::{IMPORT, Intake, Step},
    http,
    limits::{IMPORT_DOCUMENTS_MAX, SYNC_BODY_BYTES_MAX},
    lines::{Line, Lines, NoLine},
    openapi::LINES,
    quota::Place,
};

pub(super) async fn import(
    asked: Asked,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Refusal> {
    asked.may(Action::Admin, Resource::Server)?;
    let query = query.unwrap_or_default();
    let after = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after = after.map(|(_, value)| self::after(&value)).transpose()?;
    let _place = asked.bulk_place()?;
    let mut importer = Importer {
        asked,
        lines: Lines::of(body, SYNC_BODY_BYTES_MAX),
        intake: Intake::behind(after),
        _place,
    };
    // What is no import, or not whole in its first lines, has the status of its problem.
    let mut told = importer.go_on().await?;
    if headers.get(header::ACCEPT).is_some_and(|kind| kind == LINES) {
        return Ok(tell(importer, told));
    }
    loop {
        match told {
            Some(tally) => return Ok(json(StatusCode::OK, tally.body())),
            None => told = importer.go_on().await?,
        }
    }
}

/// Tells how far an import is after each batch, and at the end what became of it, or why it ended.
fn tell(importer: Importer, told: Option<ImportTally>) -> Response {
    let first = Some((importer, Some(Ok(told))));
    let lines = stream::unfold(first, async |state| {
        let (mut importer, told) = state?;
        let told = match told {
            Some(told) => told,
            None => importer.go_on().await,
        };
        let (line, state) = match told {
            Ok(None) => (importer.intake.progress(), Some((importer, None))),
            Ok(Some(tally)) => (tally.body() + "\n", None),
            Err(refusal) => (refusal.body() + "\n", None),
        };
        Some((Ok::<_, Infallible>(Bytes::from(line)), state))
    });
    (Extension(PieceByPiece), http::lines(Body::from_stream(lines))).into_response()
}

/// Takes in the lines of an export, batch by batch.
struct Importer {
    asked: Asked,
    lines: Lines,
    intake: Intake,
    _place: Place,
}

impl Importer {
    /// Takes in the next batch. Returns what became of all if there is no other.
    async fn go_on(&mut self) -> Result<Option<ImportTally>, Refusal> {
        while let Some(line) = self.lines.next().await.map_err(no_line)? {
            let Line::Whole(line) = line else { return Err(too_long()) };
            self.asked.keep_pace(line.len()).await;
            let ledger = &self.asked.ledger;
            let step = self.intake.line(&line, |kind| ledger.has_documents(kind));
            match step.map_err(|error| refused(&error))? {
                Step::More => {}
                Step::Declare(types) => declare(&self.asked, types).await?,
                Step::Take => {
                    self.take().await?;
                    return Ok(None);
                }
            }
        }
        let tally = self.intake.finish().map_err(|error| refused(&error))?;
        let ImportTally { imported, unchanged, merged, .. } = tally;
        let (user, refused) = (&self.asked.user, !tally.refused.is_empty());
        // The audit knows the ops, but not who had them made.
        tracing::info!(%user, imported, unchanged, merged, refused, "an export was imported");
        Ok(Some(tally))
    }

    /// Has the ledger create what is not there, and then rooms take in what the documents lack.
    async fn take(&mut self) -> Result<(), Refusal> {
        self.asked.check_storage()?;
        let (records, sort) = self.intake.batch();
        let answered = self.asked.ledger(|_, request| Input::Import { request, records }).await?;
        let Answer::Imported(imported) = answered.answer else { return Err(unexpected()) };
        let asked = &self.asked;
        let absorbed = sort(&mut self.intake, imported).into_iter().map(|brought| async move {
            let author = Author { user: Some(asked.user.as_str().into()), device: Some(IMPORT.into()) };
            let absorbed = absorb(asked, &brought.key, author, brought.update.clone()).await;
            (brought, absorbed)
        });
        let absorbed: Vec<_> = stream::iter(absorbed).buffered(IMPORT_DOCUMENTS_MAX).collect().await;
        for (brought, absorbed) in absorbed {
            self.intake.absorbed(brought, absorbed?);
        }
        Ok(())
    }
}

fn no_line(error: NoLine) -> Problem {
    match error {
        NoLine::BrokenOff(error) => broken_off(&error),
        NoLine::Silent | NoLine::Slow => Problem::new(Code::MalformedRequest).because(error),
    }
}

fn too_long() -> Refusal {
    let problem = Problem::new(Code::PayloadTooLarge).because("a line is too long");
    Problem { max: Some(SYNC_BODY_BYTES_MAX as u64), ..problem }.into()
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
        asked
            .shared
            .handlers
            .check(asked.tenant().name(), &ty)
            .map_err(|error| Problem::new(Code::ValidationFailed).because(error))?;
        match asked.ledger(|_, request| Input::DefineType { request, ty }).await?.answer {
            Answer::TypeDefined { .. } => {}
            Answer::TypeRefused(error) => return Err(types::refused(&error).into()),
            _ => return Err(unexpected()),
        }
    }
    Ok(())
}
