//! The memory that a document takes for an update it refuses is bounded by the update, and what it takes for one that it
//! accepts is little more than what it then holds.
//!
//! The counter is for the whole process, so this is a test binary of its own with one test.

#![cfg(feature = "yjs")]

mod payloads;

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use syncline_core::{
    doc::{Authorship, DocumentEdit, ReadError, YjsDocument, compact},
    guard::{write_string, write_var_uint},
    id::{ClientId, CommitNumber},
    limits::FORMATS_BYTES_MAX,
    log::Snapshot,
};
use yrs::{Any, Doc, Text, Transact, XmlFragment, XmlTextPrelim, types::Attrs};

use payloads::Payload;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Most bytes that a refused update may take for each of its own.
const FACTOR: usize = 64;

/// Bytes that any update may take.
const BASE: usize = 1 << 20;

/// Most bytes that an update which is accepted takes beyond what is held of it, whatever its length; and once its length
/// again, of which slices are copied.
const MORE: usize = 8 << 20;

/// Structs of client 2 in the root `m`, one behind the other.
#[derive(Default)]
struct Chain {
    structs: Vec<u8>,
    count: u64,
}

impl Chain {
    fn push(&mut self, content: u8, body: &[u8]) {
        match self.count.checked_sub(1) {
            None => self.structs.extend([content, 1, 1, b'm']),
            Some(before) => {
                self.structs.extend([0x80 | content, 2]);
                write_var_uint(&mut self.structs, before);
            }
        }
        self.structs.extend(body);
        self.count += 1;
    }

    fn update(self) -> Vec<u8> {
        let mut out = vec![1];
        write_var_uint(&mut out, self.count);
        out.extend([2, 0]);
        out.extend(self.structs);
        out.push(0);
        out
    }
}

/// An update with as many structs of one content as fit into `len` bytes.
fn repeated(len: usize, content: u8, body: &[u8]) -> Vec<u8> {
    let mut chain = Chain::default();
    while chain.structs.len() < len {
        chain.push(content, body);
    }
    chain.update()
}

/// Applies, and returns the peak of what that took and what of it is still held.
fn measure(update: Vec<u8>, accepted: bool) -> (usize, usize, usize) {
    let update = Bytes::from(update);
    let mut document = YjsDocument::default();
    let typed = Bytes::from_static(&[1, 1, 1, 0, 0x04, 1, 1, b't', 1, b'a', 0]);
    document.apply(&typed).expect("client 1 types into the root `t`");
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    assert_eq!(document.apply(&update).map(drop).is_ok(), accepted);
    let peak = HEAP.peak_usage().saturating_sub(before);
    (peak, HEAP.current_usage().saturating_sub(before), update.len())
}

/// Returns an update with so many embeds in a text, and as many formats around all of them.
fn formatted(len: u32) -> Bytes {
    let doc = Doc::new();
    let text = doc.get_or_insert_text("t");
    let mut txn = doc.transact_mut();
    for _ in 0..len {
        text.insert_embed(&mut txn, 0, Any::from(7));
    }
    for number in 0..len {
        text.format(&mut txn, 0, len, Attrs::from([(format!("m{number}").into(), true.into())]));
    }
    txn.encode_update_v1().into()
}

/// What is read of a document takes at most so many times what its formats come to at most.
const READ_FACTOR: usize = 4;

/// The most formats of which a document with as many embeds is read, and far too many.
fn formats_are_read_in_bounded_memory() {
    let read_of = |len| {
        let mut document = YjsDocument::default();
        document.apply(&formatted(len)).expect("it may be held");
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        let read = document.to_json().is_ok();
        let restored = document.restore(&YjsDocument::default(), ClientId(3)).is_ok();
        assert_eq!((read, document.markdown(None).is_ok()), (restored, restored));
        (read, HEAP.peak_usage().saturating_sub(before))
    };
    let most = FORMATS_BYTES_MAX as usize;
    let (read, peak) = read_of(800);
    assert!(read && peak <= READ_FACTOR * most, "{peak} bytes");
    let (read, peak) = read_of(3_000);
    assert!(!read && peak <= most, "{peak} bytes");
}

/// Returns the most bytes that something takes beyond what it is about.
fn peak_of<T>(act: impl FnOnce() -> T) -> usize {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    act();
    HEAP.peak_usage().saturating_sub(before)
}

/// Most bytes that what programs ask of a short document takes.
const ASKED: usize = 128 << 20;

/// An update with these contents.
fn chained(contents: impl IntoIterator<Item = (u8, Vec<u8>)>) -> Vec<u8> {
    let mut chain = Chain::default();
    contents.into_iter().for_each(|(content, body)| chain.push(content, &body));
    chain.update()
}

/// A format as content.
fn format_of(name: &str, value: &str) -> (u8, Vec<u8>) {
    let mut body = Vec::new();
    write_string(&mut body, name);
    write_string(&mut body, value);
    (6, body)
}

/// Goal: values of many parts and subdocuments are counted as what they are read as.
fn parts_and_subdocuments_are_counted() {
    let parts = format_of("parts", &format!("[1{}]", ",1".repeat(15_000)));
    let of_parts = chained([parts].into_iter().chain((0..900).map(|_| (5, vec![1, b'7']))));
    let formats = (0..500).map(|name| format_of(&name.to_string(), "1"));
    let of_subdocuments = chained(formats.chain((0..10_000).map(|_| (9, vec![0, 118, 0]))));
    for update in [of_parts, of_subdocuments] {
        let mut document = YjsDocument::default();
        document.apply(&update.clone().into()).expect("it may be held");
        let snapshot = Snapshot { number: CommitNumber(1), state: update.into() };
        let peak = peak_of(|| compact::<YjsDocument>(Some(&snapshot), &[]).expect("it is folded"));
        assert!(peak <= ASKED, "folding: {peak} bytes");
        assert_eq!(document.to_json(), Err(ReadError::Formats));
    }
}

/// Goal: what is written in long arrays, and who wrote many texts, is told in memory for what they hold.
fn long_arrays_and_many_texts_take_what_they_hold() {
    let mut document = YjsDocument::default();
    let value = (0..20_000).collect::<Vec<_>>().into();
    let add = [DocumentEdit::Add { path: "/a".into(), value }];
    let peak = peak_of(|| {
        let update = document.edit(&add, ClientId(3)).expect("it is an array").expect("it is not empty");
        document.apply(&update).expect("it was written here");
    });
    assert!(peak <= ASKED, "an array of 20,000 numbers: {peak} bytes");
    let other = [DocumentEdit::Replace { path: "/a/7".into(), value: "x".into() }];
    let peak = peak_of(|| document.edit(&other, ClientId(4)).expect("one is replaced"));
    assert!(peak <= ASKED, "one of them: {peak} bytes");

    let paragraphs = Doc::new();
    let root = paragraphs.get_or_insert_xml_fragment("p");
    let mut txn = paragraphs.transact_mut();
    for _ in 0..1_000 {
        let text = root.push_back(&mut txn, XmlTextPrelim::new("one two three four five"));
        for word in 0..5 {
            text.format(&mut txn, word * 4, 3, Attrs::from([("bold".into(), true.into())]));
        }
    }
    let mut document = YjsDocument::default();
    document.apply(&txn.encode_update_v1().into()).expect("honest");
    let peak = peak_of(|| document.written_by(&Authorship::default()).expect("it is told"));
    assert!(peak <= ASKED, "blame of 1,000 paragraphs: {peak} bytes");
}

#[test]
fn the_memory_of_a_document_is_bounded() {
    formats_are_read_in_bounded_memory();
    parts_and_subdocuments_are_counted();
    long_arrays_and_many_texts_take_what_they_hold();
    let mut refused = payloads::refused();
    let crowded = payloads::clients(150_000, |i| i << 16 | 7);
    refused.push(Payload { name: "more crowded clients", reason: "crowded-clients", update: crowded });
    for Payload { name, update, .. } in refused {
        let (peak, _, bytes) = measure(update, false);
        assert!(peak <= FACTOR * bytes + BASE, "{name}: {peak} bytes for {bytes}");
    }
    let one_struct = [&[8, 1, 1, b'm', 0x80, 0x80, 0x20][..], &[118, 0].repeat(1 << 19)].concat();
    let accepted = [
        ("tiny maps", repeated(4 << 20, 7, &[1])),
        ("tiny texts", repeated(1 << 20, 4, &[1, b'x'])),
        ("tiny values", repeated(1 << 20, 8, &[1, 118, 0])),
        ("tiny values with a member", repeated(1 << 20, 8, &[1, 118, 1, 0, 126])),
        ("tiny values in one struct", [&[1, 1, 2, 0], &one_struct[..], &[0]].concat()),
        ("deleted elements", repeated(1 << 20, 1, &[1])),
    ];
    for (name, update) in accepted {
        let (peak, held, bytes) = measure(update, true);
        assert!(peak - held <= bytes + MORE, "{name}: {} bytes more than held for {bytes}", peak - held);
    }
}
