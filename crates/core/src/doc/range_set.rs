//! Ranges of elements, to be searched.

use crate::guard::DeleteRange;

/// Ranges in order, none of which touches or overlaps another, so that a range is covered by one or not at all.
#[derive(Debug)]
pub(super) struct RangeSet(Vec<DeleteRange>);

impl RangeSet {
    /// Sorts ranges, and joins those that touch or overlap.
    pub(super) fn of(ranges: &[DeleteRange]) -> Self {
        let mut ranges = ranges.to_vec();
        ranges.sort_unstable();
        ranges.dedup_by(|next, range| {
            let joins = next.client == range.client && next.clock <= range.end();
            if joins {
                range.len = range.end().max(next.end()) - range.clock;
            }
            joins
        });
        Self(ranges)
    }

    /// Returns whether all of a range is covered. It is searched for: anyone who may read asks for many, of a document that may have many.
    pub(super) fn covers(&self, wanted: &DeleteRange) -> bool {
        let upto =
            self.0.partition_point(|range| (range.client, range.clock) <= (wanted.client, wanted.clock));
        let last = upto.checked_sub(1).map(|at| &self.0[at]);
        last.is_some_and(|range| range.client == wanted.client && wanted.end() <= range.end())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::ClientId;

    /// Ranges in any order, which may touch and do not overlap.
    fn ranges() -> impl Strategy<Value = Vec<DeleteRange>> {
        let steps = prop::collection::vec((0u64..3, 0u32..3, 1u32..4), 0..24);
        let ranges = steps.prop_map(|steps| {
            let mut ends = [0; 3];
            let ranges = steps.into_iter().map(|(client, gap, len)| {
                let clock = ends[client as usize] + gap;
                ends[client as usize] = clock + len;
                DeleteRange { client: ClientId(client), clock, len }
            });
            ranges.collect::<Vec<_>>()
        });
        ranges.prop_shuffle()
    }

    /// What [`RangeSet::covers`] says, by adding up what is common to every two.
    fn is_covered_by_all(wanted: &DeleteRange, by: &[DeleteRange]) -> bool {
        let same_client = by.iter().filter(|range| range.client == wanted.client);
        let common = same_client
            .map(|range| range.end().min(wanted.end()).saturating_sub(range.clock.max(wanted.clock)));
        common.sum::<u32>() == wanted.len
    }

    proptest! {
        #[test]
        fn a_range_is_covered_where_all_of_it_is(known in ranges(), client in 0u64..4) {
            let joined = RangeSet::of(&known);
            for (clock, len) in (0..20).flat_map(|clock| (1..8).map(move |len| (clock, len))) {
                let wanted = DeleteRange { client: ClientId(client), clock, len };
                prop_assert_eq!(joined.covers(&wanted), is_covered_by_all(&wanted, &known));
            }
        }

        #[test]
        fn joined_ranges_are_in_order_and_apart(known in ranges(), more in ranges()) {
            let RangeSet(joined) = RangeSet::of(&[known, more].concat());
            for pair in joined.windows(2) {
                prop_assert!((pair[0].client, pair[0].end()) < (pair[1].client, pair[1].clock));
            }
        }
    }
}
