//! Holds sled so that no panic of its gets out.

use std::{
    any::Any,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::EngineError;

/// An open sled database.
pub(super) struct Handle(Option<sled::Db>);

impl Handle {
    /// Opens what `config` says.
    pub(super) fn open(config: &sled::Config) -> Result<Self, EngineError> {
        guarded(|| Ok(Self(Some(config.open()?))))
    }

    /// Leaves the database as it is, without the flush of [`drop`]; its memory and its descriptor are lost.
    pub(super) fn abandon(mut self) {
        std::mem::forget(self.0.take());
    }
}

impl Deref for Handle {
    type Target = sled::Db;

    fn deref(&self) -> &sled::Db {
        self.0.as_ref().expect("taken only when the handle itself goes")
    }
}

impl Drop for Handle {
    /// Flushes what sled still has, and survives sled's panic if the disk does not take it.
    fn drop(&mut self) {
        let db = self.0.take();
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
    }
}

/// Calls sled, and makes an error of its panic. What sled holds afterwards is not trusted: the store latches.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(EngineError::Panicked { message: message(&*panic) }))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
