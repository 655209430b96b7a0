//! How long and how often somebody is asked.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use syncline_core::limits::RETRY_AFTER_MS;
use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

use super::breaker::{Attempt, Breaker};
use crate::{
    clock::Clock,
    limits::{HANDLER_CALLS_MAX, HANDLER_MS},
};

/// Stands before who is asked.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The type that asks, or what the server asks about.
    kind: Option<String>,
    limit: Duration,
    places: Semaphore,
    breaker: Mutex<Breaker>,
}

/// Nobody has answered, or was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    /// When it is worth another try, in milliseconds.
    pub(crate) retry_after_ms: u64,
}

impl Gate {
    /// Gives each request so many milliseconds, if anything is said.
    pub(crate) fn new(kind: Option<String>, timeout_ms: Option<u64>) -> Self {
        Self {
            kind,
            limit: Duration::from_millis(timeout_ms.unwrap_or(HANDLER_MS)),
            places: Semaphore::new(HANDLER_CALLS_MAX),
            breaker: Mutex::default(),
        }
    }

    /// Asks, if that is worth while.
    pub(crate) async fn ask<T>(
        &self,
        clock: Clock,
        asking: impl Future<Output = Result<T, NoAnswer>>,
    ) -> Result<T, NoAnswer> {
        let Ok(Ok(_place)) = timeout(self.limit, self.places.acquire()).await else {
            return Err(NoAnswer::default());
        };
        let admitted = self.breaker().admit(clock.monotonic());
        let attempt = admitted.map_err(|retry_after_ms| NoAnswer { retry_after_ms })?;
        let kind = self.kind.as_deref();
        match timeout(self.limit, AssertUnwindSafe(asking).catch_unwind()).await {
            Ok(Ok(Ok(answer))) => {
                if self.breaker().succeeded() {
                    tracing::info!(kind, "the handler answers again");
                }
                Ok(answer)
            }
            Ok(Ok(Err(none))) => Err(self.failed(clock, attempt, none)),
            Ok(Err(_)) => {
                tracing::error!(kind, "the handler panicked");
                Err(self.failed(clock, attempt, NoAnswer::default()))
            }
            Err(_) => {
                tracing::debug!(kind, "the handler did not answer in time");
                Err(self.failed(clock, attempt, NoAnswer::default()))
            }
        }
    }

    fn failed(&self, clock: Clock, attempt: Attempt, NoAnswer { retry_after_ms }: NoAnswer) -> NoAnswer {
        let pause_ms = self.breaker().failed(attempt, clock.monotonic());
        if let Some(pause_ms) = pause_ms {
            let kind = self.kind.as_deref();
            tracing::warn!(kind, pause_ms, "the handler fails, and is not asked for a while");
        }
        NoAnswer { retry_after_ms: pause_ms.map_or(retry_after_ms, |ms| ms.max(retry_after_ms)) }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for NoAnswer {
    fn default() -> Self {
        Self { retry_after_ms: RETRY_AFTER_MS }
    }
}
