//! Nothing honest is refused: updates that yjs wrote, and updates that yrs writes when a trace is replayed and when
//! each of its shared types is used, pass the guard and keep their shape through yrs.

#![cfg(feature = "yjs")]

mod properties;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use syncline_core::guard::{StructKind, scan_update};
use yrs::{
    Any, Array, ArrayPrelim, ClientID, Doc, GetString, Map, MapPrelim, OffsetKind, Options, Quotable,
    ReadTxn, StateVector, Text, TextPrelim, Transact, TransactionMut, Update, UpdateEvent, WriteTxn, Xml,
    XmlElementPrelim, XmlFragment, XmlTextPrelim,
    types::Attrs,
    updates::{decoder::Decode, encoder::Encode},
};

fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let entries =
        fs::read_dir(folder).expect("the data is checked in").map(|entry| entry.expect("readable").path());
    entries.map(|path| (path.display().to_string(), fs::read(&path).expect("readable"))).collect()
}

fn assert_honest(what: &str, update: &[u8]) {
    if let Err(malformed) = scan_update(update) {
        panic!("{what}: {malformed}");
    }
    assert!(properties::yjs_update(update));
}

/// A document as the server makes it.
fn document(client: u64) -> Doc {
    Doc::with_options(Options {
        client_id: ClientID::new(client),
        guid: "guid".into(),
        collection_id: None,
        offset_kind: OffsetKind::Utf16,
        skip_gc: false,
        auto_load: false,
        should_load: true,
        cleanup_formatting: false,
    })
}

/// Every update that `document` makes from now on.
fn recorded(document: &Doc) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let updates = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&updates);
    let record = move |_: &TransactionMut<'_>, event: &UpdateEvent| {
        sink.lock().expect("one thread").push(event.update.clone());
    };
    document.observe_update_v1("test", record).expect("no transaction is open");
    updates
}

fn exchange(from: &Doc, to: &Doc) {
    let known = to.transact().state_vector();
    let update = from.transact().encode_diff_v1(&known);
    assert_honest("diff", &update);
    let update = Update::decode_v1(&update).expect("honest");
    to.transact_mut().apply_update(update).expect("honest");
}

#[test]
fn what_yjs_wrote() {
    let updates = files("yjs-updates");
    assert!(updates.len() > 25, "the data is there");
    let mut contents = [false; 10];
    let (mut gc, mut skip) = (false, false);
    for (name, bytes) in &updates {
        assert_honest(name, bytes);
        let scanned = scan_update(bytes).expect("honest");
        for read in scanned.sections().iter().flat_map(|section| scanned.structs(section)) {
            match read.kind {
                StructKind::Gc => gc = true,
                StructKind::Skip => skip = true,
                StructKind::Item { content } => contents[usize::from(content)] = true,
            }
        }
    }
    assert!(gc && skip, "the data holds GC and Skip");
    assert_eq!(contents, [false, true, false, true, true, true, true, true, true, true], "and every content");
}

#[test]
fn state_vectors_that_yjs_wrote() {
    let vectors = files("yjs-state-vectors");
    assert_eq!(vectors.len(), 4);
    for (name, bytes) in vectors {
        assert!(properties::state_vector(&bytes), "{name}");
    }
}

/// Three replicas type a paper, 50 edits in turn: each update, each exchange and each state on the way is honest.
#[test]
fn a_trace_replayed_by_three() {
    let trace = include_str!("data/automerge-paper-3000.txt");
    let replicas = [1, 1 << 31, (1 << 53) - 1].map(document);
    let updates = replicas.each_ref().map(recorded);
    let texts = replicas.each_ref().map(|replica| replica.get_or_insert_text("text"));
    for (i, line) in trace.lines().enumerate() {
        let turn = i / 50 % 3;
        if i > 0 && i % 50 == 0 {
            exchange(&replicas[(turn + 2) % 3], &replicas[turn]);
        }
        let mut fields = line.splitn(3, ' ');
        let mut number = || fields.next().and_then(|field| field.parse().ok()).expect("a number");
        let (position, deleted) = (number(), number());
        let inserted: String = serde_json::from_str(fields.next().expect("a text")).expect("a json string");
        let mut txn = replicas[turn].transact_mut();
        texts[turn].remove_range(&mut txn, position, deleted);
        texts[turn].insert(&mut txn, position, &inserted);
    }
    for (replica, updates) in replicas.iter().zip(updates) {
        let updates = updates.lock().expect("one thread");
        updates.iter().for_each(|update| assert_honest("update", update));
        let merged = yrs::merge_updates_v1(updates.iter()).expect("honest");
        assert_honest("merged", &merged);
        assert_honest("state", &replica.transact().encode_state_as_update_v1(&StateVector::default()));
        assert!(properties::state_vector(&replica.transact().state_vector().encode_v1()));
    }
    let (ours, theirs) = (&replicas[(3000 / 50 - 1) % 3], &replicas[0]);
    exchange(ours, theirs);
    let text = texts[0].get_string(&theirs.transact());
    assert!(text.starts_with("\\documentclass"), "{text}");
}

/// serde_json without `float_roundtrip` reads some floats a little off, and yrs writes what it read: the value of an
/// embed would change each time that its document is stored.
#[test]
fn floats_of_embeds_survive_yrs() {
    for float in [1_234.567_890_123_456_7, 1e-7, 5e-324, 1e22, 1.797_693_134_862e308, f64::MAX] {
        let text = serde_json::to_string(&float).expect("finite");
        let mut written = String::new();
        Any::from_json(&text).expect("json").to_json(&mut written);
        assert_eq!(written.parse(), Ok(float), "{text} came back as {written}");
    }
}

#[test]
fn every_shared_type_of_yrs() {
    let doc = document(7);
    let updates = recorded(&doc);
    every_value(&doc);
    every_text(&doc);
    every_link(&doc);
    {
        let xml = doc.get_or_insert_xml_fragment("xml");
        let mut txn = doc.transact_mut();
        let element = xml.push_back(&mut txn, XmlElementPrelim::empty("p"));
        element.insert_attribute(&mut txn, "class", "a");
        element.push_back(&mut txn, XmlTextPrelim::new("text"));
        xml.push_back(&mut txn, XmlElementPrelim::empty("br"));
        xml.remove_range(&mut txn, 1, 1);
    }
    for update in updates.lock().expect("one thread").iter() {
        assert_honest("update", update);
    }
    assert_honest("state", &doc.transact().encode_state_as_update_v1(&StateVector::default()));
}

fn every_value(doc: &Doc) {
    let map = doc.get_or_insert_map("map");
    let mut txn = doc.transact_mut();
    for (key, value) in [
        ("undefined", Any::Undefined),
        ("null", Any::Null),
        ("bool", true.into()),
        ("int", 1_i64.into()),
        ("long", i64::MAX.into()),
        ("longest", i64::MIN.into()),
        ("float", 0.1.into()),
        ("nan", f64::NAN.into()),
        ("string", "ü🙂".into()),
        ("buffer", vec![0_u8, 255].into()),
        ("array", vec![Any::Null, Any::from(2.5)].into()),
        ("map", Any::from_json(r#"{"a":{"b":[]}}"#).expect("json")),
    ] {
        map.insert(&mut txn, key, value);
    }
    map.insert(&mut txn, "types", MapPrelim::from([("a", ArrayPrelim::from([1, 2, 3]))]));
    map.insert(&mut txn, "text", TextPrelim::new("nested"));
    map.insert(&mut txn, "document", document(8));
    map.insert(&mut txn, "null", 1);
    map.remove(&mut txn, "types");
}

fn every_text(doc: &Doc) {
    let text = doc.get_or_insert_text("text");
    let mut txn = doc.transact_mut();
    text.insert(&mut txn, 0, "a🙂bc");
    text.remove_range(&mut txn, 2, 1);
    let link = Any::from_json(r#"{"href":"https://example.org","n":1.5}"#).expect("json");
    text.format(&mut txn, 1, 2, Attrs::from([("bold".into(), true.into()), ("link".into(), link.clone())]));
    text.insert_embed(&mut txn, 1, link);
    text.insert_embed(&mut txn, 1, ArrayPrelim::from([1]));
}

fn every_link(doc: &Doc) {
    let array = doc.get_or_insert_array("array");
    let mut txn = doc.transact_mut();
    array.insert_range(&mut txn, 0, [1, 2, 3, 4]);
    let text = txn.get_or_insert_text("quoted");
    text.insert(&mut txn, 0, "hello");
    let map = txn.get_or_insert_map("map");
    let links = [
        array.quote(&txn, 1..=1).expect("in range"),
        array.quote(&txn, 1..3).expect("in range"),
        array.quote(&txn, 1..).expect("in range"),
        array.quote(&txn, ..2).expect("in range"),
        array.quote(&txn, ..).expect("in range"),
    ];
    for link in links {
        array.push_back(&mut txn, link);
    }
    let link = text.quote(&txn, 1..4).expect("in range");
    map.insert(&mut txn, "quote", link);
    let link = map.link(&txn, "string").expect("there");
    map.insert(&mut txn, "link", link);
}

/// Runs the seeds of the fuzz targets through what the targets check.
#[test]
fn seeds_of_the_fuzz_targets() {
    let check = |target: &str, property: fn(&[u8]) -> bool| {
        let seeds = files(&format!("../../../../fuzz/corpus/{target}"));
        assert!(!seeds.is_empty(), "{target}");
        let accepted = seeds.iter().filter(|(_, bytes)| property(bytes)).count();
        assert!(accepted > 0, "{target}: some seeds are honest");
    };
    check("yjs_update", properties::yjs_update);
    check("state_vector", properties::state_vector);
    check("awareness", properties::awareness);
}
