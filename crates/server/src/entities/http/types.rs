//! Types: what there is, and declaring them.

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use syncline_core::entity::{EntityType, Handler, TypeError, TypeForm, TypeName};
use syncline_protocol::{
    ledger::{Answer, Input, TypeRefusal},
    wire::sync_v1::{Code, Problem, type_body, types_body},
};

use super::{
    ask::{Asked, whole},
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::access::EntityRights;

/// `GET /sync/v1/types`.
pub(super) async fn list(asked: Asked) -> Result<Response, Refusal> {
    let forms = asked.look(|ledger| ledger.types().map(shown).collect::<Vec<_>>()).await?;
    let body = types_body(forms.iter().map(|(name, form)| (name.as_str(), form.as_str())));
    Ok(json(StatusCode::OK, body))
}

/// `GET /sync/v1/types/{type}`.
pub(super) async fn read(
    asked: Asked,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(name) = name?;
    let unknown = || Problem::new(Code::UnknownType);
    let kind = TypeName::new(&name).map_err(|_| unknown())?;
    let found = asked.look(move |ledger| ledger.entity_type(&kind).map(shown)).await?;
    let (name, form) = found.ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, type_body(&name, &form)))
}

/// `PUT /sync/v1/types/{type}`.
pub(super) async fn define(
    asked: Asked,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    asked.may(EntityRights::Admin)?;
    let Path(name) = name?;
    let malformed = |error: &dyn ToString| Problem::new(Code::MalformedRequest).because(error.to_string());
    let name = TypeName::new(&name).map_err(|error| malformed(&error))?;
    let form: TypeForm = serde_json::from_slice(&whole(body).await?).map_err(|error| malformed(&error))?;
    let ty = form.named(name).map_err(|error| refused(&error.into()))?;
    asked.shared.handlers.check(&ty).map_err(|error| Problem::new(Code::ValidationFailed).because(error))?;
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

/// Returns the name of a type, and its form without what is secret.
pub(super) fn shown(ty: &EntityType) -> (String, String) {
    let form = serde_json::to_string(&TypeForm::from(ty.without_secret()));
    (ty.name.to_string(), form.expect("a form is JSON"))
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
