//! Scopes: what a device may follow.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use syncline_core::entity::{TypeName, Value};
use syncline_protocol::{
    ledger::{Answer, FollowError, Input, Ledger, Scope, ScopeDefinition},
    wire::sync_v1::{Code, Problem, ScopeRequest, scope_body, scopes_body},
};

use super::{
    ask::{Asked, whole},
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::access::EntityRights;

/// Returns what a scope holds for who asks with these parameters, if its types take the version of the schema that the client
/// uses.
pub(super) fn readable(
    ledger: &Ledger,
    name: &TypeName,
    params: &BTreeMap<String, String>,
    schema: Option<u32>,
) -> Result<Scope, Refusal> {
    let scope = filled(ledger, name, params)?;
    let kinds = scope.sections.iter().map(|section| &section.kind);
    let checked = schema.map_or(Ok(()), |version| ledger.check_schema(version, kinds));
    checked.map_err(|refusal| Problem::from(&refusal))?;
    Ok(scope)
}

/// Returns what a scope holds for who asks with these parameters.
pub(super) fn filled(
    ledger: &Ledger,
    name: &TypeName,
    params: &BTreeMap<String, String>,
) -> Result<Scope, Refusal> {
    let params = params.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
    // Tokens have no claims yet.
    ledger.scope(name, &params, &BTreeMap::new()).map_err(|error| {
        let code = match error {
            FollowError::Unfilled { .. } => Code::ForbiddenScope,
            FollowError::Unknown { .. } | _ => Code::UnknownScope,
        };
        Problem::new(code).because(error).into()
    })
}

/// `GET /sync/v1/scopes`: those that were defined; each type is one, too.
pub(super) async fn list(asked: Asked) -> Result<Response, Refusal> {
    let body = asked.look(|ledger| {
        let scopes: Vec<_> = ledger.scopes().map(|(name, scope)| (name.as_str(), shown(scope))).collect();
        scopes_body(scopes.iter().map(|(name, scope)| (*name, scope)))
    });
    Ok(json(StatusCode::OK, body.await?))
}

/// `PUT /sync/v1/scopes/{scope}`.
pub(super) async fn define(
    asked: Asked,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    asked.may(EntityRights::Admin)?;
    let Path(text) = name?;
    let name = TypeName::new(&text).map_err(|error| Problem::new(Code::MalformedRequest).because(error))?;
    let scope = ScopeRequest::parse(&whole(body).await?)?;
    let body = scope_body(&text, &scope);
    let definition = ScopeDefinition { types: scope.types.into_iter().collect(), bucket: scope.bucket };
    let answered = asked.ledger(|_, request| Input::DefineScope { request, name, definition });
    match answered.await?.answer {
        Answer::ScopeDefined { is_new } => {
            Ok(json(if is_new { StatusCode::CREATED } else { StatusCode::OK }, body))
        }
        Answer::ScopeRefused(error) => Err(Problem::new(Code::ValidationFailed).because(error).into()),
        _ => Err(unexpected()),
    }
}

fn shown(scope: &ScopeDefinition) -> ScopeRequest {
    ScopeRequest { types: scope.types.iter().cloned().collect(), bucket: scope.bucket.clone() }
}
