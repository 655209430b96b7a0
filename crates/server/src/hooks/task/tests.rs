//! What the task of a hook reads and stores, between the machine and a store that does not always answer.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use syncline_core::{
    id::{CommitNumber, DocumentId, RoomName},
    time::{MonotonicMs, WallMs},
};
use syncline_store::{
    CommitError, ReadError, Stats, VacuumError, Vacuumed, Value, committer::Committer, mem::MemoryStore,
};

use super::*;
use crate::{
    clock::Clock,
    hooks::{HookSet, tests::settings},
    memory::MemoryBudget,
    metrics::Metrics,
    outgoing::Trust,
    quota::{Quota, Usage},
    tenants::TenantSettings,
};

const DOCUMENT: DocumentId = DocumentId([1; 16]);

/// A store that cannot be read while somebody says so.
#[derive(Clone, Default)]
struct Moody {
    memory: Arc<Mutex<MemoryStore>>,
    fails: Arc<AtomicBool>,
}

impl Moody {
    fn check(&self) -> Result<(), ReadError> {
        if self.fails.load(Ordering::SeqCst) { Err(ReadError::Latched) } else { Ok(()) }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, MemoryStore> {
        self.memory.lock().expect("nobody panics")
    }

    fn put(&self, mark: &HookMark) {
        let mut batch = Batch::new();
        records::put_mark(&mut batch, &name(), mark);
        self.memory().commit(batch).expect("stored");
    }

    fn has(&self, mark: &HookMark) -> bool {
        self.memory().live().contains_key(&Key::hook(&name(), &mark.id))
    }
}

impl Store for Moody {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        self.memory().commit(batch)
    }

    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        self.memory().vacuum()
    }

    fn reopen(&mut self) -> Result<(), VacuumError> {
        self.memory().reopen()
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        self.check()?;
        self.memory().get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        self.check()?;
        self.memory().scan(prefix, from, limit)
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.memory().stats()
    }
}

struct World {
    store: Moody,
    task: HookTask,
    to_hook: mpsc::Sender<ToHook>,
    _committer: Committer,
}

impl World {
    fn over(store: &Moody) -> Self {
        let committer = Committer::start(Box::new(store.clone()), ()).expect("a thread");
        let memory = MemoryBudget::new(usize::MAX);
        let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new()));
        let (tenants, usage) = (TenantSettings::of_tests(clock), Usage::new(&Quota::default()));
        let epoch = Epoch::new(clock, &committer.handle(), &memory, &metrics, &tenants, &usage);
        let hooks = HookSet::new(&[settings()], &Trust::load(None).expect("nothing is added"));
        let hook = hooks.expect("it makes sense").iter().next().cloned().expect("there is one");
        let (to_hook, inbox) = mpsc::channel(9);
        let task = HookTask::new(&epoch, &hook, inbox, Arc::default());
        Self { store: store.clone(), task, to_hook, _committer: committer }
    }

    async fn carry_out(&mut self) {
        self.task.carry_out().await.expect("the store is open");
    }

    /// Has it be as late as the machine waits for.
    async fn pass(&mut self) {
        let due = self.task.machine.poll_timeout().expect("it waits for something");
        let now = self.task.epoch.clock.now();
        self.task.machine.handle_timeout(syncline_core::time::Now { monotonic: due, ..now });
        self.carry_out().await;
    }

    fn waiting(&self) -> usize {
        self.task.machine.stats().waiting
    }
}

fn name() -> syncline_core::hook::HookName {
    "search".parse().expect("a name")
}

fn mark_of(tenant: TenantId, commit: u64, event: HookEvent) -> HookMark {
    let id = HookMarkId { tenant, document: DOCUMENT, commit: CommitNumber(commit), event };
    HookMark { id, name: plan(), at: WallMs(1), attempts: 0, dead: None }
}

fn plan() -> RoomName {
    RoomName::new("plan").expect("a name")
}

/// What was taken is not read again right before it is forgotten.
#[tokio::test]
async fn what_is_stored_is_what_is_read() {
    let store = Moody::default();
    let mark = mark_of(TenantId::DEFAULT, 0, HookEvent::Deleted);
    store.put(&mark);
    let mut world = World::over(&store);
    world.carry_out().await;
    assert_eq!((world.waiting(), world.task.calls.len()), (1, 1));
    let now = world.task.epoch.clock.now();
    world.task.machine.answered(now, mark.id, Answer::Taken, 0);
    world.task.machine.missed(now);
    world.carry_out().await;
    assert_eq!((world.waiting(), world.store.has(&mark)), (0, false));
}

/// What rooms have told by the time at which the store was read is heard before anything of that is told.
#[tokio::test]
async fn what_was_told_before_is_heard_before() {
    let store = Moody::default();
    let [older, newer] = [6, 7].map(|commit| mark_of(TenantId::DEFAULT, commit, HookEvent::Changed));
    store.put(&newer);
    let mut world = World::over(&store);
    world.to_hook.send(ToHook::Note(older)).await.expect("there is room");
    world.carry_out().await;
    assert!(world.task.inbox.is_empty());
    let now = world.task.epoch.clock.now();
    world.task.machine.answered(now, newer.id, Answer::Taken, 0);
    assert_eq!(world.waiting(), 0, "the older one is behind it");
}

/// A store that cannot be read is read again after a pause, without a start.
#[tokio::test]
async fn what_could_not_be_read_is_told_later() {
    let store = Moody::default();
    store.put(&mark_of(TenantId::DEFAULT, 0, HookEvent::Deleted));
    store.fails.store(true, Ordering::SeqCst);
    let mut world = World::over(&store);
    for _ in 0..3 {
        world.carry_out().await;
        assert_eq!(world.waiting(), 0);
        let now = world.task.epoch.clock.now().monotonic;
        assert!(
            world.task.machine.poll_timeout().is_some_and(|due: MonotonicMs| due > now),
            "it does not spin"
        );
        world.pass().await;
    }
    store.fails.store(false, Ordering::SeqCst);
    world.pass().await;
    assert_eq!(world.waiting(), 1);
}

/// Goal: what is to be told of a tenant that has just begun is not forgotten. Method: its mark is in the store, and its name is not yet; then
/// a tenant gets that number.
#[tokio::test]
async fn what_is_of_a_tenant_that_is_not_yet_known_stays() {
    let store = Moody::default();
    let mark = mark_of(TenantId(1), 0, HookEvent::Deleted);
    store.put(&mark);
    store.put(&mark_of(TenantId::DEFAULT, 0, HookEvent::Deleted));
    let mut world = World::over(&store);
    world.carry_out().await;
    assert_eq!((world.waiting(), store.has(&mark)), (1, true), "others are told");
    let epoch = Arc::clone(&world.task.epoch);
    let tenant = epoch.tenants.of(&"acme".parse().expect("a name")).expect("there is room");
    assert_eq!(tenant.id(), mark.id.tenant);
    let mut batch = Batch::new();
    records::put_name(&mut batch, tenant.id(), &plan(), DOCUMENT);
    tenant.commit(&epoch.storage, batch).await.expect("stored");
    world.pass().await;
    assert_eq!(world.waiting(), 2);
}

/// Whether there is what a mark is about nobody can tell while the store cannot be read; a damaged record says nothing of others.
#[tokio::test]
async fn a_damaged_name_is_no_store_that_is_down() {
    let store = Moody::default();
    let [damaged, erased] = [TenantId(1), TenantId(2)].map(|tenant| mark_of(tenant, 1, HookEvent::Created));
    let mark = mark_of(TenantId::DEFAULT, 1, HookEvent::Created);
    let mut batch = Batch::new();
    batch.put(Key::name(damaged.id.tenant, &plan()), Value::new(vec![7; 3]).expect("it is short"));
    records::put_name(&mut batch, erased.id.tenant, &plan(), DocumentId([2; 16]));
    records::put_name(&mut batch, mark.id.tenant, &plan(), DOCUMENT);
    store.memory().commit(batch).expect("stored");
    let world = World::over(&store);
    let epoch = &world.task.epoch;
    let of_all = async || {
        [is_there(epoch, &mark).await, is_there(epoch, &damaged).await, is_there(epoch, &erased).await]
    };
    assert_eq!(of_all().await, [There::Yes, There::Damaged, There::No]);
    store.fails.store(true, Ordering::SeqCst);
    assert_eq!(of_all().await, [There::Unknown; 3]);
}
