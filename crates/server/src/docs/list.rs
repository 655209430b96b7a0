//! `GET /docs/v1/documents`: which documents there are.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use syncline_core::{access::Action, id::RoomName};
use syncline_protocol::wire::sync_v1::time_text;
use syncline_store::{
    ReadError, Store,
    records::{self, FoundName, Named, RecordError},
};

use super::{caller::Caller, kind::Kind, refusal::Refusal};
use crate::limits::NAMES_PAGE;

/// Which documents are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// What their names begin with.
    #[serde(default)]
    prefix: String,
    /// The name after which to go on.
    after: Option<String>,
    limit: Option<usize>,
}

/// Answers in order of names, with those that the caller may read. `next` is the name after which to go on, if there may be more.
pub(super) async fn list(
    caller: Caller,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(Page { prefix, after, limit }) =
        page.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
    let limit = limit.unwrap_or(NAMES_PAGE).clamp(1, NAMES_PAGE);
    let mut after = after.map(|after| RoomName::new(&after).map_err(|_| Refusal::Name)).transpose()?;
    let mut documents: Vec<Value> = Vec::new();
    let mut next = None;
    loop {
        let found = names(&caller, &prefix, after.take()).await?;
        caller.check_lease()?;
        let is_last = found.len() < NAMES_PAGE;
        after = found.last().map(|(name, _)| name.clone());
        let shown = found.into_iter().filter(|(name, _)| caller.may(name, Action::Read));
        let shown = shown.take(limit - documents.len()).map(|(name, named)| Ok((name, named?)));
        let shown = shown.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        next = shown.last().map(|(name, _)| name.as_str().to_owned()).or(next);
        documents.extend(summed_up(&caller, shown).await?);
        if documents.len() == limit {
            break;
        }
        if is_last {
            next = None;
            break;
        }
    }
    Ok(Json(json!({ "documents": documents, "next": next })).into_response())
}

pub(super) async fn names(
    caller: &Caller,
    prefix: &str,
    after: Option<RoomName>,
) -> Result<Vec<FoundName>, Refusal> {
    let (tenant, prefix) = (caller.tenant.id(), prefix.to_owned());
    let read = move |store: &dyn Store| {
        records::names_with_kinds(store, tenant, &prefix, after.as_ref(), NAMES_PAGE)
    };
    caller.epoch.storage.read(read).await?.map_err(unreadable)
}

async fn summed_up(caller: &Caller, named: Vec<(RoomName, Named)>) -> Result<Vec<Value>, Refusal> {
    let tenant = caller.tenant.id();
    let read = move |store: &dyn Store| -> Result<Vec<_>, ReadError> {
        let summed = named.into_iter().map(|(name, Named { document, engine })| {
            let summary = records::summary(store, tenant, document)?;
            let kind = Kind::from(engine);
            let edited_at = summary.edited.map(time_text);
            let (name, commit) = (name.as_str(), summary.commit.0);
            Ok(json!({ "name": name, "bytes": summary.bytes, "edited_at": edited_at, "commit": commit, "kind": kind }))
        });
        summed.collect()
    };
    caller.epoch.storage.read(read).await?.map_err(|_| Refusal::StoreDown)
}

fn unreadable(error: RecordError) -> Refusal {
    tracing::error!(%error, "the names of documents cannot be read");
    Refusal::Broken
}
