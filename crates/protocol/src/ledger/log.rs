//! The records of a shard in the order of their last changes, bucket by bucket.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::entity::bucket::Bucket;
use syncline_core::entity::{EntityKey, RecordVersion, Sequence};

use super::scope::Section;
use super::shelf::{Checksum, Shelf, Standing};

/// The log of a tenant shard, as an index: in each bucket that it is in, a record stands at its last change, and nowhere else.
/// In a bucket that it left a mark stands at the change by which it left, until it returns.
///
/// Whoever has read buckets up to a place and goes on from there finds each record that has changed or left since, once. A
/// record that is changed while it is being read about moves to the end, and is found there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    head: Sequence,
    floor: Sequence,
    places: BTreeMap<EntityKey, Place>,
    shelves: BTreeMap<Section, Shelf>,
    /// Where records left buckets: one mark for each bucket and record.
    marks: BTreeMap<EntityKey, BTreeMap<Bucket, Sequence>>,
    /// The places of tombstones and marks.
    dead: BTreeMap<Sequence, EntityKey>,
}

/// Where a record is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its last change.
    pub seq: Sequence,
    /// The buckets of its type that it is in; of a tombstone, those of its last live version.
    pub buckets: BTreeSet<Bucket>,
    /// Its share of checksums; none of a tombstone.
    share: Option<Checksum>,
}

/// What a change does to the index, besides moving its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Where the record went.
    pub(super) seq: Sequence,
    /// The buckets that it is in now, if these are others than before.
    pub(super) buckets: Option<BTreeSet<Bucket>>,
    /// The buckets that it left.
    pub(super) left: BTreeSet<Bucket>,
    /// The buckets that it has come back to.
    pub(super) returned: BTreeSet<Bucket>,
}

/// What was at a place that is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Purged {
    /// The buckets that a tombstone was in, if there was one.
    pub(super) tombstone: Option<BTreeSet<Bucket>>,
    /// The buckets whose marks were there.
    pub(super) marks: Vec<Bucket>,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Records and marks, by their places.
    pub entries: Vec<(Sequence, EntityKey, Standing)>,
    /// Where to go on.
    pub pos: Sequence,
    /// The end of the log when the page was read.
    pub head: Sequence,
}

impl Log {
    /// Returns a log without changes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            head: Sequence(0),
            floor: Sequence(0),
            places: BTreeMap::new(),
            shelves: BTreeMap::new(),
            marks: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    /// Adds a change of a record: at the place after the last. `live` says in which buckets of its type it is, with its version;
    /// a deletion leaves it in those that it was in.
    pub(super) fn append(
        &mut self,
        key: &EntityKey,
        live: Option<(RecordVersion, BTreeSet<Bucket>)>,
    ) -> Moves {
        self.head =
            Sequence(self.head.0.checked_add(1).expect("2^64 changes take longer than there is time"));
        let before = self.take(key).unwrap_or_default();
        let mut moves = Moves { seq: self.head, ..Moves::default() };
        let share = live.as_ref().map(|(ver, _)| Checksum::of(key, *ver));
        let buckets = live.map_or_else(|| before.buckets.clone(), |(_, buckets)| buckets);
        for bucket in before.buckets.difference(&buckets) {
            self.mark(key, bucket, moves.seq);
            moves.left.insert(bucket.clone());
        }
        for bucket in buckets.difference(&before.buckets) {
            if self.unmark(key, bucket) {
                moves.returned.insert(bucket.clone());
            }
        }
        moves.buckets = (buckets != before.buckets).then(|| buckets.clone());
        self.put(key, Place { seq: moves.seq, buckets, share });
        moves
    }

    /// Moves a record to other buckets, at its place. Nothing marks those that it leaves.
    pub(super) fn move_to(&mut self, key: &EntityKey, buckets: &BTreeSet<Bucket>) -> Moves {
        let Some(place) = self.take(key) else { return Moves::default() };
        let mut moves = Moves { seq: place.seq, ..Moves::default() };
        moves.left = place.buckets.difference(buckets).cloned().collect();
        for bucket in buckets.difference(&place.buckets) {
            if self.unmark(key, bucket) {
                moves.returned.insert(bucket.clone());
            }
        }
        moves.buckets = (*buckets != place.buckets).then(|| buckets.clone());
        self.put(key, Place { buckets: buckets.clone(), ..place });
        moves
    }

    /// Puts a record back to the place that it had when the log was stored.
    pub(super) fn restore(
        &mut self,
        key: &EntityKey,
        seq: Sequence,
        live: Option<RecordVersion>,
        buckets: BTreeSet<Bucket>,
    ) {
        self.head = self.head.max(seq);
        self.put(key, Place { seq, buckets, share: live.map(|ver| Checksum::of(key, ver)) });
    }

    /// Puts a mark back.
    pub(super) fn restore_evicted(&mut self, key: &EntityKey, bucket: &Bucket, seq: Sequence) {
        self.head = self.head.max(seq);
        self.mark(key, bucket, seq);
    }

    /// Forgets a tombstone or the marks at a place.
    pub(super) fn purge(&mut self, seq: Sequence, key: &EntityKey) -> Purged {
        // Where a record left a bucket it may well be alive in another.
        let is_tombstone =
            self.places.get(key).is_some_and(|place| place.seq == seq && place.share.is_none());
        let tombstone = if is_tombstone { self.take(key).map(|place| place.buckets) } else { None };
        let marks = self.marks.get(key).into_iter().flatten().filter(|&(_, at)| *at == seq);
        let marks: Vec<Bucket> = marks.map(|(bucket, _)| bucket.clone()).collect();
        for bucket in &marks {
            self.unmark(key, bucket);
        }
        Purged { tombstone, marks }
    }

    /// Notes that of what was deleted up to a place some is forgotten.
    pub(super) fn raise_floor(&mut self, floor: Sequence) {
        self.floor = self.floor.max(floor);
        self.head = self.head.max(floor);
    }

    /// Returns the places of tombstones and marks up to one of them, ascending.
    pub(super) fn dead(&self, to: Sequence) -> impl Iterator<Item = (Sequence, EntityKey)> {
        self.dead.range(..=to).map(|(&seq, key)| (seq, key.clone()))
    }

    /// Returns at most `count_max` records that have changed since `pos`, and marks of those that have left. In a full pass,
    /// which began at the place given, tombstones and marks up to there are left out.
    ///
    /// A `pos` beyond the end stays where it is: nobody is led back without noticing.
    #[must_use]
    pub fn page(
        &self,
        sections: &BTreeSet<Section>,
        pos: Sequence,
        full_pass: Option<Sequence>,
        count_max: usize,
    ) -> Page {
        let is_told = |seq: Sequence, key: &EntityKey, standing: Standing| match standing {
            Standing::Live => true,
            Standing::Deleted => full_pass.is_none_or(|as_of| seq > as_of),
            // What has only gone from one of the buckets to another is told at its own place.
            Standing::Evicted => full_pass.is_none_or(|as_of| seq > as_of) && !self.is_in(key, sections),
        };
        let mut found = BTreeMap::new();
        for shelf in self.shelves_of(sections) {
            let told = shelf.behind(pos).filter(|&(seq, key, standing)| is_told(seq, key, standing));
            found.extend(
                told.take(count_max.saturating_add(1)).map(|(seq, key, standing)| (seq, (key, standing))),
            );
        }
        let is_last = found.len() <= count_max;
        let found = found.into_iter().take(count_max);
        let entries: Vec<_> = found.map(|(seq, (key, standing))| (seq, key.clone(), standing)).collect();
        let reached = if is_last { self.head } else { entries.last().map_or(pos, |&(seq, ..)| seq) };
        Page { entries, pos: reached.max(pos), head: self.head }
    }

    /// Returns the place of the last change, or 0.
    #[must_use]
    pub const fn head(&self) -> Sequence {
        self.head
    }

    /// Returns the place up to which what was deleted is no longer known.
    #[must_use]
    pub const fn floor(&self) -> Sequence {
        self.floor
    }

    /// Returns the place of the last change in these buckets, or 0.
    #[must_use]
    pub fn head_of(&self, sections: &BTreeSet<Section>) -> Sequence {
        self.shelves_of(sections).map(Shelf::head).max().unwrap_or_default()
    }

    /// Returns the checksums of the buckets, added up.
    #[must_use]
    pub fn checksum(&self, sections: &BTreeSet<Section>) -> Checksum {
        self.shelves_of(sections).map(Shelf::checksum).fold(Checksum::default(), Checksum::plus)
    }

    /// Returns how many live records stand in the buckets up to a place.
    pub(super) fn live_up_to(&self, sections: &BTreeSet<Section>, pos: Sequence) -> u64 {
        self.shelves_of(sections).map(|shelf| shelf.live_up_to(pos)).sum()
    }

    /// Returns where a record is.
    #[must_use]
    pub fn place(&self, key: &EntityKey) -> Option<&Place> {
        self.places.get(key)
    }

    fn shelves_of(&self, sections: &BTreeSet<Section>) -> impl Iterator<Item = &Shelf> {
        sections.iter().filter_map(|section| self.shelves.get(section))
    }

    fn is_in(&self, key: &EntityKey, sections: &BTreeSet<Section>) -> bool {
        let Some(place) = self.places.get(key) else { return false };
        let whole = Bucket::whole(&key.kind);
        sections.iter().any(|section| {
            section.kind == key.kind && (section.bucket == whole || place.buckets.contains(&section.bucket))
        })
    }

    fn take(&mut self, key: &EntityKey) -> Option<Place> {
        let place = self.places.remove(key)?;
        for bucket in place.buckets.iter().chain([&Bucket::whole(&key.kind)]) {
            self.clear(key, bucket, place.seq, place.share);
        }
        if place.share.is_none() {
            self.dead.remove(&place.seq);
        }
        Some(place)
    }

    fn put(&mut self, key: &EntityKey, place: Place) {
        for bucket in place.buckets.iter().chain([&Bucket::whole(&key.kind)]) {
            self.shelf(key, bucket).put(place.seq, key.clone(), place.share);
        }
        if place.share.is_none() {
            self.dead.insert(place.seq, key.clone());
        }
        self.places.insert(key.clone(), place);
    }

    fn mark(&mut self, key: &EntityKey, bucket: &Bucket, seq: Sequence) {
        self.shelf(key, bucket).evict(seq, key.clone());
        self.marks.entry(key.clone()).or_default().insert(bucket.clone(), seq);
        self.dead.insert(seq, key.clone());
    }

    /// Takes the mark of a record away, if there is one.
    fn unmark(&mut self, key: &EntityKey, bucket: &Bucket) -> bool {
        let Some(marks) = self.marks.get_mut(key) else { return false };
        let Some(seq) = marks.remove(bucket) else { return false };
        if !marks.values().any(|&other| other == seq) {
            self.dead.remove(&seq);
        }
        if marks.is_empty() {
            self.marks.remove(key);
        }
        self.clear(key, bucket, seq, None);
        true
    }

    fn clear(&mut self, key: &EntityKey, bucket: &Bucket, seq: Sequence, share: Option<Checksum>) {
        let section = Section { kind: key.kind.clone(), bucket: bucket.clone() };
        if let Some(shelf) = self.shelves.get_mut(&section) {
            shelf.take(seq, share);
            if shelf.is_empty() {
                self.shelves.remove(&section);
            }
        }
    }

    fn shelf(&mut self, key: &EntityKey, bucket: &Bucket) -> &mut Shelf {
        let section = Section { kind: key.kind.clone(), bucket: bucket.clone() };
        self.shelves.entry(section).or_default()
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

    fn bucket(name: u8) -> Bucket {
        Bucket::from_stored(&format!("p{name}"))
    }

    fn section(name: Option<u8>) -> Section {
        let kind = key(0).kind;
        Section { bucket: name.map_or_else(|| Bucket::whole(&kind), bucket), kind }
    }

    #[test]
    fn pages_follow_each_other() {
        let mut log = Log::new();
        let all: BTreeSet<Section> = [section(None)].into();
        let page = |log: &Log, pos, count_max| log.page(&all, Sequence(pos), None, count_max);
        assert_eq!(page(&log, 0, 2), Page { entries: vec![], pos: Sequence(0), head: Sequence(0) });
        for (at, id) in [1, 2, 3, 1].into_iter().enumerate() {
            let moves = log.append(&key(id), Some((RecordVersion(1), BTreeSet::new())));
            assert_eq!(moves.seq, Sequence(at as u64 + 1));
        }
        let first = page(&log, 0, 2);
        let live = |seq, id| (Sequence(seq), key(id), Standing::Live);
        assert_eq!(first.entries, [live(2, 2), live(3, 3)]);
        assert!(!first.is_last());
        let second = page(&log, first.pos.0, 2);
        assert_eq!(second.entries, [live(4, 1)]);
        assert!(second.is_last());
        assert!(page(&log, 4, 1).entries.is_empty());
        assert_eq!(page(&log, 9, 1).pos, Sequence(9));
        assert_eq!(page(&log, 0, 0).pos, Sequence(0));
    }

    /// A change of a record: to which parts it moves, or that it is deleted.
    fn moves() -> impl Strategy<Value = (u8, Option<BTreeSet<u8>>)> {
        (0..4_u8, prop::option::weighted(0.8, prop::collection::btree_set(0..3_u8, 0..3)))
    }

    /// What a reader of some parts does with a page.
    fn read(copy: &mut BTreeMap<EntityKey, Sequence>, page: &Page) {
        for (seq, key, standing) in &page.entries {
            match standing {
                Standing::Live => drop(copy.insert(key.clone(), *seq)),
                Standing::Deleted | Standing::Evicted => drop(copy.remove(key)),
            }
        }
    }

    proptest! {
        /// A reader of two parts takes pages while others write, first in a full pass. At the end of the log it has the records
        /// that are in the parts, each at its last change; its place never goes back, and it is told of nothing more often
        /// than there were changes. Checksums are those of the records, and all is the same when it is put back as stored.
        #[test]
        fn a_reader_misses_nothing(steps in prop::collection::vec((moves(), 0..3_usize, 1..4_usize), 1..60)) {
            let mut log = Log::new();
            let followed: BTreeSet<Section> = [section(Some(0)), section(Some(1))].into();
            let (mut written, mut copy) = (BTreeMap::new(), BTreeMap::new());
            let mut evicted = BTreeMap::new();
            let (mut pos, mut full_pass, mut told, mut changes) = (Sequence(0), None, 0, 0_u64);
            for ((id, parts), pages, count_max) in steps {
                changes += 1;
                let live = parts.as_ref().map(|parts| parts.iter().map(|&name| bucket(name)).collect());
                let moved = log.append(&key(id), live.map(|parts| (RecordVersion(changes), parts)));
                prop_assert_eq!(moved.seq, Sequence(changes));
                evicted.extend(moved.left.into_iter().map(|bucket| ((key(id), bucket), moved.seq)));
                for bucket in moved.returned {
                    prop_assert!(evicted.remove(&(key(id), bucket)).is_some());
                }
                written.insert(key(id), (Sequence(changes), parts));
                let want: BTreeMap<EntityKey, Sequence> = written
                    .iter()
                    .filter(|(_, (_, parts))| parts.as_ref().is_some_and(|parts| parts.iter().any(|&part| part < 2)))
                    .map(|(key, (seq, _))| (key.clone(), *seq))
                    .collect();
                for _ in 0..pages {
                    if pos == Sequence(0) {
                        full_pass = Some(log.head());
                    }
                    let page = log.page(&followed, pos, full_pass, count_max);
                    prop_assert!(page.entries.len() <= count_max && page.pos >= pos);
                    told += page.entries.len() as u64;
                    read(&mut copy, &page);
                    pos = page.pos;
                    if page.is_last() {
                        prop_assert_eq!(&copy, &want);
                        full_pass = None;
                    }
                }
            }
            prop_assert!(told <= changes);
            let shares = written.iter().filter(|(_, (_, parts))| parts.is_some());
            let sum = shares.map(|(key, (seq, _))| Checksum::of(key, RecordVersion(seq.0))).fold(Checksum::default(), Checksum::plus);
            prop_assert_eq!(log.checksum(&[section(None)].into()), sum);
            for pos in 0..=changes {
                let up_to = written.values().filter(|(seq, parts)| parts.is_some() && seq.0 <= pos).count();
                prop_assert_eq!(log.live_up_to(&[section(None)].into(), Sequence(pos)), up_to as u64);
            }
            let mut again = Log::new();
            for (key, place) in &log.places {
                let live = place.share.map(|_| RecordVersion(place.seq.0));
                again.restore(key, place.seq, live, place.buckets.clone());
            }
            for ((key, bucket), seq) in evicted {
                again.restore_evicted(&key, &bucket, seq);
            }
            prop_assert_eq!(again, log);
        }
    }

    /// The sum is what anyone computes who has the records.
    #[test]
    fn a_checksum_is_the_first_bytes_of_a_sha_256() {
        assert_eq!(format!("{:016x}", Checksum::of(&key(1), RecordVersion(7)).sum), "0fd2538e4f5f6057");
    }
}
