//! Compares two documents.

use serde_json::Value;
use yrs::{ClientID, ID, ReadTxn};

use super::yjs::{Broken, YjsDocument};
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
            && same_json(&whole(self)?, &whole(other)?))
    }
}

fn whole(document: &YjsDocument) -> Result<Value, Broken> {
    Ok(document.roots()?.iter().map(|(name, root)| (name.clone(), root.to_json())).collect())
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
