//! Reads what a document was.

use syncline_core::{
    doc::{Authorship, CompactError, Document, WorkSession, work_sessions},
    guard::Malformed,
    id::{CommitNumber, DocumentId, TenantId},
    log::{LogRecord, Snapshot},
    time::WallMs,
};
use syncline_store::records::{self, Loaded};

use crate::storage::{Storage, StoreDown};

/// Bytes of updates that one reader may hold in memory.
const PAST_BYTES_MAX: usize = 256 << 20;

/// Everything that is kept of a document's past, up to its newest commit.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// The state with which the history begins; nothing if it begins with the document.
    base: Option<Snapshot>,
    /// The commits behind it, without gaps.
    records: Vec<LogRecord>,
}

/// Why a past was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PastError {
    /// Nothing more may be shown that rests on the store.
    #[error(transparent)]
    Down(#[from] StoreDown),
    /// The store does not hold what was written.
    #[error(transparent)]
    Damaged(#[from] records::LoadError),
    /// A stored update is damaged.
    #[error(transparent)]
    Update(#[from] Malformed),
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

/// Reads the whole past of a document. Retention may take its beginning away meanwhile; then it is read once more.
pub(crate) async fn read(
    storage: &Storage,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Past, PastError> {
    match read_once(storage, tenant, document).await {
        Err(PastError::Gap(_)) => read_once(storage, tenant, document).await,
        read => read,
    }
}

async fn read_once(storage: &Storage, tenant: TenantId, document: DocumentId) -> Result<Past, PastError> {
    // The log first: what a compaction takes from it meanwhile is read from it, and pages up to its beginning stay.
    let Loaded { snapshot, log, .. } =
        storage.read(move |store| records::load(store, tenant, document)).await??;
    let base = storage.read(move |store| records::history_base(store, tenant, document)).await??;
    let covered = snapshot.as_ref().map_or(CommitNumber(0), |snapshot| snapshot.number);
    let mut past = Past { base, records: Vec::new() };
    let mut bytes = 0;
    while let Some(page) = {
        let after = past.last();
        let page = move |store: &dyn syncline_store::Store| {
            records::history_page(store, tenant, document, after, covered)
        };
        storage.read(page).await??
    } {
        for record in page.records {
            bytes += record.entries.iter().map(|entry| entry.update.len()).sum::<usize>();
            past.take(record)?;
        }
        if bytes > PAST_BYTES_MAX {
            return Err(PastError::TooLong);
        }
    }
    if past.last() < covered {
        // Nothing was kept right before the newest snapshot: the history begins with it.
        past = Past { base: snapshot, records: Vec::new() };
    }
    log.into_iter().try_for_each(|record| past.take(record))?;
    Ok(past)
}

impl Past {
    fn take(&mut self, record: LogRecord) -> Result<(), PastError> {
        if record.number.0 != self.last().0 + 1 {
            return Err(PastError::Gap(CommitNumber(self.last().0 + 1)));
        }
        self.records.push(record);
        Ok(())
    }

    /// Returns the first commit whose state can be shown; 0 is the document before its first commit.
    pub(crate) fn first(&self) -> CommitNumber {
        self.base.as_ref().map_or(CommitNumber(0), |base| base.number)
    }

    /// Returns the newest commit.
    pub(crate) fn last(&self) -> CommitNumber {
        self.records.last().map_or(self.first(), |record| record.number)
    }

    /// Returns the last commit that was made until `at`.
    pub(crate) fn commit_at(&self, at: WallMs) -> CommitNumber {
        let until = |record: &&LogRecord| record.entries.iter().all(|entry| entry.at <= at);
        self.records.iter().take_while(until).last().map_or(self.first(), |record| record.number)
    }

    /// Returns the document as it was after a commit.
    pub(crate) fn document_at<D: Document>(&self, commit: CommitNumber) -> Result<D, PastError> {
        let (first, last) = (self.first(), self.last());
        if commit < first || commit > last {
            return Err(PastError::NotKept { first, last });
        }
        let count = usize::try_from(commit.0 - first.0).unwrap_or(usize::MAX);
        Ok(D::load(self.base.as_ref(), &self.records[..count])?)
    }

    /// Returns who worked on the document when.
    pub(crate) fn sessions(&self, pause_ms: u64) -> Vec<WorkSession> {
        work_sessions(&self.records, pause_ms)
    }

    /// Returns who brought which elements, as far as it is kept.
    pub(crate) fn authorship(&self) -> Result<Authorship, PastError> {
        let mut authorship = Authorship::default();
        self.records.iter().try_for_each(|record| authorship.take(record))?;
        Ok(authorship)
    }
}
