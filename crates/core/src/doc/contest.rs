//! How far yrs walks to find the places of items, told before it walks.
//!
//! An item goes behind its origin. If others are there already that its author did not know, it walks past some of them and all
//! that was written behind those: past the ones of lower client ids, and of higher ones if their right origins differ (YATA; yrs
//! `block.rs` `resolve_conflict`). One walk is as long as the document at most and few items walk at all, for whoever sees a place has it
//! in the right origin. But 6,000 items at the beginning of a text in which somebody else has 6,000, 72 KB, are 36,000,000 steps: 9 s.
//!
//! Which of two items walks past the other depends on which comes first, and a document is loaded in another order than it was
//! written in. So what is bounded is the most steps in any order. [`Contest`] keeps an upper bound: of items that were put beside others that
//! came a short while before, what has come since; of all others, all items of the place times all items. Few
//! documents exceed the limit by that. For those, [`steps`](count::steps) looks at each place, and the bound goes on from there.

mod bound;
mod count;
mod front;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use self::{
    bound::{Walk, grown, most},
    count::Steps,
    front::{Arrivals, Front, Neighbour, Spot},
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

/// Items of one update of which it is found out how far they walk. Beyond that the steps of all are counted.
const WALKS_MAX: usize = 1_024;
/// Items that may be put beside others of which nothing is known, in one update: what was counted of them is remembered.
const STRANGERS_MAX: usize = 64;

/// The items that name one origin, or those of one list that name none: each was put before the one before it as long as nothing is contested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    first: First,
    items: u64,
}

/// What is known of the items of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// There is none.
    Nothing,
    /// Nothing is contested. The one that came last is the first of them.
    Is(Id),
    /// Only those that came last may walk, and they are counted: as many as its front knew.
    Few,
    /// All may walk, and are counted.
    Any,
}

/// What was counted, and of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    steps: u64,
    pieces: u64,
    /// How many pieces there were at most, for all that was known before.
    bound: u64,
}

/// The most steps that the items of a document walk.
#[derive(Debug, Default)]
pub(super) struct Contest {
    structs: u64,
    /// Ranges that were deleted.
    ranges: u64,
    /// Items that may walk.
    contested: u64,
    /// Those that have come since the steps were counted, and of which nothing is known.
    unknown: u64,
    /// What the others walk that have come since.
    known: u64,
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
    front: Front,
    arrivals: Arrivals,
    /// What was counted for the last time.
    counted: Counted,
}

/// What an update adds.
#[derive(Debug, Default)]
pub(super) struct Added {
    contest: Contest,
    /// How far items walk of which that is known.
    walks: Vec<Walk>,
    /// Items of which it is not, as many as are remembered.
    strangers: Vec<Neighbour>,
    /// The first new element of each client.
    begun: BTreeMap<ClientId, u32>,
    counted: Option<Counted>,
}

/// A document with what an update adds to it.
struct With<'a> {
    before: &'a Contest,
    added: &'a mut Added,
}

impl Contest {
    /// Adds what an update has added.
    pub(super) fn add(&mut self, added: Added) {
        let (before, now) = (self.bound(), self.bound() + added.contest.bound());
        self.counted = self.counted();
        let Added { contest, walks, strangers: _, begun, counted } = added;
        begun.into_iter().for_each(|(client, clock)| self.arrivals.note(Id { client, clock }, before));
        self.structs += contest.structs;
        self.ranges += contest.ranges;
        self.contested += contest.contested;
        self.behind.extend(contest.behind);
        contest.elsewhere.into_iter().for_each(|(client, clocks)| {
            self.elsewhere.entry(client).or_default().extend(clocks);
        });
        self.lists.extend(contest.lists);
        self.heads.extend(contest.heads);
        self.entries.extend(contest.entries);
        self.lost |= contest.lost;
        self.front.add(contest.front);
        if let Some(counted) = counted {
            (self.counted, self.known, self.unknown) = (counted, 0, 0);
        } else {
            self.known = self.known.saturating_add(most_of(&walks, now));
            self.unknown += contest.unknown;
        }
    }

    /// Returns how many pieces there are at most.
    fn bound(&self) -> u64 {
        self.structs * STRUCT_PIECES + self.ranges * RANGE_PIECES
    }

    /// Returns what was counted for the last time. Where nothing is contested nothing has to be counted.
    fn counted(&self) -> Counted {
        let pieces = self.bound();
        if self.contested == 0 { Counted { steps: 0, pieces, bound: pieces } } else { self.counted }
    }

    /// Returns the most steps that there are with what an update adds.
    fn most_with(&self, added: &Added) -> u64 {
        let now = self.bound() + added.contest.bound();
        let then = self.counted();
        let since = now - then.bound;
        let known = then.steps.saturating_add(self.known).saturating_add(most_of(&added.walks, now));
        let known = grown(known, self.contested + added.contest.contested, since);
        known.saturating_add(most(self.unknown + added.contest.unknown, then.pieces + since))
    }

    /// Returns what was counted of the document with what an update adds.
    fn counted_with(&self, added: &Added, steps: &[(Id, Steps)]) -> Counted {
        Counted {
            steps: steps.iter().map(|(_, steps)| steps.own).fold(0, u64::saturating_add),
            pieces: steps.len() as u64,
            // Of the ranges that an update brings some may be known.
            bound: self.bound() + added.contest.structs * STRUCT_PIECES,
        }
    }

    /// Returns whether one element is another, or was written behind it by the same client, each between the two behind the one before; with
    /// what an update adds.
    pub(super) fn is_behind(&self, added: &Added, one: Id, other: Id) -> bool {
        let is_elsewhere = |contest: &Self| {
            contest.elsewhere.get(&one.client).is_some_and(|clocks| {
                let next = clocks.partition_point(|&clock| clock <= other.clock);
                clocks.get(next).is_some_and(|&clock| clock <= one.clock)
            })
        };
        let is_between = is_elsewhere(self) || is_elsewhere(&added.contest);
        one.client == other.client && other.clock <= one.clock && !is_between
    }

    /// Returns whether the next element of the same client was written behind this one, which is not its last.
    fn is_continued(&self, id: Id) -> bool {
        let elsewhere = self.elsewhere.get(&id.client);
        elsewhere.is_none_or(|clocks| clocks.binary_search(&(id.clock + 1)).is_err())
    }
}

impl Added {
    /// Adds the struct of `client` from `clock` on, of an update that comes on top of `before`. `is_last` says whether no element follows the
    /// origin among those of its client.
    pub(super) fn take(&mut self, before: &Contest, update: &[u8], id: Id, next: &Struct, is_last: bool) {
        self.contest.structs += 1;
        self.begun.entry(id.client).or_insert(id.clock);
        let last = id.clock.checked_sub(1).map(|clock| Id { clock, ..id });
        let StructKind::Item { .. } = next.kind else {
            self.contest.elsewhere.entry(id.client).or_default().push(id.clock);
            return;
        };
        // Of a struct that the document has in part, the rest continues it.
        if next.clock < id.clock {
            return;
        }
        let continues = next.origin.is_some() && next.origin == last;
        if !continues {
            self.contest.elsewhere.entry(id.client).or_default().push(id.clock);
        }
        let mut with = With { before, added: self };
        match (next.origin, next.right_origin) {
            (Some(origin), right) => with.behind(origin, is_last, id, right, continues),
            (None, Some(right)) => with.before(right, id),
            (None, None) => with.alone(update, id, next),
        }
    }

    /// Counts ranges that are deleted with what was added.
    pub(super) fn delete(&mut self, ranges: usize) {
        self.contest.ranges = ranges as u64;
    }

    /// Takes over what was counted of a document with this.
    fn count(&mut self, before: &Contest, counted: Counted, steps: &[(Id, Steps)]) {
        self.counted = Some(counted);
        for item in std::mem::take(&mut self.strangers) {
            let found = steps.binary_search_by_key(&item.id, |&(id, _)| id);
            if let Ok(at) = found {
                let walk = Walk { steps: steps[at].1.before, since: before.bound() };
                self.contest.front.put(Neighbour { walk, ..item });
            }
        }
    }
}

impl With<'_> {
    /// Adds an item to those that name an origin.
    fn behind(&mut self, origin: Id, is_last: bool, id: Id, right: Option<Id>, continues: bool) {
        let added = &self.added.contest;
        let known = added.behind.get(&origin).or_else(|| self.before.behind.get(&origin)).copied();
        let is_continued = !is_last && self.before.is_continued(origin) && added.is_continued(origin);
        let next = Id { clock: origin.clock.saturating_add(1), ..origin };
        let spot = Spot::Behind(origin);
        let place = match known {
            None if is_continued => {
                let since = self.before.arrivals.of(next);
                if right != Some(next) {
                    // Whatever it was put before, no other is there.
                    let walk = Walk { steps: 0, since };
                    self.added.contest.front.put(Neighbour { spot, id: next, right, walk });
                }
                Place { first: First::Is(next), items: 1 }
            }
            None if continues => return,
            None => Place { first: First::Nothing, items: 0 },
            Some(place) => place,
        };
        let place = self.joined(spot, place, id, right);
        self.added.contest.behind.insert(origin, place);
    }

    /// Adds an item to those that begin the list in which `right` is.
    fn before(&mut self, right: Id, id: Id) {
        let list = self.added.contest.heads.get(&right).or_else(|| self.before.heads.get(&right)).copied();
        let Some(list) = list else {
            // Nobody who sees a list puts something before anything but what was its head once, and nothing before the value of an entry.
            let heads = self.before.heads.len() + self.added.contest.heads.len();
            self.contest(2 + if self.is_lost() { 0 } else { heads as u64 });
            self.added.contest.lost = true;
            return;
        };
        self.begins(list, id, Some(right));
    }

    /// Adds an item that begins a list, or is the first value of an entry, for all that its author knew.
    fn alone(&mut self, update: &[u8], id: Id, next: &Struct) {
        let Some(beginning) = next.beginning(update) else { return };
        let list = number(&beginning);
        if beginning.key.is_none() {
            self.begins(list, id, None);
        } else if self.before.entries.contains(&list) || !self.added.contest.entries.insert(list) {
            self.contest(2);
        }
    }

    fn begins(&mut self, list: u64, id: Id, right: Option<Id>) {
        let place = self.added.contest.lists.get(&list).or_else(|| self.before.lists.get(&list)).copied();
        let place = place.unwrap_or(Place { first: First::Nothing, items: 0 });
        let place = self.joined(Spot::Beginning(list), place, id, right);
        // With one of which it is not known where it is, all may be contested.
        if self.is_lost() && place.first != First::Any {
            self.contest(1);
        }
        self.added.contest.lists.insert(list, place);
        self.added.contest.heads.insert(id, list);
    }

    fn is_lost(&self) -> bool {
        self.before.lost || self.added.contest.lost
    }

    /// Counts items that may walk, of which nothing is known.
    fn contest(&mut self, items: u64) {
        self.added.contest.contested += items;
        self.added.contest.unknown += items;
    }

    /// Returns how far an item walks that is put before `right`, and how many are known of those that are there; nothing if that is not known.
    fn beside(&self, spot: Spot, right: Option<Id>) -> Option<(Walk, u64)> {
        // Where those are that nobody can find is not known of what came before them.
        let added = &self.added;
        let has_few = added.walks.len() < WALKS_MAX && added.strangers.len() < STRANGERS_MAX;
        let is_asked = has_few && !self.is_lost();
        is_asked.then(|| self.before.front.beside(&self.added.contest.front, spot, right)).flatten()
    }

    /// Returns a place with an item that was put before `right`.
    fn joined(&mut self, spot: Spot, Place { first, items }: Place, id: Id, right: Option<Id>) -> Place {
        let items = items + 1;
        let new = Neighbour { spot, id, right, walk: Walk { steps: 0, since: self.before.bound() } };
        if first == First::Nothing || right.is_some_and(|right| first == First::Is(right)) {
            self.added.contest.front.put(new);
            return Place { first: First::Is(id), items };
        }
        let Some((walk, known)) = self.beside(spot, right) else {
            self.contest(if first == First::Any { 1 } else { items });
            if self.added.strangers.len() < STRANGERS_MAX {
                self.added.strangers.push(new);
            }
            return Place { first: First::Any, items };
        };
        // Those that are known may walk past it from now on, and past what is written behind it.
        self.added.contest.contested += 1 + if matches!(first, First::Is(_)) { known } else { 0 };
        self.added.walks.push(walk);
        self.added.contest.front.put(Neighbour { walk, ..new });
        Place { first: if first == First::Any { First::Any } else { First::Few }, items }
    }
}

/// Returns the most steps of all these when there are so many pieces.
fn most_of(walks: &[Walk], pieces: u64) -> u64 {
    walks.iter().map(|walk| walk.most(pieces)).fold(0, u64::saturating_add)
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
        self.count_contest(update, plan)
    }

    /// Counts the steps of all items with those of an update.
    fn count_contest(&self, update: &ScannedUpdate<'_>, plan: &mut Plan) -> Result<(), ApplyError> {
        let whole = self.encode().map_err(|_| ApplyError::Broken)?;
        // What was encoded here is an update.
        let whole = scan_update(&whole).map_err(|_| ApplyError::Broken)?;
        let steps = count::steps(&whole, update, &plan.sections);
        let contest = self.index().contest();
        let counted = contest.counted_with(&plan.contest, &steps);
        if counted.steps > CONTEST_STEPS_MAX {
            return Err(ApplyError::TooConcurrent);
        }
        plan.contest.count(contest, counted, &steps);
        Ok(())
    }
}
