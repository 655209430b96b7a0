//! Real traces of people who type, read back from what is stored at a hundred points.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
};

use flate2::read::GzDecoder;
use serde::Deserialize;
use yrs::{ClientID, Doc, OffsetKind, Options, Text, TextRef, Transact, Update, updates::decoder::Decode};

use super::*;

#[path = "../../../../../benches/trace.rs"]
mod paper;

/// Points at which a trace is read back.
const POINTS: usize = 100;
/// Keys that reach the server at once, each as an update of its own.
const KEYS_A_COMMIT: usize = 15;
/// Commits after which the log is folded; no divisor of anything here.
const COMMITS_A_FOLD: usize = 37;
/// Keys of each trace that are replayed, unless `SYNCLINE_TRACES` is set: then all.
const KEYS: usize = 3_000;

fn keys() -> usize {
    if std::env::var_os("SYNCLINE_TRACES").is_some() { usize::MAX } else { KEYS }
}

/// Stores updates in the order in which they came, with folds in between, and reads back what the document was.
async fn read_back(updates: &[Bytes]) {
    let epoch = epoch();
    let mut document = YjsDocument::default();
    let commits: Vec<&[Bytes]> = updates.chunks(KEYS_A_COMMIT).collect();
    let step = (commits.len() / POINTS).max(1);
    let mut points = Vec::new();
    for (updates, number) in commits.iter().zip(1..) {
        let entry = |update: &Bytes| LogEntry {
            author: Author { user: Some("ann".into()), device: None },
            connection: ConnectionId(1),
            at: WallMs(number),
            update: update.clone(),
            origins: None,
        };
        let record = LogRecord { number: CommitNumber(number), entries: updates.iter().map(entry).collect() };
        let mut batch = Batch::new();
        records::put_log(&mut batch, TENANT, DOCUMENT, &record).expect("it fits");
        epoch.storage.commit(batch).await.expect("stored");
        updates.iter().for_each(|update| drop(document.apply(update).expect("honest")));
        if (number as usize).is_multiple_of(step) {
            points.push((CommitNumber(number), document.text("t").expect("sound")));
        }
        if (number as usize).is_multiple_of(COMMITS_A_FOLD) {
            fold(&epoch, Engine::Yjs, HistoryRetention::All, CommitNumber(number - number % 3)).await;
        }
    }
    assert!(points.len() >= POINTS, "{} points", points.len());
    let past = past(&epoch).await;
    assert_eq!((past.first().0, past.last().0), (0, commits.len() as u64));
    for (commit, text) in points {
        let document: YjsDocument = past.document_at(commit).expect("it is kept");
        assert!(document.text("t").expect("sound") == text, "commit {commit}");
    }
    epoch.end().await;
}

/// Someone who types, in one text.
struct Writer {
    doc: Doc,
    text: TextRef,
}

impl Writer {
    fn new(client: u64) -> Self {
        let options =
            Options { offset_kind: OffsetKind::Utf16, ..Options::with_client_id(ClientID::new(client)) };
        let doc = Doc::with_options(options);
        let text = doc.get_or_insert_text("t");
        Self { doc, text }
    }

    /// Makes a change and returns its update. A position counts characters, of which none has a surrogate.
    fn splice(&self, at: u32, remove: u32, insert: &str) -> Bytes {
        let mut txn = self.doc.transact_mut();
        self.text.remove_range(&mut txn, at, remove);
        self.text.insert(&mut txn, at, insert);
        txn.encode_update_v1().into()
    }

    fn take(&self, update: &Bytes) {
        let update = Update::decode_v1(update).expect("honest");
        self.doc.transact_mut().apply_update(update).expect("honest");
    }
}

#[tokio::test]
async fn a_paper_is_read_back() {
    let writer = Writer::new(1);
    let keys = paper::edits().into_iter().take(keys());
    let updates: Vec<Bytes> = keys
        .map(|edit| match edit {
            paper::Edit::Insert { at, character } => writer.splice(at, 0, character.encode_utf8(&mut [0; 4])),
            paper::Edit::Remove { at } => writer.splice(at, 1, ""),
        })
        .collect();
    read_back(&updates).await;
}

/// What several people typed; see `tests/data`.
#[derive(Deserialize)]
struct Concurrent {
    txns: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    /// What its author had seen: these, and what those had.
    parents: Vec<usize>,
    agent: u64,
    /// Where, how many characters go, and what comes.
    patches: Vec<(u32, u32, String)>,
}

/// Returns the updates of a trace in its order, each made on what its author had seen.
fn typed_at_once(packed: &[u8]) -> Vec<Bytes> {
    let mut json = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut json).expect("the trace is whole");
    let trace: Concurrent = serde_json::from_slice(&json).expect("the trace is whole");
    let mut updates: Vec<Vec<Bytes>> = Vec::new();
    let mut writers: BTreeMap<u64, Writer> = BTreeMap::new();
    let mut seen: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for (number, transaction) in trace.txns.iter().take(keys()).enumerate() {
        let writer = writers.entry(transaction.agent).or_insert_with(|| Writer::new(1 + transaction.agent));
        let seen = seen.entry(transaction.agent).or_default();
        let mut missing = BTreeSet::new();
        let mut open = transaction.parents.clone();
        while let Some(parent) = open.pop() {
            if !seen.contains(&parent) && missing.insert(parent) {
                open.extend(&trace.txns[parent].parents);
            }
        }
        missing.iter().flat_map(|parent| &updates[*parent]).for_each(|update| writer.take(update));
        seen.extend(missing);
        seen.insert(number);
        let patches = transaction.patches.iter();
        updates.push(patches.map(|(at, remove, insert)| writer.splice(*at, *remove, insert)).collect());
    }
    updates.concat()
}

#[tokio::test]
async fn what_two_typed_at_once_is_read_back() {
    read_back(&typed_at_once(include_bytes!("../../../tests/data/friendsforever.json.gz"))).await;
}

#[tokio::test]
async fn what_three_typed_at_once_is_read_back() {
    read_back(&typed_at_once(include_bytes!("../../../tests/data/clownschool.json.gz"))).await;
}
