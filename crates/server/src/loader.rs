//! From a room's name to a room, with a mark in the store while a document is being decoded.
//!
//! A document that cannot be loaded must not take its server with it, not even if it aborts the process. So a mark is
//! durable before the decoding begins and is removed after it. One that a start finds counts as a failed load, and so
//! does an error or a panic. After too many the document is quarantined: it stays as it is, and whoever asks for it is
//! told so, while all other documents are served.

use std::sync::Arc;

use syncline_core::{
    id::{DocumentId, TenantId},
    limits::FAILED_LOADS_MAX,
    log::{Engine, Former},
    time::WallMs,
};
use syncline_protocol::{CloseReason, Hosted, LoadError, Loaded};
use syncline_store::{
    Batch, ReadError, Store,
    records::{self, Named, RecordError},
};
use uuid::Uuid;

use crate::{
    entities::LedgerDown,
    epoch::Epoch,
    limits::UNFINISHED_LOADS_MAX,
    registry::RoomKey,
    storage::{Storage, StoreDown},
};

/// A room that is ready to be joined.
pub(crate) struct Opened {
    pub(crate) document: DocumentId,
    /// Whether the store knows which document the name means.
    pub(crate) named: bool,
    pub(crate) machine: Hosted,
    /// When the document was last changed, if that is known.
    pub(crate) edited: Option<WallMs>,
}

/// Why a room is not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The store takes nothing in.
    #[error(transparent)]
    Down(#[from] StoreDown),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The record of the name, or of the failed loads, is damaged.
    #[error(transparent)]
    Record(RecordError),
    /// What is stored of the document is damaged.
    #[error(transparent)]
    Damaged(records::LoadError),
    /// What is stored does not make a document.
    #[error(transparent)]
    Undecodable(#[from] LoadError),
    /// Decoding it panicked.
    #[error("decoding the document panicked")]
    Panicked,
    /// It could not be loaded too often.
    #[error("the document is quarantined: it could not be loaded repeatedly")]
    Quarantined,
    /// The entity that it is was deleted; or a document of its name, which is not used again.
    #[error("the document was deleted")]
    Deleted,
    /// Nobody knows whether the entity that it is was deleted.
    #[error(transparent)]
    Ledger(#[from] LedgerDown),
}

impl OpenError {
    pub(crate) fn close_reason(&self) -> CloseReason {
        match self {
            Self::Down(_) | Self::Read(_) | Self::Ledger(_) => CloseReason::StoreDown,
            Self::Record(_) | Self::Damaged(_) | Self::Undecodable(_) | Self::Panicked => {
                CloseReason::Internal
            }
            Self::Quarantined => CloseReason::Quarantined,
            Self::Deleted => CloseReason::Deleted,
        }
    }
}

impl From<RecordError> for OpenError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Read(error) => Self::Read(error),
            damaged => Self::Record(damaged),
        }
    }
}

impl From<records::LoadError> for OpenError {
    fn from(error: records::LoadError) -> Self {
        match error {
            records::LoadError::Read(error) => Self::Read(error),
            damaged => Self::Damaged(damaged),
        }
    }
}

/// Draws the id of a new document. Ids sort roughly by the time at which they were drawn.
#[must_use]
pub fn new_document_id() -> DocumentId {
    DocumentId(Uuid::now_v7().into_bytes())
}

/// Finds the document of a name and loads it. An unknown name means a new document, of which nothing is written until
/// it has its first commit; it is then of the kind `engine`. Of which kind a known one is the store says.
pub(crate) async fn open(epoch: &Arc<Epoch>, key: &RoomKey, engine: Engine) -> Result<Opened, OpenError> {
    if let Some((ledger, entity)) = epoch.entity_of(key).await?
        && ledger.look(move |ledger| ledger.is_gone(&entity)).await?
    {
        return Err(OpenError::Deleted);
    }
    let _turn = epoch.loads.acquire().await.expect("the semaphore is never closed");
    let RoomKey { tenant, name } = key.clone();
    let tenant = tenant.id();
    let look = move |store: &dyn Store| {
        Ok((records::named(store, tenant, &name)?, records::former(store, tenant, &name)?))
    };
    let found: Result<_, RecordError> = epoch.storage.read(look).await?;
    let (named, former) = found?;
    let Former::Clients(former) = former else { return Err(OpenError::Deleted) };
    let mut opened = match named {
        Some(Named { document, engine }) => {
            let machine = load(epoch, tenant, document, engine).await;
            machine.map(|(machine, edited)| Opened { document, named: true, machine, edited })
        }
        None => {
            let limits = epoch.usage.room_limits();
            let machine = Hosted::load(epoch.clock.now(), engine, &Loaded::default(), &limits)?;
            Ok(Opened { document: new_document_id(), named: false, machine, edited: None })
        }
    };
    if let Ok(opened) = &mut opened {
        opened.machine.set_former(former);
    }
    if let Err(error) = &opened {
        tracing::error!(room = key.name.as_str(), error = %error, "a room could not be opened");
    }
    opened
}

/// Reads a document whose room wants to rebuild it.
pub(crate) async fn read_again(
    epoch: Arc<Epoch>,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Loaded, OpenError> {
    let read = epoch.storage.read(move |store| records::load(store, tenant, document));
    Ok(machine_input(read.await??))
}

/// Counts the loads that the last process did not finish. Called once, before anything is loaded.
pub(crate) async fn count_unfinished(storage: &Storage) -> Result<(), OpenError> {
    settle(storage, |failed_loads| failed_loads.saturating_add(1)).await
}

/// Forgets the loads that a failure of the store interrupted: the documents are not to blame.
pub(crate) async fn forget_unfinished(storage: &Storage) -> Result<(), OpenError> {
    settle(storage, |failed_loads| failed_loads).await
}

async fn settle(storage: &Storage, count: fn(u32) -> u32) -> Result<(), OpenError> {
    for (tenant, document) in storage.read(records::loading_documents).await?? {
        let failed_loads =
            storage.read(move |store| records::failed_loads(store, tenant, document)).await??;
        let counted = count(failed_loads);
        tracing::warn!(%document, failed_loads = counted, "a load of this document did not end");
        end_load(storage, tenant, document, counted).await?;
    }
    Ok(())
}

/// Returns whether a document is quarantined: no room of it opens.
pub(crate) async fn is_given_up(
    storage: &Storage,
    tenant: TenantId,
    document: DocumentId,
) -> Result<bool, OpenError> {
    let failed_loads = storage.read(move |store| records::failed_loads(store, tenant, document)).await??;
    Ok(is_quarantined(failed_loads))
}

async fn load(
    epoch: &Epoch,
    tenant: TenantId,
    document: DocumentId,
    engine: Engine,
) -> Result<(Hosted, Option<WallMs>), OpenError> {
    let storage = &epoch.storage;
    let failed_loads = storage.read(move |store| records::failed_loads(store, tenant, document)).await??;
    if is_quarantined(failed_loads) {
        return Err(OpenError::Quarantined);
    }
    let stored = storage.read(move |store| records::load(store, tenant, document)).await?;
    let folded = storage.read(move |store| records::edited(store, tenant, document)).await?;
    let mut edited = None;
    let result = match stored.map_err(OpenError::from) {
        Ok(stored) => {
            let last = stored.log.last().and_then(|record| record.entries.last());
            // A damaged time is an unknown one: the document does not depend on it.
            edited = last.map(|entry| entry.at).or(folded.ok().flatten());
            let mut mark = Batch::new();
            records::put_loading(&mut mark, tenant, document);
            storage.commit(mark).await?;
            decode(epoch, engine, machine_input(stored)).await
        }
        Err(OpenError::Read(error)) => return Err(OpenError::Read(error)),
        Err(damaged) => Err(damaged),
    };
    let counted = if result.is_ok() { 0 } else { after_failure(failed_loads) };
    end_load(storage, tenant, document, counted).await?;
    result.map(|machine| (machine, edited))
}

/// Decodes on a thread that may block. Its stack is as large as that of a worker, and a panic ends only the load.
async fn decode(epoch: &Epoch, engine: Engine, loaded: Loaded) -> Result<Hosted, OpenError> {
    let (clock, limits) = (epoch.clock, epoch.usage.room_limits());
    match tokio::task::spawn_blocking(move || Hosted::load(clock.now(), engine, &loaded, &limits)).await {
        Ok(loaded) => Ok(loaded?),
        Err(_panicked) => Err(OpenError::Panicked),
    }
}

async fn end_load(
    storage: &Storage,
    tenant: TenantId,
    document: DocumentId,
    failed_loads: u32,
) -> Result<(), StoreDown> {
    let mut batch = Batch::new();
    records::clear_loading(&mut batch, tenant, document);
    records::put_failed_loads(&mut batch, tenant, document, failed_loads);
    storage.commit(batch).await
}

fn machine_input(stored: records::Loaded) -> Loaded {
    let records::Loaded { snapshot, log, failed_loads: _, loading: _ } = stored;
    Loaded { snapshot, log }
}

fn is_quarantined(failed_loads: u32) -> bool {
    failed_loads >= UNFINISHED_LOADS_MAX
}

/// Returns the count after a load that was seen to fail. Such a failure is certain, where an unfinished load may have
/// been a `kill -9`: with [`FAILED_LOADS_MAX`] of them the count is full at once.
fn after_failure(failed_loads: u32) -> u32 {
    let counted = failed_loads.saturating_add(1);
    if counted >= FAILED_LOADS_MAX { counted.max(UNFINISHED_LOADS_MAX) } else { counted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_failures_or_three_unfinished_loads_quarantine() {
        let unfinished = |failed_loads: u32| failed_loads + 1;
        let check = |steps: &[fn(u32) -> u32], want: bool| {
            let count = steps.iter().fold(0, |count, step| step(count));
            assert_eq!(is_quarantined(count), want, "after {} steps: {count}", steps.len());
        };
        check(&[after_failure], false);
        check(&[after_failure, after_failure], true);
        check(&[unfinished, unfinished], false);
        check(&[unfinished, unfinished, unfinished], true);
        check(&[unfinished, after_failure], true);
        check(&[after_failure, unfinished], false);
    }
}
