//! The ops of an app that have no result yet.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::rows::Key;

/// What an app calls an op of its own, from before it has a number and after it has another device's.
pub(crate) type OpName = u64;

/// The number and the bytes of an op that is ready to be sent.
pub(crate) type Frozen = (u64, String);

/// What its author had seen when an op was made.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// The record as it was told, or null if it was not.
    Told(Value),
    /// The op made before it on the same record, and what that one's author had seen.
    After(OpName, Box<Seen>),
}

/// An op that waits for its result.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) op: OpName,
    pub(crate) key: Key,
    pub(crate) verb: &'static str,
    /// What it writes: `set`, `unset`, `delta`, `was`, and the `refs` that go with them.
    pub(crate) parts: Map<String, Value>,
    pub(crate) seen: Seen,
    pub(crate) hlc: String,
    /// Its number and its bytes, from just before it is first sent. They never change.
    pub(crate) frozen: Option<Frozen>,
    /// Whether the server has put it off; it is sent again in the next round.
    pub(crate) waits: bool,
}

/// The ops of a device, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) pending: Vec<Pending>,
    /// The greatest number given.
    pub(crate) last_n: u64,
}

impl Queue {
    /// Returns the numbers and bytes of what is to be sent next. `freeze` writes an op that gets its number now.
    pub(crate) fn batch(
        &mut self,
        count: usize,
        freeze: impl Fn(&Pending, u64, &BTreeMap<OpName, u64>) -> Value,
    ) -> Vec<Frozen> {
        let mut numbers = BTreeMap::new();
        let mut batch = Vec::new();
        for at in 0..self.pending.len() {
            let pending = &self.pending[at];
            if pending.waits || batch.len() == count {
                continue;
            }
            let frozen = match &pending.frozen {
                Some(frozen) => frozen.clone(),
                None => {
                    self.last_n += 1;
                    (self.last_n, freeze(pending, self.last_n, &numbers).to_string())
                }
            };
            numbers.insert(pending.op, frozen.0);
            self.pending[at].frozen = Some(frozen.clone());
            batch.push(frozen);
        }
        batch
    }

    /// Gives up an op. If its number may be known to the server, nothing is sent under it instead.
    pub(crate) fn give_up(&mut self, op: OpName) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.op == op)?;
        let Some((n, _)) = self.pending[at].frozen else { return Some(self.pending.remove(at)) };
        let empty = Pending {
            verb: "noop",
            parts: Map::new(),
            frozen: Some((n, noop(n))),
            ..self.pending[at].clone()
        };
        Some(std::mem::replace(&mut self.pending[at], empty))
    }

    /// Takes out the op of a number.
    pub(crate) fn settle(&mut self, n: u64) -> Option<Pending> {
        let is_it = |pending: &Pending| pending.frozen.as_ref().is_some_and(|frozen| frozen.0 == n);
        let at = self.pending.iter().position(is_it)?;
        Some(self.pending.remove(at))
    }

    /// Notes that an op is to be sent again in the next round.
    pub(crate) fn put_off(&mut self, n: u64) {
        let is_it = |pending: &&mut Pending| pending.frozen.as_ref().is_some_and(|frozen| frozen.0 == n);
        self.pending.iter_mut().filter(is_it).for_each(|pending| pending.waits = true);
    }

    /// Uses up numbers that a server has lost together with what this device no longer holds.
    pub(crate) fn fill(&mut self, expected: u64, op: OpName) {
        let held = |n| self.pending.iter().any(|it| it.frozen.as_ref().is_some_and(|frozen| frozen.0 == n));
        let lost: Vec<u64> = (expected..=self.last_n).filter(|n| !held(*n)).collect();
        self.pending.extend(lost.into_iter().map(|n| Pending {
            op,
            key: Key::default(),
            verb: "noop",
            parts: Map::new(),
            seen: Seen::Told(Value::Null),
            hlc: String::new(),
            frozen: Some((n, noop(n))),
            waits: false,
        }));
        self.pending.sort_by_key(|it| it.frozen.as_ref().map_or(u64::MAX, |frozen| frozen.0));
    }

    /// Returns the ops on a record, in their order.
    pub(crate) fn on<'a>(&'a self, key: &'a Key) -> impl DoubleEndedIterator<Item = &'a Pending> {
        self.pending.iter().filter(move |pending| pending.key == *key)
    }
}

fn noop(n: u64) -> String {
    json!({ "n": n.to_string(), "op": "noop" }).to_string()
}

impl Pending {
    /// Does to values what the op is to do to the record.
    pub(crate) fn replay(&self, data: Option<Map<String, Value>>) -> Option<Map<String, Value>> {
        let set = self.parts.get("set").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut data = match self.verb {
            "create" | "restore" => return Some(set),
            "delete" => return None,
            _ => data?,
        };
        data.extend(set);
        for name in self.parts.get("unset").and_then(Value::as_array).into_iter().flatten() {
            data.remove(name.as_str().unwrap_or_default());
        }
        for (name, amount) in self.parts.get("delta").and_then(Value::as_object).into_iter().flatten() {
            let before = data.get(name).and_then(Value::as_i64).unwrap_or_default();
            data.insert(name.clone(), json!(before + amount.as_i64().expect("amounts are whole here")));
        }
        Some(data)
    }

    /// Whether it may not be sent under another name: it would take effect twice if it had done so before.
    pub(crate) fn is_only_itself(&self) -> bool {
        let names_old = self.parts.contains_key("was");
        let is_temporary = self.key.1.starts_with("tmp_");
        self.verb == "delta" || names_old || is_temporary
    }
}
