//! Nothing hostile passes: each known way to kill yrs with bytes is a test, and bytes at random, and honest updates
//! with random damage, either are refused or go through yrs and keep their shape.

#![cfg(feature = "yjs")]

mod properties;

use std::{fs, path::Path, sync::OnceLock};

use proptest::{collection::vec, prelude::*, sample::Index};
use syncline_core::{
    guard::{
        ClientBuckets, CrowdedClients, Malformed, scan_awareness, scan_state_vector, scan_update, write_buf,
        write_string, write_var_uint,
    },
    id::ClientId,
    limits::{CLOCK_MAX, VALUE_DEPTH_MAX},
};

/// An update with one item of client 1, right of element 0 of client 2.
fn item(content: u8, body: &[u8]) -> Vec<u8> {
    [&[1, 1, 1, 0, 0x80 | content, 2, 0], body, &[0]].concat()
}

fn refused(update: &[u8]) -> Option<Malformed> {
    scan_update(update).err()
}

/// yrs decodes, encodes and drops values by recursion: at 8,000 levels, 16 KB, a 2 MiB stack overflows.
#[test]
fn nested_any_of_depth_8000() {
    let nested = [&[117, 1].repeat(8_000)[..], &[126]].concat();
    let at = 8 + 2 * VALUE_DEPTH_MAX;
    assert_eq!(refused(&item(8, &[&[1], &nested[..]].concat())), Some(Malformed::Depth { at }));
    let options = [&[118, 1, 1, b'k'], &nested[..]].concat();
    assert!(matches!(refused(&item(9, &[&[1, b'g'], &options[..]].concat())), Some(Malformed::Depth { .. })));
}

/// The same in the JSON of embeds, of formats and of awareness states.
#[test]
fn nested_json_of_depth_100000() {
    let mut body = Vec::new();
    write_string(&mut body, &"[".repeat(100_000));
    assert!(matches!(refused(&item(5, &body)), Some(Malformed::Depth { .. })));
    assert!(matches!(refused(&item(6, &[&[1, b'k'], &body[..]].concat())), Some(Malformed::Depth { .. })));
    assert!(matches!(scan_awareness(&[&[1, 1, 1], &body[..]].concat()), Err(Malformed::Depth { .. })));
}

/// yrs allocates for the declared number of clients first: 527 MB.
#[test]
fn a_state_vector_of_5_bytes_and_2_to_the_28_clients() {
    let want = Malformed::Count { at: 0, declared: 1 << 28, left: 0 };
    assert_eq!(scan_state_vector(&[0x80, 0x80, 0x80, 0x80, 0x01]), Err(want));
}

/// The same wherever an update declares a number.
#[test]
fn declared_counts_of_2_to_the_28() {
    let many = [0x80, 0x80, 0x80, 0x80, 0x01];
    let is_count = |update: &[u8]| matches!(refused(update), Some(Malformed::Count { .. }));
    assert!(is_count(&many), "clients");
    assert!(is_count(&[&[1], &many[..], &[1, 0, 0, 1, 0]].concat()), "structs");
    assert!(is_count(&item(8, &many)), "values");
    assert!(is_count(&item(8, &[&[1, 117], &many[..]].concat())), "elements");
    assert!(is_count(&item(8, &[&[1, 118], &many[..]].concat())), "members");
    assert!(is_count(&[&[0], &many[..]].concat()), "clients with deletes");
    assert!(is_count(&[&[0, 1, 1], &many[..]].concat()), "deletes");
}

/// yrs reads one text too many of ContentJSON; a crafted one applies, and then no state can be encoded any more.
#[test]
fn content_reference_2() {
    let malformed = refused(&item(2, &[1, 1, b'1']));
    assert_eq!(malformed, Some(Malformed::LegacyContent { at: 4 }));
    assert_eq!(malformed.map(|malformed| malformed.reason()), Some("legacy-content"));
}

/// Clocks are `u32` in yrs: sums overflow, a panic in debug builds and a silent wrap in release builds.
#[test]
fn clock_and_length_above_2_to_the_31() {
    let section = |clock: u64, len: u64| {
        let mut update = vec![1, 1, 1];
        write_var_uint(&mut update, clock);
        update.push(0);
        write_var_uint(&mut update, len);
        update.push(0);
        update
    };
    let delete = |clock: u64, len: u64| {
        let mut update = vec![0, 1, 1, 1];
        write_var_uint(&mut update, clock);
        write_var_uint(&mut update, len);
        update
    };
    let max = u64::from(CLOCK_MAX);
    for (clock, len) in [(0, max), (max - 1, 1)] {
        assert!(properties::yjs_update(&section(clock, len)));
        assert!(properties::yjs_update(&delete(clock, len)));
    }
    let u32_max = u64::from(u32::MAX);
    for (clock, len) in [(0, max + 1), (max, 1), (1, max), (1 << 31, 1), (u32_max, u32_max), (1 << 32, 1)] {
        assert!(matches!(refused(&section(clock, len)), Some(Malformed::Clock { .. })), "{clock} + {len}");
        assert!(matches!(refused(&delete(clock, len)), Some(Malformed::Clock { .. })), "{clock} + {len}");
    }
}

/// Client ids are hashed by identity: 20,000 that agree in their low bits take yrs 1.6 s.
#[test]
fn crowded_client_ids() {
    let ids: Vec<ClientId> = (0..20_000).map(|i| ClientId(i << 16 | 7)).collect();
    let mut update = Vec::new();
    write_var_uint(&mut update, ids.len() as u64);
    for &ClientId(id) in &ids {
        update.push(1);
        write_var_uint(&mut update, id);
        update.extend([0, 0, 1]);
    }
    update.push(0);
    let scanned = scan_update(&update).expect("well formed");
    let new: Vec<ClientId> = scanned.sections().iter().map(|section| section.client).collect();
    let refused = ClientBuckets::default().admit(&new);
    assert!(matches!(refused, Err(CrowdedClients { clients: 20_000, .. })));
}

/// yrs calls itself once for each client without structs.
#[test]
fn a_million_clients_without_structs() {
    let mut update = Vec::new();
    write_var_uint(&mut update, 1_000_000);
    (0..1_000_000).for_each(|id| {
        update.push(0);
        write_var_uint(&mut update, id);
        update.push(0);
    });
    update.push(0);
    assert!(matches!(refused(&update), Some(Malformed::Count { .. } | Malformed::EmptySection { .. })));
    assert_eq!(refused(&[1, 0, 9, 0, 0, 0, 0]), Some(Malformed::EmptySection { at: 1 }));
}

/// yrs shifts an `i64` by up to 69 bits: a panic in debug builds.
#[test]
fn an_integer_of_11_bytes() {
    let integer = [&[1, 125][..], &[0x80; 10], &[0]].concat();
    assert_eq!(refused(&item(8, &integer)), Some(Malformed::Number { at: 9 }));
}

/// yjs writes the name of an XML hook, and yrs does not read it: the rest would mean two different things.
#[test]
fn an_xml_hook() {
    assert_eq!(
        refused(&item(7, &[5, 4, b'h', b'o', b'o', b'k'])),
        Some(Malformed::TypeRef { at: 7, type_ref: 5 })
    );
}

/// yjs spreads `null` options and throws; every client would fail at this update for ever.
#[test]
fn a_subdocument_without_options() {
    assert_eq!(refused(&item(9, &[1, b'g', 126])), Some(Malformed::SubdocumentOptions { at: 9 }));
}

fn honest() -> &'static [Vec<u8>] {
    static HONEST: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    HONEST.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yjs-updates");
        let mut paths: Vec<_> =
            fs::read_dir(folder).expect("data").map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).expect("readable")).collect()
    })
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Bump(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    /// Overwrites with a piece of another honest update.
    Splice(Index, Index, Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    // Bytes that mean something: infos, tags, flags, ends of numbers.
    let byte =
        || prop_oneof![any::<u8>(), 0_u8..12, 116_u8..128, Just(0x80), Just(0xff), Just(0x84), Just(0x27)];
    prop_oneof![
        (at(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), 1_u8..4).prop_map(|(at, by)| Damage::Bump(at, by)),
        (at(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        at().prop_map(Damage::Remove),
        at().prop_map(Damage::Truncate),
        (at(), at(), at(), 1_u8..40).prop_map(|(at, of, from, len)| Damage::Splice(at, of, from, len)),
    ]
}

fn apply(damage: &Damage, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    match damage {
        Damage::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
        Damage::Set(at, byte) => bytes[at.index(len)] = *byte,
        Damage::Bump(at, by) => bytes[at.index(len)] = bytes[at.index(len)].wrapping_add(*by),
        Damage::Insert(at, byte) => bytes.insert(at.index(len), *byte),
        Damage::Remove(at) => drop(bytes.remove(at.index(len))),
        Damage::Truncate(at) => bytes.truncate(at.index(len)),
        Damage::Splice(at, of, from, piece) => {
            let other = of.get(honest());
            let from = from.index(other.len());
            let piece = &other[from..other.len().min(from + usize::from(*piece))];
            let at = at.index(len);
            bytes.splice(at..len.min(at + piece.len()), piece.iter().copied());
        }
    }
}

/// JSON, mostly: numbers at the edges of what yrs holds, escapes, nesting, and some noise.
fn jsonish() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "(null|true|false|\"\"|undefined|-?0|-?[0-9]{18,21}|-?[0-9]\\.[0-9]{1,20}[eE][+-]?[0-9]{1,3})",
        "-?1\\.7976931348623[0-9]{0,9}e\\+?30[78]",
        "\"(a|ü|🙂|\\\\n|\\\\u[dD][89a-fA-F][0-9a-f]{2}|\\\\u0000|\\\\ud83d\\\\ude42){0,4}\"",
        "[\\[\\]{}\",:0-9.eE\\\\ a-]{0,12}",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            vec(inner, 0..4).prop_map(|values| {
                let members: Vec<_> =
                    values.iter().enumerate().map(|(i, value)| format!("\"k{i}\" :{value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_at_random(bytes in vec(any::<u8>(), 0..64), small in vec(0_u8..12, 0..32)) {
        for bytes in [bytes, small] {
            properties::yjs_update(&bytes);
            properties::state_vector(&bytes);
            properties::awareness(&bytes);
        }
    }

    #[test]
    fn honest_updates_with_damage(of in any::<Index>(), damages in vec(damage(), 1..6)) {
        let mut bytes = of.get(honest()).clone();
        damages.iter().for_each(|damage| apply(damage, &mut bytes));
        properties::yjs_update(&bytes);
    }

    /// Random content behind a sound head, so that more of it is accepted than of random bytes.
    #[test]
    fn items_of_random_content(content in 1_u8..10, body in vec(prop_oneof![any::<u8>(), 0_u8..8, 116_u8..128], 0..24)) {
        properties::yjs_update(&item(content, &body));
        let mut framed = Vec::new();
        write_buf(&mut framed, &body);
        properties::yjs_update(&item(content, &framed));
    }

    #[test]
    fn json_as_yrs_reads_it(text in jsonish()) {
        let accepted = properties::json(&text);
        prop_assert_eq!(accepted, yrs::Any::from_json(&text).is_ok(), "{}", text);
    }
}
