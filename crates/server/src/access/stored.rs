//! Revocations as they are stored: durable before they are answered, and read again before anyone is let in.

use std::{collections::BTreeMap, sync::Arc};

use syncline_core::{
    access::{Revocation, Revocations, Subject},
    id::TenantName,
    time::WallMs,
};
use syncline_store::{
    Batch,
    records::{self, RecordError},
};

use super::revoked::Revoked;
use crate::{
    epoch::Epoch,
    limits::{REVOKED_FORGET_MAX, REVOKED_MAX},
    storage::StoreDown,
    tenants::Tenant,
};

/// Why it is not known which credentials are revoked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The store takes nothing in.
    #[error(transparent)]
    Down(#[from] StoreDown),
    /// A record cannot be read.
    #[error("the revocations cannot be read")]
    Record(#[from] RecordError),
}

/// Why a revocation is not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PutError {
    #[error("there are as many revocations as may be; take some back")]
    TooMany,
    #[error("the store is not open; come again")]
    Down,
}

/// Takes in what is stored of all tenants, in place of what was known.
pub(super) async fn load(revoked: &Revoked, epoch: &Epoch, now: WallMs) -> Result<(), LoadError> {
    let mut all = BTreeMap::<TenantName, Revocations>::new();
    for tenant in epoch.tenants.stored() {
        let id = tenant.id();
        let stored = epoch.storage.read(move |store| records::revocations(store, id)).await??;
        let (over, good): (Vec<_>, Vec<_>) =
            stored.into_iter().partition(|revocation| revocation.is_over(now));
        if !over.is_empty() {
            let mut batch = Batch::new();
            over.iter().for_each(|old| records::clear_revocation(&mut batch, id, &old.subject));
            tenant.commit(&epoch.storage, batch).await?;
        }
        let known = all.entry(tenant.name().clone()).or_default();
        good.into_iter().for_each(|revocation| known.put(revocation));
    }
    revoked.change_all(|known| *known = all);
    Ok(())
}

/// Stores a revocation, and then has it in force. It ends what it began, whether the caller waits or not.
pub(super) async fn put(
    revoked: &Arc<Revoked>,
    epoch: &Arc<Epoch>,
    tenant: &Tenant,
    revocation: Revocation,
) -> Result<(), PutError> {
    let (now, id, name) = (revocation.at, tenant.id(), tenant.name().clone());
    let mut batch = Batch::new();
    records::put_revocation(&mut batch, id, &revocation);
    change(revoked, epoch, tenant, move |revoked| {
        let (count, over) = revoked.look(&name, |known| {
            let over = known.iter().filter(|known| known.is_over(now) && known.subject != revocation.subject);
            let over: Vec<_> = over.take(REVOKED_FORGET_MAX).map(|over| over.subject.clone()).collect();
            (known.iter().len(), over)
        });
        if count - over.len() >= REVOKED_MAX && revoked.of(&name, &revocation.subject).is_none() {
            return Err(PutError::TooMany);
        }
        over.iter().for_each(|subject| records::clear_revocation(&mut batch, id, subject));
        let put = move |revoked: &Revoked| {
            revoked.change(&name, |known| {
                for subject in &over {
                    known.remove(subject);
                }
                known.put(revocation);
            });
        };
        Ok((batch, put))
    })
    .await
}

/// Takes a revocation back. Returns whether there was one.
pub(super) async fn remove(
    revoked: &Arc<Revoked>,
    epoch: &Arc<Epoch>,
    tenant: &Tenant,
    subject: Subject,
) -> Result<bool, PutError> {
    if revoked.of(tenant.name(), &subject).is_none() {
        return Ok(false);
    }
    let mut batch = Batch::new();
    records::clear_revocation(&mut batch, tenant.id(), &subject);
    let name = tenant.name().clone();
    let remove = move |revoked: &Revoked| {
        revoked.change(&name, |known| {
            known.remove(&subject);
        });
    };
    change(revoked, epoch, tenant, move |_| Ok((batch, remove))).await?;
    Ok(true)
}

/// Has a change stored, and then in force, after those that were begun before.
async fn change<F: FnOnce(&Revoked) + Send + 'static>(
    revoked: &Arc<Revoked>,
    epoch: &Arc<Epoch>,
    tenant: &Tenant,
    plan: impl FnOnce(&Revoked) -> Result<(Batch, F), PutError> + Send + 'static,
) -> Result<(), PutError> {
    let (revoked, storage, tenant) = (Arc::clone(revoked), epoch.storage.clone(), tenant.clone());
    let done = epoch.tasks.spawn(async move {
        let _turn = revoked.turn.acquire().await.map_err(|_closed| PutError::Down)?;
        let (batch, enforce) = plan(&revoked)?;
        tenant.commit(&storage, batch).await.map_err(|_down| PutError::Down)?;
        enforce(&revoked);
        Ok(())
    });
    done.await.unwrap_or(Err(PutError::Down))
}
