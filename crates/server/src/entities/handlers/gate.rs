//! How long and how often a handler is asked.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use syncline_core::{
    entity::{Handler, TypeName},
    limits::RETRY_AFTER_MS,
};
use syncline_protocol::ledger::Verdict;
use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

use super::{
    breaker::{Attempt, Breaker},
    question::{PushHandler, PushQuestion},
};
use crate::{
    clock::Clock,
    limits::{HANDLER_CALLS_MAX, HANDLER_MS},
};

/// Stands before a handler.
#[derive(Debug)]
pub(super) struct Gate {
    kind: TypeName,
    /// What the type said when this was made.
    named: Option<Handler>,
    handler: Arc<dyn PushHandler>,
    limit: Duration,
    places: Semaphore,
    breaker: Mutex<Breaker>,
}

impl Gate {
    pub(super) fn new(kind: TypeName, named: Option<Handler>, handler: Arc<dyn PushHandler>) -> Self {
        let timeout_ms = named.as_ref().and_then(|named| named.timeout_ms);
        Self {
            kind,
            named,
            handler,
            limit: Duration::from_millis(timeout_ms.unwrap_or(HANDLER_MS)),
            places: Semaphore::new(HANDLER_CALLS_MAX),
            breaker: Mutex::default(),
        }
    }

    pub(super) fn named(&self) -> Option<&Handler> {
        self.named.as_ref()
    }

    /// Asks the handler. There is always a verdict.
    pub(super) async fn judge(&self, clock: Clock, question: &PushQuestion) -> Verdict {
        let Ok(Ok(_place)) = timeout(self.limit, self.places.acquire()).await else {
            return Verdict::Unavailable { retry_after_ms: RETRY_AFTER_MS };
        };
        let attempt = match self.breaker().admit(clock.monotonic()) {
            Ok(attempt) => attempt,
            Err(retry_after_ms) => return Verdict::Unavailable { retry_after_ms },
        };
        let judging = AssertUnwindSafe(self.handler.judge(question)).catch_unwind();
        match timeout(self.limit, judging).await {
            Ok(Ok(verdict @ (Verdict::Accept { .. } | Verdict::Refuse { .. }))) => {
                if self.breaker().succeeded() {
                    tracing::info!(kind = %self.kind, "the handler answers again");
                }
                verdict
            }
            Ok(Ok(Verdict::Unavailable { retry_after_ms })) => self.failed(clock, attempt, retry_after_ms),
            Ok(Err(_)) => {
                tracing::error!(kind = %self.kind, "the handler panicked");
                self.failed(clock, attempt, RETRY_AFTER_MS)
            }
            Err(_) => {
                tracing::debug!(kind = %self.kind, "the handler did not answer in time");
                self.failed(clock, attempt, RETRY_AFTER_MS)
            }
        }
    }

    fn failed(&self, clock: Clock, attempt: Attempt, retry_after_ms: u64) -> Verdict {
        let pause_ms = self.breaker().failed(attempt, clock.monotonic());
        if let Some(pause_ms) = pause_ms {
            tracing::warn!(kind = %self.kind, pause_ms, "the handler fails, and is not asked for a while");
        }
        Verdict::Unavailable { retry_after_ms: pause_ms.map_or(retry_after_ms, |ms| ms.max(retry_after_ms)) }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
