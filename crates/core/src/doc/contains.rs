//! Whether a document holds all of an update already.

use super::{
    contain::delete_ranges,
    range_set::RangeSet,
    yjs::{DiffError, YjsDocument},
};
use crate::guard::scan_update;

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
            Err(_unfit) => true,
        };
        if brings_structs || scanned.deletes().is_empty() {
            return Ok(!brings_structs);
        }
        let known = self.contained().read(|txn| delete_ranges(&yrs::ReadTxn::snapshot(txn).delete_set));
        let known = RangeSet::of(&known.map_err(super::Broken::from)?);
        Ok(scanned.deletes().iter().all(|range| known.covers(range)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use yrs::{Doc, GetString, ReadTxn, StateVector, Text, Transact, WriteTxn};

    use super::*;

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
}
