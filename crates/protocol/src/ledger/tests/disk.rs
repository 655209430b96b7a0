//! A disk for ledgers in tests.

use std::collections::BTreeMap;

use syncline_core::clock::ReplicaId;
use syncline_core::entity::{ActorName, EntityKey, EntityType, Epoch, Record, Sequence};
use syncline_core::time::{MonotonicMs, Now, WallMs};

use super::*;

/// What survives a crash: of each name the last write.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    state: BTreeMap<Vec<u8>, Write>,
    /// What a ledger is not loaded from.
    history: BTreeMap<Vec<u8>, Write>,
}

impl Disk {
    pub(super) fn write(&mut self, batch: Vec<Write>) {
        for write in batch {
            let stored = write.to_stored();
            let is_history = stored::is_history(&stored.name);
            let things = if is_history { &mut self.history } else { &mut self.state };
            let Some(bytes) = stored.bytes else {
                things.remove(&stored.name);
                continue;
            };
            let again = Write::from_stored(&stored.name, &bytes).expect("it was just stored");
            assert_eq!(again, write);
            assert!(!is_history || !things.contains_key(&stored.name), "{write:?} is not the first");
            things.insert(stored.name, again);
        }
    }

    pub(super) fn load(&self, types: Vec<EntityType>, epoch: Epoch) -> Ledger {
        Ledger::load(types, epoch, self.state.values().cloned()).expect("it was written by a ledger")
    }

    /// Returns all that it holds, in the order of names.
    pub(super) fn stored(&self) -> Vec<Write> {
        self.state.values().cloned().collect()
    }

    pub(super) fn records(&self) -> BTreeMap<EntityKey, Record> {
        let record = |write: &Write| match write {
            Write::Record(key, record) => Some((key.clone(), (**record).clone())),
            _ => None,
        };
        self.state.values().filter_map(record).collect()
    }

    pub(super) fn actor(&self, name: &ActorName) -> Option<ReplicaId> {
        self.find(|write| match write {
            Write::Actor(number, of) if of == name => Some(*number),
            _ => None,
        })
    }

    /// Returns what the first write is that `pick` picks.
    pub(super) fn find<T>(&self, pick: impl FnMut(&Write) -> Option<T>) -> Option<T> {
        self.state.values().find_map(pick)
    }

    /// Returns what the writes of the history are that `pick` picks.
    pub(super) fn pick<T>(&self, pick: impl FnMut(&Write) -> Option<T>) -> impl Iterator<Item = T> {
        self.history.values().filter_map(pick)
    }

    /// Returns how many writes are picked.
    pub(super) fn count(&self, pick: impl Fn(&Write) -> bool) -> usize {
        self.state.values().filter(|write| pick(write)).count()
    }

    pub(super) fn head(&self) -> Sequence {
        let place = |write: &Write| match write {
            Write::Record(_, record) => Some(record.seq),
            Write::Floor(floor) => Some(*floor),
            _ => None,
        };
        self.state.values().filter_map(place).max().unwrap_or_default()
    }
}

/// A ledger whose commits are durable at once.
pub(super) struct Server {
    pub(super) disk: Disk,
    pub(super) ledger: Ledger,
    pub(super) now_ms: u64,
}

impl Server {
    pub(super) fn new(types: Vec<EntityType>) -> Self {
        let disk = Disk::default();
        Self { ledger: disk.load(types, Epoch(1)), disk, now_ms: 1 }
    }

    /// Gives an input, and returns the answer to it.
    pub(super) fn ask(&mut self, input: Input) -> Option<Answer> {
        let now = Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) };
        self.ledger.handle(now, input);
        let mut answered = None;
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Commit { commit, batch, .. } => {
                    self.disk.write(batch);
                    self.ledger.handle(now, Input::Committed(commit));
                }
                Effect::Answer { answer, .. } => answered = Some(answer),
                Effect::Moved { .. } | Effect::Ask { .. } => {}
                Effect::Merge(_) | Effect::Refuse { .. } | Effect::Deleted { .. } => {
                    panic!("no type has documents here")
                }
            }
        }
        answered
    }

    /// Has it forget what is not on the disk.
    pub(super) fn restart(&mut self, types: Vec<EntityType>, epoch: Epoch) {
        self.ledger = self.disk.load(types, epoch);
    }
}
