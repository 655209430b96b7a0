//! Which structs a document holds and how deep each stands, so that an update can be judged before yrs sees it.

use std::{cell::OnceCell, collections::BTreeMap, iter::Peekable};

use super::{
    contest::{Added, Contest},
    formats::{CONTENT_DELETED, FormatBound},
    range_set::RangeSet,
    slices::{Slices, Take},
};
use crate::{
    guard::{DeleteRange, Fidelity, Id, Parent, ScannedUpdate, Section, Struct, StructKind, Structs},
    id::ClientId,
    limits::TYPE_DEPTH_MAX,
};

/// For every client the clock up to which the document holds its structs, and how each of them stands.
///
/// A struct that names a neighbour instead of its parent stands as that neighbour does (YATA: it takes over the
/// neighbour's parent), so this follows from the update and this index alone. Neighbouring structs of one client mostly
/// stand alike, so it is kept as runs: one entry for a client who only ever typed into one text.
#[derive(Debug, Default)]
pub(crate) struct StructIndex {
    clients: BTreeMap<ClientId, ClientStructs>,
    formats: FormatBound,
    contest: Box<Contest>,
}

#[derive(Debug, Default)]
struct ClientStructs {
    /// Clock after the last struct.
    end: u32,
    /// First clock of each run, ascending, and how its structs stand.
    runs: Vec<(u32, Standing)>,
}

/// How a struct stands; those that were collected as garbage stand nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// The number of shared types around it: 1 in a root type, one more in every nested type.
    depth: u16,
    /// Whether it is a value of an entry, of a map or of the attributes in XML.
    is_value: bool,
}

impl ClientStructs {
    fn push(&mut self, clock: u32, end: u32, standing: Standing) {
        if self.runs.last().is_none_or(|&(_, last)| last != standing) {
            self.runs.push((clock, standing));
        }
        self.end = end;
    }

    fn standing(&self, clock: u32) -> Standing {
        let after = self.runs.partition_point(|&(first, _)| first <= clock);
        after.checked_sub(1).and_then(|at| self.runs.get(at)).map_or_else(Standing::default, |&(_, at)| at)
    }
}

/// The part of an update that a document can integrate at once.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// For each client of the update, in its order, what to take.
    pub(crate) sections: Vec<Take>,
    /// Structs that the document holds already and that were left out.
    pub(crate) known: u64,
    /// Whether something had to be left out because what it rests on is missing.
    pub(crate) gap: bool,
    /// Whether a struct lies across the document's clock, so that it has to be taken in part.
    pub(crate) straddles: bool,
    /// Whether anything of the update's structs was left out.
    pub(crate) trimmed: bool,
    /// Whether one of the structs to take is a weak link.
    pub(crate) weak_link: bool,
    /// Whether yrs writes the content of all structs to take as it is.
    pub(crate) fidelity: Fidelity,
    /// The same structs as in `sections`, in the order of their dependencies, if they are too many to go in at once.
    pub(crate) slices: Option<Slices>,
    pub(super) contest: Added,
    formats: FormatBound,
    added: BTreeMap<ClientId, ClientStructs>,
}

impl Plan {
    /// Returns the clients of whom the document has held nothing so far.
    pub(crate) fn newcomers(&self) -> Vec<ClientId> {
        self.sections.iter().filter(|take| take.from == 0).map(|take| take.client).collect()
    }
}

/// Why yrs may not have an update.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Types nest too deeply; see [`TYPE_DEPTH_MAX`].
    TooDeep,
    /// An item stands where no client puts one, and where yrs would lose it.
    Misplaced,
}

impl StructIndex {
    /// Takes over what was planned, once the document has integrated it.
    pub(crate) fn commit(&mut self, plan: Plan) {
        self.formats.add(plan.formats);
        self.contest.add(plan.contest);
        for (client, added) in plan.added {
            let known = self.clients.entry(client).or_default();
            for (at, &(clock, standing)) in added.runs.iter().enumerate() {
                let end = added.runs.get(at + 1).map_or(added.end, |&(next, _)| next);
                known.push(clock, end, standing);
            }
        }
    }

    /// Finds what of `update` can be integrated now. It takes time in proportion to the update.
    pub(crate) fn plan(&self, update: &ScannedUpdate<'_>) -> Result<Plan, Unfit> {
        Planner::new(self, update).run()
    }

    /// Returns the clock after the last struct of `client`, 0 if there is none.
    pub(crate) fn clock(&self, client: ClientId) -> u32 {
        self.clients.get(&client).map_or(0, |structs| structs.end)
    }

    /// Returns every client with its clock, in the order of client ids.
    pub(crate) fn clocks(&self) -> impl ExactSizeIterator<Item = (ClientId, u32)> + '_ {
        self.clients.iter().map(|(&client, structs)| (client, structs.end))
    }

    /// Returns what the formats of the document come to at most.
    pub(super) fn formats(&self) -> &FormatBound {
        &self.formats
    }

    /// Returns how far the items of the document walk at most to find their places.
    pub(super) fn contest(&self) -> &Contest {
        &self.contest
    }

    fn standing(&self, id: Id) -> Standing {
        self.clients.get(&id.client).map_or_else(Standing::default, |structs| structs.standing(id.clock))
    }
}

/// Walks the sections of an update in the order of their dependencies, as an integration would.
///
/// Each section runs until it meets a struct that rests on one not yet taken; it then waits under that client and
/// clock, and is woken when they are reached. So every struct is looked at once for itself and at most once for each
/// of its dependencies.
struct Planner<'a> {
    index: &'a StructIndex,
    update: &'a ScannedUpdate<'a>,
    /// What the update deletes, once somebody has asked.
    deleted: OnceCell<RangeSet>,
    cursors: Vec<Cursor<'a>>,
    /// Sections that wait for a client to pass a clock.
    waiting: BTreeMap<(ClientId, u32), Vec<usize>>,
    plan: Plan,
}

struct Cursor<'a> {
    structs: Peekable<Structs<'a>>,
    take: Take,
}

/// What became of the struct at the head of a section.
enum Step {
    Taken,
    Known,
    /// The section cannot go on: a range before the struct is missing.
    Hole,
    Blocked(Id),
}

impl<'a> Planner<'a> {
    fn new(index: &'a StructIndex, update: &'a ScannedUpdate<'a>) -> Self {
        let cursor = |section: &'a Section| {
            let from = index.clock(section.client);
            Cursor { structs: update.structs(section).peekable(), take: Take::nothing(section.client, from) }
        };
        Self {
            index,
            update,
            deleted: OnceCell::new(),
            cursors: update.sections().iter().map(cursor).collect(),
            waiting: BTreeMap::new(),
            plan: Plan { slices: Slices::may_be_needed(update).then(Slices::default), ..Plan::default() },
        }
    }

    fn run(mut self) -> Result<Plan, Unfit> {
        let mut ready: Vec<usize> = (0..self.cursors.len()).rev().collect();
        while let Some(at) = ready.pop() {
            self.advance(at)?;
            let Take { client, to, .. } = self.cursors[at].take;
            while let Some((&wanted, _)) = self.waiting.range((client, 0)..(client, to)).next() {
                ready.extend(self.waiting.remove(&wanted).into_iter().flatten());
            }
        }
        self.plan.gap |= !self.waiting.is_empty();
        self.plan.trimmed |= self.plan.gap || self.plan.known > 0;
        self.plan.sections = self.cursors.into_iter().map(|cursor| cursor.take).collect();
        self.plan.sections.retain(|take| take.count > 0);
        self.plan.slices = self.plan.slices.filter(|slices| slices.count() > 1);
        Ok(self.plan)
    }

    /// Takes structs of one section until one is blocked or none is left.
    fn advance(&mut self, at: usize) -> Result<(), Unfit> {
        while let Some(next) = self.cursors[at].structs.peek().cloned() {
            match self.step(at, &next)? {
                Step::Taken => {}
                Step::Known => self.plan.known += u64::from(next.kind != StructKind::Skip),
                Step::Hole => {
                    self.plan.gap = true;
                    return Ok(());
                }
                Step::Blocked(on) => {
                    self.waiting.entry((on.client, on.clock)).or_default().push(at);
                    return Ok(());
                }
            }
            self.cursors[at].structs.next();
        }
        Ok(())
    }

    fn step(&mut self, at: usize, next: &Struct) -> Result<Step, Unfit> {
        let take = &self.cursors[at].take;
        let (client, reached, end) = (take.client, take.to, next.clock + next.len);
        if end <= reached {
            return Ok(Step::Known);
        }
        if next.clock > reached || next.kind == StructKind::Skip {
            return Ok(Step::Hole);
        }
        let missing = dependencies(next).find(|id| id.clock >= self.reached(id.client));
        if let Some(on) = missing {
            return Ok(Step::Blocked(on));
        }
        let standing = self.standing_of(next);
        if u32::from(standing.depth) > TYPE_DEPTH_MAX {
            return Err(Unfit::TooDeep);
        }
        let elements = DeleteRange { client, clock: reached, len: end - reached };
        let are_values = standing.is_value && has_many(next, &elements);
        if !self.has_place(next) || are_values && !self.are_deleted(&elements) {
            return Err(Unfit::Misplaced);
        }
        self.plan.straddles |= next.clock < reached;
        self.plan.formats.take(self.update.bytes(), next);
        let is_last = next.origin.is_none_or(|origin| self.reached(origin.client) <= origin.clock + 1);
        let id = Id { client, clock: reached };
        self.plan.contest.take(&self.index.contest, self.update.bytes(), id, next, is_last);
        self.plan.weak_link |= next.weak_link.is_some();
        self.plan.fidelity = self.plan.fidelity.and(next.fidelity);
        self.plan.added.entry(client).or_default().push(reached, end, standing);
        if let Some(slices) = &mut self.plan.slices {
            slices.push(client, reached, next);
            if are_values {
                slices.delete(elements);
            }
        }
        self.cursors[at].take.push(next);
        Ok(Step::Taken)
    }

    fn reached(&self, client: ClientId) -> u32 {
        self.plan.added.get(&client).map_or_else(|| self.index.clock(client), |added| added.end)
    }

    fn standing_of(&self, next: &Struct) -> Standing {
        if next.kind == StructKind::Gc {
            return Standing::default();
        }
        let is_value = next.beginning(self.update.bytes()).is_some_and(|beginning| beginning.key.is_some());
        match next.parent {
            // The integration takes the parent of one of the two; what holds of one of them bounds it either way.
            Parent::Inherited => {
                let beside = next.origin.into_iter().chain(next.right_origin).map(|id| self.standing_at(id));
                beside.fold(Standing::default(), |one, other| Standing {
                    depth: one.depth.max(other.depth),
                    is_value: one.is_value || other.is_value,
                })
            }
            Parent::Root => Standing { depth: 1, is_value },
            Parent::Item(id) => Standing { depth: self.standing_at(id).depth + 1, is_value },
        }
    }

    fn standing_at(&self, id: Id) -> Standing {
        let added = self.plan.added.get(&id.client).filter(|added| added.runs[0].0 <= id.clock);
        added.map_or_else(|| self.index.standing(id), |added| added.standing(id.clock))
    }

    /// Returns whether an item can stand between its neighbours, if it has two.
    ///
    /// Both are values of entries or neither is. Of an item between the two yrs makes a value that is nobody's: it is not deleted with
    /// the type that it is in, and points to memory that was freed. And the left one is not behind the right one: where an item stands
    /// would depend on how others are stored.
    fn has_place(&self, item: &Struct) -> bool {
        let Some((left, right)) = item.origin.zip(item.right_origin) else { return true };
        let standings = [left, right].map(|id| self.standing_at(id));
        // What was collected as garbage is nobody's neighbour any more.
        standings.contains(&Standing::default())
            || standings[0].is_value == standings[1].is_value
                && !self.index.contest.is_behind(&self.plan.contest, left, right)
    }

    fn are_deleted(&self, elements: &DeleteRange) -> bool {
        self.deleted.get_or_init(|| RangeSet::of(self.update.deletes())).covers(elements)
    }
}

/// Returns whether several of these elements of a value may still be there. Only the last value of an entry is, and yrs deletes no other
/// with the map: if several are one item, and a part of it is deleted, the rest stays, and points to memory that was freed. Clients who
/// keep what was deleted join such values, and tell with them that all are.
fn has_many(value: &Struct, elements: &DeleteRange) -> bool {
    elements.len > 1 && value.kind != StructKind::Item { content: CONTENT_DELETED }
}

/// Returns the ids that must be integrated before `of` can be.
fn dependencies(of: &Struct) -> impl Iterator<Item = Id> {
    let parent = match of.parent {
        Parent::Item(id) => Some(id),
        Parent::Root | Parent::Inherited => None,
    };
    let quotes = of.weak_link.iter().flat_map(|link| link.quotes);
    [of.origin, of.right_origin, parent].into_iter().chain(quotes).flatten()
}
