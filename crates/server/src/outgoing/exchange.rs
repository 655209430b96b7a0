//! One request and its answer over HTTP/1.1, on a connection of its own.

use std::{future::pending, io};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header},
};
use bytes::Bytes;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;

use super::{Target, Trust};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("it cannot be reached")]
    Connect(#[from] io::Error),
    #[error("the request or the answer broke off")]
    Http(#[from] hyper::Error),
    #[error("it answers with status {0}")]
    Status(StatusCode),
    #[error("its answer is too long, or broke off")]
    Body(axum::Error),
}

/// What the head of an answer says, whatever its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    /// How long whoever answers wants to be left in peace, if they say so in seconds, in milliseconds.
    pub(crate) retry_after_ms: Option<u64>,
}

/// Sends a request, whose place the target is, and returns what is answered with status 200, at most so many bytes. Nobody is
/// followed elsewhere.
pub(crate) async fn exchange(
    target: &Target,
    trust: &Trust,
    request: Request<Body>,
    bytes_max: usize,
) -> Result<Bytes, ExchangeError> {
    let read = async |answer: Response<Incoming>| {
        if answer.status() != StatusCode::OK {
            return Err(ExchangeError::Status(answer.status()));
        }
        to_bytes(Body::new(answer.into_body()), bytes_max).await.map_err(ExchangeError::Body)
    };
    send(target, trust, request, read).await
}

/// Sends a request, whose place the target is, and returns what the head of the answer says. Its body is not read, and nobody is
/// followed elsewhere.
pub(crate) async fn tell(
    target: &Target,
    trust: &Trust,
    request: Request<Body>,
) -> Result<Told, ExchangeError> {
    let read = async |answer: Response<Incoming>| {
        Ok(Told { status: answer.status(), retry_after_ms: retry_after_ms(answer.headers()) })
    };
    send(target, trust, request, read).await
}

async fn send<T>(
    target: &Target,
    trust: &Trust,
    mut request: Request<Body>,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, ExchangeError>,
) -> Result<T, ExchangeError> {
    *request.uri_mut() = Uri::from(target.path.clone());
    request.headers_mut().insert(header::HOST, target.authority.clone());
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    let wire = target.connect(trust).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await?;
    let exchange = async { read(sender.send_request(request).await?).await };
    let carry = async {
        // What breaks the connection off breaks the exchange off, too, which says so.
        drop(connection.await);
        pending().await
    };
    tokio::select! {
        answer = exchange => answer,
        never = carry => never,
    }
}

/// `Retry-After` may also be a date; of a clock that is not ours nothing is made.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(seconds.saturating_mul(1_000))
}
