//! Whoever is asked over HTTP/1.1, with a connection for each question.

use axum::{
    body::Body,
    http::{Request, header},
};
use bytes::Bytes;
use syncline_core::entity::Secret;
use syncline_protocol::wire::sync_v1::handler_signature;

use super::{ExchangeError, Target, Trust, exchange};
use crate::{clock::Clock, limits::HANDLER_ANSWER_BYTES_MAX};

/// The header that a question is signed in.
const SIGNATURE: &str = "sync-signature";

/// Where questions go.
#[derive(Debug)]
pub(crate) struct Web {
    target: Target,
    trust: Trust,
    secret: Option<Secret>,
    clock: Clock,
}

impl Web {
    pub(crate) const fn new(target: Target, trust: Trust, secret: Option<Secret>, clock: Clock) -> Self {
        Self { target, trust, secret, clock }
    }

    /// Sends a question in JSON, and returns the answer.
    pub(crate) async fn exchange(&self, body: String) -> Result<Bytes, ExchangeError> {
        let request = self.request(body);
        exchange(&self.target, &self.trust, request, HANDLER_ANSWER_BYTES_MAX).await
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
