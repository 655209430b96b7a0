//! Changes that programs make: JSON operations and splices of texts, decided on the tree of content and written as what
//! differs.

mod spliced;
mod texts;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde_json::Value;
use yrs::Any;

use self::texts::Texts;
use super::{
    content::{Content, Format, Items, Piece, Run},
    read::ReadError,
    restore::WriteError,
    yjs::{Broken, YjsDocument},
};
use crate::id::ClientId;

/// One change of a document. A path is a JSON pointer (RFC 6901) whose first part names the root type; then come names of
/// maps, places in arrays and XML, and `@name` for an attribute of XML.
///
/// With the feature `serde` it is read as an operation of JSON Patch (RFC 6902), `{"op":"add","path":…,"value":…}`; there are no
/// `move` and `copy`, and `splice` is ours.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields))]
#[non_exhaustive]
pub enum DocumentEdit {
    /// Puts a value at a name of a map, or before a place of an array; the place `-` is the end. An array or an object
    /// becomes a shared type. As a root, a string becomes a text, and what was there is replaced. A root that holds
    /// nothing becomes an array for the places `-` and `0`, and else a map.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Puts a value in the place of another.
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes something away. A root becomes empty.
    Remove {
        /// What.
        path: String,
    },
    /// Changes nothing, and fails if something else is there.
    Test {
        /// Where.
        path: String,
        /// What is expected: of a text its characters, of an XML element its name, attributes and children.
        value: Value,
    },
    /// Replaces a stretch of a text. A root that is not there becomes a text.
    Splice {
        /// Which text.
        path: String,
        /// Where the stretch begins, in UTF-16 code units.
        at: u32,
        /// How long it is, in UTF-16 code units.
        #[cfg_attr(feature = "serde", serde(default))]
        remove: u32,
        /// What takes its place.
        #[cfg_attr(feature = "serde", serde(default))]
        insert: String,
        /// The format of that, by attribute.
        #[cfg_attr(feature = "serde", serde(default))]
        format: BTreeMap<String, Value>,
    },
}

/// Why an edit was refused. Then none of those that came with it is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The path is no JSON pointer to a root or something in one.
    #[error("{path:?} is no path: it begins with '/' and the name of a root")]
    Path {
        /// What was given.
        path: String,
    },
    /// There is nothing at the path, or nothing that the operation can be done to.
    #[error("there is nothing at {path:?} that this can be done to")]
    Missing {
        /// What was given.
        path: String,
    },
    /// A root is a map, an array or a text.
    #[error("a root is an object, an array or a string, not {value}")]
    Root {
        /// What was given.
        value: Value,
    },
    /// Something else is there than was expected.
    #[error("something else is at {path:?}")]
    Test {
        /// What was given.
        path: String,
    },
    /// The stretch is not in the text, or cuts a surrogate pair.
    #[error("{path:?} has no characters from {at} to {end}, in UTF-16 code units")]
    Range {
        /// Which text.
        path: String,
        /// Where the stretch begins.
        at: u32,
        /// Where it ends.
        end: u64,
    },
    /// The engine could not write.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<Broken> for EditError {
    fn from(broken: Broken) -> Self {
        Self::Write(broken.into())
    }
}

impl From<ReadError> for EditError {
    fn from(error: ReadError) -> Self {
        Self::Write(error.into())
    }
}

type Roots = BTreeMap<String, Content>;

/// What stands at the top of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// Root types: none is created or taken away, whatever is put in them.
    Roots,
    /// The entries of a map.
    #[cfg(feature = "automerge")]
    Entries,
}

impl YjsDocument {
    /// Makes edits one after the other, all or none, as the client `author`, and returns them as one update; nothing if
    /// they change nothing. The document itself stays as it is.
    ///
    /// # Errors
    /// [`EditError`] says which edit is refused, and why.
    pub fn edit(&self, edits: &[DocumentEdit], author: ClientId) -> Result<Option<Bytes>, EditError> {
        let before = self.roots()?;
        let mut after = before.clone();
        make_all(Top::Roots, &mut after, edits)?;
        Ok(self.write_roots(&before, &after, author)?)
    }
}

/// Most things in arrays that edits move at once: some seconds.
const MOVED_MAX: usize = 500_000_000;

/// Makes edits in what a document holds. If one of them is refused, what then holds it is of no use.
pub(super) fn make_all(top: Top, roots: &mut Roots, edits: &[DocumentEdit]) -> Result<(), EditError> {
    make_within(MOVED_MAX, top, roots, edits)
}

fn make_within(
    mut left: usize,
    top: Top,
    roots: &mut Roots,
    edits: &[DocumentEdit],
) -> Result<(), EditError> {
    let mut texts = Texts::default();
    for edit in edits {
        left = left.checked_sub(moved_by(roots, edit)).ok_or(WriteError::Long)?;
        make(top, roots, &mut texts, edit)?;
    }
    texts.close_all(roots);
    Ok(())
}

/// Returns how many things an edit moves: those behind the place in an array where something is put in or taken away.
fn moved_by(roots: &Roots, edit: &DocumentEdit) -> usize {
    let (DocumentEdit::Add { path, .. } | DocumentEdit::Remove { path }) = edit else { return 0 };
    let Some((above, place)) = path.rsplit_once('/') else { return 0 };
    match (at(roots, above), place.parse::<usize>()) {
        (Ok(Some(Content::Items(_, items) | Content::Element { children: items, .. })), Ok(place)) => {
            items.len().saturating_sub(place)
        }
        _ => 0,
    }
}

fn make(top: Top, roots: &mut Roots, texts: &mut Texts, edit: &DocumentEdit) -> Result<(), EditError> {
    match edit {
        DocumentEdit::Add { path, value } => put(top, texts.closed(roots, path)?, path, value, Put::Add),
        DocumentEdit::Replace { path, value } => {
            put(top, texts.closed(roots, path)?, path, value, Put::Replace)
        }
        DocumentEdit::Remove { path } => remove(top, texts.closed(roots, path)?, path),
        DocumentEdit::Test { path, value } => {
            let same = at(texts.closed(roots, path)?, path)?.is_some_and(|content| content.plain() == *value);
            if same { Ok(()) } else { Err(EditError::Test { path: path.clone() }) }
        }
        DocumentEdit::Splice { path, at, remove, insert, format } => {
            let format = format.iter().map(|(name, value)| (Arc::from(name.as_str()), any(value)));
            let format = Arc::new(format.collect());
            texts.splice(top, roots, path, (*at, *remove), insert, format)
        }
    }
}

/// Returns what is at a path, if there is anything.
pub(super) fn at<'a>(roots: &'a Roots, path: &str) -> Result<Option<&'a Content>, EditError> {
    let (root, inside) = parts(path)?;
    Ok(roots.get(&root).and_then(|content| inside.iter().try_fold(content, part)))
}

/// Returns what an entry of a name holds, or what is at a path.
#[cfg(feature = "automerge")]
pub(super) fn entry_at<'a>(entries: &'a Roots, path: &str) -> Option<&'a Content> {
    if path.starts_with('/') { at(entries, path).ok().flatten() } else { entries.get(path) }
}

/// Takes a path apart: the root, and what follows.
fn parts(path: &str) -> Result<(String, Vec<String>), EditError> {
    let wrong = || EditError::Path { path: path.to_owned() };
    let rest = path.strip_prefix('/').ok_or_else(wrong)?;
    let mut parts = rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
    let root = parts.next().filter(|root| !root.is_empty()).ok_or_else(wrong)?;
    Ok((root, parts.collect()))
}

fn part<'a>(content: &'a Content, part: &String) -> Option<&'a Content> {
    match content {
        Content::Map(entries) => entries.get(part),
        Content::Items(_, items) => items.get(part.parse::<usize>().ok()?),
        Content::Element { attributes, children, .. } => match part.strip_prefix('@') {
            Some(name) => attributes.get(name),
            None => children.get(part.parse::<usize>().ok()?),
        },
        Content::XmlText { attributes, .. } => attributes.get(part.strip_prefix('@')?),
        _ => None,
    }
}

fn part_mut<'a>(content: &'a mut Content, part: &String) -> Option<&'a mut Content> {
    match content {
        Content::Map(entries) => entries.get_mut(part),
        Content::Items(_, items) => items.get_mut(part.parse::<usize>().ok()?),
        Content::Element { attributes, children, .. } => match part.strip_prefix('@') {
            Some(name) => attributes.get_mut(name),
            None => children.get_mut(part.parse::<usize>().ok()?),
        },
        Content::XmlText { attributes, .. } => attributes.get_mut(part.strip_prefix('@')?),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Put {
    Add,
    Replace,
}

fn put(top: Top, roots: &mut Roots, path: &str, value: &Value, how: Put) -> Result<(), EditError> {
    let missing = || EditError::Missing { path: path.to_owned() };
    let (root, inside) = parts(path)?;
    #[cfg(feature = "automerge")]
    if top == Top::Entries {
        let content = with_texts(value);
        let put = match inside.split_last() {
            None => put_named(roots, &root, content, how),
            Some((last, above)) => {
                let root = roots.get_mut(&root).ok_or_else(missing)?;
                let holder = above.iter().try_fold(root, part_mut).ok_or_else(missing)?;
                put_into(holder, last, content, how)
            }
        };
        return put.ok_or_else(missing);
    }
    debug_assert_eq!(top, Top::Roots);
    let Some((last, above)) = inside.split_last() else {
        if how == Put::Replace && !roots.contains_key(&root) {
            return Err(missing());
        }
        roots.insert(root, root_of(value)?);
        return Ok(());
    };
    let root = roots.entry(root).or_insert_with(|| Content::Text(Vec::new()));
    if above.is_empty() && root.is_empty() {
        *root = root_for(last);
    }
    let holder = above.iter().try_fold(root, part_mut).ok_or_else(missing)?;
    put_into(holder, last, content_of(value), how).ok_or_else(missing)
}

fn put_into(holder: &mut Content, last: &str, content: Content, how: Put) -> Option<()> {
    match (holder, last.strip_prefix('@')) {
        (Content::Map(entries), _) => put_named(entries, last, content, how),
        (
            Content::Element { attributes: named, .. } | Content::XmlText { attributes: named, .. },
            Some(name),
        ) => put_named(named, name, content, how),
        (Content::Items(Items::Array, items), None) => put_item(items, last, content, how),
        _ => None,
    }
}

/// A root without anything in it, or that is not there, has no kind: it becomes what its first part can stand in.
fn root_for(part: &str) -> Content {
    if matches!(part, "-" | "0") {
        Content::Items(Items::Array, Vec::new())
    } else {
        Content::Map(BTreeMap::new())
    }
}

fn put_named(named: &mut BTreeMap<String, Content>, name: &str, content: Content, how: Put) -> Option<()> {
    if how == Put::Replace && !named.contains_key(name) {
        return None;
    }
    let content = like(named.get(name), content);
    named.insert(name.to_owned(), content);
    Some(())
}

/// Returns the content that takes the place of another: a number in the place of a counter, or a time, is one.
#[cfg(feature = "automerge")]
fn like(before: Option<&Content>, content: Content) -> Content {
    match (before, &content) {
        (Some(Content::Special(special)), Content::Value(Any::Number(yrs::Number::Int(value)))) => {
            special.with(*value).map_or(content, Content::Special)
        }
        _ => content,
    }
}

#[cfg(not(feature = "automerge"))]
fn like(_before: Option<&Content>, content: Content) -> Content {
    content
}

fn put_item(items: &mut Vec<Content>, place: &str, content: Content, how: Put) -> Option<()> {
    let place = if place == "-" { items.len() } else { place.parse().ok()? };
    match how {
        Put::Add if place <= items.len() => items.insert(place, content),
        Put::Replace if place < items.len() => items[place] = like(items.get(place), content),
        Put::Add | Put::Replace => return None,
    }
    Some(())
}

fn remove(top: Top, roots: &mut Roots, path: &str) -> Result<(), EditError> {
    let missing = || EditError::Missing { path: path.to_owned() };
    let (root, inside) = parts(path)?;
    let content = roots.get_mut(&root).ok_or_else(missing)?;
    let Some((last, above)) = inside.split_last() else {
        match top {
            Top::Roots => *content = content.emptied(),
            #[cfg(feature = "automerge")]
            Top::Entries => drop(roots.remove(&root)),
        }
        return Ok(());
    };
    let holder = above.iter().try_fold(content, part_mut).ok_or_else(missing)?;
    let gone = match (holder, last.strip_prefix('@')) {
        (Content::Map(entries), _) => entries.remove(last),
        (
            Content::Element { attributes: named, .. } | Content::XmlText { attributes: named, .. },
            Some(name),
        ) => named.remove(name),
        (Content::Items(_, items) | Content::Element { children: items, .. }, None) => {
            let place = last.parse().ok().filter(|place| *place < items.len());
            place.map(|place: usize| items.remove(place))
        }
        _ => None,
    };
    gone.map(|_| ()).ok_or_else(missing)
}

/// Makes a root of JSON.
fn root_of(value: &Value) -> Result<Content, EditError> {
    match value {
        Value::String(text) if text.is_empty() => Ok(Content::Text(Vec::new())),
        Value::String(text) => {
            let run = Run { piece: Piece::Text(text.clone()), format: Format::default() };
            Ok(Content::Text(vec![run]))
        }
        Value::Object(_) | Value::Array(_) => Ok(content_of(value)),
        other => Err(EditError::Root { value: other.clone() }),
    }
}

/// Makes shared types of objects and arrays, and plain values of all else.
fn content_of(value: &Value) -> Content {
    match value {
        Value::Object(members) => {
            Content::Map(members.iter().map(|(name, value)| (name.clone(), content_of(value))).collect())
        }
        Value::Array(items) => Content::Items(Items::Array, items.iter().map(content_of).collect()),
        other => Content::Value(any(other)),
    }
}

/// Makes shared types of objects, arrays and texts, and plain values of all else.
#[cfg(feature = "automerge")]
fn with_texts(value: &Value) -> Content {
    match value {
        Value::Object(members) => {
            Content::Map(members.iter().map(|(name, value)| (name.clone(), with_texts(value))).collect())
        }
        Value::Array(items) => Content::Items(Items::Array, items.iter().map(with_texts).collect()),
        Value::String(text) if text.is_empty() => Content::Text(Vec::new()),
        Value::String(text) => {
            let run = Run { piece: Piece::Text(text.clone()), format: Format::default() };
            Content::Text(vec![run])
        }
        other => Content::Value(any(other)),
    }
}

fn any(value: &Value) -> Any {
    match value {
        Value::Null => Any::Null,
        Value::Bool(value) => Any::from(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Any::from(whole),
            None => Any::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Any::from(text.as_str()),
        Value::Array(items) => items.iter().map(any).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), any(value)));
            Any::Map(std::sync::Arc::new(members.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Goal: who edits before many things again and again is told that it is too much, and who edits behind them is not.
    #[test]
    fn edits_move_so_many_things_and_no_more() {
        let list = |len: usize| {
            Roots::from([("list".to_owned(), root_of(&json!(vec![0; len])).expect("an array is a root"))])
        };
        let edits = |place: &str| {
            let path = format!("/list/{place}");
            [DocumentEdit::Add { path: path.clone(), value: json!(1) }, DocumentEdit::Remove { path }]
        };
        let long = Err(EditError::Write(WriteError::Long));
        // Ten are behind the place before the first edit, eleven before the second.
        assert_eq!(make_within(21, Top::Roots, &mut list(10), &edits("0")), Ok(()));
        assert_eq!(make_within(20, Top::Roots, &mut list(10), &edits("0")), long);
        assert_eq!(make_within(1, Top::Roots, &mut list(10), &edits("10")), Ok(()));
        assert_eq!(make_within(0, Top::Roots, &mut list(10), &edits("-")[..1]), Ok(()));
    }
}
