//! Devices: binding, listing, revoking.

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use syncline_core::entity::{ActorName, UserName};
use syncline_protocol::{
    ledger::{Answer, Binding, DeviceAbout, Input, KeyChange},
    wire::sync_v1::{Code, DeviceRequest, DeviceView, KeyRequest, Problem, devices_body},
};

use super::{
    ask::Asked,
    refusal::Refusal,
    reply::{json, unexpected},
};

/// `POST /sync/v1/devices`.
pub(super) async fn bind(asked: Asked, body: Body) -> Result<Response, Refusal> {
    let DeviceRequest { device, name, app, public_key } = DeviceRequest::parse(&asked.whole(body).await?)?;
    let about = DeviceAbout { name, app };
    asked.check_own(&device)?;
    let change = match public_key {
        Some(key) => Some(asked.key_change(&device, key).await?),
        None => {
            asked.check_device(&device)?;
            None
        }
    };
    asked.check_owner(&device, public_key).await?;
    asked.check_storage()?;
    let (user, actor) = (asked.user.clone(), device.clone());
    let answered = asked.ledger(|_, request| Input::Bind { request, actor, user, about }).await?;
    let Answer::Device { mut binding, is_new, .. } = answered.answer else { return Err(unexpected()) };
    if let Some(change) = change {
        let user = Some(asked.user.clone());
        binding = set_key(&asked, device.clone(), user, change).await?;
    }
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, DeviceView::bound(&device, &binding).bound_body()))
}

/// `PUT /sync/v1/devices/{device_id}/key`.
pub(super) async fn put_key(
    asked: Asked,
    device: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Path(device) = device?;
    let device = ActorName::device(&device).map_err(|_| Problem::new(Code::UnknownDevice))?;
    let KeyRequest { public_key } = KeyRequest::parse(&asked.whole(body).await?)?;
    let owner = asked.owner();
    if owner.is_some() {
        asked.check_own(&device)?;
    }
    let change = asked.key_change(&device, public_key).await?;
    if owner.is_some() {
        asked.check_owner(&device, Some(public_key)).await?;
    }
    let binding = set_key(&asked, device.clone(), owner, change).await?;
    Ok(json(StatusCode::OK, DeviceView::bound(&device, &binding).bound_body()))
}

async fn set_key(
    asked: &Asked,
    actor: ActorName,
    user: Option<UserName>,
    change: KeyChange,
) -> Result<Box<Binding>, Refusal> {
    let answered = asked.ledger(move |_, request| Input::SetKey { request, actor, user, change }).await?;
    match answered.answer {
        Answer::Device { binding, .. } => Ok(binding),
        _ => Err(unexpected()),
    }
}

/// `GET /sync/v1/devices`.
pub(super) async fn list(asked: Asked) -> Result<Response, Refusal> {
    let (now, owner) = (asked.now(), asked.owner());
    let body = asked.look(move |ledger| {
        let devices = ledger.device_statuses(now);
        let own =
            devices.iter().filter(|device| owner.as_ref().is_none_or(|user| *user == device.binding.user));
        devices_body(own.map(DeviceView::of))
    });
    Ok(json(StatusCode::OK, body.await?))
}

/// `DELETE /sync/v1/devices/{device_id}`.
pub(super) async fn revoke(
    asked: Asked,
    device: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(device) = device?;
    let actor = ActorName::device(&device).map_err(|_| Problem::new(Code::UnknownDevice))?;
    // Whoever has lost a device cannot sign with its key.
    asked.check_own(&actor)?;
    let (user, name) = (asked.owner(), actor.clone());
    let answered = asked.ledger(|_, request| Input::Revoke { request, actor, user }).await?;
    let Answer::Device { binding, .. } = answered.answer else { return Err(unexpected()) };
    asked.ledger.tell_revoked(name.clone());
    Ok(json(StatusCode::OK, DeviceView::bound(&name, &binding).bound_body()))
}
