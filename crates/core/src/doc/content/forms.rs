//! What tells contents apart: those that differ never have one form.

use std::{collections::HashMap, ptr};

use serde_json::Value;
use yrs::Any;

#[cfg(feature = "automerge")]
use super::Special;
use super::{Content, Items, Named, Piece, Run};
use crate::doc::read::json;

/// Numbers for contents: two have one number exactly if they have one form.
///
/// The form of what holds others is made of their numbers, and not of their forms, so that things are not told again for
/// each level that they lie in.
#[derive(Default)]
pub(super) struct Forms<'a> {
    numbers: HashMap<String, u64>,
    /// The contents that have one already, by address: they are borrowed, and stay where they are.
    known: HashMap<*const Content, u64>,
    #[cfg(test)]
    formed: usize,
    _of: std::marker::PhantomData<&'a Content>,
}

impl<'a> Forms<'a> {
    /// Returns the number of a content.
    pub(super) fn of(&mut self, content: &'a Content) -> u64 {
        let at = ptr::from_ref(content);
        if let Some(number) = self.known.get(&at) {
            return *number;
        }
        #[cfg(test)]
        {
            self.formed += 1;
        }
        let form = form_with(content, &mut |part| self.of(part).into()).to_string();
        let next = self.numbers.len() as u64;
        let number = *self.numbers.entry(form).or_insert(next);
        self.known.insert(at, number);
        number
    }

    #[cfg(test)]
    pub(super) fn formed(&self) -> usize {
        self.formed
    }
}

/// Returns the form of a content and of all that is in it.
pub(super) fn form(content: &Content) -> Value {
    form_with(content, &mut form)
}

/// Returns the form of a content; `inner` tells the parts of it apart.
fn form_with<'a>(content: &'a Content, inner: &mut dyn FnMut(&'a Content) -> Value) -> Value {
    match content {
        Content::Text(runs) => tagged("text", [runs_form(runs, inner)]),
        Content::Items(kind, items) => tagged(
            match kind {
                Items::Array => "array",
                Items::Fragment => "fragment",
            },
            items.iter().map(inner),
        ),
        Content::Map(entries) => tagged("map", [named_form(entries, inner)]),
        Content::Element { name, attributes, children } => {
            let name = [Value::from(&**name), named_form(attributes, inner)];
            tagged("element", name.into_iter().chain(children.iter().map(inner)))
        }
        Content::XmlText { attributes, runs } => {
            tagged("xml-text", [named_form(attributes, inner), runs_form(runs, inner)])
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

fn named_form<'a>(named: &'a Named, inner: &mut dyn FnMut(&'a Content) -> Value) -> Value {
    named.iter().map(|(name, content)| (name.clone(), inner(content))).collect()
}

fn runs_form<'a>(runs: &'a [Run], inner: &mut dyn FnMut(&'a Content) -> Value) -> Value {
    let parts = runs.iter().flat_map(|run| {
        let piece = match &run.piece {
            Piece::Text(text) => Value::from(&**text),
            Piece::Embed(content) => inner(content),
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
