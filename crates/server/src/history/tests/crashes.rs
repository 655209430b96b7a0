//! Any sequence of edits, versions, restores, folds and crashes leaves every kept state what it was.
//!
//! A step that writes may be cut off after any of its batches: the process dies there, and what the store holds is opened again.
//! The model is a list of all states that there ever were.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard},
};

use proptest::{collection::vec, prelude::*, test_runner::Config};
use serde_json::{Value, json};
use syncline_store::{
    CommitError, Key, ReadError, Stats, Store, VacuumError, Vacuumed, records::Version, sled_store::SledStore,
};
use tempfile::TempDir;
use tokio::runtime;

use super::*;

/// How many days ago the first commit was made: retention drops what is older than 30.
const DAYS: u64 = 70;

#[derive(Clone, Debug)]
enum Step {
    Edit(Edit),
    /// Gives a state that is kept a name: the one that far from the first, as a fraction of 256.
    Name(u8),
    /// Brings the document to a state that is kept.
    Restore(u8),
    /// Brings the document to a named state.
    RestoreVersion(u8),
    /// Folds all but so many commits.
    Fold(HistoryRetention, u64),
    /// What the server does once a day.
    Sweep,
    /// Some time goes by.
    Days(u64),
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(u8, String),
    Remove(u8, u8),
    Put(u8, i64),
    Push(String),
    Format(u8, bool),
}

/// A step, and when in it the process dies, if it does.
type Risky = (Step, Fate);

fn steps() -> impl Strategy<Value = Vec<Risky>> {
    let edit = prop_oneof![
        4 => (any::<u8>(), "[a-zé😀 ]{1,12}").prop_map(|(at, text)| Edit::Insert(at, text)),
        // Longer than a page of history, so that folding drops some pages and not others.
        1 => any::<u8>().prop_map(|at| Edit::Insert(at, pseudo_random(70_000))),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(at, len)| Edit::Remove(at, len)),
        2 => (0..3_u8, any::<i32>()).prop_map(|(key, value)| Edit::Put(key, value.into())),
        1 => "[a-z]{1,4}".prop_map(Edit::Push),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(at, is_bold)| Edit::Format(at, is_bold)),
    ];
    let retention = prop_oneof![
        3 => Just(HistoryRetention::Days(30)),
        2 => Just(HistoryRetention::All),
        1 => Just(HistoryRetention::Nothing),
    ];
    let step = prop_oneof![
        10 => edit.prop_map(Step::Edit),
        2 => any::<u8>().prop_map(Step::Name),
        2 => any::<u8>().prop_map(Step::Restore),
        1 => any::<u8>().prop_map(Step::RestoreVersion),
        4 => (retention, 0..3_u64).prop_map(|(retention, left)| Step::Fold(retention, left)),
        1 => Just(Step::Sweep),
        2 => (1..20_u64).prop_map(Step::Days),
    ];
    let dies =
        (0..4_usize, any::<bool>()).prop_map(|(commits, is_durable)| Fate::Dies { commits, is_durable });
    vec((step, prop_oneof![2 => Just(Fate::Lives), 1 => dies]), 1..40)
}

/// What becomes of the process that has the store open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    /// Dies at a commit, after so many; nobody is told that it is durable, if it is.
    Dies {
        commits: usize,
        is_durable: bool,
    },
    Dead,
}

/// A store whose process dies at a commit.
struct Mortal {
    store: SledStore,
    fate: Arc<Mutex<Fate>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the process died")]
struct Died;

fn locked(fate: &Mutex<Fate>) -> MutexGuard<'_, Fate> {
    fate.lock().expect("nobody panics with it")
}

impl Store for Mortal {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        let mut fate = locked(&self.fate);
        match *fate {
            Fate::Lives => return self.store.commit(batch),
            Fate::Dies { commits: commits @ 1.., is_durable } => {
                *fate = Fate::Dies { commits: commits - 1, is_durable };
                return self.store.commit(batch);
            }
            Fate::Dies { commits: 0, is_durable: true } => self.store.commit(batch)?,
            Fate::Dies { commits: 0, is_durable: false } | Fate::Dead => {}
        }
        *fate = Fate::Dead;
        Err(CommitError::Engine { source: Arc::new(Died) })
    }

    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        self.store.vacuum()
    }

    fn reopen(&mut self) -> Result<(), VacuumError> {
        self.store.reopen()
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        self.store.scan(prefix, from, limit)
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.store.stats()
    }
}

/// A process that has the data folder open.
struct Process {
    epoch: Arc<Epoch>,
    committer: Option<Committer>,
    fate: Arc<Mutex<Fate>>,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let fate = Arc::new(Mutex::new(Fate::Lives));
        let store = SledStore::open(folder).expect("the folder opens");
        let store = Mortal { store, fate: Arc::clone(&fate) };
        let committer = Committer::start(Box::new(store), ()).expect("a thread");
        Self { epoch: epoch_on(&committer), committer: Some(committer), fate }
    }

    /// Ends it, if it has not ended; the folder can be opened again.
    async fn end(&mut self) {
        self.epoch.end().await;
        if let Some(committer) = self.committer.take() {
            drop(committer.close().expect("the store's thread did not panic"));
        }
    }
}

/// A document on a disk, and all that it ever was.
struct World {
    folder: TempDir,
    process: Process,
    document: YjsDocument,
    /// By commit.
    states: Vec<State>,
    /// By number.
    versions: BTreeMap<u64, State>,
    days_ago: u64,
    /// The newest commit that a fold was to cover.
    folded: u64,
    /// The oldest commit that every fold until now had to leave.
    kept_since: u64,
}

impl World {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let process = Process::start(folder.path());
        let mut batch = Batch::new();
        records::put_name(&mut batch, TENANT, &RoomName::new("old").expect("a name"), DOCUMENT);
        process.epoch.storage.commit(batch).await.expect("stored");
        let document = YjsDocument::default();
        let states = vec![State::of(&document, DAYS)];
        let (versions, days_ago, folded, kept_since) = (BTreeMap::new(), DAYS, 0, 0);
        let mut world = Self { folder, process, document, states, versions, days_ago, folded, kept_since };
        // Names are of documents that have something.
        let update = world.edit(Edit::Insert(0, "first".to_owned()));
        world.write(update).await;
        world
    }

    fn last(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    fn epoch(&self) -> &Arc<Epoch> {
        &self.process.epoch
    }

    /// Takes a step, and starts again if the process dies of it.
    async fn step(&mut self, (step, fate): Risky) {
        *locked(&self.process.fate) = fate;
        match step {
            Step::Edit(edit) => {
                let update = self.edit(edit);
                self.write(update).await;
            }
            Step::Name(place) => self.name(place).await,
            Step::Restore(place) => {
                let (_, target) = self.kept(place).await;
                self.restore(&target).await;
            }
            Step::RestoreVersion(place) => {
                if let Some(state) = pick(&self.versions.values().collect::<Vec<_>>(), place) {
                    let target = decoded(&state.bytes);
                    self.restore(&target).await;
                }
            }
            Step::Fold(retention, left) => self.fold(retention, left).await,
            Step::Sweep => {
                self.may_drop(HistoryRetention::default());
                // It ends with the process.
                let _ = sweep::round(self.epoch(), TENANT).await;
            }
            Step::Days(days) => self.days_ago = self.days_ago.saturating_sub(days),
        }
        if *locked(&self.process.fate) == Fate::Dead {
            self.revive().await;
            self.check().await;
        }
        *locked(&self.process.fate) = Fate::Lives;
    }

    /// Opens the folder after the process has died.
    async fn revive(&mut self) {
        self.process.end().await;
        self.process = Process::start(self.folder.path());
    }

    /// Returns an update that makes an edit, if it changes anything.
    fn edit(&self, edit: Edit) -> Option<Bytes> {
        let now = self.document.to_json().expect("sound");
        let text = now["text"].as_str().unwrap_or_default();
        // Between characters, in UTF-16 code units.
        let mut places: Vec<u32> = vec![0];
        for character in text.chars() {
            places.push(places[places.len() - 1] + character.len_utf16() as u32);
        }
        let splice = |at: u32, remove: u32, insert: String, format: BTreeMap<String, Value>| {
            DocumentEdit::Splice { path: "/text".to_owned(), at, remove, insert, format }
        };
        let place = |at: u8| *pick(&places, at).expect("there is one");
        let edit = match edit {
            Edit::Insert(at, insert) => splice(place(at), 0, insert, BTreeMap::new()),
            Edit::Remove(from, to) => {
                let (from, to) = (place(from.min(to)), place(from.max(to)));
                splice(from, to - from, String::new(), BTreeMap::new())
            }
            Edit::Put(key, value) => DocumentEdit::Add { path: format!("/map/k{key}"), value: value.into() },
            Edit::Push(item) => DocumentEdit::Add { path: "/items/-".to_owned(), value: item.into() },
            Edit::Format(at, is_bold) => {
                splice(place(at), 0, "b".to_owned(), [("bold".to_owned(), json!(is_bold))].into())
            }
        };
        self.document.edit(&[edit], self.client()).expect("it can be made")
    }

    fn client(&self) -> ClientId {
        ClientId(1_000 + self.last())
    }

    async fn restore(&mut self, target: &YjsDocument) {
        let update = self.document.restore(target, self.client()).expect("all of it can be written");
        if self.write(update).await {
            assert_eq!(self.document.restore(target, self.client()), Ok(None), "it is as it was");
        }
    }

    /// Makes the next commit, which may be durable even if the process dies of it. Returns whether it is.
    async fn write(&mut self, update: Option<Bytes>) -> bool {
        let Some(update) = update else { return true };
        let mut next = decoded(&self.document.encode().expect("sound"));
        next.apply(&update).expect("honest");
        let number = CommitNumber(self.last() + 1);
        if try_commit(self.epoch(), number, update, self.days_ago).await.is_err() {
            self.revive().await;
            if past(self.epoch()).await.last() < number {
                return false;
            }
        }
        self.states.push(State::of(&next, self.days_ago));
        self.document = next;
        true
    }

    /// Gives a kept state the next name.
    async fn name(&mut self, place: u8) {
        let (commit, document) = self.kept(place).await;
        let number = self.versions.keys().last().map_or(1, |last| last + 1);
        let author = Author { user: Some("ann".into()), device: None };
        let update = document.encode().expect("sound");
        let entry = LogEntry { author, connection: ConnectionId(0), at: WallMs(0), update, origins: None };
        let version = Version { number, commit, name: format!("v{number}"), entry };
        for batch in records::version_batches(TENANT, DOCUMENT, &version).expect("it fits") {
            if self.epoch().storage.commit(batch).await.is_err() {
                self.revive().await;
                break;
            }
        }
        if self.stored_versions().await.contains_key(&number) {
            self.versions.insert(number, State::of(&document, 0));
        }
    }

    async fn fold(&mut self, retention: HistoryRetention, left: u64) {
        let upto = self.last().saturating_sub(left);
        if upto == 0 {
            return;
        }
        self.folded = self.folded.max(upto);
        self.may_drop(retention);
        let named = Named { document: DOCUMENT, engine: Engine::Yjs };
        let folded = compaction::run(self.epoch(), TENANT, named, retention, CommitNumber(upto)).await;
        assert!(folded.is_some() || *locked(&self.process.fate) == Fate::Dead, "nothing else stops it");
    }

    /// Notes what a fold may take away. The clock goes on: what is as old as that now is older when it is folded.
    fn may_drop(&mut self, retention: HistoryRetention) {
        let is_old = |commit: &u64| match retention {
            HistoryRetention::All => false,
            HistoryRetention::Days(days) => self.states[*commit as usize].days_ago >= u64::from(days),
            HistoryRetention::Nothing => true,
        };
        let dropped = (1..=self.folded).take_while(is_old).last().unwrap_or_default();
        self.kept_since = self.kept_since.max(dropped);
    }

    /// Returns a state of those that are kept, with its commit.
    async fn kept(&self, place: u8) -> (CommitNumber, YjsDocument) {
        let past = past(self.epoch()).await;
        let commits: Vec<u64> = (past.first().0..=past.last().0).collect();
        let commit = CommitNumber(*pick(&commits, place).expect("the newest is kept"));
        (commit, past.document_at(commit).expect("it is kept"))
    }

    async fn stored_versions(&self) -> BTreeMap<u64, Version> {
        let read = |store: &dyn Store| -> BTreeMap<u64, Version> {
            let numbers = records::version_numbers(store, TENANT, DOCUMENT).expect("read");
            let version = |number| records::version(store, TENANT, DOCUMENT, number).expect("whole");
            numbers.into_iter().map(|number| (number, version(number).expect("it is there"))).collect()
        };
        self.epoch().storage.read(read).await.expect("open")
    }

    /// Everything that has to be kept is there, and all that is there is as it was.
    async fn check(&self) {
        let past = past(self.epoch()).await;
        assert_eq!(past.last().0, self.last(), "nothing that was told to be durable is lost");
        assert!(past.first().0 <= self.kept_since, "{} is not kept since {}", self.kept_since, past.first());
        for number in past.first().0..=past.last().0 {
            let document: YjsDocument = past.document_at(CommitNumber(number)).expect("it is kept");
            self.states[number as usize].check(&document, &format!("commit {number}"));
        }
        let versions = self.stored_versions().await;
        assert!(versions.keys().eq(self.versions.keys()), "every version, and no other");
        for (number, version) in versions {
            self.versions[&number].check(&decoded(&version.entry.update), &format!("version {number}"));
        }
        let report = self.epoch().storage.read(|store| verify(store)).await.expect("open").expect("read");
        assert_eq!(report.faults, []);
    }
}

/// What a document held.
struct State {
    json: Value,
    bytes: Bytes,
    days_ago: u64,
}

impl State {
    fn of(document: &YjsDocument, days_ago: u64) -> Self {
        let (json, bytes) = (document.to_json().expect("sound"), document.encode().expect("sound"));
        Self { json, bytes, days_ago }
    }

    /// Equal as JSON, and in the formats of its texts: there is nothing to restore.
    fn check(&self, document: &YjsDocument, which: &str) {
        assert_eq!(document.to_json().expect("sound"), self.json, "{which}");
        assert_eq!(document.restore(&decoded(&self.bytes), ClientId(1)), Ok(None), "{which}");
    }
}

fn decoded(update: &Bytes) -> YjsDocument {
    let mut document = YjsDocument::default();
    document.replay(update).expect("it was encoded");
    document
}

/// Returns the one that lies so far, as a fraction of 256.
fn pick<T>(all: &[T], place: u8) -> Option<&T> {
    all.get(all.len() * usize::from(place) / 256)
}

async fn lived(steps: Vec<Risky>) {
    let mut world = World::begin().await;
    for step in steps {
        world.step(step).await;
    }
    world.check().await;
    world.revive().await;
    world.check().await;
    world.process.end().await;
}

proptest! {
    #![proptest_config(Config { cases: 32, ..Config::default() })]

    #[test]
    fn whatever_happens_what_is_kept_stays_what_it_was(steps in steps()) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(lived(steps));
    }
}
