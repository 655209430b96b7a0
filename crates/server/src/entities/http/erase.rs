//! `POST /sync/v1/erase`: what is known of an entity, or of a user, is removed for good.

use axum::{body::Body, http::StatusCode, response::Response};
use syncline_core::{
    access::{Action, Resource},
    entity::{EntityKey, UserName},
};
use syncline_protocol::{
    ledger::{Answer, Erasure, Input},
    wire::sync_v1::{Code, Erase, Problem, erased_body, user_erased_body},
};
use syncline_store::records;

use super::{
    ask::Asked,
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::entities::LedgerDown;

pub(super) async fn erase(mut asked: Asked, body: Body) -> Result<Response, Refusal> {
    match Erase::parse(&asked.whole(body).await?)? {
        Erase::Entity(key) => entity(&mut asked, key).await,
        Erase::User(user) => self::user(&asked, user).await,
    }
}

async fn entity(asked: &mut Asked, key: EntityKey) -> Result<Response, Refusal> {
    if !asked.identity.may(Action::Admin, Resource::Server) {
        asked.want_types(Action::Admin, [&key.kind]).await?;
        asked.may(Action::Admin, Resource::Type(key.kind.as_str()))?;
    }
    let kind = key.kind.clone();
    let is_known = asked.look(move |ledger| ledger.entity_type(&kind).is_some()).await?;
    if !is_known {
        return Err(Problem::new(Code::UnknownType).into());
    }
    if key.id.is_temporary() {
        let why = "name it by the id that it has at the server";
        return Err(Problem::new(Code::EntityUnknown).because(why).into());
    }
    let what = Erasure::Entity { key: key.clone(), by: asked.user.clone() };
    let answered = asked.ledger(|_, request| Input::Erase { request, what }).await?;
    let Answer::Erased { erased, .. } = answered.answer else { return Err(unexpected()) };
    asked.ledger.tell_erased();
    Ok(json(StatusCode::OK, erased_body(&key, erased, is_in_files(asked).await?)))
}

async fn user(asked: &Asked, user: UserName) -> Result<Response, Refusal> {
    asked.may(Action::Admin, Resource::Server)?;
    let what = Erasure::User { user, by: asked.user.clone() };
    let answered = asked.ledger(|_, request| Input::Erase { request, what }).await?;
    let Answer::UserErased { known_as, devices } = answered.answer else { return Err(unexpected()) };
    asked.ledger.tell_erased();
    devices.iter().cloned().for_each(|device| asked.ledger.tell_revoked(device));
    let body = user_erased_body(&known_as, &devices, is_in_files(asked).await?);
    Ok(json(StatusCode::OK, body))
}

/// Returns whether files may still hold something that was erased.
async fn is_in_files(asked: &Asked) -> Result<bool, LedgerDown> {
    let tenant = asked.tenant().id();
    let marked = asked.epoch.storage.read(move |store| records::is_erased(store, tenant)).await;
    marked.map_err(|_| LedgerDown)?.map_err(|_| LedgerDown)
}
