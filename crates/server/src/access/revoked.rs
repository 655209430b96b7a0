//! Which credentials are revoked, as of now: asked at each use of one, and told to whoever waits meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use syncline_core::{
    access::{Identity, Revocation, Revocations, Subject},
    id::TenantName,
    time::WallMs,
};
use tokio::sync::{Semaphore, watch};

/// The revocations that are in force.
#[derive(Debug)]
pub(crate) struct Revoked {
    /// By the tenants whose they are.
    known: RwLock<BTreeMap<TenantName, Revocations>>,
    /// How often they have changed.
    changes: AtomicU64,
    told: watch::Sender<u64>,
    /// One permit: what is stored and what is in force change in the same order.
    pub(super) turn: Arc<Semaphore>,
}

impl Default for Revoked {
    fn default() -> Self {
        Self {
            known: RwLock::default(),
            changes: AtomicU64::new(0),
            told: watch::Sender::new(0),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Revoked {
    /// Changes what is in force of a tenant. From then on nobody uses what it revokes, and whoever waits is told.
    pub(super) fn change(&self, tenant: &TenantName, change: impl FnOnce(&mut Revocations)) {
        self.change_all(|known| change(known.entry(tenant.clone()).or_default()));
    }

    /// Changes what is in force of all tenants.
    pub(super) fn change_all(&self, change: impl FnOnce(&mut BTreeMap<TenantName, Revocations>)) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        // Under the lock: whoever sees the new number finds what it stands for.
        let changes = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        drop(known);
        self.told.send_replace(changes);
    }

    /// Returns whether a credential is revoked.
    pub(crate) fn revokes(&self, identity: &Identity, now: WallMs) -> bool {
        self.look(&identity.tenant, |known| known.revoke(identity, now))
    }

    /// Returns the revocation of a subject of a tenant, if it is in force.
    pub(super) fn of(&self, tenant: &TenantName, subject: &Subject) -> Option<Revocation> {
        self.look(tenant, |known| known.of(subject).cloned())
    }

    pub(super) fn look<T>(&self, tenant: &TenantName, look: impl FnOnce(&Revocations) -> T) -> T {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(tenant) {
            Some(known) => look(known),
            None => look(&Revocations::default()),
        }
    }

    /// Returns how often the revocations have changed: while that stays, so does what is revoked, but for what ends.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Returns where it is told that they have changed.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }
}
