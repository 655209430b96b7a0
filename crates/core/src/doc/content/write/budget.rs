//! What may be spent on writing.

use std::cell::Cell;

use super::Unwritable;
use crate::{
    doc::{content::Format, formats::weight},
    limits::FORMATS_BYTES_MAX,
};

/// Most bytes of formats that are written, and compared, at once. What is read of both documents and what is inserted may come to
/// [`FORMATS_BYTES_MAX`] each; yrs ends and opens again all formats around what is inserted.
const WRITTEN_BYTES_MAX: u64 = 4 * FORMATS_BYTES_MAX;

/// Most elements of arrays that are walked over at once: some seconds.
const WALKED_MAX: u64 = 200_000_000;

/// What is left to be spent on one change of a document, shared by all who write of it.
#[derive(Debug)]
pub(in crate::doc) struct Budget {
    /// Bytes of formats that may still be written.
    formats: Cell<u64>,
    /// Elements of arrays that may still be walked over, or moved.
    steps: Cell<u64>,
    /// Most bytes of formats that hold in one place of the document.
    at_once: u64,
    /// Elements that were put among others in one pass.
    passed: Cell<u64>,
    result: Cell<Result<(), Unwritable>>,
}

impl Budget {
    /// Begins, in a document of which no more bytes of formats hold in one place.
    pub(in crate::doc) fn new(at_once: u64) -> Self {
        Self {
            formats: Cell::new(WRITTEN_BYTES_MAX),
            steps: Cell::new(WALKED_MAX),
            at_once,
            passed: Cell::new(0),
            result: Cell::new(Ok(())),
        }
    }

    /// With so many elements to walk over.
    #[cfg(test)]
    pub(super) fn of_steps(steps: u64, at_once: u64) -> Self {
        let budget = Self::new(at_once);
        budget.steps.set(steps);
        budget
    }

    /// Takes formats that are written or compared.
    pub(super) fn spend<'f>(&self, formats: impl IntoIterator<Item = &'f Format>) -> Result<(), Unwritable> {
        formats.into_iter().try_for_each(|format| take(&self.formats, weight(format), Unwritable::Formats))
    }

    /// Takes a walk over so many elements, or a move of so many.
    pub(super) fn walk(&self, elements: u64) -> Result<(), Unwritable> {
        take(&self.steps, elements, Unwritable::Long)
    }

    /// Returns whether so many elements may be put among others in one pass. In an array that has formats, which none has that a
    /// client wrote, all that are open would be ended and begun again around each.
    pub(super) fn may_pass(&self, elements: u64) -> bool {
        let passed = self.passed.get().saturating_add(elements);
        let may = self.at_once.saturating_mul(passed) <= FORMATS_BYTES_MAX;
        if may {
            self.passed.set(passed);
        }
        may
    }

    /// Keeps why something was not written where nobody can be told.
    pub(super) fn note(&self, result: Result<(), Unwritable>) {
        self.result.set(self.result.get().and(result));
    }

    /// Returns whether all was written so far.
    pub(super) fn result(&self) -> Result<(), Unwritable> {
        self.result.get()
    }
}

fn take(left: &Cell<u64>, of: u64, or: Unwritable) -> Result<(), Unwritable> {
    left.set(left.get().checked_sub(of).ok_or(or)?);
    Ok(())
}
