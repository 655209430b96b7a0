//! A document against clients that edit at random and a network that delays, repeats and reorders.

use bytes::Bytes;
use proptest::prelude::*;
use yrs::{
    Any, Array, ArrayPrelim, ClientID, Doc, GetString, Map, MapPrelim, OffsetKind, Options, Quotable,
    ReadTxn, StateVector, Text, Transact, Update, WriteTxn, Xml, XmlElementPrelim, XmlFragment,
    updates::decoder::Decode,
};

mod characters;
mod edit;
mod formats;
mod history;
mod large;
mod markdown;
mod originals;
mod restore;
mod values;

use super::*;
use crate::{
    guard::{scan_update, write_var_uint},
    id::{ClientId, CommitNumber, ConnectionId},
    log::{Author, LogEntry, LogRecord},
    time::WallMs,
};

fn client(id: u64) -> Doc {
    let mut options = Options::with_client_id(ClientID::new(id));
    options.offset_kind = OffsetKind::Utf16;
    options.cleanup_formatting = false;
    Doc::with_options(options)
}

/// One edit of a client, as numbers that are reduced to what its document allows.
#[derive(Clone, Debug)]
enum Edit {
    Insert(u32, &'static str),
    Remove(u32, u32),
    Set(u8, i64),
    Unset(u8),
    Nest(u8),
    Push(i64),
    Drop(u32),
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<u32>(), prop::sample::select(vec!["a", "bc", "ü", "🙂", "hello "])).prop_map(|(at, s)| Edit::Insert(at, s)),
        3 => (any::<u32>(), 1..4u32).prop_map(|(at, n)| Edit::Remove(at, n)),
        2 => (0..4u8, any::<i64>()).prop_map(|(key, value)| Edit::Set(key, value)),
        1 => (0..4u8).prop_map(Edit::Unset),
        1 => (0..4u8).prop_map(Edit::Nest),
        2 => any::<i64>().prop_map(Edit::Push),
        1 => any::<u32>().prop_map(Edit::Drop),
    ]
}

/// Makes the edit and returns the update that the client would send.
fn edit(doc: &Doc, edit: &Edit) -> Bytes {
    let mut txn = doc.transact_mut();
    let (text, map, array) =
        (txn.get_or_insert_text("text"), txn.get_or_insert_map("map"), txn.get_or_insert_array("array"));
    match *edit {
        Edit::Insert(at, s) => {
            let len = text.len(&txn);
            // Positions are UTF-16 units; the odd one in the middle of a pair is moved to the end.
            let at = if text.get_string(&txn).is_ascii() { at % (len + 1) } else { len };
            text.insert(&mut txn, at, s);
        }
        Edit::Remove(at, n) => {
            let len = text.len(&txn);
            if len > 0 && text.get_string(&txn).is_ascii() {
                let at = at % len;
                text.remove_range(&mut txn, at, n.min(len - at));
            }
        }
        Edit::Set(key, value) => {
            map.insert(&mut txn, key.to_string(), Any::from(value as f64));
        }
        Edit::Unset(key) => {
            map.remove(&mut txn, &key.to_string());
        }
        Edit::Nest(key) => {
            map.insert(&mut txn, key.to_string(), MapPrelim::from([("in", ArrayPrelim::from([1, 2]))]));
        }
        Edit::Push(value) => {
            array.push_back(&mut txn, value as f64);
        }
        Edit::Drop(at) => {
            let len = array.len(&txn);
            if len > 0 {
                array.remove(&mut txn, at % len);
            }
        }
    }
    txn.encode_update_v1().into()
}

fn receive(doc: &Doc, update: &[u8]) {
    let update = Update::decode_v1(update).expect("the engine writes updates");
    doc.transact_mut().apply_update(update).expect("an update applies");
}

fn state(doc: &Doc) -> Bytes {
    doc.transact().encode_state_as_update_v1(&StateVector::default()).into()
}

fn json(update: &Bytes) -> serde_json::Value {
    let mut document = YjsDocument::default();
    document.replay(update).expect("a full state replays");
    document.to_json().expect("the document is sound")
}

fn record(number: u64, update: &Bytes) -> LogRecord {
    let entry = LogEntry {
        author: Author::default(),
        connection: ConnectionId(1),
        at: WallMs(0),
        update: update.clone(),
        origins: None,
    };
    LogRecord { number: CommitNumber(number), entries: vec![entry] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Goal: whatever order updates come in, what the document reports as new rebuilds it, holds nothing twice, and in
    /// the end equals what a client has that got everything.
    #[test]
    fn what_is_integrated_rebuilds_the_document(
        work in prop::collection::vec((0..3usize, edits()), 1..60),
        mix in prop::collection::vec((any::<prop::sample::Index>(), 0..3usize), 0..120),
    ) {
        let clients: Vec<Doc> = (1..=3).map(client).collect();
        let model = client(99);
        let mut sent = Vec::new();
        for (at, one) in &work {
            let update = edit(&clients[*at], one);
            receive(&model, &update);
            sent.push(update);
        }
        let mut document = YjsDocument::default();
        let mut log = Vec::new();
        let mut take = |document: &mut YjsDocument, update: &Bytes| -> Result<Applied, TestCaseError> {
            let applied = document.apply(update).map_err(|error| TestCaseError::fail(error.to_string()))?;
            if let Some(new) = &applied.update {
                log.push(new.clone());
                // Whoever got all before gets no gap, and not a struct twice.
                let scanned = scan_update(new).expect("the engine writes updates");
                for section in scanned.sections() {
                    let before = applied.before.iter().find(|(client, _)| *client == section.client);
                    prop_assert_eq!(before.map(|(_, clock)| *clock), Some(section.clock));
                }
            }
            Ok(applied)
        };
        for (which, _) in &mix {
            take(&mut document, which.get(&sent))?;
        }
        for doc in &clients {
            let applied = take(&mut document, &state(doc))?;
            prop_assert!(!applied.gap);
            let again = take(&mut document, &state(doc))?;
            prop_assert_eq!(again.update, None, "a full answer taken twice brings nothing new");
        }
        let whole = document.encode().expect("sound");
        prop_assert_eq!(json(&whole), json(&state(&model)));
        prop_assert_eq!(document.to_json().unwrap(), json(&state(&model)));

        let merged = merge_in_order(&log).expect("updates").expect("they continue each other");
        prop_assert_eq!(json(&merged), json(&whole));

        let log: Vec<_> = log.iter().zip(1..).map(|(update, number)| record(number, update)).collect();
        let reloaded = YjsDocument::load(None, &log).expect("the log replays");
        prop_assert_eq!(reloaded.state_vector(), document.state_vector());
        prop_assert_eq!(reloaded.to_json().unwrap(), document.to_json().unwrap());
        if !log.is_empty() {
            let snapshot = compact::<YjsDocument>(None, &log).expect("the log folds");
            prop_assert_eq!(json(&snapshot.state), json(&whole));
        }
    }

    /// Goal: a difference brings a client that stopped listening anywhere up to date.
    #[test]
    fn a_difference_completes_any_client(
        work in prop::collection::vec((0..3usize, edits()), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let clients: Vec<Doc> = (1..=3).map(client).collect();
        let behind = client(99);
        let mut document = YjsDocument::default();
        let cut = cut.index(work.len());
        let mut clocks = std::collections::BTreeMap::new();
        for (at, (who, one)) in work.iter().enumerate() {
            let applied = document.apply(&edit(&clients[*who], one)).expect("honest");
            if at < cut {
                applied.update.iter().for_each(|update| receive(&behind, update));
            } else {
                applied.before.iter().for_each(|&(client, clock)| { clocks.entry(client).or_insert(clock); });
            }
        }
        let by_clocks = document.diff_since(&clocks).expect("sound");
        let by_state = {
            use yrs::updates::encoder::Encode;
            document.diff(&behind.transact().state_vector().encode_v1()).expect("sound")
        };
        for diff in [by_clocks, by_state] {
            let one = client(100);
            receive(&one, &state(&behind));
            receive(&one, &diff);
            prop_assert_eq!(json(&state(&one)), document.to_json().unwrap());
        }
    }
}

#[test]
fn an_update_that_overtakes_another_is_a_gap() {
    let doc = client(1);
    let first = edit(&doc, &Edit::Insert(0, "a"));
    let second = edit(&doc, &Edit::Insert(1, "bc"));
    let mut document = YjsDocument::default();
    assert_eq!(document.apply(&second), Ok(Applied { gap: true, ..Applied::default() }));
    assert!(!document.apply(&first).expect("honest").gap);
    assert!(document.apply(&second).expect("honest").update.is_some());
    assert_eq!(document.text("text"), Ok(Some("abc".into())));
}

#[test]
fn deletions_of_what_is_missing_are_a_gap() {
    let doc = client(1);
    let typed = edit(&doc, &Edit::Insert(0, "abc"));
    let removed = edit(&doc, &Edit::Remove(0, 2));
    let mut document = YjsDocument::default();
    assert_eq!(document.apply(&removed), Ok(Applied { gap: true, ..Applied::default() }));
    document.apply(&typed).expect("honest");
    assert_eq!(document.text("text"), Ok(Some("abc".into())));
    document.apply(&removed).expect("honest");
    assert_eq!(document.text("text"), Ok(Some("c".into())));
}

/// Goal: the first content of an id stays. Method: two clients with one id; the second's struct is longer and is cut.
#[test]
fn the_first_content_of_an_id_stays() {
    let (one, other) = (client(1), client(1));
    let mut document = YjsDocument::default();
    document.apply(&edit(&one, &Edit::Insert(0, "a"))).expect("honest");
    let applied = document.apply(&edit(&other, &Edit::Insert(0, "hello "))).expect("it has a new part");
    let reader = client(9);
    receive(&reader, &edit(&client(1), &Edit::Insert(0, "a")));
    receive(&reader, &applied.update.expect("the part above the clock is new"));
    assert_eq!(json(&state(&reader)), document.to_json().unwrap());
    assert_eq!(document.text("text"), Ok(Some("aello ".into())));
}

#[test]
fn types_nest_to_the_limit_and_not_beyond() {
    let doc = client(1);
    let mut document = YjsDocument::default();
    let mut level = doc.get_or_insert_map("map");
    for depth in 1..=crate::limits::TYPE_DEPTH_MAX + 1 {
        let mut txn = doc.transact_mut();
        level = level.insert(&mut txn, "in", MapPrelim::default());
        let applied = document.apply(&txn.encode_update_v1().into());
        let fits = depth <= crate::limits::TYPE_DEPTH_MAX;
        assert_eq!(applied.err(), (!fits).then_some(ApplyError::TooDeep), "depth {depth}");
    }
    let mut txn = doc.transact_mut();
    let root = txn.get_or_insert_map("map");
    root.remove(&mut txn, "in");
    let removed = document.apply(&txn.encode_update_v1().into()).expect("removing is fine");
    assert!(removed.update.is_some());
}

#[test]
fn a_broken_document_refuses_and_is_rebuilt_by_replay() {
    let doc = client(1);
    let mut document = YjsDocument::default();
    let update = edit(&doc, &Edit::Insert(0, "abc"));
    document.apply(&update).expect("honest");
    document.break_for_test();
    assert_eq!(document.apply(&edit(&doc, &Edit::Push(1))), Err(ApplyError::Broken));
    assert_eq!(document.encode(), Err(Broken));
    let rebuilt = YjsDocument::load(None, &[record(1, &update)]).expect("the log replays");
    assert_eq!(rebuilt.text("text"), Ok(Some("abc".into())));
}

#[test]
fn a_stored_log_with_a_hole_is_not_loaded() {
    let doc = client(1);
    edit(&doc, &Edit::Insert(0, "a"));
    let second = edit(&doc, &Edit::Insert(1, "b"));
    let loaded = YjsDocument::load(None, &[record(2, &second)]);
    assert_eq!(
        loaded.err(),
        Some(CompactError::Commit { number: CommitNumber(2), source: ReplayError::Gap })
    );
}

/// Goal: every kind of content that yjs writes folds. Method: the recorded updates of the guard's tests.
#[test]
fn everything_that_yjs_writes_folds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut folded = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the data is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let update = Bytes::from(std::fs::read(&path).expect("it can be read"));
            let mut document = YjsDocument::default();
            let Ok(Applied { update: Some(update), .. }) = document.apply(&update) else { continue };
            let log = [record(1, &update)];
            let snapshot = compact::<YjsDocument>(None, &log);
            assert!(snapshot.is_ok(), "{}: {snapshot:?}", path.display());
            folded += 1;
        }
    }
    assert!(folded > 10, "{folded} recorded updates were folded");
}

/// Goal: an element folds whatever the order in which yrs would write its attributes, and a lost one is noticed.
#[test]
fn xml_is_compared_by_its_attributes_and_not_by_their_order() {
    let with = |names: &[&'static str]| {
        let doc = client(1);
        let root = doc.get_or_insert_xml_fragment("xml");
        let mut txn = doc.transact_mut();
        let element = root.push_back(&mut txn, XmlElementPrelim::empty("p"));
        for name in ["a", "b", "c", "d", "e", "f"] {
            // The same structs and clocks either way.
            element.insert_attribute(&mut txn, if names.contains(&name) { name } else { "x" }, "value");
        }
        let mut document = YjsDocument::default();
        document.replay(&txn.encode_update_v1().into()).expect("honest");
        document
    };
    let all = ["a", "b", "c", "d", "e", "f"];
    let whole = with(&all);
    let log = [record(1, &whole.encode().expect("the document is sound"))];
    for _ in 0..16 {
        compact::<YjsDocument>(None, &log).expect("the element folds");
    }
    assert_eq!(whole.same_document(&with(&all)), Ok(true));
    assert_eq!(whole.same_document(&with(&all[1..])), Ok(false), "another name");
}

/// Goal: a document that yjs 13 can read does not become one that it throws at, and one that holds a weak link already
/// loads and stays in use.
#[test]
fn a_new_weak_link_is_refused_and_a_stored_one_is_loaded() {
    let doc = client(1);
    let before = edit(&doc, &Edit::Insert(0, "abc"));
    let linked: Bytes = {
        let (text, array) = (doc.get_or_insert_text("text"), doc.get_or_insert_array("array"));
        let mut txn = doc.transact_mut();
        let quote = text.quote(&txn, 0..2).expect("the text is long enough");
        array.push_back(&mut txn, quote);
        txn.encode_update_v1().into()
    };
    let mut document = YjsDocument::default();
    document.apply(&before).expect("honest");
    let refused = document.apply(&linked).expect_err("there is a weak link");
    assert_eq!((refused, refused.reason()), (ApplyError::WeakLink, "weak-link"));
    assert_eq!(document.clock(ClientId(1)), 3, "nothing of it was taken");

    document.replay(&linked).expect("it was stored before");
    let after = edit(&doc, &Edit::Insert(0, "x"));
    assert!(document.apply(&after).expect("honest").update.is_some());
    let answer = document.apply(&state(&doc)).expect("it repeats a link that is known");
    assert_eq!((answer.update, answer.gap), (None, false));
    let snapshot = compact::<YjsDocument>(None, &[record(1, &state(&doc))]).expect("it folds");
    assert_eq!(json(&snapshot.state), document.to_json().unwrap());
}

/// Goal: whatever a state vector names, yrs is given no client that the document does not hold.
#[test]
fn a_hostile_state_vector_reaches_no_hash_table() {
    let doc = client(7);
    let mut document = YjsDocument::default();
    document.apply(&edit(&doc, &Edit::Insert(0, "abc"))).expect("honest");
    let hostile: Vec<_> = (0..20_000).map(|i| (ClientId(i << 16 | 7), 1)).collect();
    let known = document.known_of(hostile.iter().copied());
    assert_eq!(known.iter().map(|(client, &clock)| (client.get(), clock)).collect::<Vec<_>>(), [(7, 1)]);

    let mut bytes = Vec::new();
    write_var_uint(&mut bytes, hostile.len() as u64);
    for (ClientId(id), clock) in hostile {
        write_var_uint(&mut bytes, id);
        write_var_uint(&mut bytes, clock.into());
    }
    assert_eq!(document.diff(&bytes), document.diff(&[1, 7, 1]));
}
