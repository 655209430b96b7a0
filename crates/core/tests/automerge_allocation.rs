//! Automerge messages take no more memory than their length allows, however small their parts are. A binary of its own: the
//! counter sees everything that the process allocates.

#![cfg(feature = "automerge")]

use automerge::{
    ActorId, AutoCommit, Automerge, Change, ObjType, ROOT, ScalarValue,
    hydrate::Value,
    marks::{ExpandMark, Mark},
    transaction::Transactable,
};
use peak_alloc::PeakAlloc;
use sha2::{Digest, Sha256};
use syncline_core::{
    doc::{AutomergeDocument, AutomergeError, AutomergePeer},
    guard::{Malformed, automerge::scan_chunks},
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Most bytes that a message may take for each byte of its input.
const FACTOR: usize = 64;

/// Bytes that any message may take.
const BASE: usize = 1 << 20;

/// Bytes of a message with more actors than may come at once.
const INPUT: usize = 1 << 20;

type Hash = [u8; 32];

/// A change with nothing in it.
fn empty_change(rests_on: Option<&Hash>, actor: u32, seq: u64, time: u64) -> (Vec<u8>, Hash) {
    let mut body = vec![u8::from(rests_on.is_some())];
    body.extend(rests_on.into_iter().flatten());
    body.push(3);
    body.extend(&actor.to_be_bytes()[1..]);
    body.extend(leb128(seq, 7));
    body.push(1);
    // It is signed.
    body.extend(leb128(time, 6));
    body.extend([0, 0, 0]);
    let mut hashed = vec![1, body.len() as u8];
    hashed.extend(&body);
    let hash: Hash = Sha256::digest(&hashed).into();
    ([&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], &hashed].concat(), hash)
}

/// A number, with so many bits in its last byte.
fn leb128(mut number: u64, last_bits: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >> last_bits > 0 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// The smallest change that automerge takes: one of an actor of its own, with nothing in it.
fn tiny(actor: u32) -> Vec<u8> {
    empty_change(None, actor, 1, 0).0
}

/// So many changes, each of which rests on the one before and is a checkpoint: its hash begins with a zero byte. One that begins with
/// two would take the place of those before it.
fn checkpoints(count: u64) -> Vec<u8> {
    let (mut changes, mut last) = (Vec::new(), None);
    for seq in 1..=count {
        let tried = (0..).map(|time| empty_change(last.as_ref(), 0, seq, time));
        let (change, hash) =
            tried.into_iter().find(|(_, hash)| hash[0] == 0 && hash[1] > 0).expect("one in 256 is");
        changes.extend(change);
        last = Some(hash);
    }
    changes
}

fn peak_of<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = act();
    (HEAP.peak_usage().saturating_sub(before), done)
}

/// Measures what a document takes to take in changes, and what the scan alone.
fn measure(input: &[u8]) -> Result<(), AutomergeError> {
    let bound = FACTOR * input.len() + BASE;
    let (peak, scanned) = peak_of(|| scan_chunks(input).map(drop));
    assert_eq!(scanned, Ok(()));
    assert!(peak <= bound, "the scan took {peak} bytes of {bound}");
    let mut document = AutomergeDocument::default();
    let (peak, applied) = peak_of(|| document.apply(input).map(drop));
    println!("{} bytes of changes took {peak} bytes of {bound}: {applied:?}", input.len());
    assert!(peak <= bound, "{peak} bytes of {bound}");
    applied
}

/// Has a document take in messages that it may take, one after the other.
fn take_all(document: &mut AutomergeDocument, messages: impl IntoIterator<Item = Vec<u8>>) {
    for message in messages {
        document.apply(&message).expect("it takes no more than it may");
    }
}

/// Thousands of actors who have come little by little, and then one of them writes a lot.
fn measure_clocks_of_many_actors() {
    let mut document = AutomergeDocument::default();
    let tens = (0..800).map(|ten| (10 * ten..10 * ten + 10).flat_map(tiny).collect());
    take_all(&mut document, tens);
    let changes: Vec<u8> = (2..10_000).flat_map(|seq| empty_change(None, 0, seq, 0).0).collect();
    let (peak, applied) = peak_of(|| document.apply(&changes).map(drop));
    let bound = FACTOR * changes.len() + BASE;
    println!("{} bytes by one of 8,000 actors took {peak} bytes of {bound}: {applied:?}", changes.len());
    assert!(peak <= bound, "{peak} bytes of {bound}");
    assert_eq!(applied, Err(AutomergeError::Actors));
}

/// A document whose many actors each have one change.
fn measure_a_document_of_many_actors() {
    let (mut document, mut last) = (Automerge::new(), None);
    let chain = (0..6_000).map(|actor| {
        let (change, hash) = empty_change(last.as_ref(), actor, 1, 0);
        last = Some(hash);
        Change::from_bytes(change).expect("automerge takes it")
    });
    let chain: Vec<Change> = chain.collect();
    document.apply_changes(chain).expect("none is missing");
    let whole = document.save();
    let mut fresh = AutomergeDocument::default();
    let (peak, applied) = peak_of(|| fresh.apply(&whole).map(drop));
    let bound = FACTOR * whole.len() + BASE;
    println!("a document of {} bytes took {peak} bytes of {bound}: {applied:?}", whole.len());
    assert!(peak <= bound, "{peak} bytes of {bound}");
    assert!(matches!(applied, Err(AutomergeError::Malformed(Malformed::Clocks { .. }))), "{applied:?}");
}

/// A document of which every change is a checkpoint. automerge takes a kilobyte for each change while it reads one, and that is all.
fn measure_a_document_of_checkpoints() {
    const CHANGES: usize = 5_000;
    let mut document = Automerge::new();
    let changes = checkpoints(CHANGES as u64);
    let chunks = scan_chunks(&changes).expect("sound");
    let changes = chunks.iter().map(|chunk| Change::from_bytes(chunk.bytes.to_vec()).expect("sound"));
    document.apply_changes(changes.collect::<Vec<_>>()).expect("none is missing");
    let whole = document.save();
    let mut fresh = AutomergeDocument::default();
    let (peak, applied) = peak_of(|| fresh.apply(&whole).map(drop));
    let bound = FACTOR * whole.len() + BASE + CHANGES * 2_048;
    println!(
        "a document of {} bytes and {CHANGES} checkpoints took {peak} bytes of {bound}: {applied:?}",
        whole.len()
    );
    assert!(peak <= bound, "{peak} bytes of {bound}");
    assert_eq!(applied, Err(AutomergeError::Actors));
}

/// Changes of many actors that wait for one that comes last.
fn measure_what_waits() {
    let mut document = AutomergeDocument::default();
    let (first, hash) = empty_change(None, 0, 1, 0);
    let (mut sent, mut refused) = (0, None);
    let (peak, ()) = peak_of(|| {
        for hundred in 0..190 {
            let waiting = (1..=100).flat_map(|n| empty_change(Some(&hash), 100 * hundred + n, 1, 0).0);
            let waiting: Vec<u8> = waiting.collect();
            sent += waiting.len();
            refused = document.apply(&waiting).err();
            if refused.is_some() {
                break;
            }
        }
        sent += first.len();
        _ = document.apply(&first);
    });
    let bound = FACTOR * sent + BASE;
    println!("{sent} bytes that waited took {peak} bytes of {bound}: {refused:?}");
    assert!(peak <= bound, "{peak} bytes of {bound}");
    assert_eq!(refused, Some(AutomergeError::Actors));
}

/// What automerge takes for an op while it takes it in is kept for few at a time.
fn measure_many_ops() {
    let mut author = AutoCommit::new();
    for key in ["a", "b", "c"] {
        let list = author.put_object(ROOT, key, ObjType::List).expect("a map");
        let nulls = std::iter::repeat_n(ScalarValue::Null, 60_000);
        author.splice(&list, 0, 0, nulls.map(Value::from)).expect("a list");
        author.commit();
    }
    let input: Vec<u8> =
        author.get_changes(&[]).iter().flat_map(|change| change.raw_bytes().to_vec()).collect();
    assert!(input.len() < 500);
    let mut document = AutomergeDocument::default();
    let (peak, applied) = peak_of(|| document.apply(&input).map(drop));
    println!("180,000 ops in {} bytes took {peak} bytes", input.len());
    assert_eq!(applied, Ok(()));
    assert!(peak < 64 << 20, "{peak} bytes");
}

/// Marks around each other, as many as may be, and some more.
fn measure_marks_that_overlap() {
    for (marks, taken) in [(950, Ok(())), (1_050, Err(AutomergeError::Marks))] {
        let mut author = AutoCommit::new();
        let text = author.put_object(ROOT, "t", ObjType::Text).expect("a map");
        author.splice_text(&text, 0, 0, &"a".repeat(2 * marks)).expect("a text");
        for number in 0..marks {
            let mark = Mark::new(format!("m{number}"), true, number, 2 * marks - number);
            author.mark(&text, mark, ExpandMark::None).expect("it is in the text");
        }
        let input = author.get_changes(&[])[0].raw_bytes().to_vec();
        let mut document = AutomergeDocument::default();
        let (peak, applied) = peak_of(|| document.apply(&input).map(drop));
        println!("{marks} marks in {} bytes took {peak} bytes", input.len());
        assert_eq!(applied, taken);
        assert!(peak < 200 << 20, "{peak} bytes");
    }
}

/// A document that breaks leaves nothing behind: whoever breaks them comes again.
fn measure_broken_documents() {
    let mut honest = AutoCommit::new();
    honest.put(ROOT, "text", "x".repeat(1 << 20)).expect("a key of a map");
    let (honest, hostile) = (honest.save(), include_bytes!("data/automerge-message-other-hash.bin"));
    // To tell of a panic takes memory, too.
    std::panic::set_hook(Box::new(|_| {}));
    let before = HEAP.current_usage();
    for _ in 0..20 {
        let mut document = AutomergeDocument::default();
        document.apply(&honest).expect("honest");
        let broken = document.receive(&mut AutomergePeer::default(), hostile);
        assert_eq!(broken, Err(AutomergeError::Broken));
    }
    let left = HEAP.current_usage().saturating_sub(before);
    drop(std::panic::take_hook());
    assert!(left < 1 << 20, "{left} bytes are left of 20 documents of 1 MiB");
}

/// One test, since the counter sees the whole process.
#[test]
fn tiny_changes_take_no_more_than_their_length_allows() {
    for (count, taken) in [(500, Ok(())), (INPUT / 21, Err(AutomergeError::Actors))] {
        let input: Vec<u8> = (0..).flat_map(tiny).take(count * 21).collect();
        assert_eq!(measure(&input), taken, "{count} actors");
    }
    // Thousands who each wrote a little.
    let said = |n: u32| {
        let mut document = AutoCommit::new().with_actor(ActorId::from(n.to_be_bytes().to_vec()));
        document.put(ROOT, "said", format!("by {n}, who has seen nobody else")).expect("a key of a map");
        document.get_last_local_change().expect("it was changed").raw_bytes().to_vec()
    };
    let input: Vec<u8> = (0..3_000).flat_map(said).collect();
    assert_eq!(measure(&input), Ok(()));
    assert_eq!(measure(&checkpoints(2_500)), Err(AutomergeError::Actors));
    measure_clocks_of_many_actors();
    measure_a_document_of_many_actors();
    measure_a_document_of_checkpoints();
    measure_what_waits();
    measure_broken_documents();
    measure_many_ops();
    measure_marks_that_overlap();
}
