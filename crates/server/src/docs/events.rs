//! `GET /docs/v1/documents/{name}/events` and `GET /docs/v1/events`: which documents have changed, as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use syncline_core::{
    access::Action,
    id::{CommitNumber, DocumentId},
};
use syncline_protocol::wire::sync_v1::time_text;

use super::{
    caller::{Caller, InPath},
    refusal::Refusal,
    state,
};
use crate::{
    changes::{Change, Follow, Heard, Listener, Position},
    history::{author_json, since},
    limits::LIVE_HEARTBEAT_MS,
    quota::Place,
};

/// Where someone begins with one document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfOne {
    /// The last commit that they know.
    after: Option<String>,
}

/// Which documents someone follows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfMany {
    #[serde(default)]
    prefix: String,
    /// The last event that they have heard.
    after: Option<String>,
}

/// Who is told of changes.
struct Feed {
    caller: Caller,
    listener: Listener,
    subject: Subject,
    /// What is told before anything else.
    first: Option<Event>,
    _place: Place,
}

/// What a feed is about.
enum Subject {
    /// One document; events are numbered as its commits.
    One {
        document: DocumentId,
        /// The last commit that was told.
        last: CommitNumber,
    },
    /// Many; events are numbered as all that the server tells.
    Many,
}

/// Tells of one document. Whoever says which commit they know is told at once if it is not the newest.
pub(super) async fn of_one(
    caller: Caller,
    InPath(name): InPath<String>,
    headers: HeaderMap,
    wanted: Result<Query<OfOne>, QueryRejection>,
) -> Result<Response, Refusal> {
    let room = caller.room(&name, Action::Read).await?;
    let Query(OfOne { after }) = wanted.map_err(odd_query)?;
    let after = last_heard(&headers, after.as_deref());
    let after: Option<u64> = after.map(str::parse).transpose().map_err(|_| no_place())?;
    let document = state::known(&caller, &room).await?.ok_or(Refusal::Absent)?.document;
    let place = caller.place()?;
    let tenant = caller.tenant.id();
    let (listener, _) = caller.epoch.changes.listen(tenant, Follow::One(room.name.clone()), None)?;
    let mut subject = Subject::One { document, last: CommitNumber(0) };
    let mut first = None;
    if let Some(after) = after {
        let changed = since(&caller.epoch.storage, tenant, &room.name, document, CommitNumber(after)).await?;
        let told = changed.as_ref().map_or(CommitNumber(after), |change| change.commit);
        subject = Subject::One { document, last: told };
        first = changed.map(|change| told_of(told.0, &change));
    }
    caller.check_lease()?;
    Ok(Feed { caller, listener, subject, first, _place: place }.into_response())
}

/// Tells of all documents whose names begin so, and which the caller may read when they change.
pub(super) async fn of_many(
    caller: Caller,
    headers: HeaderMap,
    wanted: Result<Query<OfMany>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(OfMany { prefix, after }) = wanted.map_err(odd_query)?;
    let after = last_heard(&headers, after.as_deref());
    let after: Option<Position> = after.map(str::parse).transpose().map_err(|()| no_place())?;
    let place = caller.place()?;
    let (listener, head) = caller.epoch.changes.listen(caller.tenant.id(), Follow::All { prefix }, after)?;
    // Who breaks off before anything has changed comes again with this.
    let begin = Event::default().event("listening").id(head.to_string()).data("{}");
    let first = after.is_none().then_some(begin);
    caller.check_lease()?;
    Ok(Feed { caller, listener, subject: Subject::Many, first, _place: place }.into_response())
}

/// Returns what someone says that they have heard last. Browsers come again with the path that they had, and say it in the header.
fn last_heard<'a>(headers: &'a HeaderMap, in_query: Option<&'a str>) -> Option<&'a str> {
    headers.get("last-event-id").and_then(|value| value.to_str().ok()).or(in_query)
}

impl Feed {
    fn into_response(self) -> Response {
        let events = stream::unfold(self, async |mut feed| {
            let event = feed.next().await?;
            Some((Ok::<_, Infallible>(event), feed))
        });
        let heartbeat = KeepAlive::new().interval(Duration::from_millis(LIVE_HEARTBEAT_MS));
        Sse::new(events).keep_alive(heartbeat).into_response()
    }

    /// Waits for the next event. Returns nothing when the server stops, the store has failed, or the caller may read no longer.
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.caller.check_lease().ok()?;
            if let Some(first) = self.first.take() {
                return Some(first);
            }
            let heard = tokio::select! {
                biased;
                () = self.caller.ended() => return None,
                heard = self.listener.next() => heard,
            };
            match heard {
                Heard::Changed(position, change) => {
                    if let Some(event) = self.tell(position, change).await? {
                        return Some(event);
                    }
                }
                Heard::Missed(position) => {
                    return Some(Event::default().event("missed").id(position.to_string()).data("{}"));
                }
            }
        }
    }

    /// Returns what is told of a change, if anything is; nothing at all if the feed ends with it.
    async fn tell(&mut self, position: Position, change: Change) -> Option<Option<Event>> {
        // What they may do may have changed since they came.
        let may = self.caller.room(change.name.as_str(), Action::Read).await;
        self.caller.check_lease().ok()?;
        match (&mut self.subject, may) {
            // The name means another document by now: whoever comes again is told of that.
            (Subject::One { document, .. }, Ok(_)) if *document != change.document => None,
            (Subject::One { last, .. }, Ok(_)) if change.commit <= *last => Some(None),
            (Subject::One { last, .. }, Ok(_)) => {
                *last = change.commit;
                Some(Some(told_of(change.commit.0, &change)))
            }
            (Subject::Many, Ok(_)) => Some(Some(told_of(position, &change))),
            (Subject::Many, Err(Refusal::Absent)) => Some(None),
            (Subject::One { .. } | Subject::Many, Err(_)) => None,
        }
    }
}

fn told_of(id: impl ToString, change: &Change) -> Event {
    let data = json!({
        "document": change.name.as_str(),
        "commit": change.commit.0,
        "at": time_text(change.at),
        "authors": change.authors.iter().map(author_json).collect::<Vec<_>>(),
    });
    Event::default().event("changed").id(id.to_string()).data(data.to_string())
}

fn no_place() -> Refusal {
    Refusal::Malformed("no event has this `id`".to_owned())
}

fn odd_query(rejection: QueryRejection) -> Refusal {
    Refusal::Malformed(rejection.body_text())
}
