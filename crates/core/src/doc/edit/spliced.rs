//! A text while it is spliced: what is far from a place is not touched.

use std::sync::Arc;

use crate::doc::content::{Piece, Run, joined};

/// Most runs that a block has.
const RUNS_MAX: usize = 256;

/// Most bytes of characters that a block has.
const BYTES_MAX: usize = 4_096;

/// A text in blocks that are short: a splice looks at the length of each block, and writes only those anew that it begins and ends in.
/// What it was made of is one sequence of runs, in which neighbours may have one format.
#[derive(Debug)]
pub(super) struct Spliced {
    /// None of them is empty.
    blocks: Vec<Block>,
}

#[derive(Debug, Default)]
struct Block {
    /// The length in UTF-16 code units; what is no character counts as one.
    units: u64,
    /// Bytes of characters.
    bytes: usize,
    runs: Vec<Run>,
}

/// A place in a text: a byte of a run, or before (0) or behind (1) what is no character.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    block: usize,
    run: usize,
    byte: usize,
}

impl Spliced {
    /// Takes a text apart.
    pub(super) fn new(runs: Vec<Run>) -> Self {
        Self { blocks: blocks(runs) }
    }

    /// Replaces `len` UTF-16 code units from `at` on by `insert`. Nothing, and nothing is changed, if the text is shorter, or one end is
    /// within a surrogate pair.
    pub(super) fn splice(&mut self, at: u32, len: u32, insert: Option<Run>) -> Option<()> {
        let begin = self.place(at.into())?;
        let end = self.place(u64::from(at) + u64::from(len))?;
        // Only a text without anything in it has no block there.
        let last = self.blocks.get_mut(end.block).map(|block| std::mem::take(&mut block.runs));
        let (mut before, behind) = if begin.block == end.block {
            let mut runs = last.unwrap_or_default();
            let behind = split(&mut runs, end);
            split(&mut runs, begin);
            (runs, behind)
        } else {
            let mut runs = std::mem::take(&mut self.blocks[begin.block].runs);
            split(&mut runs, begin);
            (runs, split(&mut last.unwrap_or_default(), end))
        };
        before.extend(insert);
        before.extend(behind);
        let replaced = begin.block..self.blocks.len().min(end.block + 1);
        self.blocks.splice(replaced, blocks(before));
        Some(())
    }

    /// Returns the runs of the text; neighbours with one format are one run.
    pub(super) fn finish(self) -> Vec<Run> {
        joined(self.blocks.into_iter().flat_map(|block| block.runs).collect())
    }

    /// Returns the place before which there are so many UTF-16 code units: the first, if there are two.
    fn place(&self, units: u64) -> Option<Place> {
        let mut left = units;
        for (block, Block { units, runs, .. }) in self.blocks.iter().enumerate() {
            if left > *units {
                left -= units;
                continue;
            }
            for (run, Run { piece, .. }) in runs.iter().enumerate() {
                let units = units_of(piece);
                if left > units {
                    left -= units;
                    continue;
                }
                let byte = match piece {
                    Piece::Text(text) => byte_at(text, left)?,
                    Piece::Embed(_) => usize::from(left > 0),
                };
                return Some(Place { block, run, byte });
            }
        }
        (left == 0).then(Place::default)
    }
}

/// Puts runs in blocks; long ones are divided.
fn blocks(runs: Vec<Run>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut put = |run: Run| {
        let bytes = bytes_of(&run.piece);
        let fits = |block: &Block| block.runs.len() < RUNS_MAX && block.bytes + bytes <= BYTES_MAX;
        if !blocks.last().is_some_and(fits) {
            blocks.push(Block::default());
        }
        if let Some(block) = blocks.last_mut() {
            block.units += units_of(&run.piece);
            block.bytes += bytes;
            block.runs.push(run);
        }
    };
    for Run { piece, format } in runs {
        match piece {
            Piece::Text(text) if text.len() > BYTES_MAX => {
                let mut rest = text.as_str();
                while !rest.is_empty() {
                    let (part, behind) = rest.split_at(rest.floor_char_boundary(BYTES_MAX));
                    put(Run { piece: Piece::Text(part.to_owned()), format: Arc::clone(&format) });
                    rest = behind;
                }
            }
            piece => put(Run { piece, format }),
        }
    }
    blocks
}

/// Cuts runs at a place, and returns what is behind it.
fn split(runs: &mut Vec<Run>, place: Place) -> Vec<Run> {
    let Some(run) = runs.get_mut(place.run) else { return Vec::new() };
    if place.byte == 0 {
        return runs.split_off(place.run);
    }
    let cut = match &mut run.piece {
        Piece::Text(text) if place.byte < text.len() => {
            let rest = text.split_off(place.byte);
            Some(Run { piece: Piece::Text(rest), format: Arc::clone(&run.format) })
        }
        Piece::Text(_) | Piece::Embed(_) => None,
    };
    let behind = runs.split_off(place.run + 1);
    cut.into_iter().chain(behind).collect()
}

fn units_of(piece: &Piece) -> u64 {
    match piece {
        Piece::Text(text) => text.encode_utf16().count() as u64,
        Piece::Embed(_) => 1,
    }
}

fn bytes_of(piece: &Piece) -> usize {
    match piece {
        Piece::Text(text) => text.len(),
        Piece::Embed(_) => 0,
    }
}

/// Returns the byte at which so many UTF-16 code units end.
fn byte_at(text: &str, units: u64) -> Option<usize> {
    let mut left = units;
    for (at, char) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(char.len_utf16() as u64)?;
    }
    (left == 0).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use yrs::Any;

    use super::*;
    use crate::doc::content::{Content, Format};

    /// What a splice is: the text is cut at both ends, and all of it written anew.
    fn on_model(runs: &[Run], at: u32, len: u32, insert: Option<Run>) -> Option<Vec<Run>> {
        let (before, rest) = cut(runs, at)?;
        let (_, behind) = cut(&rest, len)?;
        Some(joined(before.into_iter().chain(insert).chain(behind).collect()))
    }

    fn cut(runs: &[Run], at: u32) -> Option<(Vec<Run>, Vec<Run>)> {
        let (mut before, mut left) = (Vec::new(), u64::from(at));
        for (i, run) in runs.iter().enumerate() {
            let len = units_of(&run.piece);
            if left == 0 {
                return Some((before, runs[i..].to_vec()));
            }
            if left < len {
                let Piece::Text(text) = &run.piece else { return None };
                let (one, other) = text.split_at(byte_at(text, left)?);
                let part =
                    |text: &str| Run { piece: Piece::Text(text.to_owned()), format: run.format.clone() };
                before.push(part(one));
                let rest = std::iter::once(part(other)).chain(runs[i + 1..].iter().cloned());
                return Some((before, rest.collect()));
            }
            left -= len;
            before.push(run.clone());
        }
        (left == 0).then_some((before, Vec::new()))
    }

    /// Every text has one of its own.
    fn format(kind: u8) -> Format {
        Arc::new((0..kind).map(|name| (Arc::from(name.to_string()), Any::Bool(true))).collect())
    }

    /// Texts and embeds that are longer than a block, or shorter.
    fn runs() -> impl Strategy<Value = Vec<Run>> {
        let words = prop::sample::select(vec!["a", "bc", "ü", "🙂", "漢🙂"]);
        let times = || prop_oneof![3 => 1..4usize, 1 => 100..3_000usize];
        let text = (words, times(), 0..3u8).prop_map(|(word, times, kind)| {
            vec![Run { piece: Piece::Text(word.repeat(times)), format: format(kind) }]
        });
        let embeds = (times(), 0..3u8).prop_map(|(times, kind)| {
            let embed = |n: usize| Run {
                piece: Piece::Embed(Box::new(Content::Value((n as i64).into()))),
                format: format(kind),
            };
            (0..times).map(embed).collect()
        });
        vec(prop_oneof![3 => text, 1 => embeds], 0..5).prop_map(|runs| joined(runs.concat()))
    }

    /// Where, how long, and what comes there.
    fn splices() -> impl Strategy<Value = (prop::sample::Index, u32, Option<Run>)> {
        let words = prop::sample::select(vec!["", "a", "🙂", "long "]);
        let insert =
            (words, prop_oneof![4 => 1..3usize, 1 => Just(1_500)], 0..3u8).prop_map(|(word, times, kind)| {
                (!word.is_empty())
                    .then(|| Run { piece: Piece::Text(word.repeat(times)), format: format(kind) })
            });
        (any::<prop::sample::Index>(), prop_oneof![3 => 0..5u32, 1 => 0..6_000u32], insert)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Goal: splices make of a text what they make of one that is written anew each time, and no block becomes long, nor do blocks
        /// become many. Method: places lie anywhere in the text, and some just behind its end.
        #[test]
        fn splices_are_those_of_a_text_written_anew(runs in runs(), splices in vec(splices(), 0..24)) {
            let mut model = runs.clone();
            let mut spliced = Spliced::new(runs);
            for (at, len, insert) in splices {
                let units: u64 = model.iter().map(|run| units_of(&run.piece)).sum();
                let at = at.index(units as usize + 3) as u32;
                let (blocks, bytes) = (spliced.blocks.len(), insert.as_ref().map_or(0, |run| bytes_of(&run.piece)));
                let wanted = on_model(&model, at, len, insert.clone());
                prop_assert_eq!(spliced.splice(at, len, insert).is_some(), wanted.is_some());
                model = wanted.unwrap_or(model);
                prop_assert!(spliced.blocks.len() <= blocks + 3 + bytes / (BYTES_MAX / 2));
                for block in &spliced.blocks {
                    prop_assert!(!block.runs.is_empty());
                    prop_assert!(block.runs.len() <= RUNS_MAX && block.bytes <= BYTES_MAX);
                    prop_assert_eq!(block.units, block.runs.iter().map(|run| units_of(&run.piece)).sum::<u64>());
                }
                let held: Vec<Run> = spliced.blocks.iter().flat_map(|block| block.runs.clone()).collect();
                prop_assert_eq!(joined(held), model.clone());
            }
            prop_assert_eq!(spliced.finish(), model);
        }
    }
}
