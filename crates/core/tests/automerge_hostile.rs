//! Nothing hostile kills the process: each known way to kill automerge with bytes is refused by the guard, and mutated chunks
//! with right checksums, on which automerge panics at 17 places, are survived.

#![cfg(feature = "automerge")]

use std::{
    collections::BTreeSet,
    env,
    io::Write as _,
    sync::{Arc, Mutex},
};

use automerge::{
    ActorId, AutoCommit, ObjType, ROOT, ScalarValue,
    marks::{ExpandMark, Mark},
    sync::{Message, State, SyncDoc},
    transaction::Transactable,
};
use bytes::Bytes;
use flate2::{Compression, write::DeflateEncoder};
use sha2::{Digest, Sha256};
use syncline_core::{
    doc::{AutomergeDocument, AutomergeError, AutomergePeer, compact},
    guard::{
        Malformed,
        automerge::{ops_in, scan_chunks, scan_sync_message},
    },
    id::{CommitNumber, ConnectionId},
    limits::AUTOMERGE_UNPACKED_BYTES_MAX,
    log::{Author, LogEntry, LogRecord},
    time::WallMs,
};

/// Messages that are mutated unless `SYNCLINE_MUTATIONS` says how many; `SYNCLINE_SEED` makes others of them. A core does 260,000 in
/// a minute.
const MUTATIONS_DEFAULT: u64 = 5_000;

const CHANGE: u8 = 1;
const PACKED: u8 = 2;

fn uleb(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A chunk with the checksum that automerge expects of `unpacked`.
fn chunk(kind: u8, body: &[u8], unpacked: &[u8]) -> Vec<u8> {
    let mut hashed = vec![if kind == PACKED { CHANGE } else { kind }];
    uleb(unpacked.len() as u64, &mut hashed);
    hashed.extend(unpacked);
    let mut out = [&[0x85, 0x6f, 0x4a, 0x83], &Sha256::digest(&hashed)[..4], &[kind]].concat();
    uleb(body.len() as u64, &mut out);
    out.extend(body);
    out
}

fn message_with(chunks: &[u8]) -> Vec<u8> {
    let mut message = vec![0x43, 0, 0, 0, 1];
    uleb(chunks.len() as u64, &mut message);
    message.extend(chunks);
    message.extend([2, 2, 0x84]);
    message
}

fn check(message: &[u8], want: Malformed) {
    assert_eq!(scan_sync_message(message).map(drop), Err(want));
    let mut document = AutomergeDocument::default();
    let received = document.receive(&mut AutomergePeer::default(), message);
    assert_eq!(received, Err(AutomergeError::Malformed(want)));
}

/// automerge asks for 17 GB when it answers.
#[test]
fn a_bloom_filter_of_2_to_the_32_probes() {
    let message = [0x42, 0, 0, 1, 0, 9, 1, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0];
    check(&message, Malformed::Bloom { at: 6, bits: 10, probes: u64::from(u32::MAX) });
}

/// automerge divides by zero when it answers.
#[test]
fn a_bloom_filter_of_no_bits_an_entry() {
    check(&[0x42, 0, 0, 1, 0, 3, 1, 0, 7, 0], Malformed::Bloom { at: 6, bits: 0, probes: 7 });
}

#[test]
fn numbers_that_promise_more_than_there_is() {
    check(&[0x42, 0xff, 0xff, 0x03], Malformed::Count { at: 1, declared: 0xffff, left: 0 });
    check(&[0x42, 0, 0, 0x7f], Malformed::Count { at: 3, declared: 0x7f, left: 0 });
    check(&[0x42, 0, 0, 0, 0x7f], Malformed::Count { at: 4, declared: 0x7f, left: 0 });
    let entries = [0x42, 0, 0, 1, 0, 6, 0xff, 0xff, 0xff, 0x7f, 10, 7, 0];
    check(&entries, Malformed::Truncated { at: 12, needed: 335_544_319, left: 0 });
    check(&[0x41], Malformed::Kind { at: 0, kind: 0x41 });
    check(&[0x42, 0, 0, 0, 0, 2, 2, 0x84, 0], Malformed::Trailing { at: 8, left: 1 });
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

/// automerge unpacks it to 1 GB and more before it looks at the checksum.
#[test]
fn a_packed_chunk_that_unpacks_to_a_thousand_times_its_length() {
    for len in [2 << 20, 64 << 20] {
        let packed = deflated(&vec![0; len]);
        let message = message_with(&chunk(PACKED, &packed, &[]));
        assert!(matches!(scan_sync_message(&message), Err(Malformed::Packed { .. })), "{len}");
    }
    // Many small ones are as bad as a large one.
    let small = chunk(PACKED, &deflated(&change(&vec![b' '; 900 << 10], &[])), &[]);
    let count = AUTOMERGE_UNPACKED_BYTES_MAX / (900 << 10);
    assert!(scan_chunks(&small.repeat(count)).is_ok());
    assert!(matches!(scan_chunks(&small.repeat(count + 1)), Err(Malformed::Packed { .. })));
}

/// The body of a change with one column.
fn change(message: &[u8], column: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 1, 7, 1, 1, 0];
    uleb(message.len() as u64, &mut out);
    out.extend(message);
    out.extend([0, 1, 0x42]);
    uleb(column.len() as u64, &mut out);
    out.extend(column);
    out
}

/// A column of some bytes stands for any number of rows.
#[test]
fn columns_of_2_to_the_40_rows() {
    let rows = |column: &[u8]| {
        let body = change(&[], column);
        scan_sync_message(&message_with(&chunk(CHANGE, &body, &body))).map(drop)
    };
    assert_eq!(rows(&[0x80, 0x80, 0x04, 1]), Ok(()));
    let many = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1];
    assert!(matches!(rows(&many), Err(Malformed::Rows { .. })));
    let nulls = [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    assert!(matches!(rows(&nulls), Err(Malformed::Rows { .. })));
    assert!(matches!(rows(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x60, 1]), Err(Malformed::Truncated { .. })));
}

/// automerge takes 600 bytes for each op, and a change of some bytes may have half a million; so what counts is how many a message brings.
#[test]
fn many_small_changes_bring_no_more_ops_than_one() {
    let body = change(&[], &[0x80, 0x89, 0x1a, 1]);
    let half_a_million = chunk(CHANGE, &body, &body);
    let ops = |changes: usize| ops_in(&half_a_million.repeat(changes));
    assert_eq!(ops(1), Ok(427_136));
    assert_eq!(ops(9), Ok(9 * 427_136));
    assert!(matches!(ops(10), Err(Malformed::Rows { rows: 427_136, .. })));
    let message = |changes: usize| {
        scan_sync_message(&message_with(&half_a_million.repeat(changes))).map(|read| read.ops)
    };
    assert_eq!(message(2), Ok(2 * 427_136));
    assert!(matches!(message(10), Err(Malformed::Rows { .. })));
}

#[test]
fn the_numbers_of_ops_have_an_end() {
    let mut body = vec![0, 1, 7, 1];
    uleb(u64::from(u32::MAX) - 1, &mut body);
    body.extend([0, 0, 0, 0]);
    let refused = scan_chunks(&chunk(CHANGE, &body, &body)).map(drop);
    assert!(matches!(refused, Err(Malformed::Number { .. })), "{refused:?}");
}

/// A document with something of everything, and what it was saved as: packed, bare, and change by change.
fn honest() -> (AutoCommit, Vec<Vec<u8>>) {
    let mut doc = AutoCommit::new().with_actor(ActorId::from([7; 16]));
    let text = doc.put_object(ROOT, "text", ObjType::Text).expect("a map");
    doc.splice_text(&text, 0, 0, "the quick brown fox jumps over the lazy dog").expect("a text");
    let mark = Mark::new("bold".into(), true, 4, 9);
    doc.mark(&text, mark, ExpandMark::Both).expect("a text");
    doc.commit();
    let first = doc.get_heads();
    let list = doc.put_object(ROOT, "list", ObjType::List).expect("a map");
    for n in 0..20_i64 {
        doc.insert(&list, 0, n).expect("a list");
    }
    doc.put(ROOT, "count", ScalarValue::counter(5)).expect("a map");
    doc.increment(ROOT, "count", 2).expect("a counter");
    doc.put(ROOT, "long", "0123456789 ".repeat(60)).expect("a map");
    doc.commit();
    let mut other = doc.fork().with_actor(ActorId::from([8; 16]));
    other.delete(&list, 3).expect("a list");
    other.splice_text(&text, 4, 5, "slow").expect("a text");
    doc.splice_text(&text, 0, 3, "a").expect("a text");
    doc.merge(&mut other).expect("both are whole");
    let seeds = vec![doc.save(), doc.save_nocompress(), doc.save_after(&first), doc.save_after(&[])];
    (doc, seeds)
}

#[test]
fn what_automerge_writes_is_accepted() {
    let (mut doc, seeds) = honest();
    for seed in &seeds {
        assert!(scan_chunks(seed).is_ok());
    }
    let mut document = AutomergeDocument::default();
    document.apply(&seeds[0]).expect("honest");
    assert_eq!(document.heads(), doc.get_heads());
}

/// A generator of numbers that are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 => bytes[at] = dice.below(256) as u8,
            1 => bytes[at] = bytes[at].wrapping_add(1),
            2 => bytes[at] ^= 1 << dice.below(8),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, [0, 1, 0x7f, 0x80][dice.below(4)]),
            _ => bytes[at] = bytes[dice.below(bytes.len())],
        }
    }
}

/// Mutates the bodies of chunks, one each at random, and makes their checksums right.
fn mutated(dice: &mut Dice, chunks: &[u8]) -> Vec<u8> {
    let scanned = scan_chunks(chunks).expect("honest");
    let victim = dice.below(scanned.len());
    let mut out = Vec::new();
    for (n, part) in scanned.iter().enumerate() {
        let kind = part.bytes[8];
        if n != victim || kind == PACKED {
            out.extend(part.bytes);
            continue;
        }
        let header = 9 + part.bytes[9..].iter().position(|byte| byte & 0x80 == 0).expect("a length") + 1;
        let mut body = part.bytes[header..].to_vec();
        mutate(dice, &mut body);
        out.extend(chunk(kind, &body, &body));
    }
    out
}

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn records(updates: impl Iterator<Item = Bytes>) -> Vec<LogRecord> {
    let record = |(n, update): (usize, Bytes)| {
        let (author, connection) = (Author::default(), ConnectionId(1));
        let entries = vec![LogEntry { author, connection, at: WallMs(0), update, origins: None }];
        LogRecord { number: CommitNumber(n as u64 + 1), entries }
    };
    updates.enumerate().map(record).collect()
}

/// What became of mutated messages.
#[derive(Debug, Default)]
struct Fates {
    taken: u32,
    refused: u32,
    broken: u32,
    /// Documents that could not be encoded as a whole, although each change of them is whole: hardly any. Their logs
    /// are kept, and who comes gets their changes one by one.
    unfoldable: u32,
}

/// Has someone come to a document who has nothing, and then someone who has something of their own. Both get all of it.
fn check_that_newcomers_load(document: &mut AutomergeDocument) {
    for has_something in [false, true] {
        let mut client = AutoCommit::new().with_actor(ActorId::from([99; 16]));
        if has_something {
            client.put(ROOT, "own", 1).expect("a map");
        }
        let (mut state, mut peer) = (State::new(), AutomergePeer::new_read_only());
        for _ in 0..8 {
            if let Some(message) = client.sync().generate_sync_message(&mut state) {
                document.receive(&mut peer, &message.encode()).expect("honest");
            }
            let Some(message) = document.message(&mut peer).expect("sound") else { continue };
            let message = Message::decode(&message).expect("a message");
            client.sync().receive_sync_message(&mut state, message).expect("it is taken in");
        }
        for head in document.heads() {
            assert!(client.get_change_by_hash(&head).is_some(), "who comes has all of it");
        }
    }
}

impl Fates {
    /// Has a document take a message, which may hold `held` already, and looks at what is left of it.
    fn receive(&mut self, document: &mut AutomergeDocument, held: Option<Bytes>, message: &[u8]) {
        let mut peer = AutomergePeer::default();
        let received = match document.receive(&mut peer, message) {
            Ok(received) => received,
            Err(AutomergeError::Broken) => return self.broken += 1,
            Err(_) => return self.refused += 1,
        };
        self.taken += 1;
        document.message(&mut peer).expect("what was taken in can be answered");
        let Some(update) = received.update else { return };
        document.encode().expect("what was taken in can be encoded");
        let log = records(held.into_iter().chain([update]));
        let again = AutomergeDocument::load(None, &log).expect("what was taken in can be loaded");
        assert_eq!(again.heads(), document.heads());
        check_that_newcomers_load(document);
        let mut copy = AutomergeDocument::default();
        copy.apply(&document.portable().expect("sound")).expect("what was taken in is taken in elsewhere");
        assert_eq!(copy.heads(), document.heads());
        self.unfoldable += u32::from(compact::<AutomergeDocument>(None, &log).is_err());
    }
}

/// automerge holds the last change of this message under one hash and hands it on under another: it would be another one after a restart.
#[test]
fn what_would_be_handed_on_as_another_change_is_not_taken_in() {
    let message = include_bytes!("data/automerge-message-other-hash.bin");
    let mut document = AutomergeDocument::default();
    let received = document.receive(&mut AutomergePeer::default(), message);
    assert_eq!(received, Err(AutomergeError::Broken));
}

/// automerge loads the document in this message, but from what it then holds it cannot give all changes back.
#[test]
fn a_document_that_does_not_give_its_changes_back_is_refused() {
    let message = include_bytes!("data/automerge-message-false-document.bin");
    let mut document = AutomergeDocument::default();
    let received = document.receive(&mut AutomergePeer::default(), message);
    assert_eq!(received, Err(AutomergeError::Refused));
}

/// Goal: whatever a peer sends, the process lives, and whatever is taken in loads again, here and where newcomers are. Method: mutated chunks with right checksums, and
/// mutated messages, go into documents with content and without. Panics are counted by place: without any, nothing would be
/// tested.
#[test]
fn mutated_messages_are_survived() {
    let places: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let seen = Arc::clone(&places);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        match place.filter(|place| !place.contains("tests")) {
            Some(place) => _ = seen.lock().expect("it holds only this").insert(place),
            None => usual(info),
        }
    }));
    let (_, seeds) = honest();
    let seed = setting("SYNCLINE_SEED").unwrap_or_default();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
    let mut fates = Fates::default();
    for _ in 0..setting("SYNCLINE_MUTATIONS").unwrap_or(MUTATIONS_DEFAULT) {
        let at = dice.below(seeds.len());
        let mut message = message_with(&mutated(&mut dice, &seeds[at]));
        if dice.below(8) == 0 {
            mutate(&mut dice, &mut message);
        }
        let mut document = AutomergeDocument::default();
        let held = (dice.below(2) == 0).then(|| document.apply(&seeds[3]).expect("honest")).flatten();
        fates.receive(&mut document, held, &message);
    }
    drop(std::panic::take_hook());
    let places = places.lock().expect("it holds only this");
    println!("{fates:?}, panics at {places:#?}");
    assert!(fates.unfoldable * 200 <= fates.taken, "what cannot be encoded as a whole is refused: {fates:?}");
    assert!(fates.taken > 0 && fates.refused > 0 && fates.broken > 0, "{fates:?}");
    assert!(!places.is_empty() && places.iter().all(|place| !place.starts_with("crates")), "{places:#?}");
}
