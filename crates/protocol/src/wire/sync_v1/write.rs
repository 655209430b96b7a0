//! Writes JSON: keys in the order in which they are written, strings as RFC 8785 has them, numbers exact.

use std::fmt::{self, Write as _};

use data_encoding::BASE64;
use syncline_core::clock::HybridTime;
use syncline_core::entity::{Value, Values};
use syncline_core::time::WallMs;

use super::time;

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

/// Returns the text of an object.
pub(super) fn document(fill: impl FnOnce(&mut Object<'_>)) -> String {
    long_document(0, fill)
}

/// Returns the text of an object of about so many bytes: a long one is not moved while it grows.
pub(super) fn long_document(bytes: usize, fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::with_capacity(bytes);
    object(&mut out, fill);
    out
}

pub(super) fn object(out: &mut String, fill: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    fill(&mut Object { out, is_empty: true });
    out.push('}');
}

pub(super) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// Writes a string with the escapes that RFC 8785 wants, and no others.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // Most texts need no escape, and a run without one is copied whole.
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

pub(super) fn quoted_u64(out: &mut String, number: u64) {
    out.push('"');
    plain(out, number);
    out.push('"');
}

/// Writes what needs no quotes.
fn plain(out: &mut String, it: impl fmt::Display) {
    write!(out, "{it}").expect("a string takes all that is written to it");
}

pub(super) fn value(out: &mut String, it: &Value) {
    match it {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Number(number) => plain(out, number),
        Value::Text(text) => string(out, text),
        Value::List(items) => list(out, items, value),
        Value::Map(members) => {
            object(out, |o| members.iter().for_each(|(key, member)| value(o.key(key), member)));
        }
    }
}

impl Object<'_> {
    /// Begins a member; its value is to be written next.
    pub(super) fn key(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(',');
        }
        string(self.out, name);
        self.out.push(':');
        self.out
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        string(self.key(name), text);
    }

    /// Writes a decimal string: numbers in JavaScript end at 2^53.
    pub(super) fn u64(&mut self, name: &str, number: u64) {
        quoted_u64(self.key(name), number);
    }

    /// Writes a plain number, of what is counted in thousands.
    pub(super) fn count(&mut self, name: &str, number: u64) {
        plain(self.key(name), number);
    }

    pub(super) fn bool(&mut self, name: &str, is: bool) {
        self.key(name).push_str(if is { "true" } else { "false" });
    }

    pub(super) fn null(&mut self, name: &str) {
        self.key(name).push_str("null");
    }

    pub(super) fn hlc(&mut self, name: &str, hlc: HybridTime) {
        plain(self.key(name), format_args!("\"{:016x}\"", hlc.to_bits()));
    }

    pub(super) fn time(&mut self, name: &str, at: WallMs) {
        self.text(name, &time::format(at));
    }

    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.text(name, &BASE64.encode(bytes));
    }

    pub(super) fn value(&mut self, name: &str, it: &Value) {
        value(self.key(name), it);
    }

    pub(super) fn values(&mut self, name: &str, values: &Values) {
        self.object(name, |o| values.iter().for_each(|(field, it)| o.value(field.as_str(), it)));
    }

    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.key(name), fill);
    }

    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut String, T),
    ) {
        list(self.key(name), items, write);
    }

    /// Writes the members of an object that is JSON already, which has one at least.
    pub(super) fn spread(&mut self, json: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(',');
        }
        let inner = json.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        self.out.push_str(inner.unwrap_or_default());
    }

    /// Writes an array of objects.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Object<'_>, T),
    ) {
        self.list(name, items, |out, item| object(out, |o| fill(o, item)));
    }
}
