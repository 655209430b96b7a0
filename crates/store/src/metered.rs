//! A store that knows how much of it is whose.
//!
//! What is counted is what lives: the bytes of keys and values. What the files hold is more, by what an engine adds and by what is no
//! longer of use and not yet removed.
//!
//! It costs a look at each key that is written over or deleted, before each commit, and a pass over everything when the store is
//! opened.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use syncline_core::id::TenantId;

use crate::{
    batch::{Batch, Operation},
    key::Key,
    port::{CommitError, ReadError, Stats, Store, VacuumError, Vacuumed},
};

/// Keys that are counted at once when everything is.
const PAGE: usize = 1_024;

/// How much each tenant has stored, as of the last commit. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct StoredBytes(Arc<Mutex<BTreeMap<TenantId, u64>>>);

impl StoredBytes {
    /// Returns how much a tenant has stored, in bytes of keys and values.
    #[must_use]
    pub fn of(&self, tenant: TenantId) -> u64 {
        self.counts().get(&tenant).copied().unwrap_or(0)
    }

    /// Returns how much all tenants have stored together, in bytes of keys and values.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.counts().values().sum()
    }

    /// Nothing that runs under the lock leaves the counts half changed, so a poisoned one is still whole.
    fn counts(&self) -> MutexGuard<'_, BTreeMap<TenantId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store that counts what each tenant has in it.
pub struct Metered {
    store: Box<dyn Store>,
    stored: StoredBytes,
}

impl Metered {
    /// Counts all that a store holds.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read.
    pub fn new(store: Box<dyn Store>) -> Result<Self, ReadError> {
        let metered = Self { store, stored: StoredBytes::default() };
        metered.count()?;
        Ok(metered)
    }

    /// Returns where it is said how much there is.
    #[must_use]
    pub fn stored(&self) -> StoredBytes {
        self.stored.clone()
    }

    fn count(&self) -> Result<(), ReadError> {
        let (mut counts, mut from) = (BTreeMap::new(), Vec::new());
        loop {
            let page = self.store.scan(&[], &from, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            from = last.successor().as_bytes().to_vec();
            for (key, value) in &page {
                if let Some(tenant) = key.tenant() {
                    *counts.entry(tenant).or_insert(0) += bytes(key, value.len());
                }
            }
        }
        *self.stored.counts() = counts;
        Ok(())
    }

    /// Returns by how much a batch changes what each tenant has.
    fn changes(&self, batch: &Batch) -> Result<BTreeMap<TenantId, (u64, u64)>, ReadError> {
        // What keys hold that an earlier operation of the batch has touched.
        let mut touched: BTreeMap<&Key, u64> = BTreeMap::new();
        let mut changes = BTreeMap::new();
        for operation in batch.operations() {
            let key = operation.key();
            let Some(tenant) = key.tenant() else { continue };
            let before = match (touched.get(key), operation) {
                (Some(&bytes), _) => bytes,
                (None, Operation::PutNew(..)) => 0,
                (None, Operation::Put(..) | Operation::Delete(_)) => {
                    self.store.get(key)?.map_or(0, |value| bytes(key, value.len()))
                }
            };
            let after = operation.value().map_or(0, |value| bytes(key, value.as_bytes().len()));
            let (more, less) = changes.entry(tenant).or_insert((0_u64, 0_u64));
            *more += after;
            *less += before;
            touched.insert(key, after);
        }
        Ok(changes)
    }

    fn count_again(&self) -> Result<(), VacuumError> {
        self.count().map_err(|error| VacuumError::Engine { source: Arc::new(error) })
    }
}

impl Store for Metered {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        let changes = match self.changes(&batch) {
            Ok(changes) => Some(changes),
            Err(ReadError::Latched) => return Err(CommitError::Latched),
            // What cannot be read can perhaps be written, and that counts for more than how much it is.
            Err(ReadError::Engine { .. }) => None,
        };
        self.store.commit(batch)?;
        let mut counts = self.stored.counts();
        for (tenant, (more, less)) in changes.into_iter().flatten() {
            let count = counts.entry(tenant).or_default();
            *count = count.saturating_add(more).saturating_sub(less);
        }
        Ok(())
    }

    fn vacuum(&mut self) -> Result<Vacuumed, VacuumError> {
        let vacuumed = self.store.vacuum()?;
        self.count_again()?;
        Ok(vacuumed)
    }

    fn reopen(&mut self) -> Result<(), VacuumError> {
        self.store.reopen()?;
        self.count_again()
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Key, Vec<u8>)>, ReadError> {
        self.store.scan(prefix, from, limit)
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.store.stats()
    }
}

fn bytes(key: &Key, value_bytes: usize) -> u64 {
    (key.as_bytes().len() + value_bytes) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{batch::Value, mem::MemoryStore};

    /// A put, a put of a key that holds nothing, or a delete.
    type Step = (u8, u8, Option<u16>);

    fn key(tenant: u8, n: u8) -> Key {
        Key::from_stored(&[3, 0, 0, 0, tenant, n])
    }

    proptest! {
        /// Goal: what is counted is what there is, however keys are written over and deleted within a batch. Method: batches of
        /// few keys of two tenants; after each the count is that of a store which counts from the beginning.
        #[test]
        fn what_is_counted_is_what_there_is(
            batches in prop::collection::vec(prop::collection::vec((0_u8..2, 0_u8..5, prop::option::of(0_u16..50)), 0..8), 0..12),
        ) {
            let mut metered = Metered::new(Box::new(MemoryStore::new())).expect("it can be read");
            for steps in batches {
                let batch = batch(&metered, &steps);
                metered.commit(batch).expect("no failure is set");
                let stored = metered.stored();
                let counted = [0, 1].map(|tenant| stored.of(TenantId(tenant)));
                metered.count().expect("it can be read");
                prop_assert_eq!(counted, [0, 1].map(|tenant| stored.of(TenantId(tenant))));
            }
        }
    }

    fn batch(store: &Metered, steps: &[Step]) -> Batch {
        let mut batch = Batch::new();
        for &(tenant, n, length) in steps {
            let key = key(tenant, n);
            let is_new = store.get(&key).expect("it can be read").is_none()
                && batch.operations().iter().all(|operation| operation.key() != &key);
            match length.map(|length| Value::new(vec![0; length.into()]).expect("it is short")) {
                Some(value) if is_new => batch.put_new(key, value),
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        batch
    }

    #[test]
    fn each_tenant_has_what_it_has() {
        let mut memory = MemoryStore::new();
        let put = |tenant, length| {
            let mut batch = Batch::new();
            batch.put(key(tenant, 1), Value::new(vec![0; length]).expect("it is short"));
            batch
        };
        memory.commit(put(1, 10)).expect("no failure is set");
        let mut metered = Metered::new(Box::new(memory)).expect("it can be read");
        let stored = metered.stored();
        assert_eq!([1, 2].map(|tenant| stored.of(TenantId(tenant))), [16, 0], "what was there counts");
        metered.commit(put(2, 4)).expect("no failure is set");
        metered.commit(put(1, 3)).expect("no failure is set");
        assert_eq!([1, 2].map(|tenant| stored.of(TenantId(tenant))), [9, 10]);
    }
}
