//! `POST /sync/v1/ack`.

use axum::{body::Body, http::StatusCode, response::Response};
use syncline_protocol::{
    ledger::{Ack as Stored, Answer, Input},
    wire::sync_v1::{Ack, Acknowledged},
};

use super::{
    ask::Asked,
    cursors,
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::entities::Answered;

pub(super) async fn ack(asked: Asked, body: Body) -> Result<Response, Refusal> {
    let answered = acknowledge(&asked, Ack::parse(&asked.whole(body).await?)?).await?;
    let body = acknowledged(&answered).ok_or_else(unexpected)?.body();
    Ok(json(StatusCode::OK, body))
}

/// Has the ledger take down what a device has stored.
pub(super) async fn acknowledge(asked: &Asked, ack: Ack) -> Result<Answered, Refusal> {
    let Ack { device: actor, cursors, results_through, backlog } = ack;
    asked.check_device(&actor)?;
    let cursors = cursors::open_all(cursors, &asked.ledger)?;
    let stored = Stored { cursors, results_through: results_through.unwrap_or(0), backlog };
    let user = asked.user.clone();
    asked.ledger(|_, request| Input::Ack { request, actor, user, ack: stored }).await
}

/// Returns what is told of an acknowledgement, if that is what was answered.
pub(super) fn acknowledged(answered: &Answered) -> Option<Acknowledged<'_>> {
    let Answer::Acked { acked, floor } = &answered.answer else { return None };
    let scopes = acked.scopes.iter().map(|(scope, acked)| (scope.as_str(), acked.pos));
    Some(Acknowledged { acked: scopes.collect(), floor: *floor })
}
