//! What devices have stored of what they were told, and how long results are kept for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::{ActorName, Epoch, Sequence, TypeName};
use syncline_core::limits::{AGED_MAX, DAY_MS, MAX_OFFLINE_MS, RESULTS_WHOLE_MS, SEEN_MS};
use syncline_core::time::WallMs;

use super::cursor::Cursor;
use super::device::Device;
use super::message::{Answer, Write};
use super::{ContentHash, Ledger};

/// What a device says it has stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// The changes up to these cursors, by their scopes.
    pub cursors: Vec<(TypeName, Cursor)>,
    /// The results of its ops up to this number.
    pub results_through: u64,
    /// What waits on it, if it says so.
    pub backlog: Option<Backlog>,
}

/// What waits on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Ops that were not sent.
    pub pending: u64,
    /// When the oldest of them was made.
    pub oldest_at: Option<WallMs>,
    /// Ops that were refused and wait for people.
    pub dead: u64,
}

/// What a device has stored, in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// How far it is, by scope.
    pub scopes: BTreeMap<TypeName, AckedScope>,
    /// It knows the results of its ops up to this number.
    pub results_through: u64,
    /// The same by days, each named by its end: results are forgotten some time after.
    pub days: BTreeMap<WallMs, u64>,
    /// What waits on it.
    pub backlog: Backlog,
}

/// How far a device is in a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckedScope {
    /// The life of the log in which it said so.
    pub epoch: Epoch,
    /// It has the changes up to this place.
    pub pos: Sequence,
    /// Of what was deleted up to this place it needs nothing more.
    pub past: Sequence,
    /// When it said so last; up to an hour early.
    pub at: WallMs,
}

impl Ledger {
    /// Raises what a device has stored, never beyond what there is: results that are still to come stay to be told.
    pub(super) fn acknowledge(&mut self, now: WallMs, name: &ActorName, ack: Ack) -> Answer {
        let actor = self.number(name);
        let (epoch, head) = (self.epoch, self.log.head());
        let device = self.devices.entry(actor).or_default();
        let before = device.acked.clone();
        let acked = &mut device.acked;
        for (scope, cursor) in ack.cursors.into_iter().filter(|(_, cursor)| cursor.epoch == epoch) {
            let known = acked.scopes.get(&scope).filter(|known| known.epoch == epoch).copied();
            acked.scopes.insert(scope, known.unwrap_or_default().raised(now, &cursor, head));
        }
        let through = ack.results_through.min(device.numbers.last());
        if through > acked.results_through {
            acked.results_through = through;
            acked.days.insert(end_of_day(now), through);
        }
        acked.backlog = ack.backlog.unwrap_or(acked.backlog);
        if *acked != before {
            self.gathered.push(Write::Acked(actor, Box::new(acked.clone())));
        }
        Answer::Acked { acked: Box::new(acked.clone()), floor: self.log.floor() }
    }

    /// Shortens results that were acknowledged long ago to their hashes, and forgets those of longer ago, some at a time.
    pub(super) fn age_results(&mut self, now: WallMs) {
        let mut left = AGED_MAX;
        for (&actor, device) in &mut self.devices {
            let aged = device.age(now, left);
            left -= aged.len();
            let writes = aged.into_iter().map(|(n, hash)| Write::Aged(Dot::new(actor, n), hash));
            self.gathered.extend(writes);
        }
    }

    /// Returns the place that every device is past, of what was deleted. Who is long gone does not count, nor who has to begin
    /// again anyway.
    pub(super) fn everyone_past(&self, now: WallMs) -> Sequence {
        let bound = self.devices.values().filter(|device| device.is_in());
        let scopes = bound.flat_map(|device| device.acked.scopes.values());
        let counted = scopes.filter(|scope| {
            scope.epoch == self.epoch && scope.past >= self.log.floor() && scope.is_fresh(now)
        });
        counted.map(|scope| scope.past).min().unwrap_or(self.log.head())
    }

    pub(super) fn restore_aged(&mut self, actor: ReplicaId, n: u64, hash: ContentHash) {
        self.devices.entry(actor).or_default().hashes.insert(n, hash);
    }
}

impl AckedScope {
    /// Returns whether the device has said so lately enough for others to wait for it.
    pub(super) fn is_fresh(&self, now: WallMs) -> bool {
        now.0.saturating_sub(self.at.0) < MAX_OFFLINE_MS
    }

    fn raised(self, now: WallMs, cursor: &Cursor, head: Sequence) -> Self {
        let pos = self.pos.max(cursor.pos.min(head));
        let past = self.past.max(cursor.horizon().min(head));
        let is_old = now.0.saturating_sub(self.at.0) >= SEEN_MS;
        Self {
            epoch: cursor.epoch,
            pos,
            past,
            at: if is_old || pos > self.pos { self.at.max(now) } else { self.at },
        }
    }
}

impl Device {
    /// Returns what an op held that has its result, as long as that is known.
    pub(super) fn hash(&self, n: u64) -> Option<ContentHash> {
        self.kept.get(&n).map(|kept| kept.read().hash).or_else(|| self.hashes.get(&n).copied())
    }

    /// Returns what is left of results that have grown too old: their hashes, or nothing.
    fn age(&mut self, now: WallMs, count_max: usize) -> Vec<(u64, Option<ContentHash>)> {
        let before = |ms: u64| WallMs(now.0.saturating_sub(ms));
        let through =
            |days: &BTreeMap<WallMs, u64>, at: WallMs| days.range(..=at).next_back().map_or(0, |(_, &n)| n);
        let forgotten = through(&self.acked.days, before(MAX_OFFLINE_MS));
        let shortened = through(&self.acked.days, before(RESULTS_WHOLE_MS));
        let mut aged = Vec::new();
        while aged.len() < count_max
            && let Some(entry) = self.kept.first_entry().filter(|entry| *entry.key() <= shortened)
        {
            let (n, kept) = entry.remove_entry();
            let kept = kept.read();
            if self.refused.get(&kept.result.entity) == Some(&n) {
                self.refused.remove(&kept.result.entity);
            }
            self.hashes.insert(n, kept.hash);
            aged.push((n, Some(kept.hash)));
        }
        while aged.len() < count_max
            && let Some(entry) = self.hashes.first_entry().filter(|entry| *entry.key() <= forgotten)
        {
            aged.push((*entry.key(), None));
            entry.remove();
        }
        aged
    }
}

/// Days are rounded up: nothing goes too early.
const fn end_of_day(now: WallMs) -> WallMs {
    WallMs((now.0 / DAY_MS).saturating_add(1).saturating_mul(DAY_MS))
}
