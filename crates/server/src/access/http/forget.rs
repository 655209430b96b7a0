//! `POST /auth/v1/forget`.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use syncline_core::entity::UserName;

use super::{Caller, Refusal, admin, read};
use crate::shared::Shared;

/// What is to be forgotten; all, if neither is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user: Option<String>,
    resource: Option<String>,
}

/// Answers that what an application has decided is asked for again, by connections that rest on it as well.
pub(super) async fn forget(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let admin = admin(caller)?;
    let Wanted { user, resource } = read(body).await?;
    let user = user.map(|user| UserName::new(&user).map_err(|_| Refusal::Name)).transpose()?;
    let forgotten = shared.gate.forget(&admin.tenant, user.as_ref(), resource.as_deref());
    tracing::info!(by = %admin.user, forgotten, "decisions were forgotten");
    Ok(Json(json!({ "forgotten": forgotten })).into_response())
}
