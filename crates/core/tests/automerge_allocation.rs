//! Automerge messages take no more memory than their length allows, however small their parts are. A binary of its own: the
//! counter sees everything that the process allocates.

#![cfg(feature = "automerge")]

use automerge::{ActorId, AutoCommit, ROOT, transaction::Transactable};
use peak_alloc::PeakAlloc;
use sha2::{Digest, Sha256};
use syncline_core::{
    doc::{AutomergeDocument, AutomergeError},
    guard::automerge::scan_chunks,
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Most bytes that a message may take for each byte of its input.
const FACTOR: usize = 64;

/// Bytes that any message may take.
const BASE: usize = 1 << 20;

/// Bytes of a message with more actors than may come at once.
const INPUT: usize = 1 << 20;

/// The smallest change that automerge takes: one of an actor of its own, with nothing in it.
fn tiny(n: u32) -> Vec<u8> {
    let mut body = vec![0, 3];
    body.extend(&n.to_be_bytes()[1..]);
    body.extend([1, 1, 0, 0, 0, 0]);
    let mut hashed = vec![1, body.len() as u8];
    hashed.extend(&body);
    [&[0x85, 0x6f, 0x4a, 0x83], &Sha256::digest(&hashed)[..4], &hashed].concat()
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
}
