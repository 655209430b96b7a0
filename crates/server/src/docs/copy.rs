//! `POST /docs/v1/documents/{name}/copy`: another document that begins with what this one holds, or held.

use axum::{body::Bytes, extract::rejection::BytesRejection, response::Response};
use serde::Deserialize;
use syncline_core::access::Action;

use super::{
    caller::{Caller, InPath},
    edit::{OTHER_KIND, begin_with, check_name, found, parsed, whole},
    refusal::Refusal,
    state::{self, NOTHING, When, blocking},
};

/// What is to be copied, and where to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The name of the new document.
    to: String,
    commit: Option<u64>,
    at: Option<String>,
    version: Option<u64>,
}

/// Copies a document, unless there is one of the new name: then nothing of that changes. Its history stays where it is.
pub(super) async fn copy(
    caller: Caller,
    InPath(name): InPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let from = caller.room(&name, Action::Read).await?;
    let Wanted { to, commit, at, version } = parsed(&whole(body)?)?;
    let to = caller.room(&to, Action::Write).await?;
    let engine = state::existing(&caller, &from).await?.engine;
    if let Some(known) = state::known(&caller, &to).await? {
        return if known.engine == engine { Ok(found(&to)) } else { Err(Refusal::OtherKind(OTHER_KIND)) };
    }
    check_name(engine, &to)?;
    let state = state::at(&caller, &from, &When::new(commit, at, version)).await?;
    let document = state.document;
    let update = blocking(move || Ok(document.encode()?)).await?;
    if *update == NOTHING {
        return Err(Refusal::Impossible("there is nothing to copy".to_owned()));
    }
    begin_with(&caller, &to, engine, update).await
}
