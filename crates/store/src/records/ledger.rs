//! What the ledger of a tenant keeps: things by name, any bytes.

use std::{collections::BTreeMap, ops::ControlFlow};

use bytes::Bytes;
use syncline_core::id::TenantId;

use crate::{
    assembly::{Assembly, Finished, Outcome},
    batch::Batch,
    envelope::{self, RecordFault, RecordTooLong},
    key::{Key, Place, ledger_prefix},
    port::{ReadError, Store},
    walk::Walk,
};

/// Writes what a ledger keeps.
///
/// A thing that is replaced by a shorter one leaves no chunk behind: those that have any are remembered, since few have.
#[derive(Clone, Debug)]
pub struct LedgerShelf {
    tenant: TenantId,
    chunks: BTreeMap<Vec<u8>, u16>,
}

/// Why what a ledger keeps was not read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerReadError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bytes of a thing are not those that were written.
    #[error("what the ledger keeps under {name:02x?} is damaged; restore the data folder from a backup")]
    Damaged {
        /// The name of the thing.
        name: Vec<u8>,
        /// What is wrong with it.
        source: RecordFault,
    },
}

impl LedgerShelf {
    /// Gives what the ledger of `tenant` keeps to `each`, in the order of the names, as long as `each` wants more.
    ///
    /// A thing whose name comes behind where it stopped is to be written once and never replaced.
    ///
    /// # Errors
    /// [`LedgerReadError`]: the store cannot be read, or holds something that was not written.
    pub fn load(
        store: &dyn Store,
        tenant: TenantId,
        mut each: impl FnMut(&[u8], Bytes) -> ControlFlow<()>,
    ) -> Result<Self, LedgerReadError> {
        let mut shelf = Self { tenant, chunks: BTreeMap::new() };
        for found in Things::after(store, tenant, &[], None) {
            let (name, bytes) = found?;
            shelf.note(&name, bytes.len());
            if each(&name, bytes).is_break() {
                break;
            }
        }
        Ok(shelf)
    }

    /// Puts `bytes` under `name`, over whatever was there.
    ///
    /// # Errors
    /// [`RecordTooLong`]; nothing is put then.
    pub fn put(&mut self, batch: &mut Batch, name: &[u8], bytes: &[u8]) -> Result<(), RecordTooLong> {
        let values = envelope::seal(|chunk| Key::ledger(self.tenant, name, chunk), bytes)?;
        let chunks = self.note(name, bytes.len());
        self.trim(batch, name, chunks, (values.len() - 1) as u16);
        for (key, value) in values {
            batch.put(key, value);
        }
        Ok(())
    }

    /// Puts `bytes` under `name`, which the caller knows to hold nothing; see [`Batch::put_new`].
    ///
    /// # Errors
    /// [`RecordTooLong`]; nothing is put then.
    pub fn put_new(&mut self, batch: &mut Batch, name: &[u8], bytes: &[u8]) -> Result<(), RecordTooLong> {
        let values = envelope::seal(|chunk| Key::ledger(self.tenant, name, chunk), bytes)?;
        self.note(name, bytes.len());
        values.into_iter().for_each(|(key, value)| batch.put_new(key, value));
        Ok(())
    }

    /// Removes what is under `name`, if anything is.
    pub fn delete(&mut self, batch: &mut Batch, name: &[u8]) {
        let chunks = self.chunks.remove(name).unwrap_or(0);
        self.trim(batch, name, chunks, 0);
        batch.delete(Key::ledger(self.tenant, name, 0));
    }

    /// Notes how many chunks a thing has, and returns how many it had.
    fn note(&mut self, name: &[u8], bytes: usize) -> u16 {
        // What is longer than 2^16 chunks is not put.
        let chunks = envelope::chunk_count(bytes).unwrap_or(u16::MAX);
        let before =
            if chunks > 0 { self.chunks.insert(name.to_vec(), chunks) } else { self.chunks.remove(name) };
        before.unwrap_or(0)
    }

    fn trim(&self, batch: &mut Batch, name: &[u8], had: u16, has: u16) {
        (has + 1..=had).for_each(|chunk| batch.delete(Key::ledger(self.tenant, name, chunk)));
    }
}

/// Removes a thing of so many bytes that was written once, as history is. A shelf need not know.
pub fn remove(batch: &mut Batch, tenant: TenantId, name: &[u8], bytes: usize) {
    // The head goes first, so that an interruption leaves garbage, not a damaged thing.
    let chunks = envelope::chunk_count(bytes).unwrap_or(u16::MAX);
    (0..=chunks).for_each(|chunk| batch.delete(Key::ledger(tenant, name, chunk)));
}

/// Returns what the ledger of `tenant` keeps under names that begin with `prefix` and come after `after`, at most `limit`.
///
/// # Errors
/// [`LedgerReadError`]: the store cannot be read, or holds something that was not written.
pub fn page(
    store: &dyn Store,
    tenant: TenantId,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Bytes)>, LedgerReadError> {
    things(store, tenant, prefix, after).take(limit).collect()
}

/// Returns what the ledger of `tenant` keeps under names that begin with `prefix` and come after `after`, one by one: it holds
/// one thing at a time, however many there are. Behind an error nothing is promised.
pub fn things<'a>(
    store: &'a dyn Store,
    tenant: TenantId,
    prefix: &[u8],
    after: Option<&[u8]>,
) -> impl Iterator<Item = Result<(Vec<u8>, Bytes), LedgerReadError>> + use<'a> {
    Things::after(store, tenant, prefix, after)
}

struct Things<'a> {
    walk: Walk<'a>,
    assembly: Assembly<Vec<u8>>,
}

impl<'a> Things<'a> {
    fn after(store: &'a dyn Store, tenant: TenantId, prefix: &[u8], after: Option<&[u8]>) -> Self {
        let all = ledger_prefix(tenant);
        let prefix = [&all[..], prefix].concat();
        let walk = match after {
            Some(after) => Walk::from(store, prefix, &Key::ledger(tenant, after, u16::MAX).successor()),
            None => Walk::new(store, prefix),
        };
        Self { walk, assembly: Assembly::default() }
    }
}

impl Iterator for Things<'_> {
    type Item = Result<(Vec<u8>, Bytes), LedgerReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let finished = match self.walk.next() {
                Some(Ok((key, value))) => {
                    let Some(Place::Ledger { name, chunk, .. }) = key.place() else { continue };
                    match self.assembly.push(&key, name, chunk, value) {
                        Some(finished) => finished,
                        None => continue,
                    }
                }
                Some(Err(error)) => return Some(Err(error.into())),
                None => self.assembly.finish()?,
            };
            let Finished { place: name, outcome } = finished;
            match outcome {
                Outcome::Whole { payload, .. } => return Some(Ok((name, payload))),
                // A thing and its chunks are written and deleted together.
                Outcome::Garbage { .. } => {
                    let source = RecordFault::ChunkMissing { chunk: 0 };
                    return Some(Err(LedgerReadError::Damaged { name, source }));
                }
                Outcome::Faulty(source) => return Some(Err(LedgerReadError::Damaged { name, source })),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{envelope::BODY_BYTES_MAX, mem::MemoryStore, verify::verify};

    const TENANT: TenantId = TenantId(3);

    /// A name without 0, and how many bytes are put there; nothing deletes it.
    fn steps() -> impl Strategy<Value = Vec<(u8, Option<usize>)>> {
        let bytes = prop_oneof![0..20_usize, BODY_BYTES_MAX - 1..BODY_BYTES_MAX + 2, 0..5 * BODY_BYTES_MAX];
        prop::collection::vec((1..5_u8, prop::option::weighted(0.8, bytes)), 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Things of all lengths are put over each other and deleted, with a restart in between, as in a map.
        #[test]
        fn a_shelf_is_a_map(steps in steps(), restart in 0..20_usize) {
            let mut store = MemoryStore::new();
            let mut shelf = LedgerShelf::load(&store, TENANT, |_, _| unreachable!("it is empty")).expect("read");
            let mut model = BTreeMap::new();
            for (at, (name, bytes)) in steps.into_iter().enumerate() {
                if at == restart {
                    shelf = LedgerShelf::load(&store, TENANT, |_, _| ControlFlow::Continue(())).expect("read");
                }
                let mut batch = Batch::new();
                let name = vec![name, 0];
                match bytes {
                    Some(bytes) => {
                        let bytes = vec![at as u8; bytes];
                        let is_new = !model.contains_key(&name);
                        let put = if is_new { LedgerShelf::put_new } else { LedgerShelf::put };
                        put(&mut shelf, &mut batch, &name, &bytes).expect("short");
                        model.insert(name, Bytes::from(bytes));
                    }
                    None => {
                        shelf.delete(&mut batch, &name);
                        model.remove(&name);
                    }
                }
                store.commit(batch).expect("stored");
            }
            let mut found = BTreeMap::new();
            LedgerShelf::load(&store, TENANT, |name, bytes| {
                found.insert(name.to_vec(), bytes);
                ControlFlow::Continue(())
            }).expect("read");
            prop_assert_eq!(&found, &model);
            LedgerShelf::load(&store, TenantId(4), |_, _| unreachable!("it is another's")).expect("read");
            let report = verify(&store).expect("read");
            prop_assert_eq!((report.ledger_records, report.garbage_chunks, &report.faults[..]), (model.len() as u64, 0, &[][..]));
            let mut paged = Vec::new();
            while let Some(next) = page(&store, TENANT, &[], paged.last().map(|(name, _): &(Vec<u8>, Bytes)| &name[..]), 1).expect("read").pop() {
                paged.push(next);
            }
            prop_assert_eq!(paged, model.into_iter().collect::<Vec<_>>());
        }
    }
}
