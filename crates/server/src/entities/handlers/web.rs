//! Handlers that are asked over HTTP.

use futures_util::{FutureExt, future::BoxFuture};
use syncline_core::limits::RETRY_AFTER_MS;
use syncline_protocol::{
    ledger::Verdict,
    wire::sync_v1::{VerdictError, read_verdict},
};

use super::question::{PushHandler, PushQuestion};
use crate::outgoing::{ExchangeError, Web};

/// A handler that is asked so.
#[derive(Debug)]
pub(super) struct WebHandler(pub(super) Web);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("its answer cannot be read")]
    Answer(#[from] VerdictError),
}

impl PushHandler for WebHandler {
    fn judge<'a>(&'a self, question: &'a PushQuestion) -> BoxFuture<'a, Verdict> {
        let judge = async {
            let answer = self.0.exchange(question.body()).await.map_err(AskError::from);
            let verdict = answer.and_then(|answer| read_verdict(&answer).map_err(AskError::from));
            verdict.unwrap_or_else(|error| {
                tracing::debug!(error = &error as &dyn std::error::Error, "a handler gives no verdict");
                Verdict::Unavailable { retry_after_ms: RETRY_AFTER_MS }
            })
        };
        judge.boxed()
    }
}
