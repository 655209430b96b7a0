//! States of a document that were given a name. They stay when retention lets nobody see what lies around them.

use axum::{
    Json,
    body::Bytes,
    extract::rejection::BytesRejection,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use syncline_core::{
    access::Action,
    id::{ConnectionId, DocumentId},
    limits::DELETE_BATCH_MAX,
    log::LogEntry,
};
use syncline_store::records::{self, Version};

use super::{
    caller::{Caller, InPath},
    content::bytes,
    edit::{parsed, whole},
    refusal::Refusal,
    state::{self, When, blocking, existing},
};
use crate::{history::version_json, registry::RoomKey};

/// Versions that a document may have.
const VERSIONS_MAX: usize = 1_000;

/// Longest name of a version, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What is to be kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    commit: Option<u64>,
    at: Option<String>,
    version: Option<u64>,
}

pub(super) async fn create(
    caller: Caller,
    InPath(name): InPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Write).await?;
    let Named { name, commit, at, version } = parsed(&whole(body)?)?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let why = format!("a version has a name of 1 to {NAME_BYTES_MAX} bytes without control characters");
        return Err(Refusal::Malformed(why));
    }
    let state = state::at(&caller, &room, &When::new(commit, at, version)).await?;
    let (document, commit) = (state.revised.document, state.revised.revision.commit);
    let update = blocking(move || Ok(state.document.encode()?)).await?;
    caller.check_lease()?;
    let (author, at) = (caller.author(), caller.now());
    let entry = LogEntry { author, connection: ConnectionId(0), at, update, origins: None };
    // One at a time, so that no two have one number.
    let _turn = caller.epoch.compactions.acquire().await.map_err(|_closed| Refusal::StoreDown)?;
    if existing(&caller, &room).await?.document != document {
        return Err(Refusal::Absent);
    }
    let numbers = numbers(&caller, &room, document).await?;
    if numbers.len() >= VERSIONS_MAX {
        return Err(Refusal::Impossible(format!("a document has at most {VERSIONS_MAX} versions")));
    }
    let number = numbers.last().map_or(1, |last| last + 1);
    let version = Version { number, commit, name, entry };
    let batches = records::version_batches(room.tenant.id(), document, &version);
    for batch in batches.map_err(|_too_long| Refusal::TooLong)? {
        caller.epoch.storage.commit(batch).await?;
    }
    Ok((StatusCode::CREATED, Json(version_json(&version))).into_response())
}

pub(super) async fn list(caller: Caller, InPath(name): InPath<String>) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let document = existing(&caller, &room).await?.document;
    let mut versions = Vec::new();
    for number in numbers(&caller, &room, document).await? {
        match state::version(&caller, &room, document, number).await {
            Ok(version) => versions.push(version_json(&version)),
            // Somebody deleted it meanwhile.
            Err(Refusal::NoVersion) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    caller.check_lease()?;
    Ok(Json(json!({ "versions": versions })).into_response())
}

/// Answers with the state in the bytes of its kind: a Yjs update, or an Automerge document. `GET /docs/v1/documents/{name}?version=` has the other forms.
pub(super) async fn read(
    caller: Caller,
    InPath((name, number)): InPath<(String, u64)>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let document = existing(&caller, &room).await?.document;
    let version = state::version(&caller, &room, document, number).await?;
    caller.check_lease()?;
    Ok(bytes(version.entry.update))
}

pub(super) async fn delete(
    caller: Caller,
    InPath((name, number)): InPath<(String, u64)>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Admin).await?;
    let document = existing(&caller, &room).await?.document;
    state::version(&caller, &room, document, number).await?;
    caller.check_lease()?;
    let tenant = room.tenant.id();
    loop {
        let find = move |store: &dyn syncline_store::Store| {
            records::version_records(store, tenant, document, number, DELETE_BATCH_MAX)
        };
        let batch = caller.epoch.storage.read(find).await?.map_err(|_| Refusal::StoreDown)?;
        if batch.is_empty() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        caller.epoch.storage.commit(batch).await?;
    }
}

async fn numbers(caller: &Caller, room: &RoomKey, document: DocumentId) -> Result<Vec<u64>, Refusal> {
    let tenant = room.tenant.id();
    let read =
        caller.epoch.storage.read(move |store| records::version_numbers(store, tenant, document)).await?;
    read.map_err(|_| Refusal::StoreDown)
}
