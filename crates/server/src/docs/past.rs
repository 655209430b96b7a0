//! What a document was: who worked on it when, who wrote what, what differs, and how to bring something back.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, rejection::BytesRejection, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use syncline_core::access::Action;
use syncline_store::records::Named;

use super::{
    caller::{Caller, InPath},
    edit::{parsed, whole},
    refusal::Refusal,
    state::{self, State, When, absorb, blocking, drawn},
};
use crate::history::{change_json, range_json, session_json};

const MINUTE_MS: u64 = 60_000;

const TWO_KINDS: &str = "the document was of the other kind then";

/// How the history is grouped.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grouping {
    /// A session ends where nobody wrote anything for so many minutes.
    #[serde(default = "ten_minutes")]
    pause: u64,
}

const fn ten_minutes() -> u64 {
    10
}

pub(super) async fn history(
    caller: Caller,
    InPath(name): InPath<String>,
    grouping: Result<Query<Grouping>, QueryRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let Query(Grouping { pause }) = grouping.map_err(odd_query)?;
    let (_, past) = state::past(&caller, &room).await?;
    let (first, last) = (past.first().0, past.last().0);
    let sessions = past.sessions(pause.saturating_mul(MINUTE_MS));
    caller.check_lease()?;
    let sessions: Vec<Value> = sessions.iter().map(session_json).collect();
    Ok(Json(json!({ "first": first, "last": last, "sessions": sessions })).into_response())
}

pub(super) async fn authors(caller: Caller, InPath(name): InPath<String>) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let (Named { engine, .. }, past) = state::past(&caller, &room).await?;
    let written_by = move || {
        let document = past.any_at(engine, past.last())?;
        Ok(document.written_by(&past.authorship(engine)?)?)
    };
    let ranges = blocking(written_by).await?;
    caller.check_lease()?;
    let ranges: Vec<Value> = ranges.iter().map(range_json).collect();
    Ok(Json(json!({ "ranges": ranges })).into_response())
}

/// Two states of a document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    from: Option<u64>,
    from_at: Option<String>,
    from_version: Option<u64>,
    to: Option<u64>,
    to_at: Option<String>,
    to_version: Option<u64>,
}

pub(super) async fn diff(
    caller: Caller,
    InPath(name): InPath<String>,
    between: Result<Query<Between>, QueryRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let Query(between) = between.map_err(odd_query)?;
    let from = When::new(between.from, between.from_at, between.from_version);
    if from.is_now() {
        return Err(Refusal::Malformed("name one of `from`, `from_at` and `from_version`".to_owned()));
    }
    let to = When::new(between.to, between.to_at, between.to_version);
    let (before, after) = (state::at(&caller, &room, &from).await?, state::at(&caller, &room, &to).await?);
    let (from, to) = (before.revised.revision.commit.0, after.revised.revision.commit.0);
    let changes = blocking(move || Ok(before.document.changes_to(&after.document)?)).await?;
    let changes = changes.ok_or(Refusal::OtherKind(TWO_KINDS))?;
    caller.check_lease()?;
    let changes: Vec<Value> = changes.iter().map(change_json).collect();
    Ok(Json(json!({ "from": from, "to": to, "changes": changes })).into_response())
}

/// The state that is to come back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restored {
    commit: Option<u64>,
    at: Option<String>,
    version: Option<u64>,
}

/// Brings the document to what it was, by a new change: nothing is rewound, and what was restored can be undone the same way.
pub(super) async fn restore(
    caller: Caller,
    InPath(name): InPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Write).await?;
    let Restored { commit, at, version } = parsed(&whole(body)?)?;
    let when = When::new(commit, at, version);
    if when.is_now() {
        return Err(Refusal::Malformed("name one of `commit`, `at` and `version`".to_owned()));
    }
    let expected = caller.expects()?;
    let target = state::at(&caller, &room, &when).await?;
    let State { document, revised } = state::now(&caller, &room).await?;
    if expected.is_some_and(|expected| expected != revised) {
        return Err(Refusal::Changed);
    }
    let (now, engine) = (caller.now(), document.engine());
    let update = blocking(move || drawn(now, |author| document.restore(&target.document, author))).await?;
    let changed = match update {
        Some(update) => {
            absorb(&caller, &room, engine, update, expected.map(|expected| expected.revision)).await?
        }
        None => false,
    };
    Ok(Json(json!({ "changed": changed })).into_response())
}

fn odd_query(rejection: QueryRejection) -> Refusal {
    Refusal::Malformed(rejection.body_text())
}
