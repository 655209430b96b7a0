//! `/docs/v1/hooks`: which applications are told of documents, and what they could not be told, for administrators.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Value, json};
use syncline_core::{
    access::{Action, Resource},
    hook::{HookEvent, HookFailure},
};
use syncline_protocol::wire::sync_v1::time_text;

use super::{
    caller::{Caller, InPath},
    refusal::Refusal,
};
use crate::hooks::Letter;

/// Which dead letter is meant; all, if nothing is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    id: Option<String>,
}

/// Lists the hooks that are told of documents of the tenant; to whoever may not know, none.
pub(super) async fn list(caller: Caller) -> Result<Json<Value>, Refusal> {
    let is_admin = caller.identity.may(Action::Admin, Resource::Server);
    let hooks = caller.epoch.hooks.of_tenant(&caller.tenant).filter(|_| is_admin).map(|hook| {
        let events: Vec<_> = hook.events.iter().map(|event| event.as_str()).collect();
        json!({
            "name": hook.name.as_str(), "documents": hook.patterns, "events": events,
            "unwanted": hook.is_unwanted(),
        })
    });
    Ok(Json(json!({ "hooks": hooks.collect::<Vec<_>>() })))
}

/// Lists the dead letters of a hook that are of the tenant, the oldest first.
pub(super) async fn dead(caller: Caller, InPath(hook): InPath<String>) -> Result<Json<Value>, Refusal> {
    admin(&caller)?;
    let letters = caller.epoch.hooks.dead(&caller.tenant, &hook).await?;
    caller.check_lease()?;
    Ok(Json(json!({ "dead": letters.iter().map(letter_json).collect::<Vec<_>>() })))
}

/// Has a dead letter told once more, or all of them.
pub(super) async fn retry(
    caller: Caller,
    InPath(hook): InPath<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let id = meant(&caller, which)?;
    let count = caller.epoch.hooks.retry(&caller.tenant, &hook, id).await?;
    tracing::info!(by = %caller.identity.user, hook, count, "dead letters are told once more");
    Ok(Json(json!({ "count": count })))
}

/// Forgets a dead letter, or all of them.
pub(super) async fn drop_dead(
    caller: Caller,
    InPath(hook): InPath<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let id = meant(&caller, which)?;
    let count = caller.epoch.hooks.drop_dead(&caller.tenant, &hook, id).await?;
    tracing::info!(by = %caller.identity.user, hook, count, "dead letters were dropped");
    Ok(Json(json!({ "count": count })))
}

fn meant(caller: &Caller, which: Result<Query<Which>, QueryRejection>) -> Result<Option<String>, Refusal> {
    admin(caller)?;
    let Query(Which { id }) = which.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
    caller.check_lease()?;
    Ok(id)
}

/// Whoever may not know of hooks is told that there is none.
fn admin(caller: &Caller) -> Result<(), Refusal> {
    if caller.identity.may(Action::Admin, Resource::Server) { Ok(()) } else { Err(Refusal::NoHook) }
}

fn letter_json(Letter { id, mark }: &Letter) -> Value {
    let status = mark.dead.and_then(|dead| match dead.failure {
        HookFailure::Status(status) => Some(status),
        HookFailure::Unreachable
        | HookFailure::Inside
        | HookFailure::Late
        | HookFailure::Broken
        | HookFailure::Unread => None,
    });
    json!({
        "id": id,
        "type": mark.id.event.as_str(),
        "document": mark.name.as_str(),
        "generation": mark.id.document.to_string(),
        "commit": (mark.id.event != HookEvent::Deleted).then_some(mark.id.commit.0),
        "at": time_text(mark.at),
        "attempts": mark.attempts,
        "tried_at": mark.dead.map(|dead| time_text(dead.at)),
        "status": status,
        "why": mark.dead.map(|dead| dead.failure.to_string()),
    })
}
