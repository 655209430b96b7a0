//! What the ledger of a tenant keeps: things by name, any bytes.
//!
//! What is written together lies in one *page*, however many things that are, so a commit costs a few keys and no look at what
//! it replaces. Keys are those of [`Key::ledger`], under these names:
//!
//! | name | what is stored there |
//! | --- | --- |
//! | 1, number u64 | a page of things; of each name the one in the last page counts |
//! | the name of a thing of history | a page of such things, named by its last; see [`put_history`] |
//!
//! Integers are big-endian; names of history begin with 128 or more. The module `page` says what a page is.
//!
//! A page whose things have mostly been replaced is *worn*: what still counts of it goes into the next page, and the page is
//! deleted. That a thing is there no more is written, too, and counts until no page holds the thing.

mod history;
mod page;
mod pages;

use bytes::Bytes;
use syncline_core::id::TenantId;

pub use self::{
    history::{HistoryPage, history, history_pages, put_history},
    pages::{LedgerShelf, WornPage, WornPages},
};
use crate::{
    assembly::{Assembly, Finished, Outcome},
    envelope::RecordFault,
    key::{Key, Place, ledger_prefix},
    port::{ReadError, Store},
    walk::Walk,
};

/// The first byte of the name of a page that is no history.
const PAGE: u8 = 1;

/// Why what a ledger keeps was not read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerReadError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bytes of a page are not those that were written.
    #[error("what the ledger keeps under {name:02x?} is damaged; restore the data folder from a backup")]
    Damaged {
        /// The name of the page.
        name: Vec<u8>,
        /// What is wrong with it.
        source: RecordFault,
    },
}

/// Reads records of the ledger of a tenant, in the order of their names.
struct Records<'a> {
    walk: Walk<'a>,
    assembly: Assembly<Vec<u8>>,
}

impl<'a> Records<'a> {
    /// Begins with the first whose name begins with `prefix` and comes after `after`.
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

impl Iterator for Records<'_> {
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
                // A page and its chunks are written and deleted together.
                Outcome::Garbage { .. } => {
                    let source = RecordFault::ChunkMissing { chunk: 0 };
                    return Some(Err(LedgerReadError::Damaged { name, source }));
                }
                Outcome::Faulty(source) => return Some(Err(LedgerReadError::Damaged { name, source })),
            }
        }
    }
}
