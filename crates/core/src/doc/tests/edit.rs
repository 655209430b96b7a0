//! Documents that programs edit, beside a model of plain JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::doc::{
    content::{Content, Items, Piece, Run},
    edit::{Top, make_all},
};

const AUTHOR: ClientId = ClientId(700);

fn add(path: &str, value: Value) -> DocumentEdit {
    DocumentEdit::Add { path: path.to_owned(), value }
}

fn splice(path: &str, at: u32, remove: u32, insert: &str) -> DocumentEdit {
    DocumentEdit::Splice {
        path: path.to_owned(),
        at,
        remove,
        insert: insert.to_owned(),
        format: [("bold".to_owned(), json!(true))].into(),
    }
}

/// Makes edits one by one, each by a client of its own.
fn made(edits: &[DocumentEdit]) -> YjsDocument {
    let mut document = YjsDocument::default();
    for (client, edit) in (700..).zip(edits) {
        let update = document.edit(std::slice::from_ref(edit), ClientId(client)).expect("it can be made");
        update
            .iter()
            .for_each(|update| drop(document.apply(update).expect("what the engine writes it takes")));
    }
    document
}

#[test]
fn edits_make_a_document() {
    let document = made(&[
        add("/title", json!("A plan")),
        splice("/title", 2, 4, "🙂 and more"),
        splice("/notes", 0, 0, "new"),
        add("/list", json!([1, {"a": [true]}])),
        add("/list/-", json!("end")),
        add("/list/1/a/0", json!({"deep": null})),
        DocumentEdit::Replace { path: "/list/0".to_owned(), value: json!(1.5) },
        add("/map", json!({"k/~": 1})),
        add("/map/k~1~0", json!([])),
        add("/empty", json!([])),
        add("/empty/-", json!(1)),
        add("/other", json!({})),
        add("/other/name", json!(2)),
        DocumentEdit::Remove { path: "/list/1/a/1".to_owned() },
    ]);
    let expected = json!({
        "title": "A 🙂 and more",
        "notes": "new",
        "list": [1.5, {"a": [{"deep": null}]}, "end"],
        "map": {"k/~": []},
        "empty": [1],
        "other": {"name": 2},
    });
    assert_eq!(document.to_json(), Ok(expected));
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let document = made(&[add("/text", json!("🙂a")), add("/list", json!([1]))]);
    let missing = |path: &str| EditError::Missing { path: path.to_owned() };
    let range = |at, end| EditError::Range { path: "/text".to_owned(), at, end };
    let replace = |path: &str| DocumentEdit::Replace { path: path.to_owned(), value: json!(2) };
    let refused = [
        (add("", json!([])), EditError::Path { path: String::new() }),
        (add("list", json!([])), EditError::Path { path: "list".to_owned() }),
        (add("/n", json!(1)), EditError::Root { value: json!(1) }),
        (add("/list/9", json!(1)), missing("/list/9")),
        (add("/text/0", json!(1)), missing("/text/0")),
        (replace("/list/2"), missing("/list/2")),
        (replace("/gone"), missing("/gone")),
        (DocumentEdit::Remove { path: "/list/x".to_owned() }, missing("/list/x")),
        (splice("/list", 0, 0, "a"), missing("/list")),
        (splice("/text", 1, 0, "a"), range(1, 1)),
        (splice("/text", 0, 4, "a"), range(0, 4)),
        (splice("/text", u32::MAX, u32::MAX, "a"), range(u32::MAX, 2 * u64::from(u32::MAX))),
        (
            DocumentEdit::Test { path: "/text".to_owned(), value: json!("a") },
            EditError::Test { path: "/text".to_owned() },
        ),
    ];
    for (edit, error) in refused {
        let both = [add("/list/-", json!("never")), edit];
        assert_eq!(document.edit(&both, ClientId(800)), Err(error));
    }
    let held = DocumentEdit::Test { path: "/text".to_owned(), value: json!("🙂a") };
    assert_eq!(document.edit(&[held], AUTHOR), Ok(None));
}

/// Names and places of a small document.
fn paths() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "0", "1", "-"]), 1..4)
        .prop_map(|parts| parts.iter().fold(String::new(), |path, part| path + "/" + part))
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..9i64).prop_map(Value::from)];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// The operations of RFC 6902 on plain JSON.
fn on_model(model: &mut Value, edit: &DocumentEdit) -> Option<()> {
    let (path, value, adds) = match edit {
        DocumentEdit::Add { path, value } => (path, Some(value), true),
        DocumentEdit::Replace { path, value } => (path, Some(value), false),
        DocumentEdit::Remove { path } => (path, None, false),
        DocumentEdit::Test { .. } | DocumentEdit::Splice { .. } => return None,
    };
    let (above, last) = path.rsplit_once('/')?;
    match (model.pointer_mut(above)?, value) {
        (Value::Object(members), Some(value)) => {
            (adds || members.contains_key(last)).then_some(())?;
            members.insert(last.to_owned(), value.clone());
        }
        (Value::Object(members), None) => drop(members.remove(last)?),
        (Value::Array(items), value) => {
            let place = if last == "-" && value.is_some() { items.len() } else { last.parse().ok()? };
            match value {
                Some(value) if adds && place <= items.len() => items.insert(place, value.clone()),
                Some(value) if !adds && place < items.len() => items[place] = value.clone(),
                None if place < items.len() => drop(items.remove(place)),
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn edits_are_those_of_json_patch(
        history in prop::collection::vec((0..3u8, paths(), json_values()), 1..24)
    ) {
        // A root without anything in it has no kind.
        let mut model = json!({"a": {}, "kept": true});
        let mut document = made(&[add("/r", model.clone())]);
        for (client, (kind, path, value)) in (800..).zip(history) {
            let edit = |path| match kind {
                0 => DocumentEdit::Add { path, value: value.clone() },
                1 => DocumentEdit::Replace { path, value: value.clone() },
                _ => DocumentEdit::Remove { path },
            };
            let mut next = model.clone();
            let allowed = on_model(&mut next, &edit(path.clone())).is_some();
            let written = document.edit(&[edit(format!("/r{path}"))], ClientId(client));
            prop_assert_eq!(written.is_ok(), allowed, "{:?} on {}", edit(path), model);
            if let Ok(update) = written {
                model = next;
                update.iter().for_each(|update| drop(document.apply(update).expect("taken")));
                prop_assert_eq!(&document.to_json().expect("sound")["r"], &model);
            }
        }
    }
}

/// Texts in a sequence, whose places have several names in paths, and in a map, whose names are what they are.
fn texts() -> BTreeMap<String, Content> {
    let text = |text: &str| {
        Content::Text(vec![Run { piece: Piece::Text(text.to_owned()), format: Default::default() }])
    };
    let entries = ["0", "00"].map(|name| (name.to_owned(), text(name)));
    [
        ("t".to_owned(), text("a 🙂 text")),
        ("r".to_owned(), Content::Items(Items::Array, vec![text("first"), text("second")])),
        ("m".to_owned(), Content::Map(entries.into())),
    ]
    .into()
}

fn edits_of_texts() -> impl Strategy<Value = DocumentEdit> {
    let paths = vec!["/t", "/r/0", "/r/00", "/r/1", "/m/0", "/m/00", "/new"];
    let path = prop::sample::select(paths).prop_map(str::to_owned);
    (path, 0..8u8, 0..4u32, 0..3u32).prop_map(|(path, kind, at, remove)| match kind {
        0 => DocumentEdit::Remove { path },
        1 => DocumentEdit::Add { path, value: json!({"n": at}) },
        2 => DocumentEdit::Test { path, value: json!("") },
        _ => splice(&path, at, remove, if kind < 5 { "" } else { "🙂b" }),
    })
}

proptest! {
    /// Goal: many edits at once come to what they come to one by one. Method: those that are refused one by one are left out.
    #[test]
    fn edits_at_once_are_edits_one_by_one(edits in prop::collection::vec(edits_of_texts(), 0..24)) {
        let mut model = texts();
        let mut taken = Vec::new();
        for edit in edits {
            let mut next = model.clone();
            let mut all = taken.clone();
            all.push(edit.clone());
            let one = make_all(Top::Roots, &mut next, std::slice::from_ref(&edit));
            let mut at_once = texts();
            prop_assert_eq!(make_all(Top::Roots, &mut at_once, &all), one.clone());
            if one.is_ok() {
                prop_assert_eq!(&at_once, &next);
                (model, taken) = (next, all);
            }
        }
    }
}
