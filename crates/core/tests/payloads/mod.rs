//! Updates that a document must refuse: each known way to kill yrs with bytes, at the size that did it.

#![allow(dead_code, reason = "each test binary uses some of these")]

use syncline_core::{
    guard::{write_string, write_var_uint},
    limits::{CLOCK_MAX, TYPE_DEPTH_MAX},
};

/// An update and the word for which it is refused.
pub(crate) struct Payload {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) update: Vec<u8>,
}

/// Returns them all.
pub(crate) fn refused() -> Vec<Payload> {
    let make = |name, reason, update| Payload { name, reason, update };
    vec![
        make("nested arrays", "depth", item(8, &[&[1], &[117, 1].repeat(8_000)[..], &[126]].concat())),
        make(
            "nested options",
            "depth",
            item(9, &[&[1, b'g'], &[118, 1, 1, b'k'].repeat(8_000)[..]].concat()),
        ),
        make("nested json", "depth", item(5, &string(&"[".repeat(100_000)))),
        make("nested format", "depth", item(6, &[&[1, b'k'], &string(&"[".repeat(100_000))[..]].concat())),
        make("legacy content", "legacy-content", item(2, &[1, 1, b'1'])),
        make("two to the 28 clients", "count", MANY.to_vec()),
        make("two to the 28 structs", "count", [&[1], &MANY[..], &[1, 0, 0, 1, 0]].concat()),
        make("two to the 28 values", "count", item(8, &MANY)),
        make("two to the 28 deletions", "count", [&[0, 1, 1], &MANY[..]].concat()),
        make("struct to the end of clocks", "clock", gc(0, u64::from(CLOCK_MAX) + 1)),
        make("struct beyond the clocks", "clock", gc(u64::from(u32::MAX), u64::from(u32::MAX))),
        make("deletion beyond the clocks", "clock", deletion(1, u64::from(CLOCK_MAX))),
        make("clients without structs", "empty-section", [&[1, 0, 9, 0], &[0; 8][..]].concat()),
        make("integer of 11 bytes", "number", item(8, &[&[1, 125], &[0x80; 10][..], &[0]].concat())),
        make("xml hook", "type-ref", item(7, &[5, 4, b'h', b'o', b'o', b'k'])),
        make("weak link", "weak-link", nested(&[&[0x27, 1, 1, b'm', 1, b'k', 7, 0, 1, 0]])),
        make("subdocument without options", "subdocument-options", item(9, &[1, b'g', 126])),
        make("crowded clients", "crowded-clients", clients(20_000, |i| i << 16 | 7)),
        make("deep types at once", "too-deep", levels(8_000)),
        make("just too deep types at once", "too-deep", levels(TYPE_DEPTH_MAX + 1)),
        make("an entry with two values", "misplaced", nested(&[&[0x28, 1, 1, b'm', 1, b'k', 2, 120, 120]])),
        make("two values behind one", "misplaced", nested(&[&VALUE, &[0x88, 2, 0, 2, 120, 120]])),
        make(
            "an element behind one and before a value",
            "misplaced",
            nested(&[&VALUE, &[0x08, 1, 1, b'm', 1, 120], &[0xc8, 2, 1, 2, 0, 1, 120]]),
        ),
        make(
            "an item behind what it is before",
            "misplaced",
            nested(&[&[0x04, 1, 1, b'm', 2, b'a', b'b'], &[0xc4, 2, 1, 2, 0, 1, b'c']]),
        ),
        make("items of two clients in one place", "too-concurrent", beside_each_other(6_000)),
        make("nothing", "truncated", vec![]),
        make("bytes after the end", "trailing-bytes", vec![0, 0, 0]),
    ]
}

/// A value of the entry `k` of the root `m`.
const VALUE: [u8; 8] = [0x28, 1, 1, b'm', 1, b'k', 1, 120];

/// 2^28 as a number of entries, of which there are none.
pub(crate) const MANY: [u8; 5] = [0x80, 0x80, 0x80, 0x80, 0x01];

/// One struct for each of `n` clients.
pub(crate) fn clients(n: u64, id: impl Fn(u64) -> u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_var_uint(&mut out, n);
    for i in 0..n {
        out.push(1);
        write_var_uint(&mut out, id(i));
        out.extend([0, 0, 1]);
    }
    out.push(0);
    out
}

/// The `depth`th map of client 2, in the one before; the first is in the root `m`.
pub(crate) fn level(depth: u32) -> Vec<u8> {
    match depth.checked_sub(2) {
        None => vec![0x27, 1, 1, b'm', 1, b'k', 1],
        Some(outer) => {
            let mut out = vec![0x27, 0, 2];
            write_var_uint(&mut out, outer.into());
            out.extend([1, b'k', 1]);
            out
        }
    }
}

/// One update of client 2 with `n` maps in each other.
fn levels(n: u32) -> Vec<u8> {
    let levels: Vec<_> = (1..=n).map(level).collect();
    nested(&levels.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Client 2 puts items behind each other into the root `m`, and client 3 as many to the beginning, without knowing of those.
fn beside_each_other(items: u32) -> Vec<u8> {
    let mut out = vec![2];
    write_var_uint(&mut out, items.into());
    out.extend([2, 0, 5, 1, 1, b'm', 1, b'1']);
    for behind in 0..items - 1 {
        out.extend([0x85, 2]);
        write_var_uint(&mut out, behind.into());
        out.extend([1, b'1']);
    }
    write_var_uint(&mut out, items.into());
    out.extend([3, 0]);
    out.extend([5, 1, 1, b'm', 1, b'1'].repeat(items as usize));
    out.push(0);
    out
}

fn nested(structs: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![1];
    write_var_uint(&mut out, structs.len() as u64);
    out.extend([2, 0]);
    out.extend(structs.concat());
    out.push(0);
    out
}

/// An update with one item of client 2, right of the first element of client 1.
fn item(content: u8, body: &[u8]) -> Vec<u8> {
    [&[1, 1, 2, 0, 0x80 | content, 1, 0], body, &[0]].concat()
}

fn gc(clock: u64, len: u64) -> Vec<u8> {
    let mut out = vec![1, 1, 2];
    write_var_uint(&mut out, clock);
    out.push(0);
    write_var_uint(&mut out, len);
    out.push(0);
    out
}

fn deletion(clock: u64, len: u64) -> Vec<u8> {
    let mut out = vec![0, 1, 1, 1];
    write_var_uint(&mut out, clock);
    write_var_uint(&mut out, len);
    out
}

fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_string(&mut out, text);
    out
}
