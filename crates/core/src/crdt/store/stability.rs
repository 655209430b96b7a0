//! What all replicas are known to have.

use crate::clock::CausalContext;
use crate::crdt::CausalDigest;

/// What every registered replica is known to have seen, and to have held at that time.
///
/// Whoever holds one has received all that the others acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stability {
    /// The events that all had seen. Of an event that one of these replicas writes without having seen them, the dot is
    /// among what it acknowledged, so it has arrived here.
    pub seen: CausalContext,
    /// Those of them that all still held, so that none had replaced or dropped them.
    pub live: CausalContext,
}

impl Stability {
    /// Returns what `own` and all that were acknowledged have in common, or nothing if `own` lacks anything of them.
    pub(crate) fn of<'a>(
        own: CausalDigest,
        acknowledged: impl IntoIterator<Item = &'a CausalDigest>,
    ) -> Option<Self> {
        let mut common = Self { seen: own.seen.clone(), live: own.live };
        for digest in acknowledged {
            if !own.seen.contains_all(&digest.seen) {
                return None;
            }
            common.seen = common.seen.intersection(&digest.seen);
            common.live = common.live.intersection(&digest.live);
        }
        Some(common)
    }
}
