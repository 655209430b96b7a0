//! The long document: one person's typing of a paper, replayed once.

use std::sync::OnceLock;

use yrs::{ClientID, Doc, OffsetKind, Options, ReadTxn, StateVector, Text, Transact};

#[path = "../trace.rs"]
mod trace;

/// Returns the finished paper as one Yjs update, with its history of deletions.
pub(crate) fn update() -> &'static [u8] {
    static UPDATE: OnceLock<Vec<u8>> = OnceLock::new();
    UPDATE.get_or_init(replay)
}

fn replay() -> Vec<u8> {
    let doc = Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(ClientID::new(1))
    });
    let text = doc.get_or_insert_text("t");
    for edit in trace::edits() {
        let mut txn = doc.transact_mut();
        match edit {
            trace::Edit::Insert { at, character } => {
                text.insert(&mut txn, at, character.encode_utf8(&mut [0; 4]))
            }
            trace::Edit::Remove { at } => text.remove_range(&mut txn, at, 1),
        }
    }
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}
