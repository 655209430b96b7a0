//! Compares two documents.

use serde_json::{Map as JsonMap, Value};
use yrs::{
    Array, ArrayRef, ClientID, ID, Map, MapRef, Out, ReadTxn, Text, TextRef,
    branch::{Branch, BranchPtr},
    types::text::YChange,
};

use super::{
    read::{json, typed},
    yjs::{Broken, YjsDocument},
};
use crate::guard::Id;

impl YjsDocument {
    /// Returns whether two documents hold the same: structs, deletions and content, formats and what yrs does not keep
    /// included.
    pub(super) fn same_document(&self, other: &Self) -> Result<bool, Broken> {
        let mine = self.contained().read(|txn| txn.snapshot())?;
        let theirs = other.contained().read(|txn| txn.snapshot())?;
        let is_alive = |id: Id| !mine.delete_set.contains(&ID::new(ClientID::new(id.client.0), id.clock));
        Ok(mine == theirs
            && self.originals().lost(is_alive).eq(other.originals().lost(is_alive))
            && same_json(&self.content()?, &other.content()?))
    }

    /// Returns the content with everything named in order. Markup would not do: yrs writes the attributes of an XML
    /// element in the order of a hash table, which is another for each document.
    fn content(&self) -> Result<Value, Broken> {
        let roots = self.contained().read(|txn| {
            let roots = txn.root_refs().map(|(name, root)| (name.to_owned(), content(root, txn)));
            roots.collect::<JsonMap<_, _>>()
        })?;
        Ok(Value::Object(roots))
    }
}

fn content<T: ReadTxn>(out: Out, txn: &T) -> Value {
    match typed(out, txn) {
        Out::Any(any) => json(&any),
        Out::YText(text) => runs(&text, txn),
        Out::YArray(array) => items(&array, txn),
        Out::YMap(map) => entries(&map, txn),
        Out::YXmlElement(element) => {
            let branch = branch_of(&element);
            let name = Value::from(&**element.tag());
            [name, entries(&MapRef::from(branch), txn), items(&ArrayRef::from(branch), txn)]
                .into_iter()
                .collect()
        }
        Out::YXmlFragment(fragment) => items(&ArrayRef::from(branch_of(&fragment)), txn),
        Out::YXmlText(text) => {
            let branch = branch_of(&text);
            [entries(&MapRef::from(branch), txn), runs(&TextRef::from(branch), txn)].into_iter().collect()
        }
        Out::YDoc(_) | Out::YWeakLink(_) | Out::UndefinedRef(_) => Value::Null,
    }
}

fn branch_of(shared: &impl AsRef<Branch>) -> BranchPtr {
    BranchPtr::from(shared.as_ref())
}

fn items<T: ReadTxn>(array: &ArrayRef, txn: &T) -> Value {
    array.iter(txn).map(|item| content(item, txn)).collect()
}

fn entries<T: ReadTxn>(map: &MapRef, txn: &T) -> Value {
    map.iter(txn).map(|(name, value)| (name.to_owned(), content(value, txn))).collect()
}

/// Each run of a text with one format, and each thing embedded in it, followed by its format.
fn runs<T: ReadTxn>(text: &TextRef, txn: &T) -> Value {
    let runs = text.diff(txn, YChange::identity).into_iter();
    runs.flat_map(|run| {
        let format = run.attributes.iter().flat_map(|format| format.iter());
        [content(run.insert, txn), format.map(|(name, value)| (name.to_string(), json(value))).collect()]
    })
    .collect()
}

/// Compares two JSON values; numbers by what a double makes of them, since yrs encodes whole numbers beyond 2^53 in the
/// JSON of an embed as doubles.
fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_json(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |name, one| other.get(name).is_some_and(|other| same_json(one, other));
            one.len() == other.len() && one.iter().all(|(name, one)| same(name, one))
        }
        (one, other) => one == other,
    }
}
