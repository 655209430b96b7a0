//! From an HTTP request to a WebSocket.

mod path;
mod request;
mod shown;

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use syncline_core::{
    id::{RoomName, RoomNameError},
    time::Now,
};
use syncline_protocol::{Access, CloseReason, Session};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Duration, timeout},
};

use uuid::Uuid;

use self::request::Handshake;
pub(crate) use self::shown::credential;
use crate::{
    access::{Credential, Head, NotSigned, Permit, Proof, Unauthenticated},
    connection::{self, Arrival},
    edge::Sender,
    http::problem,
    limits::HANDSHAKE_WAIT_MS_MAX,
    shared::Shared,
};

/// Upgrades `/yjs/{room}` to a WebSocket that speaks the y-websocket protocol.
pub(crate) async fn yjs(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let named = path::room_name(request.uri().path()).ok_or(Refusal::NoRoom);
    enter(&shared, request, named).await
}

/// Upgrades `/d/{room}/ws/{room}` or `/doc/ws/{room}` to a WebSocket that speaks the same, as y-sweet's clients do.
pub(crate) async fn y_sweet(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let named = path::y_sweet_name(request.uri().path()).ok_or(Refusal::TwoRooms);
    enter(&shared, request, named).await
}

/// Upgrades to a WebSocket for the document of one room.
async fn enter(shared: &Arc<Shared>, mut request: Request, named: Result<String, Refusal>) -> Response {
    let answer = match named.and_then(|name| Ok(RoomName::new(&name)?)) {
        Ok(room) => {
            let credential = credential(request.headers(), request.uri().query());
            let proof = Proof::of_head(shared, Head::of(&request));
            let visitor = async |now: Now| visitor(shared, room, &credential, proof, now).await;
            upgrade(shared, &mut request, visitor).await
        }
        Err(refusal) => Err(refusal),
    };
    answered(shared, answer)
}

/// Returns who comes for the document of one room.
async fn visitor(
    shared: &Shared,
    room: RoomName,
    credential: &Credential,
    proof: Result<Proof, NotSigned>,
    now: Now,
) -> Visitor {
    let shown = shared.gate.recognize_for(&room, credential, now.wall).await.ok();
    let proof = match proof {
        Ok(proof) => proof,
        Err(error) => return Visitor::refused(error),
    };
    let Some((identity, most)) = shown else { return Visitor::away(CloseReason::Unauthorized) };
    let identity = match proof.admit(identity).await {
        Ok(identity) => identity,
        Err(Unauthenticated::Unavailable) => return Visitor::away(CloseReason::StoreDown),
        Err(_) => return Visitor::away(CloseReason::Unauthorized),
    };
    let permit = Permit::of(identity);
    let permit = if let Some(most) = most { permit.at_most(most) } else { permit };
    let Ok((access, permit)) = shared.gate.enter(&permit, &room).await else {
        return Visitor::away(CloseReason::Overloaded);
    };
    let Some(access) = access else { return Visitor::away(CloseReason::Unauthorized) };
    let shown = shared.gate.asks_token().then(|| (permit, Some((room.clone(), access))));
    Visitor { session: Ok(Session::yjs(now.monotonic, room, access)), shown, proof: Some(proof) }
}

/// Upgrades `/hocuspocus` to a WebSocket that speaks the Hocuspocus protocol, which names its documents later.
pub(crate) async fn hocuspocus(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let asks_token = shared.gate.asks_token();
    let answer = {
        let credential = credential(request.headers(), request.uri().query());
        let proof = Proof::of_head(&shared, Head::of(&request));
        let visitor = async |now: Now| {
            // A ticket says which device has signed; who asks is said for each document.
            let shown = match credential {
                Credential::Ticket(_) => shared.gate.recognize(&credential, None, now.wall).await.ok(),
                Credential::Token(_) | Credential::Offered(_) | Credential::InUrl(_) => None,
            };
            match proof {
                Ok(mut proof) => {
                    proof.by_ticket = shown.and_then(|shown| shown.signed_by.clone());
                    let session = Ok(Session::hocuspocus(now.monotonic, asks_token));
                    Visitor { session, shown: None, proof: Some(proof) }
                }
                Err(error) => Visitor::refused(error),
            }
        };
        upgrade(&shared, &mut request, visitor).await
    };
    answered(&shared, answer)
}

/// Upgrades `/automerge` to a WebSocket that speaks the protocol of automerge-repo, which names its documents later. What
/// is shown for it is shown here.
pub(crate) async fn automerge(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let answer = {
        let credential = credential(request.headers(), request.uri().query());
        let proof = Proof::of_head(&shared, Head::of(&request));
        let visitor = async |now: Now| {
            let identity = shared.gate.recognize(&credential, None, now.wall).await.ok();
            match (proof, identity) {
                (Ok(proof), Some(identity)) => match proof.admit(identity).await {
                    Ok(identity) => {
                        let session = Ok(Session::automerge(now.monotonic, server_name()));
                        let shown = shared.gate.asks_token().then(|| (Permit::of(identity), None));
                        Visitor { session, shown, proof: Some(proof) }
                    }
                    Err(Unauthenticated::Unavailable) => Visitor::away(CloseReason::StoreDown),
                    Err(_) => Visitor::away(CloseReason::Unauthorized),
                },
                (Err(error), _) => Visitor::refused(error),
                (Ok(_), None) => Visitor::away(CloseReason::Unauthorized),
            }
        };
        upgrade(&shared, &mut request, visitor).await
    };
    answered(&shared, answer)
}

/// What the server calls itself among Automerge peers, another name in each life.
fn server_name() -> Arc<str> {
    static NAME: LazyLock<Arc<str>> =
        LazyLock::new(|| format!("syncline-{}", Uuid::now_v7().simple()).into());
    Arc::clone(&NAME)
}

/// Who has shown a token; for which room, if it is for one alone, and what they may do there.
pub(crate) type Shown = (Permit, Option<(RoomName, Access)>);

/// Who comes with a WebSocket, or why they are sent away.
struct Visitor {
    session: Result<Session, CloseReason>,
    /// Who has shown a token.
    shown: Option<Shown>,
    proof: Option<Proof>,
}

impl Visitor {
    fn refused(error: NotSigned) -> Self {
        tracing::debug!(%error, "a signature was refused");
        let reason = match error {
            NotSigned::Down => CloseReason::StoreDown,
            _ => CloseReason::Unauthorized,
        };
        Self::away(reason)
    }

    fn away(reason: CloseReason) -> Self {
        Self { session: Err(reason), shown: None, proof: None }
    }
}

fn answered(shared: &Shared, answer: Result<Response, Refusal>) -> Response {
    let response = answer.unwrap_or_else(Refusal::into_response);
    shared.metrics.upgrade_answered(response.status().as_u16());
    response
}

/// Why a request for a WebSocket is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a room has a name: connect to /yjs/<room>")]
    NoRoom,
    #[error("the URL ends in the name of a document: connect to /d/<name>/ws/<name>, twice the same")]
    TwoRooms,
    #[error(transparent)]
    RoomName(#[from] RoomNameError),
    #[error("this is a WebSocket: upgrade the connection, version 13")]
    NotWebSocket,
    #[error("pages of this origin may not connect; an operator can allow it with --allow-origin")]
    Origin,
    #[error("the store is not open; come again")]
    StoreDown,
    #[error("the server has as many connections as it may; come again")]
    Overloaded,
}

impl Refusal {
    const fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::NoRoom => (StatusCode::NOT_FOUND, "not-found"),
            Self::TwoRooms | Self::RoomName(_) => (StatusCode::BAD_REQUEST, "bad-room-name"),
            Self::NotWebSocket => (StatusCode::UPGRADE_REQUIRED, "upgrade-required"),
            Self::Origin => (StatusCode::FORBIDDEN, "origin-not-allowed"),
            Self::StoreDown => (StatusCode::SERVICE_UNAVAILABLE, "store-down"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = self.status();
        let mut response = problem(status, error, &self.to_string());
        if matches!(self, Self::NotWebSocket) {
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

/// Upgrades a request whose sender was let in to a WebSocket that `serve` serves.
pub(crate) fn upgrade_to<F: Future<Output = ()> + Send + 'static>(
    shared: &Arc<Shared>,
    request: &mut Request,
    serve: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
) -> Result<Response, Refusal> {
    let handshake = Handshake::of(request).ok_or(Refusal::NotWebSocket)?;
    let socket = socket(shared)?;
    let upgraded = hyper::upgrade::on(request);
    shared.connections.spawn(async move {
        let _socket = socket;
        match upgraded.await {
            Ok(upgraded) => serve(TokioIo::new(upgraded)).await,
            Err(error) => tracing::debug!(%error, "a connection ended before it was upgraded"),
        }
    });
    Ok(handshake.response())
}

/// Takes the place of a WebSocket among those that may be open.
fn socket(shared: &Shared) -> Result<OwnedSemaphorePermit, Refusal> {
    Arc::clone(&shared.sockets).try_acquire_owned().map_err(|_| Refusal::Overloaded)
}

async fn upgrade(
    shared: &Arc<Shared>,
    request: &mut Request,
    visitor: impl AsyncFnOnce(Now) -> Visitor,
) -> Result<Response, Refusal> {
    let handshake = Handshake::of(request).ok_or(Refusal::NotWebSocket)?;
    if !shared.pages.may_connect(request.headers()) {
        return Err(Refusal::Origin);
    }
    if shared.epoch().is_none() {
        return Err(Refusal::StoreDown);
    }
    let socket = socket(shared)?;
    let turn = turn(shared).await?;
    let Visitor { session, shown, proof } = visitor(shared.clock.now()).await;
    // The store may have failed while the request waited for its turn.
    let epoch = shared.epoch().ok_or(Refusal::StoreDown)?;
    let tenant = shown.as_ref().map(|(permit, ..)| epoch.tenants.of(&permit.identity.tenant));
    let (session, tenant) = match tenant.transpose() {
        // Where nobody has to prove who they are there is one tenant.
        Ok(None) if !shared.gate.asks_token() => (session, Some(epoch.tenants.default_one())),
        Ok(tenant) => (session, tenant),
        Err(error) => {
            tracing::warn!(%error, "a connection of another tenant is turned away");
            (Err(CloseReason::Overloaded), None)
        }
    };
    let client = request.extensions().get::<Sender>().map(|sender| sender.addr);
    let arrival = Arrival {
        client,
        shared: Arc::clone(shared),
        session,
        shown,
        proof,
        epoch,
        tenant,
        handshake: Some(turn),
    };
    let upgraded = hyper::upgrade::on(request);
    shared.connections.spawn(serve(upgraded, arrival, socket));
    Ok(handshake.response())
}

async fn serve(upgraded: OnUpgrade, arrival: Arrival, _socket: OwnedSemaphorePermit) {
    match upgraded.await {
        Ok(upgraded) => connection::serve(TokioIo::new(upgraded), arrival).await,
        Err(error) => tracing::debug!(%error, "a connection ended before it was upgraded"),
    }
}

async fn turn(shared: &Shared) -> Result<OwnedSemaphorePermit, Refusal> {
    let turn = Arc::clone(&shared.handshakes).acquire_owned();
    let wait = Duration::from_millis(HANDSHAKE_WAIT_MS_MAX);
    tokio::select! {
        turn = timeout(wait, turn) => {
            Ok(turn.map_err(|_| Refusal::Overloaded)?.expect("the semaphore is never closed"))
        }
        () = shared.stopping.cancelled() => Err(Refusal::StoreDown),
    }
}
