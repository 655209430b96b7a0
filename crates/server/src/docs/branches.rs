//! Branches: documents that begin with a state of another, and what they bring back to it.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, rejection::BytesRejection, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use syncline_core::{access::Action, doc::AnyDocument, id::DocumentId, log::Engine};
use syncline_protocol::wire::automerge::document_name;
use syncline_store::{
    Store,
    records::{Branch, RecordError},
};
use tokio::sync::oneshot;

use super::{
    caller::{Caller, InPath},
    edit::{check_name, parsed, whole},
    refusal::Refusal,
    state::{self, When, blocking, bring},
};
use crate::{
    history::{Kin, Past, are_related, branch_json, change_json, kin, origin_json},
    registry::{Registry, RoomKey},
    room::ToRoom,
};

/// What a branch begins with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBranch {
    /// One of Automerge may have one that is drawn.
    name: Option<String>,
    commit: Option<u64>,
    at: Option<String>,
    version: Option<u64>,
}

/// Creates a document that begins with a state of another, so that it can be merged into it later: it holds the same elements.
pub(super) async fn create(
    caller: Caller,
    InPath(name): InPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let of = caller.room(&name, Action::Read).await?;
    let NewBranch { name, commit, at, version } = parsed(&whole(body)?)?;
    let engine = state::existing(&caller, &of).await?.engine;
    let name = name.map_or_else(|| drawn_name(engine), Ok)?;
    let room = caller.room(&name, Action::Write).await?;
    check_name(engine, &room)?;
    if caller.epoch.entity_of(&room).await.map_err(|_ledger_down| Refusal::StoreDown)?.is_some() {
        return Err(Refusal::Malformed("a branch is no entity: give it another name".to_owned()));
    }
    let state = state::at(&caller, &of, &When::new(commit, at, version)).await?;
    let branch = Branch {
        of: state.revised.document,
        commit: state.revised.revision.commit,
        at: caller.now(),
        name: room.name.clone(),
        of_name: of.name.clone(),
    };
    if state::known(&caller, &room).await?.is_some() {
        return Err(Refusal::Taken);
    }
    let (document, past, author) = (state.document, known_past(&caller, &of).await?, caller.author());
    let begun = blocking(move || {
        let update = document.encode()?;
        Ok((past.credit(engine, author, &update)?, update))
    });
    let (credit, update) = begun.await?;
    let told = branch_json(&branch);
    caller.check_lease()?;
    let (done, absorbed) = oneshot::channel();
    let message = ToRoom::Begin { engine, credit, update, branch: Box::new(branch), done };
    Registry::tell(&caller.epoch, &room, message).await?;
    let Ok(absorbed) = absorbed.await else { return Err(state::ended(&caller, &room).await) };
    match state::changed(absorbed) {
        Ok(true) => Ok((StatusCode::CREATED, Json(told)).into_response()),
        Ok(false) => {
            Err(Refusal::Impossible("the document held nothing then: there is no branch to begin".to_owned()))
        }
        // Somebody has written in it meanwhile.
        Err(Refusal::Changed) => Err(Refusal::Taken),
        Err(refusal) => Err(refusal),
    }
}

/// Answers with where the document comes from, and with its branches, as far as the caller may read them.
pub(super) async fn list(caller: Caller, InPath(name): InPath<String>) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let document = state::existing(&caller, &room).await?.document;
    let tenant = room.tenant.id();
    let read = move |store: &dyn Store| kin(store, tenant, document);
    let Kin { origin, branches } = caller.epoch.storage.read(read).await?.map_err(unreadable)?;
    caller.check_lease()?;
    let origin = origin.filter(|origin| caller.may(&origin.of_name, Action::Read));
    let origin = origin.as_ref().map(origin_json);
    let branches: Vec<Value> =
        branches.iter().filter(|branch| caller.may(&branch.name, Action::Read)).map(branch_json).collect();
    Ok(Json(json!({ "origin": origin, "branches": branches })).into_response())
}

/// Returns what is kept of a document's past; nothing where that is too long to be read: then nobody knows who wrote what.
async fn known_past(caller: &Caller, room: &RoomKey) -> Result<Past, Refusal> {
    match state::past(caller, room).await {
        Ok((_, past)) => Ok(past),
        Err(Refusal::TooLong) => Ok(Past::default()),
        Err(refusal) => Err(refusal),
    }
}

/// Returns the name of a branch that its author has given none. That of an Automerge document is an id.
fn drawn_name(engine: Engine) -> Result<String, Refusal> {
    match engine {
        Engine::Yjs => Err(Refusal::Malformed("`name` says what the branch is called".to_owned())),
        Engine::Automerge => Ok(document_name(state::random()?)),
    }
}

/// How a branch is merged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manner {
    /// Whether it is only told what would change.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Merged {
    from: String,
}

/// Brings what a branch holds, and the document lacks, into the document, as a change by the caller. What was written in the document
/// meanwhile stays. A branch takes in what its document holds the same way.
pub(super) async fn merge(
    caller: Caller,
    InPath(name): InPath<String>,
    manner: Result<Query<Manner>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Write).await?;
    let Query(Manner { dry_run }) = manner.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
    let Merged { from } = parsed(&whole(body)?)?;
    let from = caller.room(&from, Action::Read).await?;
    let expected = caller.expects()?;
    let (target, branch) = (state::now(&caller, &room).await?, state::now(&caller, &from).await?);
    if expected.is_some_and(|expected| expected != target.revised) {
        return Err(Refusal::Changed);
    }
    check_related(&caller, &room, target.revised.document, branch.revised.document).await?;
    let (target, branch) = (target.document, branch.document);
    let engine = target.engine();
    if dry_run {
        return told_of_merging(&caller, target, branch).await;
    }
    let update = blocking(move || Ok(target.lacks_of(&branch)?)).await?;
    let Some(update) = update else { return Ok(Json(json!({ "changed": false })).into_response()) };
    let (past, author) = (known_past(&caller, &from).await?, caller.author());
    let credited = blocking(move || Ok((past.credit(engine, author, &update)?, update)));
    let (credit, update) = credited.await?;
    let made_for = expected.map(|expected| expected.revision);
    let changed = bring(&caller, &room, (engine, credit, update), made_for).await?;
    Ok(Json(json!({ "changed": changed })).into_response())
}

/// Answers with what would change if a branch were merged.
async fn told_of_merging(
    caller: &Caller,
    target: AnyDocument,
    branch: AnyDocument,
) -> Result<Response, Refusal> {
    let changes = blocking(move || {
        let Some(update) = target.lacks_of(&branch)? else { return Ok(None) };
        Ok(Some(target.changes_with(&update)?))
    });
    let changes = changes.await?;
    caller.check_lease()?;
    let told: Vec<Value> = changes.iter().flatten().map(change_json).collect();
    Ok(Json(json!({ "changed": changes.is_some(), "changes": told })).into_response())
}

/// Checks that one of two documents began as a branch of the other: what others hold has nothing to do with each other.
async fn check_related(
    caller: &Caller,
    room: &RoomKey,
    one: DocumentId,
    other: DocumentId,
) -> Result<(), Refusal> {
    let tenant = room.tenant.id();
    let read = move |store: &dyn Store| are_related(store, tenant, one, other);
    let is_related = caller.epoch.storage.read(read).await?.map_err(unreadable)?;
    if is_related { Ok(()) } else { Err(Refusal::Unrelated) }
}

fn unreadable(error: RecordError) -> Refusal {
    tracing::error!(%error, "where a document comes from cannot be read");
    match error {
        RecordError::Read(_) => Refusal::StoreDown,
        _ => Refusal::Broken,
    }
}
