//! How far yrs walks to find the places of items, told before it walks.
//!
//! An item goes behind its origin. If others are there already that its author did not know, it walks past some of them and all
//! that was written behind those: past the ones of lower client ids, and of higher ones if their right origins differ (YATA; yrs
//! `block.rs` `resolve_conflict`). One walk is as long as the document at most and few items walk at all, for whoever sees a place has it
//! in the right origin. But 6,000 items at the beginning of a text in which somebody else has 6,000, 72 KB, are 36,000,000 steps: 9 s.
//!
//! Which of two items walks past the other depends on which comes first, and a document is loaded in another order than it was
//! written in. So what is bounded is the most steps in any order. [`Contest`] keeps an upper bound: all items of places where one is contested, times all items. Few
//! documents exceed the limit by that. For those, [`steps`](count::steps) looks at each place.

mod count;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{
    index::Plan,
    yjs::{ApplyError, YjsDocument},
};
use crate::{
    guard::{Beginning, Id, ScannedUpdate, Struct, StructKind, scan_update},
    id::ClientId,
    limits::CONTEST_STEPS_MAX,
};

/// Pieces into which the ends of an item's neighbours, and those of a deleted range, cut others, and the item itself.
const STRUCT_PIECES: u64 = 3;
const RANGE_PIECES: u64 = 2;

/// yrs notes what an item walks past in a table, and empties it at each that it is to stand behind; emptying one that held so many takes
/// as long as a step.
const NOTED_STEPS: u64 = 4_096;

/// The items that name one origin, or those of one list that name none: each was put before the one before it as long as nothing is contested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The one that came last, which is the first of them; nothing once two did not know of each other.
    first: Option<Id>,
    items: u64,
}

/// What was counted, and of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    steps: u64,
    pieces: u64,
    structs: u64,
    ranges: u64,
    contested: u64,
}

/// The most steps that the items of a document walk.
#[derive(Debug, Default)]
pub(super) struct Contest {
    structs: u64,
    /// Ranges that were deleted.
    ranges: u64,
    /// Items of all places of which one is contested.
    contested: u64,
    /// By origin, where more is known than that the next element of the same client was written behind it.
    behind: BTreeMap<Id, Place>,
    /// The structs of each client that were not written behind its last one, by their clocks, ascending.
    elsewhere: BTreeMap<ClientId, Vec<u32>>,
    /// Items without an origin: the lists that begin with them, and of each item which list that is.
    lists: BTreeMap<u64, Place>,
    heads: BTreeMap<Id, u64>,
    /// Entries of maps that somebody has set.
    entries: BTreeSet<u64>,
    /// Items without an origin of which nobody can say which list they begin.
    lost: bool,
    /// When the steps were counted for the last time.
    counted: Option<Counted>,
}

/// A document with what an update adds to it.
struct With<'a> {
    before: &'a Contest,
    added: &'a mut Contest,
}

impl Contest {
    /// Adds the struct of `client` from `clock` on, of an update that comes on top of `before`. `is_last` says whether no element follows the
    /// origin among those of its client.
    pub(super) fn take(&mut self, before: &Self, update: &[u8], id: Id, next: &Struct, is_last: bool) {
        self.structs += 1;
        let last = id.clock.checked_sub(1).map(|clock| Id { clock, ..id });
        let StructKind::Item { .. } = next.kind else {
            self.elsewhere.entry(id.client).or_default().push(id.clock);
            return;
        };
        // Of a struct that the document has in part, the rest continues it.
        if next.clock < id.clock {
            return;
        }
        let mut with = With { before, added: self };
        let continues = next.origin.is_some() && next.origin == last;
        if !continues {
            with.added.elsewhere.entry(id.client).or_default().push(id.clock);
        }
        match (next.origin, next.right_origin) {
            (Some(origin), right) => with.behind(origin, is_last, id, right, continues),
            (None, Some(right)) => with.before(right, id),
            (None, None) => with.alone(update, id, next),
        }
    }

    /// Counts ranges that are deleted with what was added.
    pub(super) fn delete(&mut self, ranges: usize) {
        self.ranges = ranges as u64;
    }

    /// Adds what an update has added.
    pub(super) fn add(&mut self, added: Self) {
        self.structs += added.structs;
        self.ranges += added.ranges;
        self.contested += added.contested;
        self.behind.extend(added.behind);
        added.elsewhere.into_iter().for_each(|(client, clocks)| {
            self.elsewhere.entry(client).or_default().extend(clocks);
        });
        self.lists.extend(added.lists);
        self.heads.extend(added.heads);
        self.entries.extend(added.entries);
        self.lost |= added.lost;
        self.counted = added.counted.or(self.counted);
    }

    /// Returns the most steps that there are with what an update adds.
    fn most_with(&self, added: &Self) -> u64 {
        let then = self.counted.unwrap_or_default();
        let structs = self.structs + added.structs - then.structs;
        let ranges = self.ranges + added.ranges - then.ranges;
        let pieces = then.pieces + structs * STRUCT_PIECES + ranges * RANGE_PIECES;
        let since = most(self.contested + added.contested, pieces) - most(then.contested, then.pieces);
        then.steps.saturating_add(since)
    }

    /// Returns what was counted of the document with what an update adds.
    fn counted_with(&self, added: &Self, steps: &[u64]) -> Counted {
        Counted {
            steps: steps.iter().copied().fold(0, u64::saturating_add),
            pieces: steps.len() as u64,
            structs: self.structs + added.structs,
            // Of those that an update brings some may be known.
            ranges: self.ranges,
            contested: self.contested + added.contested,
        }
    }

    /// Returns whether one element is another, or was written behind it by the same client, each between the two behind the one before; with
    /// what an update adds.
    pub(super) fn is_behind(&self, added: &Self, one: Id, other: Id) -> bool {
        let is_elsewhere = |contest: &Self| {
            contest.elsewhere.get(&one.client).is_some_and(|clocks| {
                let next = clocks.partition_point(|&clock| clock <= other.clock);
                clocks.get(next).is_some_and(|&clock| clock <= one.clock)
            })
        };
        one.client == other.client && other.clock <= one.clock && !is_elsewhere(self) && !is_elsewhere(added)
    }

    /// Returns whether the next element of the same client was written behind this one, which is not its last.
    fn is_continued(&self, id: Id) -> bool {
        let elsewhere = self.elsewhere.get(&id.client);
        elsewhere.is_none_or(|clocks| clocks.binary_search(&(id.clock + 1)).is_err())
    }
}

impl With<'_> {
    /// Adds an item to those that name an origin.
    fn behind(&mut self, origin: Id, is_last: bool, id: Id, right: Option<Id>, continues: bool) {
        let known = self.added.behind.get(&origin).or_else(|| self.before.behind.get(&origin)).copied();
        let is_continued = !is_last && self.before.is_continued(origin) && self.added.is_continued(origin);
        let next = || Place { first: Some(Id { clock: origin.clock + 1, ..origin }), items: 1 };
        match known.or_else(|| is_continued.then(next)) {
            None if continues => {}
            place => {
                let place = self.joined(place, id, right);
                self.added.behind.insert(origin, place);
            }
        }
    }

    /// Adds an item to those that begin the list in which `right` is.
    fn before(&mut self, right: Id, id: Id) {
        let list = self.added.heads.get(&right).or_else(|| self.before.heads.get(&right)).copied();
        let Some(list) = list else {
            // Nobody who sees a list puts something before anything but what was its head once, and nothing before the value of an entry.
            let heads = self.before.heads.len() + self.added.heads.len();
            self.added.contested += 2 + if self.is_lost() { 0 } else { heads as u64 };
            self.added.lost = true;
            return;
        };
        let place = self.added.lists.get(&list).or_else(|| self.before.lists.get(&list)).copied();
        let place = self.joined(place, id, Some(right));
        self.begins(list, id, place);
    }

    /// Adds an item that begins a list, or is the first value of an entry, for all that its author knew.
    fn alone(&mut self, update: &[u8], id: Id, next: &Struct) {
        let Some(beginning) = next.beginning(update) else { return };
        let list = number(&beginning);
        if beginning.key.is_some() {
            let is_set = self.before.entries.contains(&list) || !self.added.entries.insert(list);
            self.added.contested += if is_set { 2 } else { 0 };
            return;
        }
        let place = self.added.lists.get(&list).or_else(|| self.before.lists.get(&list)).copied();
        let place = self.joined(place, id, None);
        self.begins(list, id, place);
    }

    fn begins(&mut self, list: u64, id: Id, place: Place) {
        // With one of which it is not known where it is, all may be contested.
        self.added.contested += u64::from(self.is_lost() && place.first.is_some());
        self.added.lists.insert(list, place);
        self.added.heads.insert(id, list);
    }

    fn is_lost(&self) -> bool {
        self.before.lost || self.added.lost
    }

    /// Returns a place with an item that was put before `right`.
    fn joined(&mut self, place: Option<Place>, id: Id, right: Option<Id>) -> Place {
        let Some(Place { first, items }) = place else { return Place { first: Some(id), items: 1 } };
        let items = items + 1;
        match first {
            Some(first) if right == Some(first) => return Place { first: Some(id), items },
            Some(_) => self.added.contested += items,
            None => self.added.contested += 1,
        }
        Place { first: None, items }
    }
}

/// Returns the most steps of so many items, each of which walks past so many pieces at most.
fn most(items: u64, pieces: u64) -> u64 {
    items.saturating_mul(pieces.saturating_add(pieces.saturating_mul(pieces) / (NOTED_STEPS / 2)))
}

/// Returns a number for what an item begins. That two have the same one is no more than a bound that is too high.
fn number(beginning: &Beginning<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    beginning.hash(&mut hasher);
    hasher.finish()
}

impl YjsDocument {
    /// Says whether the items of an update find their places in little enough time, whatever they come after.
    pub(super) fn check_contest(
        &self,
        update: &ScannedUpdate<'_>,
        plan: &mut Plan,
    ) -> Result<(), ApplyError> {
        if plan.sections.is_empty() {
            return Ok(());
        }
        plan.contest.delete(update.deletes().len());
        if self.index().contest().most_with(&plan.contest) <= CONTEST_STEPS_MAX {
            return Ok(());
        }
        let whole = self.encode().map_err(|_| ApplyError::Broken)?;
        // What was encoded here is an update.
        let whole = scan_update(&whole).map_err(|_| ApplyError::Broken)?;
        let steps = count::steps(&whole, update, &plan.sections);
        let counted = self.index().contest().counted_with(&plan.contest, &steps);
        if counted.steps > CONTEST_STEPS_MAX {
            return Err(ApplyError::TooConcurrent);
        }
        plan.contest.counted = Some(counted);
        Ok(())
    }
}
