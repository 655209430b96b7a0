use super::*;
use crate::guard::{Fidelity, Parent, StructKind::*, write_string, write_var_uint};

/// An update of one section: client 1 from clock `clock`, with `structs`, and nothing deleted.
fn update(clock: u64, structs: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![1];
    write_var_uint(&mut out, structs.len() as u64);
    out.push(1);
    write_var_uint(&mut out, clock);
    out.extend(structs.concat());
    out.push(0);
    out
}

/// Where the first struct of such an update is.
const AT: usize = 4;

/// An item of `content` right of element 0 of client 2.
fn item(content: u8, body: &[u8]) -> Vec<u8> {
    [&[0x80 | content, 2, 0], body].concat()
}

fn refused(bytes: &[u8]) -> Option<Malformed> {
    scan_update(bytes).err()
}

/// The kinds and lengths in an update.
fn shape(bytes: &[u8]) -> Result<Vec<(u64, u32, u32, StructKind)>, Malformed> {
    let scanned = scan_update(bytes)?;
    let of = |section: &Section| {
        let client = section.client.0;
        scanned
            .structs(section)
            .map(move |read| (client, read.clock, read.len, read.kind))
            .collect::<Vec<_>>()
    };
    Ok(scanned.sections().iter().flat_map(of).collect())
}

fn deletes(bytes: &[u8]) -> Result<Vec<(u64, u32, u32)>, Malformed> {
    let scanned = scan_update(bytes)?;
    Ok(scanned.deletes().iter().map(|range| (range.client.0, range.clock, range.len)).collect())
}

#[test]
fn what_is_known_of_a_struct() {
    // "hi" at the start of root "t"; "!" after it; a map entry in the type that element 7 of client 9 is.
    let bytes = update(
        0,
        &[
            &[0x04, 1, 1, b't', 2, b'h', b'i'],
            &[0xc4, 1, 1, 9, 5, 1, b'!'],
            &[0x28, 0, 9, 7, 1, b'k', 1, 126],
        ],
    );
    let scanned = scan_update(&bytes).expect("honest");
    let [section] = scanned.sections() else { panic!("one client") };
    assert_eq!(
        (section.client, section.clock, section.end(), section.struct_count()),
        (ClientId(1), 0, 4, 3)
    );
    let id = |client, clock| Some(Id { client: ClientId(client), clock });
    let first = Struct {
        clock: 0,
        len: 2,
        kind: Item { content: 4 },
        origin: None,
        right_origin: None,
        parent: Parent::Root,
        weak_link: None,
        fidelity: Fidelity::Kept,
        content_at: 8,
        span: 4..11,
    };
    let inherited = Parent::Inherited;
    let (origin, right_origin) = (id(1, 1), id(9, 5));
    let second = Struct {
        clock: 2,
        len: 1,
        origin,
        right_origin,
        parent: inherited,
        content_at: 16,
        span: 11..18,
        ..first.clone()
    };
    let parent = Parent::Item(Id { client: ClientId(9), clock: 7 });
    let kind = Item { content: 8 };
    let third = Struct { clock: 3, len: 1, kind, parent, content_at: 24, span: 18..26, ..first.clone() };
    assert_eq!(scanned.structs(section).collect::<Vec<_>>(), [first, second, third]);
    assert_eq!(scanned.bytes(), bytes);
    assert!(!scanned.is_empty());
}

#[test]
fn every_kind_of_struct_and_its_length() {
    let check = |body: &[u8], len: u32, kind: StructKind| {
        assert_eq!(shape(&update(5, &[body])), Ok(vec![(1, 5, len, kind)]), "{body:02x?}");
    };
    check(&[0, 7], 7, Gc);
    check(&[10, 7], 7, Skip);
    check(&item(1, &[9]), 9, Item { content: 1 });
    check(&item(3, &[0]), 1, Item { content: 3 });
    check(&item(3, &[2, 0xff, 0xfe]), 1, Item { content: 3 });
    check(&item(4, &[2, b'a', b'b']), 2, Item { content: 4 });
    check(&item(4, &[&[7], "aü🙂".as_bytes()].concat()), 4, Item { content: 4 });
    check(&item(4, &[&[3], "\u{fffd}".as_bytes()].concat()), 1, Item { content: 4 });
    check(&item(5, b"\x07{\"a\":1}"), 1, Item { content: 5 });
    check(&item(6, b"\x04bold\x04true"), 1, Item { content: 6 });
    for body in [&[0][..], &[1], &[2], &[3, 1, b'p'], &[4], &[6]] {
        check(&item(7, body), 1, Item { content: 7 });
    }
    check(&item(8, &[3, 126, 117, 1, 126, 120]), 3, Item { content: 8 });
    check(&item(9, &[1, b'g', 118, 0]), 1, Item { content: 9 });
    // The parent sub bit counts only where neither origin is.
    check(&[0xa4, 2, 0, 1, b'a'], 1, Item { content: 4 });
    check(&[0x64, 2, 0, 1, b'a'], 1, Item { content: 4 });
    check(&[0x24, 1, 1, b'm', 1, b'k', 1, b'a'], 1, Item { content: 4 });
}

#[test]
fn what_weak_links_quote() {
    let quotes = |body: &[u8]| {
        let bytes = update(0, &[&item(7, &[&[7], body].concat())]);
        let scanned = scan_update(&bytes).expect("honest");
        let [section] = scanned.sections() else { panic!("one client") };
        let quotes = scanned.structs(section).next().and_then(|read| read.weak_link);
        quotes.map(|link| link.quotes.map(|id| id.map(|id| (id.client.0, id.clock))))
    };
    assert_eq!(quotes(&[0x00, 3, 4]), Some([Some((3, 4)), None]));
    assert_eq!(quotes(&[0x07, 3, 4, 5, 6]), Some([Some((3, 4)), Some((5, 6))]));
    assert_eq!(quotes(&[0x19, 3, 4, 5, 6]), Some([Some((3, 4)), Some((5, 6))]));
    assert_eq!(quotes(&[0x18, 3, 4, 5, 6]), Some([Some((3, 4)), Some((5, 6))]));
    assert_eq!(quotes(&[0x38, 1, b'r', 1, b'r']), Some([None, None]));
    assert_eq!(quotes(&[0x31, 3, 4, 1, b'r']), Some([Some((3, 4)), None]));
    let flags = refused(&update(0, &[&item(7, &[7, 0x40, 3, 4])]));
    assert_eq!(flags, Some(Malformed::WeakLinkFlags { at: AT + 4, flags: 0x40 }));
}

#[test]
fn structs_that_are_refused() {
    let check =
        |body: &[u8], want: Malformed| assert_eq!(refused(&update(0, &[body])), Some(want), "{body:02x?}");
    check(&[0, 0], Malformed::ZeroLength { at: AT });
    check(&[10, 0], Malformed::ZeroLength { at: AT });
    check(&item(1, &[0]), Malformed::ZeroLength { at: AT });
    check(&item(4, &[0]), Malformed::ZeroLength { at: AT });
    check(&item(8, &[0]), Malformed::ZeroLength { at: AT });
    check(&item(2, &[1, 1, b'1']), Malformed::LegacyContent { at: AT });
    for info in [0x80, 0x8a, 0x40, 0x20, 0x8b, 0x8f, 0x90, 0x91, 0x94, 11, 0x1f] {
        check(&[info, 2, 0, 1, 1], Malformed::StructKind { at: AT, info });
    }
    for type_ref in [5, 8, 9, 10, 15, 0x80] {
        check(&item(7, &[type_ref, 0]), Malformed::TypeRef { at: AT + 3, type_ref });
    }
    check(&[0x04, 2, 1, b't', 1, b'a'], Malformed::ParentForm { at: AT + 1, form: 2 });
    check(&item(5, b"\x09undefined"), Malformed::Json { at: AT + 4 });
    check(&item(5, b"\x1418446744073709551615"), Malformed::JsonValue { at: AT + 4 });
    check(&item(6, b"\x01k\x00"), Malformed::Json { at: AT + 6 });
    check(&item(9, &[1, b'g', 126]), Malformed::SubdocumentOptions { at: AT + 5 });
    check(&item(4, &[1, 0xff]), Malformed::Utf8 { at: AT + 4 });
    check(&item(8, &[9, 126]), Malformed::Count { at: AT + 3, declared: 9, left: 2 });
}

#[test]
fn clocks_have_an_end() {
    let max = u64::from(CLOCK_MAX);
    assert_eq!(shape(&update(max - 7, &[&[0, 7]])), Ok(vec![(1, CLOCK_MAX - 7, 7, Gc)]));
    let at = 8;
    let want = Some(Malformed::Clock { at, clock: max + 1 });
    assert_eq!(refused(&update(max - 6, &[&[0, 7]])), want);
    assert_eq!(
        refused(&update(max - 6, &[&[10, 6], &[0x81, 2, 0, 1]])),
        Some(Malformed::Clock { at: 10, clock: max + 1 })
    );
    assert_eq!(refused(&update(max, &[&item(4, &[1, b'a'])])), want);
    assert_eq!(refused(&update(max + 1, &[&[0, 1]])), Some(Malformed::Clock { at: 3, clock: max + 1 }));
    // 2^32 + 1 would be 1 in a u32.
    let wraps = [0x81, 0x80, 0x80, 0x80, 0x10];
    let clock = (1 << 32) + 1;
    assert_eq!(
        refused(&update(0, &[&[&[0], &wraps[..]].concat()])),
        Some(Malformed::Clock { at: AT, clock })
    );
    let origin = [&[0x84, 2], &wraps[..], &[1, b'a']].concat();
    assert_eq!(refused(&update(0, &[&origin])), Some(Malformed::Clock { at: AT + 2, clock }));
}

#[test]
fn sections_are_counted_and_distinct() {
    assert_eq!(shape(&[0, 0]), Ok(vec![]));
    assert!(scan_update(&[0, 0]).is_ok_and(|scanned| scanned.is_empty()));
    assert_eq!(shape(&[2, 1, 9, 0, 0, 3, 1, 1, 4, 0, 5, 0]), Ok(vec![(1, 4, 5, Gc), (9, 0, 3, Gc)]));
    let check = |bytes: &[u8], want: Malformed| assert_eq!(refused(bytes), Some(want), "{bytes:02x?}");
    check(&[2, 1, 9, 0, 0, 3, 1, 9, 4, 0, 5, 0], Malformed::DuplicateClient { at: 9, client: ClientId(9) });
    check(&[1, 0, 9, 0, 0, 0, 0], Malformed::EmptySection { at: 1 });
    check(&[2, 1, 9, 0, 0, 3, 0], Malformed::Count { at: 0, declared: 2, left: 6 });
    check(&[1, 3, 9, 0, 0, 3, 0], Malformed::Count { at: 1, declared: 3, left: 5 });
    check(&[0], Malformed::Truncated { at: 1, needed: 1, left: 0 });
    check(&[0, 0, 0], Malformed::Trailing { at: 2, left: 1 });
}

#[test]
fn deletes_are_sorted_and_distinct() {
    assert_eq!(deletes(&[0, 2, 9, 2, 1, 2, 5, 1, 3, 1, 0, 4]), Ok(vec![(3, 0, 4), (9, 1, 2), (9, 5, 1)]));
    assert_eq!(deletes(&[0, 1, 9, 3, 1, 2, 3, 1, 4, 6]), Ok(vec![(9, 1, 9)]), "ranges that touch are one");
    assert_eq!(deletes(&[0, 1, 9, 0]), Ok(vec![]));
    let check = |bytes: &[u8], want: Malformed| assert_eq!(refused(bytes), Some(want), "{bytes:02x?}");
    check(&[0, 1, 9, 2, 5, 1, 1, 2], Malformed::DeleteOrder { at: 6 });
    check(&[0, 1, 9, 2, 1, 3, 3, 1], Malformed::DeleteOrder { at: 6 });
    check(&[0, 1, 9, 1, 5, 0], Malformed::ZeroLength { at: 4 });
    check(&[0, 2, 9, 1, 5, 1, 9, 1, 7, 1], Malformed::DuplicateClient { at: 6, client: ClientId(9) });
    check(&[0, 9, 9, 1], Malformed::Count { at: 1, declared: 9, left: 2 });
    check(&[0, 1, 9, 9, 0, 1], Malformed::Count { at: 3, declared: 9, left: 2 });
    let (clock, max) = (1 << 31, [0xff, 0xff, 0xff, 0xff, 0x07]);
    check(&[&[0, 1, 9, 1, 1], &max[..]].concat(), Malformed::Clock { at: 4, clock });
    assert_eq!(deletes(&[&[0, 1, 9, 1, 0], &max[..]].concat()), Ok(vec![(9, 0, CLOCK_MAX)]));
}

#[test]
fn shapes_are_compared_without_skips_and_values() {
    let base = &[1, 2, 9, 0, 0, 3, 0x84, 9, 0, 1, b'a', 0][..];
    let same = |bytes: &[u8]| {
        let (one, two) = (scan_update(base).expect("honest"), scan_update(bytes).expect("honest"));
        one.same_shape(&two) && two.same_shape(&one)
    };
    assert!(same(base));
    assert!(same(&[1, 2, 9, 0, 0, 3, 0x84, 9, 0, 1, b'b', 0]), "values may differ");
    assert!(same(&[1, 3, 9, 0, 0, 3, 0x84, 9, 0, 1, b'a', 10, 4, 0]), "a skip tells nothing new");
    assert!(!same(&[1, 3, 9, 0, 0, 1, 0, 2, 0x84, 9, 0, 1, b'a', 0]), "other lengths");
    assert!(!same(&[1, 2, 9, 1, 0, 3, 0x84, 9, 0, 1, b'a', 0]), "other clocks");
    assert!(!same(&[1, 2, 8, 0, 0, 3, 0x84, 9, 0, 1, b'a', 0]), "other clients");
    assert!(!same(&[1, 2, 9, 0, 0, 3, 0x81, 9, 0, 1, 0]), "other kinds");
    assert!(!same(&[1, 1, 9, 0, 0, 3, 0]), "fewer");
    assert!(!same(&[1, 2, 9, 0, 0, 3, 0x84, 9, 0, 1, b'a', 1, 9, 1, 0, 1]), "other deletes");
}

#[test]
fn a_foreign_section_ends_quietly() {
    let long = update(0, &[&item(4, &[2, b'a', b'b']), &item(4, &[2, b'a', b'b'])]);
    let (long, short) = (scan_update(&long).expect("honest"), scan_update(&[0, 0]).expect("honest"));
    assert_eq!(short.structs(&long.sections()[0]).count(), 0);
}

#[test]
fn a_long_text_has_a_long_length() {
    let mut body = vec![0x84, 2, 0];
    write_string(&mut body, &"🙂".repeat(50_000));
    assert_eq!(shape(&update(0, &[&body])), Ok(vec![(1, 0, 100_000, Item { content: 4 })]));
}
