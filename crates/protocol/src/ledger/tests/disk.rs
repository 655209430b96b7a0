//! A disk for ledgers in tests: of each key the last write.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{ActorName, EntityKey, EntityType, Epoch, Record, Sequence, TypeName};
use syncline_core::time::WallMs;

use super::*;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) actors: BTreeMap<ReplicaId, ActorName>,
    pub(super) numbers: BTreeMap<ReplicaId, Numbers>,
    pub(super) acked: BTreeMap<ReplicaId, Acked>,
    pub(super) results: BTreeMap<(ReplicaId, u64), Kept>,
    pub(super) records: BTreeMap<EntityKey, Record>,
    pub(super) conflicts: BTreeMap<ConflictId, Conflict>,
    pub(super) bindings: BTreeMap<ReplicaId, Binding>,
    pub(super) buckets: BTreeMap<EntityKey, BTreeSet<Bucket>>,
    pub(super) evicted: BTreeMap<(Bucket, EntityKey), Sequence>,
    pub(super) resyncs: BTreeMap<(ReplicaId, TypeName), Resync>,
    pub(super) aged: BTreeMap<(ReplicaId, u64), ContentHash>,
    pub(super) days: BTreeMap<WallMs, Sequence>,
    pub(super) floor: Sequence,
    pub(super) commits: u64,
}

impl Disk {
    pub(super) fn write(&mut self, batch: Vec<Write>) {
        for write in batch {
            match write {
                Write::Actor(number, name) => drop(self.actors.insert(number, name)),
                Write::Numbers(number, numbers) => drop(self.numbers.insert(number, numbers)),
                Write::Acked(number, acked) => drop(self.acked.insert(number, *acked)),
                Write::Result(dot, kept) => drop(self.results.insert((dot.replica, dot.counter), *kept)),
                Write::Record(key, record) => drop(self.records.insert(key, *record)),
                Write::Conflict(id, conflict) => drop(self.conflicts.insert(id, *conflict)),
                Write::Device(number, binding) => drop(self.bindings.insert(number, *binding)),
                Write::Buckets(key, buckets) => drop(self.buckets.insert(key, buckets)),
                Write::Evicted(bucket, key, Some(seq)) => drop(self.evicted.insert((bucket, key), seq)),
                Write::Evicted(bucket, key, None) => drop(self.evicted.remove(&(bucket, key))),
                Write::Resync(number, scope, Some(resync)) => {
                    self.resyncs.insert((number, scope), resync);
                }
                Write::Aged(dot, hash) => {
                    self.results.remove(&(dot.replica, dot.counter));
                    match hash {
                        Some(hash) => self.aged.insert((dot.replica, dot.counter), hash),
                        None => self.aged.remove(&(dot.replica, dot.counter)),
                    };
                }
                Write::Day(at, Some(head)) => drop(self.days.insert(at, head)),
                Write::Day(at, None) => drop(self.days.remove(&at)),
                Write::Purged(key) => {
                    self.buckets.remove(&key);
                    self.records.remove(&key);
                }
                Write::Floor(floor) => self.floor = floor,
                Write::Resync(number, scope, None) => {
                    self.resyncs.remove(&(number, scope));
                }
            }
        }
        self.commits += 1;
    }

    pub(super) fn load(&self, types: Vec<EntityType>, epoch: Epoch) -> Ledger {
        let actors = self.actors.iter().map(|(&number, name)| Write::Actor(number, name.clone()));
        let numbers = self.numbers.iter().map(|(&number, numbers)| Write::Numbers(number, numbers.clone()));
        let acked = self.acked.iter().map(|(&number, acked)| Write::Acked(number, Box::new(acked.clone())));
        let results = self.results.iter();
        let results =
            results.map(|(&(actor, n), kept)| Write::Result(Dot::new(actor, n), Box::new(kept.clone())));
        let records = self.records.iter();
        let records = records.map(|(key, record)| Write::Record(key.clone(), Box::new(record.clone())));
        let conflicts = self.conflicts.iter();
        let conflicts = conflicts.map(|(&id, conflict)| Write::Conflict(id, Box::new(conflict.clone())));
        let bindings = self.bindings.iter();
        let bindings = bindings.map(|(&number, binding)| Write::Device(number, Box::new(binding.clone())));
        let buckets = self.buckets.iter();
        let buckets = buckets.map(|(key, buckets)| Write::Buckets(key.clone(), buckets.clone()));
        let evicted = self.evicted.iter();
        let evicted =
            evicted.map(|((bucket, key), &seq)| Write::Evicted(bucket.clone(), key.clone(), Some(seq)));
        let resyncs = self.resyncs.iter();
        let resyncs =
            resyncs.map(|((number, scope), &resync)| Write::Resync(*number, scope.clone(), Some(resync)));
        let aged = self.aged.iter();
        let aged = aged.map(|(&(actor, n), &hash)| Write::Aged(Dot::new(actor, n), Some(hash)));
        let days = self.days.iter().map(|(&at, &head)| Write::Day(at, Some(head)));
        let of_devices = bindings.chain(numbers).chain(acked).chain(results).chain(aged).chain(resyncs);
        let of_records = records.chain(buckets).chain(evicted).chain(conflicts).chain(days);
        let stored = actors.chain(of_devices).chain(of_records).chain([Write::Floor(self.floor)]);
        Ledger::load(types, epoch, stored.collect::<Vec<_>>()).expect("it was written by a ledger")
    }

    pub(super) fn head(&self) -> Sequence {
        self.records.values().map(|record| record.seq).max().unwrap_or_default().max(self.floor)
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
                Effect::Commit { commit, batch } => {
                    self.disk.write(batch);
                    self.ledger.handle(now, Input::Committed(commit));
                }
                Effect::Answer { answer, .. } => answered = Some(answer),
            }
        }
        answered
    }

    /// Has it forget what is not on the disk.
    pub(super) fn restart(&mut self, types: Vec<EntityType>, epoch: Epoch) {
        self.ledger = self.disk.load(types, epoch);
    }
}
