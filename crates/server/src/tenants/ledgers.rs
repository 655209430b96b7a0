//! The ledgers of one epoch, one of each tenant.
//!
//! A ledger is opened when it is first asked for. It stays open as long as the epoch, for deadlines, retention, live streams and
//! metrics rest on it; only one of a tenant that has stored nothing is closed again when nobody uses it. Opening cannot race with
//! closing: both happen under the one lock.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use syncline_core::id::TenantId;
use tokio::{
    sync::watch,
    time::{Duration, sleep},
};

use super::Tenant;
use crate::{
    entities::{self, LedgerDown, LedgerHandle, LedgerSettings, OpenError},
    epoch::Epoch,
    limits::LEDGER_RETRY_MS,
};

/// Which ledgers are open, and how they are opened.
pub(crate) struct Ledgers {
    settings: Arc<LedgerSettings>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_tenant: BTreeMap<TenantId, watch::Receiver<State>>,
    closed: bool,
}

#[derive(Clone)]
enum State {
    Opening,
    Open(LedgerHandle),
    /// Why, the log says.
    Failed,
}

impl Ledgers {
    pub(crate) fn new(settings: &Arc<LedgerSettings>) -> Self {
        Self { settings: Arc::clone(settings), open: Mutex::default() }
    }

    /// Returns the ledger of a tenant, which is opened if need be.
    pub(crate) async fn of(epoch: &Arc<Epoch>, tenant: &Tenant) -> Result<LedgerHandle, LedgerDown> {
        let mut state = match epoch.ledgers.entry(epoch, tenant)? {
            Ok(open) => return Ok(open),
            Err(opening) => opening,
        };
        let state = state.wait_for(|state| !matches!(state, State::Opening)).await.map_err(|_| LedgerDown)?;
        match &*state {
            State::Open(ledger) => Ok(ledger.clone()),
            State::Opening | State::Failed => Err(LedgerDown),
        }
    }

    /// Opens the ledger of the tenant that is always there, before anyone is let in.
    pub(crate) async fn begin(epoch: &Arc<Epoch>) -> Result<(), OpenError> {
        let tenant = epoch.tenants.default_one();
        let (ledger, task) = entities::open(epoch, &tenant, &epoch.ledgers.settings).await?;
        let (_, state) = watch::channel(State::Open(ledger));
        epoch.ledgers.open().by_tenant.insert(tenant.id(), state);
        epoch.ledger_tasks.spawn(task.run());
        Ok(())
    }

    /// Returns the ledger of a tenant if it is open.
    pub(crate) fn now_open(&self, tenant: TenantId) -> Option<LedgerHandle> {
        self.open().by_tenant.get(&tenant).and_then(|state| state.borrow().ledger())
    }

    /// Returns those that are open.
    pub(crate) fn all(&self) -> Vec<LedgerHandle> {
        self.open().by_tenant.values().filter_map(|state| state.borrow().ledger()).collect()
    }

    /// Opens no more ledgers.
    pub(crate) fn close(&self) {
        self.open().closed = true;
    }

    /// Forgets a ledger if `is_unused`, which is asked under the lock; afterwards nobody finds it.
    pub(crate) fn remove_if(&self, tenant: TenantId, is_unused: impl FnOnce() -> bool) -> bool {
        let mut open = self.open();
        let unused = is_unused();
        if unused {
            open.by_tenant.remove(&tenant);
        }
        unused
    }

    /// Returns a ledger that is open, or where it is told that it is.
    fn entry(
        &self,
        epoch: &Arc<Epoch>,
        tenant: &Tenant,
    ) -> Result<Result<LedgerHandle, watch::Receiver<State>>, LedgerDown> {
        let mut open = self.open();
        if let Some(state) = open.by_tenant.get(&tenant.id()) {
            let ledger = state.borrow().ledger();
            return Ok(ledger.ok_or_else(|| state.clone()));
        }
        if open.closed {
            return Err(LedgerDown);
        }
        let (tell, state) = watch::channel(State::Opening);
        open.by_tenant.insert(tenant.id(), state.clone());
        epoch.ledger_tasks.spawn(run(Arc::clone(epoch), tenant.clone(), tell));
        Ok(Err(state))
    }

    /// Nothing that runs under the lock leaves the table half changed, so a poisoned one is still whole.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ledger(&self) -> Option<LedgerHandle> {
        match self {
            Self::Open(ledger) => Some(ledger.clone()),
            Self::Opening | Self::Failed => None,
        }
    }
}

/// Opens a ledger and serves it until the epoch ends, or nobody uses it.
async fn run(epoch: Arc<Epoch>, tenant: Tenant, tell: watch::Sender<State>) {
    match entities::open(&epoch, &tenant, &epoch.ledgers.settings).await {
        Ok((handle, task)) => {
            tell.send_replace(State::Open(handle));
            task.run().await;
        }
        Err(error) => {
            say_why(&tenant, &error);
            tell.send_replace(State::Failed);
            // Whoever asks again and again does not have it read as often: others wait for the store, too.
            tokio::select! {
                () = sleep(Duration::from_millis(LEDGER_RETRY_MS)) => {}
                () = epoch.ledger_drain.cancelled() => {}
            }
            epoch.ledgers.remove_if(tenant.id(), || true);
        }
    }
}

fn say_why(tenant: &Tenant, error: &OpenError) {
    let (tenant, error) = (tenant.name().as_str(), error as &dyn std::error::Error);
    tracing::error!(tenant, error, "the entities of a tenant cannot be loaded");
}
