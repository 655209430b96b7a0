//! Where chance comes from: a seed, or the bytes of a fuzzer.

/// A source of choices; the same source makes the same choices.
pub(crate) enum Choice<'a> {
    Seed(u64),
    Bytes(&'a [u8]),
}

impl Choice<'_> {
    /// Returns a number below `end`, which is not 0. When the bytes are used up it is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let drawn = match self {
            Self::Seed(state) => splitmix(state),
            Self::Bytes(bytes) => {
                let byte = bytes.split_off_first().copied().unwrap_or(0);
                byte.into()
            }
        };
        (drawn % end as u64) as usize
    }

    /// Returns one of `items`, of which there is at least one.
    pub(crate) fn of<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    /// Returns true in one of `times` cases.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn is_used_up(&self) -> bool {
        matches!(self, Self::Bytes([]))
    }
}

/// SplitMix64 (G. Steele et al., "Fast splittable pseudorandom number generators", 2014).
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
