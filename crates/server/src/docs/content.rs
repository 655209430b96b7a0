//! `GET /docs/v1/documents/{name}`: what a document holds, or held.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use syncline_core::{access::Action, log::Engine};

use super::{
    caller::{Caller, InPath},
    refusal::Refusal,
    state::{self, State, When, blocking},
};

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    format: Format,
    /// The root type whose text or Markdown is wanted.
    root: Option<String>,
    commit: Option<u64>,
    at: Option<String>,
    version: Option<u64>,
}

/// The media type of Markdown (RFC 7763).
const MARKDOWN: &str = "text/markdown; charset=utf-8";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    /// An object with a member for each root type, or each entry.
    #[default]
    Json,
    /// The characters of one text.
    Text,
    /// Rich text as Markdown.
    Markdown,
    /// A Yjs update, V1.
    Update,
    /// A Yjs state vector, V1.
    StateVector,
    /// An Automerge document, as `save` of automerge writes it.
    Automerge,
}

const NO_YJS: &str = "it is an Automerge document: ask for `format=automerge`, or `json` or `text`";
const NO_AUTOMERGE: &str = "it is a Yjs document: ask for `format=update`, or `json` or `text`";

pub(super) async fn read(
    caller: Caller,
    InPath(name): InPath<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let Query(Wanted { format, root, commit, at, version }) =
        wanted.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
    let when = When::new(commit, at, version);
    if format == Format::Text && root.is_none() {
        return Err(Refusal::Malformed(
            "`root` names the root type, or is the path of the text, that is wanted".to_owned(),
        ));
    }
    let State { document, revised } = state::at(&caller, &room, &when).await?;
    caller.check_lease()?;
    let tag = revised.to_string();
    if caller.has(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let body = blocking(move || {
        Ok(match format {
            Format::Json => Json(document.to_json()?).into_response(),
            Format::Text => {
                let text = root.map(|root| document.text(&root)).transpose()?.flatten();
                text.ok_or(Refusal::Absent)?.into_response()
            }
            Format::Update if document.engine() == Engine::Yjs => bytes(document.encode()?),
            Format::Automerge if document.engine() == Engine::Automerge => bytes(document.encode()?),
            Format::Update => return Err(Refusal::OtherKind(NO_YJS)),
            Format::Automerge => return Err(Refusal::OtherKind(NO_AUTOMERGE)),
            Format::StateVector => bytes(document.state_vector().ok_or(Refusal::OtherKind(NO_YJS))?),
            Format::Markdown => {
                let markdown = document.markdown(root.as_deref())?;
                ([(header::CONTENT_TYPE, MARKDOWN)], markdown).into_response()
            }
        })
    });
    Ok(([(header::ETAG, tag)], body.await?).into_response())
}

pub(super) fn bytes(bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}
