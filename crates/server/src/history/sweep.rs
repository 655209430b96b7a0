//! Holds documents that nobody edits to retention, too: others are when their log is folded.

use std::sync::Arc;

use syncline_core::{
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    limits::DAY_MS,
};
use syncline_store::{
    Store,
    records::{self, RecordError},
};
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::{
    HistoryRetention,
    trim::{is_old, trim},
};
use crate::{compaction::GivenUp, epoch::Epoch, limits::NAMES_PAGE, storage::StoreDown};

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error(transparent)]
    Down(#[from] StoreDown),
    #[error(transparent)]
    Names(#[from] RecordError),
}

/// Looks at each document of each tenant, now and then once a day, until the epoch ends.
pub(crate) async fn run(epoch: Arc<Epoch>) {
    let mut days = interval(Duration::from_millis(DAY_MS));
    days.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = epoch.drain.cancelled() => return,
            _ = days.tick() => {}
        }
        for tenant in epoch.tenants.stored() {
            match round(&epoch, tenant.id()).await {
                Ok(()) => {}
                Err(RoundError::Down(_)) => return,
                Err(RoundError::Names(error)) => {
                    let tenant = tenant.name().as_str();
                    tracing::error!(tenant, %error, "documents cannot be listed: what they were is kept longer");
                }
            }
        }
    }
}

/// Looks at each document of a tenant, a page of names at a time, as long as the epoch goes on.
pub(super) async fn round(epoch: &Epoch, tenant: TenantId) -> Result<(), RoundError> {
    let mut after: Option<RoomName> = None;
    while !epoch.drain.is_cancelled() {
        let behind = after.clone();
        let page = move |store: &dyn Store| records::names(store, tenant, "", behind.as_ref(), NAMES_PAGE);
        let page = epoch.storage.read(page).await??;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        for (name, document) in page {
            let retention = epoch.history.of(&name);
            match look_at(epoch, tenant, (name, document), retention).await {
                Ok(()) => {}
                Err(GivenUp::Stopped) => return Ok(()),
                Err(GivenUp::Down(down)) => return Err(down.into()),
                Err(error) => tracing::warn!(%document, %error, "what a document was is kept longer"),
            }
        }
    }
    Ok(())
}

/// Trims the history of one document, if that is due.
async fn look_at(
    epoch: &Epoch,
    tenant: TenantId,
    (name, document): (RoomName, DocumentId),
    retention: HistoryRetention,
) -> Result<(), GivenUp> {
    if retention == HistoryRetention::All {
        return Ok(());
    }
    // Whoever ends the epoch does not wait for the compactions that are in line before.
    let _turn = tokio::select! {
        biased;
        () = epoch.drain.cancelled() => return Err(GivenUp::Stopped),
        turn = epoch.compactions.acquire() => turn.expect("the semaphore is never closed"),
    };
    let covered =
        epoch.storage.read(move |store| records::newest_snapshot(store, tenant, document)).await??;
    // Nothing was folded, so there are no pages.
    let Some(covered) = covered else { return Ok(()) };
    if let Some(horizon) = retention.horizon(epoch.clock.now().wall) {
        // The base is as long as the document: it is read only where there is something to fold into it.
        let first =
            move |store: &dyn Store| records::history_page(store, tenant, document, CommitNumber(0), covered);
        let first = epoch.storage.read(first).await??;
        if !first.is_some_and(|page| is_old(&page, horizon)) {
            return Ok(());
        }
    }
    let found = epoch.storage.read(move |store| records::named(store, tenant, &name)).await?;
    match found.ok().flatten().filter(|named| named.document == document) {
        Some(named) => trim(epoch, tenant, named, retention, covered).await,
        // Another document has the name by now; that one is looked at the next time.
        None => Ok(()),
    }
}
