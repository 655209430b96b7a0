//! `POST /sync/v1/push`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use axum::{body::Body, http::StatusCode, response::Response};
use syncline_core::{
    access::{Action, Identity, Resource},
    clock::VectorClock,
    entity::{ActorName, Actors, EntityKey, TypeName},
};
use syncline_protocol::{
    ledger::{Answer, Input, Ledger, OpResult, OpStatus, RequestId},
    wire::sync_v1::{OpFault, Push, Pushed, Status, Told},
};

use super::{
    ask::Asked,
    refusal::Refusal,
    reply::{json, unexpected},
};
use crate::entities::Answered;

/// The type of the entity that an op is about that names none.
const NOTHING: &str = "-";

/// The version of the schema that a client uses which says nothing of it.
pub(super) const SCHEMA_UNSAID: u32 = 1;

pub(super) async fn push(mut asked: Asked, body: Body) -> Result<Response, Refusal> {
    let push = Push::parse(&asked.whole(body).await?)?;
    if !push.ops.is_empty() {
        asked.check_storage()?;
    }
    let faults = push.faults();
    let device = push.device.clone();
    asked.check_device(&device)?;
    asked.want_types(Action::Write, &kinds(&push)).await?;
    let identity = Arc::clone(&asked.identity);
    let schema = asked.schema()?;
    asked.check_schema(kinds(&push)).await?;
    let answered = asked.ledger(move |ledger, request| input(ledger, request, &identity, push, schema)).await;
    let answered = answered.inspect_err(|_| asked.shared.metrics.sync.reconciled(true))?;
    let pushed = pushed(&answered, &asked, &faults).ok_or_else(unexpected)?;
    note(&asked, &device, &pushed, &answered.actors);
    Ok(json(StatusCode::OK, pushed.body(&answered.actors)))
}

/// Counts what became of a push, and logs it.
pub(super) fn note(asked: &Asked, device: &ActorName, pushed: &Pushed<'_>, actors: &Actors) {
    let counters = &asked.shared.metrics.sync;
    let mut failed = false;
    for told in &pushed.results {
        let status = told.status.as_str();
        counters.op(status);
        failed |= matches!(told.status, Status::Rejected(_) | Status::Deferred(_));
        let vv = told.record.map(|record| tracing::field::display(Named(&record.vv, actors)));
        tracing::debug!(%device, n = told.n, status, vv, "an op was answered");
        if let Some(collision) = &told.collision {
            let kind = collision.kind.as_str();
            counters.conflict(kind);
            tracing::info!(%device, n = told.n, status, kind, fields = ?collision.fields, vv, "an op met a conflict");
        }
    }
    counters.reconciled(failed);
}

/// A vector by the names of its actors, for people.
struct Named<'a>(&'a VectorClock, &'a Actors);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(vv, actors) = self;
        let named = vv.iter().filter_map(|(actor, n)| Some((actors.name(actor)?.as_str(), n)));
        f.debug_map().entries(named).finish()
    }
}

/// Returns the types that a push is about.
pub(super) fn kinds(push: &Push) -> BTreeSet<TypeName> {
    let entities = push.ops.iter().filter_map(|op| op.content.entity.as_ref());
    entities.map(|entity| entity.kind.clone()).collect()
}

/// Returns what a push is to the ledger, from a client that uses a version of the schema, if it says so.
pub(super) fn input(
    ledger: &Ledger,
    request: RequestId,
    identity: &Identity,
    push: Push,
    schema: Option<u32>,
) -> Input {
    let Push { device: actor, clock, ops } = push;
    let schema = schema.unwrap_or(SCHEMA_UNSAID);
    let known = |name: &ActorName| ledger.actors().known(name);
    let ops = ops.into_iter().map(|op| op.into_pushed(known, schema)).collect();
    let (user, grants) = (identity.user.clone(), identity.grants.clone());
    Input::Push { request, actor, user, grants, clock, ops }
}

/// Returns what is told of a push, if that is what was answered, with what is wrong with its ops.
pub(super) fn pushed<'a>(
    answered: &'a Answered,
    asked: &Asked,
    faults: &BTreeMap<u64, Vec<OpFault>>,
) -> Option<Pushed<'a>> {
    let Answer::Pushed { results, last_n, high_n, done_beyond, fence, id_map } = &answered.answer else {
        return None;
    };
    let told = results.iter().map(status);
    let told = told.map(|told| match faults.get(&told.n) {
        Some(faults) => told.with_faults(faults),
        None => told,
    });
    let told = told.map(|told| veiled(told, &asked.identity));
    Some(Pushed {
        epoch: asked.ledger.epoch(),
        last_n: *last_n,
        high_n: *high_n,
        done_beyond: done_beyond.clone(),
        fence: *fence,
        results: told.collect(),
        id_map: id_map.iter().map(|(key, id)| (key.id.clone(), id.clone())).collect(),
    })
}

/// Says nothing of a record that the sender may not read: an op that they may not make is answered, too.
pub(super) fn veiled<'a>(told: Told<'a>, identity: &Identity) -> Told<'a> {
    if let Status::Duplicate(Some(of)) = told.status {
        return Told::bare(told.n, Status::Duplicate(Some(Box::new(veiled(*of, identity)))));
    }
    let may_read = |entity: &EntityKey| identity.may(Action::Read, Resource::Type(entity.kind.as_str()));
    match told.entity {
        Some(entity) if !may_read(entity) => Told { entity: told.entity, ..Told::bare(told.n, told.status) },
        Some(_) | None => told,
    }
}

fn status(status: &OpStatus) -> Told<'_> {
    match status {
        OpStatus::Done(result) => told(result),
        OpStatus::Aged { n } => Told::bare(*n, Status::Duplicate(None)),
        OpStatus::Deferred { n, deferral } => Told::bare(*n, Status::Deferred(deferral.into())),
    }
}

/// Returns what is told of a result.
pub(super) fn told(result: &OpResult) -> Told<'_> {
    // A noop need not name an entity.
    let entity = Some(&result.entity).filter(|entity| entity.kind.as_str() != NOTHING);
    Told::of(result, entity)
}
