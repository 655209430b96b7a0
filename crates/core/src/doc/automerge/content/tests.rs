//! Programs read and write Automerge documents as JSON.

use automerge::{AutoCommit, ObjType, ReadDoc, ScalarValue, transaction::Transactable};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::*;
use crate::doc::{ItemsChange, TextChange};

const NOW: WallMs = WallMs(5_000);

fn add(path: &str, value: Value) -> DocumentEdit {
    DocumentEdit::Add { path: path.into(), value }
}

fn splice(path: &str, at: u32, remove: u32, insert: &str) -> DocumentEdit {
    let (path, insert) = (path.into(), insert.into());
    DocumentEdit::Splice { path, at, remove, insert, format: BTreeMap::new() }
}

/// Makes edits as an actor, if they are good.
fn edit(document: &mut AutomergeDocument, edits: &[DocumentEdit], actor: u8) -> Result<bool, EditError> {
    let change = document.edit(edits, [actor; 16], NOW)?;
    let changed = change.is_some();
    if let Some(change) = change {
        document.apply(&change).expect("it is good");
    }
    Ok(changed)
}

fn of(value: Value) -> AutomergeDocument {
    let mut document = AutomergeDocument::default();
    let edits: Vec<_> = match value {
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| add(&format!("/{name}"), value)).collect()
        }
        _ => panic!("an object"),
    };
    edit(&mut document, &edits, 1).expect("it can be written");
    document
}

/// As a client of automerge's own has it.
fn client(document: &AutomergeDocument, actor: u8) -> AutoCommit {
    let whole = document.encode().expect("sound");
    AutoCommit::load(&whole).expect("it loads").with_actor(ActorId::from([actor; 16]))
}

fn loaded(client: &mut AutoCommit) -> AutomergeDocument {
    let mut document = AutomergeDocument::default();
    document.apply(&client.save()).expect("honest");
    document
}

#[test]
fn what_is_written_is_read() {
    let value = json!({ "title": "Plan", "n": -1, "x": 1.5, "yes": true, "none": null, "todo": ["milk", { "done": false }] });
    let document = of(value.clone());
    assert_eq!(document.to_json(), Ok(value));
    assert_eq!(document.text("title"), Ok(Some("Plan".into())));
    assert_eq!(document.text("/todo/0"), Ok(Some("milk".into())));
    assert_eq!(document.text("todo"), Ok(None));
    let client = client(&document, 2);
    let (kind, _) = client.get(ROOT, "title").expect("a map").expect("it is there");
    assert_eq!(kind, ObjType::Text.into(), "people write in it together");
}

#[test]
fn edits_are_made_in_place_all_or_none() {
    let mut document = of(json!({ "text": "hi", "todo": ["milk"], "meta": { "a": 1 } }));
    let edits = [
        splice("/text", 2, 0, " there"),
        add("/todo/-", json!("bread")),
        add("/meta/b", json!(2)),
        DocumentEdit::Remove { path: "/meta/a".into() },
        DocumentEdit::Replace { path: "/todo/0".into(), value: json!("oats") },
        DocumentEdit::Test { path: "/text".into(), value: json!("hi there") },
    ];
    assert_eq!(edit(&mut document, &edits, 2), Ok(true));
    let want = json!({ "text": "hi there", "todo": ["oats", "bread"], "meta": { "b": 2 } });
    assert_eq!(document.to_json(), Ok(want.clone()));
    assert_eq!(edit(&mut document, &[splice("/text", 0, 0, "")], 2), Ok(false));
    for wrong in [
        splice("/nothing", 0, 0, "a"),
        splice("/text", 9, 0, "a"),
        add("/nothing/a", json!(1)),
        DocumentEdit::Remove { path: "/nothing".into() },
        DocumentEdit::Test { path: "/text".into(), value: json!("no") },
    ] {
        assert!(edit(&mut document, &[add("/new", json!(1)), wrong.clone()], 3).is_err(), "{wrong:?}");
    }
    assert_eq!(document.to_json(), Ok(want));
    assert_eq!(edit(&mut document, &[DocumentEdit::Remove { path: "/todo".into() }], 3), Ok(true));
    assert_eq!(document.to_json(), Ok(json!({ "text": "hi there", "meta": { "b": 2 } })));
}

/// What a program and a person write at once is both there.
#[test]
fn an_edit_merges_with_what_others_write() {
    let mut document = of(json!({ "text": "hello" }));
    let mut ann = client(&document, 2);
    let (_, text) = ann.get(ROOT, "text").expect("a map").expect("it is there");
    ann.splice_text(&text, 0, 0, "ann: ").expect("a text");
    let change = document.edit(&[splice("/text", 5, 0, " world")], [3; 16], NOW).expect("good");
    document.apply(&ann.save()).expect("honest");
    document.apply(&change.expect("a change")).expect("good");
    assert_eq!(document.to_json(), Ok(json!({ "text": "ann: hello world" })));
}

#[test]
fn counters_and_times_stay_what_they_are() {
    let mut ann = AutoCommit::new().with_actor(ActorId::from([9; 16]));
    ann.put(ROOT, "count", ScalarValue::counter(5)).expect("a map");
    ann.put(ROOT, "at", ScalarValue::Timestamp(1_000)).expect("a map");
    ann.put(ROOT, "id", ScalarValue::Uint(7)).expect("a map");
    let before = loaded(&mut ann);
    assert_eq!(before.to_json(), Ok(json!({ "count": 5, "at": 1_000, "id": 7 })));
    let mut document = loaded(&mut ann);
    let replace = |path: &str, value| DocumentEdit::Replace { path: path.into(), value };
    let more = [replace("/count", json!(8)), replace("/at", json!(2_000)), replace("/id", json!(8))];
    let mut other = loaded(&mut ann);
    assert_eq!(edit(&mut other, &more, 1), Ok(true));
    assert_eq!(other.to_json(), Ok(json!({ "count": 8, "at": 2_000, "id": 8 })));
    let other = client(&other, 4);
    let (count, _) = other.get(ROOT, "count").expect("a map").expect("it is there");
    assert!(matches!(count.into_scalar(), Ok(ScalarValue::Counter(_))), "it is still counted");
    ann.increment(ROOT, "count", 3).expect("a counter");
    ann.delete(ROOT, "at").expect("a map");
    document.apply(&ann.save()).expect("honest");
    let change = document.restore(&before, [1; 16], NOW).expect("it can be written").expect("it differs");
    ann.increment(ROOT, "count", 10).expect("a counter");
    document.apply(&ann.save()).expect("honest");
    document.apply(&change).expect("good");
    assert_eq!(document.to_json(), Ok(json!({ "count": 15, "at": 1_000, "id": 7 })), "nothing added is lost");
    let again = client(&document, 4);
    let (at, _) = again.get(ROOT, "at").expect("a map").expect("it is there");
    assert_eq!(at, ScalarValue::Timestamp(1_000).into());
}

#[test]
fn what_differs_is_told_as_of_other_documents() {
    let before = of(json!({ "text": "a cat", "todo": ["milk"], "n": 1 }));
    let mut after = of(json!({ "text": "a cat", "todo": ["milk"], "n": 1 }));
    let edits = [splice("/text", 2, 3, "dog"), add("/todo/0", json!("tea")), add("/n", json!(2))];
    edit(&mut after, &edits, 2).expect("good");
    let changes = before.changes_to(&after).expect("sound");
    let text = TextChange { path: "/text".into(), at: 2, removed: "cat".into(), inserted: "dog".into() };
    assert!(changes.contains(&Change::Text(text)), "{changes:?}");
    let n = Change::Value { path: "/n".into(), before: Some(json!(1)), after: Some(json!(2)) };
    assert!(changes.contains(&n), "{changes:?}");
    let is_tea =
        |change: &Change| matches!(change, Change::Items(ItemsChange { path, at: 0, .. }) if path == "/todo");
    assert!(changes.iter().any(is_tea), "{changes:?}");
}

#[test]
fn marks_come_back_and_blocks_are_not_made_up() {
    let mut ann = AutoCommit::new().with_actor(ActorId::from([9; 16]));
    let text = ann.put_object(ROOT, "text", ObjType::Text).expect("a map");
    ann.splice_text(&text, 0, 0, "bold and plain").expect("a text");
    let bold = automerge::marks::Mark::new("bold".into(), true, 0, 4);
    ann.mark(&text, bold, automerge::marks::ExpandMark::After).expect("a text");
    let marked = loaded(&mut ann);
    ann.splice_text(&text, 0, 5, "").expect("a text");
    let mut document = loaded(&mut ann);
    let change = document.restore(&marked, [1; 16], NOW).expect("it can be written").expect("it differs");
    document.apply(&change).expect("good");
    assert_eq!(document.changes_to(&marked), Ok(Vec::new()));
    let block = ann.split_block(&text, 3).expect("a text");
    assert!(ann.object_type(&block).is_ok());
    let with_block = loaded(&mut ann);
    assert_eq!(document.restore(&with_block, [2; 16], NOW), Err(WriteError::Unwritable));
    let mut edited = loaded(&mut ann);
    assert_eq!(edit(&mut edited, &[splice("/text", 0, 1, "x")], 3), Ok(true), "around it people write");
}

/// Goal: what is nested as deep as a hostile client likes kills nobody. Method: 20,000 maps in each other are read on a
/// stack as large as a server's.
#[test]
fn what_is_nested_too_deep_is_only_seen_to_be_there() {
    let mut ann = AutoCommit::new().with_actor(ActorId::from([9; 16]));
    let mut map = ROOT;
    for _ in 0..20_000 {
        map = ann.put_object(&map, "m", ObjType::Map).expect("a map");
    }
    let document = loaded(&mut ann);
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let read = thread.spawn(move || document.to_json().is_ok()).expect("a thread");
    assert_eq!(read.join().ok(), Some(true));
}

fn a_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-9..9_i64).prop_map(Value::from),
        "[ab🙂]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[xyz]", inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn a_document() -> impl Strategy<Value = serde_json::Value> {
    prop::collection::btree_map("[abc]", a_value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// From whatever a document holds it is brought to whatever it held, and that is one change that others can merge.
    #[test]
    fn whatever_was_comes_back(before in a_document(), after in a_document()) {
        let target = of(before.clone());
        let mut document = of(before.clone());
        let edits: Vec<_> = before
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::keys)
            .map(|name| DocumentEdit::Remove { path: format!("/{name}") })
            .chain(after.as_object().into_iter().flatten().map(|(name, value)| add(&format!("/{name}"), value.clone())))
            .collect();
        edit(&mut document, &edits, 2).expect("it can be written");
        prop_assert_eq!(document.to_json(), Ok(after));
        let change = document.restore(&target, [3; 16], NOW).expect("it can be written");
        if let Some(change) = change {
            document.apply(&change).expect("good");
        }
        prop_assert_eq!(document.to_json(), Ok(before));
        prop_assert_eq!(document.changes_to(&target), Ok(Vec::new()));
    }
}

/// Goal: marks cost what they are long, however many blocks lie under them. Method: a mark over many markers of blocks is held once; one
/// with a long name is not read, nor more marks than a place may have.
#[test]
fn marks_are_shared_and_bounded() {
    let mut client = AutoCommit::new();
    let text = client.put_object(ROOT, "text", ObjType::Text).expect("a map");
    for at in 0..100 {
        client.split_block(&text, at).expect("within the text");
    }
    let name = |at: usize| format!("{at:03}{}", "n".repeat(at));
    for at in 150..300 {
        let mark = automerge::marks::Mark::new(name(at), true, 0, 100);
        client.mark(&text, mark, automerge::marks::ExpandMark::None).expect("within the text");
    }
    let entries = loaded(&mut client).entries().expect("sound");
    let Some(Content::Text(runs)) = entries.get("text") else { panic!("a text: {entries:?}") };
    assert_eq!(runs.len(), 100);
    assert!(runs.iter().all(|run| std::sync::Arc::ptr_eq(&run.format, &runs[0].format)), "it is held once");
    assert_eq!(runs[0].format.len(), 64);
    assert!(runs[0].format.keys().all(|name| name.len() <= 256), "long names are not read");
}

#[test]
fn a_document_of_too_many_ops_is_not_read() {
    let mut client = AutoCommit::new();
    (0..3).for_each(|value| client.put(ROOT, "key", value).expect("a map"));
    let mut document = AutomergeDocument::default();
    document.apply(&client.save()).expect("honest");
    assert!(document.entries_of(Blocks::Seen, 3).is_ok());
    assert_eq!(document.entries_of(Blocks::Seen, 2), Err(ReadError::Ops));
}
