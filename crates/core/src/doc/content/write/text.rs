//! Writes texts into yrs.

use std::sync::Arc;

use yrs::{
    Any, GetString, Text, TextRef, TransactionMut,
    types::{self, Attrs},
};

use super::{Budget, Element, Unwritable, Writer};
use crate::doc::content::{Format, Hunk, Piece, Run, chars_of, read::runs_of};

/// Characters first, in one pass; formats then, from what has come of them.
pub(super) fn write_text(
    w: &mut Writer<'_, '_>,
    text: &TextRef,
    hunks: &[Hunk],
    after: &[Run],
) -> Result<(), Unwritable> {
    let before = runs_of(text, w.txn);
    if !is_of_text(text, &before, w.txn) {
        return Err(Unwritable::Content);
    }
    let (mut old, mut new) = (Units::of(&before), Units::of(after));
    let mut delta = Vec::new();
    for hunk in hunks {
        delta.push(types::Delta::Retain(old.skip_to(hunk.before.start), None));
        delta.push(types::Delta::Deleted(old.skip_to(hunk.before.end)));
        new.skip_to(hunk.after.start);
        new.insert_to(hunk.after.end, &old.around(), w.budget, &mut delta)?;
    }
    apply(w, text, delta)?;
    reformat(w, text, after)
}

/// Returns whether there is nothing in a text that no client puts there: what stands in an array, which yrs counts and does not tell; or
/// an embed that is a string, which cannot be told from characters.
fn is_of_text(text: &TextRef, runs: &[Run], txn: &TransactionMut<'_>) -> bool {
    let characters = chars_of(runs).encode_utf16().count();
    let embeds = runs.iter().filter(|run| matches!(run.piece, Piece::Embed(_))).count();
    characters == text.get_string(txn).encode_utf16().count() && characters + embeds == text.len(txn) as usize
}

/// Gives each stretch of a text, whose characters are as they should be, the format that it should have.
fn reformat(w: &mut Writer<'_, '_>, text: &TextRef, after: &[Run]) -> Result<(), Unwritable> {
    let before = runs_of(text, w.txn);
    let (mut old, mut new) = (Units::of(&before), Units::of(after));
    let mut delta: TextDelta<'_> = Vec::new();
    while let (Some((run, left)), Some((other, other_left))) = (old.rest(), new.rest()) {
        let both = left.min(other_left);
        let len = old.advance(both);
        new.advance(both);
        w.budget.spend([&run.format, &other.format])?;
        let change = format_change(&run.format, &other.format);
        delta.push(types::Delta::Retain(len, (!change.is_empty()).then(|| Box::new(change))));
    }
    if delta.iter().any(|retained| matches!(retained, types::Delta::Retain(_, Some(_)))) {
        apply(w, text, delta)?;
    }
    Ok(())
}

/// Puts runs at the beginning of a text.
pub(super) fn insert_runs(w: &mut Writer<'_, '_>, text: &TextRef, runs: &[Run]) -> Result<(), Unwritable> {
    let mut delta = Vec::new();
    Units::of(runs).insert_to(usize::MAX, &[], w.budget, &mut delta)?;
    apply(w, text, delta)
}

type TextDelta<'a> = Vec<types::Delta<Element<'a>>>;

fn apply(w: &mut Writer<'_, '_>, text: &TextRef, delta: TextDelta<'_>) -> Result<(), Unwritable> {
    text.apply_delta(w.txn, delta);
    w.budget.result()
}

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
        budget: &'a Budget,
        delta: &mut TextDelta<'a>,
    ) -> Result<(), Unwritable> {
        while self.place < upto
            && let Some((run, left)) = self.rest()
        {
            let taken = self.take(left.min(upto - self.place));
            let inserted = match &run.piece {
                Piece::Text(_) => Element::of_value(taken.into()),
                Piece::Embed(content) => Element::of(content, budget)?,
            };
            budget.spend(around.iter().copied().chain([&run.format]))?;
            delta.push(types::Delta::Inserted(inserted, Some(Box::new(attrs(&run.format)))));
        }
        Ok(())
    }
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
    use yrs::{Doc, Out, Transact};

    use super::*;
    use crate::doc::content::{Content, Items, Named, content_of};

    /// Goal: whatever can stand in an array can stand in a text, and what cannot be written in it is told.
    #[test]
    fn shared_types_stand_in_texts() {
        let array = |content| Content::Items(Items::Array, vec![content]);
        let inside = Content::Text(vec![run(Piece::Text("inside".into()))]);
        let element =
            Content::Element { name: "p".into(), attributes: Named::new(), children: vec![inside.clone()] };
        for content in [inside.clone(), array(inside), element] {
            assert_eq!(written(content), Ok(()));
        }
        assert_eq!(written(array(Content::Opaque)), Err(Unwritable::Content));
    }

    fn run(piece: Piece) -> Run {
        Run { piece, format: Format::default() }
    }

    fn written(content: Content) -> Result<(), Unwritable> {
        let doc = Doc::new();
        let text = doc.get_or_insert_text("t");
        let mut txn = doc.transact_mut();
        let runs = vec![run(Piece::Text("before".into())), run(Piece::Embed(Box::new(content)))];
        insert_runs(&mut Writer::new(&mut txn, &Budget::new(0)), &text, &runs)?;
        assert_eq!(content_of(Out::YText(text), &txn), Content::Text(runs));
        Ok(())
    }
}
