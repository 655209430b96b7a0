//! Reads content from automerge.

use std::{collections::BTreeMap, sync::Arc};

use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use yrs::{Any, Number};

use crate::{
    doc::content::{Content, Format, Items, Named, Piece, Run, Special, joined},
    limits::TYPE_DEPTH_MAX,
};

/// Longest name of a mark that is read, in bytes: each difference names those of its runs.
const MARK_NAME_BYTES_MAX: usize = 256;

/// Marks that are read of one place. Each place where one more begins has all of them.
const MARKS_MAX: usize = 64;

/// What stands in a text for what is no character.
const PLACEHOLDER: char = '\u{fffc}';

/// How far what begins a block in a text is read. automerge would read all that is in it, however deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocks {
    /// It is seen that there is one.
    Seen,
    /// Its own entries are read, and what is in these.
    Read,
}

/// Levels of what begins a block that are read: itself, its entries, and a text that is one of those in an entry.
const BLOCK_DEPTH: u32 = 3;

/// Reads what stands at the top. What lies deeper than documents may be stands there as [`Content::Opaque`].
pub(super) fn entries_of(doc: &Automerge, blocks: Blocks) -> Named {
    entries((doc, blocks), &ROOT, 0)
}

fn entries((doc, blocks): (&Automerge, Blocks), map: &ObjId, depth: u32) -> Named {
    let entries = doc.map_range(map, ..).map(|entry| {
        let (key, id) = (entry.key.clone().into_owned(), entry.id());
        (key, content((doc, blocks), entry.value.into_value().into_owned(), &id, depth))
    });
    entries.collect()
}

fn content((doc, blocks): (&Automerge, Blocks), value: Value<'_>, id: &ObjId, depth: u32) -> Content {
    let kind = match value {
        Value::Scalar(scalar) => return scalar_content(&scalar),
        Value::Object(kind) => kind,
    };
    if depth >= TYPE_DEPTH_MAX {
        return Content::Opaque;
    }
    match kind {
        ObjType::Map | ObjType::Table => Content::Map(entries((doc, blocks), id, depth + 1)),
        ObjType::List => {
            let items = doc.list_range(id, ..).map(|item| {
                let own = item.id();
                content((doc, blocks), item.value.into_value().into_owned(), &own, depth + 1)
            });
            Content::Items(Items::Array, items.collect())
        }
        ObjType::Text => {
            let block = |kind: ObjType, id: &ObjId| match blocks {
                Blocks::Seen => Content::Opaque,
                Blocks::Read => {
                    // Where it lies does not matter: it is no part of the tree.
                    content((doc, Blocks::Seen), Value::Object(kind), id, TYPE_DEPTH_MAX - BLOCK_DEPTH)
                }
            };
            Content::Text(runs_with(doc, id, block))
        }
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

/// Reads a text. Blocks are only seen to be there.
pub(super) fn runs(doc: &impl ReadDoc, text: &ObjId) -> Vec<Run> {
    runs_with(doc, text, |_, _| Content::Opaque)
}

/// Where marks begin and end.
#[derive(Default)]
struct Turn {
    ended: Vec<Arc<str>>,
    begun: Vec<(Arc<str>, Any)>,
}

impl Turn {
    fn take(self, format: &mut BTreeMap<Arc<str>, Any>) {
        self.ended.iter().for_each(|name| drop(format.remove(name)));
        for (name, value) in self.begun {
            if format.len() < MARKS_MAX || format.contains_key(&name) {
                format.insert(name, value);
            }
        }
    }
}

/// Reads a text, and what begins blocks in it with `block`.
fn runs_with(doc: &impl ReadDoc, text: &ObjId, block: impl Fn(ObjType, &ObjId) -> Content) -> Vec<Run> {
    let chars: Vec<char> = doc.text(text).unwrap_or_default().chars().collect();
    // Where marks begin and end, and what then counts.
    let mut turns: BTreeMap<usize, Turn> = BTreeMap::new();
    for mark in doc.marks(text).unwrap_or_default() {
        let Content::Value(value) = scalar_content(mark.value()) else { continue };
        if value == Any::Null || mark.name().len() > MARK_NAME_BYTES_MAX {
            continue;
        }
        let name: Arc<str> = mark.name().into();
        turns.entry(mark.end).or_default().ended.push(Arc::clone(&name));
        turns.entry(mark.start).or_default().begun.push((name, value));
    }
    let block_at = |at: usize| match doc.get(text, at) {
        Ok(Some((Value::Object(kind), id))) => Some(block(kind, &id)),
        _ => None,
    };
    let mut runs: Vec<Run> = Vec::new();
    let (mut format, mut joins) = (Format::default(), false);
    for (at, char) in chars.into_iter().enumerate() {
        if let Some(turn) = turns.remove(&at) {
            turn.take(Arc::make_mut(&mut format));
            joins = false;
        }
        if char == PLACEHOLDER
            && let Some(block) = block_at(at)
        {
            runs.push(Run { piece: Piece::Embed(Box::new(block)), format: Arc::clone(&format) });
            joins = false;
            continue;
        }
        match runs.last_mut() {
            Some(Run { piece: Piece::Text(text), .. }) if joins => text.push(char),
            _ => runs.push(Run { piece: Piece::Text(char.into()), format: Arc::clone(&format) }),
        }
        joins = true;
    }
    joined(runs)
}
