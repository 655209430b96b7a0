//! The suite that every engine passes: what the documentation of [`Store`] says, as tests.
//!
//! For a new engine, implement [`Subject`] and call [`check`]; then feed [`replay`] with random [`Step`]s.

use std::collections::BTreeMap;

use syncline_core::limits::{BATCH_OPERATIONS_MAX, VALUE_BYTES_MAX};

use crate::{
    batch::{Batch, Value},
    key::Key,
    port::{CommitError, ReadError, Stats, Store, VacuumError},
};

/// An engine under test.
pub trait Subject {
    /// Returns the store.
    fn store(&mut self) -> &mut dyn Store;

    /// Closes the store and opens it again, as a new process would.
    fn restart(&mut self);

    /// Makes the next commit fail, at the `n`th of the ways in which it can; any `n` is one of them.
    fn fail_next_commit(&mut self, n: usize);
}

/// What a store should hold.
pub type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Ways to fail that [`check`] tries.
const FAILURES: usize = 4;

/// Runs the whole suite, each part on a store of its own, which must be empty.
///
/// # Panics
/// If the engine does not do what it should.
pub fn check<S: Subject>(mut fresh: impl FnMut() -> S) {
    a_fresh_store_is_empty(&mut fresh());
    a_batch_applies_in_order(&mut fresh());
    a_scan_keeps_to_its_bounds(&mut fresh());
    values_of_every_length_come_back(&mut fresh());
    large_batches_are_one(&mut fresh());
    a_restart_keeps_everything(&mut fresh());
    a_vacuum_keeps_everything(&mut fresh());
    for failure in 0..FAILURES {
        a_failed_commit_latches(&mut fresh(), failure);
    }
}

/// One step of a random test.
#[derive(Clone, Debug)]
pub enum Step {
    /// Commits puts, and deletes where there is no value.
    Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    /// The same, failing, and then reopens.
    FailedCommit(Vec<(Vec<u8>, Option<Vec<u8>>)>, usize),
    /// Scans a prefix, from a key on, up to a limit.
    Scan(Vec<u8>, Vec<u8>, usize),
    /// Starts again.
    Restart,
    /// Vacuums.
    Vacuum,
}

/// Takes `steps` with a store and with a map side by side.
///
/// # Panics
/// If they differ.
pub fn replay(subject: &mut dyn Subject, steps: &[Step]) {
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Commit(operations) => {
                subject.store().commit(batch(operations)).expect("a commit succeeds");
                for (key, value) in operations {
                    match value {
                        Some(value) => model.insert(key.clone(), value.clone()),
                        None => model.remove(key),
                    };
                }
            }
            Step::FailedCommit(operations, failure) => {
                subject.fail_next_commit(*failure);
                let mut batch = batch(operations);
                // An empty batch has nothing to fail with.
                batch.delete(key(b"\x07"));
                subject.store().commit(batch).expect_err("a commit fails");
                subject.store().reopen().expect("a store reopens");
            }
            Step::Scan(prefix, from, limit) => {
                let found = subject.store().scan(prefix, from, *limit).expect("a store can be read");
                assert_eq!(plain(found), expected(&model, prefix, from, *limit), "{step:?}");
            }
            Step::Restart => subject.restart(),
            Step::Vacuum => {
                subject.store().vacuum().expect("a store can be vacuumed");
            }
        }
        assert_holds(subject.store(), &model);
    }
}

fn a_fresh_store_is_empty(subject: &mut dyn Subject) {
    let store = subject.store();
    assert_eq!(store.get(&key(b"\x01")).expect("reads"), None);
    store.commit(Batch::new()).expect("an empty batch is nothing");
    store.reopen().expect("a store that works reopens as it is");
    assert_holds(store, &Model::new());
}

fn a_batch_applies_in_order(subject: &mut dyn Subject) {
    let store = subject.store();
    let first = [("\x01a", Some("old")), ("\x01b", Some("gone")), ("\x01c", Some("kept"))];
    store.commit(text_batch(&first)).expect("commits");
    let second = [
        ("\x01a", Some("new")),
        ("\x01b", None),
        ("\x01absent", None),
        ("\x01d", Some("first")),
        ("\x01d", None),
        ("\x01d", Some("last")),
        ("\x01e", Some("fleeting")),
        ("\x01e", None),
    ];
    store.commit(text_batch(&second)).expect("commits");
    let want = [("\x01a", "new"), ("\x01c", "kept"), ("\x01d", "last")];
    assert_holds(store, &text_model(&want));
    assert_eq!(store.get(&key(b"\x01d")).expect("reads"), Some(b"last".to_vec()));
    assert_eq!(store.get(&key(b"\x01b")).expect("reads"), None);
}

fn a_scan_keeps_to_its_bounds(subject: &mut dyn Subject) {
    let keys: [&[u8]; 9] = [
        b"\x01",
        b"\x01a",
        b"\x01a\x00",
        b"\x01a\xff",
        b"\x01a\xff\xff",
        b"\x01b",
        b"\x02",
        b"\xff",
        b"\xff\xff",
    ];
    let operations: Vec<_> = keys.iter().map(|key| (key.to_vec(), Some(key.to_vec()))).collect();
    let model: Model = operations.iter().cloned().map(|(key, _)| (key.clone(), key)).collect();
    subject.store().commit(batch(&operations)).expect("commits");
    let bounds =
        keys.iter().copied().chain([&b""[..], b"\x00", b"\x01a\xfe", b"\x01aa", b"\x03", b"\xff\xff\xff"]);
    for prefix in bounds.clone() {
        for from in bounds.clone() {
            for limit in [0, 1, 2, usize::MAX] {
                let found = plain(subject.store().scan(prefix, from, limit).expect("reads"));
                assert_eq!(
                    found,
                    expected(&model, prefix, from, limit),
                    "{prefix:?} from {from:?}, {limit} keys"
                );
            }
        }
    }
}

fn values_of_every_length_come_back(subject: &mut dyn Subject) {
    let lengths = [0, 1, 511, 512, 513, 4_096, VALUE_BYTES_MAX - 1, VALUE_BYTES_MAX];
    let value = |length: usize| (0..length).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>();
    let operations: Vec<_> =
        (1..).zip(lengths).map(|(n, length)| (vec![1, n], Some(value(length)))).collect();
    subject.store().commit(batch(&operations)).expect("commits");
    let model = operations.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    assert_holds(subject.store(), &model);
    subject.restart();
    assert_holds(subject.store(), &model);
}

fn large_batches_are_one(subject: &mut dyn Subject) {
    let many = numbered(0..BATCH_OPERATIONS_MAX as u32 * 2, 20);
    let long = numbered(1_000_000..1_000_600, VALUE_BYTES_MAX);
    subject.store().commit(batch(&many)).expect("commits many operations");
    subject.store().commit(batch(&long)).expect("commits many bytes");
    let mut model: Model =
        many.into_iter().chain(long).filter_map(|(key, value)| Some((key, value?))).collect();
    assert_holds(subject.store(), &model);

    let deletes: Vec<_> = model.keys().skip(1).step_by(2).map(|key| (key.clone(), None)).collect();
    for (key, _) in &deletes {
        model.remove(key);
    }
    subject.store().commit(batch(&deletes)).expect("commits many deletes");
    subject.restart();
    assert_holds(subject.store(), &model);
}

fn a_restart_keeps_everything(subject: &mut dyn Subject) {
    let mut model = Model::new();
    for round in 0..5 {
        for n in 0..20 {
            let operations = numbered(round * 20 + n..round * 20 + n + 1, 100);
            subject.store().commit(batch(&operations)).expect("commits");
            model.extend(operations.into_iter().filter_map(|(key, value)| Some((key, value?))));
        }
        subject.restart();
        assert_holds(subject.store(), &model);
    }
}

fn a_vacuum_keeps_everything(subject: &mut dyn Subject) {
    let operations = numbered(0..2_000, 200);
    let mut model: Model =
        operations.iter().cloned().filter_map(|(key, value)| Some((key, value?))).collect();
    subject.store().commit(batch(&operations)).expect("commits");
    let deletes: Vec<_> = model.keys().filter(|key| key[4] % 8 != 0).map(|key| (key.clone(), None)).collect();
    for (key, _) in &deletes {
        model.remove(key);
    }
    subject.store().commit(batch(&deletes)).expect("commits");
    let vacuumed = subject.store().vacuum().expect("vacuums");
    assert_eq!(vacuumed.after.live_bytes, vacuumed.before.live_bytes);
    assert_holds(subject.store(), &model);
    subject.restart();
    assert_holds(subject.store(), &model);
}

fn a_failed_commit_latches(subject: &mut dyn Subject, failure: usize) {
    let before = [("\x01deleted", "a"), ("\x01overwritten", "b"), ("\x01untouched", "c")];
    let model = text_model(&before);
    let before: Vec<_> = before.iter().map(|(key, value)| (*key, Some(*value))).collect();
    subject.store().commit(text_batch(&before)).expect("commits");

    subject.fail_next_commit(failure);
    let mut failing =
        text_batch(&[("\x01deleted", None), ("\x01overwritten", Some("lost")), ("\x01put", Some("lost"))]);
    failing.put_new(key(b"\x01new"), value(b"lost"));
    let error = subject.store().commit(failing).expect_err("the injected failure is reported");
    assert!(matches!(error, CommitError::Engine { .. }), "{error:?}");

    let store = subject.store();
    let again = store.commit(text_batch(&[("\x01later", Some("lost"))]));
    assert!(matches!(again, Err(CommitError::Latched)), "{again:?}");
    assert!(matches!(store.get(&key(b"\x01untouched")), Err(ReadError::Latched)));
    assert!(matches!(store.scan(b"", b"", 1), Err(ReadError::Latched)));
    assert!(matches!(store.stats(), Err(ReadError::Latched)));
    assert!(matches!(store.vacuum(), Err(VacuumError::Latched)));

    store.reopen().expect("reopens");
    assert_holds(store, &model);
    store.commit(text_batch(&[("\x01new", Some("again"))])).expect("commits again");
    let mut model = model;
    model.insert(b"\x01new".to_vec(), b"again".to_vec());
    assert_holds(store, &model);
    subject.restart();
    assert_holds(subject.store(), &model);
}

fn assert_holds(store: &dyn Store, model: &Model) {
    let found = plain(store.scan(b"", b"", usize::MAX).expect("a store can be read"));
    assert!(found.iter().map(|(key, value)| (key, value)).eq(model), "the store holds something else");
    let Stats { live_keys, live_bytes, .. } = store.stats().expect("a store can be counted");
    let bytes: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!((live_keys, live_bytes), (model.len() as u64, bytes as u64));
}

fn expected(model: &Model, prefix: &[u8], from: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let found = model.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_slice() >= from);
    found.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn plain(found: Vec<(Key, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    found.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect()
}

fn numbered(range: std::ops::Range<u32>, bytes: usize) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let key = |n: u32| [&[3][..], &n.to_be_bytes()].concat();
    range.map(|n| (key(n), Some(vec![n as u8; bytes]))).collect()
}

fn text_model(pairs: &[(&str, &str)]) -> Model {
    pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn text_batch(operations: &[(&str, Option<&str>)]) -> Batch {
    let operations: Vec<_> =
        operations.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.map(Into::into))).collect();
    batch(&operations)
}

fn batch(operations: &[(Vec<u8>, Option<Vec<u8>>)]) -> Batch {
    let mut batch = Batch::new();
    for (bytes, held) in operations {
        match held {
            Some(held) => batch.put(key(bytes), value(held)),
            None => batch.delete(key(bytes)),
        }
    }
    batch
}

fn key(bytes: &[u8]) -> Key {
    Key::from_stored(bytes)
}

fn value(bytes: &[u8]) -> Value {
    Value::new(bytes.to_vec()).expect("the suite knows the bound")
}
