//! Types: what there is, and declaring them.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use syncline_core::access::{Action, Resource};
use syncline_core::entity::{EntityType, Handler, TypeError, TypeForm, TypeName};
use syncline_protocol::{
    ledger::{Answer, Input, TypeRefusal},
    wire::sync_v1::{Code, Problem, type_body, types_body},
};

use super::{
    ask::Asked,
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::{access::Check, entities::bulk::shown};

/// `GET /sync/v1/types`: those that may be read.
pub(super) async fn list(mut asked: Asked) -> Result<Response, Refusal> {
    asked.want_all(|kind| Resource::Type(kind)).await?;
    let identity = Arc::clone(&asked.identity);
    let forms = asked.look(move |ledger| {
        let types = ledger.types().filter(|ty| identity.may(Action::Read, Resource::Type(ty.name.as_str())));
        types.map(shown).collect::<Vec<_>>()
    });
    let forms = forms.await?;
    let body = types_body(forms.iter().map(|(name, form)| (name.as_str(), form.as_str())));
    Ok(json(StatusCode::OK, body))
}

/// `GET /sync/v1/types/{type}`.
pub(super) async fn read(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(name) = name?;
    let unknown = || Problem::new(Code::UnknownType);
    asked.want([Check::new(Action::Read, Resource::Type(&name))]).await?;
    asked.may(Action::Read, Resource::Type(&name)).map_err(|_| unknown())?;
    let kind = TypeName::new(&name).map_err(|_| unknown())?;
    let found = asked.look(move |ledger| ledger.entity_type(&kind).map(shown)).await?;
    let (name, form) = found.ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, type_body(&name, &form)))
}

/// `PUT /sync/v1/types/{type}`.
pub(super) async fn define(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Path(name) = name?;
    asked.want([Check::new(Action::Admin, Resource::Type(&name))]).await?;
    asked.may(Action::Admin, Resource::Type(&name))?;
    let malformed = |error: &dyn ToString| Problem::new(Code::MalformedRequest).because(error.to_string());
    let name = TypeName::new(&name).map_err(|error| malformed(&error))?;
    let form: TypeForm =
        serde_json::from_slice(&asked.whole(body).await?).map_err(|error| malformed(&error))?;
    let ty = form.named(name).map_err(|error| refused(&error.into()))?;
    asked
        .shared
        .handlers
        .check(asked.tenant().name(), &ty)
        .map_err(|error| Problem::new(Code::ValidationFailed).because(error))?;
    asked.check_storage()?;
    let (name, form) = shown(&ty);
    let answered = asked.ledger(|ledger, request| {
        let ty = Box::new(with_known_secret(ty, |name| ledger.entity_type(name)));
        Input::DefineType { request, ty }
    });
    match answered.await?.answer {
        Answer::TypeDefined { is_new } => {
            let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
            Ok(json(status, type_body(&name, &form)))
        }
        Answer::TypeRefused(error) => Err(refused(&error).into()),
        _ => Err(unexpected()),
    }
}

/// Keeps secrets where what is asked is declared again as it was shown: at the same place, and without a secret.
fn with_known_secret<'a>(
    mut ty: EntityType,
    known: impl FnOnce(&TypeName) -> Option<&'a EntityType>,
) -> EntityType {
    let keep = |declared: &mut Option<Handler>, before: &Option<Handler>| {
        if let (Some(declared), Some(before)) = (declared, before)
            && declared.secret.is_none()
            && declared.url == before.url
        {
            declared.secret.clone_from(&before.secret);
        }
    };
    if let Some(known) = known(&ty.name) {
        keep(&mut ty.handler, &known.handler);
        keep(&mut ty.suggest, &known.suggest);
    }
    ty
}

pub(super) fn refused(error: &TypeRefusal) -> Problem {
    let code = match error {
        TypeRefusal::Type(TypeError::Incompatible { .. }) | TypeRefusal::Collides { .. } => {
            Code::TypeIncompatible
        }
        _ => Code::ValidationFailed,
    };
    Problem::new(code).because(error)
}
