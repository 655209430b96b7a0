//! Whoever is asked over HTTP/1.1, with a connection for each question.

use std::{future::pending, io};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use syncline_core::{entity::Secret, limits::RETRY_AFTER_MS};
use syncline_protocol::{
    ledger::Verdict,
    wire::sync_v1::{VerdictError, handler_signature, read_verdict},
};

use super::{
    question::{PushHandler, PushQuestion},
    target::Target,
};
use crate::{clock::Clock, limits::HANDLER_ANSWER_BYTES_MAX};

/// The header that a question is signed in.
const SIGNATURE: &str = "sync-signature";

/// A handler that is asked so.
#[derive(Debug)]
pub(super) struct WebHandler(pub(super) Web);

/// Where questions go.
#[derive(Debug)]
pub(super) struct Web {
    target: Target,
    secret: Option<Secret>,
    clock: Clock,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("it cannot be reached")]
    Connect(#[from] io::Error),
    #[error("the request or the answer broke off")]
    Http(#[from] hyper::Error),
    #[error("it answers with status {0}")]
    Status(StatusCode),
    #[error("its answer is too long, or broke off")]
    Body(axum::Error),
    #[error("its answer cannot be read")]
    Answer(#[from] VerdictError),
}

impl Web {
    pub(super) const fn new(target: Target, secret: Option<Secret>, clock: Clock) -> Self {
        Self { target, secret, clock }
    }

    /// Sends a question, and returns the answer.
    pub(super) async fn exchange(&self, body: String) -> Result<Bytes, AskError> {
        let request = self.request(body);
        let tcp = self.target.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            if answer.status() != StatusCode::OK {
                return Err(AskError::Status(answer.status()));
            }
            let body = to_bytes(Body::new(answer.into_body()), HANDLER_ANSWER_BYTES_MAX).await;
            body.map_err(AskError::Body)
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

    fn request(&self, body: String) -> Request<Body> {
        let mut request = Request::post(self.target.path.as_str())
            .header(header::HOST, &self.target.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close");
        if let Some(secret) = &self.secret {
            let now = self.clock.now().wall;
            request = request.header(SIGNATURE, handler_signature(secret.expose(), now, body.as_bytes()));
        }
        request.body(body.into()).expect("its path and headers were read before, or are plain")
    }
}

impl PushHandler for WebHandler {
    fn judge<'a>(&'a self, question: &'a PushQuestion) -> BoxFuture<'a, Verdict> {
        let judge = async {
            let answer = self.0.exchange(question.body()).await;
            let verdict = answer.and_then(|answer| read_verdict(&answer).map_err(AskError::from));
            verdict.unwrap_or_else(|error| {
                tracing::debug!(error = &error as &dyn std::error::Error, "a handler gives no verdict");
                Verdict::Unavailable { retry_after_ms: RETRY_AFTER_MS }
            })
        };
        judge.boxed()
    }
}
