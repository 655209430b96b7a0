//! `POST /sync/v1/reconcile`: acknowledging, pushing and pulling in one request.

use axum::{body::Body, http::StatusCode, response::Response};
use syncline_protocol::wire::sync_v1::{Ack, Code, Problem, Pull, Push, Reconcile, Reconciled};

use super::{
    ack::{acknowledge, acknowledged},
    ask::{Asked, whole},
    documents,
    pull::{Words, pulled, take, wanted},
    push::{input, note, pushed},
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::access::EntityRights;

pub(super) async fn reconcile(asked: Asked, body: Body) -> Result<Response, Refusal> {
    asked.may(EntityRights::Write)?;
    match Reconcile::parse(&whole(body).await?)? {
        Reconcile::Union { ack, push, pull } => all(asked, ack, push, pull).await,
        Reconcile::Short(_) => {
            Err(Problem::new(Code::MalformedRequest).because("the short form is not served yet").into())
        }
    }
}

/// What is pulled holds what was pushed. Were the push refused after the acknowledgement, the client would send both again.
async fn all(asked: Asked, ack: Ack, push: Push, pull: Pull) -> Result<Response, Refusal> {
    // Whatever may be wrong with a cursor is found before anything is written.
    let scopes = wanted(&asked, &pull).await?;
    let acked = acknowledge(&asked, ack).await?;
    let (user, device, faults) = (asked.user.clone(), push.device.clone(), push.faults());
    let answered = asked.ledger(|ledger, request| input(ledger, request, user, push)).await;
    let answered = answered.inspect_err(|_| asked.shared.metrics.sync.reconciled(true))?;
    let mut changed = take(&asked, &pull, scopes).await?;
    let contents = documents::read(&asked, &pull.scopes, &mut changed).await?;
    let words = Words::of(&changed, &asked).ok_or_else(unexpected)?.with(contents);
    let reconciled = Reconciled {
        ack: acknowledged(&acked).ok_or_else(unexpected)?,
        push: pushed(&answered, asked.ledger.epoch(), &faults).ok_or_else(unexpected)?,
        pull: pulled(&changed, &words).ok_or_else(unexpected)?,
    };
    note(&asked, &device, &reconciled.push);
    // The pull came last: its actors are all of them.
    Ok(json(StatusCode::OK, reconciled.body(&changed.actors)))
}
