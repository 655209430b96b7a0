//! An engine in memory with two images: what the process sees, and what a crash would leave.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    batch::{Batch, Operation},
    key::Key,
    port::{CommitError, ReadError, Stats, Store, VacuumError, Vacuumed},
};

/// All keys of one image, with what they hold.
pub type Image = BTreeMap<Key, Arc<[u8]>>;

/// A store in memory. [`commit`](Store::commit) changes both of its images; a simulator may do it in two steps, with
/// [`stage`](Self::stage) and [`sync`](Self::sync), and crash in between.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    live: Image,
    durable: Image,
    /// What `live` has and `durable` has not, in order.
    staged: Vec<Batch>,
    next: Failure,
    /// What lived before the commit that failed, until the store is reopened.
    latched: Option<Image>,
}

/// How the next commit fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failure {
    /// It does not.
    #[default]
    None,
    /// Before anything is written.
    BeforeWrite,
    /// Written, and lost: only the live image has it.
    BeforeSync,
    /// Written and durable, and still reported as failed; a crash then shows it, [`reopen`](Store::reopen) does not.
    AfterSync,
}

/// A failure that a test asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a failure was injected")]
pub struct Injected;

impl MemoryStore {
    /// Returns an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a store that holds `image`, durably.
    #[must_use]
    pub fn from_image(image: Image) -> Self {
        Self { live: image.clone(), durable: image, ..Self::default() }
    }

    /// Writes `batch` into the live image only.
    ///
    /// # Errors
    /// [`CommitError::Latched`] if a commit failed.
    pub fn stage(&mut self, batch: Batch) -> Result<(), CommitError> {
        if self.latched.is_some() {
            return Err(CommitError::Latched);
        }
        apply(&mut self.live, &batch);
        self.staged.push(batch);
        Ok(())
    }

    /// Makes the live image durable.
    pub fn sync(&mut self) {
        for batch in self.staged.drain(..) {
            apply(&mut self.durable, &batch);
        }
    }

    /// Loses whatever is not durable, as a crash does, and starts again.
    pub fn crash(&mut self) {
        self.live.clone_from(&self.durable);
        self.staged.clear();
        self.latched = None;
        self.next = Failure::None;
    }

    /// Makes the next commit fail.
    pub fn fail_next_commit(&mut self, failure: Failure) {
        self.next = failure;
    }

    /// Returns what the process sees.
    #[must_use]
    pub fn live(&self) -> &Image {
        &self.live
    }

    /// Returns what a crash would leave.
    #[must_use]
    pub fn durable(&self) -> &Image {
        &self.durable
    }

    fn readable(&self) -> Result<&Image, ReadError> {
        if self.latched.is_some() { Err(ReadError::Latched) } else { Ok(&self.live) }
    }

    fn latch(&mut self, before: Image) -> CommitError {
        self.latched = Some(before);
        CommitError::Engine { source: Arc::new(Injected) }
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        match std::mem::take(&mut self.next) {
            Failure::None => {
                self.stage(batch)?;
                self.sync();
                Ok(())
            }
            Failure::BeforeWrite => {
                let before = self.live.clone();
                Err(self.latch(before))
            }
            Failure::BeforeSync => {
                let before = self.live.clone();
                self.stage(batch)?;
                Err(self.latch(before))
            }
            Failure::AfterSync => {
                let before = self.live.clone();
                self.stage(batch)?;
                self.sync();
                Err(self.latch(before))
            }
        }
    }

    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        if self.latched.is_some() {
            return Err(VacuumError::Latched);
        }
        let stats = sizes(&self.live);
        Ok(Vacuumed { before: stats, after: stats })
    }

    fn reopen(&mut self) -> Result<(), VacuumError> {
        if let Some(before) = self.latched.take() {
            self.durable.clone_from(&before);
            self.live = before;
            self.staged.clear();
        }
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.readable()?.get(key).map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        let from = Key::from_stored(from.max(prefix));
        let found = self.readable()?.range(from..);
        let found = found.take_while(|(key, _)| key.as_bytes().starts_with(prefix));
        Ok(found.take(limit).map(|(key, value)| (key.clone(), value.to_vec())).collect())
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        Ok(sizes(self.readable()?))
    }
}

fn apply(image: &mut Image, batch: &Batch) {
    for operation in batch.operations() {
        let held = match operation.value() {
            Some(value) => image.insert(operation.key().clone(), value.as_bytes().into()),
            None => image.remove(operation.key()),
        };
        debug_assert!(
            held.is_none() || !matches!(operation, Operation::PutNew(..)),
            "put_new over {:?}, which holds something",
            operation.key(),
        );
    }
}

fn sizes(image: &Image) -> Stats {
    let bytes = image.iter().map(|(key, value)| (key.as_bytes().len() + value.len()) as u64).sum();
    Stats { live_keys: image.len() as u64, live_bytes: bytes, disk_bytes: bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        batch::Value,
        conformance::{self, Subject},
        testing::steps,
    };

    struct Memory(MemoryStore);

    impl Subject for Memory {
        fn store(&mut self) -> &mut dyn Store {
            &mut self.0
        }

        fn restart(&mut self) {
            self.0.crash();
        }

        fn fail_next_commit(&mut self, n: usize) {
            let failures = [Failure::BeforeWrite, Failure::BeforeSync, Failure::AfterSync];
            self.0.fail_next_commit(failures[n % failures.len()]);
        }
    }

    #[test]
    fn the_memory_engine_conforms() {
        conformance::check(|| Memory(MemoryStore::new()));
    }

    proptest! {
        #[test]
        fn the_memory_engine_is_a_map(steps in steps(40)) {
            conformance::replay(&mut Memory(MemoryStore::new()), &steps);
        }
    }

    fn put(key: &[u8]) -> Batch {
        let mut batch = Batch::new();
        batch.put(Key::from_stored(key), Value::new(vec![1]).unwrap());
        batch
    }

    #[test]
    fn a_crash_loses_what_was_not_synced() {
        let mut store = MemoryStore::new();
        store.commit(put(b"\x01committed")).unwrap();
        store.stage(put(b"\x01synced")).unwrap();
        store.sync();
        store.stage(put(b"\x01staged")).unwrap();
        assert_eq!((store.live().len(), store.durable().len()), (3, 2));
        store.crash();
        assert_eq!((store.live().len(), store.durable().len()), (2, 2));
        assert!(store.live().contains_key(&Key::from_stored(b"\x01synced")));
    }

    #[test]
    fn a_crash_may_show_a_commit_that_was_reported_as_failed() {
        let check = |failure, shows: bool| {
            let mut store = MemoryStore::new();
            store.fail_next_commit(failure);
            store.commit(put(b"\x01key")).unwrap_err();
            store.crash();
            assert_eq!(store.get(&Key::from_stored(b"\x01key")).unwrap().is_some(), shows, "{failure:?}");
        };
        check(Failure::BeforeWrite, false);
        check(Failure::BeforeSync, false);
        check(Failure::AfterSync, true);
    }
}
