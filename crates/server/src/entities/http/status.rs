//! `GET /sync/v1/status`.

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use syncline_core::{
    access::{Action, Resource},
    entity::{ActorName, EntityId, EntityKey, TypeName},
    limits::{PULL_RECORDS_MAX, PUSH_OPS_MAX},
};
use syncline_protocol::wire::sync_v1::{Code, DeviceView, Problem, RecordStatus, ScopeStatus, StatusAnswer};

use super::{ask::Asked, refusal::Refusal, reply::json};
use crate::limits::SYNC_BODY_BYTES_MAX;

/// What a client should know before it sends.
const LIMITS: [(&str, u64); 3] = [
    ("push_ops", PUSH_OPS_MAX as u64),
    ("push_bytes", SYNC_BODY_BYTES_MAX as u64),
    ("pull_changes", PULL_RECORDS_MAX as u64),
];

/// Whose status is wanted, and perhaps that of a record.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    device_id: String,
    r#type: Option<String>,
    id: Option<String>,
}

pub(super) async fn status(
    mut asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted?;
    let name = ActorName::device(&wanted.device_id).map_err(|_| Problem::new(Code::UnknownDevice))?;
    asked.check_own(&name).map_err(|_| Problem::new(Code::UnknownDevice))?;
    if asked.owner().is_some() {
        asked.check_device(&name)?;
    }
    let key = wanted.key()?;
    if let Some(key) = &key {
        asked.want_types(Action::Read, [&key.kind]).await?;
        let may_read = asked.may(Action::Read, Resource::Type(key.kind.as_str()));
        may_read.map_err(|_| Problem::new(Code::EntityUnknown))?;
    }
    let (now, owner) = (asked.now(), asked.owner());
    let body = asked.look(move |ledger| {
        let device = ledger.device_status(now, &name);
        let device = device.filter(|device| owner.as_ref().is_none_or(|user| *user == device.binding.user));
        let device = device.ok_or(Code::UnknownDevice)?;
        let record = key.as_ref().map(|key| ledger.record(key).map(|record| (key, record)));
        let record = record.map(|found| found.ok_or(Code::EntityUnknown)).transpose()?;
        let scopes = device.scopes.iter().map(|scope| ScopeStatus {
            scope: scope.name.as_str(),
            pos: scope.pos,
            head: scope.head,
            last_pull_at: scope.last_pull_at,
            needs_resync: scope.needs_resync,
        });
        let answer = StatusAnswer {
            scopes: scopes.collect(),
            results_unacked: device.results_unacked,
            conflicts_open: ledger.conflicts().filter(|(_, conflict)| conflict.is_open()).count() as u64,
            limits: &LIMITS,
            server_time: now,
            record: record.map(|(entity, record)| RecordStatus {
                entity,
                ver: record.ver,
                last_synced_at: Some(record.hlc.wall()),
                pending: 0,
            }),
            device: DeviceView::of(&device),
        };
        Ok::<_, Code>(answer.body())
    });
    Ok(json(StatusCode::OK, body.await?.map_err(Problem::new)?))
}

impl Wanted {
    fn key(&self) -> Result<Option<EntityKey>, Refusal> {
        let (Some(kind), Some(id)) = (&self.r#type, &self.id) else { return Ok(None) };
        let unknown = |_| Problem::new(Code::EntityUnknown);
        Ok(Some(EntityKey {
            kind: TypeName::new(kind).map_err(unknown)?,
            id: EntityId::new(id).map_err(unknown)?,
        }))
    }
}
