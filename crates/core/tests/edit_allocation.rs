//! What is read or written of a document takes memory for what it holds, and not for each run that has it.
//!
//! The counter is for the whole process, so this is a test binary of its own with one test.

#![cfg(feature = "automerge")]

use automerge::{
    AutoCommit, ObjType, ROOT,
    marks::{ExpandMark, Mark},
    transaction::Transactable,
};
use peak_alloc::PeakAlloc;
use serde_json::json;
use syncline_core::{
    doc::{AutomergeDocument, DocumentEdit, YjsDocument},
    time::WallMs,
};
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

/// Goal: the value of a mark is not copied for each of its runs. Method: a long one stands over many characters, of which every
/// other is bold, and another entry is edited.
fn a_mark_is_of_all_its_runs() {
    const TOGGLES: usize = 200;
    const VALUE: usize = 400_000;
    const PEAK_MAX: usize = 32 << 20;
    let mut doc = AutoCommit::new();
    let text = doc.put_object(ROOT, "text", ObjType::Text).expect("a map");
    doc.splice_text(&text, 0, 0, &"a".repeat(2 * TOGGLES)).expect("it is empty");
    let mut mark = |name: &str, value: automerge::ScalarValue, begin, end| {
        let mark = Mark::new(name.to_owned(), value, begin, end);
        doc.mark(&text, mark, ExpandMark::None).expect("within the text");
    };
    mark("comment", "v".repeat(VALUE).into(), 0, 2 * TOGGLES);
    (0..TOGGLES).for_each(|at| mark("bold", true.into(), 2 * at, 2 * at + 1));
    let mut document = AutomergeDocument::default();
    document.apply(&doc.save()).expect("honest");
    let edit = DocumentEdit::Add { path: "/n".to_owned(), value: json!(1) };
    let (peak, written) = peak_of(|| document.edit(&[edit], [7; 16], WallMs(5_000)));
    println!("an edit beside a mark of {VALUE} bytes took {peak} bytes");
    assert!(peak <= PEAK_MAX, "{peak} bytes");
    assert!(matches!(written, Ok(Some(_))), "{written:?}");
}

/// One test, since the counter sees the whole process.
#[test]
fn what_many_runs_have_is_held_once() {
    a_language_is_of_all_lines_of_code();
    a_mark_is_of_all_its_runs();
}
