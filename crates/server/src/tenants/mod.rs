//! Tenants: whose data a request is for, which its credential alone says.
//!
//! * [`Tenants`]: from names to [`Tenant`]s; of those that have stored something, and those that somebody just looks at;
//! * `ledgers`: the ledger of each, opened when it is first asked for.
//!
//! A number is given in memory and becomes durable with the first batch that stores anything of its tenant. So whoever only
//! reads leaves nothing behind, and nothing is ever stored of a tenant without its name.
//!
//! Invariants:
//! * nothing is stored of a tenant but through [`Tenant::commit`], until its name is durable;
//! * no number outlives its epoch in memory, and none is given twice in one process.

mod ledgers;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod tests;

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering as Memory},
    },
};

use syncline_core::{
    id::{TenantId, TenantName},
    limits::DAY_MS,
};
use syncline_store::{
    Batch,
    records::{self, RecordError},
};

pub(crate) use self::ledgers::{Ledgers, Signals};
use crate::{
    config::Config,
    entities::{Handlers, LedgerSettings, Retention},
    history::HistoryRules,
    hooks::HookSet,
    storage::{Storage, StoreDown},
};

/// A tenant, as long as an epoch lasts. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Tenant(Arc<Inner>);

struct Inner {
    id: TenantId,
    name: TenantName,
    /// Whether its name is durable.
    stored: AtomicBool,
    known: Weak<Mutex<Known>>,
}

/// The tenants of one epoch.
#[derive(Clone)]
pub(crate) struct Tenants {
    known: Arc<Mutex<Known>>,
    bound: TenantBound,
}

/// What the tenants of all epochs have in common.
pub(crate) struct TenantSettings {
    pub(crate) bound: TenantBound,
    pub(crate) ledgers: Arc<LedgerSettings>,
    pub(crate) history: Arc<HistoryRules>,
    pub(crate) hooks: HookSet,
}

/// How many tenants there may be, and which numbers were given so far: the same in all epochs of a process.
#[derive(Clone, Debug)]
pub(crate) struct TenantBound {
    max: usize,
    last: Arc<AtomicU32>,
}

/// Short sections, no `await` inside.
struct Known {
    by_name: BTreeMap<TenantName, Entry>,
}

enum Entry {
    /// Something of it is stored, or about to be.
    Kept(Tenant),
    /// Somebody looks at it. It gives its place back when nobody does any more.
    Seen(Weak<Inner>),
}

/// There are as many tenants as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are as many tenants as there may be; an operator can allow more with --tenants-max")]
pub(crate) struct TooManyTenants;

/// Why it is not known which tenants there are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TenantsError {
    /// The store takes nothing in.
    #[error(transparent)]
    Down(#[from] StoreDown),
    /// A record cannot be read.
    #[error("it cannot be read which tenants there are")]
    Record(#[from] RecordError),
}

impl TenantSettings {
    pub(crate) fn new(config: &Config, handlers: &Arc<Handlers>, hooks: HookSet) -> Self {
        Self {
            hooks,
            bound: TenantBound::new(config.tenants_max),
            history: Arc::new(config.history.clone()),
            ledgers: Arc::new(LedgerSettings {
                types: config.types.clone(),
                handlers: Arc::clone(handlers),
                retention: Retention {
                    audit_ms: config.audit_retention_days.map(ms_of_days),
                    events_ms: config.event_retention_days.map(ms_of_days),
                },
            }),
        }
    }
}

#[cfg(test)]
impl TenantSettings {
    /// Returns those of a server that was told nothing.
    pub(crate) fn of_tests(clock: crate::clock::Clock) -> Self {
        let (config, trust) =
            (Config::default(), crate::outgoing::Trust::load(None).expect("nothing is added"));
        Self::new(&config, &Arc::new(Handlers::new(&config, trust, clock)), HookSet::default())
    }
}

fn ms_of_days(days: u32) -> u64 {
    u64::from(days).saturating_mul(DAY_MS)
}

impl TenantBound {
    /// Allows that many tenants besides the one that is always there.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, last: Arc::default() }
    }
}

impl Tenants {
    /// Begins with the tenant that is always there.
    pub(crate) fn new(bound: &TenantBound) -> Self {
        let tenants =
            Self { known: Arc::new(Mutex::new(Known { by_name: BTreeMap::new() })), bound: bound.clone() };
        tenants.keep(TenantName::default(), TenantId::DEFAULT);
        tenants
    }

    /// Takes in those that the store knows.
    pub(crate) async fn load(&self, storage: &Storage) -> Result<(), TenantsError> {
        let stored = storage.read(records::Tenants::load).await??;
        self.bound.last.fetch_max(stored.last().0, Memory::Relaxed);
        stored.iter().for_each(|(name, id)| self.keep(name.clone(), id));
        Ok(())
    }

    /// Returns the tenant of this name, which a good credential says.
    pub(crate) fn of(&self, name: &TenantName) -> Result<Tenant, TooManyTenants> {
        let mut known = self.known();
        if let Some(tenant) = known.of(name) {
            return Ok(tenant);
        }
        known.by_name.retain(|_, entry| entry.tenant().is_some());
        // One of them is always there.
        if known.by_name.len() > self.bound.max {
            return Err(TooManyTenants);
        }
        let next = |last: u32| last.checked_add(1);
        let last = self.bound.last.fetch_update(Memory::Relaxed, Memory::Relaxed, next);
        let id = TenantId(last.map_err(|_none_left| TooManyTenants)?.saturating_add(1));
        let tenant = self.tenant(name.clone(), id, false);
        known.by_name.insert(name.clone(), Entry::Seen(Arc::downgrade(&tenant.0)));
        Ok(tenant)
    }

    /// Returns the tenant of this name if somebody uses it, or something of it is stored.
    pub(crate) fn known_as(&self, name: &TenantName) -> Option<Tenant> {
        self.known().of(name)
    }

    /// Returns the tenant that is always there.
    pub(crate) fn default_one(&self) -> Tenant {
        self.known().of(&TenantName::default()).expect("it is there from the start, and is never forgotten")
    }

    /// Returns those of which something is stored.
    pub(crate) fn stored(&self) -> Vec<Tenant> {
        let all = self.known().by_name.values().filter_map(Entry::tenant).collect::<Vec<_>>();
        all.into_iter().filter(Tenant::is_stored).collect()
    }

    fn keep(&self, name: TenantName, id: TenantId) {
        let tenant = self.tenant(name.clone(), id, true);
        self.known().by_name.insert(name, Entry::Kept(tenant));
    }

    fn tenant(&self, name: TenantName, id: TenantId, is_stored: bool) -> Tenant {
        let (stored, known) = (AtomicBool::new(is_stored), Arc::downgrade(&self.known));
        Tenant(Arc::new(Inner { id, name, stored, known }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

/// Nothing that runs under the lock leaves the names half changed, so a poisoned lock holds whole ones.
fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn of(&self, name: &TenantName) -> Option<Tenant> {
        self.by_name.get(name).and_then(Entry::tenant)
    }
}

impl Entry {
    fn tenant(&self) -> Option<Tenant> {
        match self {
            Self::Kept(tenant) => Some(tenant.clone()),
            Self::Seen(tenant) => tenant.upgrade().map(Tenant),
        }
    }
}

impl Tenant {
    /// Returns its number, for keys.
    pub(crate) fn id(&self) -> TenantId {
        self.0.id
    }

    /// Returns its name, for whoever is told of it.
    pub(crate) fn name(&self) -> &TenantName {
        &self.0.name
    }

    /// Returns whether its name is durable: until then nothing of it is.
    pub(crate) fn is_stored(&self) -> bool {
        self.0.stored.load(Memory::Acquire)
    }

    /// Writes a batch of what is this tenant's, and waits until it is durable. With the first goes its name.
    pub(crate) fn commit(
        &self,
        storage: &Storage,
        mut batch: Batch,
    ) -> impl Future<Output = Result<(), StoreDown>> + Send + 'static + use<> {
        let is_new = !self.is_stored();
        if is_new {
            records::put_tenant(&mut batch, self.id(), self.name());
            // From now on it may be durable, whoever is there to hear of it.
            if let Some(known) = self.0.known.upgrade() {
                lock(&known).by_name.insert(self.name().clone(), Entry::Kept(self.clone()));
            }
        }
        let (tenant, committed) = (self.clone(), storage.commit(batch));
        async move {
            committed.await?;
            if is_new {
                tenant.0.stored.store(true, Memory::Release);
            }
            Ok(())
        }
    }
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Tenant {}

impl PartialOrd for Tenant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tenant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id().cmp(&other.id())
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tenant").field(&self.id()).field(&self.name().as_str()).finish()
    }
}
