//! Reads content from yrs.

use std::{collections::BTreeMap, sync::Arc};

use yrs::{
    ArrayRef, Map, MapRef, Out, ReadTxn, Text, TextRef,
    branch::{Branch, BranchPtr},
    types::text::YChange,
};

use super::{Content, Items, Named, Piece, Run};
use crate::doc::read::{items_of, typed};

/// Reads what a shared type or a value holds; a root without a type counts as what it holds.
pub(in crate::doc) fn content_of<T: ReadTxn>(out: Out, txn: &T) -> Content {
    match typed(out, txn) {
        Out::Any(any) => Content::Value(any),
        Out::YText(text) => Content::Text(runs_of(&text, txn)),
        Out::YArray(array) => sequence(&array, txn, |items| Content::Items(Items::Array, items)),
        Out::YMap(map) => Content::Map(entries(&map, txn)),
        Out::YXmlElement(element) => {
            let branch = branch_of(&element);
            sequence(&ArrayRef::from(branch), txn, |children| Content::Element {
                name: element.tag().to_string(),
                attributes: entries(&MapRef::from(branch), txn),
                children,
            })
        }
        Out::YXmlFragment(fragment) => {
            let array = ArrayRef::from(branch_of(&fragment));
            sequence(&array, txn, |items| Content::Items(Items::Fragment, items))
        }
        Out::YXmlText(text) => {
            let branch = branch_of(&text);
            Content::XmlText {
                attributes: entries(&MapRef::from(branch), txn),
                runs: runs_of(&TextRef::from(branch), txn),
            }
        }
        Out::YDoc(_) | Out::YWeakLink(_) | Out::UndefinedRef(_) => Content::Opaque,
    }
}

/// Reads what each root type holds.
pub(in crate::doc) fn roots_of<T: ReadTxn>(txn: &T) -> BTreeMap<String, Content> {
    txn.root_refs().map(|(name, root)| (name.to_owned(), content_of(root, txn))).collect()
}

/// Reads the runs of a text. Neighbours with one format are one run.
pub(in crate::doc) fn runs_of<T: ReadTxn>(text: &TextRef, txn: &T) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for diff in text.diff(txn, YChange::identity) {
        let format = diff.attributes.iter().flat_map(|format| format.iter());
        let format = Arc::new(format.map(|(name, value)| (Arc::clone(name), value.clone())).collect());
        let piece = match diff.insert {
            Out::Any(yrs::Any::String(text)) if !text.is_empty() => Piece::Text(text.to_string()),
            other => Piece::Embed(Box::new(content_of(other, txn))),
        };
        match (runs.last_mut(), &piece) {
            (Some(Run { piece: Piece::Text(before), format: same }), Piece::Text(text))
                if *same == format =>
            {
                before.push_str(text);
            }
            _ => runs.push(Run { piece, format }),
        }
    }
    runs
}

fn branch_of(shared: &impl AsRef<Branch>) -> BranchPtr {
    BranchPtr::from(shared.as_ref())
}

/// Reads a sequence; one that yrs cannot read is opaque.
fn sequence<T: ReadTxn>(array: &ArrayRef, txn: &T, content: impl FnOnce(Vec<Content>) -> Content) -> Content {
    let Some(items) = items_of(array, txn) else { return Content::Opaque };
    content(items.into_iter().map(|item| content_of(item, txn)).collect())
}

fn entries<T: ReadTxn>(map: &MapRef, txn: &T) -> Named {
    map.iter(txn).map(|(name, value)| (name.to_owned(), content_of(value, txn))).collect()
}
