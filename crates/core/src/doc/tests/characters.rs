//! Characters where only a text has any, which no client writes: yrs counts two UTF-16 code units for some, reads one, and waits for
//! the other without end.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use yrs::{
    MapRef, TextRef, TransactionMut,
    branch::{Branch, BranchPtr},
};

use super::*;
use crate::log::Snapshot;

fn branch_of(shared: &impl AsRef<Branch>) -> BranchPtr {
    BranchPtr::from(shared.as_ref())
}

/// Puts characters behind what a shared type of any kind holds.
fn put(txn: &mut TransactionMut<'_>, shared: &impl AsRef<Branch>, characters: &str) {
    let text = TextRef::from(branch_of(shared));
    let len = text.len(txn);
    text.insert(txn, len, characters);
}

/// Client 2 writes the text `t`, and characters where `place` is.
fn with_characters(place: &str, characters: &str) -> Bytes {
    let doc = client(2);
    let (map, xml) = (doc.get_or_insert_map("m"), doc.get_or_insert_xml_fragment("x"));
    let text = doc.get_or_insert_text("t");
    let mut txn = doc.transact_mut();
    text.insert(&mut txn, 0, "text 🙂");
    let element = xml.insert(&mut txn, 0, XmlElementPrelim::empty("p"));
    let array = ArrayPrelim::default();
    match place {
        "map" => {
            let array = map.insert(&mut txn, "a", array);
            put(&mut txn, &array, characters);
        }
        "array" => {
            let outer = map.insert(&mut txn, "a", array);
            let inner = outer.insert(&mut txn, 0, ArrayPrelim::default());
            put(&mut txn, &inner, characters);
        }
        "attribute" => {
            let array = MapRef::from(branch_of(&element)).insert(&mut txn, "a", array);
            put(&mut txn, &array, characters);
        }
        "element" => put(&mut txn, &element, characters),
        "fragment" => put(&mut txn, &xml, characters),
        other => panic!("there is no {other}"),
    }
    txn.encode_update_v1().into()
}

fn holding(update: &Bytes) -> YjsDocument {
    let mut document = YjsDocument::default();
    document.apply(update).expect("it may be held");
    document
}

/// Reads and folds a document, and writes in it; returns what it is as JSON.
fn everything(update: Bytes) -> Value {
    let [mut document, mut after] = [&update, &update].map(holding);
    let splice = DocumentEdit::Splice {
        path: "/t".into(),
        at: 0,
        remove: 4,
        insert: "Text".into(),
        format: BTreeMap::new(),
    };
    let written = after.edit(&[splice], ClientId(3)).expect("the text is written").expect("it differs");
    after.apply(&written).expect("honest");
    assert_eq!(after.text("t"), Ok(Some("Text 🙂".into())));
    assert_eq!(document.changes_to(&after).expect("both are read").len(), 1);
    let restored = document.restore(&after, ClientId(4)).expect("only the text differs").expect("it does");
    document.apply(&restored).expect("honest");
    assert_eq!(document.to_json(), after.to_json());

    let document = holding(&update);
    document.text("x").expect("it is read as far as it can be");
    document.markdown(Some("x")).map_or_else(drop, drop);
    document.written_by(&Authorship::default()).expect("it is told who wrote the texts");
    let snapshot = Snapshot { number: CommitNumber(1), state: update };
    compact::<YjsDocument>(Some(&snapshot), &[]).expect("it is folded");
    document.to_json().expect("it is read")
}

/// Goal: whoever puts such characters anywhere ends neither who reads the document, nor who folds it, nor who edits another part.
#[test]
fn characters_where_no_client_puts_them_hold_nobody_up() {
    let text = "text 🙂";
    let cases = [
        ("map", "a🙂b", json!({"m": {"a": null}, "t": text, "x": "<p></p>"})),
        ("map", "aü", json!({"m": {"a": ["a", "ü"]}, "t": text, "x": "<p></p>"})),
        ("array", "🙂", json!({"m": {"a": [null]}, "t": text, "x": "<p></p>"})),
        ("attribute", "🙂", json!({"t": text, "x": [["p", {"a": null}, []]]})),
        ("element", "🙂", json!({"t": text, "x": [null]})),
        ("element", "aü", json!({"t": text, "x": "<p>aü</p>"})),
        ("fragment", "🙂", json!({"t": text, "x": null})),
    ];
    for (place, characters, want) in cases {
        assert_eq!(everything(with_characters(place, characters)), want, "{characters} in {place}");
    }
}
