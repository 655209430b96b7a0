//! Reads a Yjs document as JSON or text.

use serde_json::{Map as JsonMap, Value};
use yrs::{
    Any, Array, ArrayRef, GetString, Map, MapRef, Number, Out, ReadTxn, Text, TextRef, XmlFragmentRef,
    branch::{Branch, BranchPtr},
    types::{
        ToJson,
        text::{Diff, YChange},
    },
};

use super::{
    content::content_of,
    subdocument::may_be_subdocument,
    yjs::{Broken, YjsDocument},
};
use crate::limits::{AUTOMERGE_OPS_MAX, FORMATS_BYTES_MAX};

/// Why a document is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The formats of its texts, told again for each run, come to more than [`FORMATS_BYTES_MAX`].
    #[error("the formats of its texts come to more than {} MiB where they are read", FORMATS_BYTES_MAX >> 20)]
    Formats,
    /// It is an Automerge document of more than [`AUTOMERGE_OPS_MAX`] ops.
    #[error("it has more than {AUTOMERGE_OPS_MAX} ops, too many to be read")]
    Ops,
    /// The document is of no further use.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl YjsDocument {
    /// Returns the document as JSON: an object with one member for each root type. Maps and arrays become objects and
    /// arrays, texts strings, XML its markup, binary values arrays of numbers, `undefined` null.
    ///
    /// A Yjs document does not say what type a root has. It is read from the content: a root with named entries is a
    /// map, one that holds text is a text, one that holds XML is a fragment, any other an array.
    ///
    /// An array is null if it holds characters as only a text does, and yrs cannot read them; in a root with such, XML is
    /// written as objects and arrays.
    ///
    /// # Errors
    /// [`ReadError`] says why it is not read.
    pub fn to_json(&self) -> Result<Value, ReadError> {
        self.check_formats()?;
        let object = self.contained().read(|txn| {
            txn.root_refs()
                .map(|(name, root)| (name.to_owned(), root_json(root, txn)))
                .collect::<JsonMap<_, _>>()
        });
        Ok(Value::Object(object.map_err(Broken::from)?))
    }

    /// Returns the root type `root` as plain text, if the document has it: the characters of a text, the markup of XML
    /// that can be read.
    ///
    /// # Errors
    /// [`ReadError`] says why it is not read.
    pub fn text(&self, root: &str) -> Result<Option<String>, ReadError> {
        self.check_formats()?;
        let text = self.contained().read(|txn| {
            let branch = branch_of(txn.get(root)?)?;
            match typed(Out::UndefinedRef(branch), txn) {
                Out::YXmlFragment(fragment) => {
                    let is_passable = is_passable(&Out::YXmlFragment(fragment.clone()), txn);
                    is_passable.then(|| fragment.get_string(txn))
                }
                _ => Some(TextRef::from(branch).get_string(txn)),
            }
        });
        Ok(text.map_err(Broken::from)?)
    }
}

fn root_json<T: ReadTxn>(root: Out, txn: &T) -> Value {
    let root = typed(root, txn);
    if is_passable(&root, txn) { json(&root.to_json(txn)) } else { content_of(root, txn).plain() }
}

/// Returns what an array or something of XML holds, in order; nothing if there are characters in it of which yrs would never reach the
/// end: it counts two UTF-16 code units for some, and reads one after the other. No client puts characters there.
pub(super) fn items_of<T: ReadTxn>(array: &ArrayRef, txn: &T) -> Option<Vec<Out>> {
    let branch: &Branch = array.as_ref();
    let characters = TextRef::from(BranchPtr::from(branch)).get_string(txn);
    let is_passable = characters.chars().all(|char| char.len_utf16() == 1);
    is_passable.then(|| array.iter(txn).collect())
}

/// Returns whether there is nothing in a shared type that yrs does not reach the end of while it writes it as JSON.
fn is_passable<T: ReadTxn>(out: &Out, txn: &T) -> bool {
    let (entries, items) = match out {
        Out::YMap(map) => (Some(map.clone()), None),
        Out::YArray(array) => (None, Some(array.clone())),
        Out::YXmlFragment(fragment) => (None, Some(ArrayRef::from(branch_at(fragment)))),
        Out::YXmlElement(element) => {
            let branch = branch_at(element);
            (Some(MapRef::from(branch)), Some(ArrayRef::from(branch)))
        }
        _ => return true,
    };
    let mut entries = entries.iter().flat_map(|map| map.iter(txn));
    entries.all(|(_, value)| is_passable(&value, txn))
        && items.is_none_or(|array| {
            items_of(&array, txn).is_some_and(|items| items.iter().all(|item| is_passable(item, txn)))
        })
}

fn branch_at(shared: &impl AsRef<Branch>) -> BranchPtr {
    BranchPtr::from(shared.as_ref())
}

/// Gives a root without a type the one that its content has.
pub(super) fn typed<T: ReadTxn>(root: Out, txn: &T) -> Out {
    let Out::UndefinedRef(branch) = root else { return root };
    if MapRef::from(branch).len(txn) > 0 {
        return Out::YMap(MapRef::from(branch));
    }
    let array = ArrayRef::from(branch);
    match array.iter(txn).next() {
        Some(Out::YXmlElement(_) | Out::YXmlText(_) | Out::YXmlFragment(_)) => {
            Out::YXmlFragment(XmlFragmentRef::from(branch))
        }
        first => {
            let text = TextRef::from(branch);
            let mut runs = text.diff(txn, YChange::identity).into_iter();
            let is_text = first.is_none() || runs.any(|run| is_of_text(&run));
            if is_text { Out::YText(text) } else { Out::YArray(array) }
        }
    }
}

/// Only a text has characters and embeds; shared types and subdocuments may stand in an array, too.
fn is_of_text(run: &Diff<YChange>) -> bool {
    matches!(&run.insert, Out::Any(any) if !may_be_subdocument(any))
}

fn branch_of(out: Out) -> Option<BranchPtr> {
    match out {
        Out::UndefinedRef(branch) => Some(branch),
        other => other.try_branch().map(BranchPtr::from),
    }
}

pub(super) fn json(any: &Any) -> Value {
    match any {
        Any::Null | Any::Undefined => Value::Null,
        Any::Bool(value) => Value::Bool(*value),
        Any::Number(number) => json_number(number),
        Any::String(text) => Value::String(text.to_string()),
        Any::Buffer(bytes) => bytes.iter().copied().map(Value::from).collect(),
        Any::Array(items) => items.iter().map(json).collect(),
        Any::Map(members) => members.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
    }
}

/// Writes whole numbers as such, whichever way they were encoded; -0 becomes 0.
fn json_number(number: &Number) -> Value {
    match number {
        Number::Int(value) => Value::from(*value),
        Number::Float(value) => match Number::try_i64(*value) {
            Number::Int(whole) => Value::from(whole),
            Number::Float(value) => Value::from(value),
        },
    }
}
