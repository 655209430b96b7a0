//! What was put into a place last, and how far an item walks at most that is put beside it.
//!
//! Whoever puts an item somewhere names the one that it stands before. If that is not the first one there, others were put before it that
//! the author did not know, and they are what the item may walk past. As a rule they came a short while ago: so it walks no further than
//! past what has come since.

use std::collections::{BTreeMap, VecDeque};

use super::bound::Walk;
use crate::{guard::Id, id::ClientId};

/// Items of which it is known.
const ITEMS_MAX: usize = 1_024;
/// Pieces that may come between two elements of a client of which it is known when they came.
const SAMPLE_PIECES: u64 = 256;

/// Where items are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Behind(Id),
    /// The beginning of a list.
    Beginning(u64),
}

/// An item, what it was put before, and how far one walks that is put before either.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour {
    pub(super) spot: Spot,
    pub(super) id: Id,
    pub(super) right: Option<Id>,
    pub(super) walk: Walk,
}

/// The items that came last, in the order in which they came, but those that continue what the same client wrote before.
#[derive(Debug, Default)]
pub(super) struct Front {
    items: VecDeque<Neighbour>,
}

impl Front {
    pub(super) fn put(&mut self, item: Neighbour) {
        if self.items.len() == ITEMS_MAX {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    /// Adds those that came behind these.
    pub(super) fn add(&mut self, others: Self) {
        others.items.into_iter().for_each(|item| self.put(item));
    }

    /// Returns how far an item walks that is put before `right`, and how many are known of those that are there; nothing if it is put before
    /// one of which nothing is known. `later` are those that came behind these.
    pub(super) fn beside(&self, later: &Self, spot: Spot, right: Option<Id>) -> Option<(Walk, u64)> {
        let there = || self.items.iter().chain(&later.items).filter(|item| item.spot == spot);
        let same = there().find(|item| item.right == right);
        let item = same.or_else(|| there().find(|item| Some(item.id) == right))?;
        Some((item.walk, there().count() as u64))
    }
}

/// How many pieces there were when the elements of each client came.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    samples: BTreeMap<ClientId, Vec<(u32, u64)>>,
}

impl Arrivals {
    /// Notes that elements from this one on come to so many pieces.
    pub(super) fn note(&mut self, from: Id, pieces: u64) {
        let samples = self.samples.entry(from.client).or_default();
        if samples.last().is_none_or(|&(_, last)| pieces >= last + SAMPLE_PIECES) {
            samples.push((from.clock, pieces));
        }
    }

    /// Returns how many pieces there were at least when an element came.
    pub(super) fn of(&self, id: Id) -> u64 {
        let Some(samples) = self.samples.get(&id.client) else { return 0 };
        let next = samples.partition_point(|&(clock, _)| clock <= id.clock);
        next.checked_sub(1).map_or(0, |at| samples[at].1)
    }
}
