//! Folds a document's log into a snapshot, beside the room.
//!
//! The log is read on the store's thread, folded on a thread that may block, and written back as a snapshot; only when
//! that is durable is anything deleted. What the snapshot covers is kept as history before, if it is to be kept. One compaction runs at a time in the whole server, from its first read to its
//! last deletion, so two can never overtake each other.

use std::sync::Arc;

use syncline_core::{
    doc::{AutomergeDocument, CompactError, YjsDocument, compact},
    id::{CommitNumber, TenantId},
    limits::DELETE_BATCH_MAX,
    log::{Engine, LogRecord, Snapshot},
    time::WallMs,
};
use syncline_store::{
    ReadError, RecordTooLong, Store,
    records::{self, Loaded, Named},
};
use tokio::sync::oneshot;

use crate::{
    epoch::Epoch,
    history::{self, HistoryRetention},
    storage::StoreDown,
};

/// Why a compaction was given up. The log is as it was, or as much shorter as the new snapshot allows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GivenUp {
    #[error(transparent)]
    Down(#[from] StoreDown),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Damaged(#[from] records::LoadError),
    #[error(transparent)]
    Unfoldable(#[from] CompactError),
    #[error(transparent)]
    TooLong(#[from] RecordTooLong),
    #[error("folding the log panicked")]
    Panicked,
    #[error("the document was deleted")]
    Deleted,
    #[error("the server stops")]
    Stopped,
}

/// Starts the compaction of a document up to a commit, and returns what to wait for: the length of the snapshot in
/// bytes, or nothing if it was given up. It goes on if nobody waits.
pub(crate) fn run(
    epoch: &Arc<Epoch>,
    tenant: TenantId,
    named: Named,
    retention: HistoryRetention,
    upto: CommitNumber,
) -> impl Future<Output = Option<usize>> + Send + 'static + use<> {
    let (report, reported) = oneshot::channel();
    let task_epoch = Arc::clone(epoch);
    let Named { document, engine: _ } = named;
    epoch.tasks.spawn(async move {
        let result = fold(&task_epoch, tenant, named, retention, upto).await;
        match &result {
            Ok(bytes) => {
                task_epoch.metrics.compacted();
                tracing::debug!(%document, %upto, snapshot_bytes = bytes, "log folded");
            }
            Err(GivenUp::Stopped | GivenUp::Deleted) => {}
            Err(error) => tracing::warn!(%document, %upto, %error, "the log could not be folded"),
        }
        // The room may be gone; the snapshot stands.
        let _ = report.send(result.ok());
    });
    async move { reported.await.ok().flatten() }
}

async fn fold(
    epoch: &Epoch,
    tenant: TenantId,
    Named { document, engine }: Named,
    retention: HistoryRetention,
    upto: CommitNumber,
) -> Result<usize, GivenUp> {
    let _turn = epoch.compactions.acquire().await.expect("the semaphore is never closed");
    still_running(epoch)?;
    let loaded = epoch.storage.read(move |store| records::load(store, tenant, document)).await??;
    if !reaches(&loaded, upto) {
        return Err(GivenUp::Deleted);
    }
    let snapshot_bytes = match covering(&loaded, upto) {
        Some(snapshot) => snapshot.state.len(),
        None => {
            let edited = last_edit(&loaded, upto);
            if retention != HistoryRetention::Nothing {
                history::keep(epoch, tenant, document, &loaded, upto).await?;
            }
            let snapshot = fold_loaded(engine, loaded, upto).await?;
            let mut batches = records::snapshot_batches(tenant, document, &snapshot)?;
            if let (Some(last), Some(at)) = (batches.last_mut(), edited) {
                records::put_edited(last, tenant, document, at);
            }
            for batch in batches {
                still_running(epoch)?;
                epoch.storage.commit(batch).await?;
            }
            snapshot.state.len()
        }
    };
    loop {
        still_running(epoch)?;
        let covered =
            move |store: &dyn Store| records::covered(store, tenant, document, upto, DELETE_BATCH_MAX);
        let deletions = epoch.storage.read(covered).await??;
        if deletions.is_empty() {
            break;
        }
        epoch.storage.commit(deletions).await?;
    }
    history::trim(epoch, tenant, Named { document, engine }, retention, upto).await?;
    Ok(snapshot_bytes)
}

/// Returns whether the commit is there up to which the log is to be folded. It is unless the document was removed meanwhile.
fn reaches(loaded: &Loaded, upto: CommitNumber) -> bool {
    let logged = loaded.log.last().map(|record| record.number);
    logged.max(loaded.snapshot.as_ref().map(|snapshot| snapshot.number)) >= Some(upto)
}

/// Returns the snapshot that an earlier compaction wrote before it could delete what it covers.
fn covering(loaded: &Loaded, upto: CommitNumber) -> Option<&Snapshot> {
    loaded.snapshot.as_ref().filter(|snapshot| snapshot.number >= upto)
}

/// Returns when the last commit was made that the new snapshot covers.
fn last_edit(loaded: &Loaded, upto: CommitNumber) -> Option<WallMs> {
    let record = loaded.log.iter().rev().find(|record| record.number <= upto)?;
    record.entries.last().map(|entry| entry.at)
}

async fn fold_loaded(engine: Engine, loaded: Loaded, upto: CommitNumber) -> Result<Snapshot, GivenUp> {
    let Loaded { snapshot, mut log, failed_loads: _, loading: _ } = loaded;
    log.retain(|record| record.number <= upto);
    fold_records(engine, snapshot, log).await
}

/// Folds a state and the commits after it on a thread that may block.
pub(crate) async fn fold_records(
    engine: Engine,
    snapshot: Option<Snapshot>,
    records: Vec<LogRecord>,
) -> Result<Snapshot, GivenUp> {
    let folded = tokio::task::spawn_blocking(move || match engine {
        Engine::Yjs => compact::<YjsDocument>(snapshot.as_ref(), &records),
        Engine::Automerge => compact::<AutomergeDocument>(snapshot.as_ref(), &records),
    });
    Ok(folded.await.map_err(|_| GivenUp::Panicked)??)
}

pub(crate) fn still_running(epoch: &Epoch) -> Result<(), GivenUp> {
    if epoch.drain.is_cancelled() { Err(GivenUp::Stopped) } else { Ok(()) }
}
