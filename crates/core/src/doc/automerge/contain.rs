//! Keeps a panic inside automerge from reaching anyone else.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::Automerge;

use crate::doc::Broken;

/// An Automerge document that survives panics of automerge by being given up.
///
/// After [`Failed`] nothing more may be asked of it: its inside may be half changed. It is then leaked when dropped, since
/// dropping it could panic again.
#[derive(Debug)]
pub(super) struct Contained {
    doc: ManuallyDrop<Automerge>,
    sound: bool,
}

/// automerge refused or panicked where it should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

impl From<Failed> for Broken {
    fn from(Failed: Failed) -> Self {
        Self
    }
}

impl Default for Contained {
    fn default() -> Self {
        Self::of(Automerge::new())
    }
}

impl Contained {
    pub(super) fn of(doc: Automerge) -> Self {
        Self { doc: ManuallyDrop::new(doc), sound: true }
    }

    /// Changes the document. Whatever fails in between gives it up.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Automerge) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if !self.sound {
            return Err(Failed);
        }
        let doc = &mut self.doc;
        let result = contained(|| change(doc)).and_then(|result| result);
        self.sound = result.is_ok();
        result
    }

    /// Reads the document.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Automerge) -> T) -> Result<T, Failed> {
        if !self.sound {
            return Err(Failed);
        }
        contained(|| read(&self.doc))
    }

    /// Makes every later call fail.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn give_up(&mut self) {
        self.sound = false;
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        if self.sound {
            // `ManuallyDrop::drop` would be unsafe; taking the document out is not, and costs an empty one.
            drop(ManuallyDrop::into_inner(std::mem::replace(
                &mut self.doc,
                ManuallyDrop::new(Automerge::new()),
            )));
        }
    }
}

/// Runs what may panic.
pub(super) fn contained<T>(act: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_| Failed)
}
