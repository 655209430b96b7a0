//! The store as the world drives it: one batch at a time, first seen, then durable.

use std::collections::VecDeque;

use syncline_core::{
    doc::{AutomergeDocument, YjsDocument, compact},
    id::{CommitNumber, DocumentId, TenantId},
    log::{Engine, LogRecord, Snapshot},
};
use syncline_protocol::Loaded;
use syncline_store::{Batch, Store, mem::MemoryStore, records};

use crate::fault::Fault;

const TENANT: TenantId = TenantId(0);
const DOCUMENT: DocumentId = DocumentId([7; 16]);

/// The store, with what waits to be written.
#[derive(Default)]
pub(crate) struct Disk {
    /// Of which kind the document is.
    engine: Engine,
    store: MemoryStore,
    waiting: VecDeque<(Batch, Purpose)>,
    /// The batch that is written and not yet durable.
    staged: Option<Purpose>,
    compacting: Option<CommitNumber>,
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
}

impl Disk {
    /// An empty store for a document of a kind.
    pub(crate) fn of(engine: Engine) -> Self {
        Self { engine, ..Self::default() }
    }

    /// Queues the room's commit.
    pub(crate) fn commit(&mut self, record: LogRecord) {
        let mut batch = Batch::new();
        records::put_log(&mut batch, TENANT, DOCUMENT, &record).expect("the record is short");
        self.waiting.push_back((batch, Purpose::Commit(record)));
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
            if let Purpose::Snapshot(bytes) = purpose {
                self.delete_covered(bytes);
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
        records::put_snapshot(&mut batch, TENANT, DOCUMENT, &snapshot).expect("the snapshot is short");
        self.waiting.push_back((batch, Purpose::Snapshot(snapshot.state.len())));
    }

    fn delete_covered(&mut self, bytes: usize) {
        let everything = CommitNumber(u64::MAX);
        let batch =
            records::covered(&self.store, TENANT, DOCUMENT, everything, 500).expect("memory can be read");
        self.waiting.push_back((batch, Purpose::Covered(bytes)));
    }

    /// Loses everything that is not durable.
    pub(crate) fn crash(&mut self) {
        self.store.crash();
        self.waiting.clear();
        self.staged = None;
        self.compacting = None;
    }

    /// Reads the document from the live image.
    pub(crate) fn load(&self) -> Loaded {
        read(&self.store)
    }

    /// Reads the document from the durable image, as it would be after a crash.
    pub(crate) fn load_durable(&self) -> Loaded {
        read(&MemoryStore::from_image(self.store.durable().clone()))
    }
}

fn read(store: &dyn Store) -> Loaded {
    let loaded = records::load(store, TENANT, DOCUMENT).expect("what is stored can be loaded");
    Loaded { snapshot: loaded.snapshot, log: loaded.log }
}
