//! Answers that are no refusals.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use syncline_protocol::wire::sync_v1::{Code, Problem};

use super::refusal::Refusal;

/// How long an answer waited for news, as its client wanted: an extension of the answer.
#[derive(Clone, Copy)]
pub(super) struct Waited(pub(super) Duration);

/// That each piece of an answer is to be heard when it is sent: an extension of the answer. Whoever packs answers holds pieces
/// back.
#[derive(Clone, Copy)]
pub(super) struct PieceByPiece;

/// Returns an answer in JSON.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// What is said of an answer of the ledger that does not fit the question: a mistake in this program.
pub(super) fn unexpected() -> Refusal {
    tracing::error!("the ledger answered another question");
    Problem::new(Code::Internal).into()
}
