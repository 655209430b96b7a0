//! From dots to keys.

use alloc::{vec, vec::Vec};

use super::sorted::Sorted;
use crate::clock::{CausalContext, Dot, ReplicaId, Run};

/// Dots on a page, as many as bits in its mask.
const PAGE_BITS: u32 = 6;

/// A key for each dot, in pages of 64 dots of one replica. A replica's dots follow each other, so pages are full as a rule,
/// and there are few of them to search through.
#[derive(Clone, Debug)]
pub(super) struct DotIndex<K> {
    /// By replica and counter, the latter without its low bits: as one number, which is faster to compare.
    pages: Sorted<u128, Page<K>>,
}

#[derive(Clone, Debug)]
struct Page<K> {
    /// Which of the dots are there.
    mask: u64,
    /// Their keys, ascending by dot; never empty.
    keys: Vec<K>,
}

impl<K> DotIndex<K> {
    pub(super) const fn new() -> Self {
        Self { pages: Sorted::new() }
    }

    /// Notes the key of a dot; returns whether the dot is new.
    pub(super) fn insert(&mut self, dot: Dot, key: K) -> bool {
        let Some(page) = self.pages.get_mut(&page_of(dot)) else {
            self.pages.insert(page_of(dot), Page { mask: 1 << (dot.counter & 63), keys: vec![key] });
            return true;
        };
        let (bit, rank) = page.place(dot);
        let is_new = page.mask & bit == 0;
        if is_new {
            page.mask |= bit;
            page.keys.insert(rank, key);
        } else {
            page.keys[rank] = key;
        }
        is_new
    }

    pub(super) fn remove(&mut self, dot: Dot) {
        if let Some(page) = self.pages.get_mut(&page_of(dot)) {
            let (bit, rank) = page.place(dot);
            if page.mask & bit != 0 {
                page.mask &= !bit;
                page.keys.remove(rank);
            }
            if page.keys.is_empty() {
                self.pages.remove(&page_of(dot));
            }
        }
    }

    /// Calls `visit` with the key of each dot that is in `context`.
    pub(super) fn within<'a>(&'a self, context: &CausalContext, mut visit: impl FnMut(&'a K)) {
        if context.runs().len() <= self.pages.len() {
            for &run in context.runs() {
                self.pages.range(&page_of(run.first_dot()), &page_of(run.last_dot()), |&at, page| {
                    page.visit(mask_of(at, run), &mut visit);
                });
            }
        } else {
            for (&at, page) in self.pages.iter() {
                let Dot { replica, counter } = base_of(at);
                let wanted = (0..64).filter(|&low| context.contains(Dot::new(replica, counter | low)));
                page.visit(wanted.fold(0, |mask, low| mask | 1 << low), &mut visit);
            }
        }
    }
}

impl<K> Page<K> {
    /// Returns the bit of a dot, and how many keys stand before its own.
    fn place(&self, dot: Dot) -> (u64, usize) {
        let bit = 1 << (dot.counter & 63);
        (bit, (self.mask & (bit - 1)).count_ones() as usize)
    }

    fn visit<'a>(&'a self, wanted: u64, visit: &mut impl FnMut(&'a K)) {
        if self.mask & !wanted == 0 {
            return self.keys.iter().for_each(visit);
        }
        let mut left = self.mask & wanted;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            visit(&self.keys[(self.mask & (bit - 1)).count_ones() as usize]);
            left ^= bit;
        }
    }
}

const fn page_of(dot: Dot) -> u128 {
    (dot.replica.0 as u128) << 64 | (dot.counter >> PAGE_BITS) as u128
}

/// Returns the dot of a page whose low bits are 0.
const fn base_of(page: u128) -> Dot {
    Dot::new(ReplicaId((page >> 64) as u64), (page as u64) << PAGE_BITS)
}

/// Returns the bits of the dots of a page that are in `run`, which has some on it.
fn mask_of(page: u128, run: Run) -> u64 {
    let base = base_of(page).counter;
    let first = run.first.saturating_sub(base);
    let last = (run.last - base).min(63);
    u64::MAX << first & u64::MAX >> (63 - last)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    /// Compares with a plain map after each of many insertions and removals around the ends of pages.
    #[test]
    fn it_is_a_map() {
        let (mut index, mut plain) = (DotIndex::new(), BTreeMap::new());
        let mut state = 1_u64;
        let mut draw = |end: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % end
        };
        for step in 0..5000_u64 {
            let counter = if draw(16) == 0 { u64::MAX - draw(3) } else { 1 + draw(200) };
            let dot = Dot::new(ReplicaId(draw(2)), counter);
            if draw(2) == 0 {
                assert_eq!(index.insert(dot, step), plain.insert(dot, step).is_none());
            } else {
                index.remove(dot);
                plain.remove(&dot);
            }
            let first = 1 + draw(200);
            let mut context = CausalContext::new();
            (0..draw(4)).for_each(|n| {
                context.insert_run(Run {
                    replica: ReplicaId(n % 2),
                    first: first + 9 * n,
                    last: first + 70 * n,
                })
            });
            context.insert(Dot::new(ReplicaId(0), u64::MAX));
            let mut found = Vec::new();
            index.within(&context, |key| found.push(*key));
            let wanted = plain.iter().filter(|(dot, _)| context.contains(**dot));
            assert_eq!(found, wanted.map(|(_, key)| *key).collect::<Vec<u64>>());
        }
    }
}
