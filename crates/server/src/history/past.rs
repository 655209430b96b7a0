//! Reads what a document was.

use syncline_core::{
    doc::{AnyDocument, Authorship, AuthorshipError, CompactError, Document, WorkSession, work_sessions},
    id::{CommitNumber, DocumentId, TenantId},
    log::{Author, Credit, Engine, LogEntry, LogRecord, Origin, Snapshot},
    time::WallMs,
};
use syncline_store::{
    Store,
    records::{self, HistoryPage, LoadError, Loaded},
};

use crate::storage::{Storage, StoreDown};

/// Bytes of updates that one reader may hold in memory.
const PAST_BYTES_MAX: usize = 256 << 20;

/// Everything that is kept of a document's past, up to its newest commit.
#[derive(Debug, Default)]
pub struct Past {
    /// The state with which the history begins; nothing if it begins with the document.
    base: Option<Snapshot>,
    /// The commits behind it, without gaps.
    records: Vec<LogRecord>,
}

/// Why a document is not known as it was. The store is at fault, or the caller asks for more than is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PastError {
    /// The store does not hold what was written.
    #[error(transparent)]
    Damaged(#[from] LoadError),
    /// A stored update is damaged.
    #[error(transparent)]
    Update(#[from] AuthorshipError),
    /// What is stored cannot be taken up.
    #[error(transparent)]
    Unloadable(#[from] CompactError),
    /// There is more of it than a reader may hold.
    #[error("the history has more than {PAST_BYTES_MAX} bytes")]
    TooLong,
    /// A commit between the base and the log is missing.
    #[error("commit {0} is missing in the history")]
    Gap(CommitNumber),
    /// The commit is not kept any more, or not there yet.
    #[error("the history has commits {first} to {last}")]
    NotKept {
        /// The first state that can be shown.
        first: CommitNumber,
        /// The last one.
        last: CommitNumber,
    },
}

/// Why a running server did not read a past.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// Nothing more may be shown that rests on the store.
    #[error(transparent)]
    Down(#[from] StoreDown),
    #[error(transparent)]
    Past(#[from] PastError),
}

impl From<LoadError> for Unread {
    fn from(error: LoadError) -> Self {
        Self::Past(error.into())
    }
}

/// Reads the whole past of a document. Retention may take its beginning away meanwhile; then it is read once more.
pub(crate) async fn read(storage: &Storage, tenant: TenantId, document: DocumentId) -> Result<Past, Unread> {
    match read_once(storage, tenant, document).await {
        Err(Unread::Past(PastError::Gap(_))) => read_once(storage, tenant, document).await,
        read => read,
    }
}

async fn read_once(storage: &Storage, tenant: TenantId, document: DocumentId) -> Result<Past, Unread> {
    // The log first: what a compaction takes from it meanwhile is read from it, and pages up to its beginning stay.
    let loaded = storage.read(move |store| records::load(store, tenant, document)).await??;
    let base = storage.read(move |store| records::history_base(store, tenant, document)).await??;
    let mut gathered = Gathered::begin(loaded, base);
    while let Some(page) = {
        let (after, upto) = gathered.missing();
        let page = move |store: &dyn Store| records::history_page(store, tenant, document, after, upto);
        storage.read(page).await??
    } {
        gathered.take(page)?;
    }
    Ok(gathered.end()?)
}

/// A past of which not all pages were read.
struct Gathered {
    past: Past,
    bytes: usize,
    snapshot: Option<Snapshot>,
    log: Vec<LogRecord>,
}

impl Gathered {
    fn begin(loaded: Loaded, base: Option<Snapshot>) -> Self {
        let Loaded { snapshot, log, .. } = loaded;
        Self { past: Past { base, records: Vec::new() }, bytes: 0, snapshot, log }
    }

    fn take(&mut self, page: HistoryPage) -> Result<(), PastError> {
        for record in page.records {
            self.bytes += record.entries.iter().map(held_bytes).sum::<usize>();
            self.past.take(record)?;
        }
        if self.bytes > PAST_BYTES_MAX { Err(PastError::TooLong) } else { Ok(()) }
    }

    fn end(self) -> Result<Past, PastError> {
        let (_, covered) = self.missing();
        let Self { mut past, snapshot, log, .. } = self;
        if past.last() < covered {
            // Nothing was kept right before the newest snapshot: the history begins with it.
            past = Past { base: snapshot, records: Vec::new() };
        }
        log.into_iter().try_for_each(|record| past.take(record))?;
        Ok(past)
    }

    /// Returns behind which commit the next page is to be, and up to which.
    fn missing(&self) -> (CommitNumber, CommitNumber) {
        let covered = self.snapshot.as_ref().map_or(CommitNumber(0), |snapshot| snapshot.number);
        (self.past.last(), covered)
    }
}

impl Past {
    /// Reads the whole past of a document from a store that nobody else uses.
    ///
    /// # Errors
    /// [`PastError`], but for [`PastError::NotKept`].
    pub fn load(store: &dyn Store, tenant: TenantId, document: DocumentId) -> Result<Self, PastError> {
        let base = records::history_base(store, tenant, document)?;
        let mut gathered = Gathered::begin(records::load(store, tenant, document)?, base);
        loop {
            let (after, upto) = gathered.missing();
            match records::history_page(store, tenant, document, after, upto)? {
                Some(page) => gathered.take(page)?,
                None => return gathered.end(),
            }
        }
    }

    fn take(&mut self, record: LogRecord) -> Result<(), PastError> {
        if record.number.0 != self.last().0 + 1 {
            return Err(PastError::Gap(CommitNumber(self.last().0 + 1)));
        }
        self.records.push(record);
        Ok(())
    }

    /// Returns the first commit whose state can be shown; 0 is the document before its first commit.
    #[must_use]
    pub fn first(&self) -> CommitNumber {
        self.base.as_ref().map_or(CommitNumber(0), |base| base.number)
    }

    /// Returns the newest commit.
    #[must_use]
    pub fn last(&self) -> CommitNumber {
        self.records.last().map_or(self.first(), |record| record.number)
    }

    /// Returns the last commit that was made until `at`.
    #[must_use]
    pub fn commit_at(&self, at: WallMs) -> CommitNumber {
        let until = |record: &&LogRecord| record.entries.iter().all(|entry| entry.at <= at);
        self.records.iter().take_while(until).last().map_or(self.first(), |record| record.number)
    }

    /// Returns the document as it was after a commit.
    ///
    /// # Errors
    /// [`PastError::NotKept`], or [`PastError::Unloadable`] if what is stored makes no document.
    pub fn document_at<D: Document>(&self, commit: CommitNumber) -> Result<D, PastError> {
        let (first, last) = (self.first(), self.last());
        if commit < first || commit > last {
            return Err(PastError::NotKept { first, last });
        }
        let count = usize::try_from(commit.0 - first.0).unwrap_or(usize::MAX);
        Ok(D::load(self.base.as_ref(), &self.records[..count])?)
    }

    /// Returns the document, of whichever kind, as it was after a commit.
    ///
    /// # Errors
    /// Those of [`document_at`](Self::document_at).
    pub fn any_at(&self, engine: Engine, commit: CommitNumber) -> Result<AnyDocument, PastError> {
        Ok(match engine {
            Engine::Yjs => AnyDocument::Yjs(self.document_at(commit)?),
            Engine::Automerge => AnyDocument::Automerge(Box::new(self.document_at(commit)?)),
        })
    }

    /// Returns who worked on the document when. A session ends where nobody wrote anything for more than `pause_ms`.
    #[must_use]
    pub fn sessions(&self, pause_ms: u64) -> Vec<WorkSession> {
        work_sessions(&self.records, pause_ms)
    }

    /// Returns whose an update is that `author` takes from this document to another.
    ///
    /// # Errors
    /// [`PastError::Update`] if it is damaged, or a stored one is.
    pub fn credit(&self, engine: Engine, author: Author, update: &[u8]) -> Result<Credit, PastError> {
        let origins = self.authorship(engine)?.origins_of(update)?;
        Ok(Credit { author, origins })
    }

    /// Returns who brought which elements, as far as it is kept, to a document of a kind.
    ///
    /// # Errors
    /// [`PastError::Update`] if a stored update is damaged.
    pub fn authorship(&self, engine: Engine) -> Result<Authorship, PastError> {
        let mut authorship = Authorship::new(engine);
        self.records.iter().try_for_each(|record| authorship.take(record))?;
        Ok(authorship)
    }
}

/// Returns about how many bytes a reader holds of an entry.
fn held_bytes(entry: &LogEntry) -> usize {
    let origins = entry.origins.as_ref().map_or(0, |origins| origins.len());
    entry.update.len() + origins * size_of::<Origin>()
}
