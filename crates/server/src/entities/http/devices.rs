//! Devices: binding, listing, revoking.

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use syncline_core::entity::ActorName;
use syncline_protocol::{
    ledger::{Answer, DeviceAbout, Input},
    wire::sync_v1::{Code, DeviceRequest, DeviceView, Problem, devices_body},
};

use super::{
    ask::Asked,
    refusal::Refusal,
    reply::{json, unexpected},
};

/// `POST /sync/v1/devices`.
pub(super) async fn bind(asked: Asked, body: Body) -> Result<Response, Refusal> {
    let DeviceRequest { device, name, app, public_key } = DeviceRequest::parse(&asked.whole(body).await?)?;
    let about = DeviceAbout { name, app, public_key: public_key.map(Into::into) };
    asked.check_device(&device)?;
    asked.check_storage()?;
    let (user, actor) = (asked.user.clone(), device.clone());
    let answered = asked.ledger(|_, request| Input::Bind { request, actor, user, about }).await?;
    let Answer::Device { binding, is_new } = answered.answer else { return Err(unexpected()) };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, DeviceView::bound(&device, &binding).bound_body()))
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
    asked.check_device(&actor)?;
    let (user, name) = (asked.owner(), actor.clone());
    let answered = asked.ledger(|_, request| Input::Revoke { request, actor, user }).await?;
    let Answer::Device { binding, .. } = answered.answer else { return Err(unexpected()) };
    asked.ledger.tell_revoked(name.clone());
    Ok(json(StatusCode::OK, DeviceView::bound(&name, &binding).bound_body()))
}
