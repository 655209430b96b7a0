//! The memory that a scan takes is bounded by its input: at most 64 bytes for each, and 1 MiB, at its peak.
//!
//! The counter is for the whole process, so this is a test binary of its own with one test.

use peak_alloc::PeakAlloc;
use syncline_core::guard::{scan_awareness, scan_state_vector, scan_update, write_var_uint};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Most bytes that a scan may take for each byte of its input.
const FACTOR: usize = 64;

/// Bytes that any scan may take.
const BASE: usize = 1 << 20;

/// Bytes of each input.
const INPUT: usize = 1 << 20;

/// `head`, the number of times that `entry` fits, and as often `entry`, which is given its number, and `tail`.
fn repeated(head: &[u8], entry: impl Fn(u64, &mut Vec<u8>), tail: &[u8]) -> Vec<u8> {
    let (mut body, mut entries) = (Vec::new(), 0);
    while body.len() < INPUT {
        entry(entries, &mut body);
        entries += 1;
    }
    let mut bytes = head.to_vec();
    write_var_uint(&mut bytes, entries);
    bytes.extend(body);
    bytes.extend(tail);
    bytes
}

fn section(client: u64, out: &mut Vec<u8>) {
    out.push(1);
    write_var_uint(out, client);
    out.extend([0, 0, 1]);
}

#[test]
fn a_scan_takes_memory_in_proportion_to_its_input() {
    let check = |what: &str, accepted: bool, bytes: Vec<u8>, scan: fn(&[u8]) -> bool| {
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        assert_eq!(scan(&bytes), accepted, "{what}");
        let peak = HEAP.peak_usage().saturating_sub(before);
        let factor = peak as f64 / bytes.len() as f64;
        println!("{what}: {peak} bytes, {factor:.1} for each of the input");
        assert!(peak <= FACTOR * bytes.len() + BASE, "{what}: {peak} bytes for {}", bytes.len());
    };
    let update = |bytes: &[u8]| scan_update(bytes).is_ok_and(|scanned| scanned.same_shape(&scanned));
    let state_vector = |bytes: &[u8]| scan_state_vector(bytes).is_ok();
    let awareness = |bytes: &[u8]| scan_awareness(bytes).is_ok();

    check("many clients", true, repeated(&[], section, &[0]), update);
    let descending = repeated(&[], |i, out| section((1 << 30) - i, out), &[0]);
    check("many clients, descending", true, descending, update);
    check("one client, many times", false, repeated(&[], |_, out| section(9, out), &[0]), update);
    let structs = |_: u64, out: &mut Vec<u8>| out.extend([0x81, 2, 0, 1]);
    let mut many_structs = repeated(&[1], structs, &[0]);
    // One section; the number of its structs, which takes three bytes, is followed by client and clock.
    many_structs.splice(4..4, [1, 0]);
    check("many structs", true, many_structs, update);
    let ranges = |i: u64, out: &mut Vec<u8>| {
        write_var_uint(out, 2 * i);
        out.push(1);
    };
    check("many deleted ranges", true, repeated(&[0, 1, 9], ranges, &[]), update);
    let clients = |i: u64, out: &mut Vec<u8>| {
        write_var_uint(out, i);
        out.extend([1, 0, 1]);
    };
    check("many clients with deletes", true, repeated(&[0], clients, &[]), update);
    check(
        "deletes of one client, many times",
        false,
        repeated(&[0], |_, out| out.extend([9, 0]), &[]),
        update,
    );
    let item = [1, 1, 1, 0, 0x88, 2, 0];
    check("many values", true, repeated(&item, |_, out| out.push(126), &[0]), update);
    check("nested values", false, [&item[..], &[1], &[117, 1].repeat(INPUT / 2)].concat(), update);
    let entries = |i: u64, out: &mut Vec<u8>| {
        write_var_uint(out, i);
        out.push(1);
    };
    check("state vector", true, repeated(&[], entries, &[]), state_vector);
    check("state vector that lies", false, vec![0xff, 0xff, 0xff, 0xff, 0x0f], state_vector);
    check("awareness", true, repeated(&[], |_, out| out.extend([1, 1, 1, b'0']), &[]), awareness);
}
