//! The list over HTTP: once, or as it changes.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use syncline_core::{
    access::{Action, Resource},
    id::TenantName,
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

use super::{Lobby, Published};
use crate::{
    access::{Head, Lease, Proof, Unauthenticated},
    clock::Clock,
    http::{bearer, problem},
    limits::{LIST_EVERY_MS, LIST_HEARTBEAT_MS},
    shared::Shared,
};

/// Why the list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "only this server's own pages may read this, under a name that an operator can allow with --allow-origin"
    )]
    Origin,
    #[error("this needs a token that may read `server`, as `Authorization: Bearer TOKEN`")]
    Unauthorized,
    #[error("the store is not open; come again")]
    StoreDown,
    #[error("as many listen as may; come again")]
    Overloaded,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Origin => (StatusCode::FORBIDDEN, "origin-not-allowed"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::StoreDown => (StatusCode::SERVICE_UNAVAILABLE, "store-down"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        };
        problem(status, error, &self.to_string())
    }
}

/// Answers `GET /rooms`: the list, at most a second old.
pub(crate) async fn rooms(
    State(shared): State<Arc<Shared>>,
    (method, uri): (Method, Uri),
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let head = Head { method: &method, uri: &uri, headers: &headers };
    let (tenant, _) = check_reader(&shared, head).await?;
    let list = shared.lobby.list(&shared, &tenant).await.ok_or(Refusal::StoreDown)?;
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((kind, nosniff(), list.to_string()).into_response())
}

/// Answers `GET /rooms/events`: the list now and whenever it has changed, as server-sent events.
pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    (method, uri): (Method, Uri),
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let head = Head { method: &method, uri: &uri, headers: &headers };
    let (tenant, lease) = check_reader(&shared, head).await?;
    let place = Arc::clone(&shared.lobby.listeners).try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
    let listener = Listener {
        published: shared.lobby.listen(&tenant),
        last: None,
        lease,
        clock: shared.clock,
        stopping: shared.stopping.clone(),
        _place: place,
    };
    let events = stream::unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let heartbeat = KeepAlive::new().interval(Duration::from_millis(LIST_HEARTBEAT_MS));
    Ok((nosniff(), Sse::new(events).keep_alive(heartbeat)).into_response())
}

/// Who gets the list as it changes.
struct Listener {
    published: watch::Receiver<Published>,
    last: Option<Arc<str>>,
    /// How long the reader may listen.
    lease: Lease,
    clock: Clock,
    stopping: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// Waits for a list that is not the last one. Returns nothing when the server stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let list = self.published.borrow_and_update().list.clone();
            if let Some(list) = list.filter(|list| self.last.as_ref() != Some(list)) {
                self.last = Some(Arc::clone(&list));
                return Some(Event::default().data(&*list));
            }
            tokio::select! {
                changed = self.published.changed() => changed.ok()?,
                () = self.stopping.cancelled() => return None,
                () = self.lease.ended(self.clock) => return None,
            }
        }
    }
}

impl Lobby {
    /// Returns the list of a tenant that is at most a second old, or nothing while the store is down.
    async fn list(&self, shared: &Shared, tenant: &TenantName) -> Option<Arc<str>> {
        let asked = shared.clock.monotonic();
        let mut published = self.listen(tenant);
        let recent = |published: &Published| published.at.is_some_and(|at| asked.since(at) < LIST_EVERY_MS);
        tokio::select! {
            found = published.wait_for(recent) => found.ok()?.list.clone(),
            () = shared.stopping.cancelled() => None,
        }
    }
}

fn nosniff() -> [(header::HeaderName, &'static str); 1] {
    [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")]
}

/// Returns whose list may be read, and how long.
async fn check_reader(shared: &Arc<Shared>, head: Head<'_>) -> Result<(TenantName, Lease), Refusal> {
    if !shared.pages.may_read(head.headers) {
        return Err(Refusal::Origin);
    }
    let identity = shared.gate.identify(bearer(head.headers), None, shared.clock.now().wall).await;
    let proof = Proof::of_head(shared, head).map_err(|_| Refusal::Unauthorized)?;
    let identity = proof.admit(identity.map_err(|_| Refusal::Unauthorized)?).await;
    let identity = identity.map_err(|error| match error {
        Unauthenticated::Unavailable => Refusal::StoreDown,
        _ => Refusal::Unauthorized,
    })?;
    if !identity.may(Action::Read, Resource::Server) {
        return Err(Refusal::Unauthorized);
    }
    Ok((identity.tenant.clone(), shared.gate.lease(identity)))
}
