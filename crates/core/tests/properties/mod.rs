//! What must hold of any bytes, whether a test or a fuzzer makes them. Each function panics on a breach, and returns
//! whether the bytes were accepted.

#![allow(dead_code, reason = "each test binary and fuzz target uses some of these")]

use std::{collections::BTreeMap, ops::Range};

use syncline_core::{
    guard::{
        DeleteRange, JsonRules, ScannedUpdate, StructKind, scan_awareness, scan_json, scan_state_vector,
        scan_update,
    },
    id::ClientId,
    limits::{CLOCK_MAX, VALUE_DEPTH_MAX},
};
use yrs::{
    Any, StateVector, Update,
    sync::AwarenessUpdate,
    updates::{decoder::Decode, encoder::Encode},
};

/// An update that is accepted is sound in itself, and yrs reads, understands and writes it as the guard does.
pub(crate) fn yjs_update(bytes: &[u8]) -> bool {
    let Ok(scanned) = scan_update(bytes) else { return false };
    assert_sound(&scanned);

    let update = Update::decode_v1(bytes).expect("yrs decodes what the guard accepts");
    assert_eq!(inserted_by_yrs(&update), inserted(&scanned), "yrs finds the same ids");

    let written = update.encode_v1();
    let again = scan_update(&written).expect("the guard accepts what yrs writes");
    assert_sound(&again);
    assert!(scanned.same_shape(&again) && again.same_shape(&scanned), "yrs writes the same shape");
    true
}

/// A state vector that is accepted is the one that yrs reads.
pub(crate) fn state_vector(bytes: &[u8]) -> bool {
    let Ok(clocks) = scan_state_vector(bytes) else { return false };
    assert!(clocks.is_sorted_by(|a, b| a.0 < b.0), "clients ascend");
    assert!(clocks.iter().all(|&(_, clock)| clock <= CLOCK_MAX));

    let decoded = StateVector::decode_v1(bytes).expect("yrs decodes what the guard accepts");
    let of_yrs: BTreeMap<u64, u32> = decoded.iter().map(|(client, &clock)| (client.get(), clock)).collect();
    assert!(of_yrs.into_iter().eq(clocks.iter().map(|&(client, clock)| (client.0, clock))));
    assert_eq!(scan_state_vector(&decoded.encode_v1()), Ok(clocks));
    true
}

/// An awareness message that is accepted holds JSON that serde_json reads, and the entries that yrs reads.
pub(crate) fn awareness(bytes: &[u8]) -> bool {
    let Ok(entries) = scan_awareness(bytes) else { return false };
    for state in entries.iter().filter_map(|entry| entry.state) {
        serde_json::from_str::<serde::de::IgnoredAny>(state).expect("a state is json");
    }
    let decoded = AwarenessUpdate::decode_v1(bytes).expect("yrs decodes what the guard accepts");
    // yrs keeps the last entry of a client, and 32 bits of its clock.
    let last: BTreeMap<u64, _> = entries.iter().map(|entry| (entry.client.0, entry)).collect();
    assert_eq!(decoded.clients.len(), last.len());
    for (client, theirs) in decoded.clients {
        match last[&client.get()].state {
            Some(state) => assert_eq!(state, &*theirs.json),
            None => assert_eq!(theirs.json.trim_ascii(), "null"),
        }
    }
    true
}

/// A JSON text that is accepted for yrs is read by yrs; what it writes is accepted again.
pub(crate) fn json(text: &str) -> bool {
    let accepted = scan_json(text, 0, JsonRules::Yrs).is_ok();
    if accepted {
        assert!(scan_json(text, 0, JsonRules::Rfc8259).is_ok(), "the rules of yrs are narrower");
        let mut written = String::new();
        Any::from_json(text).expect("yrs reads what the guard accepts").to_json(&mut written);
        assert_eq!(scan_json(&written, 0, JsonRules::Yrs), Ok(()), "{written}");
    }
    accepted
}

/// What the types of a scanned update say holds of it.
fn assert_sound(scanned: &ScannedUpdate<'_>) {
    assert!(scanned.sections().is_sorted_by(|a, b| a.client < b.client), "clients ascend");
    for section in scanned.sections() {
        let structs: Vec<_> = scanned.structs(section).collect();
        assert_eq!(structs.len(), section.struct_count() as usize, "no struct is lost");
        let mut clock = section.clock;
        for (i, read) in structs.iter().enumerate() {
            assert_eq!(read.clock, clock, "clocks are contiguous");
            assert!(read.len > 0 && read.end() <= CLOCK_MAX);
            assert!(i == 0 || structs[i - 1].span.end == read.span.start, "spans are contiguous");
            assert!(!read.span.is_empty() && read.span.end as usize <= scanned.bytes().len());
            clock = read.end();
        }
        assert_eq!(section.end(), clock);
    }
    let apart =
        |a: &DeleteRange, b: &DeleteRange| a.client < b.client || a.client == b.client && a.end() < b.clock;
    assert!(scanned.deletes().is_sorted_by(apart), "deleted ranges ascend and do not touch");
    assert!(scanned.deletes().iter().all(|range| range.len > 0 && range.end() <= CLOCK_MAX));
}

/// The clocks that an update inserts for each client.
fn inserted(scanned: &ScannedUpdate<'_>) -> BTreeMap<u64, Vec<Range<u32>>> {
    let mut inserted = BTreeMap::new();
    for section in scanned.sections() {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for read in scanned.structs(section).filter(|read| read.kind != StructKind::Skip) {
            match ranges.last_mut() {
                Some(last) if last.end == read.clock => last.end = read.end(),
                _ => ranges.push(read.clock..read.end()),
            }
        }
        if !ranges.is_empty() {
            let ClientId(client) = section.client;
            inserted.insert(client, ranges);
        }
    }
    inserted
}

fn inserted_by_yrs(update: &Update) -> BTreeMap<u64, Vec<Range<u32>>> {
    let ids = update.insertions(true);
    ids.iter().map(|(client, ranges)| (client.get(), ranges.iter().cloned().collect())).collect()
}

const _: () = assert!(VALUE_DEPTH_MAX < 128, "serde_json stops at 128");
