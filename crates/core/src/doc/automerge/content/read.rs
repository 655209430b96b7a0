//! Reads content from automerge.

use std::collections::BTreeMap;

use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use yrs::{Any, Number};

use crate::{
    doc::content::{Content, Items, Named, Piece, Run, Special, joined},
    limits::TYPE_DEPTH_MAX,
};

/// What stands in a text for what is no character.
const PLACEHOLDER: char = '\u{fffc}';

/// Reads what stands at the top. What lies deeper than documents may be stands there as [`Content::Opaque`].
pub(super) fn entries_of(doc: &Automerge) -> Named {
    entries(doc, &ROOT, 0)
}

fn entries(doc: &Automerge, map: &ObjId, depth: u32) -> Named {
    let entries = doc.map_range(map, ..).map(|entry| {
        let (key, id) = (entry.key.clone().into_owned(), entry.id());
        (key, content(doc, entry.value.into_value().into_owned(), &id, depth))
    });
    entries.collect()
}

fn content(doc: &Automerge, value: Value<'_>, id: &ObjId, depth: u32) -> Content {
    let kind = match value {
        Value::Scalar(scalar) => return scalar_content(&scalar),
        Value::Object(kind) => kind,
    };
    if depth >= TYPE_DEPTH_MAX {
        return Content::Opaque;
    }
    match kind {
        ObjType::Map | ObjType::Table => Content::Map(entries(doc, id, depth + 1)),
        ObjType::List => {
            let items = doc.list_range(id, ..).map(|item| {
                let own = item.id();
                content(doc, item.value.into_value().into_owned(), &own, depth + 1)
            });
            Content::Items(Items::Array, items.collect())
        }
        ObjType::Text => Content::Text(runs(doc, id)),
    }
}

fn scalar_content(scalar: &ScalarValue) -> Content {
    Content::Value(match scalar {
        ScalarValue::Counter(counter) => return Content::Special(Special::Counter(counter.into())),
        ScalarValue::Timestamp(at) => return Content::Special(Special::Timestamp(*at)),
        ScalarValue::Uint(value) => return Content::Special(Special::Unsigned(*value)),
        ScalarValue::Unknown { .. } => return Content::Opaque,
        ScalarValue::Bytes(bytes) => Any::Buffer(bytes.as_slice().into()),
        ScalarValue::Str(text) => Any::from(text.as_str()),
        ScalarValue::Int(value) => Any::Number(Number::Int(*value)),
        ScalarValue::F64(value) => Any::Number(Number::Float(*value)),
        ScalarValue::Boolean(value) => Any::Bool(*value),
        ScalarValue::Null => Any::Null,
    })
}

/// Reads a text. automerge would read blocks with all that is in them, however deep: they are only seen to be there.
pub(super) fn runs(doc: &impl ReadDoc, text: &ObjId) -> Vec<Run> {
    let chars: Vec<char> = doc.text(text).unwrap_or_default().chars().collect();
    // Where marks begin and end, and what then counts.
    let mut turns: BTreeMap<usize, Vec<(String, Option<Any>)>> = BTreeMap::new();
    for mark in doc.marks(text).unwrap_or_default() {
        let Content::Value(value) = scalar_content(mark.value()) else { continue };
        if value == Any::Null {
            continue;
        }
        turns.entry(mark.end).or_default().insert(0, (mark.name().to_owned(), None));
        turns.entry(mark.start).or_default().push((mark.name().to_owned(), Some(value)));
    }
    let is_block = |at: usize| matches!(doc.get(text, at), Ok(Some((Value::Object(_), _))));
    let mut runs: Vec<Run> = Vec::new();
    let (mut format, mut joins) = (BTreeMap::new(), false);
    for (at, char) in chars.into_iter().enumerate() {
        for (name, value) in turns.remove(&at).into_iter().flatten() {
            match value {
                Some(value) => drop(format.insert(name, value)),
                None => drop(format.remove(&name)),
            }
            joins = false;
        }
        if char == PLACEHOLDER && is_block(at) {
            runs.push(Run { piece: Piece::Embed(Box::new(Content::Opaque)), format: format.clone() });
            joins = false;
            continue;
        }
        match runs.last_mut() {
            Some(Run { piece: Piece::Text(text), .. }) if joins => text.push(char),
            _ => runs.push(Run { piece: Piece::Text(char.into()), format: format.clone() }),
        }
        joins = true;
    }
    joined(runs)
}
