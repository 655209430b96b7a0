//! Whoever is asked over HTTP/1.1, with a connection for each question.

use axum::{
    body::Body,
    http::{Request, header},
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use syncline_core::{entity::Secret, limits::RETRY_AFTER_MS};
use syncline_protocol::{
    ledger::Verdict,
    wire::sync_v1::{VerdictError, handler_signature, read_verdict},
};

use super::question::{PushHandler, PushQuestion};
use crate::{
    clock::Clock,
    limits::HANDLER_ANSWER_BYTES_MAX,
    outgoing::{ExchangeError, Target, Trust, exchange},
};

/// The header that a question is signed in.
const SIGNATURE: &str = "sync-signature";

/// A handler that is asked so.
#[derive(Debug)]
pub(super) struct WebHandler(pub(super) Web);

/// Where questions go.
#[derive(Debug)]
pub(super) struct Web {
    target: Target,
    trust: Trust,
    secret: Option<Secret>,
    clock: Clock,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("its answer cannot be read")]
    Answer(#[from] VerdictError),
}

impl Web {
    pub(super) const fn new(target: Target, trust: Trust, secret: Option<Secret>, clock: Clock) -> Self {
        Self { target, trust, secret, clock }
    }

    /// Sends a question, and returns the answer.
    pub(super) async fn exchange(&self, body: String) -> Result<Bytes, AskError> {
        let request = self.request(body);
        Ok(exchange(&self.target, &self.trust, request, HANDLER_ANSWER_BYTES_MAX).await?)
    }

    fn request(&self, body: String) -> Request<Body> {
        let mut request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
        if let Some(secret) = &self.secret {
            let now = self.clock.now().wall;
            request = request.header(SIGNATURE, handler_signature(secret.expose(), now, body.as_bytes()));
        }
        request.body(body.into()).expect("its headers are plain")
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
