//! Drops what retention lets nobody see any more.

use syncline_core::{
    id::{CommitNumber, DocumentId, TenantId},
    limits::DELETE_BATCH_MAX,
    log::Snapshot,
    time::WallMs,
};
use syncline_store::{
    Batch, ReadError, Store,
    records::{self, HistoryPage, Loaded, Named},
};

use super::HistoryRetention;
use crate::{
    compaction::{GivenUp, fold_records, still_running},
    epoch::Epoch,
};

/// Pages that are folded into the base at once.
const PAGES_MAX: usize = 64;

/// Folds pages whose last update is older than retention lets anyone see into the state with which the history begins, up to the
/// commit `covered` of the newest snapshot. Whoever calls it holds the turn of compactions.
pub(crate) async fn trim(
    epoch: &Epoch,
    tenant: TenantId,
    named: Named,
    retention: HistoryRetention,
    covered: CommitNumber,
) -> Result<(), GivenUp> {
    let document = named.document;
    if retention == HistoryRetention::Nothing {
        return delete(epoch, move |store| records::all_history(store, tenant, document, DELETE_BATCH_MAX))
            .await;
    }
    let Some(horizon) = retention.horizon(epoch.clock.now().wall) else { return Ok(()) };
    while fold_oldest(epoch, tenant, named, covered, horizon).await? {
        still_running(epoch)?;
    }
    delete_dropped(epoch, tenant, document).await
}

/// Returns whether there may be more.
async fn fold_oldest(
    epoch: &Epoch,
    tenant: TenantId,
    Named { document, engine }: Named,
    covered: CommitNumber,
    horizon: WallMs,
) -> Result<bool, GivenUp> {
    let base = epoch.storage.read(move |store| records::history_base(store, tenant, document)).await??;
    let mut last = base.as_ref().map_or(CommitNumber(0), |base| base.number);
    let mut old = Vec::new();
    for _ in 0..PAGES_MAX {
        let next = move |store: &dyn Store| records::history_page(store, tenant, document, last, covered);
        let Some(page) = epoch.storage.read(next).await?? else { break };
        if !is_old(&page, horizon) {
            break;
        }
        let Some(end) = page.records.last() else { break };
        last = end.number;
        old.extend(page.records);
    }
    if old.is_empty() {
        return Ok(false);
    }
    put_base(epoch, tenant, document, &fold_records(engine, base, old).await?).await?;
    Ok(true)
}

pub(super) fn is_old(page: &HistoryPage, horizon: WallMs) -> bool {
    page.records.iter().flat_map(|record| &record.entries).all(|entry| entry.at < horizon)
}

async fn put_base(
    epoch: &Epoch,
    tenant: TenantId,
    document: DocumentId,
    base: &Snapshot,
) -> Result<(), GivenUp> {
    for batch in records::base_batches(tenant, document, base)? {
        still_running(epoch)?;
        epoch.storage.commit(batch).await?;
    }
    Ok(())
}

async fn delete_dropped(epoch: &Epoch, tenant: TenantId, document: DocumentId) -> Result<(), GivenUp> {
    delete(epoch, move |store| records::dropped_history(store, tenant, document, DELETE_BATCH_MAX)).await
}

/// Commits the deletions that `find` names, until it names none.
async fn delete(
    epoch: &Epoch,
    find: impl Fn(&dyn Store) -> Result<Batch, ReadError> + Clone + Send + 'static,
) -> Result<(), GivenUp> {
    loop {
        let batch = epoch.storage.read(find.clone()).await??;
        if batch.is_empty() {
            return Ok(());
        }
        still_running(epoch)?;
        epoch.storage.commit(batch).await?;
    }
}

/// Keeps the commits that a new snapshot is to cover as pages. They count when it is there.
pub(crate) async fn keep(
    epoch: &Epoch,
    tenant: TenantId,
    document: DocumentId,
    loaded: &Loaded,
    upto: CommitNumber,
) -> Result<(), GivenUp> {
    let covered = loaded.snapshot.as_ref().map_or(CommitNumber(0), |snapshot| snapshot.number);
    delete(epoch, move |store| records::stale_history(store, tenant, document, covered, DELETE_BATCH_MAX))
        .await?;
    if let Some(snapshot) = &loaded.snapshot
        && !reaches(epoch, tenant, document, covered).await?
    {
        put_base(epoch, tenant, document, snapshot).await?;
    }
    let log: Vec<_> = loaded.log.iter().filter(|record| record.number <= upto).cloned().collect();
    for batch in records::history_batches(tenant, document, &log)? {
        still_running(epoch)?;
        epoch.storage.commit(batch).await?;
    }
    Ok(())
}

/// Returns whether the history goes up to the commit `covered`. It does not after a time in which none was kept.
async fn reaches(
    epoch: &Epoch,
    tenant: TenantId,
    document: DocumentId,
    covered: CommitNumber,
) -> Result<bool, GivenUp> {
    let before = CommitNumber(covered.0.saturating_sub(1));
    let page = move |store: &dyn Store| records::history_page(store, tenant, document, before, covered);
    let page = epoch.storage.read(page).await??;
    let base = epoch.storage.read(move |store| records::history_base(store, tenant, document)).await??;
    Ok(page.is_some() || base.is_some_and(|base| base.number == covered))
}
