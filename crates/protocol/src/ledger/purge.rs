//! How long what was deleted is known.

use std::collections::BTreeSet;

use syncline_core::entity::{Sequence, TypeName};
use syncline_core::limits::{DAY_MS, PURGED_MAX, TOMBSTONE_TTL_MS};
use syncline_core::time::WallMs;

use super::Ledger;
use super::message::Write;

impl Ledger {
    /// Notes once a day where the log ends: what lies before is at least as old.
    pub(super) fn note_day(&mut self, now: WallMs) {
        let head = self.log.head();
        let is_due = match self.days.last_key_value() {
            None => head > Sequence(0),
            Some((at, &noted)) => now.0 >= at.0.saturating_add(DAY_MS) && head > noted,
        };
        if is_due {
            self.days.insert(now, head);
            self.gathered.push(Write::Day(now, Some(head)));
        }
    }

    /// Forgets some of what was deleted, or left a bucket, long enough ago, and that every device is past which counts.
    pub(super) fn purge(&mut self, now: WallMs) {
        let past = self.everyone_past(now);
        let is_due = |kind: &TypeName, seq: Sequence| seq <= self.older_than(now, self.ttl_ms(kind));
        let due: Vec<_> =
            self.log.dead(past).filter(|(seq, key)| is_due(&key.kind, *seq)).take(PURGED_MAX).collect();
        let Some(&(last, _)) = due.last() else { return };
        for (seq, key) in due {
            let purged = self.log.purge(seq, &key);
            self.gathered
                .extend(purged.marks.into_iter().map(|bucket| Write::Evicted(bucket, key.clone(), None)));
            if let Some(buckets) = purged.tombstone {
                self.records.remove(&key);
                if !buckets.is_empty() {
                    self.gathered.push(Write::Buckets(key.clone(), BTreeSet::new()));
                }
                self.gathered.push(Write::Purged(key));
            }
        }
        self.log.raise_floor(last);
        self.gathered.push(Write::Floor(self.log.floor()));
        self.forget_days(now);
    }

    /// Returns the place up to which all is at least so old.
    fn older_than(&self, now: WallMs, age_ms: u64) -> Sequence {
        let Some(at) = now.0.checked_sub(age_ms) else { return Sequence(0) };
        self.days.range(..=WallMs(at)).next_back().map_or(Sequence(0), |(_, &seq)| seq)
    }

    /// Forgets the days that no type asks for any more.
    fn forget_days(&mut self, now: WallMs) {
        let longest = self.types.keys().map(|kind| self.ttl_ms(kind)).max().unwrap_or(TOMBSTONE_TTL_MS);
        let at = WallMs(now.0.saturating_sub(longest));
        let Some((&last, _)) = self.days.range(..=at).next_back() else { return };
        let kept = self.days.split_off(&last);
        let gone = std::mem::replace(&mut self.days, kept);
        self.gathered.extend(gone.into_keys().map(|at| Write::Day(at, None)));
    }

    fn ttl_ms(&self, _kind: &TypeName) -> u64 {
        TOMBSTONE_TTL_MS
    }
}
