//! Finds what turns one content into another, with as little changed as possible.

use std::{collections::BTreeMap, hash::Hash, ops::Range};

use imara_diff::{Algorithm, Diff, InternedInput, Interner};
use serde_json::Value;
use yrs::Any;

#[cfg(feature = "automerge")]
use super::Special;
use super::{Content, Items, Named, Piece, Run};
use crate::doc::read::json;

/// What turns one content into another.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::doc) enum Delta {
    /// Nothing.
    Same,
    /// All of it is another: the one is taken away, if there is one, and the other put in its place, if there is one.
    Other,
    /// Stretches of the text are, or only their formats.
    Text(Vec<Hunk>),
    /// Stretches of the sequence are, or things in it.
    Items(Vec<ItemsHunk>),
    /// Named parts are.
    Named(BTreeMap<String, Delta>),
    /// Attributes of something in XML, or what it holds.
    Xml { attributes: BTreeMap<String, Delta>, inside: Box<Delta> },
}

/// A stretch that is replaced: by number of the character or thing in the one, and in the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doc) struct Hunk {
    pub(in crate::doc) before: Range<usize>,
    pub(in crate::doc) after: Range<usize>,
}

/// A stretch of a sequence: things of one kind, one behind the other in both, are changed in place; what is left over of
/// the one is removed, what is left over of the other put in.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::doc) struct ItemsHunk {
    pub(in crate::doc) hunk: Hunk,
    /// What becomes of the first things of the stretch.
    pub(in crate::doc) changed: Vec<Delta>,
}

/// A character of a text, or something that stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::doc) enum Token {
    Char(char),
    Embed(String),
}

impl Token {
    /// The length in UTF-16 code units; 1 for what is no character.
    pub(in crate::doc) fn len(&self) -> u32 {
        match self {
            Self::Char(char) => char.len_utf16() as u32,
            Self::Embed(_) => 1,
        }
    }
}

/// Returns what turns `before` into `after`.
pub(in crate::doc) fn delta(before: &Content, after: &Content) -> Delta {
    if before == after {
        return Delta::Same;
    }
    match (before, after) {
        (Content::Text(before), Content::Text(after)) => text(before, after),
        (Content::Items(kind, before), Content::Items(same, after)) if kind == same => items(before, after),
        (Content::Map(before), Content::Map(after)) => Delta::Named(named(before, after)),
        (
            Content::Element { name, attributes, children },
            Content::Element { name: same, attributes: new, children: others },
        ) if name == same => xml(named(attributes, new), items(children, others)),
        (Content::XmlText { attributes, runs }, Content::XmlText { attributes: new, runs: others }) => {
            xml(named(attributes, new), text(runs, others))
        }
        _ => Delta::Other,
    }
}

fn xml(attributes: BTreeMap<String, Delta>, inside: Delta) -> Delta {
    Delta::Xml { attributes, inside: Box::new(inside) }
}

/// Only names whose parts differ are in it.
fn named(before: &Named, after: &Named) -> BTreeMap<String, Delta> {
    let gone =
        before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), Delta::Other));
    let there = after.iter().filter_map(|(name, new)| {
        let delta = before.get(name).map_or(Delta::Other, |old| delta(old, new));
        (delta != Delta::Same).then(|| (name.clone(), delta))
    });
    gone.chain(there).collect()
}

fn text(before: &[Run], after: &[Run]) -> Delta {
    if before == after {
        return Delta::Same;
    }
    Delta::Text(hunks(&tokens(before), &tokens(after)))
}

/// Takes a text apart; formats are left out.
pub(in crate::doc) fn tokens(runs: &[Run]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for run in runs {
        match &run.piece {
            Piece::Text(text) => tokens.extend(text.chars().map(Token::Char)),
            Piece::Embed(content) => tokens.push(Token::Embed(form(content).to_string())),
        }
    }
    tokens
}

fn items(before: &[Content], after: &[Content]) -> Delta {
    if before == after {
        return Delta::Same;
    }
    let forms = |items: &[Content]| items.iter().map(|item| form(item).to_string()).collect::<Vec<_>>();
    let hunks = hunks(&forms(before), &forms(after)).into_iter().map(|hunk| {
        let pairs = before[hunk.before.clone()].iter().zip(&after[hunk.after.clone()]);
        let changed = pairs.map(|(before, after)| delta(before, after)).collect();
        ItemsHunk { hunk, changed }
    });
    Delta::Items(hunks.collect())
}

/// Returns whether two contents are the same to a reader.
#[cfg(feature = "automerge")]
pub(in crate::doc) fn is_same(one: &Content, other: &Content) -> bool {
    form(one) == form(other)
}

/// What tells things in a sequence apart: those that differ never have one form, at any depth.
fn form(content: &Content) -> Value {
    match content {
        Content::Text(runs) => tagged("text", [runs_form(runs)]),
        Content::Items(kind, items) => tagged(
            match kind {
                Items::Array => "array",
                Items::Fragment => "fragment",
            },
            items.iter().map(form),
        ),
        Content::Map(entries) => tagged("map", [named_form(entries)]),
        Content::Element { name, attributes, children } => {
            let name = [Value::from(&**name), named_form(attributes)];
            tagged("element", name.into_iter().chain(children.iter().map(form)))
        }
        Content::XmlText { attributes, runs } => {
            tagged("xml-text", [named_form(attributes), runs_form(runs)])
        }
        Content::Value(any) => value_form(any),
        #[cfg(feature = "automerge")]
        Content::Special(special) => {
            let kind = match special {
                Special::Counter(_) => "counter",
                Special::Timestamp(_) => "timestamp",
                Special::Unsigned(_) => "unsigned",
            };
            tagged(kind, [special.to_json()])
        }
        Content::Opaque => tagged("opaque", []),
    }
}

fn tagged(kind: &str, parts: impl IntoIterator<Item = Value>) -> Value {
    std::iter::once(Value::from(kind)).chain(parts).collect()
}

fn named_form(named: &Named) -> Value {
    named.iter().map(|(name, content)| (name.clone(), form(content))).collect()
}

fn runs_form(runs: &[Run]) -> Value {
    let parts = runs.iter().flat_map(|run| {
        let piece = match &run.piece {
            Piece::Text(text) => Value::from(&**text),
            Piece::Embed(content) => form(content),
        };
        let format = run.format.iter().map(|(name, value)| (name.to_string(), value_form(value)));
        [piece, format.collect()]
    });
    parts.collect()
}

fn value_form(any: &Any) -> Value {
    match any {
        Any::Undefined => tagged("undefined", []),
        Any::Buffer(_) => tagged("bytes", [json(any)]),
        Any::Array(items) => tagged("values", items.iter().map(value_form)),
        Any::Map(entries) => entries.iter().map(|(name, value)| (name.clone(), value_form(value))).collect(),
        Any::Null | Any::Bool(_) | Any::Number(_) | Any::String(_) => json(any),
    }
}

/// Returns the stretches in which two sequences differ, in order and apart.
fn hunks<T: Eq + Hash>(before: &[T], after: &[T]) -> Vec<Hunk> {
    let interner = Interner::new(before.len() + after.len());
    let mut input = InternedInput { before: Vec::new(), after: Vec::new(), interner };
    input.update_before(before.iter());
    input.update_after(after.iter());
    let found = Diff::compute(Algorithm::Histogram, &input);
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    found.hunks().map(|hunk| Hunk { before: range(hunk.before), after: range(hunk.after) }).collect()
}
