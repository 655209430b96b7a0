//! The most steps that each item of a document walks, place by place.
//!
//! An item walks past items that name the same origin, and past all that was written behind those. It does not walk past those that it was
//! put before, which its walk ends at, nor past those that were put before it, which come after it in any order. Of two that were put before the same the
//! one of the higher client id walks past the other, in any order; of two others either may.

use std::{collections::BTreeMap, ops::Range};

use super::{bound::NOTED_STEPS, number};
use crate::{
    doc::slices::Take,
    guard::{Beginning, Id, ScannedUpdate, Struct, StructKind},
    id::ClientId,
};

/// Elements of one client that nothing was put between.
#[derive(Debug)]
struct Piece {
    client: ClientId,
    clocks: Range<u32>,
    origin: Option<Id>,
    right: Option<Id>,
    /// What it begins, if it names no neighbours.
    begins: Option<Place>,
}

/// Values of an entry that yrs passes in the time of one step, from the last to the first, for each that names no value before it.
const ENTRY_STEPS: u64 = 8;

/// Returns the most steps of an item that walks past so many that were put before the same, and so many that either walks past.
pub(super) fn walk(either: u64, same: u64) -> u64 {
    let all = either + same;
    // Those that it notes and those at which it forgets them are not the same.
    let noted = either.min(all.div_ceil(2));
    all + noted * (all - noted) / NOTED_STEPS
}

/// The most steps of an item, and of one that is put before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    pub(super) own: u64,
    pub(super) before: u64,
}

/// Returns the most steps that each item of a document walks with those that an update adds, in whatever order they come; by their ids.
pub(super) fn steps(
    whole: &ScannedUpdate<'_>,
    update: &ScannedUpdate<'_>,
    takes: &[Take],
) -> Vec<(Id, Steps)> {
    let mut items: BTreeMap<ClientId, Vec<Piece>> = BTreeMap::new();
    for section in whole.sections() {
        let pieces = whole.structs(section).filter_map(|read| piece(whole, section.client, &read, 0));
        items.insert(section.client, pieces.collect());
    }
    for take in takes {
        let sections = update.sections().iter().filter(|section| section.client == take.client);
        let structs = sections.flat_map(|section| update.structs(section));
        let taken = structs.filter(|read| read.end() > take.from && read.end() <= take.to);
        let pieces = taken.filter_map(|read| piece(update, take.client, &read, take.from));
        items.entry(take.client).or_default().extend(pieces);
    }
    let cuts = cuts(items.values().flatten(), [whole, update]);
    let pieces = Pieces::new(items, &cuts);
    let id = |piece: &Piece| Id { client: piece.client, clock: piece.clocks.start };
    pieces.pieces.iter().map(id).zip(pieces.steps()).collect()
}

/// Returns an item from clock `from` on.
fn piece(update: &ScannedUpdate<'_>, client: ClientId, read: &Struct, from: u32) -> Option<Piece> {
    let StructKind::Item { .. } = read.kind else { return None };
    let piece = Piece {
        client,
        clocks: read.clock..read.end(),
        origin: read.origin,
        right: read.right_origin,
        begins: read.beginning(update.bytes()).as_ref().map(place_of),
    };
    Some(if read.clock < from { piece.rest(from) } else { piece })
}

impl Piece {
    /// Returns the part from `clock` on, which is not the first.
    fn rest(&self, clock: u32) -> Self {
        let origin = Some(Id { client: self.client, clock: clock - 1 });
        Self { client: self.client, clocks: clock..self.clocks.end, origin, right: self.right, begins: None }
    }
}

/// Returns for each client before which of its elements something was put, or a deletion begins or ends, ascending.
fn cuts<'a>(
    items: impl Iterator<Item = &'a Piece>,
    updates: [&ScannedUpdate<'_>; 2],
) -> BTreeMap<ClientId, Vec<u32>> {
    let mut cuts: BTreeMap<ClientId, Vec<u32>> = BTreeMap::new();
    for item in items {
        if let Some(Id { client, clock }) = item.origin {
            cuts.entry(client).or_default().push(clock + 1);
        }
        if let Some(Id { client, clock }) = item.right {
            cuts.entry(client).or_default().push(clock);
        }
    }
    for range in updates.iter().flat_map(|update| update.deletes()) {
        cuts.entry(range.client).or_default().extend([range.clock, range.end()]);
    }
    for clocks in cuts.values_mut() {
        clocks.sort_unstable();
        clocks.dedup();
    }
    cuts
}

/// What a piece is put behind: another, the beginning of a list, or none of the values of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Behind(usize),
    Beginning(u64),
    Entry(u64),
}

fn place_of(beginning: &Beginning<'_>) -> Place {
    if beginning.key.is_some() {
        Place::Entry(number(beginning))
    } else {
        Place::Beginning(number(beginning))
    }
}

/// All pieces, by client and clock.
#[derive(Debug)]
struct Pieces {
    pieces: Vec<Piece>,
    /// What each is put behind and before, as indexes into `pieces`.
    origins: Vec<Option<usize>>,
    rights: Vec<Option<usize>>,
    /// All of them, none before those that it names.
    order: Vec<usize>,
}

impl Pieces {
    fn new(items: BTreeMap<ClientId, Vec<Piece>>, cuts: &BTreeMap<ClientId, Vec<u32>>) -> Self {
        let mut pieces = Vec::new();
        for (client, items) in items {
            let mut cuts = cuts.get(&client).map_or(&[][..], Vec::as_slice).iter().copied().peekable();
            for mut item in items {
                while cuts.next_if(|&cut| cut <= item.clocks.start).is_some() {}
                while let Some(cut) = cuts.next_if(|&cut| cut < item.clocks.end) {
                    let rest = item.rest(cut);
                    item.clocks.end = cut;
                    pieces.push(core::mem::replace(&mut item, rest));
                }
                pieces.push(item);
            }
        }
        let find = |id: Option<Id>| {
            let id = id?;
            let is_before = |piece: &Piece| (piece.client, piece.clocks.start) <= (id.client, id.clock);
            let at = pieces.partition_point(is_before).checked_sub(1)?;
            (pieces[at].client == id.client && pieces[at].clocks.contains(&id.clock)).then_some(at)
        };
        let origins: Vec<_> = pieces.iter().map(|piece| find(piece.origin)).collect();
        let rights: Vec<_> = pieces.iter().map(|piece| find(piece.right)).collect();
        let order = ordered(&origins, &rights);
        Self { pieces, origins, rights, order }
    }

    /// Returns how far each walks at most.
    fn steps(&self) -> Vec<Steps> {
        let (places, behind) = (self.places(), self.behind());
        let around = Around::new(self, &places, &behind);
        let right = |at: usize| self.pieces[at].right;
        let client = |at: usize| self.pieces[at].client;
        let mut sorted: Vec<_> = (0..self.pieces.len()).collect();
        sorted.sort_unstable_by_key(|&at| (places[at], right(at), client(at)));
        let all = |place: &[usize]| place.iter().map(|&at| behind[at]).sum::<u64>();

        let mut steps = vec![Steps::default(); sorted.len()];
        for place in sorted.chunk_by(|&one, &other| places[one] == places[other]) {
            let here = all(place);
            let to_the_end = match places[place[0]] {
                Place::Entry(_) if place.len() > 1 => here / ENTRY_STEPS,
                _ => 0,
            };
            for beside in place.chunk_by(|&one, &other| right(one) == right(other)) {
                let (beside_all, mut lower) = (all(beside), 0);
                for same in beside.chunk_by(|&one, &other| client(one) == client(other)) {
                    for &at in same {
                        let others = here.saturating_sub(around.right[at] + around.left[at]);
                        let either = others.saturating_sub(beside_all - behind[at]);
                        let own = walk(either, lower) + to_the_end;
                        steps[at] = Steps { own, before: walk(others, 0) + to_the_end };
                    }
                    lower += all(same);
                }
            }
        }
        steps
    }

    /// Returns where each piece was put.
    fn places(&self) -> Vec<Place> {
        let mut begun = vec![Place::Beginning(0); self.pieces.len()];
        for &at in &self.order {
            let beside = self.origins[at].or(self.rights[at]).map(|beside| begun[beside]);
            begun[at] = self.pieces[at].begins.or(beside).unwrap_or(begun[at]);
        }
        let behind = |(origin, begun): (&Option<usize>, Place)| origin.map_or(begun, Place::Behind);
        self.origins.iter().zip(begun).map(behind).collect()
    }

    /// Returns how many pieces each is with all that was written behind it.
    fn behind(&self) -> Vec<u64> {
        let mut behind = vec![1; self.pieces.len()];
        for &at in self.order.iter().rev() {
            if let Some(origin) = self.origins[at] {
                behind[origin] += behind[at];
            }
        }
        behind
    }
}

/// Of each piece those in the same place that it never walks past, with all that was written behind them.
#[derive(Debug)]
struct Around {
    /// Those that it was put before, directly or not.
    right: Vec<u64>,
    /// It itself and those that were put before it.
    left: Vec<u64>,
}

impl Around {
    fn new(pieces: &Pieces, places: &[Place], behind: &[u64]) -> Self {
        let (mut right, mut left) = (vec![0; behind.len()], behind.to_vec());
        let before = |at: usize| pieces.rights[at].filter(|&other| places[other] == places[at]);
        for &at in &pieces.order {
            right[at] = before(at).map_or(0, |other| right[other] + behind[other]);
        }
        for &at in pieces.order.iter().rev() {
            if let Some(other) = before(at) {
                left[other] += left[at];
            }
        }
        Self { right, left }
    }
}

/// Returns all of them in an order in which none is before its origin or its right origin.
fn ordered(origins: &[Option<usize>], rights: &[Option<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(origins.len());
    let mut is_seen = vec![false; origins.len()];
    let mut path = Vec::new();
    for first in 0..origins.len() {
        path.push((first, false));
        while let Some((at, is_ready)) = path.pop() {
            if is_ready {
                order.push(at);
            } else if !core::mem::replace(&mut is_seen[at], true) {
                path.push((at, true));
                path.extend([origins[at], rights[at]].into_iter().flatten().map(|beside| (beside, false)));
            }
        }
    }
    order
}
