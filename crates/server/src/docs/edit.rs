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
    doc::{AnyDocument, DocumentEdit},
    log::Engine,
    time::WallMs,
};
use syncline_protocol::{Revision, wire::automerge::is_document_name};

use super::{
    caller::{Caller, InPath},
    kind::Kind,
    refusal::Refusal,
    state::{self, State, absorb, blocking, drawn},
};
use crate::registry::RoomKey;

/// Edits that one request may bring.
const EDITS_MAX: usize = 10_000;

/// What a document is created with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    /// Of which kind it becomes; a Yjs document if nothing is said.
    kind: Option<Kind>,
    /// Root types of a Yjs document: a text makes a text, an object a map, an array an array. Or entries of an Automerge document.
    #[serde(default)]
    json: Map<String, Value>,
}

pub(super) const AUTOMERGE_NAME: &str =
    "an Automerge document has a name as automerge-repo gives them: what follows `automerge:` in its URL";

pub(super) const OTHER_KIND: &str = "there is a document of this name, and it is of the other kind";

/// Creates a document, unless there is one: then nothing of it changes, so that whoever creates it at each start never doubles it.
pub(super) async fn create(
    caller: Caller,
    InPath(name): InPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Write).await?;
    let body = whole(body)?;
    let is_update = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
    let seed: Seed = if is_update || body.is_empty() { Seed::default() } else { parsed(&body)? };
    let kind = if is_update { Some(Engine::Yjs) } else { seed.kind.map(Engine::from) };
    if let Some(known) = state::known(&caller, &room).await? {
        if kind.is_some_and(|kind| kind != known.engine) {
            return Err(Refusal::OtherKind(OTHER_KIND));
        }
        return Ok(found(&room));
    }
    let engine = kind.unwrap_or_default();
    check_name(engine, &room)?;
    let now = caller.now();
    let update = if is_update { body } else { blocking(move || seeded(now, engine, seed.json)).await? };
    begin_with(&caller, &room, engine, update).await
}

/// Returns what is answered where there is such a document already.
pub(super) fn found(room: &RoomKey) -> Response {
    (StatusCode::OK, Json(json!({ "name": room.name.as_str(), "created": false }))).into_response()
}

/// Creates a document that begins with an update.
pub(super) async fn begin_with(
    caller: &Caller,
    room: &RoomKey,
    engine: Engine,
    update: Bytes,
) -> Result<Response, Refusal> {
    // Nobody has written meanwhile, or else that is the document.
    let created = match absorb(caller, room, engine, update, Some(Revision::default())).await {
        Ok(created) => created,
        Err(Refusal::Changed) => false,
        Err(refusal) => return Err(refusal),
    };
    if !created {
        return Ok(found(room));
    }
    let body = json!({ "name": room.name.as_str(), "created": true });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Automerge documents have names that their clients can ask for.
pub(super) fn check_name(engine: Engine, room: &RoomKey) -> Result<(), Refusal> {
    if engine == Engine::Automerge && !is_document_name(room.name.as_str()) {
        return Err(Refusal::Malformed(AUTOMERGE_NAME.to_owned()));
    }
    Ok(())
}

fn seeded(now: WallMs, engine: Engine, json: Map<String, Value>) -> Result<Bytes, Refusal> {
    let add = |(root, value): (String, Value)| DocumentEdit::Add {
        path: format!("/{}", root.replace('~', "~0").replace('/', "~1")),
        value,
    };
    let edits: Vec<DocumentEdit> = json.into_iter().map(add).collect();
    let update = drawn(now, |author| AnyDocument::empty(engine).edit(&edits, author))?;
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
    let (now, engine) = (caller.now(), document.engine());
    let update = blocking(move || drawn(now, |author| document.edit(&edits, author))).await?;
    let changed = match update {
        Some(update) => {
            absorb(&caller, &room, engine, update, expected.map(|expected| expected.revision)).await?
        }
        None => false,
    };
    Ok(Json(json!({ "changed": changed })).into_response())
}

pub(super) fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Malformed(rejection.body_text()),
    })
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Malformed(format!("the body is not understood: {error}")))
}
