//! The store as the world drives it: one batch at a time, first seen, then durable.

use std::collections::VecDeque;

use syncline_core::{
    doc::{AutomergeDocument, YjsDocument, compact},
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    log::{Engine, Former, LogRecord, Snapshot},
};
use syncline_protocol::Loaded;
use syncline_store::{
    Batch, Store,
    mem::MemoryStore,
    records::{self, Named},
};

use crate::fault::Fault;

const TENANT: TenantId = TenantId(0);

/// The store, with what waits to be written.
pub(crate) struct Disk {
    name: RoomName,
    /// What the name means, or will from the first commit on.
    document: DocumentId,
    /// Of which kind the document is.
    engine: Engine,
    store: MemoryStore,
    waiting: VecDeque<(Batch, Purpose)>,
    /// The batch that is written and not yet durable.
    staged: Option<Purpose>,
    compacting: Option<CommitNumber>,
    /// Whether a deletion waits, or is written and not yet durable.
    deleting: bool,
}

/// Why a batch is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The room's commit.
    Commit(LogRecord),
    /// A snapshot of this many bytes.
    Snapshot(usize),
    /// Deletions of what the snapshot covers; whoever asked for it is told its length.
    Covered(usize),
    /// The name means nothing any more.
    Deleted,
}

impl Disk {
    /// An empty store for a document of a kind.
    pub(crate) fn of(engine: Engine) -> Self {
        Self {
            name: RoomName::new("room").expect("a name"),
            document: DocumentId([0; 16]),
            engine,
            store: MemoryStore::default(),
            waiting: VecDeque::new(),
            staged: None,
            compacting: None,
            deleting: false,
        }
    }

    /// Queues the room's commit.
    pub(crate) fn commit(&mut self, record: LogRecord) {
        let mut batch = Batch::new();
        let named = Named { document: self.document, engine: self.engine };
        records::put_named(&mut batch, TENANT, &self.name, named);
        records::put_log(&mut batch, TENANT, self.document, &record).expect("the record is short");
        self.waiting.push_back((batch, Purpose::Commit(record)));
    }

    /// Queues the deletion of the document, behind its commits. Nothing else of it is written from now on.
    pub(crate) fn delete(&mut self, former: &Former) {
        self.compacting = None;
        self.waiting.retain(|(_, purpose)| matches!(purpose, Purpose::Commit(_)));
        let mut batch = Batch::new();
        records::clear_name(&mut batch, TENANT, &self.name);
        records::put_former(&mut batch, TENANT, &self.name, former).expect("they are few");
        self.waiting.push_back((batch, Purpose::Deleted));
        self.deleting = true;
    }

    /// Notes that the log up to a commit is to be folded.
    pub(crate) fn ask_compaction(&mut self, upto: CommitNumber) {
        self.compacting = Some(upto);
    }

    /// Returns whether there is something to write or to make durable.
    pub(crate) fn is_busy(&self) -> bool {
        self.staged.is_some() || !self.waiting.is_empty() || self.compacting.is_some()
    }

    /// Takes one step: folds the log, writes a batch, or makes the written one durable. Returns what became durable.
    pub(crate) fn step(&mut self, fault: Option<Fault>) -> Option<Purpose> {
        if let Some(purpose) = self.staged.take() {
            self.store.sync();
            match purpose {
                Purpose::Snapshot(bytes) if !self.deleting => self.delete_covered(bytes),
                Purpose::Deleted => self.forget_document(),
                _ => {}
            }
            return Some(purpose);
        }
        if let Some(upto) = self.compacting.take() {
            self.fold(upto, fault);
        }
        let (batch, purpose) = self.waiting.pop_front()?;
        self.store.stage(batch).expect("the store is not latched");
        self.staged = Some(purpose);
        None
    }

    fn fold(&mut self, upto: CommitNumber, fault: Option<Fault>) {
        let mut loaded = self.load();
        loaded.log.retain(|record| record.number <= upto);
        let number = loaded.number();
        if fault == Some(Fault::SnapshotOmitsPending) && loaded.log.len() > 1 {
            loaded.log.pop();
        }
        let (before, log) = (loaded.snapshot.as_ref(), &loaded.log);
        let folded = match self.engine {
            Engine::Yjs => compact::<YjsDocument>(before, log),
            Engine::Automerge => compact::<AutomergeDocument>(before, log),
        };
        let snapshot = folded.expect("a stored log folds");
        let snapshot = Snapshot { number, ..snapshot };
        let mut batch = Batch::new();
        records::put_snapshot(&mut batch, TENANT, self.document, &snapshot).expect("the snapshot is short");
        self.waiting.push_back((batch, Purpose::Snapshot(snapshot.state.len())));
    }

    fn delete_covered(&mut self, bytes: usize) {
        let everything = CommitNumber(u64::MAX);
        let batch = records::covered(&self.store, TENANT, self.document, everything, 500)
            .expect("memory can be read");
        self.waiting.push_back((batch, Purpose::Covered(bytes)));
    }

    /// Loses everything that is not durable.
    pub(crate) fn crash(&mut self) {
        self.store.crash();
        self.waiting.clear();
        self.staged = None;
        self.compacting = None;
        self.deleting = false;
    }

    /// Has the name mean a document that is not there yet.
    fn forget_document(&mut self) {
        self.deleting = false;
        self.document.0[0] += 1;
    }

    /// Reads the document from the live image.
    pub(crate) fn load(&self) -> Loaded {
        self.read(&self.store)
    }

    /// Reads the document from the durable image, as it would be after a crash.
    pub(crate) fn load_durable(&self) -> Loaded {
        self.read(&MemoryStore::from_image(self.store.durable().clone()))
    }

    /// Returns who wrote in deleted documents.
    pub(crate) fn former(&self) -> Former {
        records::former(&self.store, TENANT, &self.name).expect("what is stored can be read")
    }

    /// Reads what the name means: a document that nobody has written in yet, if it means nothing.
    fn read(&self, store: &dyn Store) -> Loaded {
        let named = records::named(store, TENANT, &self.name).expect("what is stored can be read");
        let document = named.map_or(self.document, |named| named.document);
        let loaded = records::load(store, TENANT, document).expect("what is stored can be loaded");
        Loaded { snapshot: loaded.snapshot, log: loaded.log }
    }
}
