//! The committer joins, reports, refuses and ends as it says.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, Sender, channel},
};

use syncline_core::limits::VALUE_BYTES_MAX;

use super::*;
use crate::{
    Key, Stats, Value,
    mem::{Failure, MemoryStore},
    port::ReadError,
};

/// Reports of tickets, in the order in which they were made.
type Reports = Arc<Mutex<Vec<(u32, bool)>>>;

struct World {
    committer: Committer,
    handle: Handle,
    reports: Reports,
}

impl World {
    fn new() -> Self {
        Self::with(Box::new(MemoryStore::new()))
    }

    fn with(store: Box<dyn Store>) -> Self {
        let committer = Committer::start(store, ()).unwrap();
        Self { handle: committer.handle(), committer, reports: Reports::default() }
    }

    fn submit(&self, n: u32) {
        self.submit_bytes(n, 1).unwrap();
    }

    fn submit_bytes(&self, n: u32, bytes: usize) -> Result<(), Refusal> {
        let reports = Arc::clone(&self.reports);
        self.handle.submit(batch(n, bytes), move |result| reports.lock().unwrap().push((n, result.is_ok())))
    }

    /// Holds the committer's thread until the returned end is dropped or sent to.
    fn hold(&self) -> Sender<()> {
        let (release, held) = channel();
        let (arrived, arrives) = channel();
        self.handle
            .read(move |_| {
                arrived.send(()).unwrap();
                let _ = held.recv();
            })
            .unwrap();
        arrives.recv().unwrap();
        release
    }

    /// Waits until the committer has done all that was asked of it before.
    fn wait(&self) {
        wait_for(&self.read(|_| ()))
    }

    fn read<T: Send + 'static>(&self, read: impl FnOnce(&dyn Store) -> T + Send + 'static) -> Receiver<T> {
        let (sender, receiver) = channel();
        self.handle.read(move |store| sender.send(read(store)).unwrap()).unwrap();
        receiver
    }

    fn reopen(&self) -> bool {
        let (sender, receiver) = channel();
        self.handle.reopen(move |result| sender.send(result.is_ok()).unwrap()).unwrap();
        wait_for(&receiver)
    }

    fn reports(&self) -> Vec<(u32, bool)> {
        std::mem::take(&mut self.reports.lock().unwrap())
    }
}

fn wait_for<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(std::time::Duration::from_secs(30)).expect("the committer answers")
}

fn key(n: u32) -> Key {
    Key::from_stored(&[&[1], &n.to_be_bytes()[..]].concat())
}

fn batch(n: u32, bytes: usize) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..bytes.div_ceil(VALUE_BYTES_MAX) {
        batch.put(key(n), Value::new(vec![0; bytes.min(VALUE_BYTES_MAX)]).unwrap());
    }
    batch
}

#[test]
fn what_gathers_becomes_one_commit_and_is_reported_in_order() {
    let world = World::new();
    let release = world.hold();
    for n in 0..100 {
        world.submit(n);
    }
    assert_eq!(world.handle.stats().waiting_requests, 100);
    release.send(()).unwrap();
    world.wait();
    assert_eq!(world.reports(), (0..100).map(|n| (n, true)).collect::<Vec<_>>());
    let stats = world.handle.stats();
    assert_eq!((stats.commits, stats.operations, stats.bytes), (1, 100, 600));
    assert_eq!((stats.waiting_requests, stats.waiting_bytes), (0, 0));
    world.committer.close().unwrap();
}

#[test]
fn a_commit_has_bounds() {
    let check = |tickets: &[usize], commits: u64| {
        let world = World::new();
        let release = world.hold();
        for (n, bytes) in (0..).zip(tickets) {
            world.submit_bytes(n, *bytes).unwrap();
        }
        release.send(()).unwrap();
        let reports = Arc::clone(&world.reports);
        let store = world.committer.close().unwrap();
        assert_eq!(reports.lock().unwrap().len(), tickets.len());
        assert_eq!(store.stats().unwrap().live_keys, tickets.len() as u64);
        assert_eq!(world.handle.stats().commits, commits, "{} tickets", tickets.len());
    };
    check(&[1; BATCH_OPERATIONS_MAX], 1);
    check(&[1; BATCH_OPERATIONS_MAX + 1], 2);
    check(&[VALUE_BYTES_MAX; 36], 1);
    check(&[VALUE_BYTES_MAX; 37], 2);
    check(&[1, 1 << 20, 1], 3);
    check(&[1 << 20, 1], 2);
}

#[test]
fn a_read_sees_what_was_reported_before() {
    let world = World::new();
    for n in 0..50 {
        let (sender, receiver) = channel();
        world.handle.submit(batch(n, 1), move |result| sender.send(result.is_ok()).unwrap()).unwrap();
        assert!(wait_for(&receiver));
        assert!(wait_for(&world.read(move |store| store.get(&key(n)).unwrap())).is_some());
    }
    world.committer.close().unwrap();
}

#[test]
fn a_failed_commit_refuses_everything_until_a_reopening() {
    let mut store = MemoryStore::new();
    store.fail_next_commit(Failure::AfterSync);
    let world = World::with(Box::new(store));
    let release = world.hold();
    world.submit(1);
    world.submit(2);
    release.send(()).unwrap();
    world.wait();
    world.submit(3);
    world.wait();
    assert_eq!(world.reports(), [(1, false), (2, false), (3, false)]);
    let read = wait_for(&world.read(|store| store.get(&key(1))));
    assert!(matches!(read, Err(ReadError::Latched)));

    // Whoever submits before the reopening succeeded had not heard yet.
    let release = world.hold();
    world.submit(4);
    let (sender, reopened) = channel();
    world.handle.reopen(move |result| sender.send(result.is_ok()).unwrap()).unwrap();
    world.submit(5);
    release.send(()).unwrap();
    assert!(wait_for(&reopened));
    assert_eq!(world.reports(), [(4, false), (5, false)]);

    world.submit(6);
    world.wait();
    assert_eq!(world.reports(), [(6, true)]);
    assert_eq!(world.handle.stats().failed, 1);
    let store = world.committer.close().unwrap();
    let live: Vec<_> = store.scan(b"", b"", 9).unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(live, [key(6)]);
}

/// A store whose reopening fails a few times, as on a full disk.
struct Stubborn(MemoryStore, u32);

impl Store for Stubborn {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        self.0.commit(batch)
    }
    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        self.0.vacuum()
    }
    fn reopen(&mut self) -> Result<(), VacuumError> {
        if self.1 > 0 {
            self.1 -= 1;
            return Err(VacuumError::Latched);
        }
        self.0.reopen()
    }
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.get(key)
    }
    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        self.0.scan(prefix, from, limit)
    }
    fn stats(&self) -> Result<Stats, ReadError> {
        self.0.stats()
    }
}

#[test]
fn a_reopening_that_fails_changes_nothing() {
    let mut store = MemoryStore::new();
    store.fail_next_commit(Failure::BeforeSync);
    let world = World::with(Box::new(Stubborn(store, 2)));
    world.submit(1);
    assert!(!world.reopen());
    world.submit(2);
    assert!(!world.reopen());
    assert!(world.reopen());
    world.submit(3);
    world.wait();
    assert_eq!(world.reports(), [(1, false), (2, false), (3, true)]);
    world.committer.close().unwrap();
}

#[test]
fn a_full_queue_says_so() {
    let world = World::new();
    let release = world.hold();
    let refused = (0..).map(|n| world.submit_bytes(n, 8 << 20)).take(20).find(Result::is_err);
    assert_eq!(refused, Some(Err(Refusal::Busy)));
    assert!(world.handle.stats().waiting_bytes < QUEUE_BYTES_MAX as u64 + (9 << 20));
    world.handle.read(|_| ()).expect("reads take no room in bytes");
    release.send(()).unwrap();
    world.committer.close().unwrap();

    let world = World::new();
    let release = world.hold();
    for n in 0..QUEUE_REQUESTS_MAX as u32 {
        world.submit_bytes(n, 0).unwrap();
    }
    assert_eq!(world.submit_bytes(0, 0), Err(Refusal::Busy));
    assert_eq!(world.handle.read(|_| ()), Err(Refusal::Busy));
    release.send(()).unwrap();
    world.committer.close().unwrap();
}

#[test]
fn a_close_commits_what_waits_and_takes_no_more() {
    let world = World::new();
    let release = world.hold();
    for n in 0..10 {
        world.submit(n);
    }
    drop(release);
    let handle = world.handle.clone();
    let store = world.committer.close().unwrap();
    assert_eq!(store.stats().unwrap().live_keys, 10);
    assert_eq!(world.reports.lock().unwrap().len(), 10);
    assert_eq!(handle.submit(Batch::new(), |_| ()), Err(Refusal::Closed));
    assert_eq!(handle.read(|_| ()), Err(Refusal::Closed));
}

/// A callback that panics is a bug of its owner; everyone else must hear that the committer is gone.
#[test]
fn a_panic_closes_the_committer() {
    let world = World::new();
    let release = world.hold();
    let (sender, receiver) = channel();
    world.handle.read(|_| panic!("a bug")).unwrap();
    world.handle.read(move |_| sender.send(()).unwrap()).unwrap();
    release.send(()).unwrap();
    assert!(receiver.recv_timeout(std::time::Duration::from_secs(30)).is_err(), "dropped, not called");
    assert!(matches!(world.committer.close(), Err(CommitterPanicked)));
    assert_eq!(world.handle.submit(Batch::new(), |_| ()), Err(Refusal::Closed));
}

#[test]
fn an_observer_hears_of_each_commit() {
    struct Hears(Sender<(usize, usize, usize, bool)>, (usize, usize, usize));
    impl Observer for Hears {
        fn begins(&mut self, operations: usize, bytes: usize, tickets: usize) {
            self.1 = (operations, bytes, tickets);
        }
        fn ended(&mut self, durable: bool) {
            let (operations, bytes, tickets) = self.1;
            self.0.send((operations, bytes, tickets, durable)).unwrap();
        }
    }
    let (sender, receiver) = channel();
    let mut store = MemoryStore::new();
    store.fail_next_commit(Failure::BeforeWrite);
    let committer = Committer::start(Box::new(store), Hears(sender, (0, 0, 0))).unwrap();
    let handle = committer.handle();
    handle.submit(batch(1, 10), |_| ()).unwrap();
    assert_eq!(wait_for(&receiver), (1, 15, 1, false));
    handle.reopen(|_| ()).unwrap();
    let mut two = batch(1, 10);
    two.append(batch(2, 10));
    let (done, reopened) = channel();
    handle.read(move |_| done.send(()).unwrap()).unwrap();
    wait_for(&reopened);
    handle.submit(two, |_| ()).unwrap();
    assert_eq!(wait_for(&receiver), (2, 30, 1, true));
    committer.close().unwrap();
}

#[test]
fn a_vacuum_runs_between_commits() {
    let world = World::new();
    world.submit(1);
    let (sender, receiver) = channel();
    world.handle.vacuum(move |result| sender.send(result.unwrap().after.live_keys).unwrap()).unwrap();
    assert!(wait_for(&receiver) <= 1);
    world.committer.close().unwrap();
}
