//! Writes content into automerge.

use std::collections::BTreeMap;

use automerge::{
    AutomergeError, ObjId, ObjType, Prop, ReadDoc, ScalarValue, Value,
    marks::{ExpandMark, Mark},
    transaction::{Transactable, Transaction},
};
use yrs::{Any, Number};

use super::read;
use crate::doc::content::{
    Content, Delta, Format, Hunk, ItemsHunk, Named, Piece, Run, Special, Unwritable, chars_of,
};

impl From<AutomergeError> for Unwritable {
    fn from(_: AutomergeError) -> Self {
        Self::Content
    }
}

/// Changes entries of a map by `delta`, which turns them into `after`.
pub(super) fn write_entries(
    txn: &mut Transaction<'_>,
    map: &ObjId,
    delta: &BTreeMap<String, Delta>,
    after: &Named,
) -> Result<(), Unwritable> {
    for (name, delta) in delta {
        match after.get(name) {
            Some(content) => write_at(txn, map, name.as_str().into(), delta, content)?,
            None => txn.delete(map, name.as_str())?,
        }
    }
    Ok(())
}

/// Changes what is at a place by `delta`, which turns it into `after`.
fn write_at(
    txn: &mut Transaction<'_>,
    holder: &ObjId,
    place: Prop,
    delta: &Delta,
    after: &Content,
) -> Result<(), Unwritable> {
    let before = txn.get(holder, place.clone())?;
    match (delta, after, &before) {
        (Delta::Same, ..) => Ok(()),
        (Delta::Other, Content::Special(Special::Counter(value)), Some((Value::Scalar(scalar), _)))
            if let ScalarValue::Counter(counter) = scalar.as_ref() =>
        {
            // Whoever adds to it meanwhile loses nothing.
            let more = value.checked_sub(i64::from(counter)).ok_or(Unwritable::Content)?;
            Ok(txn.increment(holder, place, more)?)
        }
        (Delta::Other, ..) => put(txn, holder, place, after),
        (Delta::Named(named), Content::Map(entries), Some((Value::Object(_), id))) => {
            write_entries(txn, id, named, entries)
        }
        (Delta::Items(hunks), Content::Items(_, items), Some((Value::Object(_), id))) => {
            write_items(txn, id, hunks, items)
        }
        (Delta::Text(hunks), Content::Text(runs), Some((Value::Object(_), id))) => {
            write_text(txn, id, hunks, runs)
        }
        _ => Err(Unwritable::Content),
    }
}

/// From the back, so that places before a stretch stay what they are.
fn write_items(
    txn: &mut Transaction<'_>,
    list: &ObjId,
    hunks: &[ItemsHunk],
    after: &[Content],
) -> Result<(), Unwritable> {
    for ItemsHunk { hunk: Hunk { before: old, after: new }, changed } in hunks.iter().rev() {
        let kept = changed.len();
        for _ in old.start + kept..old.end {
            txn.delete(list, old.start + kept)?;
        }
        for (n, item) in after[new.start + kept..new.end].iter().enumerate() {
            insert(txn, list, old.start + kept + n, item)?;
        }
        for (n, delta) in changed.iter().enumerate() {
            write_at(txn, list, (old.start + n).into(), delta, &after[new.start + n])?;
        }
    }
    Ok(())
}

fn write_text(
    txn: &mut Transaction<'_>,
    text: &ObjId,
    hunks: &[Hunk],
    after: &[Run],
) -> Result<(), Unwritable> {
    let chars = slots(after);
    for Hunk { before: old, after: new } in hunks.iter().rev() {
        let inserted: Option<String> = chars[new.clone()].iter().map(|(char, _)| *char).collect();
        let removed = isize::try_from(old.len()).map_err(|_| Unwritable::Content)?;
        txn.splice_text(text, old.start, removed, &inserted.ok_or(Unwritable::Content)?)?;
    }
    write_marks(txn, text, &chars)
}

/// Each character of a text, or nothing for what is none, with its format.
fn slots(runs: &[Run]) -> Vec<(Option<char>, &Format)> {
    let slots = runs.iter().flat_map(|run| {
        let chars: Vec<Option<char>> = match &run.piece {
            Piece::Text(text) => text.chars().map(Some).collect(),
            Piece::Embed(_) => vec![None],
        };
        chars.into_iter().map(|char| (char, &run.format))
    });
    slots.collect()
}

/// Marks the stretches whose format is another than it should be.
fn write_marks(
    txn: &mut Transaction<'_>,
    text: &ObjId,
    wanted: &[(Option<char>, &Format)],
) -> Result<(), Unwritable> {
    let found = read::runs(txn, text);
    let found = slots(&found);
    let mut open: BTreeMap<&str, (usize, Option<&Any>)> = BTreeMap::new();
    let mut marks = Vec::new();
    for at in 0..=wanted.len() {
        let (is, should) = match (found.get(at), wanted.get(at)) {
            (Some((_, is)), Some((_, should))) => (Some(*is), Some(*should)),
            _ => (None, None),
        };
        let names = is.into_iter().chain(should).flat_map(|format| format.keys());
        let differing: BTreeMap<&str, Option<&Any>> = names
            .filter(|name| is.and_then(|is| is.get(*name)) != should.and_then(|should| should.get(*name)))
            .map(|name| (&**name, should.and_then(|should| should.get(name))))
            .collect();
        open.retain(|name, (from, value)| {
            let goes_on = differing.get(name) == Some(value);
            if !goes_on {
                marks.push((*from, at, (*name).to_owned(), value.cloned()));
            }
            goes_on
        });
        for (name, value) in differing {
            open.entry(name).or_insert((at, value));
        }
    }
    for (from, to, name, value) in marks {
        let value = value.map_or(Ok(ScalarValue::Null), |value| scalar(&value))?;
        txn.mark(text, Mark::new(name, value, from, to), ExpandMark::After)?;
    }
    Ok(())
}

fn put(txn: &mut Transaction<'_>, holder: &ObjId, place: Prop, content: &Content) -> Result<(), Unwritable> {
    match kind(content) {
        Some(kind) => {
            let object = txn.put_object(holder, place, kind)?;
            fill(txn, &object, content)
        }
        None => Ok(txn.put(holder, place, plain(content)?)?),
    }
}

fn insert(
    txn: &mut Transaction<'_>,
    list: &ObjId,
    place: usize,
    content: &Content,
) -> Result<(), Unwritable> {
    match kind(content) {
        Some(kind) => {
            let object = txn.insert_object(list, place, kind)?;
            fill(txn, &object, content)
        }
        None => Ok(txn.insert(list, place, plain(content)?)?),
    }
}

fn kind(content: &Content) -> Option<ObjType> {
    match content {
        Content::Map(_) => Some(ObjType::Map),
        Content::Items(..) => Some(ObjType::List),
        Content::Text(_) => Some(ObjType::Text),
        _ => None,
    }
}

/// Puts content into an object that holds nothing.
fn fill(txn: &mut Transaction<'_>, object: &ObjId, content: &Content) -> Result<(), Unwritable> {
    match content {
        Content::Map(entries) => {
            entries.iter().try_for_each(|(name, content)| put(txn, object, name.as_str().into(), content))
        }
        Content::Items(_, items) => {
            items.iter().enumerate().try_for_each(|(place, item)| insert(txn, object, place, item))
        }
        Content::Text(runs) => {
            let slots = slots(runs);
            if slots.iter().any(|(char, _)| char.is_none()) {
                return Err(Unwritable::Content);
            }
            txn.splice_text(object, 0, 0, &chars_of(runs))?;
            write_marks(txn, object, &slots)
        }
        _ => Err(Unwritable::Content),
    }
}

fn plain(content: &Content) -> Result<ScalarValue, Unwritable> {
    match content {
        Content::Value(any) => scalar(any),
        Content::Special(Special::Counter(value)) => Ok(ScalarValue::counter(*value)),
        Content::Special(Special::Timestamp(at)) => Ok(ScalarValue::Timestamp(*at)),
        Content::Special(Special::Unsigned(value)) => Ok(ScalarValue::Uint(*value)),
        _ => Err(Unwritable::Content),
    }
}

fn scalar(any: &Any) -> Result<ScalarValue, Unwritable> {
    Ok(match any {
        Any::Null | Any::Undefined => ScalarValue::Null,
        Any::Bool(value) => ScalarValue::Boolean(*value),
        Any::Number(Number::Int(value)) => ScalarValue::Int(*value),
        Any::Number(Number::Float(value)) => ScalarValue::F64(*value),
        Any::String(text) => ScalarValue::Str(text.as_ref().into()),
        Any::Buffer(bytes) => ScalarValue::Bytes(bytes.to_vec()),
        Any::Array(_) | Any::Map(_) => return Err(Unwritable::Content),
    })
}
