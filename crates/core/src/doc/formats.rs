//! How much the formats of a document's texts come to where they are read, told before yrs reads them.
//!
//! yrs gives each run of a text a map of its own with all formats that hold there; JSON and XML name them again for each. So formats
//! that stay open cost their number times the runs behind them: 4,000 of them before as many embeds are an update of 70 KB and
//! 16,000,000 entries, 1.3 GB. No bound on the formats of an update helps, since each may come alone and anywhere.
//!
//! A document may hold that, and pass it on, but it is not read. What it would come to is bounded by what the [`FormatBound`] counts
//! as structs come in; few documents exceed the limit by that. For those it is counted run by run, in a copy in which each format is an
//! embed: where an item stands does not depend on its content, and an embed opens nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use yrs::{Any, Number};

use super::{
    content::{Content, Format, Piece, Run, roots_of},
    read::ReadError,
    splice::{NotContiguous, Splice},
    yjs::{Broken, YjsDocument},
};
use crate::{
    guard::{Reader, ScannedUpdate, Struct, StructKind, scan_update, write_string},
    limits::FORMATS_BYTES_MAX,
};

/// Reference numbers of contents.
pub(super) const CONTENT_DELETED: u8 = 1;
const CONTENT_EMBED: u8 = 5;
const CONTENT_FORMAT: u8 = 6;
const CONTENT_TYPE: u8 = 7;
const CONTENT_DOCUMENT: u8 = 9;

/// The bits of a struct's first byte that say what its content is.
const CONTENT_BITS: u8 = 0x1f;

/// Bytes that a format takes in a run, beside its name and its value.
pub(super) const ENTRY_BYTES: u64 = 96;

/// Digits of a number at most.
const DIGITS_MAX: u64 = 330;

/// Names that are told apart, and the bytes of each. A document with more is counted.
const NAMES_MAX: usize = 1_024;
const NAME_BYTES_MAX: usize = 256;

/// What the formats of a document come to at most.
#[derive(Debug, Default)]
pub(super) struct FormatBound {
    /// By name the most bytes that one has.
    names: BTreeMap<Box<str>, u64>,
    /// Places at which a run may end, of texts that have formats.
    ends: u64,
    /// Whether there are more or longer names than are told apart.
    beyond: bool,
}

impl FormatBound {
    /// Counts a struct of an update.
    pub(super) fn take(&mut self, update: &[u8], read: &Struct) {
        match read.kind {
            StructKind::Item { content: CONTENT_EMBED | CONTENT_TYPE | CONTENT_DOCUMENT } => self.ends += 2,
            StructKind::Item { content: CONTENT_FORMAT } => {
                self.ends += 2;
                let Some((name, value)) = format_of(update, read) else { return };
                self.note(name, bytes_of(name, value));
            }
            _ => {}
        }
    }

    /// Counts what another has counted, too.
    pub(super) fn add(&mut self, other: Self) {
        self.ends += other.ends;
        self.beyond |= other.beyond;
        other.names.into_iter().for_each(|(name, bytes)| self.note(&name, bytes));
    }

    fn note(&mut self, name: &str, bytes: u64) {
        if let Some(most) = self.names.get_mut(name) {
            *most = bytes.max(*most);
        } else if self.names.len() < NAMES_MAX && name.len() <= NAME_BYTES_MAX {
            self.names.insert(name.into(), bytes);
        } else {
            self.beyond = true;
        }
    }

    /// Returns whether there is a format at all.
    fn is_any(&self) -> bool {
        self.beyond || !self.names.is_empty()
    }

    /// Returns whether they come to no more than may be read, whatever stands where.
    pub(super) fn is_within(&self) -> bool {
        self.most_bytes() <= FORMATS_BYTES_MAX
    }

    /// Returns the most bytes that they can come to where they are read.
    pub(super) fn most_bytes(&self) -> u64 {
        self.most_at_once().saturating_mul(self.ends)
    }

    /// Returns the most bytes of formats that hold in one place.
    pub(super) fn most_at_once(&self) -> u64 {
        if self.beyond { u64::MAX } else { self.names.values().sum() }
    }
}

impl YjsDocument {
    /// Says whether the document can be read: whether its formats come to little enough.
    pub(super) fn check_formats(&self) -> Result<(), ReadError> {
        if self.index().formats().is_within() || self.formats_bytes()? <= FORMATS_BYTES_MAX {
            return Ok(());
        }
        Err(ReadError::Formats)
    }

    /// Returns a copy in which the texts have no formats; all other things have the ids and places that they have here.
    pub(super) fn without_formats(&self) -> Result<Self, Broken> {
        let whole = self.encode()?;
        if !self.index().formats().is_any() {
            return replayed(&whole);
        }
        // Not an embed, of which a reader would see something: one deleted element.
        replayed(&rewritten(&whole, |content, _, _| {
            (content == CONTENT_FORMAT).then_some((CONTENT_DELETED, vec![1]))
        })?)
    }

    /// Counts what the formats of all runs come to.
    pub(super) fn formats_bytes(&self) -> Result<u64, Broken> {
        let Marked { roots, marks } = self.marked()?;
        let mut names = BTreeMap::new();
        let formats = marks.iter().map(|mark| {
            let Mark { name: Some(name), value } = mark else { return None };
            let next = names.len();
            let name_number = *names.entry(name).or_insert(next);
            Some((name_number, if is_end(value) { 0 } else { bytes_of(name, value) }))
        });
        let weigher = Weigher { formats: formats.collect() };
        Ok(roots.values().map(|content| weigher.content(content)).fold(0, u64::saturating_add))
    }

    /// Returns what the document holds, read where its texts have no formats.
    pub(super) fn marked(&self) -> Result<Marked, Broken> {
        let mut marks = Vec::new();
        let marked = rewritten(&self.encode()?, |content, update, read| {
            let mut reader = Reader::starting_at(update, read.content_at as usize);
            let name = match content {
                CONTENT_EMBED => None,
                CONTENT_FORMAT => Some(reader.var_string().ok()?.into()),
                _ => return None,
            };
            let mut number = Vec::new();
            write_string(&mut number, &marks.len().to_string());
            marks.push(Mark { name, value: reader.var_string().ok()?.into() });
            Some((CONTENT_EMBED, number))
        })?;
        let roots = replayed(&marked)?.contained().read(|txn| roots_of(txn))?;
        Ok(Marked { roots, marks })
    }
}

/// What a document holds, with a number in the place of each format and of each embed.
#[derive(Debug)]
pub(super) struct Marked {
    roots: BTreeMap<String, Content>,
    /// What the numbers stand for.
    marks: Vec<Mark>,
}

/// A format, or an embed.
#[derive(Debug)]
struct Mark {
    /// The name of a format.
    name: Option<Box<str>>,
    /// The value, as JSON.
    value: Box<str>,
}

impl Marked {
    /// Returns what the document holds, with the name and the value of each format where it stands.
    pub(super) fn in_place(mut self) -> BTreeMap<String, Content> {
        self.roots.values_mut().for_each(|content| put_in_place(&self.marks, content));
        self.roots
    }
}

fn put_in_place(marks: &[Mark], content: &mut Content) {
    let all =
        |parts: &mut dyn Iterator<Item = &mut Content>| parts.for_each(|part| put_in_place(marks, part));
    match content {
        Content::Items(_, items) => all(&mut items.iter_mut()),
        Content::Map(entries) => all(&mut entries.values_mut()),
        Content::Element { attributes, children, .. } => all(&mut attributes.values_mut().chain(children)),
        Content::XmlText { attributes, .. } => all(&mut attributes.values_mut()),
        _ => {}
    }
    let (Content::Text(runs) | Content::XmlText { runs, .. }) = content else { return };
    for Run { piece, .. } in runs {
        let marked = mark(piece).and_then(|at| marks.get(at));
        match (marked, piece) {
            (Some(Mark { name, value }), Piece::Embed(content)) => {
                let name = name.as_deref().map(Any::from);
                let value = Any::from_json(value).unwrap_or_else(|_| Any::from(&**value));
                **content = Content::Value(name.into_iter().chain([value]).collect::<Vec<_>>().into());
            }
            (None, Piece::Embed(content)) => put_in_place(marks, content),
            (_, Piece::Text(_)) => {}
        }
    }
}

/// Counts formats.
#[derive(Debug)]
struct Weigher {
    /// Of each mark that is a format the number of its name, and its bytes; 0 if it ends one.
    formats: Vec<Option<(usize, u64)>>,
}

impl Weigher {
    fn content(&self, content: &Content) -> u64 {
        let all = |parts: &mut dyn Iterator<Item = &Content>| {
            parts.fold(0_u64, |sum, part| sum.saturating_add(self.content(part)))
        };
        match content {
            Content::Text(runs) => self.text(runs),
            Content::XmlText { runs, attributes } => {
                self.text(runs).saturating_add(all(&mut attributes.values()))
            }
            Content::Items(_, items) => all(&mut items.iter()),
            Content::Map(entries) => all(&mut entries.values()),
            Content::Element { attributes, children, .. } => all(&mut attributes.values().chain(children)),
            _ => 0,
        }
    }

    fn text(&self, runs: &[Run]) -> u64 {
        let (mut open, mut at_once, mut total) = (BTreeMap::new(), 0, 0_u64);
        for Run { piece, .. } in runs {
            if let Some(&Some((name, bytes))) = mark(piece).and_then(|at| self.formats.get(at)) {
                at_once = at_once + bytes - open.insert(name, bytes).unwrap_or(0);
                continue;
            }
            total = total.saturating_add(at_once);
            if let Piece::Embed(content) = piece {
                total = total.saturating_add(self.content(content));
            }
        }
        total
    }
}

/// Returns the number that stands in a text of a [`Marked`] document. No other values stand there.
fn mark(piece: &Piece) -> Option<usize> {
    let Piece::Embed(content) = piece else { return None };
    let Content::Value(Any::Number(number)) = &**content else { return None };
    let number = match *number {
        Number::Int(number) => number,
        Number::Float(number) => number as i64,
    };
    usize::try_from(number).ok()
}

/// Returns whether a format of this value ends one.
fn is_end(value: &str) -> bool {
    value.trim() == "null"
}

/// Returns what the formats of one run come to, in bytes.
pub(super) fn weight(format: &Format) -> u64 {
    format.iter().map(|(name, value)| name.len() as u64 + value_bytes(value) + ENTRY_BYTES).sum()
}

fn value_bytes(value: &Any) -> u64 {
    match value {
        Any::String(text) => text.len() as u64,
        Any::Buffer(bytes) => bytes.len() as u64,
        Any::Array(items) => items.iter().map(|item| value_bytes(item) + ENTRY_BYTES).sum(),
        Any::Map(entries) => {
            entries.iter().map(|(name, value)| name.len() as u64 + value_bytes(value) + ENTRY_BYTES).sum()
        }
        Any::Null | Any::Undefined | Any::Bool(_) | Any::Number(_) => 8,
    }
}

/// Returns what a format comes to in a run, whose value is this JSON.
fn bytes_of(name: &str, value: &str) -> u64 {
    name.len() as u64 + json_bytes(value.as_bytes()) + ENTRY_BYTES
}

/// Returns what a value comes to where it is read, of which this is the JSON: each part of it takes memory, and a number that is written
/// with an exponent is told in digits.
fn json_bytes(json: &[u8]) -> u64 {
    let (mut bytes, mut in_string, mut before) = (json.len() as u64, false, b' ');
    for &byte in json {
        match byte {
            b'"' if before != b'\\' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => bytes += ENTRY_BYTES,
            b'e' | b'E' if !in_string && (before.is_ascii_digit() || before == b'.') => bytes += DIGITS_MAX,
            _ => {}
        }
        // Two of them are one character.
        before = if byte == b'\\' && before == b'\\' { b' ' } else { byte };
    }
    bytes
}

/// Returns the name of a format, and its value as JSON.
fn format_of<'a>(update: &'a [u8], read: &Struct) -> Option<(&'a str, &'a str)> {
    let mut reader = Reader::starting_at(update, read.content_at as usize);
    Some((reader.var_string().ok()?, reader.var_string().ok()?))
}

fn replayed(whole: &Bytes) -> Result<YjsDocument, Broken> {
    let mut copy = YjsDocument::default();
    copy.replay(whole).map_err(|_| Broken)?;
    Ok(copy)
}

/// Returns an update with other contents in some of its items. `content` is given the kind of an item's content, the update and the item;
/// it returns another kind and content of as many elements, or nothing if it is to stay.
fn rewritten(
    update: &Bytes,
    mut content: impl FnMut(u8, &[u8], &Struct) -> Option<(u8, Vec<u8>)>,
) -> Result<Bytes, Broken> {
    // What was encoded here is an update.
    let scanned: ScannedUpdate<'_> = scan_update(update).map_err(|_| Broken)?;
    let mut splice = Splice::default();
    for section in scanned.sections() {
        let mut structs = Vec::with_capacity(section.span().len());
        for read in scanned.structs(section) {
            let bytes = &update[read.span.start as usize..read.span.end as usize];
            let new = match read.kind {
                StructKind::Item { content: kind } => content(kind, update, &read),
                StructKind::Gc | StructKind::Skip => None,
            };
            let (Some((kind, new)), Some((info, _))) = (new, bytes.split_first()) else {
                structs.extend_from_slice(bytes);
                continue;
            };
            structs.push(info & !CONTENT_BITS | kind);
            structs.extend_from_slice(&update[read.span.start as usize + 1..read.content_at as usize]);
            structs.extend_from_slice(&new);
        }
        let clocks = section.clock..section.end();
        let joined = splice.structs(section.client, clocks, section.struct_count(), &structs);
        joined.map_err(|NotContiguous| Broken)?;
    }
    scanned.deletes().iter().for_each(|&range| splice.delete(range));
    Ok(splice.finish())
}
