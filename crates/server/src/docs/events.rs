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
    places::Places,
    refusal::Refusal,
    state,
};
use crate::{
    changes::{Change, Follow, Gone, Heard, Listener, News, Position},
    history::{author_json, since},
    limits::LIVE_HEARTBEAT_MS,
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
    /// Whether the document is there no more, and that was told.
    is_over: bool,
    _places: Places,
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
    let places = Places::of_feed(&caller)?;
    let tenant = caller.tenant.id();
    // Before the look, so that a deletion behind it is heard.
    let (listener, _) = caller.epoch.changes.listen(tenant, Follow::One(room.name.clone()), None);
    let document = state::existing(&caller, &room).await?.document;
    if state::is_gone(&caller, &room).await? {
        return Err(Refusal::Absent);
    }
    let mut subject = Subject::One { document, last: CommitNumber(0) };
    let mut first = None;
    if let Some(after) = after {
        let changed = since(&caller.epoch.storage, tenant, &room.name, document, CommitNumber(after)).await?;
        let told = changed.as_ref().map_or(CommitNumber(after), |change| change.commit);
        subject = Subject::One { document, last: told };
        first = changed.map(|change| told_of(told.0, &change));
    }
    caller.check_lease()?;
    Ok(Feed { caller, listener, subject, first, is_over: false, _places: places }.into_response())
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
    let places = Places::of_feed(&caller)?;
    let (listener, head) = caller.epoch.changes.listen(caller.tenant.id(), Follow::All { prefix }, after);
    // Who breaks off before anything has changed comes again with this.
    let begin = Event::default().event("listening").id(head.to_string()).data("{}");
    let first = after.is_none().then_some(begin);
    caller.check_lease()?;
    let subject = Subject::Many;
    Ok(Feed { caller, listener, subject, first, is_over: false, _places: places }.into_response())
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

    /// Waits for the next event. Returns nothing when the server stops, the store has failed, the caller may read no longer, or there
    /// is nothing more to read.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over {
                return None;
            }
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
                Heard::Told(position, news) => {
                    if let Some(event) = self.tell(position, news).await? {
                        return Some(event);
                    }
                }
                Heard::Missed(position) => match self.subject {
                    Subject::Many => {
                        return Some(Event::default().event("missed").id(position.to_string()).data("{}"));
                    }
                    // Many documents of the name have come and gone.
                    Subject::One { .. } => return None,
                },
            }
        }
    }

    /// Returns what is told of news, if anything is; nothing at all if the feed ends without.
    async fn tell(&mut self, position: Position, news: News) -> Option<Option<Event>> {
        // What they may do may have changed since they came.
        let may = self.caller.room(news.name().as_str(), Action::Read).await;
        self.caller.check_lease().ok()?;
        match (&mut self.subject, may) {
            (Subject::Many, Ok(_)) => Some(Some(match news {
                News::Changed(change) => told_of(position, &change),
                News::Deleted(gone) => told_of_end(position, &gone),
            })),
            (Subject::Many, Err(Refusal::Absent)) => Some(None),
            (Subject::One { document, last }, Ok(_)) => match news {
                // The name means another document by now: whoever comes again is told of that.
                News::Changed(change) if change.document != *document => None,
                News::Changed(change) if change.commit <= *last => Some(None),
                News::Changed(change) => {
                    *last = change.commit;
                    Some(Some(told_of(change.commit.0, &change)))
                }
                // Another one had the name before.
                News::Deleted(gone) if gone.document.is_some_and(|gone| gone != *document) => Some(None),
                News::Deleted(gone) => {
                    self.is_over = true;
                    // Of the next document of the name they know nothing.
                    Some(Some(told_of_end(0, &gone)))
                }
            },
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

fn told_of_end(id: impl ToString, gone: &Gone) -> Event {
    let data = json!({
        "document": gone.name.as_str(),
        "at": time_text(gone.at),
        "by": gone.by.as_ref().map(author_json),
    });
    Event::default().event("deleted").id(id.to_string()).data(data.to_string())
}

fn no_place() -> Refusal {
    Refusal::Malformed("no event has this `id`".to_owned())
}

fn odd_query(rejection: QueryRejection) -> Refusal {
    Refusal::Malformed(rejection.body_text())
}
