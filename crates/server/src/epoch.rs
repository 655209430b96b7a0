//! One life of the open store and everything that rests on it.

use std::sync::Arc;

use syncline_core::entity::EntityKey;
use syncline_protocol::ledger::entity_of;
use syncline_store::committer::Handle;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    changes::Changes,
    clock::Clock,
    entities::{LedgerDown, LedgerHandle},
    halt::Halt,
    history::HistoryRules,
    hooks::Hooks,
    limits::LOADS_MAX,
    lobby::Directories,
    memory::MemoryBudget,
    metrics::Metrics,
    quota::Usage,
    registry::{Registry, RoomKey},
    room::LongWork,
    storage::Storage,
    tenants::{Ledgers, Tenant, TenantSettings, Tenants},
};

/// Everything that begins when the store opens and must end before it is opened again.
///
/// A commit of a room from before a failure must never reach the store after it: so rooms, loads and compactions
/// belong to an epoch, and the next one begins when all [`tasks`](Self::tasks) of this one, and its ledgers, have ended.
pub(crate) struct Epoch {
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) registry: Registry,
    pub(crate) directories: Directories,
    /// Where rooms tell of their commits.
    pub(crate) changes: Arc<Changes>,
    /// Applications that are told of them, too.
    pub(crate) hooks: Hooks,
    /// Loaded before the epoch is shown to anyone.
    pub(crate) tenants: Tenants,
    pub(crate) ledgers: Ledgers,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) metrics: Arc<Metrics>,
    /// How long what documents were is kept.
    pub(crate) history: Arc<HistoryRules>,
    pub(crate) usage: Arc<Usage>,
    /// Closes every connection of the epoch.
    pub(crate) halt: Arc<Halt>,
    /// Asks rooms to store what they have and to end.
    pub(crate) drain: CancellationToken,
    /// Rooms, compactions and what ledgers want of rooms.
    pub(crate) tasks: TaskTracker,
    /// Asks the ledgers to end: later than rooms, for what they store goes through them.
    pub(crate) ledger_drain: CancellationToken,
    /// The ledgers.
    pub(crate) ledger_tasks: TaskTracker,
    pub(crate) loads: Arc<Semaphore>,
    /// Where rooms do what takes long.
    pub(crate) long: LongWork,
    /// One compaction at a time: it is CPU and disk that clients would rather have.
    pub(crate) compactions: Arc<Semaphore>,
}

impl Epoch {
    pub(crate) fn new(
        clock: Clock,
        committer: &Handle,
        memory: &Arc<MemoryBudget>,
        metrics: &Arc<Metrics>,
        tenants: &TenantSettings,
        usage: &Arc<Usage>,
    ) -> Arc<Self> {
        let halt = Arc::new(Halt::new());
        Arc::new(Self {
            clock,
            storage: Storage::new(committer.clone(), Arc::clone(&halt)),
            registry: Registry::default(),
            directories: Directories::default(),
            changes: Changes::new(),
            hooks: Hooks::new(&tenants.hooks),
            tenants: Tenants::new(&tenants.bound),
            ledgers: Ledgers::new(&tenants.ledgers),
            memory: Arc::clone(memory),
            metrics: Arc::clone(metrics),
            history: Arc::clone(&tenants.history),
            usage: Arc::clone(usage),
            halt,
            drain: CancellationToken::new(),
            tasks: TaskTracker::new(),
            ledger_drain: CancellationToken::new(),
            ledger_tasks: TaskTracker::new(),
            loads: Arc::new(Semaphore::new(LOADS_MAX)),
            long: LongWork::new(),
            compactions: Arc::new(Semaphore::new(1)),
        })
    }

    /// Returns the ledger of a tenant, which is opened if need be.
    pub(crate) async fn ledger(self: &Arc<Self>, tenant: &Tenant) -> Result<LedgerHandle, LedgerDown> {
        Ledgers::of(self, tenant).await
    }

    /// Returns the entity that the document of a room is, and who keeps it; nothing if it is none.
    pub(crate) async fn entity_of(
        self: &Arc<Self>,
        room: &RoomKey,
    ) -> Result<Option<(LedgerHandle, EntityKey)>, LedgerDown> {
        let Some(key) = entity_of(&room.name) else { return Ok(None) };
        let ledger = self.ledger(&room.tenant).await?;
        Ok(ledger.has_documents(&key.kind).then_some((ledger, key)))
    }

    /// Waits until nothing of the epoch touches the store any more. No room can be opened from now on.
    pub(crate) async fn end(&self) {
        self.registry.close();
        self.drain.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.ledgers.close();
        self.ledger_drain.cancel();
        self.ledger_tasks.close();
        self.ledger_tasks.wait().await;
    }
}
