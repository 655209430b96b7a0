//! Keeps a panic inside automerge from reaching anyone else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::Automerge;

use crate::doc::Broken;

/// An Automerge document that survives panics of automerge by being given up.
///
/// After [`Failed`] nothing more may be asked of it: its inside may be half changed. It is dropped all the same, since whoever
/// breaks documents one after the other would take the memory of each: automerge has neither unsafe code nor anything that
/// looks at a document when it is dropped.
#[derive(Debug)]
pub(super) struct Contained {
    doc: Automerge,
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
        Self { doc, sound: true }
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
        let doc = std::mem::replace(&mut self.doc, Automerge::new());
        let _ = contained(|| drop(doc));
    }
}

/// Runs what may panic.
pub(super) fn contained<T>(act: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_| Failed)
}
