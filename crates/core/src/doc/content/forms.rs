//! What tells contents apart: those that differ never have one form.

use std::{collections::HashMap, ptr, sync::Arc};

use serde_json::Value;
use yrs::{Any, Number};

#[cfg(feature = "automerge")]
use super::Special;
use super::{Content, Items, Named, Piece, Run};
use crate::doc::read::json;

/// Shortest string, in bytes, that is told by a number.
const LONG_BYTES_MIN: usize = 64;

/// Numbers for contents: two have one number exactly if they have one form.
///
/// The form of what holds others is made of their numbers, and not of their forms, so that things are not told again for
/// each level that they lie in.
#[derive(Default)]
pub(super) struct Forms<'a> {
    numbers: HashMap<String, u64>,
    /// The contents that have one already, by address: they are borrowed, and stay where they are.
    known: HashMap<*const Content, u64>,
    /// The long strings that have one already, by address: a value that many formats have is not told for each.
    strings: HashMap<*const u8, u64>,
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
        let form = form_with(content, self).to_string();
        let number = self.number(form);
        self.known.insert(at, number);
        number
    }

    fn number(&mut self, form: String) -> u64 {
        let next = self.numbers.len() as u64;
        *self.numbers.entry(form).or_insert(next)
    }

    #[cfg(test)]
    pub(super) fn formed(&self) -> usize {
        self.formed
    }
}

/// What tells the parts of a content apart.
trait Parts<'a> {
    fn content(&mut self, content: &'a Content) -> Value;
    fn string(&mut self, string: &'a Arc<str>) -> Value;
}

impl<'a> Parts<'a> for Forms<'a> {
    fn content(&mut self, content: &'a Content) -> Value {
        self.of(content).into()
    }

    fn string(&mut self, string: &'a Arc<str>) -> Value {
        if string.len() < LONG_BYTES_MIN {
            return Value::from(&**string);
        }
        let at = string.as_ptr();
        let known = self.strings.get(&at).copied();
        let number = known.unwrap_or_else(|| self.number(Value::from(&**string).to_string()));
        self.strings.insert(at, number);
        tagged("string", [number.into()])
    }
}

/// Tells all of each part.
struct Whole;

impl<'a> Parts<'a> for Whole {
    fn content(&mut self, content: &'a Content) -> Value {
        form(content)
    }

    fn string(&mut self, string: &'a Arc<str>) -> Value {
        Value::from(&**string)
    }
}

/// Returns the form of a content and of all that is in it.
pub(super) fn form(content: &Content) -> Value {
    form_with(content, &mut Whole)
}

/// Returns the form of a content; `inner` tells the parts of it apart.
fn form_with<'a>(content: &'a Content, inner: &mut dyn Parts<'a>) -> Value {
    match content {
        Content::Text(runs) => tagged("text", [runs_form(runs, inner)]),
        Content::Items(kind, items) => tagged(
            match kind {
                Items::Array => "array",
                Items::Fragment => "fragment",
            },
            items.iter().map(|item| inner.content(item)),
        ),
        Content::Map(entries) => tagged("map", [named_form(entries, inner)]),
        Content::Element { name, attributes, children } => {
            let name = [Value::from(&**name), named_form(attributes, inner)];
            tagged("element", name.into_iter().chain(children.iter().map(|child| inner.content(child))))
        }
        Content::XmlText { attributes, runs } => {
            tagged("xml-text", [named_form(attributes, inner), runs_form(runs, inner)])
        }
        Content::Value(any) => value_form(any, inner),
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

fn named_form<'a>(named: &'a Named, inner: &mut dyn Parts<'a>) -> Value {
    named.iter().map(|(name, content)| (name.clone(), inner.content(content))).collect()
}

fn runs_form<'a>(runs: &'a [Run], inner: &mut dyn Parts<'a>) -> Value {
    let parts = runs.iter().flat_map(|run| {
        let piece = match &run.piece {
            Piece::Text(text) => Value::from(&**text),
            Piece::Embed(content) => inner.content(content),
        };
        let format = run.format.iter().map(|(name, value)| (name.to_string(), value_form(value, inner)));
        [piece, format.collect()]
    });
    parts.collect()
}

fn value_form<'a>(any: &'a Any, inner: &mut dyn Parts<'a>) -> Value {
    match any {
        Any::Undefined => tagged("undefined", []),
        Any::Buffer(_) => tagged("bytes", [json(any)]),
        Any::Array(items) => tagged("values", items.iter().map(|item| value_form(item, inner))),
        Any::Map(entries) => {
            entries.iter().map(|(name, value)| (name.clone(), value_form(value, inner))).collect()
        }
        // JSON has null for what is infinite or not a number.
        Any::Number(Number::Float(value)) if !value.is_finite() => {
            tagged("number", [value.to_string().into()])
        }
        Any::String(string) => inner.string(string),
        Any::Null | Any::Bool(_) | Any::Number(_) => json(any),
    }
}
