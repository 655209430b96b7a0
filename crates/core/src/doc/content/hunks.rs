//! Finds the stretches in which two sequences differ, for so much work and no more.
//!
//! Any stretches that turn the one into the other will do, and small ones are better. The smallest take the product of both
//! lengths to find, so that two texts of a megabyte would take minutes. Where that is too much, the sequences are cut into
//! pieces, the pieces are compared, and only stretches of pieces that differ are looked into.

use std::{hash::Hash, ops::Range};

use imara_diff::{Algorithm, Diff, InternedInput, Interner};

/// What may be spent on a comparison, in pairs of places: those of the one with those of the other. 1.5 to 10 ns each were
/// measured for the worst sequences known, on an idle and on a busy machine: all of it takes about a second at most.
const EFFORT_MAX: u64 = 1 << 27;

/// The least mean length of pieces. They end where the last 16 things say so, and are longer than that.
const PIECE_LEN_MIN: u64 = 32;

/// A stretch that is replaced: by number of the character or thing in the one, and in the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doc) struct Hunk {
    pub(in crate::doc) before: Range<usize>,
    pub(in crate::doc) after: Range<usize>,
}

impl Hunk {
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Returns the stretch as it is in what the other is a stretch of.
    fn within(self, outer: &Self) -> Self {
        let moved = |range: Range<usize>, by: usize| range.start + by..range.end + by;
        Self { before: moved(self.before, outer.before.start), after: moved(self.after, outer.after.start) }
    }

    fn of<'a, T>(&self, before: &'a [T], after: &'a [T]) -> (&'a [T], &'a [T]) {
        (&before[self.before.clone()], &after[self.after.clone()])
    }
}

/// What is left to spend on a comparison, which may be one of many texts and lists.
#[derive(Clone, Copy, Debug)]
pub(in crate::doc) struct Effort(u64);

impl Default for Effort {
    fn default() -> Self {
        Self(EFFORT_MAX)
    }
}

impl Effort {
    /// Returns whether there is enough left to compare two sequences, and takes it if there is.
    fn spend<T>(&mut self, before: &[T], after: &[T]) -> bool {
        let left = self.0.checked_sub(pairs(before, after));
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Returns how long pieces are to be for a quarter of what is left to be enough to compare them; nothing if there is too
    /// little left.
    fn piece_len<T>(self, before: &[T], after: &[T]) -> Option<u64> {
        let squared = pairs(before, after).checked_div(self.0 / 4)?;
        Some((squared.isqrt() + 1).next_power_of_two().max(PIECE_LEN_MIN))
    }
}

fn pairs<T>(before: &[T], after: &[T]) -> u64 {
    (before.len() as u64).saturating_mul(after.len() as u64)
}

/// Returns the stretches in which two sequences differ, in order and apart.
pub(super) fn hunks<T: Eq + Hash>(before: &[T], after: &[T], effort: &mut Effort) -> Vec<Hunk> {
    let middle = middle(before, after);
    let (old, new) = middle.of(before, after);
    if middle.is_empty() {
        return Vec::new();
    }
    if old.is_empty() || new.is_empty() {
        return vec![middle];
    }
    let found = if effort.spend(old, new) { fine(old, new) } else { coarse(old, new, effort) };
    found.into_iter().map(|hunk| hunk.within(&middle)).collect()
}

/// Returns what is left where the same beginning and the same end are cut off.
fn middle<T: Eq>(before: &[T], after: &[T]) -> Hunk {
    let start = before.iter().zip(after).take_while(|(old, new)| old == new).count();
    let rest = before[start..].iter().rev().zip(after[start..].iter().rev());
    let end = rest.take_while(|(old, new)| old == new).count();
    Hunk { before: start..before.len() - end, after: start..after.len() - end }
}

/// Compares thing by thing.
fn fine<T: Eq + Hash>(before: &[T], after: &[T]) -> Vec<Hunk> {
    let found = Diff::compute(Algorithm::Histogram, &interned(before, after));
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    found.hunks().map(|hunk| Hunk { before: range(hunk.before), after: range(hunk.after) }).collect()
}

fn interned<'a, T: Eq + Hash>(before: &'a [T], after: &'a [T]) -> InternedInput<&'a T> {
    let interner = Interner::new(before.len() + after.len());
    let mut input = InternedInput { before: Vec::new(), after: Vec::new(), interner };
    input.update_before(before.iter());
    input.update_after(after.iter());
    input
}

/// Compares piece by piece, and looks into those that differ as far as that can be paid.
fn coarse<T: Eq + Hash>(before: &[T], after: &[T], effort: &mut Effort) -> Vec<Hunk> {
    let whole = Hunk { before: 0..before.len(), after: 0..after.len() };
    let Some(len) = effort.piece_len(before, after) else { return vec![whole] };
    let input = interned(before, after);
    let (old, new) = (pieces(&input.before, len), pieces(&input.after, len));
    if !effort.spend(&old, &new) {
        return vec![whole];
    }
    let (old_ends, new_ends) = (ends(&old), ends(&new));
    let mut found = Vec::new();
    for hunk in fine(&old, &new) {
        let range = |range: Range<usize>, ends: &[usize]| start(range.start, ends)..start(range.end, ends);
        let outer = Hunk { before: range(hunk.before, &old_ends), after: range(hunk.after, &new_ends) };
        let (old, new) = outer.of(&input.before, &input.after);
        // Pieces that differ may be the same together: where one ends is told by what stands before it, too.
        let inner = middle(old, new);
        let (old, new) = inner.of(old, new);
        let inner = inner.within(&outer);
        if !old.is_empty() && !new.is_empty() && effort.spend(old, new) {
            found.extend(fine(old, new).into_iter().map(|hunk| hunk.within(&inner)));
        } else if !inner.is_empty() {
            found.push(inner);
        }
    }
    found
}

/// Cuts a sequence into pieces of about this length, a power of two, at places that the 16 things before tell: what is
/// put in or removed moves no place but those next to it. (Muthitacharoen, Chen and Mazières, "A Low-bandwidth Network
/// File System", SOSP 2001.) No piece but the last is so short that it is found everywhere.
fn pieces(all: &[imara_diff::Token], len: u64) -> Vec<&[imara_diff::Token]> {
    let (mut told, mut taken) = (0u64, 0);
    let pieces = all.split_inclusive(|token| {
        let mixed = (u64::from(token.0) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        told = (told << 4).wrapping_add(mixed ^ mixed >> 32);
        taken += 1;
        let ends = taken >= PIECE_LEN_MIN / 2 && told.leading_zeros() >= len.ilog2();
        taken = if ends { 0 } else { taken };
        ends
    });
    pieces.collect()
}

/// Returns where each of the pieces ends.
fn ends<T>(pieces: &[&[T]]) -> Vec<usize> {
    let mut end = 0;
    pieces
        .iter()
        .map(|piece| {
            end += piece.len();
            end
        })
        .collect()
}

/// Returns where a piece starts.
fn start(piece: usize, ends: &[usize]) -> usize {
    piece.checked_sub(1).map_or(0, |before| ends[before])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Draws from a fixed seed (Knuth's linear congruences).
    fn drawn(seed: u64, len: usize, kinds: u64) -> Vec<u64> {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % kinds
        };
        (0..len).map(|_| draw()).collect()
    }

    fn applied(before: &[u64], after: &[u64], hunks: &[Hunk]) -> Vec<u64> {
        let mut all = before.to_vec();
        for hunk in hunks.iter().rev() {
            all.splice(hunk.before.clone(), after[hunk.after.clone()].iter().copied());
        }
        all
    }

    fn size(hunks: &[Hunk]) -> usize {
        hunks.iter().map(|hunk| hunk.before.len() + hunk.after.len()).sum()
    }

    /// Two sequences, of which the second has stretches replaced.
    fn edited() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        let edits = prop::collection::vec((0usize..4_000, 0usize..60, 0usize..60), 0..6);
        (any::<u64>(), 0usize..4_000, prop::sample::select(vec![1, 2, 5, 1_000]), edits).prop_map(
            |(seed, len, kinds, edits)| {
                let before = drawn(seed, len, kinds);
                let mut after = before.clone();
                for (at, removed, put) in edits {
                    let at = at.min(after.len());
                    let end = (at + removed).min(after.len());
                    after.splice(at..end, drawn(seed ^ at as u64, put, kinds + 1));
                }
                (before, after)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        /// Goal: stretches are right however little may be spent on them. Method: from nothing to all that one could.
        #[test]
        fn the_stretches_turn_the_one_into_the_other((before, after) in edited(), most in 0u32..28) {
            let mut effort = Effort((1 << most) - 1);
            let hunks = hunks(&before, &after, &mut effort);
            prop_assert_eq!(applied(&before, &after, &hunks), &after[..]);
            prop_assert!(hunks.iter().all(|hunk| !hunk.is_empty()));
            for pair in hunks.windows(2) {
                prop_assert!(pair[0].before.end < pair[1].before.start && pair[0].after.end < pair[1].after.start);
            }
        }
    }

    #[test]
    fn small_edits_of_a_huge_sequence_stay_small() {
        let before = drawn(1, 400_000, 30);
        let mut after = before.clone();
        for at in [390_000, 200_000, 199_000, 3] {
            after.splice(at..at + 5, [100, 101]);
        }
        after.splice(100_000..100_000, drawn(2, 50_000, 30));
        let mut effort = Effort::default();
        let hunks = hunks(&before, &after, &mut effort);
        assert_eq!(applied(&before, &after, &hunks), after);
        assert_eq!((hunks.len(), size(&hunks)), (5, 4 * 7 + 50_000));
    }

    /// Goal: the comparison of everything with everything is never made beyond what may be spent. Method: two texts of two
    /// letters are the same in every other place, and only that comparison finds it.
    #[test]
    fn what_is_too_long_and_has_nothing_in_common_is_replaced() {
        let (before, after) = (drawn(1, 20_000, 2), drawn(2, 20_000, 2));
        assert!(hunks(&before, &after, &mut Effort(400_000_000)).len() > 1_000);
        assert!(hunks(&before, &after, &mut Effort(1_000_000)).len() < 10);
        assert_eq!(hunks(&before, &after, &mut Effort(0)).len(), 1);
    }

    #[test]
    fn the_effort_is_shared_by_all_comparisons() {
        let (before, after) = (drawn(1, 100, 2), drawn(2, 100, 2));
        let mut effort = Effort(25_000);
        let found: Vec<bool> = (0..3).map(|_| hunks(&before, &after, &mut effort).len() > 1).collect();
        assert_eq!(found, [true, true, false]);
    }
}
