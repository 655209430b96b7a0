//! Upper bounds of steps.

/// yrs notes what an item walks past in a table, and empties it at each that it is to stand behind; emptying one that held so many takes
/// as long as a step.
pub(super) const NOTED_STEPS: u64 = 4_096;

/// Returns the most steps of so many items, each of which walks past so many pieces at most.
pub(super) fn most(items: u64, pieces: u64) -> u64 {
    items.saturating_mul(pieces.saturating_add(pieces.saturating_mul(pieces) / (NOTED_STEPS / 2)))
}

/// Returns the most steps of so many items, which walked so many steps altogether, once there are so many pieces more.
///
/// An item that walks past one piece more takes a step more, and at most so many more to empty its table as it walks past in all.
pub(super) fn grown(steps: u64, items: u64, pieces: u64) -> u64 {
    let all = steps.saturating_add(items.saturating_mul(pieces));
    all.saturating_add(pieces.saturating_mul(all) / NOTED_STEPS)
}

/// How far one item walks at most: so many steps when the document had `since` pieces, and past all that came then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) steps: u64,
    pub(super) since: u64,
}

impl Walk {
    /// Returns the most steps when there are so many pieces.
    pub(super) fn most(self, pieces: u64) -> u64 {
        grown(self.steps, 1, pieces.saturating_sub(self.since))
    }
}
