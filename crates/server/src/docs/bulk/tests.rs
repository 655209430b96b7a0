//! Documents out of one store and into another, without a server.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value};
use syncline_core::{
    doc::{AnyDocument, DocumentEdit, Hand},
    id::{CommitNumber, ConnectionId, DocumentId, RoomName, TenantId},
    log::{Author, Engine, LogEntry, LogRecord, Snapshot},
    time::WallMs,
};
use syncline_store::{
    Batch, Store,
    mem::MemoryStore,
    records::{self, Named},
};

use super::{
    DocumentsImported, Existing, ImportedLine, NoExport, OfflineDocuments, OfflineDocumentsError,
    Taken::{Skipped, Unchanged},
};

const TENANT: TenantId = TenantId::DEFAULT;

/// Names that Automerge documents may have.
const AUTOMERGE: [&str; 2] = ["2yh5UZx7idRCxjy3C4tiUeBEMQmE", "4NMNnkMhL8jXrdJ9jamS58PAVdXu"];

/// What is written in a document: commits, and how many of them are in a snapshot.
#[derive(Clone, Debug)]
struct Written {
    engine: Engine,
    commits: Vec<Map<String, Value>>,
    folded: usize,
}

fn name(text: &str) -> RoomName {
    RoomName::new(text).expect("a name")
}

fn author() -> Author {
    Author { user: Some("ann".into()), device: None }
}

/// Stores a document, and returns what it holds, and its commits.
fn put(store: &mut MemoryStore, name: &RoomName, at: u8, written: &Written) -> Option<(Value, u64)> {
    let named = Named { document: DocumentId([at; 16]), engine: written.engine };
    let mut document = AnyDocument::empty(written.engine);
    let (mut log, mut snapshot) = (Vec::new(), None);
    for (number, commit) in (1_u8..).zip(&written.commits) {
        let add = |(root, value): (&String, &Value)| DocumentEdit::Add {
            path: format!("/{root}"),
            value: value.clone(),
        };
        let edits: Vec<_> = commit.iter().map(add).collect();
        let hand = Hand { drawn: [number; 16], at: WallMs(number.into()) };
        // What cannot be added where something is stays away.
        let Ok(Some(update)) = document.edit(&edits, hand) else { continue };
        let entry =
            LogEntry { author: author(), connection: ConnectionId(0), at: hand.at, update, origins: None };
        let last = log.last().map_or(0, |record: &LogRecord| record.number.0);
        log.push(LogRecord { number: CommitNumber(last + 1), entries: vec![entry] });
        document = AnyDocument::load(written.engine, None, &log).expect("it was written");
        if log.len() == written.folded {
            let state = document.encode().expect("it is sound");
            snapshot = Some(Snapshot { number: log[log.len() - 1].number, state });
        }
    }
    let last = log.last()?.number;
    let mut batch = Batch::new();
    records::put_named(&mut batch, TENANT, name, named);
    let folded = snapshot.as_ref().map_or(0, |snapshot: &Snapshot| snapshot.number.0);
    snapshot.iter().for_each(|snapshot| {
        records::put_snapshot(&mut batch, TENANT, named.document, snapshot).expect("it fits");
    });
    for record in log.iter().filter(|record| record.number.0 > folded) {
        records::put_log(&mut batch, TENANT, named.document, record).expect("it fits");
    }
    store.commit(batch).expect("no failure is set");
    Some((document.to_json().expect("it is sound"), last.0))
}

/// Returns what all documents of a store hold.
fn all(store: &MemoryStore) -> BTreeMap<RoomName, (Engine, Value)> {
    let names = records::names_with_kinds(store, TENANT, "", None, usize::MAX).expect("memory is read");
    let held = names.into_iter().map(|(name, named)| {
        let Named { document, engine } = named.expect("it is whole");
        let records::Loaded { snapshot, log, .. } =
            records::load(store, TENANT, document).expect("it is whole");
        let document = AnyDocument::load(engine, snapshot.as_ref(), &log).expect("it is sound");
        (name, (engine, document.to_json().expect("it is sound")))
    });
    held.collect()
}

fn export(store: &mut MemoryStore, prefix: &str, after: Option<&RoomName>) -> String {
    let documents = OfflineDocuments::open(store, TENANT, author()).expect("memory is read");
    let mut out = Vec::new();
    documents.export(prefix, after, &mut out, |_| {}).expect("memory is written");
    String::from_utf8(out).expect("lines are text")
}

fn import(store: &mut MemoryStore, text: &str, existing: Existing) -> (Vec<ImportedLine>, DocumentsImported) {
    let mut documents = OfflineDocuments::open(store, TENANT, author()).expect("memory is read");
    let mut told = Vec::new();
    let sum = documents.import(&mut text.as_bytes(), existing, |line| told.push(line.clone()));
    (told, sum.expect("memory is written"))
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-99..99_i64).prop_map(Value::from),
        "[a-z🙂\"\n]{0,9}".prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Root types: texts, lists and maps.
fn commits() -> impl Strategy<Value = Vec<Map<String, Value>>> {
    let root = prop_oneof![
        ("t[a-b]", "[a-z🙂]{1,20}").prop_map(|(root, text)| (root, Value::from(text))),
        ("l[a-b]", prop::collection::vec(values(), 1..4)).prop_map(|(root, list)| (root, Value::from(list))),
        ("m[a-b]", prop::collection::btree_map("[a-z]{1,3}", values(), 1..4))
            .prop_map(|(root, map)| (root, Value::Object(map.into_iter().collect()))),
    ];
    let commit = prop::collection::btree_map("x", root, 1..2).prop_map(|roots| roots.into_values().collect());
    prop::collection::vec(commit, 1..4)
}

fn stores() -> impl Strategy<Value = BTreeMap<String, Written>> {
    let written = |engine| {
        (commits(), 0..3_usize).prop_map(move |(commits, folded)| Written { engine, commits, folded })
    };
    let yjs = prop::collection::btree_map("[a-c]/?[a-c\" ]{0,3}", written(Engine::Yjs), 0..5);
    let automerge = prop::collection::btree_map(
        prop::sample::select(&AUTOMERGE[..]).prop_map(str::to_owned),
        written(Engine::Automerge),
        0..3,
    );
    (yjs, automerge).prop_map(|(yjs, automerge)| yjs.into_iter().chain(automerge).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Goal: an export is all of the documents. Method: any set of them, in logs and snapshots, goes into an empty store, at once and
    /// in two parts, and again; what each of them holds is compared.
    #[test]
    fn any_documents_come_over_whole(stores in stores(), cut in any::<prop::sample::Index>()) {
        let mut store = MemoryStore::new();
        let mut want = BTreeMap::new();
        for (at, (text, written)) in (1_u8..).zip(&stores) {
            let own = name(text);
            let put = put(&mut store, &own, at, written);
            want.extend(put.map(|(held, commits)| (own, (written.engine, held, commits))));
        }
        let text = export(&mut store, "", None);
        let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        prop_assert_eq!(&told[0]["documents"], want.len());
        let in_order = told.iter().filter_map(|line| Some((line["name"].as_str()?, line["commit"].as_u64()?)));
        let want_in_order = want.iter().map(|(name, (_, _, commits))| (name.as_str(), *commits));
        prop_assert_eq!(in_order.collect::<Vec<_>>(), want_in_order.collect::<Vec<_>>());
        let want: BTreeMap<_, _> = want.into_iter().map(|(name, (engine, held, _))| (name, (engine, held))).collect();

        let mut whole = MemoryStore::new();
        let created = want.len() as u64;
        let sum = DocumentsImported { whole: true, created, ..DocumentsImported::default() };
        prop_assert_eq!(import(&mut whole, &text, Existing::Merge).1, sum);
        prop_assert_eq!(all(&whole), want.clone());
        let again = DocumentsImported { whole: true, unchanged: created, ..DocumentsImported::default() };
        let before = whole.live().clone();
        prop_assert_eq!(import(&mut whole, &text, Existing::Merge).1, again);
        prop_assert_eq!(whole.live(), &before, "nothing is stored the second time");
        // The bytes may be others: what was deleted is encoded shorter the second time.
        let back = export(&mut whole, "", None);
        prop_assert_eq!(import(&mut store.clone(), &back, Existing::Merge).1, again, "it brings nothing new");

        let names: Vec<&RoomName> = want.keys().collect();
        if !names.is_empty() {
            let last = *cut.get(&names);
            let mut parts = MemoryStore::new();
            let cut_at = text.find(&format!("{{\"name\":{}", serde_json::json!(last.as_str()))).expect("it is there");
            let cut_at = cut_at + text[cut_at..].find('\n').expect("a line ends") + 1;
            prop_assert!(!import(&mut parts, &text[..cut_at], Existing::Merge).1.whole);
            prop_assert!(import(&mut parts, &export(&mut store, "", Some(last)), Existing::Merge).1.whole);
            prop_assert_eq!(all(&parts), want);
        }
    }
}

#[test]
fn what_cannot_be_taken_is_told_with_its_line() {
    let mut store = MemoryStore::new();
    let written = |engine| Written {
        engine,
        commits: vec![Map::from_iter([("t".to_owned(), Value::from("hi"))])],
        folded: 0,
    };
    put(&mut store, &name("plan"), 1, &written(Engine::Yjs)).expect("it holds something");
    put(&mut store, &name(AUTOMERGE[0]), 2, &written(Engine::Automerge)).expect("it holds something");
    let text = export(&mut store, "", None);
    let odd = text.replace("\"plan\"", &format!("\"{}\"", AUTOMERGE[0]));
    let told = |text: &str, existing| {
        let (told, sum) = import(&mut store.clone(), text, existing);
        let outcomes = told.into_iter().map(|line| (line.line, line.outcome.map_err(|why| why.code)));
        (outcomes.collect::<Vec<_>>(), sum.failed)
    };
    assert_eq!(told(&text, Existing::Merge), (vec![(2, Ok(Unchanged)), (3, Ok(Unchanged))], 0));
    assert_eq!(told(&text, Existing::Skip), (vec![(2, Ok(Skipped)), (3, Ok(Skipped))], 0));
    assert_eq!(told(&text, Existing::Fail), (vec![(2, Err("name-taken")), (3, Err("name-taken"))], 2));
    assert_eq!(told(&odd, Existing::Merge), (vec![(2, Ok(Unchanged)), (3, Err("other-kind"))], 1));
    let unnamed = text.replace(AUTOMERGE[0], "no such name");
    assert_eq!(told(&unnamed, Existing::Merge).0[0], (2, Err("bad-request")));
    let blank = text.replace('\n', "\n\n");
    assert_eq!(told(&blank, Existing::Merge), (vec![(3, Ok(Unchanged)), (5, Ok(Unchanged))], 0));

    let mut documents = OfflineDocuments::open(&mut store, TENANT, author()).expect("memory is read");
    let error = documents.import(&mut &b"{}\n"[..], Existing::Merge, |_| {}).expect_err("it is no export");
    assert!(matches!(error, OfflineDocumentsError::NoExport(NoExport::Other)), "{error}");
}
