//! The bridge from tokio to the store's thread.

use std::sync::Arc;

use syncline_protocol::CloseReason;
use syncline_store::{
    Batch, CommitError, Store, VacuumError,
    committer::{Handle, QUEUE_BYTES_MAX, QUEUE_REQUESTS_MAX, Refusal},
};
use tokio::sync::{Semaphore, oneshot};

use crate::halt::Halt;

/// Bytes that one permit stands for.
const PERMIT_BYTES: usize = 1 << 10;

/// Permits for everything that may wait to be committed. Each commit takes at least one, and there are fewer than the
/// committer's queue has places, so that it never turns a commit or a read away.
const PERMITS: usize = {
    const READS: usize = 4_096;
    assert!(QUEUE_BYTES_MAX / PERMIT_BYTES <= QUEUE_REQUESTS_MAX);
    QUEUE_BYTES_MAX / PERMIT_BYTES - READS
};

/// The store, from its opening to its first failure.
///
/// The first commit that fails halts the epoch: every connection hears of it before the room that waits does.
#[derive(Clone)]
pub(crate) struct Storage {
    committer: Handle,
    waiting: Arc<Semaphore>,
    halt: Arc<Halt>,
}

/// The store failed, or is closed. Nothing more may be shown that rests on it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreDown {
    /// A commit failed.
    #[error(transparent)]
    Failed(#[from] CommitError),
    /// The store's thread takes nothing in.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store's thread ended before it answered.
    #[error("the store's thread ended")]
    Gone,
}

/// Why the store is not open again.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ReopenError {
    /// It cannot be opened yet.
    #[error(transparent)]
    Store(#[from] VacuumError),
    /// Its thread ended, so it cannot be opened by this process.
    #[error("the store's thread ended")]
    Gone,
}

impl Storage {
    pub(crate) fn new(committer: Handle, halt: Arc<Halt>) -> Self {
        Self { committer, waiting: Arc::new(Semaphore::new(PERMITS)), halt }
    }

    /// Writes `batch` and waits until it is durable. Batches become durable in the order in which their futures are
    /// first polled, one caller's at least.
    pub(crate) fn commit(
        &self,
        batch: Batch,
    ) -> impl Future<Output = Result<(), StoreDown>> + Send + 'static + use<> {
        let Self { committer, waiting, halt } = self.clone();
        async move {
            let permits = batch.bytes().div_ceil(PERMIT_BYTES).clamp(1, PERMITS);
            let permits = u32::try_from(permits).expect("PERMITS is far below 2^32");
            let permit = waiting.acquire_many_owned(permits).await.expect("the semaphore is never closed");
            let (report, reported) = oneshot::channel();
            let submitted = committer.submit(batch, {
                let halt = Arc::clone(&halt);
                move |result| {
                    if result.is_err() {
                        halt.set(CloseReason::StoreDown);
                    }
                    drop(permit);
                    // Whoever waited may be gone; the commit stands or not without them.
                    let _ = report.send(result);
                }
            });
            let result = match submitted {
                Ok(()) => match reported.await {
                    Ok(result) => result.map_err(|failed| StoreDown::Failed(failed.source)),
                    Err(_) => Err(StoreDown::Gone),
                },
                Err(refusal) => Err(StoreDown::Refused(refusal)),
            };
            if result.is_err() {
                halt.set(CloseReason::StoreDown);
            }
            result
        }
    }

    /// Has `read` look at the store, on its thread. It sees every commit that was reported before.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> T + Send + 'static,
    ) -> Result<T, StoreDown> {
        let (report, reported) = oneshot::channel();
        self.committer.read(move |store| {
            let _ = report.send(read(store));
        })?;
        reported.await.map_err(|_| StoreDown::Gone)
    }
}

/// Opens a store again whose commit failed. On an error the caller tries again later.
pub(crate) async fn reopen(committer: &Handle) -> Result<(), ReopenError> {
    let (report, reported) = oneshot::channel();
    let submitted = committer.reopen(move |result| {
        let _ = report.send(result);
    });
    submitted.map_err(|_| ReopenError::Gone)?;
    reported.await.map_err(|_| ReopenError::Gone)?.map_err(ReopenError::Store)
}
