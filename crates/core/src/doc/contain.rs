//! Keeps a panic inside yrs from reaching anyone else.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use yrs::{
    ClientID, Doc, IdSet, OffsetKind, Options, ReadTxn, Transact, TransactionMut, Update,
    updates::{decoder::Decode, encoder::Encode},
};

use super::subdocument::replace_subdocuments;
use crate::{
    guard::{DeleteRange, Fidelity, ScannedUpdate, scan_update},
    id::ClientId,
};

/// A yrs document that survives panics of yrs by being given up.
///
/// After [`Failed`] nothing more may be asked of it: its inside may be half changed, and a lock may be held for ever. It
/// is then leaked when dropped, since dropping it could panic again.
#[derive(Debug)]
pub(crate) struct Contained {
    doc: Doc,
    sound: bool,
}

/// yrs refused or panicked where it should not have. The document is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// What one update changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Structs deleted by it, directly or as a consequence.
    pub(crate) deleted: Vec<DeleteRange>,
    /// The change as yrs encodes it, if it was asked for.
    pub(crate) encoded: Option<Bytes>,
}

impl Contained {
    /// Makes an empty document that is never the author of a change.
    pub(crate) fn new() -> Self {
        Self::of(ClientId(0))
    }

    /// Makes an empty document that writes as this client.
    pub(crate) fn of(author: ClientId) -> Self {
        let options = Options {
            client_id: ClientID::new(author.0),
            guid: "".into(),
            collection_id: None,
            offset_kind: OffsetKind::Utf16,
            skip_gc: false,
            auto_load: false,
            should_load: true,
            cleanup_formatting: false,
        };
        Self { doc: Doc::with_options(options), sound: true }
    }

    /// Integrates an update of which every struct can be integrated, in a transaction of its own.
    pub(crate) fn integrate(&mut self, update: Update, encode: bool) -> Result<Changes, Failed> {
        self.transact(|txn| {
            txn.apply_update(update).map_err(|_| Failed)?;
            let encoded = encode.then(|| txn.encode_update_v1().into());
            txn.commit();
            if txn.store().pending_update().is_some() || txn.store().pending_ds().is_some() {
                return Err(Failed);
            }
            Ok(Changes { deleted: delete_ranges(txn.delete_set()), encoded })
        })
    }

    /// Writes in a transaction of its own. Returns what `write` returns, and what was written as an update.
    pub(crate) fn write<T>(
        &mut self,
        write: impl FnOnce(&mut TransactionMut<'_>) -> T,
    ) -> Result<(T, Bytes), Failed> {
        self.transact(|txn| {
            let written = write(txn);
            let update = txn.encode_update_v1().into();
            txn.commit();
            Ok((written, update))
        })
    }

    /// Runs a transaction that `change` commits itself, unless it fails.
    fn transact<T>(
        &mut self,
        change: impl FnOnce(&mut TransactionMut<'_>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if !self.sound {
            return Err(Failed);
        }
        // Dropping a transaction commits it, and a panic while unwinding aborts the process. So it lives outside the
        // closure and is dropped only after it has been committed without one.
        let mut txn = ManuallyDrop::new(self.doc.transact_mut());
        match catch_unwind(AssertUnwindSafe(|| change(&mut txn))) {
            Ok(Ok(changed)) => {
                drop(ManuallyDrop::into_inner(txn));
                Ok(changed)
            }
            Ok(Err(Failed)) | Err(_) => {
                self.sound = false;
                Err(Failed)
            }
        }
    }

    /// Reads the document.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&yrs::Transaction<'_>) -> T) -> Result<T, Failed> {
        if !self.sound {
            return Err(Failed);
        }
        let txn = self.doc.transact();
        catch_unwind(AssertUnwindSafe(|| read(&txn))).map_err(|_| Failed)
    }

    /// Returns whether the document can still be used.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound
    }

    /// Makes every later call fail: what the document holds is no longer what it should.
    pub(crate) fn give_up(&mut self) {
        self.sound = false;
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        if !self.sound {
            // One reference more than will ever be dropped.
            std::mem::forget(self.doc.clone());
        }
    }
}

/// Decodes scanned bytes, with embeds in the place of subdocuments, and checks that yrs read the same structs and
/// deletions as the guard. `fidelity` says whether there may be subdocuments.
pub(crate) fn decode(scanned: &ScannedUpdate<'_>, fidelity: Fidelity) -> Option<Update> {
    if fidelity == Fidelity::Lost
        && let Some(replaced) = replace_subdocuments(scanned).ok()?
    {
        return decode_as_it_is(&scan_update(&replaced).ok()?);
    }
    decode_as_it_is(scanned)
}

fn decode_as_it_is(scanned: &ScannedUpdate<'_>) -> Option<Update> {
    let decoded = catch_unwind(|| {
        let update = Update::decode_v1(scanned.bytes()).ok()?;
        let again = update.encode_v1();
        let rescanned = scan_update(&again).ok()?;
        scanned.same_shape(&rescanned).then_some(update)
    });
    decoded.ok().flatten()
}

pub(crate) fn delete_ranges(set: &IdSet) -> Vec<DeleteRange> {
    let ranges = set.iter().flat_map(|(client, ranges)| {
        ranges.iter().map(|range| DeleteRange {
            client: ClientId(client.get()),
            clock: range.start,
            len: range.end - range.start,
        })
    });
    ranges.collect()
}
