//! The pass over the names of the stored rooms.

use std::sync::Arc;

use syncline_core::id::{RoomName, TenantId};
use syncline_store::records::{self, RecordError, Summary};
use tokio::task::JoinHandle;

use super::{Size, directory::Directory};
use crate::{epoch::Epoch, limits::NAMES_PAGE, storage::StoreDown, tenants::Tenant};

/// Why the pass ended early: the list stays incomplete.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Down(#[from] StoreDown),
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Begins the pass and returns its end, unless it was begun before. It is a task of the epoch, and reads little at a time.
pub(super) fn begin(
    epoch: &Arc<Epoch>,
    tenant: &Tenant,
    directory: &Arc<Directory>,
) -> Option<JoinHandle<()>> {
    let begins = directory.begin_pass();
    let (epoch, tenant, directory) = (Arc::clone(epoch), tenant.clone(), Arc::clone(directory));
    begins.then(|| {
        epoch.tasks.clone().spawn(async move {
            if let Err(error) = run(&epoch, tenant.id(), &directory).await {
                tracing::warn!(%error, "the stored rooms could not be listed");
            }
        })
    })
}

async fn run(epoch: &Epoch, tenant: TenantId, directory: &Directory) -> Result<(), PassError> {
    let mut after: Option<RoomName> = None;
    loop {
        let from = after.clone();
        let names = epoch
            .storage
            .read(move |store| records::names(store, tenant, "", from.as_ref(), NAMES_PAGE))
            .await??;
        let Some((last, _)) = names.last() else {
            directory.end_pass();
            return Ok(());
        };
        after = Some(last.clone());
        for (name, document) in names {
            if epoch.drain.is_cancelled() {
                return Ok(());
            }
            let read = epoch.storage.read(move |store| records::summary(store, tenant, document));
            let Summary { bytes, edited, .. } = read.await?.map_err(RecordError::from)?;
            directory.found(&name, Size { bytes, edited });
        }
    }
}
