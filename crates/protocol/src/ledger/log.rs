//! The records of a shard in the order of their last changes.

use std::collections::BTreeMap;
use std::ops::Bound;

use syncline_core::entity::{EntityKey, Sequence};

/// The log of a tenant shard, as an index: each record stands at its last change, and nowhere else.
///
/// Whoever has read up to a place and goes on from there finds each record that has changed since, once. A record that is
/// changed while it is being read about moves to the end, and is found there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    head: Sequence,
    by_seq: BTreeMap<Sequence, EntityKey>,
    by_key: BTreeMap<EntityKey, Sequence>,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Records with the places of their last changes, ascending.
    pub entries: Vec<(Sequence, EntityKey)>,
    /// Where to go on.
    pub pos: Sequence,
    /// The end of the log when the page was read.
    pub head: Sequence,
}

impl Log {
    /// Returns a log without changes.
    #[must_use]
    pub const fn new() -> Self {
        Self { head: Sequence(0), by_seq: BTreeMap::new(), by_key: BTreeMap::new() }
    }

    /// Adds a change of a record, and returns its place: the one after the last.
    pub fn append(&mut self, key: EntityKey) -> Sequence {
        self.head =
            Sequence(self.head.0.checked_add(1).expect("2^64 changes take longer than there is time"));
        if let Some(moved) = self.by_key.insert(key.clone(), self.head) {
            self.by_seq.remove(&moved);
        }
        self.by_seq.insert(self.head, key);
        self.head
    }

    /// Puts a record back to the place that it had when the log was stored.
    pub(super) fn restore(&mut self, key: EntityKey, seq: Sequence) {
        self.head = self.head.max(seq);
        self.by_seq.insert(seq, key.clone());
        self.by_key.insert(key, seq);
    }

    /// Returns at most `count_max` records that have changed since `pos`.
    ///
    /// A `pos` beyond the end, as after a restored backup, stays where it is: nobody is led back without noticing.
    #[must_use]
    pub fn page(&self, pos: Sequence, count_max: usize) -> Page {
        let behind = (Bound::Excluded(pos), Bound::Unbounded);
        let mut entries: Vec<(Sequence, EntityKey)> = Vec::new();
        for (&seq, key) in self.by_seq.range(behind) {
            if entries.len() == count_max {
                let pos = entries.last().map_or(pos, |&(seq, _)| seq);
                return Page { entries, pos, head: self.head };
            }
            entries.push((seq, key.clone()));
        }
        Page { entries, pos: self.head.max(pos), head: self.head }
    }

    /// Returns the place of the last change, or 0.
    #[must_use]
    pub const fn head(&self) -> Sequence {
        self.head
    }
}

impl Page {
    /// Returns whether the page reaches the end of the log.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.pos >= self.head
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use syncline_core::entity::{EntityId, TypeName};

    use super::*;

    fn key(id: u8) -> EntityKey {
        EntityKey {
            kind: TypeName::new("task").expect("a name"),
            id: EntityId::new(&format!("t{id}")).expect("an id"),
        }
    }

    #[test]
    fn pages_follow_each_other() {
        let mut log = Log::new();
        assert_eq!(log.page(Sequence(0), 2), Page { entries: vec![], pos: Sequence(0), head: Sequence(0) });
        for id in [1, 2, 3, 1] {
            log.append(key(id));
        }
        let first = log.page(Sequence(0), 2);
        assert_eq!(first.entries, [(Sequence(2), key(2)), (Sequence(3), key(3))]);
        assert!(!first.is_last());
        let second = log.page(first.pos, 2);
        assert_eq!(second.entries, [(Sequence(4), key(1))]);
        assert!(second.is_last());
        assert!(log.page(Sequence(4), 1).entries.is_empty());
        assert_eq!(log.page(Sequence(9), 1).pos, Sequence(9));
        assert_eq!(log.page(Sequence(0), 0).pos, Sequence(0));
    }

    proptest! {
        /// A reader takes pages while others write. At the end of the log it has the last change of each record; its place
        /// never goes back, and it is told of a record no more often than the record has changed.
        #[test]
        fn a_reader_misses_nothing(steps in prop::collection::vec((0..6_u8, 0..3_usize, 1..4_usize), 1..60)) {
            let mut log = Log::new();
            let (mut written, mut read) = (BTreeMap::new(), BTreeMap::new());
            let (mut pos, mut told, mut changes) = (Sequence(0), 0, 0_u64);
            for (id, pages, count_max) in steps {
                changes += 1;
                prop_assert_eq!(log.append(key(id)), Sequence(changes));
                written.insert(key(id), Sequence(changes));
                for _ in 0..pages {
                    let page = log.page(pos, count_max);
                    prop_assert!(page.entries.len() <= count_max && page.pos >= pos);
                    told += page.entries.len() as u64;
                    read.extend(page.entries.iter().map(|(seq, key)| (key.clone(), *seq)));
                    prop_assert!(!page.is_last() || read == written);
                    pos = page.pos;
                }
            }
            let rest = log.page(pos, usize::MAX);
            prop_assert!(rest.is_last());
            told += rest.entries.len() as u64;
            read.extend(rest.entries.into_iter().map(|(seq, key)| (key, seq)));
            prop_assert_eq!(read, written);
            prop_assert!(told <= changes);
        }
    }
}
