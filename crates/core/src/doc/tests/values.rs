//! Values of entries, of which a client joins those that follow each other and are gone, unless it collects them as garbage.

use super::*;

/// A client that keeps what it deletes sets one entry again and again; returns all that it has after each time.
fn set_again_and_again(times: i64) -> Vec<Bytes> {
    let mut options = Options::with_client_id(ClientID::new(2));
    options.skip_gc = true;
    let doc = Doc::with_options(options);
    let map = doc.get_or_insert_map("m");
    let set = |value| {
        let mut txn = doc.transact_mut();
        map.insert(&mut txn, "k", value);
        drop(txn);
        Bytes::from(doc.transact().encode_state_as_update_v1(&StateVector::default()))
    };
    (0..times).map(set).collect()
}

/// Goal: whoever keeps what was deleted is welcome, whatever a document has of it already.
#[test]
fn values_that_are_gone_may_be_one_item() {
    let states = set_again_and_again(5);
    let joined = scan_update(&states[4]).expect("honest");
    let longest = joined.structs(&joined.sections()[0]).map(|item| item.len).max();
    assert_eq!(longest, Some(4), "they are joined");
    for had in 0..5 {
        let mut document = YjsDocument::default();
        document.apply(&states[had]).expect("honest");
        document.apply(&states[4]).expect("honest");
        assert_eq!(document.to_json(), Ok(serde_json::json!({"m": {"k": 4}})));
    }
}

/// Goal: what is stored of an update can be loaded, though the map of such values was collected before they came.
#[test]
fn values_of_a_map_that_is_gone_are_stored_with_their_deletion() {
    let map = Bytes::from_static(&[1, 1, 1, 0, 0x27, 1, 1, b'm', 1, b'x', 1, 0]);
    let gone = Bytes::from_static(&[0, 1, 1, 1, 0, 1]);
    let values =
        Bytes::from_static(&[1, 1, 2, 0, 0x28, 0, 1, 0, 1, b'k', 2, 120, 120, 2, 1, 1, 0, 1, 2, 1, 0, 2]);
    let (mut document, mut again) = (YjsDocument::default(), YjsDocument::default());
    for update in [map, gone, values] {
        let stored = document.apply(&update).expect("honest").update.expect("it brings something");
        again.replay(&stored).expect("what was stored is loaded");
    }
    assert!(again.same_document(&document).expect("sound"));
}
