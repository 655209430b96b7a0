//! Keeps the store open: one epoch after another, until the server stops.

use std::sync::Arc;

use syncline_protocol::CloseReason;
use syncline_store::committer::{Committer, Handle};
use tokio::time::{Duration, sleep, timeout};

use crate::{
    access::LoadError,
    entities,
    epoch::Epoch,
    history,
    hooks::Hooks,
    limits::{DRAIN_MS_MAX, FAREWELL_MS_MAX, REOPEN_MS},
    loader::{self, OpenError},
    shared::Shared,
    storage::{ReopenError, reopen},
    tenants::{Ledgers, TenantsError},
};

/// Why an epoch does not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    /// What is stored of documents.
    #[error(transparent)]
    Documents(#[from] OpenError),
    /// Which tenants there are.
    #[error(transparent)]
    Tenants(#[from] TenantsError),
    /// Which credentials are revoked.
    #[error(transparent)]
    Revocations(#[from] LoadError),
    /// What is stored of entities.
    #[error(transparent)]
    Entities(#[from] entities::OpenError),
}

/// Opens the first epoch, which counts the loads that the last process did not finish.
pub(crate) async fn open_first(shared: &Shared, committer: &Handle) -> Result<Arc<Epoch>, BeginError> {
    let epoch = new_epoch(shared, committer);
    loader::count_unfinished(&epoch.storage).await?;
    begin(&epoch, shared).await?;
    Ok(epoch)
}

/// Runs epoch after epoch until the server stops, then ends everything: rooms store what they have, connections are
/// closed, and last the store.
pub(crate) async fn keep(shared: Arc<Shared>, committer: Committer, first: Arc<Epoch>) {
    let handle = committer.handle();
    let mut epoch = Some(first);
    while let Some(current) = epoch.take() {
        shared.set_epoch(Some(Arc::clone(&current)));
        tokio::select! {
            biased;
            () = shared.stopping.cancelled() => {
                drain(&shared, &current).await;
                break;
            }
            reason = current.halt.wait() => {
                tracing::error!(reason = reason.text(), "the store failed: every connection is closed");
            }
        }
        shared.set_epoch(None);
        shared.metrics.store_failed();
        current.end().await;
        epoch = open_again(&shared, &handle).await;
    }
    shared.set_epoch(None);
    shared.connections.close();
    shared.connections.wait().await;
    let closed = tokio::task::spawn_blocking(move || committer.close().map(drop)).await;
    if !matches!(closed, Ok(Ok(()))) {
        tracing::error!("the store's thread had ended before it was closed");
    }
}

/// Ends an epoch because the server stops.
async fn drain(shared: &Shared, epoch: &Epoch) {
    if timeout(Duration::from_millis(DRAIN_MS_MAX), epoch.end()).await.is_err() {
        tracing::warn!("rooms still had something to store when the time was up");
    }
    shared.connections.close();
    // The rooms have closed everyone; whoever does not take what is left is not waited for.
    let closed = timeout(Duration::from_millis(FAREWELL_MS_MAX), shared.connections.wait()).await;
    epoch.halt.set(CloseReason::Shutdown);
    if closed.is_err() {
        tracing::debug!("some connections did not take the end of what they were sent");
    }
}

/// Opens a failed store again, however long that takes. Returns nothing if the server stops first, or if it cannot be
/// opened by this process.
async fn open_again(shared: &Shared, committer: &Handle) -> Option<Arc<Epoch>> {
    let mut pause_ms = *REOPEN_MS.start();
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return None,
            () = sleep(Duration::from_millis(pause_ms)) => {}
        }
        pause_ms = (pause_ms * 2).min(*REOPEN_MS.end());
        match reopen(committer).await {
            Ok(()) => {}
            Err(ReopenError::Gone) => {
                tracing::error!("the store's thread ended: the server must be started again");
                return None;
            }
            Err(error) => {
                tracing::warn!(%error, next_ms = pause_ms, "the store cannot be opened yet");
                continue;
            }
        }
        let epoch = new_epoch(shared, committer);
        match begin_again(&epoch, shared).await {
            Ok(()) => {
                tracing::info!("the store is open again");
                return Some(epoch);
            }
            Err(error) => tracing::warn!(%error, "the store failed again"),
        }
    }
}

async fn begin_again(epoch: &Arc<Epoch>, shared: &Shared) -> Result<(), BeginError> {
    loader::forget_unfinished(&epoch.storage).await?;
    begin(epoch, shared).await
}

fn new_epoch(shared: &Shared, committer: &Handle) -> Arc<Epoch> {
    Epoch::new(shared.clock, committer, &shared.memory, &shared.metrics, &shared.tenants, &shared.usage)
}

/// Reads what must be known before anyone is let in, and begins what goes on beside them.
async fn begin(epoch: &Arc<Epoch>, shared: &Shared) -> Result<(), BeginError> {
    epoch.tenants.load(&epoch.storage).await?;
    shared.gate.load(epoch, shared.clock.now().wall).await?;
    Ledgers::begin(epoch).await?;
    epoch.tasks.spawn(history::sweep(Arc::clone(epoch)));
    epoch.tasks.spawn(Ledgers::look_over(Arc::clone(epoch)));
    Hooks::begin(epoch);
    Ok(())
}
