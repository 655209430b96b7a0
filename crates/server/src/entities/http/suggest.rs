//! What to make of a conflict, if somebody else is asked.

use axum::{
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use syncline_core::{
    entity::{Handler, TypeName, UserName},
    id::TenantName,
};
use syncline_protocol::{
    ledger::{ConflictId, ConflictWish, Ledger},
    wire::sync_v1::{Code, Problem, SuggestQuestion},
};

use super::{
    ask::Asked,
    conflicts::body_of,
    refusal::Refusal,
    reply::json,
    resolve::{may_settle, named, wish},
};
use crate::entities::SuggestError;

/// A question that is ready to be asked.
struct Ready {
    kind: TypeName,
    /// Whom the type names.
    named: Option<Handler>,
    body: String,
}

/// `POST /sync/v1/conflicts/{conflict_id}/suggest`: what is proposed is kept as an option of the conflict; nothing is applied.
pub(super) async fn suggest(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let id = named(name)?;
    may_settle(&mut asked, id).await?;
    let (tenant, user) = (asked.tenant().name().clone(), asked.user.clone());
    let ready = asked.look(move |ledger| ready(ledger, id, &tenant, &user)).await?;
    let Ready { kind, named, body } = ready.map_err(Problem::new)?;
    let suggested = asked.shared.handlers.suggest(asked.tenant().name(), &kind, named, body).await;
    if let Some(proposal) = suggested.map_err(|error| refused(&kind, error))? {
        let by = asked.user.to_string();
        let kept = wish(&mut asked, id, ConflictWish::Suggest { by, proposal }).await?;
        if kept.status() != StatusCode::OK {
            return Ok(kept);
        }
    }
    let body = asked.look(move |ledger| body_of(ledger, id)).await?;
    Ok(json(StatusCode::OK, body.ok_or_else(|| Problem::new(Code::UnknownConflict))?))
}

fn ready(ledger: &Ledger, id: ConflictId, tenant: &TenantName, user: &UserName) -> Result<Ready, Code> {
    let conflict = ledger.conflict(id).ok_or(Code::UnknownConflict)?;
    if !conflict.is_open() {
        return Err(Code::ConflictAlreadyResolved);
    }
    let key = conflict.entity();
    let server = ledger.record(key);
    let tenant = tenant.as_str();
    let question = SuggestQuestion { tenant, user, conflict: (id, conflict), server: server.as_ref() };
    Ok(Ready {
        kind: key.kind.clone(),
        named: ledger.entity_type(&key.kind).and_then(|ty| ty.suggest.clone()),
        body: question.body(ledger.actors()),
    })
}

fn refused(kind: &TypeName, error: SuggestError) -> Problem {
    match error {
        SuggestError::Nobody => {
            let why =
                format!("nobody can be asked: neither the type `{kind}` nor the server has a `suggest`");
            Problem::new(Code::TypeIncompatible).because(why)
        }
        SuggestError::Unavailable { retry_after_ms } => {
            Problem { retry_after_ms: Some(retry_after_ms), ..Problem::new(Code::HandlerUnavailable) }
        }
    }
}
