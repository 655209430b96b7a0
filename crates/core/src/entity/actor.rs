//! Actors by number.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::ActorName;
use crate::clock::{Dot, HybridTime, ReplicaId};

/// The actors of one tenant shard, numbered in the order in which they came.
///
/// Clocks hold the numbers, which are short; whoever is outside sees the names. A number says nothing of order: where two
/// actors must be put into one, their names decide, since these are the same wherever and whenever the actors came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actors {
    names: Vec<ActorName>,
    numbers: BTreeMap<ActorName, ReplicaId>,
}

impl Actors {
    /// Returns a table without actors.
    #[must_use]
    pub const fn new() -> Self {
        Self { names: Vec::new(), numbers: BTreeMap::new() }
    }

    /// Returns how many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the number of an actor, which is a new one if the name is new.
    pub fn number(&mut self, name: &ActorName) -> ReplicaId {
        if let Some(&known) = self.numbers.get(name) {
            return known;
        }
        let number = ReplicaId(self.names.len() as u64);
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    /// Returns the number of an actor that has one.
    #[must_use]
    pub fn known(&self, name: &ActorName) -> Option<ReplicaId> {
        self.numbers.get(name).copied()
    }

    /// Returns the name behind a number.
    #[must_use]
    pub fn name(&self, number: ReplicaId) -> Option<&ActorName> {
        usize::try_from(number.0).ok().and_then(|at| self.names.get(at))
    }

    /// Returns whether the number is that of a server.
    #[must_use]
    pub fn is_server(&self, number: ReplicaId) -> bool {
        self.name(number).is_some_and(ActorName::is_server)
    }

    /// Compares two writes by time, then by the names of their actors, then by number: a total order.
    #[must_use]
    pub fn compare(&self, a: Stamp, b: Stamp) -> Ordering {
        let names = || self.name(a.dot.replica).cmp(&self.name(b.dot.replica));
        a.hlc.cmp(&b.hlc).then_with(names).then_with(|| a.dot.cmp(&b.dot))
    }
}

/// One write: which one it is, and when it counts as made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stamp {
    /// Its effective time.
    pub hlc: HybridTime,
    /// The op that wrote.
    pub dot: Dot,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order must not depend on who was numbered first.
    #[test]
    fn names_decide_between_equal_times() {
        let [ann, bob] = ["ann", "bob"].map(|name| ActorName::new(name).expect("a name"));
        for order in [[&ann, &bob], [&bob, &ann]] {
            let mut actors = Actors::new();
            for name in order {
                actors.number(name);
            }
            let [a, b] = [&ann, &bob].map(|name| Stamp {
                hlc: HybridTime::default(),
                dot: Dot::new(actors.known(name).expect("numbered"), 1),
            });
            assert_eq!(actors.compare(a, b), Ordering::Less);
            assert_eq!(actors.compare(b, a), Ordering::Greater);
            let later = Stamp { dot: Dot::new(a.dot.replica, 2), ..a };
            assert_eq!(actors.compare(a, later), Ordering::Less);
            assert_eq!(actors.name(ReplicaId(2)), None);
        }
    }
}
