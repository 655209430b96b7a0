//! The edge: who a request comes from, whether it may come now, and what every answer tells browsers.

mod doors;
mod forwarded;
mod network;
mod rules;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use syncline_protocol::wire::sync_v1::Code;

pub(crate) use self::doors::Doors;
pub use self::network::{Network, NetworkError};
use crate::{
    http::{TOO_MANY, problem, too_many},
    quota::{Limit, TooFast},
    shared::Shared,
};

/// Where refusals have codes of their own.
const SYNC: &str = "/sync/v1/";

/// The other end of a TCP connection: an extension of each request on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// Whether we speak TLS with it.
    pub(crate) tls: bool,
}

/// Who sent a request, as far as can be told: an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) addr: IpAddr,
    /// Whether nobody counts how fast they come: they are on this machine, and no proxy is between.
    is_local: bool,
    /// Whether a proxy is between, so that nobody has counted their connection.
    is_behind_proxy: bool,
    /// Whether they ask over TLS, be it that of a proxy.
    pub(crate) https: bool,
}

impl Sender {
    /// Returns who sent a request.
    fn of(peer: Peer, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let peer_addr = peer.addr.ip().to_canonical();
        let addr = forwarded::sender(peer_addr, headers, trusted);
        Self {
            addr,
            // A proxy elsewhere may say that someone is on its own machine: that is not this one.
            is_local: peer_addr.is_loopback() && addr.is_loopback(),
            is_behind_proxy: addr != peer_addr,
            https: peer.tls || forwarded::says_https(peer_addr, headers, trusted),
        }
    }
}

/// Lets a request in, or not, and has its answer tell browsers the rules.
pub(crate) async fn enter(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let peer = peer.unwrap_or(Peer { addr: SocketAddr::from(([0, 0, 0, 0], 0)), tls: false });
    let sender = Sender::of(peer, request.headers(), &shared.doors.trusted);
    request.extensions_mut().insert(sender);
    let mut response = match check(&shared, sender, &request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused,
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        rules::protect(response.headers_mut(), sender.https);
    }
    response
}

#[expect(
    clippy::result_large_err,
    reason = "a response is as large as it is, and this is called once a request"
)]
fn check(shared: &Shared, sender: Sender, request: &Request) -> Result<(), Response> {
    let headers = request.headers();
    if shared.doors.local_only && forwarded::comes_from_elsewhere(headers) {
        let why = "a proxy passes this on from another machine, and no token is asked for here: everyone could do \
            everything; configure tokens, or allow it with --insecure-listen-anywhere";
        return Err(problem(StatusCode::FORBIDDEN, "not-local", why));
    }
    if sender.is_local {
        return Ok(());
    }
    let now = shared.clock.monotonic();
    let connects = sender.is_behind_proxy && headers.contains_key(header::UPGRADE);
    let admitted = shared.doors.admit_request(now, sender.addr);
    let admitted = admitted.map_err(|wait_ms| (Limit::AddressRequests, wait_ms));
    let admitted = admitted.and_then(|()| match connects {
        true => shared
            .doors
            .admit_connection(now, sender.addr)
            .map_err(|wait_ms| (Limit::AddressConnections, wait_ms)),
        false => Ok(()),
    });
    admitted.map_err(|(limit, wait_ms)| {
        shared.metrics.limited(limit);
        tracing::debug!(client = %sender.addr, limit = limit.name(), "a request was refused");
        let is_sync = request.uri().path().starts_with(SYNC);
        too_many(if is_sync { Code::RateLimited.as_str() } else { TOO_MANY }, &TooFast { limit, wait_ms })
    })
}
