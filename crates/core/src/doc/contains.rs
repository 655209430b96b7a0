//! Whether a document holds all of an update already.

use super::{
    contain::delete_ranges,
    yjs::{DiffError, YjsDocument},
};
use crate::guard::{DeleteRange, scan_update};

impl YjsDocument {
    /// Returns whether the document holds every struct and every deletion of an update. It reads the whole document if
    /// there are deletions in it.
    ///
    /// # Errors
    /// [`DiffError`]: the update is malformed, or the document broke.
    pub fn contains(&self, update: &[u8]) -> Result<bool, DiffError> {
        let scanned = scan_update(update)?;
        let brings_structs = match self.index().plan(&scanned) {
            Ok(plan) => plan.gap || !plan.sections.is_empty(),
            Err(_too_deep) => true,
        };
        if brings_structs || scanned.deletes().is_empty() {
            return Ok(!brings_structs);
        }
        let known = self.contained().read(|txn| delete_ranges(&yrs::ReadTxn::snapshot(txn).delete_set));
        let known = joined(known.map_err(super::Broken::from)?);
        Ok(scanned.deletes().iter().all(|range| is_covered(range, &known)))
    }
}

/// Sorts ranges, and joins those that touch or overlap, so that one range is covered by one or not at all.
fn joined(mut ranges: Vec<DeleteRange>) -> Vec<DeleteRange> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, range| {
        let joins = next.client == range.client && next.clock <= range.end();
        if joins {
            range.len = range.end().max(next.end()) - range.clock;
        }
        joins
    });
    ranges
}

/// Returns whether one of the `joined` ranges covers all of one. It is searched for: anyone who may read asks for many, of
/// a document that may have many.
fn is_covered(wanted: &DeleteRange, joined: &[DeleteRange]) -> bool {
    let upto = joined.partition_point(|range| (range.client, range.clock) <= (wanted.client, wanted.clock));
    let last = upto.checked_sub(1).map(|at| &joined[at]);
    last.is_some_and(|range| range.client == wanted.client && wanted.end() <= range.end())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use yrs::{Doc, GetString, ReadTxn, StateVector, Text, Transact, WriteTxn};

    use super::*;
    use crate::id::ClientId;

    #[test]
    fn a_document_contains_what_it_took_in() {
        let doc = Doc::with_client_id(1);
        let mut versions = Vec::new();
        let mut write = |act: &dyn Fn(&mut yrs::TransactionMut<'_>)| {
            let mut txn = doc.transact_mut();
            act(&mut txn);
            versions.push(Bytes::from(txn.encode_state_as_update_v1(&StateVector::default())));
        };
        write(&|_| {});
        write(&|txn| txn.get_or_insert_text("t").insert(txn, 0, "hello"));
        write(&|txn| txn.get_or_insert_text("t").remove_range(txn, 1, 2));
        write(&|txn| txn.get_or_insert_text("t").remove_range(txn, 0, 2));
        assert_eq!(doc.transact().get_text("t").unwrap().get_string(&doc.transact()), "o");
        for (had, version) in versions.iter().enumerate() {
            let mut document = YjsDocument::default();
            document.apply(version).expect("honest");
            for (asked, update) in versions.iter().enumerate() {
                assert_eq!(document.contains(update), Ok(asked <= had), "{asked} in {had}");
            }
        }
        assert!(YjsDocument::default().contains(&[]).is_err());
    }

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

    /// What [`is_covered`] says, by adding up what is common to every two.
    fn is_covered_by_all(wanted: &DeleteRange, by: &[DeleteRange]) -> bool {
        let same_client = by.iter().filter(|range| range.client == wanted.client);
        let common = same_client
            .map(|range| range.end().min(wanted.end()).saturating_sub(range.clock.max(wanted.clock)));
        common.sum::<u32>() == wanted.len
    }

    proptest! {
        #[test]
        fn a_range_is_covered_where_all_of_it_is(known in ranges(), client in 0u64..4) {
            let joined = joined(known.clone());
            for (clock, len) in (0..20).flat_map(|clock| (1..8).map(move |len| (clock, len))) {
                let wanted = DeleteRange { client: ClientId(client), clock, len };
                prop_assert_eq!(is_covered(&wanted, &joined), is_covered_by_all(&wanted, &known));
            }
        }

        #[test]
        fn joined_ranges_are_in_order_and_apart(known in ranges(), more in ranges()) {
            let joined = joined([known, more].concat());
            for pair in joined.windows(2) {
                prop_assert!((pair[0].client, pair[0].end()) < (pair[1].client, pair[1].clock));
            }
        }
    }
}
