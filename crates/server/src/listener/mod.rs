//! Accepts TCP connections and speaks HTTP on them.

mod heads;

use std::{future::pending, pin::pin, sync::Arc};

use axum::{Router, http::Request};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use syncline_core::limits::HEADER_MS_MAX;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::{Duration, Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use self::heads::Turns;
pub(crate) use self::heads::unhurried;
use crate::{
    edge::Peer,
    limits::{FAREWELL_MS_MAX, HTTP_CONNECTIONS_MAX},
    quota::Limit,
    shared::Shared,
    tls::Terminator,
};

/// Pause after the system could not accept, usually for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that are accepted before everyone else has a turn. A crowd that comes at once is let in all the same, but no message
/// waits for more than a few of them at each step of its way.
const ACCEPTS_AT_ONCE: u64 = 8;

/// Accepts connections until the server stops.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: Option<Terminator>,
    router: Router,
    shared: Arc<Shared>,
) {
    let places = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    let mut stopping = pin!(shared.stopping.cancelled());
    for accepts in 1_u64.. {
        if accepts.is_multiple_of(ACCEPTS_AT_ONCE) {
            yield_now().await;
        }
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = stopping.as_mut() => return,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((tcp, addr)) => {
                if !shared.doors.may_connect(shared.clock.monotonic(), addr) {
                    shared.metrics.limited(Limit::AddressConnections);
                    continue;
                }
                let peer = Peer { addr, tls: tls.is_some() };
                let greeting = greet(tcp, peer, tls.clone(), router.clone(), shared.stopping.clone(), place);
                shared.connections.spawn(greeting);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection, after whatever has to be agreed on before.
async fn greet(
    tcp: TcpStream,
    peer: Peer,
    tls: Option<Terminator>,
    router: Router,
    stopping: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let head_by = Instant::now() + Duration::from_millis(HEADER_MS_MAX);
    // An option that only costs latency if it cannot be set.
    let _ = tcp.set_nodelay(true);
    let (tcp, turns) = unhurried(tcp);
    let Some(tls) = tls else { return serve((tcp, turns), peer, head_by, router, stopping).await };
    let accepted = tokio::select! {
        accepted = tls.accept(tcp) => accepted,
        () = stopping.cancelled() => return,
    };
    match accepted {
        Ok(stream) => serve((stream, turns), peer, head_by, router, stopping).await,
        Err(error) => tracing::debug!(%error, "a connection ended during TLS"),
    }
}

/// Serves one connection until it is closed or upgraded, or until `head_by` if no request has come by then. What it reads from is
/// [`unhurried`] somewhere below.
pub(crate) async fn serve<S>(
    (stream, turns): (S, Turns),
    peer: Peer,
    head_by: Instant,
    router: Router,
    stopping: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let spoke = CancellationToken::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        spoke.cancel();
        request.extensions_mut().insert(peer);
        let (turn, answer) = (turns.begin(), router.call(request));
        async move { answer.await.map(|response| turn.last(response)) }
    });
    let silent = async {
        if timeout_at(head_by, spoke.cancelled()).await.is_ok() {
            pending::<()>().await;
        }
    };
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEADER_MS_MAX))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut http = pin!(http);
    let result = tokio::select! {
        result = http.as_mut() => result,
        () = silent => return,
        () = stopping.cancelled() => {
            http.as_mut().graceful_shutdown();
            // Whoever does not take the rest of an answer is not waited for.
            let Ok(result) = timeout(Duration::from_millis(FAREWELL_MS_MAX), http).await else { return };
            result
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended during HTTP");
    }
}
