//! `POST /sync/v1/pull`.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::StatusCode, response::Response};
use syncline_core::entity::EntityKey;
use syncline_protocol::{
    Content,
    ledger::{self, Answer, Input, PullChange},
    wire::sync_v1::{self as wire, Change, EvictReason, Pull, Pulled, ScopePage},
};
use tokio::time::{Instant, timeout_at};

use super::{
    ack,
    ask::Asked,
    cursors,
    documents::{self, Beside, Contents},
    news::News,
    push::{told, veiled},
    refusal::Refusal,
    reply::{Waited, json, unexpected},
    scopes,
};
use crate::{
    access::due,
    entities::Answered,
    limits::{POLL_AFTER_MS, PULL_WAIT_MS_MAX},
};

pub(super) async fn pull(mut asked: Asked, body: Body) -> Result<Response, Refusal> {
    let pull = Pull::parse(&asked.whole(body).await?)?;
    asked.want_scopes(pull.scopes.iter().map(|scope| scope.scope.clone()).collect()).await?;
    if !pull.acked.is_empty() {
        // What is wrong with the request is found before anything is written.
        wanted(&asked, &pull).await?;
        let acked = wire::Ack {
            device: pull.device.clone(),
            cursors: pull.acked.clone(),
            results_through: None,
            backlog: None,
        };
        ack::acknowledge(&asked, acked).await?;
    }
    let asked_at = Instant::now();
    let mut answered = changed(&asked, &pull).await?;
    let waited = if pull.wait_ms > 0 { asked_at.elapsed() } else { Duration::ZERO };
    let contents = documents::read(&asked, &pull.scopes, Beside::Nothing, &mut answered).await?;
    let words = Words::of(&answered, &asked).ok_or_else(unexpected)?.with(contents);
    let body = pulled(&asked, &answered, &words).ok_or_else(unexpected)?.body(&answered.actors);
    let mut response = json(StatusCode::OK, body);
    response.extensions_mut().insert(Waited(waited));
    Ok(response)
}

/// Pulls; where nothing has changed and the client waits, again when something does or its time is up.
async fn changed(asked: &Asked, pull: &Pull) -> Result<Answered, Refusal> {
    let until = Instant::now() + Duration::from_millis(pull.wait_ms.min(PULL_WAIT_MS_MAX));
    // From before the first look, so that nothing that comes after it is missed.
    let mut news = News::listen(asked);
    let mut again = asked.again();
    loop {
        let scopes = wanted(asked, pull).await?;
        news.follow(&scopes);
        let answered = take(asked, pull, scopes).await?;
        let waits = pull.wait_ms > 0 && !pull.scopes.is_empty() && is_empty(&answered);
        if !waits {
            return Ok(answered);
        }
        tokio::select! {
            moved = timeout_at(until, news.next()) => if moved.is_err() {
                return Ok(answered);
            },
            () = asked.ended() => asked.check_lease()?,
            // The client asks again, and it is found out what it may read by then.
            () = due(&mut again) => return Ok(answered),
        }
    }
}

/// Returns what a client wants to pull, with the scopes filled.
pub(super) async fn wanted(asked: &Asked, pull: &Pull) -> Result<Vec<ledger::PullScope>, Refusal> {
    let mut wanted = Vec::with_capacity(pull.scopes.len());
    for scope in &pull.scopes {
        let open = |word| cursors::open(word, &scope.scope, &asked.ledger);
        let cursor = scope.cursor.as_deref().map(open).transpose()?;
        let (name, params) = (scope.scope.clone(), scope.params.clone());
        wanted.push((scopes::Wanted { name, params, cursor }, scope.limit));
    }
    let (identity, schema) = (Arc::clone(&asked.identity), asked.schema()?);
    let look = asked.look(move |ledger| {
        let filled = wanted.into_iter().map(|(wanted, count_max)| {
            let scope = wanted.fill(ledger, &identity, schema)?;
            Ok(ledger::PullScope { scope, cursor: wanted.cursor, count_max, without_own: false })
        });
        filled.collect()
    });
    look.await?
}

/// Pulls once.
pub(super) async fn take(
    asked: &Asked,
    pull: &Pull,
    scopes: Vec<ledger::PullScope>,
) -> Result<Answered, Refusal> {
    asked.check_device(&pull.device)?;
    let (actor, user) = (pull.device.clone(), asked.user.clone());
    asked.ledger(|_, request| Input::Pull { request, actor, user, scopes }).await
}

fn is_empty(answered: &Answered) -> bool {
    let Answer::Pulled(pulled) = &answered.answer else { return false };
    let is_quiet = |scope: &ledger::PulledScope| scope.changes.is_empty() && scope.reset.is_none();
    pulled.scopes.iter().all(is_quiet)
}

/// What goes into the answer besides what the ledger says: cursors, as clients hold them, and what documents hold.
pub(super) struct Words {
    cursors: Vec<String>,
    contents: Contents,
}

impl Words {
    pub(super) fn of(answered: &Answered, asked: &Asked) -> Option<Self> {
        let Answer::Pulled(pulled) = &answered.answer else { return None };
        let words =
            pulled.scopes.iter().map(|scope| cursors::seal(&scope.cursor, &scope.name, &asked.ledger));
        Some(Self { cursors: words.collect(), contents: Contents::default() })
    }

    pub(super) fn with(self, contents: Contents) -> Self {
        Self { contents, ..self }
    }
}

/// Returns what is told of a pull, if that is what was answered.
pub(super) fn pulled<'a>(asked: &Asked, answered: &'a Answered, words: &'a Words) -> Option<Pulled<'a>> {
    let Answer::Pulled(pulled) = &answered.answer else { return None };
    let pages = pulled.scopes.iter().zip(&words.cursors).enumerate();
    let pages = pages.map(|(at, (scope, cursor))| page(scope, cursor, |key| words.contents.of(at, key)));
    let results = pulled.results.iter().map(|result| veiled(told(result), &asked.identity));
    Some(Pulled {
        epoch: pulled.epoch,
        as_of: pulled.as_of,
        server_hlc: pulled.hlc,
        last_n: pulled.last_n,
        high_n: pulled.high_n,
        scopes: pages.collect(),
        results: results.collect(),
        conflicts_open: pulled.conflicts_open,
        poll_after_ms: Some(POLL_AFTER_MS),
        upgrade: None,
    })
}

fn page<'a>(
    scope: &'a ledger::PulledScope,
    cursor: &'a str,
    content: impl Fn(&EntityKey) -> Option<&'a Content>,
) -> ScopePage<'a> {
    ScopePage {
        scope: scope.name.as_str(),
        reset: scope.reset,
        changes: scope.changes.iter().map(|told| change(told, &content)).collect(),
        cursor,
        has_more: scope.has_more,
        checksum: scope.checksum.map(|checksum| (checksum.count, checksum.sum)),
        progress: scope.done.map(|done| (done, scope.total)),
    }
}

pub(super) fn change<'a>(
    change: &'a PullChange,
    content: impl Fn(&EntityKey) -> Option<&'a Content>,
) -> Change<'a> {
    match change {
        PullChange::Put(key, record) | PullChange::Delete(key, record) => Change::Packed(key, record),
        PullChange::Document(key, record) => match content(key) {
            Some(Content { update, state_vector, revision: _ }) => {
                Change::Document { key, record, update, state_vector }
            }
            // It cannot be read: there is its record, at least.
            None => Change::Put(key, record),
        },
        PullChange::Evict(key) => Change::Evict(key, EvictReason::Scope),
    }
}
