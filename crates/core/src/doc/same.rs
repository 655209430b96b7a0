//! Compares two documents.

use std::collections::BTreeMap;

use serde_json::Value;
use yrs::{ClientID, ID, ReadTxn};

use super::{
    content::{Content, roots_of},
    formats::Marked,
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
            && self.same_content(other)?)
    }

    /// Compares what two documents hold: as it is read, or, if the formats of one may come to too much for that, with each where it
    /// begins and ends.
    fn same_content(&self, other: &Self) -> Result<bool, Broken> {
        let mut both = [self, other].into_iter();
        let roots = if both.all(|document| document.index().formats().is_within()) {
            [self, other].map(|document| Ok(document.contained().read(|txn| roots_of(txn))?))
        } else {
            [self, other].map(|document| document.marked().map(Marked::in_place))
        };
        let [mine, theirs] = roots.map(|roots: Result<_, Broken>| roots.map(whole));
        Ok(same_json(&mine?, &theirs?))
    }
}

fn whole(roots: BTreeMap<String, Content>) -> Value {
    roots.into_iter().map(|(name, root)| (name, root.to_json())).collect()
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
