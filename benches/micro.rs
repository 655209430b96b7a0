//! What one update costs in the core, without a socket or a disk: the guard, the document, the merge of a tick, the difference, what
//! was before.
//!
//! The updates are those of a person who types a paper, as yrs writes them.

use std::sync::LazyLock;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use syncline_core::doc::{YjsDocument, merge_in_order};
use syncline_core::guard::scan_update;

mod paper;

/// How many keys of the paper are at hand as updates of their own.
const KEYS: usize = 2_000;
/// How many updates a busy room merges into one in a tick.
const TICK: usize = 32;

/// How often what takes less than microseconds is done in one timed sample, since the timer itself takes tens of nanoseconds.
const SAMPLE: u32 = 256;

static KEYSTROKES: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let mut updates = Vec::with_capacity(KEYS);
    paper::replay(KEYS, |txn| updates.push(txn.encode_update_v1().into()));
    updates
});

static PAPER: LazyLock<Bytes> = LazyLock::new(|| paper::replay(usize::MAX, |_| ()).into());

fn main() {
    // Made before anything is timed.
    LazyLock::force(&KEYSTROKES);
    LazyLock::force(&PAPER);
    divan::main();
}

mod guard {
    use super::*;

    #[divan::bench(sample_size = SAMPLE)]
    fn scan_keystroke(bencher: Bencher<'_, '_>) {
        let update = &KEYSTROKES[KEYS / 2];
        bencher
            .counter(BytesCount::new(update.len()))
            .bench(|| scan_update(divan::black_box(update)).is_ok());
    }

    #[divan::bench]
    fn scan_paper(bencher: Bencher<'_, '_>) {
        bencher.counter(BytesCount::new(PAPER.len())).bench(|| scan_update(divan::black_box(&PAPER)).is_ok());
    }
}

mod document {
    use super::*;

    #[divan::bench]
    fn apply_keystrokes(bencher: Bencher<'_, '_>) {
        let bencher = bencher.counter(ItemsCount::new(KEYS)).with_inputs(YjsDocument::default);
        bencher.bench_local_refs(|document| {
            for update in &*KEYSTROKES {
                document.apply(update).expect("an honest update is taken");
            }
        });
    }

    #[divan::bench]
    fn apply_paper(bencher: Bencher<'_, '_>) {
        bencher.with_inputs(YjsDocument::default).bench_local_values(with_paper);
    }

    #[divan::bench(sample_size = SAMPLE)]
    fn apply_keystroke_again(bencher: Bencher<'_, '_>) {
        let mut document = with_paper(YjsDocument::default());
        bencher.bench_local(|| document.apply(&KEYSTROKES[KEYS / 2]).expect("an honest update is taken"));
    }

    #[divan::bench]
    fn diff_for_nothing(bencher: Bencher<'_, '_>) {
        let document = with_paper(YjsDocument::default());
        bencher.bench_local(|| document.diff(&[0]).expect("an empty state vector is well formed"));
    }

    #[divan::bench]
    fn diff_for_no_change(bencher: Bencher<'_, '_>) {
        let document = with_paper(YjsDocument::default());
        let state_vector = document.state_vector();
        bencher.bench_local(|| {
            document.diff(&state_vector).expect("the document's own state vector is well formed")
        });
    }

    /// The same with one value that yrs does not keep: all that yrs writes is scanned for it.
    #[divan::bench]
    fn diff_for_nothing_with_an_original(bencher: Bencher<'_, '_>) {
        let mut document = with_paper(YjsDocument::default());
        // Client 7 puts -0 into the array `a`.
        let negative_zero = Bytes::from_static(&[1, 1, 7, 0, 8, 1, 1, b'a', 1, 125, 0x40, 0]);
        document.apply(&negative_zero).expect("an honest update is taken");
        bencher.bench_local(|| document.diff(&[0]).expect("an empty state vector is well formed"));
    }

    fn with_paper(mut document: YjsDocument) -> YjsDocument {
        document.apply(&PAPER).expect("an honest update is taken");
        document
    }
}

/// What a document was: the paper, and the paper when a tenth of its keys were not pressed yet.
mod history {
    use syncline_core::id::ClientId;

    use super::*;

    /// How long the documents are, in keys.
    const LENGTHS: [usize; 3] = [2_500, 25_000, 250_000];

    #[divan::bench(args = LENGTHS)]
    fn changes(bencher: Bencher<'_, '_>, keys: usize) {
        let (before, after) = (typed(keys / 10 * 9), typed(keys));
        bencher.bench_local(|| before.changes_to(&after).expect("both are sound"));
    }

    #[divan::bench(args = LENGTHS)]
    fn restore(bencher: Bencher<'_, '_>, keys: usize) {
        let (before, after) = (typed(keys / 10 * 9), typed(keys));
        bencher.bench_local(|| after.restore(&before, ClientId(2)).expect("all of it can be written"));
    }

    fn typed(keys: usize) -> YjsDocument {
        let mut document = YjsDocument::default();
        document.apply(&paper::replay(keys, |_| ()).into()).expect("an honest update is taken");
        document
    }
}

/// Documents of Automerge that come from outside: each key of the paper's beginning is a change.
mod automerge {
    use ::automerge::{AutoCommit, Automerge, ObjType, ROOT, transaction::Transactable};
    use syncline_core::doc::AutomergeDocument;

    use super::*;
    use crate::paper::trace::{Edit, edits};

    const CHANGES: usize = 10_000;

    /// What automerge itself takes for it, as the measure.
    #[divan::bench(sample_count = 10)]
    fn load_alone(bencher: Bencher<'_, '_>) {
        let whole = typed().save();
        bencher.counter(ItemsCount::new(CHANGES)).bench_local(|| Automerge::load(&whole).is_ok());
    }

    #[divan::bench(sample_count = 10)]
    fn apply_document(bencher: Bencher<'_, '_>) {
        let whole = typed().save();
        take(bencher, &whole);
    }

    #[divan::bench(sample_count = 10)]
    fn apply_changes(bencher: Bencher<'_, '_>) {
        let changes = typed().get_changes(&[]);
        take(bencher, &changes.iter().map(|change| change.raw_bytes()).collect::<Vec<_>>().concat());
    }

    fn take(bencher: Bencher<'_, '_>, chunks: &[u8]) {
        bencher
            .counter(ItemsCount::new(CHANGES))
            .bench_local(|| AutomergeDocument::default().apply(chunks).expect("an honest document is taken"));
    }

    fn typed() -> AutoCommit {
        let mut doc = AutoCommit::new();
        let text = doc.put_object(ROOT, "t", ObjType::Text).expect("a map");
        for edit in edits().into_iter().take(CHANGES) {
            let (at, removed, typed) = match edit {
                Edit::Insert { at, character } => (at, 0, character.to_string()),
                Edit::Remove { at } => (at, 1, String::new()),
            };
            doc.splice_text(&text, at as usize, removed, &typed).expect("within the text");
            doc.commit();
        }
        doc
    }
}

mod tick {
    use super::*;

    #[divan::bench(sample_size = SAMPLE)]
    fn merge(bencher: Bencher<'_, '_>) {
        let updates = &KEYSTROKES[..TICK];
        bencher.counter(ItemsCount::new(TICK)).bench(|| merge_in_order(divan::black_box(updates)).is_ok());
    }
}
