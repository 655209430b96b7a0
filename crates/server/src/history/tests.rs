//! What a document was stays what it was, whatever is folded, dropped and interrupted.

mod automerge;
mod crashes;
mod traces;

use std::sync::Arc;

use bytes::Bytes;
use syncline_core::{
    doc::{DocumentEdit, YjsDocument},
    id::{ClientId, CommitNumber, ConnectionId, DocumentId, RoomName, TenantId},
    log::{Author, Engine, LogEntry, LogRecord},
    time::WallMs,
};
use syncline_store::{
    Batch,
    committer::Committer,
    mem::MemoryStore,
    records::{self, Named},
    verify::verify,
};

use super::*;
use crate::{
    clock::Clock,
    compaction,
    epoch::Epoch,
    memory::MemoryBudget,
    metrics::Metrics,
    quota::{Quota, Usage},
    storage::StoreDown,
    tenants::TenantSettings,
};

const TENANT: TenantId = TenantId(0);
const DOCUMENT: DocumentId = DocumentId([7; 16]);

fn epoch() -> Arc<Epoch> {
    epoch_on(&Committer::start(Box::new(MemoryStore::new()), ()).expect("a thread"))
}

fn epoch_on(committer: &Committer) -> Arc<Epoch> {
    let memory = MemoryBudget::new(usize::MAX);
    let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new()));
    let (tenants, usage) = (TenantSettings::of_tests(clock), Usage::new(&Quota::default()));
    Epoch::new(clock, &committer.handle(), &memory, &metrics, &tenants, &usage)
}

/// Stores one commit of one update, made so many days ago.
async fn commit(epoch: &Epoch, number: CommitNumber, update: Bytes, days_ago: u64) {
    try_commit(epoch, number, update, days_ago).await.expect("stored");
}

async fn try_commit(
    epoch: &Epoch,
    number: CommitNumber,
    update: Bytes,
    days_ago: u64,
) -> Result<(), StoreDown> {
    let at = WallMs(epoch.clock.now().wall.0 - days_ago * 24 * 60 * 60 * 1_000 + number.0);
    let author = Author { user: Some("ann".into()), device: None };
    let entry = LogEntry { author, connection: ConnectionId(1), at, update, origins: None };
    let mut batch = Batch::new();
    let record = LogRecord { number, entries: vec![entry] };
    records::put_log(&mut batch, TENANT, DOCUMENT, &record).expect("it fits");
    epoch.storage.commit(batch).await
}

async fn fold(epoch: &Arc<Epoch>, engine: Engine, retention: HistoryRetention, upto: CommitNumber) {
    let named = Named { document: DOCUMENT, engine };
    let folded = compaction::run(epoch, TENANT, named, retention, upto).await;
    assert!(folded.is_some(), "the log was folded");
}

async fn past(epoch: &Epoch) -> Past {
    read(&epoch.storage, TENANT, DOCUMENT).await.expect("the past can be read")
}

/// A document that grows by a commit at a time, and all that it ever was.
struct Written {
    epoch: Arc<Epoch>,
    document: YjsDocument,
    states: Vec<serde_json::Value>,
}

impl Written {
    fn begin() -> Self {
        let epoch = epoch();
        let document = YjsDocument::default();
        let states = vec![document.to_json().expect("sound")];
        Self { epoch, document, states }
    }

    fn last(&self) -> CommitNumber {
        CommitNumber(self.states.len() as u64 - 1)
    }

    /// One commit of some letters, at a time so many days ago.
    async fn write(&mut self, letters: &str, days_ago: u64) {
        let number = CommitNumber(self.states.len() as u64);
        let path = "/text".to_owned();
        let insert = letters.to_owned();
        let edit = DocumentEdit::Splice { path, at: 0, remove: 0, insert, format: [].into() };
        let update = self.document.edit(&[edit], ClientId(number.0)).expect("it can be made").expect("new");
        self.document.apply(&update).expect("honest");
        self.states.push(self.document.to_json().expect("sound"));
        commit(&self.epoch, number, update, days_ago).await;
    }

    async fn fold(&self, retention: HistoryRetention, upto: CommitNumber) {
        fold(&self.epoch, Engine::Yjs, retention, upto).await;
    }

    async fn past(&self) -> Past {
        past(&self.epoch).await
    }

    /// Everything that is kept is as it was; returns since when something is.
    async fn check(&self) -> u64 {
        let past = self.past().await;
        assert_eq!(past.last(), self.last());
        for number in past.first().0..=past.last().0 {
            let document: YjsDocument = past.document_at(CommitNumber(number)).expect("it is kept");
            assert_eq!(document.to_json().expect("sound"), self.states[number as usize], "commit {number}");
        }
        let report = self.epoch.storage.read(|store| verify(store)).await.expect("open").expect("read");
        assert_eq!(report.faults, []);
        past.first().0
    }
}

#[tokio::test]
async fn nothing_that_is_kept_changes_when_a_log_is_folded() {
    let mut written = Written::begin();
    for round in 0..6_u64 {
        for commit in 0..7 {
            written.write(&format!("{round}.{commit} "), 0).await;
        }
        // At times what came last is not folded yet.
        written.fold(HistoryRetention::All, CommitNumber(written.last().0 - round % 3)).await;
        assert_eq!(written.check().await, 0);
    }
    let past = written.past().await;
    let sessions = past.sessions(60_000);
    assert_eq!((sessions.len(), sessions[0].updates), (1, 42));
    let ranges = written.document.written_by(&past.authorship(Engine::Yjs).expect("honest")).expect("sound");
    assert!(ranges.iter().all(|range| range.written.is_some()), "everyone is known");
    written.epoch.end().await;
}

#[tokio::test]
async fn what_is_older_than_retention_goes_and_the_rest_stays() {
    let mut written = Written::begin();
    for days_ago in [40, 39, 20] {
        // Beyond the bytes of a page, so that each ends up in one of its own.
        written.write(&pseudo_random(70_000), days_ago).await;
        written.fold(HistoryRetention::All, written.last()).await;
    }
    written.fold(HistoryRetention::Days(30), written.last()).await;
    assert_eq!(written.check().await, 2);
    assert!(matches!(
        written.past().await.document_at::<YjsDocument>(CommitNumber(1)),
        Err(PastError::NotKept { first: CommitNumber(2), last: CommitNumber(3) })
    ));
    written.fold(HistoryRetention::Days(30), written.last()).await;
    assert_eq!(written.check().await, 2, "the same again");
    written.fold(HistoryRetention::Nothing, written.last()).await;
    assert_eq!(written.check().await, 3, "the document is there, and nothing before");
    written.epoch.end().await;
}

/// Goal: retention holds for a document that nobody opens or edits any more, and whoever ends the epoch is not kept waiting.
#[tokio::test]
async fn what_nobody_edits_goes_too() {
    let mut written = Written::begin();
    for days_ago in [40, 39, 20] {
        written.write(&pseudo_random(70_000), days_ago).await;
        written.fold(HistoryRetention::All, written.last()).await;
    }
    written.write("not folded", 10).await;
    assert_eq!(written.check().await, 0);
    sweep::round(&written.epoch, TENANT).await.expect("the store is open");
    assert_eq!(written.check().await, 0, "no name leads to it");
    let mut batch = Batch::new();
    records::put_name(&mut batch, TENANT, &RoomName::new("old").expect("a name"), DOCUMENT);
    written.epoch.storage.commit(batch).await.expect("stored");
    for _ in 0..2 {
        sweep::round(&written.epoch, TENANT).await.expect("the store is open");
        assert_eq!(written.check().await, 2);
    }
    written.epoch.tasks.spawn(sweep::run(Arc::clone(&written.epoch)));
    written.epoch.end().await;
}

#[tokio::test]
async fn a_history_begins_anew_after_a_time_without() {
    let mut written = Written::begin();
    for (letters, retention) in [
        ("a", HistoryRetention::All),
        ("b", HistoryRetention::Nothing),
        ("c", HistoryRetention::All),
        ("d", HistoryRetention::All),
    ] {
        written.write(letters, 0).await;
        written.fold(retention, written.last()).await;
        written.check().await;
    }
    assert_eq!(written.check().await, 2);
    written.epoch.end().await;
}

/// Goal: a compaction that ended before its snapshot leaves pages that nobody reads, and that the next one replaces.
#[tokio::test]
async fn pages_without_their_snapshot_do_not_count() {
    let mut written = Written::begin();
    for letters in ["a", "b", "c"] {
        written.write(letters, 0).await;
    }
    let loaded = written.epoch.storage.read(|store| records::load(store, TENANT, DOCUMENT)).await;
    let loaded = loaded.expect("open").expect("whole");
    keep(&written.epoch, TENANT, DOCUMENT, &loaded, CommitNumber(2)).await.expect("kept");
    assert_eq!(written.check().await, 0);
    written.write("d", 0).await;
    written.fold(HistoryRetention::All, CommitNumber(4)).await;
    assert_eq!(written.check().await, 0);
    written.epoch.end().await;
}

fn pseudo_random(len: u32) -> String {
    let mut state = len;
    let letters = (0..len).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 26)
    });
    letters.collect()
}
