//! `POST /auth/v1/tickets`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use syncline_protocol::wire::sync_v1::time_text;

use super::{Caller, Refusal};
use crate::shared::Shared;

/// Answers with a ticket that stands for the token of the request.
pub(super) async fn issue(
    State(shared): State<Arc<Shared>>,
    Caller(identity): Caller,
) -> Result<Response, Refusal> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Refusal::NoRandomness)?;
    let (ticket, ends_at) = shared.gate.issue_ticket(identity, random, shared.clock.now().wall)?;
    let body = json!({ "ticket": ticket, "expires_at": time_text(ends_at) });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
