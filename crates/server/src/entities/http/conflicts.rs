//! Conflicts: listing, reading, settling.

use std::sync::Arc;

use axum::{
    extract::{
        Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use syncline_core::{
    access::{Action, Identity, Resource},
    entity::conflict::Conflict,
};
use syncline_protocol::{
    ledger::{ConflictId, Ledger},
    wire::sync_v1::{
        Code, Problem, conflict_body, conflict_id, conflict_name, conflict_state_text, conflicts_body,
    },
};

use super::{ask::Asked, refusal::Refusal, reply::json};
use crate::limits::CONFLICTS_PAGE;

/// Which conflicts are wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    state: Option<String>,
    r#type: Option<String>,
    assignee: Option<String>,
    cursor: Option<String>,
}

/// `GET /sync/v1/conflicts`: those that may be read, the oldest first.
pub(super) async fn list(
    mut asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted?;
    let unknown = "the cursor is not one of a list of conflicts";
    let after = wanted.cursor.as_deref().map(|word| conflict_id(word).ok_or(unknown)).transpose();
    let after = after.map_err(|why| Problem::new(Code::MalformedRequest).because(why))?;
    asked.want_all(|kind| Resource::Conflicts(kind)).await?;
    let identity = Arc::clone(&asked.identity);
    let body = asked.look(move |ledger| {
        let rest = ledger.conflicts().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let mut found: Vec<_> = rest
            .filter(|(_, conflict)| may_read(&identity, conflict) && wanted.fits(conflict))
            .take(CONFLICTS_PAGE + 1)
            .collect();
        let has_more = found.len() > CONFLICTS_PAGE;
        found.truncate(CONFLICTS_PAGE);
        let cursor = found.last().filter(|_| has_more).map(|(id, _)| conflict_name(*id));
        conflicts_body(found, cursor.as_deref(), ledger.actors())
    });
    Ok(json(StatusCode::OK, body.await?))
}

/// `GET /sync/v1/conflicts/{conflict_id}`.
pub(super) async fn read(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(name) = name?;
    let unknown = || Problem::new(Code::UnknownConflict);
    let id = conflict_id(&name).ok_or_else(unknown)?;
    asked.want_all(|kind| Resource::Conflicts(kind)).await?;
    let identity = Arc::clone(&asked.identity);
    let body = asked.look(move |ledger| {
        let found = ledger.conflict(id).filter(|conflict| may_read(&identity, conflict));
        found.and_then(|_| body_of(ledger, id))
    });
    Ok(json(StatusCode::OK, body.await?.ok_or_else(unknown)?))
}

fn may_read(identity: &Identity, conflict: &Conflict) -> bool {
    identity.may(Action::Read, Resource::Conflicts(conflict.entity().kind.as_str()))
}

/// Returns a conflict with what was said about it.
pub(super) fn body_of(ledger: &Ledger, id: ConflictId) -> Option<String> {
    let conflict = ledger.conflict(id)?;
    Some(conflict_body(id, conflict, ledger.comments(id), ledger.actors()))
}

impl Wanted {
    fn fits(&self, conflict: &Conflict) -> bool {
        self.state.as_deref().is_none_or(|state| conflict_state_text(conflict.state()) == state)
            && self.r#type.as_deref().is_none_or(|kind| conflict.entity().kind.as_str() == kind)
            && self.assignee.as_deref().is_none_or(|assignee| conflict.assignee() == Some(assignee))
    }
}
