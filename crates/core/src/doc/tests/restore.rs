//! Documents that are brought to what another holds.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::doc::content::{Content, Format, Items, Named, Piece, Run, append};

const AUTHOR: ClientId = ClientId(900);

fn values() -> impl Strategy<Value = Any> {
    prop_oneof![
        Just(Any::Null),
        any::<bool>().prop_map(Any::from),
        (-9i64..9).prop_map(Any::from),
        "[a-z🙂]{0,4}".prop_map(Any::from),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(Any::from),
    ]
}

fn formats() -> impl Strategy<Value = Format> {
    let names = prop::sample::select(vec!["bold", "link", "size"]).prop_map(Arc::from);
    prop::collection::btree_map(names, prop_oneof![Just(Any::from(true)), Just(Any::from("x"))], 0..2)
        .prop_map(Arc::new)
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let piece = prop_oneof![
        4 => "[ab🙂\n]{1,6}".prop_map(Piece::Text),
        1 => (0i64..3).prop_map(|kind| Piece::Embed(Box::new(Content::Value(Any::from(kind))))),
        1 => named(Just(Content::Value(Any::from(true)))).prop_map(|map| Piece::Embed(Box::new(Content::Map(map)))),
    ];
    prop::collection::vec((piece, formats()).prop_map(|(piece, format)| Run { piece, format }), 0..5)
        .prop_map(joined)
}

/// Neighbours with one format are one run.
fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut whole: Vec<Run> = Vec::new();
    for run in runs {
        match (whole.last_mut(), &run.piece) {
            (Some(Run { piece: Piece::Text(before), format }), Piece::Text(text))
                if *format == run.format =>
            {
                before.push_str(text);
            }
            _ => whole.push(run),
        }
    }
    whole
}

fn named(parts: impl Strategy<Value = Content>) -> impl Strategy<Value = Named> {
    prop::collection::btree_map("[a-c/~]{1,2}", parts, 0..3)
}

/// What may stand in maps and arrays.
fn parts() -> impl Strategy<Value = Content> {
    let leaf = prop_oneof![values().prop_map(Content::Value), runs().prop_map(Content::Text)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            named(inner.clone()).prop_map(Content::Map),
            prop::collection::vec(inner, 0..3).prop_map(|items| Content::Items(Items::Array, items)),
        ]
    })
}

/// What may stand in XML.
fn nodes() -> impl Strategy<Value = Content> {
    let attributes = || named(values().prop_map(Content::Value));
    let leaf = (attributes(), runs()).prop_map(|(attributes, runs)| Content::XmlText { attributes, runs });
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let name = prop::sample::select(vec!["p", "li"]);
        let children = prop::collection::vec(inner, 0..4);
        (name, attributes(), children).prop_map(|(name, attributes, children)| Content::Element {
            name: name.to_owned(),
            attributes,
            children,
        })
    })
}

fn roots() -> impl Strategy<Value = BTreeMap<String, Content>> {
    // A root of shared types alone counts as an array.
    let text = runs().prop_filter("a text", |runs| {
        runs.is_empty()
            || runs
                .iter()
                .any(|run| !matches!(&run.piece, Piece::Embed(part) if matches!(**part, Content::Map(_))))
    });
    let text = text.prop_map(Content::Text);
    let items = |kind| move |items| Content::Items(kind, items);
    let array = prop::collection::vec(parts(), 0..6).prop_map(items(Items::Array));
    let xml = prop::collection::vec(nodes(), 0..6).prop_map(items(Items::Fragment));
    let map = named(parts()).prop_map(Content::Map);
    (text, array, map, xml).prop_map(|(text, array, map, xml)| {
        let roots = [("text", text), ("array", array), ("map", map), ("xml/1", xml)];
        roots.into_iter().map(|(name, root)| (name.to_owned(), root)).collect()
    })
}

fn document(roots: &BTreeMap<String, Content>) -> YjsDocument {
    let mut document = YjsDocument::default();
    let update = document.write_as(ClientId(1), |writer| {
        for (name, content) in roots {
            let branch = crate::doc::restore::root(writer.txn(), name, content)?;
            append(writer, branch, content)?;
        }
        Ok(())
    });
    if let Some(update) = update.expect("the content is written") {
        document.apply(&update).expect("what the engine writes it takes");
    }
    document
}

/// Roots that hold something: one that is empty and one that is not there are the same.
fn full(roots: BTreeMap<String, Content>) -> BTreeMap<String, Content> {
    roots.into_iter().filter(|(_, root)| !root.is_empty()).collect()
}

fn read(document: &YjsDocument) -> BTreeMap<String, Content> {
    full(document.roots().expect("the document is sound"))
}

fn restore(document: &mut YjsDocument, target: &YjsDocument, author: ClientId) -> usize {
    let Some(update) = document.restore(target, author).expect("all of it can be written") else { return 0 };
    let applied = document.apply(&update).expect("what the engine writes it takes");
    assert!(!applied.gap);
    update.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(roots in roots()) {
        prop_assert_eq!(read(&document(&roots)), full(roots));
    }

    #[test]
    fn a_document_comes_to_hold_what_another_holds(one in roots(), other in roots()) {
        let (mut document, target) = (document(&one), document(&other));
        let changes = document.changes_to(&target).expect("both are sound");
        let written = restore(&mut document, &target, AUTHOR);
        prop_assert_eq!(read(&document), full(other));
        prop_assert_eq!(changes.is_empty(), written == 0);
        prop_assert!(document.restore(&target, ClientId(901)).expect("nothing is to be written").is_none());
    }

    #[test]
    fn every_state_of_a_history_comes_back(history in prop::collection::vec(edits(), 1..24)) {
        let author = client(1);
        let updates: Vec<Bytes> = history.iter().map(|made| edit(&author, made)).collect();
        let at = |upto: usize| {
            let mut document = YjsDocument::default();
            updates[..upto].iter().for_each(|update| document.replay(update).expect("it was made in this order"));
            document
        };
        let mut head = at(updates.len());
        for upto in (0..=updates.len()).rev() {
            restore(&mut head, &at(upto), ClientId(900 + upto as u64));
            prop_assert_eq!(read(&head), read(&at(upto)));
        }
    }
}

fn paragraphs(texts: &[&str]) -> BTreeMap<String, Content> {
    let paragraph = |text: &&str| Content::Element {
        name: "p".to_owned(),
        attributes: Named::new(),
        children: vec![Content::XmlText {
            attributes: Named::new(),
            runs: vec![Run { piece: Piece::Text((*text).to_owned()), format: Format::default() }],
        }],
    };
    let items = texts.iter().map(paragraph).collect();
    [("xml".to_owned(), Content::Items(Items::Fragment, items))].into()
}

#[test]
fn what_both_hold_is_left_alone() {
    let long = "never touched ".repeat(500);
    let mut head = document(&paragraphs(&[&long, "the second is cut", &long]));
    let before = document(&paragraphs(&[&long, "the second is longer", &long]));
    assert!(restore(&mut head, &before, AUTHOR) < 100, "only the words that differ are written");
    assert_eq!(read(&head), read(&before));
}

#[test]
fn changes_are_named_by_place() {
    let one = document(&paragraphs(&["same", "🙂 the cat", "gone"]));
    let other = document(&paragraphs(&["same", "🙂 a cat"]));
    let changes = one.changes_to(&other).expect("both are sound");
    let text = TextChange {
        path: "/xml/1/0".to_owned(),
        at: 3,
        removed: "the".to_owned(),
        inserted: "a".to_owned(),
    };
    assert_eq!(changes[0], Change::Text(text));
    assert!(matches!(&changes[1], Change::Items(items) if items.at == 2 && items.path == "/xml"));
    assert_eq!(changes.len(), 2);
}

#[test]
fn long_texts_without_anything_in_common_take_no_time_in_the_square() {
    let letters = |seed: u32| -> String {
        let mut state = seed;
        (0..60_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'a' + (state >> 24) as u8 % 4)
            })
            .collect()
    };
    let text = |seed| {
        let runs = vec![Run { piece: Piece::Text(letters(seed)), format: Format::default() }];
        document(&[("text".to_owned(), Content::Text(runs))].into())
    };
    let (mut one, other) = (text(1), text(2));
    restore(&mut one, &other, AUTHOR);
    assert_eq!(read(&one), read(&other));
}

#[test]
fn who_has_written_is_no_author_of_a_restoration() {
    let (one, other) = (document(&paragraphs(&["a"])), document(&paragraphs(&["b"])));
    assert_eq!(one.restore(&other, ClientId(1)), Err(WriteError::ClientTaken(ClientId(1))));
}
