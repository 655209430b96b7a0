//! Writes content into yrs.

mod budget;
mod items;
mod text;

use std::collections::BTreeMap;

use yrs::{
    Any, ArrayPrelim, In, Map, MapPrelim, MapRef, Out, TextRef, TransactionMut, XmlElementPrelim,
    XmlFragmentPrelim,
    block::{ItemContent, Prelim, Unused},
    branch::BranchPtr,
    types::{text::DeltaPrelim, xml::XmlDeltaPrelim},
};

pub(in crate::doc) use self::budget::Budget;
use self::{
    items::{append_items, write_items},
    text::{insert_runs, write_text},
};
use super::{Content, Delta, Items, Named};

/// Why something cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doc) enum Unwritable {
    /// It cannot be written anew: a subdocument, or a type that the engine only passes on.
    Content,
    /// Its formats, and those of what stands there, come to too much.
    Formats,
    /// Too much changes in long arrays.
    Long,
}

/// Writes in a transaction.
pub(in crate::doc) struct Writer<'a, 'doc> {
    txn: &'a mut TransactionMut<'doc>,
    budget: &'a Budget,
}

impl<'a, 'doc> Writer<'a, 'doc> {
    /// Begins.
    pub(in crate::doc) fn new(txn: &'a mut TransactionMut<'doc>, budget: &'a Budget) -> Self {
        Self { txn, budget }
    }

    /// Returns the transaction.
    pub(in crate::doc) fn txn(&mut self) -> &mut TransactionMut<'doc> {
        self.txn
    }
}

/// Changes a shared type by `delta`, which turns what it holds into `after`.
pub(in crate::doc) fn write(
    w: &mut Writer<'_, '_>,
    branch: BranchPtr,
    delta: &Delta,
    after: &Content,
) -> Result<(), Unwritable> {
    match (delta, after) {
        (Delta::Same, _) => Ok(()),
        (Delta::Text(hunks), Content::Text(runs) | Content::XmlText { runs, .. }) => {
            write_text(w, &TextRef::from(branch), hunks, runs)
        }
        (Delta::Items(hunks), Content::Items(_, items) | Content::Element { children: items, .. }) => {
            write_items(w, branch, hunks, items)
        }
        (Delta::Named(named), Content::Map(entries)) => write_named(w, branch, named, entries),
        (
            Delta::Xml { attributes, inside },
            Content::Element { attributes: entries, .. } | Content::XmlText { attributes: entries, .. },
        ) => {
            write_named(w, branch, attributes, entries)?;
            write(w, branch, inside, after)
        }
        // A shared type stays what it is; who holds it puts another in its place.
        _ => Err(Unwritable::Content),
    }
}

/// Puts content at the end of what an empty shared type holds.
pub(in crate::doc) fn append(
    w: &mut Writer<'_, '_>,
    branch: BranchPtr,
    content: &Content,
) -> Result<(), Unwritable> {
    match content {
        Content::Text(runs) => insert_runs(w, &TextRef::from(branch), runs),
        Content::Items(_, items) => append_items(w, branch, items),
        Content::Map(entries) => put_all(w, branch, entries),
        Content::Element { attributes, children, .. } => {
            put_all(w, branch, attributes)?;
            append_items(w, branch, children)
        }
        Content::XmlText { attributes, runs } => {
            put_all(w, branch, attributes)?;
            insert_runs(w, &TextRef::from(branch), runs)
        }
        _ => Err(Unwritable::Content),
    }
}

fn put_all(w: &mut Writer<'_, '_>, branch: BranchPtr, entries: &Named) -> Result<(), Unwritable> {
    entries.iter().try_for_each(|(name, content)| put(w, &MapRef::from(branch), name, content))
}

fn put(w: &mut Writer<'_, '_>, map: &MapRef, name: &str, content: &Content) -> Result<(), Unwritable> {
    map.insert(w.txn, name, Element::of(content, w.budget)?);
    w.budget.result()
}

fn write_named(
    w: &mut Writer<'_, '_>,
    branch: BranchPtr,
    changed: &BTreeMap<String, Delta>,
    after: &Named,
) -> Result<(), Unwritable> {
    let map = MapRef::from(branch);
    for (name, delta) in changed {
        match (delta, after.get(name)) {
            (_, None) => {
                map.remove(w.txn, name);
            }
            (Delta::Other, Some(content)) => put(w, &map, name, content)?,
            (delta, Some(content)) => {
                let inside = map.get(w.txn, name).as_ref().and_then(Out::try_branch).map(BranchPtr::from);
                write(w, inside.ok_or(Unwritable::Content)?, delta, content)?;
            }
        }
    }
    Ok(())
}

/// Content that is put into a shared type. yrs asks for what is in it once it has its place.
struct Element<'a> {
    shell: In,
    inside: Option<(&'a Content, &'a Budget)>,
}

impl<'a> Element<'a> {
    /// A plain value.
    fn of_value(value: Any) -> Self {
        Self { shell: In::Any(value), inside: None }
    }

    /// Content of any kind. If it cannot be written, the budget knows afterwards.
    fn of(content: &'a Content, budget: &'a Budget) -> Result<Self, Unwritable> {
        let shell = match content {
            Content::Text(_) => In::Text(DeltaPrelim::default()),
            Content::Items(Items::Array, _) => In::Array(ArrayPrelim::default()),
            Content::Items(Items::Fragment, _) => In::XmlFragment(XmlFragmentPrelim::default()),
            Content::Map(_) => In::Map(MapPrelim::default()),
            Content::Element { name, .. } => In::XmlElement(XmlElementPrelim::empty(&**name)),
            Content::XmlText { .. } => In::XmlText(XmlDeltaPrelim::default()),
            Content::Value(any) => return Ok(Self::of_value(any.clone())),
            _ => return Err(Unwritable::Content),
        };
        Ok(Self { shell, inside: Some((content, budget)) })
    }
}

impl Prelim for Element<'_> {
    type Return = Unused;

    fn into_content(self, txn: &mut TransactionMut<'_>) -> (ItemContent, Option<Self>) {
        let (content, shell) = self.shell.into_content(txn);
        (content, shell.map(|shell| Self { shell, ..self }))
    }

    fn integrate(self, txn: &mut TransactionMut<'_>, branch: BranchPtr) {
        if let Some((content, budget)) = self.inside {
            budget.note(append(&mut Writer::new(txn, budget), branch, content));
        }
    }
}
