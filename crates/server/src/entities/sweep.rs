//! Removes from history what is not to be kept: values of what was erased, and what is too old.
//!
//! History is read and removed a portion at a time, so that nobody waits long for the store. How far that is the ledger keeps
//! ([`Swept`]); if the server stops in between, the next one looks at one portion again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use syncline_core::{entity::EntityKey, id::TenantId, time::WallMs};
use syncline_protocol::ledger::{
    Erased, ErasedUser, Erasure, EventIndex, Input, Ledger, Swept, UserNumber, Write,
    audit::{AuditEvent, AuditIndex, Audited as Told},
    stored::{AUDIT, EVENT, audit_name, event_name, payload_name},
};
use syncline_store::{
    Batch, Store,
    records::ledger::{HistoryPage, history_pages},
};
use tokio::time::{Duration, interval};

use super::{
    handle::{LedgerDown, LedgerHandle},
    history::AuditError,
};
use crate::{
    epoch::Epoch,
    limits::{LEDGER_TICK_MS, SWEPT_MAX},
    storage::StoreDown,
};

/// How long history is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// What lies beside the audit, in milliseconds; none if for ever. The audit itself stays.
    pub(crate) audit_ms: Option<u64>,
    /// Events, in milliseconds; none if for ever.
    pub(crate) events_ms: Option<u64>,
}

/// What is to be removed of some of the history.
pub(super) struct Portion {
    pub(super) batch: Batch,
    /// The last entry or event that was looked at, and need not be again.
    pub(super) through: u64,
    /// Whether there is nothing more behind that.
    pub(super) is_last: bool,
}

/// Why history was not swept.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreDown),
    #[error(transparent)]
    Ledger(#[from] LedgerDown),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// What is still to be done, as the ledger has it.
struct Wanted {
    unswept: Arc<Unswept>,
    swept: Swept,
}

/// Of what something may still lie beside the audit although it was erased.
#[derive(Debug)]
pub(super) struct Unswept {
    entities: BTreeMap<EntityKey, Erased>,
    users: BTreeMap<UserNumber, ErasedUser>,
}

impl Unswept {
    pub(super) fn of(ledger: &Ledger) -> Self {
        Self { entities: ledger.unswept(), users: ledger.unswept_users() }
    }

    /// Returns the last entry up to which anything may lie.
    pub(super) fn end(&self) -> Option<AuditIndex> {
        let entities = self.entities.values().map(|erased| erased.through);
        entities.chain(self.users.values().map(|erased| erased.through)).max()
    }
}

/// Sweeps at each tick, and when something was erased, until the epoch ends.
pub(super) async fn run(epoch: Arc<Epoch>, ledger: LedgerHandle, retention: Retention) {
    let mut ticks = interval(Duration::from_millis(LEDGER_TICK_MS));
    let mut is_first = true;
    loop {
        tokio::select! {
            biased;
            () = epoch.drain.cancelled() => return,
            _ = ticks.tick() => {}
            () = ledger.erasing() => {}
        }
        match sweep(&epoch, &ledger, retention).await {
            Ok(()) => {}
            Err(SweepError::Store(_) | SweepError::Ledger(_)) => return,
            Err(SweepError::Audit(error)) => {
                tracing::error!(%error, "the audit cannot be read: values that were erased may still lie beside it");
            }
        }
        if std::mem::take(&mut is_first) {
            ledger.swept().await;
        }
    }
}

async fn sweep(epoch: &Epoch, ledger: &LedgerHandle, retention: Retention) -> Result<(), SweepError> {
    let wanted = |ledger: &Ledger| Wanted { unswept: Arc::new(Unswept::of(ledger)), swept: ledger.swept() };
    let Wanted { unswept, mut swept } = ledger.look(wanted).await?;
    let tenant = ledger.tenant().id();
    let now = epoch.clock.now().wall;
    let before = |age_ms: Option<u64>| age_ms.and_then(|age_ms| now.0.checked_sub(age_ms)).map(WallMs);
    if let Some(end) = unswept.end() {
        // What was looked at before the last restart is looked at again.
        let mut after = AuditIndex(0);
        while let Some(through) = portion(epoch, {
            let unswept = Arc::clone(&unswept);
            move |store| erased_values(store, tenant, after, &unswept)
        })
        .await?
        {
            after = AuditIndex(through);
        }
        swept.erased = end;
        note(ledger, swept).await?;
    }
    if let Some(before) = before(retention.audit_ms) {
        let mut after = swept.aged;
        while let Some(through) =
            portion(epoch, move |store| old_values(store, tenant, after, before)).await?
        {
            after = AuditIndex(through);
            swept.aged = after;
            note(ledger, swept).await?;
        }
    }
    if let Some(before) = before(retention.events_ms) {
        let mut after = swept.events;
        while let Some(through) =
            portion(epoch, move |store| old_events(store, tenant, after, before)).await?
        {
            after = EventIndex(through);
            swept.events = after;
            note(ledger, swept).await?;
        }
    }
    Ok(())
}

/// Removes a portion, and returns how far that is if there may be more behind it, or it was not empty.
async fn portion(
    epoch: &Epoch,
    read: impl Fn(&dyn Store) -> Result<Portion, AuditError> + Send + 'static,
) -> Result<Option<u64>, SweepError> {
    if epoch.drain.is_cancelled() {
        return Err(LedgerDown.into());
    }
    let Portion { batch, through, is_last } = epoch.storage.read(move |store| read(store)).await??;
    if batch.is_empty() {
        return Ok((!is_last).then_some(through));
    }
    epoch.storage.commit(batch).await?;
    Ok(Some(through))
}

async fn note(ledger: &LedgerHandle, swept: Swept) -> Result<(), LedgerDown> {
    let input = move |_: &Ledger, request| Input::Erase { request, what: Erasure::History(swept) };
    ledger.ask(None, input).await.map(drop)
}

/// Finds values and names of what was erased beside some of the entries after one.
pub(super) fn erased_values(
    store: &dyn Store,
    tenant: TenantId,
    after: AuditIndex,
    unswept: &Unswept,
) -> Result<Portion, AuditError> {
    let end = unswept.end().unwrap_or_default();
    values(store, tenant, after, |index, entry| {
        if index > end {
            return Doom::Beyond;
        }
        let entity = match entry.map(|event| event.what) {
            Some(Told::Op { entity, .. }) => entity,
            Some(Told::Known) if unswept.users.contains_key(&UserNumber(index)) => return Doom::Goes,
            _ => return Doom::Stays,
        };
        let is_erased = unswept.entities.get(&entity).is_some_and(|erased| index <= erased.through);
        if is_erased { Doom::Goes } else { Doom::Stays }
    })
}

/// Finds values beside some of the entries after one that are of before a time.
fn old_values(
    store: &dyn Store,
    tenant: TenantId,
    after: AuditIndex,
    before: WallMs,
) -> Result<Portion, AuditError> {
    values(store, tenant, after, |_, event| match event {
        // Names are for as long as the entries that say numbers.
        Some(event) if event.at < before && event.what == Told::Known => Doom::Stays,
        Some(event) if event.at < before => Doom::Goes,
        // What this version does not know is left to the one that does, and with it all that is behind.
        Some(_) | None => Doom::Beyond,
    })
}

/// What is to become of the values beside an entry.
enum Doom {
    Goes,
    Stays,
    /// Neither they nor any behind them are to go.
    Beyond,
}

fn values(
    store: &dyn Store,
    tenant: TenantId,
    AuditIndex(after): AuditIndex,
    judge: impl Fn(AuditIndex, Option<AuditEvent>) -> Doom,
) -> Result<Portion, AuditError> {
    let mut found = Portion { batch: Batch::new(), through: after, is_last: true };
    let mut looked = 0;
    for page in history_pages(store, tenant, AUDIT, &audit_name(AuditIndex(after))) {
        let page = page.map_err(AuditError::Read)?;
        if looked >= SWEPT_MAX {
            found.is_last = false;
            break;
        }
        let mut doomed = BTreeSet::new();
        for (name, bytes) in page.things() {
            let Ok(Write::Audit(index, entry)) = Write::from_stored(name, bytes) else { continue };
            looked += 1;
            match judge(index, entry.event()) {
                Doom::Beyond => {
                    found.is_last = true;
                    remove(&mut found.batch, tenant, &page, &doomed)?;
                    return Ok(found);
                }
                Doom::Stays => {}
                Doom::Goes => drop(doomed.insert(payload_name(index))),
            }
            found.through = found.through.max(index.0);
        }
        remove(&mut found.batch, tenant, &page, &doomed)?;
    }
    Ok(found)
}

/// Finds some of the events after one that are of before a time.
fn old_events(
    store: &dyn Store,
    tenant: TenantId,
    EventIndex(after): EventIndex,
    before: WallMs,
) -> Result<Portion, AuditError> {
    let mut found = Portion { batch: Batch::new(), through: after, is_last: true };
    let mut looked = 0;
    for page in history_pages(store, tenant, EVENT, &event_name(EventIndex(after))) {
        let page = page.map_err(AuditError::Read)?;
        if looked >= SWEPT_MAX {
            found.is_last = false;
            break;
        }
        let mut doomed = BTreeSet::new();
        let mut is_beyond = false;
        for (name, bytes) in page.things() {
            looked += 1;
            match Write::from_stored(name, bytes) {
                Ok(Write::Event(index, event)) if event.at < before => {
                    doomed.insert(name.to_vec());
                    found.through = found.through.max(index.0);
                }
                // Those behind it are younger, or were written by a version that this one does not know.
                Ok(_) | Err(_) => {
                    is_beyond = true;
                    break;
                }
            }
        }
        remove(&mut found.batch, tenant, &page, &doomed)?;
        if is_beyond {
            break;
        }
    }
    Ok(found)
}

fn remove(
    batch: &mut Batch,
    tenant: TenantId,
    page: &HistoryPage,
    doomed: &BTreeSet<Vec<u8>>,
) -> Result<(), AuditError> {
    page.retain(batch, tenant, |name| !doomed.contains(name)).map_err(AuditError::TooLong)
}
