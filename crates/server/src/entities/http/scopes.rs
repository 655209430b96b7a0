//! Scopes: what a device may follow.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use syncline_core::{
    access::{Action, Identity, Resource},
    entity::{TypeName, Value},
};
use syncline_protocol::{
    ledger::{Answer, Cursor, FollowError, Input, Ledger, Scope, ScopeDefinition},
    wire::sync_v1::{Code, Problem, ScopeRequest, scope_body, scopes_body},
};

use super::{
    ask::Asked,
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::access::Check;

/// A scope that someone wants to read.
pub(super) struct Wanted {
    pub(super) name: TypeName,
    pub(super) params: BTreeMap<String, String>,
    /// Where they are in it.
    pub(super) cursor: Option<Cursor>,
}

impl Wanted {
    /// Returns what the scope holds for who asks, if its types take the version of the schema that the client uses.
    pub(super) fn fill(
        &self,
        ledger: &Ledger,
        identity: &Identity,
        schema: Option<u32>,
    ) -> Result<Scope, Refusal> {
        let scope = self.readable(ledger, identity)?;
        let kinds = scope.sections.iter().map(|section| &section.kind);
        let checked = schema.map_or(Ok(()), |version| ledger.check_schema(version, kinds));
        checked.map_err(|refusal| Problem::from(&refusal))?;
        Ok(scope)
    }

    /// Returns what the scope holds for who asks. Whoever has read a scope that they may not read any more is told that there is
    /// nothing in it: so they forget what they have.
    fn readable(&self, ledger: &Ledger, identity: &Identity) -> Result<Scope, Refusal> {
        let params = self.params.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str())));
        let error = match ledger.scope(&self.name, &params.collect(), identity) {
            Ok(scope) => return Ok(scope),
            Err(FollowError::Forbidden { name }) if self.cursor.is_some() => return Ok(Scope::nothing(name)),
            Err(error) => error,
        };
        let code = match error {
            FollowError::Forbidden { .. } | FollowError::Unfilled { .. } => Code::ForbiddenScope,
            FollowError::Unknown { .. } | _ => Code::UnknownScope,
        };
        Err(Problem::new(code).because(error).into())
    }
}

/// `GET /sync/v1/scopes`: those that were defined and may be read; each type is one, too.
pub(super) async fn list(mut asked: Asked) -> Result<Response, Refusal> {
    let names = asked.look(|ledger| ledger.scopes().map(|(name, _)| name.clone()).collect()).await?;
    asked.want_scopes(names).await?;
    let identity = Arc::clone(&asked.identity);
    let body = asked.look(move |ledger| {
        let may_read = |name: &TypeName| identity.may(Action::Read, Resource::Scope(name.as_str()));
        let scopes = ledger.scopes().filter(|(name, _)| may_read(name));
        let scopes: Vec<_> = scopes.map(|(name, scope)| (name.as_str(), shown(scope))).collect();
        scopes_body(scopes.iter().map(|(name, scope)| (*name, scope)))
    });
    Ok(json(StatusCode::OK, body.await?))
}

/// `PUT /sync/v1/scopes/{scope}`.
pub(super) async fn define(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Path(text) = name?;
    asked.want([Check::new(Action::Admin, Resource::Scope(&text))]).await?;
    asked.may(Action::Admin, Resource::Scope(&text))?;
    let name = TypeName::new(&text).map_err(|error| Problem::new(Code::MalformedRequest).because(error))?;
    let scope = ScopeRequest::parse(&asked.whole(body).await?)?;
    asked.check_storage()?;
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
