//! `POST /sync/v1/reconcile`: acknowledging, pushing and pulling in one request, in either form.

use std::{collections::BTreeMap, sync::Arc};

use axum::{body::Body, http::StatusCode, response::Response};
use syncline_core::{
    access::{Action, Identity, Resource},
    entity::{ActorName, ClientClock, Sequence},
    limits::PULL_RECORDS_MAX,
};
use syncline_protocol::{
    ledger::{self, Cursor, Input, Ledger, Numbered, PullScope, PushMutation, PushOp, RequestId},
    wire::sync_v1::{
        Ack, LastAck, Mutation, OpFault, Pull, Push, Reconcile, Reconciled, Short, ShortReconciled, Told,
        ToldMutation,
    },
};

use super::{
    ack::{acknowledge, acknowledged},
    ask::Asked,
    cursors,
    documents::{self, Beside},
    pull::{Words, pulled, take, wanted},
    push::{SCHEMA_UNSAID, input, kinds, note, pushed},
    refusal::Refusal,
    reply::{json, unexpected},
};

pub(super) async fn reconcile(asked: Asked, body: Body) -> Result<Response, Refusal> {
    match Reconcile::parse(&asked.whole(body).await?)? {
        Reconcile::Union { ack, push, pull } => all(asked, ack, push, pull).await,
        Reconcile::Short(short) => without_numbers(asked, short).await,
    }
}

/// What is pulled holds what was pushed. Were the push refused after the acknowledgement, the client would send both again.
async fn all(mut asked: Asked, ack: Ack, push: Push, pull: Pull) -> Result<Response, Refusal> {
    asked.check_device(&push.device)?;
    if !push.ops.is_empty() {
        asked.check_storage()?;
    }
    asked.want_types(Action::Write, &kinds(&push)).await?;
    asked.want_scopes(pull.scopes.iter().map(|scope| scope.scope.clone()).collect()).await?;
    // Whatever may be wrong with a cursor is found before anything is written.
    let scopes = wanted(&asked, &pull).await?;
    let schema = asked.schema()?;
    asked.check_schema(kinds(&push)).await?;
    let acked = acknowledge(&asked, ack).await?;
    let (identity, device, faults) = (Arc::clone(&asked.identity), push.device.clone(), push.faults());
    let beside = Beside::ops(push.ops.len());
    let answered = asked.ledger(move |ledger, request| input(ledger, request, &identity, push, schema)).await;
    let answered = answered.inspect_err(|_| asked.shared.metrics.sync.reconciled(true))?;
    let mut changed = take(&asked, &pull, scopes).await?;
    let contents = documents::read(&asked, &pull.scopes, beside, &mut changed).await?;
    let words = Words::of(&changed, &asked).ok_or_else(unexpected)?.with(contents);
    let reconciled = Reconciled {
        ack: acknowledged(&acked).ok_or_else(unexpected)?,
        push: pushed(&answered, &asked, &faults).ok_or_else(unexpected)?,
        pull: pulled(&asked, &changed, &words).ok_or_else(unexpected)?,
    };
    note(&asked, &device, &reconciled.push, &answered.actors);
    // The pull came last: its actors are all of them.
    Ok(json(StatusCode::OK, reconciled.body(&changed.actors)))
}

/// The short form, for clients that keep neither numbers nor cursors of scopes: they follow everything.
async fn without_numbers(mut asked: Asked, short: Short) -> Result<Response, Refusal> {
    let Short { device, last_ack, mutations } = short;
    asked.check_device(&device)?;
    if !mutations.is_empty() {
        asked.check_storage()?;
    }
    let entities = mutations.iter().filter_map(|mutation| mutation.content.entity.as_ref());
    asked.want_types(Action::Write, entities.map(|entity| &entity.kind)).await?;
    asked.want_all(|kind| Resource::Type(kind)).await?;
    let identity = Arc::clone(&asked.identity);
    let everything = asked.look(move |ledger| ledger.everything(&identity)).await?;
    let schema = asked.schema()?;
    asked.check_schema(everything.sections.iter().map(|section| section.kind.clone()).collect()).await?;
    let cursor = match last_ack {
        None | Some(LastAck::Place(0)) => None,
        Some(LastAck::Place(pos)) => {
            let scope = everything.clone();
            let here = asked.look(move |ledger| ledger.last_cursor(&scope)).await?;
            Some(Cursor { pos: here.pos.min(Sequence(pos)), ..here })
        }
        Some(LastAck::Checkpoint(word)) => Some(cursors::open(&word, &everything.name, &asked.ledger)?),
    };
    if let Some(cursor) = cursor {
        let stored = ledger::Ack { cursors: vec![(everything.name.clone(), cursor)], ..Default::default() };
        let (actor, user) = (device.clone(), asked.user.clone());
        asked.ledger(|_, request| Input::Ack { request, actor, user, ack: stored }).await?;
    }
    let told: Vec<Named> = mutations.iter().map(Named::of).collect();
    let (actor, identity) = (device.clone(), Arc::clone(&asked.identity));
    let answered = asked
        .ledger(move |ledger, request| mutate(ledger, request, (actor, &identity), mutations, schema))
        .await;
    let answered = answered.inspect_err(|_| asked.shared.metrics.sync.reconciled(true))?;
    let pushed = pushed(&answered, &asked, &BTreeMap::new()).ok_or_else(unexpected)?;
    note(&asked, &device, &pushed, &answered.actors);
    let names: Vec<String> = told.iter().map(|named| named.known_by.clone()).collect();
    let of = device.clone();
    let numbers =
        asked.look(move |ledger| names.iter().map(|name| ledger.mutation(&of, name)).collect::<Vec<_>>());
    let results: BTreeMap<u64, &Told<'_>> = pushed.results.iter().map(|told| (told.n, told)).collect();
    let numbers = numbers.await?;
    let mutations = told.iter().zip(numbers).filter_map(|(named, n)| {
        let told = (*results.get(&n?)?).clone().with_faults(&named.faults);
        Some(ToldMutation { name: named.name.as_deref(), temp_id: named.temp_id.as_deref(), told })
    });
    let scopes =
        vec![PullScope { scope: everything, cursor, count_max: PULL_RECORDS_MAX, without_own: false }];
    let (actor, user) = (device, asked.user.clone());
    let mut changed = asked.ledger(|_, request| Input::Pull { request, actor, user, scopes }).await?;
    let contents = documents::read(&asked, &[], Beside::ops(told.len()), &mut changed).await?;
    let words = Words::of(&changed, &asked).ok_or_else(unexpected)?.with(contents);
    let pulled = pulled(&asked, &changed, &words).ok_or_else(unexpected)?;
    let page = pulled.scopes.into_iter().next().ok_or_else(unexpected)?;
    let reconciled = ShortReconciled {
        mutations: mutations.collect(),
        reset: page.reset,
        changes: page.changes,
        checkpoint: page.cursor,
        has_more: page.has_more,
    };
    Ok(json(StatusCode::OK, reconciled.body(&changed.actors)))
}

/// What a client calls a mutation, and what is wrong with it.
struct Named {
    known_by: String,
    name: Option<String>,
    temp_id: Option<String>,
    faults: Vec<OpFault>,
}

impl Named {
    fn of(mutation: &Mutation) -> Self {
        let Mutation { name, temp_id, faults, .. } = mutation;
        Self {
            known_by: known_by(mutation),
            name: name.clone(),
            temp_id: temp_id.clone(),
            faults: faults.clone(),
        }
    }
}

/// Returns what a mutation is known by: the name that its client gave it, or that of the entity, or else its content.
fn known_by(mutation: &Mutation) -> String {
    let name = mutation.name.as_ref().or(mutation.temp_id.as_ref());
    name.map_or_else(|| format!("{:02x?}", mutation.hash.0), Clone::clone)
}

fn mutate(
    ledger: &Ledger,
    request: RequestId,
    (actor, identity): (ActorName, &Identity),
    mutations: Vec<Mutation>,
    schema: Option<u32>,
) -> Input {
    let schema = schema.unwrap_or(SCHEMA_UNSAID);
    let mutations = mutations.into_iter().map(|mutation| {
        let name = known_by(&mutation);
        let unreadable = !mutation.faults.is_empty();
        let numbered = Numbered { n: 0, hash: mutation.hash, is_noop: false };
        let op = mutation.content.into_pushed(numbered, |name| ledger.actors().known(name), schema);
        PushMutation { name, op: PushOp { unreadable, ..op } }
    });
    let (mutations, clock) = (mutations.collect(), ClientClock::default());
    let (user, grants) = (identity.user.clone(), identity.grants.clone());
    Input::Mutate { request, actor, user, grants, clock, mutations }
}
