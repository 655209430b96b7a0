//! `GET /sync/v1/events`: what has happened and what happens, as server-sent events.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    time::Duration,
};

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use syncline_core::{
    access::{Action, Resource},
    entity::UserName,
};
use syncline_protocol::{
    ledger::{
        EventIndex, Happened, LedgerCommit, UserNumber, Write,
        stored::{EVENT, event_name},
    },
    wire::sync_v1::{Code, Problem, event_body},
};
use syncline_store::records::ledger::history;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{ask::Asked, refusal::Refusal};
use crate::{
    limits::{EVENTS_PAGE, LIVE_HEARTBEAT_MS},
    quota::Place,
    storage::Storage,
};

/// Where someone wants to begin.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    after: Option<String>,
}

pub(super) async fn events(
    asked: Asked,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    asked.may(Action::Admin, Resource::Server)?;
    let Query(wanted) = wanted?;
    // Browsers come again with the path that they had, and say in the header how far they have come.
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let named = last.or(wanted.after.as_deref());
    let named: Option<u64> = named.map(str::parse).transpose().map_err(|_| no_place())?;
    let (first, head) = asked.look(|ledger| (ledger.swept().events, ledger.heads().events)).await?;
    let after = named.map_or(first, EventIndex);
    if after > head {
        return Err(no_place().into());
    }
    if after < first {
        return Err(forgotten(first).into());
    }
    let feed = Feed {
        _place: asked.live_place()?,
        storage: asked.epoch.storage.clone(),
        committed: asked.ledger.committed(),
        stopping: asked.shared.stopping.clone(),
        after,
        waiting: VecDeque::new(),
        asked,
    };
    let events = stream::unfold(feed, async |mut feed| {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let heartbeat = KeepAlive::new().interval(Duration::from_millis(LIVE_HEARTBEAT_MS));
    Ok(Sse::new(events).keep_alive(heartbeat).into_response())
}

/// The number is none, or lies behind the end: of a log that is not this one.
fn no_place() -> Problem {
    Problem::new(Code::CursorInvalid).because("no event has this number")
}

/// The events behind the number are too old, and are there no more.
fn forgotten(EventIndex(first): EventIndex) -> Problem {
    Problem::new(Code::CursorInvalid)
        .because(format!("the events up to {first} are kept no more; go on from there"))
}

/// Who is told of events.
struct Feed {
    asked: Asked,
    storage: Storage,
    committed: watch::Receiver<LedgerCommit>,
    stopping: CancellationToken,
    /// The last one that was read.
    after: EventIndex,
    /// Those that were read, and are still to be sent.
    waiting: VecDeque<Event>,
    _place: (Place, Place),
}

impl Feed {
    /// Waits for the next event. Returns nothing when the server stops, the store has failed, or the reader may read no longer.
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.asked.check_lease().ok()?;
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            // From before the look, so that nothing that comes after it is missed.
            self.committed.mark_unchanged();
            self.look().await?;
            if self.waiting.is_empty() {
                tokio::select! {
                    () = self.stopping.cancelled() => return None,
                    () = self.asked.ended() => return None,
                    committed = self.committed.changed() => committed.ok()?,
                }
            }
        }
    }

    /// Reads the next events. Returns nothing where they cannot be read.
    async fn look(&mut self) -> Option<()> {
        let (after, tenant) = (event_name(self.after), self.asked.tenant().id());
        let read = self.storage.read(move |store| {
            let events = history(store, tenant, EVENT, &after);
            // The page may begin before them.
            let behind = |found: &Result<_, _>| found.as_ref().map_or(true, |(name, _)| *name > after[..]);
            events.filter(behind).take(EVENTS_PAGE).collect::<Result<Vec<(Bytes, Bytes)>, _>>()
        });
        let found = read
            .await
            .ok()?
            .inspect_err(|error| tracing::error!(%error, "the outbox cannot be read"))
            .ok()?;
        let events: Vec<_> = found.iter().map(|(name, bytes)| Write::from_stored(name, bytes).ok()).collect();
        let users: BTreeSet<_> = events.iter().flatten().filter_map(user_in).collect();
        let users = if users.is_empty() { BTreeMap::new() } else { self.names_of(users).await? };
        let called = |user| users.get(&user).cloned().unwrap_or_else(|| user.erased_name());
        for ((name, _), event) in found.into_iter().zip(events) {
            let Some(Write::Event(index, event)) = event else {
                tracing::error!(?name, "an event of the outbox is none that this version knows");
                return None;
            };
            if index.0 != self.after.0.saturating_add(1) {
                // Those between have grown too old meanwhile. Whoever comes again is told so.
                return None;
            }
            self.after = index;
            let told = Event::default().id(index.0.to_string()).event(event.what.name());
            let tenant = self.asked.tenant().name().as_str();
            self.waiting.push_back(told.data(event_body(index, &event, tenant, called)));
        }
        Some(())
    }

    /// Returns what users are called now.
    async fn names_of(&self, users: BTreeSet<UserNumber>) -> Option<BTreeMap<UserNumber, UserName>> {
        let look = self.asked.look(move |ledger| {
            users.into_iter().map(|user| (user, ledger.user_called(user))).collect::<BTreeMap<_, _>>()
        });
        look.await.ok()
    }
}

fn user_in(write: &Write) -> Option<UserNumber> {
    match write {
        Write::Event(_, event) => match &event.what {
            Happened::DeviceBound { user, .. } => Some(*user),
            _ => None,
        },
        _ => None,
    }
}
