//! The ledgers of one epoch, one of each tenant.
//!
//! A ledger is opened when it is first asked for. It stays open as long as the epoch, for deadlines, retention, live streams and
//! metrics rest on it; only one of a tenant that has stored nothing is closed again when nobody uses it. Those that nobody has asked
//! for are looked over, when the epoch begins and once a day: each is opened, does what is due, and is closed again, unless a deadline
//! is still to pass. Opening cannot race with closing: both happen under the one lock.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use syncline_core::{id::TenantId, limits::DAY_MS};
use syncline_store::{ReadError, Store, key::ledger_prefix};
use tokio::{
    sync::{Notify, watch},
    time::{Duration, MissedTickBehavior, interval, sleep},
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
    by_tenant: BTreeMap<TenantId, Entry>,
    closed: bool,
}

struct Entry {
    state: watch::Receiver<State>,
    signals: Signals,
}

/// What a ledger that was opened and whoever has opened it know of each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals(Arc<Signalled>);

#[derive(Debug, Default)]
struct Signalled {
    is_wanted: AtomicBool,
    swept: Notify,
}

impl Signals {
    /// Returns whether anybody has asked for the ledger since it was opened.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.is_wanted.load(Ordering::Acquire)
    }

    fn want(&self) {
        self.0.is_wanted.store(true, Ordering::Release);
    }

    /// Says that the ledger has removed what had grown old.
    pub(crate) fn note_swept(&self) {
        self.0.swept.notify_one();
    }

    /// Waits until the ledger has removed what had grown old, or never will. One may wait for it.
    pub(super) async fn swept(&self) {
        self.0.swept.notified().await;
    }
}

/// Why a ledger was not looked over.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLookedOver {
    /// The epoch ends: no ledger is opened any more.
    #[error("no ledger is opened any more")]
    Ending,
    /// What is stored of it cannot be read.
    #[error("what is stored cannot be read")]
    Unread(#[source] ReadError),
}

impl From<ReadError> for NotLookedOver {
    fn from(error: ReadError) -> Self {
        match error {
            // The store has failed, and the epoch with it.
            ReadError::Latched => Self::Ending,
            error => Self::Unread(error),
        }
    }
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
        let signals = Signals::default();
        signals.want();
        let (ledger, task) = entities::open(epoch, &tenant, &epoch.ledgers.settings, &signals).await?;
        let (_, state) = watch::channel(State::Open(ledger));
        epoch.ledgers.open().by_tenant.insert(tenant.id(), Entry { state, signals });
        epoch.ledger_tasks.spawn(task.run());
        Ok(())
    }

    /// Looks over the ledgers of all tenants that have stored something, one after the other, now and then once a day, until the epoch
    /// ends.
    pub(crate) async fn look_over(epoch: Arc<Epoch>) {
        let mut days = interval(Duration::from_millis(DAY_MS));
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let each = async {
            loop {
                days.tick().await;
                for tenant in epoch.tenants.stored() {
                    match Self::look_over_one(&epoch, &tenant).await {
                        Ok(()) => {}
                        Err(NotLookedOver::Ending) => return,
                        Err(NotLookedOver::Unread(error)) => {
                            let (tenant, error) = (tenant.name().as_str(), &error as &dyn std::error::Error);
                            tracing::error!(tenant, error, "the entities of a tenant were not looked over");
                        }
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = epoch.drain.cancelled() => {}
            () = each => {}
        }
    }

    /// Opens a ledger, unless it is open, and waits until it has done what was due.
    pub(super) async fn look_over_one(epoch: &Arc<Epoch>, tenant: &Tenant) -> Result<(), NotLookedOver> {
        let id = tenant.id();
        let has_one = move |store: &dyn Store| store.scan(&ledger_prefix(id), &[], 1);
        if epoch.storage.read(has_one).await.map_err(|_| NotLookedOver::Ending)??.is_empty() {
            return Ok(());
        }
        let opened = epoch.ledgers.open_unasked(epoch, tenant).map_err(|_| NotLookedOver::Ending)?;
        if let Some(signals) = opened {
            signals.swept().await;
        }
        Ok(())
    }

    /// Returns what is known of a ledger by those who have opened it.
    #[cfg(test)]
    pub(super) fn signals(&self, tenant: TenantId) -> Option<Signals> {
        self.open().by_tenant.get(&tenant).map(|entry| entry.signals.clone())
    }

    /// Returns the ledger of a tenant if it is open.
    pub(crate) fn now_open(&self, tenant: TenantId) -> Option<LedgerHandle> {
        self.open().by_tenant.get(&tenant).and_then(|entry| entry.state.borrow().ledger())
    }

    /// Returns those that are open.
    pub(crate) fn all(&self) -> Vec<LedgerHandle> {
        self.open().by_tenant.values().filter_map(|entry| entry.state.borrow().ledger()).collect()
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
        if let Some(Entry { state, signals }) = open.by_tenant.get(&tenant.id()) {
            signals.want();
            let ledger = state.borrow().ledger();
            return Ok(ledger.ok_or_else(|| state.clone()));
        }
        let signals = Signals::default();
        signals.want();
        open.begin(epoch, tenant, signals).map(Err)
    }

    /// Opens a ledger that nobody has asked for; nothing if it is open, or about to be.
    fn open_unasked(&self, epoch: &Arc<Epoch>, tenant: &Tenant) -> Result<Option<Signals>, LedgerDown> {
        let mut open = self.open();
        if open.by_tenant.contains_key(&tenant.id()) {
            return Ok(None);
        }
        let signals = Signals::default();
        open.begin(epoch, tenant, signals.clone())?;
        Ok(Some(signals))
    }

    /// Nothing that runs under the lock leaves the table half changed, so a poisoned one is still whole.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn begin(
        &mut self,
        epoch: &Arc<Epoch>,
        tenant: &Tenant,
        signals: Signals,
    ) -> Result<watch::Receiver<State>, LedgerDown> {
        if self.closed {
            return Err(LedgerDown);
        }
        let (tell, state) = watch::channel(State::Opening);
        self.by_tenant.insert(tenant.id(), Entry { state: state.clone(), signals: signals.clone() });
        epoch.ledger_tasks.spawn(run(Arc::clone(epoch), tenant.clone(), signals, tell));
        Ok(state)
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
async fn run(epoch: Arc<Epoch>, tenant: Tenant, signals: Signals, tell: watch::Sender<State>) {
    // If it cannot be swept, whyever, nobody waits for that.
    let _over = Over(signals.clone());
    match entities::open(&epoch, &tenant, &epoch.ledgers.settings, &signals).await {
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

/// Says that a ledger is over when it is dropped.
struct Over(Signals);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.note_swept();
    }
}

fn say_why(tenant: &Tenant, error: &OpenError) {
    let (tenant, error) = (tenant.name().as_str(), error as &dyn std::error::Error);
    tracing::error!(tenant, error, "the entities of a tenant cannot be loaded");
}
