//! `PUT` and `PATCH /docs/v1/documents/{name}`: programs write.

use axum::{
    Json,
    body::Bytes,
    extract::rejection::BytesRejection,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use syncline_core::{
    access::Action,
    doc::{DocumentEdit, YjsDocument},
};
use syncline_protocol::Revision;

use super::{
    caller::{Caller, InPath},
    refusal::Refusal,
    state::{self, State, absorb, blocking, drawn},
};

/// Edits that one request may bring.
const EDITS_MAX: usize = 10_000;

/// What a document is created with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    /// Root types: a text makes a text, an object a map, an array an array.
    #[serde(default)]
    json: Map<String, Value>,
}

/// Creates a document, unless there is one: then nothing of it changes, so that whoever creates it at each start never doubles it.
pub(super) async fn create(
    caller: Caller,
    InPath(name): InPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Write).await?;
    let body = whole(body)?;
    if state::known(&caller, &room).await?.is_some() {
        return Ok((StatusCode::OK, Json(json!({ "name": name, "created": false }))).into_response());
    }
    let is_update = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
    let update = if is_update { body } else { blocking(move || seeded(&body)).await? };
    // Nobody has written meanwhile, or else that is the document.
    let created = match absorb(&caller, &room, update, Some(Revision::default())).await {
        Ok(created) => created,
        Err(Refusal::Changed) => false,
        Err(refusal) => return Err(refusal),
    };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({ "name": name, "created": created }))).into_response())
}

fn seeded(body: &Bytes) -> Result<Bytes, Refusal> {
    let seed: Seed = if body.is_empty() { Seed::default() } else { parsed(body)? };
    let add = |(root, value): (String, Value)| DocumentEdit::Add {
        path: format!("/{}", root.replace('~', "~0").replace('/', "~1")),
        value,
    };
    let edits: Vec<DocumentEdit> = seed.json.into_iter().map(add).collect();
    let update = drawn(|author| YjsDocument::default().edit(&edits, author))?;
    update.ok_or_else(|| {
        Refusal::Malformed("say what the document begins with: {\"json\":{\"text\":\"…\"}}".to_owned())
    })
}

/// Makes edits, all or none. With `If-Match` only as long as the document is the same.
pub(super) async fn patch(
    caller: Caller,
    InPath(name): InPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Write).await?;
    let edits: Vec<DocumentEdit> = parsed(&whole(body)?)?;
    if edits.len() > EDITS_MAX {
        return Err(Refusal::Malformed(format!("at most {EDITS_MAX} edits come at once")));
    }
    let expected = caller.expects()?;
    let State { document, revised } = state::now(&caller, &room).await?;
    if expected.is_some_and(|expected| expected != revised) {
        return Err(Refusal::Changed);
    }
    let update = blocking(move || drawn(|author| document.edit(&edits, author))).await?;
    let changed = match update {
        Some(update) => absorb(&caller, &room, update, expected.map(|expected| expected.revision)).await?,
        None => false,
    };
    Ok(Json(json!({ "changed": changed })).into_response())
}

pub(super) fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| Refusal::Malformed(rejection.body_text()))
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Malformed(format!("the body is not understood: {error}")))
}
