//! Finds what turns one content into another, with as little changed as possible.

use std::collections::BTreeMap;

use serde_json::Value;
use yrs::Any;

#[cfg(feature = "automerge")]
use super::Special;
use super::{
    Content, Items, Named, Piece, Run,
    hunks::{Effort, Hunk, hunks},
};
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
    Comparison::default().delta(before, after)
}

/// Compares contents of two documents, one after the other, and has one [`Effort`] for all of them.
#[derive(Default)]
pub(in crate::doc) struct Comparison {
    effort: Effort,
}

impl Comparison {
    /// Returns what turns `before` into `after`.
    pub(in crate::doc) fn delta(&mut self, before: &Content, after: &Content) -> Delta {
        if before == after {
            return Delta::Same;
        }
        match (before, after) {
            (Content::Text(before), Content::Text(after)) => self.text(before, after),
            (Content::Items(kind, before), Content::Items(same, after)) if kind == same => {
                self.items(before, after)
            }
            (Content::Map(before), Content::Map(after)) => Delta::Named(self.named(before, after)),
            (
                Content::Element { name, attributes, children },
                Content::Element { name: same, attributes: new, children: others },
            ) if name == same => Delta::Xml {
                attributes: self.named(attributes, new),
                inside: Box::new(self.items(children, others)),
            },
            (Content::XmlText { attributes, runs }, Content::XmlText { attributes: new, runs: others }) => {
                Delta::Xml {
                    attributes: self.named(attributes, new),
                    inside: Box::new(self.text(runs, others)),
                }
            }
            _ => Delta::Other,
        }
    }

    /// Only names whose parts differ are in it.
    fn named(&mut self, before: &Named, after: &Named) -> BTreeMap<String, Delta> {
        let gone =
            before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), Delta::Other));
        let there = after.iter().filter_map(|(name, new)| {
            let delta = before.get(name).map_or(Delta::Other, |old| self.delta(old, new));
            (delta != Delta::Same).then(|| (name.clone(), delta))
        });
        gone.chain(there).collect()
    }

    fn text(&mut self, before: &[Run], after: &[Run]) -> Delta {
        if before == after {
            return Delta::Same;
        }
        Delta::Text(hunks(&tokens(before), &tokens(after), &mut self.effort))
    }

    fn items(&mut self, before: &[Content], after: &[Content]) -> Delta {
        if before == after {
            return Delta::Same;
        }
        let forms = |items: &[Content]| items.iter().map(|item| form(item).to_string()).collect::<Vec<_>>();
        let mut found = Vec::new();
        for hunk in hunks(&forms(before), &forms(after), &mut self.effort) {
            self.changed(hunk, before, after, &mut found);
        }
        Delta::Items(found)
    }

    /// Appends a stretch of a sequence, cut where things in one place are the same: a stretch that was not looked into may
    /// have such.
    fn changed(&mut self, hunk: Hunk, before: &[Content], after: &[Content], found: &mut Vec<ItemsHunk>) {
        let Hunk { before: mut old, after: mut new } = hunk;
        let mut changed = Vec::new();
        for (before, after) in before[old.clone()].iter().zip(&after[new.clone()]) {
            let delta = self.delta(before, after);
            if delta != Delta::Same {
                changed.push(delta);
                continue;
            }
            let (old_end, new_end) = (old.start + changed.len(), new.start + changed.len());
            if !changed.is_empty() {
                let hunk = Hunk { before: old.start..old_end, after: new.start..new_end };
                found.push(ItemsHunk { hunk, changed: std::mem::take(&mut changed) });
            }
            (old.start, new.start) = (old_end + 1, new_end + 1);
        }
        if !old.is_empty() || !new.is_empty() {
            found.push(ItemsHunk { hunk: Hunk { before: old, after: new }, changed });
        }
    }
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
