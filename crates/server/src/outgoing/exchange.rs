//! One request and its answer over HTTP/1.1, on a connection of its own.

use std::{future::pending, io};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, Request, StatusCode, Uri, header},
};
use bytes::Bytes;
use hyper::client::conn::http1;
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

/// Sends a request, whose place the target is, and returns what is answered with status 200, at most so many bytes. Nobody is
/// followed elsewhere.
pub(crate) async fn exchange(
    target: &Target,
    trust: &Trust,
    mut request: Request<Body>,
    bytes_max: usize,
) -> Result<Bytes, ExchangeError> {
    *request.uri_mut() = Uri::from(target.path.clone());
    request.headers_mut().insert(header::HOST, target.authority.clone());
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    let wire = target.connect(trust).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(ExchangeError::Status(answer.status()));
        }
        to_bytes(Body::new(answer.into_body()), bytes_max).await.map_err(ExchangeError::Body)
    };
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
