//! One life of the open store and everything that rests on it.

use std::sync::{Arc, OnceLock};

use syncline_core::{entity::EntityKey, id::RoomName};
use syncline_protocol::ledger::entity_of;
use syncline_store::committer::Handle;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock, entities::LedgerHandle, halt::Halt, limits::LOADS_MAX, lobby::Directory,
    memory::MemoryBudget, metrics::Metrics, quota::Usage, registry::Registry, storage::Storage,
};

/// Everything that begins when the store opens and must end before it is opened again.
///
/// A commit of a room from before a failure must never reach the store after it: so rooms, loads and compactions
/// belong to an epoch, and the next one begins when all [`tasks`](Self::tasks) of this one, and its ledger, have ended.
pub(crate) struct Epoch {
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) registry: Registry,
    pub(crate) directory: Directory,
    /// There before the epoch is shown to anyone.
    ledger: OnceLock<LedgerHandle>,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) usage: Arc<Usage>,
    /// Closes every connection of the epoch.
    pub(crate) halt: Arc<Halt>,
    /// Asks rooms to store what they have and to end.
    pub(crate) drain: CancellationToken,
    /// Rooms, compactions and what the ledger wants of rooms.
    pub(crate) tasks: TaskTracker,
    /// Asks the ledger to end: later than rooms, for what they store goes through it.
    pub(crate) ledger_drain: CancellationToken,
    /// The ledger.
    pub(crate) ledger_tasks: TaskTracker,
    pub(crate) loads: Arc<Semaphore>,
    /// One compaction at a time: it is CPU and disk that clients would rather have.
    pub(crate) compactions: Arc<Semaphore>,
}

impl Epoch {
    pub(crate) fn new(
        clock: Clock,
        committer: &Handle,
        memory: &Arc<MemoryBudget>,
        metrics: &Arc<Metrics>,
        usage: &Arc<Usage>,
    ) -> Arc<Self> {
        let halt = Arc::new(Halt::new());
        Arc::new(Self {
            clock,
            storage: Storage::new(committer.clone(), Arc::clone(&halt)),
            registry: Registry::default(),
            directory: Directory::default(),
            ledger: OnceLock::new(),
            memory: Arc::clone(memory),
            metrics: Arc::clone(metrics),
            usage: Arc::clone(usage),
            halt,
            drain: CancellationToken::new(),
            tasks: TaskTracker::new(),
            ledger_drain: CancellationToken::new(),
            ledger_tasks: TaskTracker::new(),
            loads: Arc::new(Semaphore::new(LOADS_MAX)),
            compactions: Arc::new(Semaphore::new(1)),
        })
    }

    /// Returns how to reach the ledger; nothing before it has been loaded.
    pub(crate) fn ledger(&self) -> Option<&LedgerHandle> {
        self.ledger.get()
    }

    /// Returns the entity that the document of a room is, and who keeps it; nothing if it is none.
    pub(crate) fn entity_of(&self, room: &RoomName) -> Option<(&LedgerHandle, EntityKey)> {
        let (ledger, key) = self.ledger().zip(entity_of(room))?;
        ledger.has_documents(&key.kind).then_some((ledger, key))
    }

    /// Says how to reach the ledger.
    ///
    /// # Panics
    /// If it was said before.
    pub(crate) fn set_ledger(&self, ledger: LedgerHandle) {
        assert!(self.ledger.set(ledger).is_ok(), "an epoch has one ledger");
    }

    /// Waits until nothing of the epoch touches the store any more. No room can be opened from now on.
    pub(crate) async fn end(&self) {
        self.registry.close();
        self.drain.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.ledger_drain.cancel();
        self.ledger_tasks.close();
        self.ledger_tasks.wait().await;
    }
}
