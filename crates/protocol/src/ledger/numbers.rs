//! The numbers of one device's ops.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syncline_core::entity::EntityKey;
use syncline_core::limits::OPS_BEYOND_HOLE_MAX;

/// The first 8 bytes of the SHA-256 of an op in its canonical form: what tells a retry from another op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentHash(pub [u8; 8]);

/// An op as it comes in a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number that the device gave it.
    pub n: u64,
    /// What it holds.
    pub hash: ContentHash,
    /// Whether it only uses up its number.
    pub is_noop: bool,
}

/// What is to be done with an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is decided for the first time.
    New,
    /// It was deferred, and is decided now.
    Again,
    /// It has its result already.
    Duplicate,
}

/// Which ops of a device have been taken.
///
/// A device numbers its ops from 1 without gaps and sends them in that order. A deferred op is a *hole*: ops behind it are taken
/// all the same, up to a bound, and it is tried again when it comes again. A request is classified whole before any of it is
/// decided, so that one that is refused has no effect.
///
/// This holds the present state only. What was taken before, and for how long it is remembered, is the caller's to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    high: u64,
    holes: BTreeMap<u64, Hole>,
}

/// What is known of a deferred op. Its content comes again with it; this is what others need to know meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// What it held.
    pub hash: ContentHash,
    /// The entity that it is to create.
    pub creates: Option<EntityKey>,
    /// Its transaction.
    pub tx: Option<String>,
}

/// Why a request is refused whole. The device is at fault, or has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumbersError {
    /// Numbers do not ascend from 1.
    #[error("op {n} does not come after the one before it")]
    Order {
        /// The number.
        n: u64,
    },
    /// Ops are missing in between.
    #[error("op {n} comes where {expected} is expected")]
    Gap {
        /// The number.
        n: u64,
        /// The number that would follow.
        expected: u64,
    },
    /// Another op had the number: two states of one device are at work.
    #[error("another op had the number {n}")]
    Reused {
        /// The number.
        n: u64,
        /// The greatest number below which all ops have results.
        last: u64,
    },
    /// What had the number is no longer known.
    #[error("op {n} is older than all that is known")]
    Forgotten {
        /// The number.
        n: u64,
        /// The greatest number below which all ops have results.
        last: u64,
    },
    /// Too many ops wait behind one that is deferred.
    #[error("more than {OPS_BEYOND_HOLE_MAX} ops come after {hole}, which is deferred")]
    BacklogFull {
        /// The number of the deferred op.
        hole: u64,
    },
}

impl Numbers {
    /// Returns the numbers of a device that has sent nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { high: 0, holes: BTreeMap::new() }
    }

    /// Notes that the op has its result.
    ///
    /// # Panics
    /// If the number is neither the next nor that of a deferred op: [`turns`](Self::turns) has not been asked.
    pub fn consume(&mut self, n: u64) {
        if self.holes.remove(&n).is_none() {
            self.advance(n);
        }
    }

    /// Notes that the op is to be tried again later.
    ///
    /// # Panics
    /// As [`consume`](Self::consume).
    pub fn defer(&mut self, n: u64, hole: Hole) {
        if !self.holes.contains_key(&n) {
            self.advance(n);
            self.holes.insert(n, hole);
        }
    }

    /// Leaves out the numbers up to `n`: those of an actor whose ops nobody sends need have no predecessors.
    pub(super) fn skip_to(&mut self, n: u64) {
        self.high = self.high.max(n);
    }

    /// Returns what is to be done with each op of a request. `known` returns what the op of a number held that was taken, as
    /// long as that is remembered.
    ///
    /// # Errors
    /// [`NumbersError`] refuses the request: the first op that is wrong in itself, and then a backlog that would be too long.
    pub fn turns(
        &self,
        ops: &[Numbered],
        known: impl Fn(u64) -> Option<ContentHash>,
    ) -> Result<Vec<Turn>, NumbersError> {
        let mut turns = Vec::with_capacity(ops.len());
        let (mut last, mut high) = (0, self.high);
        for op in ops {
            if op.n <= last {
                return Err(NumbersError::Order { n: op.n });
            }
            last = op.n;
            let turn = self.turn(*op, high, &known)?;
            if turn == Turn::New {
                high = op.n;
            }
            turns.push(turn);
        }
        match self.holes.keys().next() {
            Some(&hole) if high > self.high && high - hole > OPS_BEYOND_HOLE_MAX => {
                Err(NumbersError::BacklogFull { hole })
            }
            Some(_) | None => Ok(turns),
        }
    }

    /// Returns the greatest number that was taken or deferred, or 0.
    #[must_use]
    pub const fn high(&self) -> u64 {
        self.high
    }

    /// Returns the greatest number below which all have their results, or 0.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.holes.keys().next().map_or(self.high, |hole| hole - 1)
    }

    /// Returns the numbers behind the first hole that have their results, ascending.
    pub fn done_beyond(&self) -> impl Iterator<Item = u64> + '_ {
        (self.last()..self.high).map(|n| n + 1).filter(|n| !self.holes.contains_key(n))
    }

    /// Returns the deferred ops, ascending.
    pub fn holes(&self) -> impl Iterator<Item = (u64, &Hole)> {
        self.holes.iter().map(|(&n, hole)| (n, hole))
    }

    /// Returns whether the op is deferred.
    #[must_use]
    pub fn is_hole(&self, n: u64) -> bool {
        self.holes.contains_key(&n)
    }

    fn turn(
        &self,
        op: Numbered,
        high: u64,
        known: impl Fn(u64) -> Option<ContentHash>,
    ) -> Result<Turn, NumbersError> {
        if op.n > high {
            let expected = high.saturating_add(1);
            return if op.n == expected {
                Ok(Turn::New)
            } else {
                Err(NumbersError::Gap { n: op.n, expected })
            };
        }
        if let Some(hole) = self.holes.get(&op.n) {
            // A device that gives up a deferred op sends its number with nothing in it.
            let is_its = op.hash == hole.hash || op.is_noop;
            return if is_its { Ok(Turn::Again) } else { Err(self.reused(op.n)) };
        }
        match known(op.n) {
            Some(hash) if hash == op.hash => Ok(Turn::Duplicate),
            Some(_) => Err(self.reused(op.n)),
            None => Err(NumbersError::Forgotten { n: op.n, last: self.last() }),
        }
    }

    fn reused(&self, n: u64) -> NumbersError {
        NumbersError::Reused { n, last: self.last() }
    }

    fn advance(&mut self, n: u64) {
        assert_eq!(Some(n), self.high.checked_add(1), "ops are taken in the order of their numbers");
        self.high = n;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn op(n: u64, content: u8) -> Numbered {
        Numbered { n, hash: ContentHash([content; 8]), is_noop: content == 9 }
    }

    fn hole(op: Numbered) -> Hole {
        Hole { hash: op.hash, creates: None, tx: None }
    }

    /// What became of each number, and nothing derived from it.
    #[derive(Clone, Debug, Default)]
    struct Model(Vec<(u8, bool)>);

    impl Model {
        fn hash(&self, n: u64) -> Option<ContentHash> {
            let (content, _) = self.0.get(usize::try_from(n).ok()?.checked_sub(1)?)?;
            Some(ContentHash([*content; 8]))
        }

        fn is_deferred(&self, n: u64) -> bool {
            self.0[n as usize - 1].1
        }

        /// Whether a request would be accepted, op by op on a copy.
        fn accepts(&self, ops: &[Numbered], forgotten: u64) -> bool {
            let mut high = self.0.len() as u64;
            let mut last = 0;
            ops.iter().all(|op| {
                let ascends = std::mem::replace(&mut last, op.n) < op.n;
                let is_new = op.n == high + 1;
                high = high.max(op.n);
                let was = op.n.checked_sub(1).and_then(|at| self.0.get(at as usize));
                let is_retry = was.is_some_and(|&(content, deferred)| {
                    let is_same = op.hash == ContentHash([content; 8]);
                    if deferred { is_same || op.is_noop } else { is_same && op.n > forgotten }
                });
                ascends && (is_new || is_retry)
            })
        }
    }

    proptest! {
        /// Random requests, some of them wrong, against a list of what became of each number.
        #[test]
        fn numbers_are_taken_once_and_in_order(
            requests in prop::collection::vec(
                prop::collection::vec((0..6_u64, prop_oneof![4 => Just(1_u8), 1 => Just(2), 1 => Just(9)], any::<bool>()), 1..5),
                1..12,
            ),
            forgotten in 0..4_u64,
        ) {
            let (mut numbers, mut model) = (Numbers::new(), Model::default());
            for request in requests {
                let start = numbers.high().saturating_sub(2);
                let ops: Vec<Numbered> = request.iter().enumerate()
                    .map(|(at, &(n, content, _))| op(start + if n == 5 { 9 } else { (n + at as u64) / 2 + 1 }, content))
                    .collect();
                let known = |n| model.hash(n).filter(|_| n > forgotten);
                let before = numbers.clone();
                let turns = numbers.turns(&ops, known);
                prop_assert_eq!(&numbers, &before);
                prop_assert_eq!(turns.is_ok(), model.accepts(&ops, forgotten), "{:?} {:?}", model, ops);
                for ((op, turn), &(_, content, defer)) in ops.iter().zip(turns.into_iter().flatten()).zip(&request) {
                    let at = op.n as usize - 1;
                    match turn {
                        Turn::New => model.0.push((content, defer)),
                        Turn::Again => {
                            prop_assert!(model.is_deferred(op.n));
                            // Deferred again it is still the op that it was.
                            model.0[at] = (if defer { model.0[at].0 } else { content }, defer);
                        }
                        Turn::Duplicate => {
                            prop_assert!(!model.is_deferred(op.n));
                            continue;
                        }
                    }
                    if defer { numbers.defer(op.n, hole(*op)) } else { numbers.consume(op.n) }
                }
                let len = model.0.len() as u64;
                let last = (1..=len).find(|&n| model.is_deferred(n)).map_or(len, |hole| hole - 1);
                prop_assert_eq!((numbers.high(), numbers.last()), (len, last));
                let beyond: Vec<u64> = (last + 1..=len).filter(|&n| !model.is_deferred(n)).collect();
                prop_assert_eq!(numbers.done_beyond().collect::<Vec<_>>(), beyond);
            }
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let mut numbers = Numbers::new();
        numbers.consume(1);
        numbers.defer(2, hole(op(2, 1)));
        numbers.consume(3);
        let known = |n| (n == 3).then_some(ContentHash([1; 8]));
        let check = |ops: &[Numbered], want: Result<Vec<Turn>, NumbersError>| {
            assert_eq!(numbers.turns(ops, known), want, "{ops:?}");
        };
        check(&[], Ok(Vec::new()));
        check(&[op(2, 1), op(3, 1), op(4, 1)], Ok(vec![Turn::Again, Turn::Duplicate, Turn::New]));
        check(&[op(2, 9)], Ok(vec![Turn::Again]));
        check(&[op(2, 2)], Err(NumbersError::Reused { n: 2, last: 1 }));
        check(&[op(3, 2)], Err(NumbersError::Reused { n: 3, last: 1 }));
        check(&[op(3, 9)], Err(NumbersError::Reused { n: 3, last: 1 }));
        check(&[op(1, 1)], Err(NumbersError::Forgotten { n: 1, last: 1 }));
        check(&[op(0, 1)], Err(NumbersError::Order { n: 0 }));
        check(&[op(4, 1), op(4, 1)], Err(NumbersError::Order { n: 4 }));
        check(&[op(5, 1)], Err(NumbersError::Gap { n: 5, expected: 4 }));
        check(&[op(4, 1), op(6, 1)], Err(NumbersError::Gap { n: 6, expected: 5 }));
        check(&[op(u64::MAX, 1)], Err(NumbersError::Gap { n: u64::MAX, expected: 4 }));
    }

    #[test]
    fn a_hole_holds_up_a_bounded_number() {
        let mut numbers = Numbers::new();
        numbers.defer(1, hole(op(1, 1)));
        (2..=OPS_BEYOND_HOLE_MAX).for_each(|n| numbers.consume(n));
        let end = OPS_BEYOND_HOLE_MAX + 1;
        assert_eq!(numbers.turns(&[op(end, 1)], |_| None), Ok(vec![Turn::New]));
        let full = Err(NumbersError::BacklogFull { hole: 1 });
        assert_eq!(numbers.turns(&[op(end, 1), op(end + 1, 1)], |_| None), full);
        numbers.consume(end);
        assert_eq!(numbers.turns(&[op(end + 1, 1)], |_| None), full);
        assert_eq!(numbers.turns(&[op(1, 1)], |_| None), Ok(vec![Turn::Again]), "a retry is never too much");
        numbers.consume(1);
        assert_eq!(numbers.turns(&[op(end + 1, 1)], |_| None), Ok(vec![Turn::New]));
    }
}
