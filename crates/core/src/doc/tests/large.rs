//! Updates so large that they go in in slices.

use std::{collections::BTreeMap, thread};

use super::*;
use crate::{
    guard::{StructKind, write_string, write_var_uint},
    id::ClientId,
    limits::{SLICE_CLIENTS_MAX, SLICE_STRUCTS_MAX},
    log::Snapshot,
};

/// Draws like a client does, from a fixed seed (splitmix64).
fn random_ids(n: u64) -> Vec<u64> {
    let draw = |i: u64| {
        let mut z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) >> 11
    };
    (1..=n).map(draw).collect()
}

/// Each of the clients, in this order, types one letter after the one before it: the structs of `chain[from..]`.
fn typed_in_turn(chain: &[u64], from: usize) -> (Bytes, String) {
    let letter = |at: usize| char::from(b'a' + (at % 26) as u8);
    let mut out = Vec::new();
    write_var_uint(&mut out, (chain.len() - from) as u64);
    for (at, &id) in chain.iter().enumerate().skip(from) {
        out.push(1);
        write_var_uint(&mut out, id);
        out.push(0);
        match at.checked_sub(1) {
            None => {
                out.extend([0x04, 1]);
                write_string(&mut out, "text");
            }
            Some(before) => {
                out.push(0x84);
                write_var_uint(&mut out, chain[before]);
                out.push(0);
            }
        }
        write_string(&mut out, &letter(at).to_string());
    }
    out.push(0);
    (out.into(), (from..chain.len()).map(letter).collect())
}

/// Runs `test` on a thread with the stack of a runtime's worker.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(test).expect("a thread starts");
    thread.join().expect("the test passes");
}

/// Goal: many clients who type after each other cost neither stack nor the square of their number, whichever way their
/// ids run. Method: of 50,000 ids the first third ascends, the second descends and the last is as it was drawn.
#[test]
fn clients_that_wait_for_each_other_are_taken_in_and_loaded() {
    let mut chain = random_ids(50_000);
    chain[..17_000].sort_unstable();
    chain[17_000..34_000].sort_unstable_by_key(|&id| std::cmp::Reverse(id));
    let (whole, text) = typed_in_turn(&chain, 0);
    on_a_small_stack(move || {
        let mut live = YjsDocument::default();
        for (end, from) in [(9_000, 0), (9_001, 9_000), (30_000, 9_001), (50_000, 30_000)] {
            let (piece, _) = typed_in_turn(&chain[..end], from);
            let applied = live.apply(&piece).expect("honest");
            assert_eq!(applied.update.as_ref(), Some(&piece), "all of it is new");
            assert_eq!((applied.before.len(), applied.gap, applied.known), (end - from, false, 0));
        }
        assert_eq!(live.text("text"), Ok(Some(text.clone())));

        let mut at_once = YjsDocument::default();
        assert_eq!(at_once.apply(&whole).expect("honest").update, Some(whole.clone()));
        assert_eq!(at_once.text("text"), Ok(Some(text.clone())));
        assert_eq!(at_once.state_vector(), live.state_vector());

        let snapshot = Snapshot { number: CommitNumber(4), state: live.encode().expect("sound") };
        let loaded = YjsDocument::load(Some(&snapshot), &[]).expect("the snapshot loads");
        assert_eq!(loaded.text("text"), Ok(Some(text)));
        let again = live.apply(&snapshot.state).expect("honest");
        assert_eq!((again.update, again.gap, again.before), (None, false, vec![]));
    });
}

/// Goal: of a large update that is known in part, that goes in in slices and that has a gap, exactly the new part is
/// reported. Method: the beginning and one link of the chain were known, and one in the middle is missing.
#[test]
fn the_new_part_of_a_large_update_is_exact() {
    let chain = random_ids(4_000);
    let (first, _) = typed_in_turn(&chain[..1_500], 0);
    let (second, text) = typed_in_turn(&chain, 0);
    let mut document = YjsDocument::default();
    document.apply(&first).expect("honest");
    let (late, _) = typed_in_turn(&chain, 3_000);
    let applied = document.apply(&late).expect("honest");
    assert_eq!((applied.update, applied.gap), (None, true), "all of it rests on what is missing");
    let applied = document.apply(&second).expect("honest");
    assert_eq!((applied.known, applied.gap, applied.before.len()), (1_500, false, 2_500));
    let new = applied.update.expect("most is new");
    let scanned = scan_update(&new).expect("the engine writes updates");
    let new: BTreeMap<ClientId, u32> =
        scanned.sections().iter().map(|section| (section.client, section.clock)).collect();
    assert!(new.into_iter().eq(applied.before.into_iter().collect::<BTreeMap<_, _>>()));
    assert_eq!(document.text("text"), Ok(Some(text[..4_000].into())));
}

/// Goal: a long history of one client, of which the document has the beginning, goes in in slices, also where a slice
/// begins within a struct that the document knows in part, and its deletions go in after the structs.
#[test]
fn a_long_update_that_begins_within_a_known_struct_is_cut() {
    let structs = SLICE_STRUCTS_MAX + 1_000;
    let letters = |first: &str, more: u32, deleted: bool| -> Bytes {
        let mut out = vec![1];
        write_var_uint(&mut out, u64::from(more) + 1);
        out.extend([1, 0, 0x04, 1]);
        write_string(&mut out, "text");
        write_string(&mut out, first);
        // Each is put before all the others, so that they are not joined.
        for clock in 0..more {
            let before = if clock == 0 { 0 } else { clock as usize + first.len() - 1 };
            out.extend([0x44, 1]);
            write_var_uint(&mut out, before as u64);
            write_string(&mut out, "x");
        }
        if deleted {
            out.extend([1, 1, 1, 1, 4])
        } else {
            out.push(0)
        }
        out.into()
    };
    let mut document = YjsDocument::default();
    document.apply(&letters("abc", 0, false)).expect("honest");
    let applied = document.apply(&letters("abcdef", structs, true)).expect("honest");
    assert_eq!((applied.before, applied.gap), (vec![(ClientId(1), 3)], false));
    let text = format!("{}af", "x".repeat(structs as usize));
    assert_eq!(document.text("text"), Ok(Some(text.clone())));
    let mut reader = YjsDocument::default();
    reader.apply(&letters("abc", 0, false)).expect("honest");
    reader.apply(&applied.update.expect("most is new")).expect("the engine writes updates");
    assert_eq!(reader.text("text"), Ok(Some(text)));
    assert_eq!(reader.state_vector(), document.state_vector());
}

/// Goal: slices are as large as they may be and no larger.
#[test]
fn an_update_of_few_clients_goes_in_at_once() {
    let chain = random_ids(SLICE_CLIENTS_MAX as u64 + 1);
    for (clients, slices) in [(SLICE_CLIENTS_MAX, None), (SLICE_CLIENTS_MAX + 1, Some(2))] {
        let (update, _) = typed_in_turn(&chain[..clients], 0);
        let scanned = scan_update(&update).expect("well formed");
        let plan = index::StructIndex::default().plan(&scanned).expect("flat");
        assert_eq!(plan.slices.map(|slices| slices.count()), slices);
    }
}

/// Goal: values of an entry that were one item when they were gone are gone before their map is, in whichever slice that goes. Method: the
/// map, such values, much that fills a slice, a value in the middle of them, as much again, and what replaces the map.
#[test]
fn values_that_are_one_item_go_with_their_slice() {
    let (mut structs, mut clock) = (Vec::new(), 0);
    let mut write = |len: u64, parts: &[&[u8]]| {
        structs.push(parts.concat());
        let at = clock;
        clock += len;
        at
    };
    let map = write(1, &[&[0x27, 1, 1, b'm', 1, b'x', 1]]);
    let values = write(2, &[&[0x28, 0, 1, map as u8, 1, b'k', 2, 120, 120]]);
    let mut last = write(1, &[&[0x04, 1, 1, b't', 1, b'a']]);
    let mut fill = |write: &mut dyn FnMut(u64, &[&[u8]]) -> u64| {
        for _ in 0..SLICE_STRUCTS_MAX {
            let mut origin = Vec::new();
            write_var_uint(&mut origin, last);
            last = write(1, &[&[0x84, 1], &origin, &[1, b'a']]);
        }
    };
    fill(&mut write);
    write(1, &[&[0x88, 1, values as u8, 1, 121]]);
    fill(&mut write);
    write(1, &[&[0x88, 1, map as u8, 1, 120]]);

    let mut update = vec![1];
    write_var_uint(&mut update, structs.len() as u64);
    update.extend([1, 0]);
    update.extend(structs.concat());
    update.extend([1, 1, 1, values as u8, 2]);
    let update = Bytes::from(update);
    let mut document = YjsDocument::default();
    let applied = document.apply(&update).expect("honest");
    assert_eq!(applied.update, Some(update.clone()));
    let json = document.to_json().expect("it is read");
    assert_eq!(json["m"], serde_json::json!({"x": true}));
    // Whatever points to the map is collected with it.
    let encoded = document.encode().expect("sound");
    let scanned = scan_update(&encoded).expect("what yrs writes");
    let mut structs = scanned.structs(&scanned.sections()[0]);
    let first = structs.find(|of| of.end() > values as u32).expect("the values");
    assert_eq!(first.kind, StructKind::Gc);
    let snapshot = Snapshot { number: CommitNumber(1), state: update };
    compact::<YjsDocument>(Some(&snapshot), &[]).expect("it is folded");
}
