//! The long document of the benches: one person's typing of a paper, replayed into yrs.

use yrs::{ClientID, Doc, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, TransactionMut};

#[path = "trace.rs"]
pub(crate) mod trace;

/// Replays the first `keys` keys, each in a transaction of its own that `each` sees at its end.
///
/// Returns the document as one Yjs update, with its history of removals.
pub(crate) fn replay(keys: usize, mut each: impl FnMut(&TransactionMut<'_>)) -> Vec<u8> {
    let options = Options { offset_kind: OffsetKind::Utf16, ..Options::with_client_id(ClientID::new(1)) };
    let doc = Doc::with_options(options);
    let text = doc.get_or_insert_text("t");
    for edit in trace::edits().into_iter().take(keys) {
        let mut txn = doc.transact_mut();
        match edit {
            trace::Edit::Insert { at, character } => {
                text.insert(&mut txn, at, character.encode_utf8(&mut [0; 4]))
            }
            trace::Edit::Remove { at } => text.remove_range(&mut txn, at, 1),
        }
        each(&txn);
    }
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}
