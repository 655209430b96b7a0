//! `GET /sync/v1/live`: what changes, as it does, as server-sent events.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use axum::{
    extract::RawQuery,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use syncline_core::entity::{ActorName, TypeName};
use syncline_protocol::{
    ledger::{Answer, Input, PullChange, PullScope},
    wire::sync_v1::{Code, LiveEvent, Problem},
};
use tokio::{sync::broadcast, time::Duration};
use tokio_util::sync::CancellationToken;

use super::{ask::Asked, cursors, news::News, pull::change, refusal::Refusal, reply::unexpected, scopes};
use crate::{
    access::{Again, due},
    entities::Answered,
    limits::{LIVE_HEARTBEAT_MS, LIVE_PAGE, LIVE_SCOPES_MAX},
    quota::{Payer, Place},
};

pub(super) async fn live(asked: Asked, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let listener = Listener::open(asked, query.as_deref().unwrap_or_default()).await?;
    let events = stream::unfold(listener, async |mut listener| {
        let Told { name, data } = listener.next().await.ok()?;
        Some((Ok::<_, Infallible>(Event::default().event(name).data(data)), listener))
    });
    let heartbeat = KeepAlive::new().interval(Duration::from_millis(LIVE_HEARTBEAT_MS));
    Ok(Sse::new(events).keep_alive(heartbeat).into_response())
}

/// An event as it is told.
pub(super) struct Told {
    pub(super) name: &'static str,
    /// An object that has members, in JSON.
    pub(super) data: String,
}

/// Why nothing more is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server stops.
    Stopping,
    /// The device may not be told any more.
    Refused,
    /// What the caller showed is good no longer.
    Over,
    /// The ledger is not open.
    Down,
}

/// What a client wants to be told.
struct Wanted {
    device: ActorName,
    /// By the places in which they stand.
    scopes: Vec<(TypeName, Option<String>)>,
}

/// A scope that is followed.
struct Followed {
    pull: PullScope,
    /// The client's cursor; none if it is only to be told that there is something new.
    word: Option<String>,
}

/// Who is told of changes.
pub(super) struct Listener {
    asked: Asked,
    /// When it is to be found out again what they may read.
    again: Option<Again>,
    device: ActorName,
    scopes: Vec<Followed>,
    news: News,
    revoked: broadcast::Receiver<ActorName>,
    /// Events that are still to be sent, the last one first.
    waiting: Vec<Told>,
    stopping: CancellationToken,
    _place: (Place, Place),
}

impl Listener {
    /// Returns who is told what a query asks for. A refusal is told as one, and not at the end of a stream.
    pub(super) async fn open(mut asked: Asked, query: &str) -> Result<Self, Refusal> {
        let wanted = Wanted::parse(query)?;
        asked.check_device(&wanted.device)?;
        asked.want_scopes(wanted.scopes.iter().map(|(name, _)| name.clone()).collect()).await?;
        let again = asked.again();
        let place = asked.live_place()?;
        let news = News::listen(&asked);
        let mut listener = Self {
            stopping: asked.shared.stopping.clone(),
            device: wanted.device.clone(),
            scopes: wanted.open(&asked).await?,
            revoked: asked.ledger.revoked(),
            asked,
            again,
            news,
            waiting: Vec::new(),
            _place: place,
        };
        listener.look().await?;
        Ok(listener)
    }

    /// Waits until what the caller showed is good no longer. The future does not borrow the listener.
    pub(super) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        self.asked.over()
    }

    /// Returns whose quota it counts for.
    pub(super) fn payer(&self) -> Payer {
        self.asked.payer()
    }

    /// Waits for the next event. The future is to be polled to its end, or the listener dropped with it.
    pub(super) async fn next(&mut self) -> Result<Told, Ended> {
        loop {
            if self.asked.check_lease().is_err() {
                return Err(Ended::Over);
            }
            if let Some(told) = self.waiting.pop() {
                return Ok(told);
            }
            tokio::select! {
                () = self.stopping.cancelled() => return Err(Ended::Stopping),
                () = self.asked.ended() => return Err(Ended::Over),
                () = due(&mut self.again) => {
                    self.ask_again().await?;
                    continue;
                }
                () = self.news.next() => {}
                revoked = self.revoked.recv() => if revoked.is_ok_and(|device| device != self.device) {
                    continue;
                }
            }
            self.look().await.map_err(|refusal| ended(&refusal))?;
        }
    }

    /// Goes on if the listener may still read all that they could.
    async fn ask_again(&mut self) -> Result<(), Ended> {
        let goes_on = self.asked.may_go_on().await.map_err(|refusal| ended(&refusal))?;
        self.again = self.asked.again();
        if goes_on { Ok(()) } else { Err(Ended::Refused) }
    }

    /// Reads what is new in each scope, as events.
    async fn look(&mut self) -> Result<(), Refusal> {
        let scopes: Vec<_> = self.scopes.iter().map(|followed| followed.pull.clone()).collect();
        self.news.follow(&scopes);
        loop {
            let scopes: Vec<_> = self.scopes.iter().map(|followed| followed.pull.clone()).collect();
            let (actor, user) = (self.device.clone(), self.asked.user.clone());
            let answered =
                self.asked.ledger(|_, request| Input::Pull { request, actor, user, scopes }).await?;
            if !self.take(&answered)? {
                break;
            }
        }
        self.waiting.reverse();
        Ok(())
    }

    /// Makes events of pages, and returns whether there are more.
    fn take(&mut self, answered: &Answered) -> Result<bool, Refusal> {
        let Answer::Pulled(pulled) = &answered.answer else { return Err(unexpected()) };
        let mut has_more = false;
        for (followed, page) in self.scopes.iter_mut().zip(&pulled.scopes) {
            let scope = page.name.as_str();
            if let Some(reason) = page.reset {
                // The client pulls from the beginning by itself. Where this stream is says nothing any more.
                if followed.word.take().is_some() {
                    self.waiting.push(told(&LiveEvent::Resync { scope, reason, cursor: None }, answered));
                }
                continue;
            }
            followed.pull.cursor = Some(page.cursor);
            let is_new = !page.changes.is_empty();
            // The whole of a document is too much for each letter that is typed in it: whoever wants it pulls it.
            let has_document = page.changes.iter().any(|change| matches!(change, PullChange::Document(..)));
            let told = match &mut followed.word {
                Some(word) if has_document => {
                    has_more |= page.has_more;
                    *word = cursors::seal(&page.cursor, &page.name, &self.asked.ledger);
                    Some(told(&LiveEvent::Poke { scope, head: pulled.as_of }, answered))
                }
                // The client's cursor moves past what it has written itself, too; where nothing has changed it stays, and the
                // next delta begins there.
                Some(word) if is_new || page.own > 0 => {
                    has_more |= page.has_more;
                    let cursor = cursors::seal(&page.cursor, &page.name, &self.asked.ledger);
                    let from = std::mem::replace(word, cursor.clone());
                    let changes: Vec<_> = page.changes.iter().map(|told| change(told, |_| None)).collect();
                    let delta = LiveEvent::Delta { scope, from: &from, changes: &changes, cursor: &cursor };
                    Some(told(&delta, answered))
                }
                Some(_) => None,
                None => is_new.then(|| told(&LiveEvent::Poke { scope, head: pulled.as_of }, answered)),
            };
            self.waiting.extend(told);
        }
        Ok(has_more)
    }
}

fn ended(refusal: &Refusal) -> Ended {
    match refusal.code() {
        Code::ReadOnly | Code::Internal | Code::HandlerUnavailable => Ended::Down,
        Code::Unauthenticated | Code::TokenExpired => Ended::Over,
        _ => Ended::Refused,
    }
}

fn told(event: &LiveEvent<'_>, answered: &Answered) -> Told {
    Told { name: event.name(), data: event.data(&answered.actors) }
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let odd = |what: &str| Problem::new(Code::MalformedRequest).because(what);
        let (mut device, mut names, mut cursors) = (None, Vec::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "device_id" => device = ActorName::device(&value).ok(),
                "scope" => {
                    names.push(TypeName::new(&value).map_err(|_| odd("a scope has the name of none"))?)
                }
                "cursor" => cursors.push(value.into_owned()),
                _ => {}
            }
        }
        let device = device.ok_or_else(|| odd("`device_id` is missing, or is none"))?;
        if names.is_empty() || names.len() > LIVE_SCOPES_MAX || cursors.len() > names.len() {
            return Err(odd("name from 1 to 100 scopes, and for each at most one cursor").into());
        }
        let cursors = cursors.into_iter().map(|word| Some(word).filter(|word| !word.is_empty()));
        let cursors = cursors.chain(std::iter::repeat(None));
        Ok(Self { device, scopes: names.into_iter().zip(cursors).collect() })
    }

    async fn open(self, asked: &Asked) -> Result<Vec<Followed>, Refusal> {
        let mut opened = Vec::with_capacity(self.scopes.len());
        for (name, word) in self.scopes {
            let cursor = word.as_deref().map(|word| cursors::open(word, &name, &asked.ledger)).transpose()?;
            opened.push((name, word, cursor));
        }
        let (identity, schema) = (Arc::clone(&asked.identity), asked.schema()?);
        let look = asked.look(move |ledger| {
            let followed = opened.into_iter().map(|(name, word, cursor)| {
                let wanted = scopes::Wanted { name, params: BTreeMap::new(), cursor };
                let scope = wanted.fill(ledger, &identity, schema)?;
                // Whoever is only to be told that there is something new begins at the end.
                let cursor = wanted.cursor.or_else(|| Some(ledger.last_cursor(&scope)));
                let pull = PullScope { scope, cursor, count_max: LIVE_PAGE, without_own: true };
                Ok(Followed { pull, word })
            });
            followed.collect()
        });
        look.await?
    }
}
