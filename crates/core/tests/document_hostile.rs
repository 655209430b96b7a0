//! What kills yrs, given to a document: refused, and the document is as it was and goes on.

#![cfg(feature = "yjs")]

mod payloads;

use std::thread;

use bytes::Bytes;
use syncline_core::{
    doc::{Applied, ApplyError, DiffError, YjsDocument},
    guard::{Malformed, write_var_uint},
    limits::TYPE_DEPTH_MAX,
};

use payloads::Payload;

/// Client 1 types `text` at the start of the root `t`.
fn typed(clock: u8, text: &[u8]) -> Bytes {
    let head: &[u8] = if clock == 0 { &[0x04, 1, 1, b't'] } else { &[0x44, 1, 0] };
    [&[1, 1, 1, clock], head, &[text.len() as u8], text, &[0]].concat().into()
}

/// Client 2 adds the `depth`th map in the one before.
fn one_level(depth: u32) -> Bytes {
    let mut out = vec![1, 1, 2];
    write_var_uint(&mut out, u64::from(depth) - 1);
    out.extend(payloads::level(depth));
    out.push(0);
    out.into()
}

/// Runs `test` with the stack of a runtime's worker.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(test).expect("a thread starts");
    thread.join().expect("the test passes");
}

#[test]
fn every_payload_is_refused_and_changes_nothing() {
    on_a_small_stack(|| {
        let mut document = YjsDocument::default();
        document.apply(&typed(0, b"abc")).expect("honest");
        let (encoded, state) = (document.encode(), document.state_vector());
        for Payload { name, reason, update } in payloads::refused() {
            let update = Bytes::from(update);
            let refused = document.apply(&update).expect_err(name);
            assert_eq!(refused.reason(), reason, "{name}");
            assert_eq!(document.encode(), encoded, "{name}");
            assert_eq!(document.state_vector(), state, "{name}");
            assert!(document.diff(&update).is_err(), "{name}, as a state vector");
        }
        document.apply(&typed(3, b"x")).expect("honest");
        assert_eq!(document.text("t"), Ok(Some("xabc".into())));
    });
}

/// yrs allocates for the declared number of clients first: 527 MB.
#[test]
fn a_difference_for_a_state_vector_of_two_to_the_28_clients_is_refused() {
    let mut document = YjsDocument::default();
    document.apply(&typed(0, b"abc")).expect("honest");
    let want = Malformed::Count { at: 0, declared: 1 << 28, left: 0 };
    assert_eq!(document.diff(&payloads::MANY), Err(DiffError::Malformed(want)));
    assert_eq!(document.diff(&[0]), document.encode().map_err(DiffError::from));
}

/// yrs deletes and drops nested types by recursion: 8,000 levels overflow a stack of 2 MiB, though each update adds one.
#[test]
fn levels_added_one_by_one_end_at_the_limit_and_can_be_removed() {
    on_a_small_stack(|| {
        let mut document = YjsDocument::default();
        document.apply(&typed(0, b"abc")).expect("honest");
        for depth in 1..=8_000 {
            let applied = document.apply(&one_level(depth));
            match depth.checked_sub(TYPE_DEPTH_MAX) {
                None | Some(0) => assert!(applied.expect("not too deep").update.is_some()),
                Some(1) => assert_eq!(applied, Err(ApplyError::TooDeep)),
                // What they are nested in was never taken.
                Some(_) => assert_eq!(applied, Ok(Applied { gap: true, ..Applied::default() })),
            }
        }
        let removed = document.apply(&Bytes::from_static(&[0, 1, 2, 1, 0, 1])).expect("honest");
        assert!(removed.update.is_some());
        assert_eq!(document.text("m"), Ok(Some(String::new())), "the root is empty");
        let mut loaded = YjsDocument::default();
        loaded.replay(&document.encode().expect("sound")).expect("it loads");
        assert_eq!(loaded.to_json(), document.to_json());
    });
}

/// Deletions, too, name clients, of which yrs is given none that the document does not know.
#[test]
fn deletions_for_made_up_clients_are_a_gap() {
    let mut document = YjsDocument::default();
    document.apply(&typed(0, b"abc")).expect("honest");
    let mut update = vec![0];
    write_var_uint(&mut update, 20_001);
    update.extend([1, 1, 0, 1]);
    for id in 0..20_000_u64 {
        write_var_uint(&mut update, id << 16 | 7);
        update.extend([1, 0, 1]);
    }
    let applied = document.apply(&update.into()).expect("well formed");
    assert_eq!((applied.update, applied.gap), (Some(Bytes::from_static(&[0, 1, 1, 1, 0, 1])), true));
    assert_eq!(document.text("t"), Ok(Some("bc".into())));
}
