//! A store in memory that outlives its server, and that waits or fails when it is told to.

use std::sync::{Arc, Mutex};

use syncline_core::{
    id::{CommitNumber, ConnectionId, DocumentId, RoomName, TenantId},
    log::{Author, Engine, LogEntry, LogRecord},
    time::WallMs,
};
use syncline_store::{
    Batch, CommitError, Key, ReadError, Stats, Store, VacuumError, Vacuumed,
    key::{Kind, Place},
    mem::{Failure, Image, MemoryStore},
    records::{self, Named},
};
use tokio::{runtime::Handle, sync::watch};

pub(crate) const TENANT: TenantId = TenantId(0);

/// The disk: clones are the same one.
#[derive(Clone)]
pub(crate) struct Disk {
    memory: Arc<Mutex<MemoryStore>>,
    control: Arc<watch::Sender<Control>>,
    runtime: Handle,
}

/// What the disk is told to do, and what it is doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Control {
    /// Commits wait.
    pub(crate) hold_commits: bool,
    /// Lookups of names wait.
    pub(crate) hold_names: bool,
    /// Reopening fails.
    pub(crate) stay_down: bool,
    /// A commit waits.
    pub(crate) commit_waits: bool,
    /// A lookup of a name waits.
    pub(crate) name_waits: bool,
    /// Lookups of names so far.
    pub(crate) names_read: usize,
    /// Attempts to reopen that failed.
    pub(crate) reopens_failed: usize,
}

impl Disk {
    /// An empty disk. Called on the runtime of the test.
    pub(crate) fn new() -> Self {
        Self {
            memory: Arc::default(),
            control: Arc::new(watch::Sender::new(Control::default())),
            runtime: Handle::current(),
        }
    }

    /// A disk that holds this. Called on the runtime of the test.
    pub(crate) fn holding(image: Image) -> Self {
        let disk = Self::new();
        *disk.memory() = MemoryStore::from_image(image);
        disk
    }

    /// Tells the disk what to do.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Control)) {
        self.control.send_modify(change);
    }

    /// Waits until the disk does something.
    pub(crate) async fn until(&self, condition: impl FnMut(&Control) -> bool) -> Control {
        self.control.subscribe().wait_for(condition).await.expect("the disk is held by the test").clone()
    }

    /// Makes the next commit fail.
    pub(crate) fn fail_next_commit(&self, failure: Failure) {
        self.memory().fail_next_commit(failure);
    }

    /// Looks at what is stored, or changes it, while nobody uses it.
    pub(crate) fn memory(&self) -> std::sync::MutexGuard<'_, MemoryStore> {
        self.memory.lock().expect("no test panics while it holds the disk")
    }

    /// Writes a document with one commit of one update.
    pub(crate) fn put_document(&self, room: &str, update: &[u8]) -> DocumentId {
        self.put_document_of(Engine::Yjs, room, update)
    }

    /// Writes a document of a kind with one commit of one update.
    pub(crate) fn put_document_of(&self, engine: Engine, room: &str, update: &[u8]) -> DocumentId {
        let document = syncline_server::new_document_id();
        let entry = LogEntry {
            author: Author::default(),
            connection: ConnectionId(1),
            at: WallMs(0),
            update: update.to_vec().into(),
            origins: None,
        };
        let mut batch = Batch::new();
        let record = LogRecord { number: CommitNumber(1), entries: vec![entry] };
        records::put_log(&mut batch, TENANT, document, &record).expect("it fits");
        let named = Named { document, engine };
        records::put_named(&mut batch, TENANT, &RoomName::new(room).expect("a name"), named);
        self.memory().commit(batch).expect("no failure is set");
        document
    }

    /// Leaves the mark of a load that did not end, as a process does that is killed.
    pub(crate) fn put_loading(&self, document: DocumentId) {
        let mut batch = Batch::new();
        records::put_loading(&mut batch, TENANT, document);
        self.memory().commit(batch).expect("no failure is set");
    }

    /// Waits on the store's thread until the test lets it go on.
    fn wait(&self, holds: impl Fn(&Control) -> bool, waits: impl Fn(&mut Control, bool)) {
        if !holds(&self.control.borrow()) {
            return;
        }
        self.control.send_modify(|control| waits(control, true));
        let mut control = self.control.subscribe();
        let _ = self.runtime.block_on(control.wait_for(|control| !holds(control)));
        self.control.send_modify(|control| waits(control, false));
    }
}

impl Store for Disk {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        self.wait(|control| control.hold_commits, |control, waits| control.commit_waits = waits);
        self.memory().commit(batch)
    }

    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        self.memory().vacuum()
    }

    fn reopen(&mut self) -> Result<(), VacuumError> {
        if self.control.borrow().stay_down {
            self.control.send_modify(|control| control.reopens_failed += 1);
            return Err(VacuumError::Latched);
        }
        self.memory().reopen()
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        if matches!(key.place(), Some(Place::Name { .. })) {
            self.control.send_modify(|control| control.names_read += 1);
            self.wait(|control| control.hold_names, |control, waits| control.name_waits = waits);
        }
        self.memory().get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        self.memory().scan(prefix, from, limit)
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.memory().stats()
    }
}

/// A store that keeps what a crash would have left behind each of its commits.
pub(crate) struct Watched {
    disk: Disk,
    images: Arc<Mutex<Vec<Image>>>,
}

impl Watched {
    pub(crate) fn over(disk: &Disk) -> Self {
        Self { disk: disk.clone(), images: Arc::default() }
    }

    /// Returns where the images are.
    pub(crate) fn images(&self) -> Arc<Mutex<Vec<Image>>> {
        Arc::clone(&self.images)
    }
}

impl Store for Watched {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        self.disk.commit(batch)?;
        let image = self.disk.memory().durable().clone();
        self.images.lock().expect("no test panics meanwhile").push(image);
        Ok(())
    }

    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        self.disk.vacuum()
    }

    fn reopen(&mut self) -> Result<(), VacuumError> {
        self.disk.reopen()
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        self.disk.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        self.disk.scan(prefix, from, limit)
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.disk.stats()
    }
}

/// Returns how many records of a kind there are.
pub(crate) fn count(disk: &Disk, kind: Kind) -> usize {
    disk.memory().scan(&[kind as u8], &[], usize::MAX).expect("the store is not latched").len()
}
