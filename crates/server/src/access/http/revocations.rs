//! `/auth/v1/revocations`.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use syncline_core::{
    access::{Identity, Revocation, Subject, TokenId},
    entity::{ActorName, UserName},
    id::RoomName,
    time::WallMs,
};
use syncline_protocol::wire::sync_v1::{time_of, time_text};
use tokio::sync::oneshot;

use super::{Caller, Refusal, admin, read};
use crate::{
    epoch::Epoch, limits::REVOKED_MS, registry::RoomKey, room::ToRoom, shared::Shared, tenants::Tenant,
};

/// What is to be revoked: one of the first four.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user: Option<String>,
    device: Option<String>,
    token_id: Option<String>,
    room: Option<String>,
    until: Option<String>,
}

enum What {
    Credentials(Subject),
    Room(RoomName),
}

impl Wanted {
    /// Returns what is to be revoked, and until when.
    fn read(self, now: WallMs) -> Result<(What, WallMs), Refusal> {
        let Self { user, device, token_id, room, until } = self;
        let name = |_| Refusal::Name;
        let what = match (user, device, token_id, room) {
            (Some(user), None, None, None) => Subject::User(UserName::new(&user).map_err(name)?),
            (None, Some(device), None, None) => Subject::Device(ActorName::device(&device).map_err(name)?),
            (None, None, Some(id), None) => Subject::Token(TokenId::new(&id).map_err(name)?),
            (None, None, None, Some(room)) if until.is_none() => {
                return Ok((What::Room(RoomName::new(&room).map_err(|_| Refusal::Name)?), now));
            }
            _ => return Err(Refusal::Body),
        };
        let until = match until {
            Some(text) => time_of(&text).filter(|until| *until > now).ok_or(Refusal::Until)?,
            None => WallMs(now.0.saturating_add(REVOKED_MS)),
        };
        Ok((What::Credentials(what), until))
    }
}

/// Answers `POST`: what is revoked is of no use any more when the answer comes.
pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let admin = admin(caller)?;
    let wanted: Wanted = read(body).await?;
    let now = shared.clock.now().wall;
    let (subject, until) = match wanted.read(now)? {
        (What::Credentials(subject), until) => (subject, until),
        (What::Room(room), _) => {
            let closed = close_room(&shared, &admin, &room).await?;
            tracing::info!(by = %admin.user, room = room.as_str(), closed, "a room was closed");
            return Ok(Json(json!({ "room": room.as_str(), "closed": closed })).into_response());
        }
    };
    let revocation = Revocation { subject, at: now, until };
    let told = told(&revocation);
    let subject = revocation.subject.to_string();
    let (epoch, tenant) = place(&shared, &admin)?;
    shared.gate.revoke(&epoch, &tenant, revocation).await?;
    tracing::info!(by = %admin.user, subject, "credentials were revoked");
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// Answers `GET`: those in force.
pub(super) async fn list(State(shared): State<Arc<Shared>>, caller: Caller) -> Result<Response, Refusal> {
    let admin = admin(caller)?;
    let now = shared.clock.now().wall;
    let known = shared.gate.revocations(&admin.tenant);
    let good = known.iter().filter(|revocation| !revocation.is_over(now));
    Ok(Json(json!({ "revocations": good.map(told).collect::<Vec<_>>() })).into_response())
}

/// Answers `DELETE`: what was revoked and has not ended is good again.
pub(super) async fn take_back(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let admin = admin(caller)?;
    let Path(id) = id.map_err(|_| Refusal::Unknown)?;
    let subject: Subject = id.parse().map_err(|_| Refusal::Unknown)?;
    let (epoch, tenant) = place(&shared, &admin)?;
    if !shared.gate.take_back(&epoch, &tenant, subject).await? {
        return Err(Refusal::Unknown);
    }
    tracing::info!(by = %admin.user, subject = id, "a revocation was taken back");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Returns where the tenant of an administrator is.
fn place(shared: &Shared, admin: &Identity) -> Result<(Arc<Epoch>, Tenant), Refusal> {
    let epoch = shared.epoch().ok_or(Refusal::StoreDown)?;
    let tenant = epoch.tenants.of(&admin.tenant)?;
    Ok((epoch, tenant))
}

/// Closes everyone in a room, once what they sent before is done, and returns how many that were.
async fn close_room(shared: &Shared, admin: &Identity, room: &RoomName) -> Result<usize, Refusal> {
    let (epoch, tenant) = place(shared, admin)?;
    let key = RoomKey { tenant, name: room.clone() };
    let Some(inbox) = epoch.registry.inbox(&key) else { return Ok(0) };
    let (done, closed) = oneshot::channel();
    // A room that ends meanwhile has closed everyone.
    let _ = inbox.send(ToRoom::CloseAll { done }).await;
    Ok(closed.await.unwrap_or_default())
}

fn told(revocation: &Revocation) -> Value {
    let Revocation { subject, at, until } = revocation;
    let (kind, name) = match subject {
        Subject::User(name) => ("user", name.as_str()),
        Subject::Device(name) => ("device", name.as_str()),
        Subject::Token(id) => ("token_id", id.as_str()),
    };
    let id = subject.to_string();
    json!({ "id": id, kind: name, "revoked_at": time_text(*at), "until": time_text(*until) })
}
