//! In which order the nodes of a list stand.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Content, Node};
use crate::clock::Dot;

/// The nodes that can be reached from the front, in their order.
///
/// It is a function of the nodes, however they came: behind a node stand those that were inserted behind it, the one with
/// the greatest rank first, each followed by what stands behind it. A node whose rank is not greater than that of the node
/// it stands behind, which no honest replica writes, is never reached, and neither is what stands on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    places: Vec<Place>,
    /// Nodes whose turn has not come, by the node that they stand behind.
    waiting: BTreeMap<Dot, Vec<Dot>>,
    live_count: usize,
    lamport_max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    rank: Rank,
    is_live: bool,
}

/// The Lamport number of a node, and its dot: a total order in which what was inserted later, knowingly, is greater.
type Rank = (u64, Dot);

impl Order {
    /// Returns the order of `nodes`. Costs n log n.
    pub(super) fn of<T>(nodes: &BTreeMap<Dot, Node<T>>) -> Self {
        let mut order = Self::default();
        let mut followers: BTreeMap<Option<Dot>, Vec<Rank>> = BTreeMap::new();
        for (&dot, node) in nodes {
            order.lamport_max = order.lamport_max.max(node.lamport);
            followers.entry(node.behind).or_default().push((node.lamport, dot));
        }
        // The greatest is taken from the end first, and what stands behind it before the next.
        let mut next = Vec::new();
        let mut push = |next: &mut Vec<Rank>, behind: Option<Dot>, above: u64| {
            let mut ranks = followers.remove(&behind).unwrap_or_default();
            ranks.retain(|&(lamport, _)| lamport > above);
            ranks.sort_unstable();
            next.append(&mut ranks);
        };
        push(&mut next, None, 0);
        while let Some((lamport, dot)) = next.pop() {
            let is_live = nodes.get(&dot).is_some_and(Node::is_live);
            order.live_count += usize::from(is_live);
            order.places.push(Place { rank: (lamport, dot), is_live });
            push(&mut next, Some(dot), lamport);
        }
        for (behind, ranks) in followers {
            order
                .waiting
                .extend(behind.map(|behind| (behind, ranks.into_iter().map(|(_, dot)| dot).collect())));
        }
        order
    }

    /// Takes in a node that is new in `nodes`, and those that waited for it.
    pub(super) fn add<T>(&mut self, nodes: &BTreeMap<Dot, Node<T>>, dot: Dot) {
        let mut next = Vec::from([dot]);
        while let Some(dot) = next.pop() {
            let Some(node) = nodes.get(&dot) else { continue };
            self.lamport_max = self.lamport_max.max(node.lamport);
            if self.place((node.lamport, dot), node.behind, node.is_live()) {
                next.extend(self.waiting.remove(&dot).unwrap_or_default());
            } else if let Some(behind) = node.behind {
                self.waiting.entry(behind).or_default().push(dot);
            }
        }
    }

    /// Notes that a node does not show any more.
    pub(super) fn delete(&mut self, dot: Dot) {
        if let Some(place) = self.places.iter_mut().find(|place| place.rank.1 == dot && place.is_live) {
            place.is_live = false;
            self.live_count -= 1;
        }
    }

    /// Returns the dot of the element at `index`.
    pub(super) fn live_at(&self, index: usize) -> Option<Dot> {
        if index >= self.live_count {
            return None;
        }
        self.live().nth(index)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = Dot> {
        self.places.iter().filter(|place| place.is_live).map(|place| place.rank.1)
    }

    /// Returns the dots of all nodes that can be reached, those that stand on others before them.
    pub(super) fn backwards(&self) -> impl Iterator<Item = Dot> {
        self.places.iter().rev().map(|place| place.rank.1)
    }

    pub(super) const fn live_count(&self) -> usize {
        self.live_count
    }

    /// Returns the greatest Lamport number that was ever seen here.
    pub(super) const fn lamport_max(&self) -> u64 {
        self.lamport_max
    }

    /// Puts a node where it belongs and returns true, unless what it stands behind is not there.
    fn place(&mut self, rank: Rank, behind: Option<Dot>, is_live: bool) -> bool {
        let from = match behind {
            None => 0,
            Some(behind) => match self.places.iter().position(|place| place.rank.1 == behind) {
                Some(at) if self.places[at].rank.0 < rank.0 => at + 1,
                Some(_) | None => return false,
            },
        };
        if rank.0 == 0 {
            return false;
        }
        // SUBTLE: everything of a greater rank from here on stands behind the same node or on one that does, since ranks
        // grow along what stands on what. The first of a lower rank is the next to stand behind the same node, or lies
        // beyond all that do.
        let len = self.places[from..].iter().take_while(|place| place.rank > rank).count();
        self.places.insert(from + len, Place { rank, is_live });
        self.live_count += usize::from(is_live);
        true
    }
}

impl<T> Node<T> {
    const fn is_live(&self) -> bool {
        matches!(self.content, Content::Live(_))
    }
}
