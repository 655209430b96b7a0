//! Writes content into yrs.

use std::{collections::BTreeMap, sync::Arc};

use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, In, Map, MapPrelim, MapRef, Out, Text, TextRef, TransactionMut,
    XmlElementPrelim,
    branch::BranchPtr,
    types::{self, Attrs, text::DeltaPrelim},
};

use super::{Content, Delta, Format, Items, Named, Piece, Run, delta::ItemsHunk, hunks::Hunk, read::runs_of};
use crate::{doc::formats::weight, limits::FORMATS_BYTES_MAX};

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

/// Most bytes of formats that are written, and compared, at once. What is read of both documents and what is inserted may come to
/// [`FORMATS_BYTES_MAX`] each; yrs ends and opens again all formats around what is inserted.
const WRITTEN_BYTES_MAX: u64 = 4 * FORMATS_BYTES_MAX;

/// Most elements of arrays that are walked over at once: some seconds.
const WALKED_MAX: u64 = 200_000_000;

/// Writes in a transaction.
pub(in crate::doc) struct Writer<'a, 'doc> {
    txn: &'a mut TransactionMut<'doc>,
    /// Bytes of formats that may still be written.
    left: u64,
    /// Elements of arrays that may still be walked over.
    steps: u64,
}

impl<'a, 'doc> Writer<'a, 'doc> {
    /// Begins.
    pub(in crate::doc) fn new(txn: &'a mut TransactionMut<'doc>) -> Self {
        Self { txn, left: WRITTEN_BYTES_MAX, steps: WALKED_MAX }
    }

    /// Returns the transaction.
    pub(in crate::doc) fn txn(&mut self) -> &mut TransactionMut<'doc> {
        self.txn
    }

    /// Counts a change of an array: yrs walks there from its beginning.
    fn walk(&mut self, array: &ArrayRef) -> Result<(), Unwritable> {
        let steps = u64::from(array.len(self.txn));
        self.steps = self.steps.checked_sub(steps).ok_or(Unwritable::Long)?;
        Ok(())
    }

    fn spend<'f>(&mut self, formats: impl IntoIterator<Item = &'f Format>) -> Result<(), Unwritable> {
        for format in formats {
            self.left = self.left.checked_sub(weight(format)).ok_or(Unwritable::Formats)?;
        }
        Ok(())
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
            write_items(w, &ArrayRef::from(branch), hunks, items)
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
        Content::Items(_, items) => insert_items(w, &ArrayRef::from(branch), 0, items),
        Content::Map(entries) => put_all(w, branch, entries),
        Content::Element { attributes, children, .. } => {
            put_all(w, branch, attributes)?;
            insert_items(w, &ArrayRef::from(branch), 0, children)
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
    let there = map.insert(w.txn, name, empty(content)?);
    fill(w, &there, content)
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

/// Puts in values that follow each other at once: yrs joins what is put in one by one, and copies what it has joined each time.
fn insert_items(
    w: &mut Writer<'_, '_>,
    array: &ArrayRef,
    mut at: u32,
    items: &[Content],
) -> Result<(), Unwritable> {
    for group in items.chunk_by(|one, next| is_value(one) && is_value(next)) {
        w.walk(array)?;
        let values = group.iter().filter_map(|item| match item {
            Content::Value(value) => Some(value.clone()),
            _ => None,
        });
        match group {
            [content] if !is_value(content) => {
                let there = array.insert(w.txn, at, empty(content)?);
                fill(w, &there, content)?;
            }
            _ => array.insert_range(w.txn, at, values),
        }
        at += group.len() as u32;
    }
    Ok(())
}

fn is_value(content: &Content) -> bool {
    matches!(content, Content::Value(_))
}

/// From the last to the first, so that the numbers of those before stay.
fn write_items(
    w: &mut Writer<'_, '_>,
    array: &ArrayRef,
    hunks: &[ItemsHunk],
    after: &[Content],
) -> Result<(), Unwritable> {
    for ItemsHunk { hunk: Hunk { before, after: new }, changed } in hunks.iter().rev() {
        let kept = changed.len();
        let end = (before.start + kept) as u32;
        if before.len() > kept {
            w.walk(array)?;
            array.remove_range(w.txn, end, (before.len() - kept) as u32);
        }
        insert_items(w, array, end, &after[new.start + kept..new.end])?;
        let is_other = |delta: &Delta| *delta == Delta::Other;
        let mut left = kept;
        for group in changed.chunk_by(|one, next| is_other(one) && is_other(next)).rev() {
            left -= group.len();
            let (place, others) = ((before.start + left) as u32, &after[new.start + left..]);
            w.walk(array)?;
            if group.iter().all(is_other) {
                array.remove_range(w.txn, place, group.len() as u32);
                insert_items(w, array, place, &others[..group.len()])?;
                continue;
            }
            for (delta, content) in group.iter().zip(others) {
                let inside = array.get(w.txn, place).as_ref().and_then(Out::try_branch).map(BranchPtr::from);
                write(w, inside.ok_or(Unwritable::Content)?, delta, content)?;
            }
        }
    }
    Ok(())
}

/// What stands for content until it is filled.
fn empty(content: &Content) -> Result<In, Unwritable> {
    Ok(match content {
        Content::Text(_) => In::Text(DeltaPrelim::default()),
        Content::Items(Items::Array, _) => In::Array(ArrayPrelim::default()),
        Content::Items(Items::Fragment, _) => In::XmlFragment(yrs::XmlFragmentPrelim::default()),
        Content::Map(_) => In::Map(MapPrelim::default()),
        Content::Element { name, .. } => In::XmlElement(XmlElementPrelim::empty(&**name)),
        Content::XmlText { .. } => In::XmlText(yrs::types::xml::XmlDeltaPrelim::default()),
        Content::Value(any) => In::Any(any.clone()),
        _ => return Err(Unwritable::Content),
    })
}

fn fill(w: &mut Writer<'_, '_>, there: &Out, content: &Content) -> Result<(), Unwritable> {
    match there.try_branch() {
        Some(branch) => append(w, BranchPtr::from(branch), content),
        None => Ok(()),
    }
}

/// Characters first, in one pass; formats then, from what has come of them.
fn write_text(
    w: &mut Writer<'_, '_>,
    text: &TextRef,
    hunks: &[Hunk],
    after: &[Run],
) -> Result<(), Unwritable> {
    let before = runs_of(text, w.txn);
    let (mut old, mut new) = (Units::of(&before), Units::of(after));
    let mut delta = Vec::new();
    for hunk in hunks {
        delta.push(types::Delta::Retain(old.skip_to(hunk.before.start), None));
        delta.push(types::Delta::Deleted(old.skip_to(hunk.before.end)));
        new.skip_to(hunk.after.start);
        new.insert_to(hunk.after.end, &old.around(), w, &mut delta)?;
    }
    text.apply_delta(w.txn, delta);
    reformat(w, text, after)
}

/// Gives each stretch of a text, whose characters are as they should be, the format that it should have.
fn reformat(w: &mut Writer<'_, '_>, text: &TextRef, after: &[Run]) -> Result<(), Unwritable> {
    let before = runs_of(text, w.txn);
    let (mut old, mut new) = (Units::of(&before), Units::of(after));
    let mut delta: TextDelta = Vec::new();
    while let (Some((run, left)), Some((other, other_left))) = (old.rest(), new.rest()) {
        let both = left.min(other_left);
        let len = old.advance(both);
        new.advance(both);
        w.spend([&run.format, &other.format])?;
        let change = format_change(&run.format, &other.format);
        delta.push(types::Delta::Retain(len, (!change.is_empty()).then(|| Box::new(change))));
    }
    if delta.iter().any(|retained| matches!(retained, types::Delta::Retain(_, Some(_)))) {
        text.apply_delta(w.txn, delta);
    }
    Ok(())
}

fn insert_runs(w: &mut Writer<'_, '_>, text: &TextRef, runs: &[Run]) -> Result<(), Unwritable> {
    let mut delta = Vec::new();
    Units::of(runs).insert_to(usize::MAX, &[], w, &mut delta)?;
    text.apply_delta(w.txn, delta);
    Ok(())
}

type TextDelta = Vec<types::Delta<In>>;

/// Walks through runs by characters; what is no character counts as one.
struct Units<'a> {
    runs: std::slice::Iter<'a, Run>,
    /// The run under way, what is left of its characters, and how many that are.
    current: Option<(&'a Run, &'a str, usize)>,
    place: usize,
}

impl<'a> Units<'a> {
    fn of(runs: &'a [Run]) -> Self {
        Self { runs: runs.iter(), current: None, place: 0 }
    }

    /// Returns the run under way and how many characters are left of it.
    fn rest(&mut self) -> Option<(&'a Run, usize)> {
        if self.current.is_none_or(|(.., left)| left == 0) {
            self.current = self.runs.next().map(|run| match &run.piece {
                Piece::Text(text) => (run, text.as_str(), text.chars().count()),
                Piece::Embed(_) => (run, "", 1),
            });
        }
        self.current.map(|(run, _, left)| (run, left))
    }

    /// Takes characters of the run under way, at most as many as are left, and returns them.
    fn take(&mut self, count: usize) -> &'a str {
        let Some((_, text, left)) = &mut self.current else { return "" };
        let end = text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
        let (taken, rest) = text.split_at(end);
        (*text, *left) = (rest, *left - count);
        self.place += count;
        taken
    }

    /// Passes over characters of the run under way, and returns how many UTF-16 code units they have.
    fn advance(&mut self, count: usize) -> u32 {
        let is_embed = matches!(self.current, Some((Run { piece: Piece::Embed(_), .. }, ..)));
        let taken = self.take(count);
        if is_embed { 1 } else { taken.encode_utf16().count() as u32 }
    }

    /// Passes over all before a character.
    fn skip_to(&mut self, upto: usize) -> u32 {
        let mut len = 0;
        while self.place < upto
            && let Some((_, left)) = self.rest()
        {
            len += self.advance(left.min(upto - self.place));
        }
        len
    }

    /// Returns the formats of what stands before the place reached and of what comes then.
    fn around(&mut self) -> Vec<&'a Format> {
        let before = self.current.map(|(run, ..)| &run.format);
        before.into_iter().chain(self.rest().map(|(run, _)| &run.format)).collect()
    }

    /// Inserts all before a character, at a place where these formats hold.
    fn insert_to(
        &mut self,
        upto: usize,
        around: &[&Format],
        w: &mut Writer<'_, '_>,
        delta: &mut TextDelta,
    ) -> Result<(), Unwritable> {
        while self.place < upto
            && let Some((run, left)) = self.rest()
        {
            let taken = self.take(left.min(upto - self.place));
            let inserted = match &run.piece {
                Piece::Text(_) => In::Any(taken.into()),
                Piece::Embed(content) => embedded(content)?,
            };
            w.spend(around.iter().copied().chain([&run.format]))?;
            delta.push(types::Delta::Inserted(inserted, Some(Box::new(attrs(&run.format)))));
        }
        Ok(())
    }
}

/// What may stand in a text.
fn embedded(content: &Content) -> Result<In, Unwritable> {
    Ok(match content {
        Content::Value(any) => In::Any(any.clone()),
        Content::Items(Items::Array, items) => {
            In::Array(items.iter().map(embedded).collect::<Result<ArrayPrelim, _>>()?)
        }
        Content::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(name, content)| Ok::<_, Unwritable>((name.as_str(), embedded(content)?)));
            In::Map(entries.collect::<Result<MapPrelim, _>>()?)
        }
        _ => return Err(Unwritable::Content),
    })
}

/// What makes one format another; null ends an attribute.
fn format_change(old: &Format, new: &Format) -> Attrs {
    let ended = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (Arc::clone(name), Any::Null));
    let begun = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
    ended.chain(begun.map(|(name, value)| (Arc::clone(name), value.clone()))).collect()
}

fn attrs(format: &Format) -> Attrs {
    format.iter().map(|(name, value)| (Arc::clone(name), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use yrs::{Doc, Transact};

    use super::*;

    #[test]
    fn arrays_are_walked_over_so_far_and_no_further() {
        let maps = vec![Content::Map(Named::new()); 5];
        let written = |steps| {
            let doc = Doc::new();
            let array = doc.get_or_insert_array("a");
            let mut txn = doc.transact_mut();
            let mut writer = Writer { steps, ..Writer::new(&mut txn) };
            insert_items(&mut writer, &array, 0, &maps)
        };
        // The array has none, one, two, three and four of them.
        assert_eq!(written(10), Ok(()));
        assert_eq!(written(9), Err(Unwritable::Long));
    }
}
