//! What is read or written of a document takes memory for what it holds, and not for each run that has it.
//!
//! The counter is for the whole process, so this is a test binary of its own with one test.

#![cfg(feature = "yjs")]

use peak_alloc::PeakAlloc;
use syncline_core::doc::YjsDocument;
use yrs::{Doc, ReadTxn, StateVector, Text, Transact, types::Attrs};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn peak_of<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = act();
    (HEAP.peak_usage().saturating_sub(before), done)
}

/// Goal: the language of code is not copied for each of its lines. Method: half of a document is its name, the other half lines.
fn a_language_is_of_all_lines_of_code() {
    const HALF: usize = 55_000;
    const PEAK_MAX: usize = 16 << 20;
    let doc = Doc::new();
    let text = doc.get_or_insert_text("t");
    let language = Attrs::from([("code-block".into(), "a".repeat(HALF).into())]);
    text.insert_with_attributes(&mut doc.transact_mut(), 0, &"\n".repeat(HALF), language);
    let mut document = YjsDocument::default();
    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
    document.apply(&update.into()).expect("honest");
    let (peak, markdown) = peak_of(|| document.markdown(None));
    println!("the lines of code took {peak} bytes");
    assert!(peak <= PEAK_MAX, "{peak} bytes");
    assert_eq!(markdown.as_deref(), Ok(&*format!("```\n{}```\n", "\n".repeat(HALF))));
}

/// One test, since the counter sees the whole process.
#[test]
fn what_many_runs_have_is_held_once() {
    a_language_is_of_all_lines_of_code();
}
