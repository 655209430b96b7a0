//! What an app holds of the server's records.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Type and id.
pub(crate) type Key = (String, String);

/// A record as it was last told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The life of the log in which it was told, and its version: what is older than these says nothing new.
    stamp: (u64, u64),
    /// What an op made on it names as seen.
    pub(crate) ctx: Value,
    /// Nothing if it is deleted.
    pub(crate) data: Option<Map<String, Value>>,
    /// The scopes that hold it; none if the app knows it from its own ops only.
    scopes: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows(BTreeMap<Key, Row>);

impl Rows {
    /// Takes in a change of a scope. A row that is marked since a reset takes whatever comes.
    pub(crate) fn change(&mut self, scope: &str, change: &Value, is_marked: bool) {
        let key = key_of(change);
        let verb = text(change, "op");
        if verb == "evict" {
            return self.leave(scope, &key);
        }
        let stamp = (number(change, "epoch"), number(change, "ver"));
        let data = (verb == "put").then(|| change["data"].as_object().expect("a put is whole").clone());
        let row = self.take(key, stamp, change, data, is_marked);
        row.scopes.insert(scope.to_owned());
    }

    /// Takes in the record that an op has left behind.
    pub(crate) fn result(&mut self, epoch: u64, result: &Value, data: Option<Map<String, Value>>) {
        self.take(key_of(result), (epoch, number(result, "ver")), result, data, false);
    }

    /// Notes that a scope holds a row no longer. That is no deletion: the row is forgotten.
    pub(crate) fn leave(&mut self, scope: &str, key: &Key) {
        if let Some(row) = self.0.get_mut(key) {
            row.scopes.remove(scope);
            if row.scopes.is_empty() {
                self.0.remove(key);
            }
        }
    }

    pub(crate) fn row(&self, key: &Key) -> Option<&Row> {
        self.0.get(key)
    }

    /// Returns the keys of all that the app holds of a scope, deletions too.
    pub(crate) fn keys(&self, scope: &str) -> BTreeSet<Key> {
        self.of(scope).map(|(key, _)| key.clone()).collect()
    }

    /// Returns what lives in a scope, with versions.
    pub(crate) fn live(&self, scope: &str) -> BTreeMap<&Key, (u64, &Map<String, Value>)> {
        let live = self.of(scope).filter_map(|(key, row)| Some((key, (row.stamp.1, row.data.as_ref()?))));
        live.collect()
    }

    /// Returns the checksum of a scope, as the server writes it.
    pub(crate) fn checksum(&self, scope: &str) -> Value {
        let live = self.live(scope);
        let sum = live.iter().fold(0_u64, |sum, ((kind, id), (ver, _))| {
            let hash = Sha256::digest(format!("{kind}\0{id}\0{ver}"));
            sum.wrapping_add(hash[..8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
        });
        json!({ "count": live.len().to_string(), "sum": format!("{sum:016x}") })
    }

    fn of(&self, scope: &str) -> impl Iterator<Item = (&Key, &Row)> {
        self.0.iter().filter(move |(_, row)| row.scopes.contains(scope))
    }

    fn take(
        &mut self,
        key: Key,
        stamp: (u64, u64),
        told: &Value,
        data: Option<Map<String, Value>>,
        is_marked: bool,
    ) -> &mut Row {
        let nothing = || Row { stamp: (0, 0), ctx: Value::Null, data: None, scopes: BTreeSet::new() };
        let row = self.0.entry(key).or_insert_with(nothing);
        if is_marked || stamp > row.stamp {
            let scopes = std::mem::take(&mut row.scopes);
            *row = Row { stamp, ctx: ctx_of(told), data, scopes };
        }
        row
    }
}

/// Returns what an op names as seen that is made on what was told.
pub(crate) fn ctx_of(told: &Value) -> Value {
    json!({ "ver": told["ver"], "vv": told["vv"], "hlc": told["hlc"] })
}

pub(crate) fn key_of(told: &Value) -> Key {
    (text(told, "type").to_owned(), text(told, "id").to_owned())
}

/// Returns a member that the contract has as a text.
pub(crate) fn text<'a>(told: &'a Value, name: &str) -> &'a str {
    told[name].as_str().unwrap_or_else(|| panic!("`{name}` is no text in {told}"))
}

/// Returns a member that the contract has as a decimal string.
pub(crate) fn number(told: &Value, name: &str) -> u64 {
    text(told, name).parse().unwrap_or_else(|_| panic!("`{name}` is no number in {told}"))
}
